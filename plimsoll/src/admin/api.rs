//! The handlers: each asks the app one [`Command`] and turns its answer into a response.
//!
//! Errors are JSON with `error` (what is wrong), `remedy` (what to do) and sometimes `details`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::access::Denial;
use super::server::Shared;
use super::status::{Phase, Status};
use super::{Command, Drained, Refusal, RefusalKind, Reloaded, Restarted, Tried, page};

/// The app answers a look within microseconds; this is for one that is stuck.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// A reload checks the file and resolves names.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// A rolling restart of a large service with a long start timeout.
const RESTART_TIMEOUT: Duration = Duration::from_secs(3600);

/// A test alarm, and that it is over, have a minute each.
const TRY_TIMEOUT: Duration = Duration::from_secs(130);

/// The body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong, one sentence.
    pub error: String,
    /// What to do about it, one sentence.
    pub remedy: String,
    /// More lines, as the errors of a config file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// An error with its status.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, error: &str, remedy: &str) -> Self {
        let (error, remedy) = (error.to_owned(), remedy.to_owned());
        Self { status, body: ErrorBody { error, remedy, details: Vec::new() } }
    }

    pub(super) fn denied(denial: Denial) -> Self {
        match denial {
            Denial::Token => Self::new(
                StatusCode::UNAUTHORIZED,
                "this admin server asks for its token",
                "send `Authorization: Bearer TOKEN` (or `Basic` with the token as the password), run \
                 the command with --token or PLIMSOLL_TOKEN, or sign in at /login",
            ),
            Denial::WrongToken => Self::new(
                StatusCode::UNAUTHORIZED,
                "this is not the token of this admin server",
                "take the one that stands as `admin.token` in the config file of this Plimsoll",
            ),
            Denial::ForeignHost => Self::new(
                StatusCode::FORBIDDEN,
                "the Host header names neither localhost nor an IP address",
                "ask by http://127.0.0.1 or http://localhost, or set a token for the admin \
                 server, with which any name is answered",
            ),
            Denial::CrossSite => Self::new(
                StatusCode::FORBIDDEN,
                "a page of another site may have made a browser send this request",
                "send the header `X-Plimsoll: 1` with it, or `Authorization: Bearer TOKEN` where a \
                 token is set: no such page can",
            ),
        }
    }

    fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Plimsoll is stopping",
            "look at its log for the reason, and start it again",
        )
    }

    fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many commands are waiting",
            "try again in a few seconds",
        )
    }

    fn late(allowed: Duration) -> Self {
        let error = format!("Plimsoll has not answered within {} s", allowed.as_secs());
        let remedy = "look at its log; the command may still be carried out";
        Self::new(StatusCode::GATEWAY_TIMEOUT, &error, remedy)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let Refusal { error, remedy, details, .. } = refusal;
        Self { status, body: ErrorBody { error, remedy, details } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

type Handled<T> = Result<T, ApiError>;

/// Sends the app a command and waits for its answer.
async fn ask<T>(
    shared: &Shared,
    allowed: Duration,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Handled<T> {
    let (reply, answer) = oneshot::channel();
    shared.commands.try_send(command(reply)).map_err(|error| match error {
        TrySendError::Full(_) => ApiError::busy(),
        TrySendError::Closed(_) => ApiError::stopping(),
    })?;
    match tokio::time::timeout(allowed, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(ApiError::stopping()),
        Err(_) => Err(ApiError::late(allowed)),
    }
}

type App = State<Arc<Shared>>;

/// The path whose POST restarts a service.
pub fn restart_path(service: &str) -> String {
    format!("/api/services/{}/restart", segment(service))
}

/// The path whose POST tries a receiver of alarms.
pub fn try_path(receiver: &str) -> String {
    format!("/api/receivers/{}/test", segment(receiver))
}

/// The path whose POST drains a server and whose DELETE gives it back.
pub fn drain_path(service: &str, server: &str) -> String {
    format!("/api/services/{}/servers/{}/drain", segment(service), segment(server))
}

/// A name as one segment of a path: all but unreserved characters (RFC 3986 §2.3) encoded.
fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// `GET /`
pub(super) async fn page(State(shared): App) -> Response {
    match ask(&shared, LOOK_TIMEOUT, Command::Status).await {
        Ok(status) => Html(page::status(&status, shared.access.token.is_some())).into_response(),
        Err(ApiError { status, body }) => {
            (status, Html(page::failure(&body.error, &body.remedy))).into_response()
        }
    }
}

/// `GET /api/status`
pub(super) async fn status(State(shared): App) -> Handled<Json<Status>> {
    ask(&shared, LOOK_TIMEOUT, Command::Status).await.map(Json)
}

/// `GET /metrics`
pub(super) async fn metrics(State(shared): App) -> Handled<impl IntoResponse> {
    let text = ask(&shared, LOOK_TIMEOUT, Command::Metrics).await?;
    Ok(([(header::CONTENT_TYPE, tsdb::exposition::CONTENT_TYPE)], text))
}

/// `GET /-/healthy`: this process answers.
pub(super) async fn healthy() -> &'static str {
    "Plimsoll is up.\n"
}

/// `GET /-/ready`: traffic has somewhere to go. 503 while draining, and while no service has a
/// healthy server.
pub(super) async fn ready(State(shared): App) -> Handled<Response> {
    let status = ask(&shared, LOOK_TIMEOUT, Command::Status).await?;
    let no_server = status.services.iter().all(|service| service.healthy_count() == 0);
    let (code, text) = if status.phase == Phase::Draining {
        (StatusCode::SERVICE_UNAVAILABLE, "Plimsoll is draining.\n")
    } else if no_server && !status.services.is_empty() {
        (StatusCode::SERVICE_UNAVAILABLE, "No service has a healthy server.\n")
    } else {
        (StatusCode::OK, "Plimsoll is ready.\n")
    };
    Ok((code, text).into_response())
}

/// `POST /api/reload`
pub(super) async fn reload(State(shared): App) -> Handled<Json<Reloaded>> {
    Ok(Json(ask(&shared, RELOAD_TIMEOUT, Command::Reload).await??))
}

/// `POST /api/services/{service}/restart`
pub(super) async fn restart(
    State(shared): App,
    Path(service): Path<String>,
) -> Handled<Json<Restarted>> {
    let restart = |reply| Command::Restart { service, reply };
    Ok(Json(ask(&shared, RESTART_TIMEOUT, restart).await??))
}

/// `POST /api/services/{service}/servers/{server}/drain`, `?undo` gives it back.
pub(super) async fn drain(
    State(shared): App,
    Path((service, server)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Handled<Json<Drained>> {
    let undo = query.get("undo").is_some_and(|value| value != "false");
    let drain = |reply| Command::Drain { service, server, undo, reply };
    Ok(Json(ask(&shared, LOOK_TIMEOUT, drain).await??))
}

/// `DELETE /api/services/{service}/servers/{server}/drain`
pub(super) async fn undo_drain(
    State(shared): App,
    Path((service, server)): Path<(String, String)>,
) -> Handled<Json<Drained>> {
    let drain = |reply| Command::Drain { service, server, undo: true, reply };
    Ok(Json(ask(&shared, LOOK_TIMEOUT, drain).await??))
}

/// `POST /api/receivers/{receiver}/test`
pub(super) async fn try_receiver(
    State(shared): App,
    Path(receiver): Path<String>,
) -> Handled<Json<Tried>> {
    let attempt = |reply| Command::TryReceiver { receiver, reply };
    Ok(Json(ask(&shared, TRY_TIMEOUT, attempt).await??))
}

const PATHS: &str = "there are: GET /, /metrics, /api/status, /-/healthy, /-/ready; \
                     /prometheus/api/v1/… and /prometheus/federate, /alertmanager/api/v2/… (all three \
                     unless `observe = false`); POST /api/reload, /api/services/SERVICE/restart, /api/receivers/NAME/test; \
                     POST and DELETE /api/services/SERVICE/servers/SERVER/drain";

/// Any other path.
pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, &format!("there is no {}", uri.path()), PATHS)
}

/// A known path asked in another way.
pub(super) async fn no_such_method(method: axum::http::Method, uri: Uri) -> ApiError {
    let error = format!("{method} is nothing that {} answers", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, &error, PATHS)
}
