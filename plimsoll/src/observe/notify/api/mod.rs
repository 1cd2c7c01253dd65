//! The part of Alertmanager's API, version 2, that `amtool` and Grafana's Alertmanager data source
//! use. Errors have the forms that its clients read: a string of JSON from the handlers, and
//! `{"code", "message"}` for what does not fit the specification.
//!
//! Left out: taking alarms from others, and the cluster.
//!
//! Source: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

mod alerts;
mod parameters;
mod silences;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tsdb::labels::Labels;

use super::Notifier;
use super::message::rfc3339;
use super::plan::Term;

/// All of it.
pub(super) fn router(notifier: Arc<Notifier>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/receivers", get(receivers))
        .route("/alerts", get(alerts::list).post(alerts::refuse))
        .route("/alerts/groups", get(alerts::groups))
        .route("/silences", get(silences::list).post(silences::post))
        .route("/silence/{id}", get(silences::one).delete(silences::expire))
        .with_state(notifier)
}

/// A refusal.
enum Refusal {
    /// By a handler.
    Words(StatusCode, String),
    /// What was sent does not fit the specification; the code is go-openapi's where it has one.
    Unfit(StatusCode, u16, String),
    /// There is no such thing.
    NotFound,
}

impl Refusal {
    fn bad(words: impl Into<String>) -> Self {
        Self::Words(StatusCode::BAD_REQUEST, words.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Words(status, words) => (status, Json(Value::String(words))).into_response(),
            Self::Unfit(status, code, message) => {
                (status, Json(json!({ "code": code, "message": message }))).into_response()
            }
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn status(State(notifier): State<Arc<Notifier>>) -> Json<Value> {
    let original =
        notifier.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "config": { "original": original },
        "uptime": rfc3339(notifier.started_at),
        "versionInfo": {
            "branch": "",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": "",
            "version": env!("CARGO_PKG_VERSION"),
        },
    }))
}

async fn receivers(State(notifier): State<Arc<Notifier>>) -> Json<Value> {
    let names = notifier.hands().keys().map(|name| json!({ "name": name })).collect();
    Json(Value::Array(names))
}

fn object(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// Whether values by name pass a filter. As in Alertmanager, a filter for the empty value is one for
/// whether the name is there.
fn passes<'a>(filter: &[Term], value: impl Fn(&str) -> Option<&'a str>) -> bool {
    filter.iter().all(|term| {
        let found = value(&term.name);
        if term.value.is_empty() {
            return found.is_some() != term.is_equal;
        }
        term.accepts_value(found.unwrap_or_default())
    })
}
