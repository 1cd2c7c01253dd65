//! The clinic's own pages: `/`, `/health/`, `/load`, `/settings/`, `/metrics`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Clinic;
use super::latency::Latency;

/// Longest computation that `/load?ms=` gives.
const MAX_LOAD: Duration = Duration::from_secs(30);
/// Most rounds that `/load?iterations=` gives.
const MAX_ITERATIONS: u64 = 1_000_000_000;
/// Rounds between two looks at the clock.
const ITERATIONS_A_LOOK: u64 = 1_000;

/// What an instance can be told while it runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Settings {
    /// Share of health checks that fail, 0.0 to 1.0.
    pub health_failure_chance: f64,
    /// Added to every request but health checks and metrics.
    pub latency: Latency,
}

/// `GET /`
pub async fn index(State(clinic): State<Clinic>, headers: HeaderMap) -> Response {
    let began = Instant::now();
    let number = clinic.next_request_number();
    clinic.delay().await;
    let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return Html(index_page(&clinic, number, milliseconds)).into_response();
    }
    Json(json!({
        "service": "clinic",
        "instance": &*clinic.instance,
        "host": &*clinic.host,
        "pid": std::process::id(),
        "request": number,
        "processing_ms": (milliseconds * 1000.0).round() / 1000.0,
        "store": clinic.store.engine(),
    }))
    .into_response()
}

fn index_page(clinic: &Clinic, number: u64, milliseconds: f64) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        include_str!("index.html"),
        instance = escape(&clinic.instance),
        host = escape(&clinic.host),
        pid = std::process::id(),
        number = number,
        milliseconds = milliseconds,
        store = clinic.store.engine(),
    )
}

/// `GET /health/`: 200, or 503 by the set chance.
pub async fn health(State(clinic): State<Clinic>) -> Response {
    let chance = clinic.settings().health_failure_chance;
    let failed = fastrand::f64() < chance;
    let (status, word) = if failed {
        (StatusCode::SERVICE_UNAVAILABLE, "failing by chance")
    } else {
        (StatusCode::OK, "healthy")
    };
    (status, Json(json!({"status": word, "instance": &*clinic.instance}))).into_response()
}

/// Parameters of `/load`.
#[derive(Debug, Deserialize)]
pub struct LoadParameters {
    ms: Option<u64>,
    iterations: Option<u64>,
}

/// `GET /load?ms=…|iterations=…`: keeps a core busy for a time or a number of rounds.
pub async fn load(
    State(clinic): State<Clinic>,
    Query(parameters): Query<LoadParameters>,
) -> Response {
    let (most, rounds) = match (parameters.ms, parameters.iterations) {
        (Some(_), Some(_)) => {
            let error = "give ms or iterations, not both";
            return (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
        }
        (milliseconds, None) => {
            (Duration::from_millis(milliseconds.unwrap_or(100)).min(MAX_LOAD), u64::MAX)
        }
        (None, Some(iterations)) => (MAX_LOAD, iterations.min(MAX_ITERATIONS)),
    };
    clinic.delay().await;
    // One permit a computing thread: an instance is as fast as the cores it was given.
    let permit = clinic.compute.clone().acquire_owned().await;
    let work = tokio::task::spawn_blocking(move || {
        let result = compute(most, rounds);
        drop(permit);
        result
    });
    match work.await {
        Ok((iterations, elapsed)) => Json(json!({
            "instance": &*clinic.instance,
            "iterations": iterations,
            "busy_ms": elapsed.as_secs_f64() * 1000.0,
        }))
        .into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn compute(most: Duration, rounds: u64) -> (u64, Duration) {
    let began = Instant::now();
    let mut done = 0;
    let mut value = 1.0_f64;
    while done < rounds && began.elapsed() < most {
        let batch = ITERATIONS_A_LOOK.min(rounds - done);
        for _ in 0..batch {
            value = black_box((value + 1.0).sqrt());
        }
        done += batch;
    }
    (done, began.elapsed())
}

/// Body of `PATCH /settings/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    health_failure_chance: Option<f64>,
    latency: Option<String>,
}

/// `GET /settings/`
pub async fn settings(State(clinic): State<Clinic>) -> Response {
    Json(clinic.settings()).into_response()
}

/// `PATCH /settings/`: changes this instance until it ends.
pub async fn change_settings(State(clinic): State<Clinic>, body: axum::body::Bytes) -> Response {
    let bad =
        |error: String| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let change: SettingsChange = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return bad(format!("the body does not fit: {error}")),
    };
    let mut settings = clinic.settings();
    if let Some(chance) = change.health_failure_chance {
        if !(0.0..=1.0).contains(&chance) {
            return bad("health_failure_chance must be from 0 to 1".to_owned());
        }
        settings.health_failure_chance = chance;
    }
    if let Some(text) = change.latency {
        match text.parse() {
            Ok(latency) => settings.latency = latency,
            Err(error) => return bad(format!("latency: {error}")),
        }
    }
    clinic.set_settings(settings);
    Json(settings).into_response()
}

/// `GET /metrics`
pub async fn metrics(State(clinic): State<Clinic>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, clinic.figures.expose()).into_response()
}
