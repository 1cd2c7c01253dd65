//! `POST /api/v1/write`: samples by remote write 1.0, from agents and from other Plimsolls.
//!
//! A request is checked whole before any of it is stored. Then each sample is taken or not: those
//! that are out of order, too old, in conflict or too far ahead are told with 400, which senders do
//! not try again, while the others stay stored. Only a full memory is answered with 503, so that the
//! sender tries again; what was stored already is then taken as repeated.
//!
//! Invariants: at most [`WRITES_AT_ONCE`] requests are read at a time, each within bounds of bytes and
//! time; labels of known series are not put together anew.
//!
//! Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.

mod outcome;
mod received;
mod series;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tsdb::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, Limits, Request as Message};

pub use self::received::Received;
use self::series::Known;
use super::{App, Shared};

/// Requests that are read and stored at once.
const WRITES_AT_ONCE: usize = 8;
/// Wait for a place among them.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest body as it is sent; unpacked it may be as large ([`Limits::message_bytes`]).
const BODY_BYTES_MAX: usize = 32 << 20;
/// When a sender may try again, seconds.
const RETRY_AFTER: &str = "5";

/// What is kept from one request to the next.
pub(super) struct Receiver {
    places: Semaphore,
    series: Known,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { places: Semaphore::new(WRITES_AT_ONCE), series: Known::default() }
    }
}

/// `POST /api/v1/write`
pub(super) async fn receive(State(shared): App, request: Request) -> Response {
    let received = Arc::clone(&shared.parts.received);
    let answer = take(shared, request).await;
    received.answered(answer.status());
    answer
}

async fn take(shared: Arc<Shared>, request: Request) -> Response {
    if !(shared.parts.settings)().remote_write_receiver {
        return told(
            StatusCode::NOT_FOUND,
            "this Plimsoll takes no samples by remote write; `remote_write_receiver = true` in \
             [observe] of its config turns that on",
        );
    }
    if let Err(words) = check(request.headers()) {
        return told(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    }
    // The semaphore is never closed.
    let waiting = shared.receiver.places.acquire();
    let Ok(Ok(_place)) = tokio::time::timeout(PLACE_TIMEOUT, waiting).await else {
        let words = format!(
            "{WRITES_AT_ONCE} other requests have been read for {PLACE_TIMEOUT:?}, the most at once; \
             send in fewer shards"
        );
        return later(&words);
    };
    let body = match body(request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let stored = Arc::clone(&shared);
    let storing = tokio::task::spawn_blocking(move || {
        Message::decode(&body, &Limits::default())
            .map(|message| stored.receiver.series.store(&stored.parts.storage, &message))
            .inspect(|outcome| stored.parts.received.count(outcome))
    });
    match storing.await {
        Ok(Ok(outcome)) => outcome.response(),
        Ok(Err(error)) => told(StatusCode::BAD_REQUEST, error),
        Err(error) => {
            let words = format!("the samples were not stored: {error}");
            told(StatusCode::INTERNAL_SERVER_ERROR, words)
        }
    }
}

/// Whether it says that it is what it must be. What says nothing is taken for it.
fn check(headers: &HeaderMap) -> Result<(), String> {
    let text =
        |name| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    if let Some(kind) = text(header::CONTENT_TYPE) {
        let (kind, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
        let proto = parameters.trim().strip_prefix("proto=").unwrap_or("prometheus.writerequest");
        if kind.trim() != CONTENT_TYPE || proto != "prometheus.writerequest" {
            return Err(format!(
                "the content is {kind}; {parameters}; taken is {CONTENT_TYPE} of remote write 1.0 \
                 (proto=prometheus.WriteRequest)"
            ));
        }
    }
    match text(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != CONTENT_ENCODING => {
            Err(format!("the encoding is {encoding}; taken is {CONTENT_ENCODING}"))
        }
        _ => Ok(()),
    }
}

async fn body(request: Request) -> Result<Bytes, Response> {
    let reading = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(told(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the body cannot be read: {error}; it may have {BODY_BYTES_MAX} bytes, so send less \
                 at once"
            ),
        )),
        Err(_) => Err(told(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body has not arrived within {BODY_TIMEOUT:?}"),
        )),
    }
}

fn later(words: &str) -> Response {
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, retry, format!("{words}\n")).into_response()
}

fn told(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, format!("{words}\n")).into_response()
}
