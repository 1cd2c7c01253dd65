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

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tsdb::exposition::{Exposition, Kind};
use tsdb::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, Limits, Request as Message, Series};
use tsdb::store::{Append, Handle, Refusal};

use super::{App, Shared};
use crate::observe::storage::{Appended, Storage};

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
/// Series that are remembered; of more, all are forgotten and found anew.
const HANDLES_MAX: usize = 500_000;

/// What is kept from one request to the next.
pub(super) struct Receiver {
    places: Semaphore,
    series: Mutex<Known>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { places: Semaphore::new(WRITES_AT_ONCE), series: Mutex::default() }
    }
}

/// Series by a hash of their labels. Read and written by one request at a time.
#[derive(Default)]
struct Known {
    handles: HashMap<u64, Handle>,
    random: RandomState,
}

/// What came in by remote write.
#[derive(Debug, Default)]
pub struct Received {
    /// Requests by the status of the answer, of which there are few; held for a moment.
    requests: Mutex<BTreeMap<u16, u64>>,
    /// Samples that were taken, and that were not.
    samples: AtomicU64,
    refused: AtomicU64,
}

impl Received {
    /// Writes it down, once there is something.
    pub fn expose(&self, out: &mut Exposition) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if requests.is_empty() {
            return;
        }
        let name = "plimsoll_remote_write_receiver_requests_total";
        let mut family = out.family(name, Kind::Counter, "Remote writes, by status of the answer.");
        for (status, count) in requests {
            family.sample(&[("code", &status.to_string())], count as f64);
        }
        for (name, help, count) in [
            (
                "plimsoll_remote_write_receiver_samples_total",
                "Samples of remote writes that were stored.",
                &self.samples,
            ),
            (
                "plimsoll_remote_write_receiver_refused_samples_total",
                "Samples of remote writes that were not taken.",
                &self.refused,
            ),
        ] {
            let count = count.load(Ordering::Relaxed) as f64;
            out.family(name, Kind::Counter, help).sample(&[], count);
        }
    }

    fn count(&self, outcome: &Outcome) {
        let (committed, ahead) = (&outcome.appended.committed, outcome.appended.ahead);
        let refused = committed.refused.sum() + ahead + outcome.without_series as u64;
        self.samples.fetch_add(committed.accepted, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }
}

/// `POST /api/v1/write`
pub(super) async fn receive(State(shared): App, request: Request) -> Response {
    let received = Arc::clone(&shared.parts.received);
    let answer = take(shared, request).await;
    let mut requests = received.requests.lock().unwrap_or_else(PoisonError::into_inner);
    *requests.entry(answer.status().as_u16()).or_default() += 1;
    drop(requests);
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
            .map(|message| store(&stored.receiver, &stored.parts.storage, &message))
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

/// What became of a request.
#[derive(Debug, Default)]
struct Outcome {
    samples: usize,
    appended: Appended,
    /// Samples of series that were not let in, and why the first was not.
    without_series: usize,
    refusal: Option<String>,
    histograms: usize,
}

fn store(receiver: &Receiver, storage: &Storage, message: &Message) -> Outcome {
    let mut outcome = Outcome { histograms: message.histograms_len(), ..Outcome::default() };
    let mut series = Vec::with_capacity(message.series().len());
    {
        let mut known = receiver.series.lock().unwrap_or_else(PoisonError::into_inner);
        for one in message.series().filter(|one| !one.samples.is_empty()) {
            outcome.samples += one.samples.len();
            match known.handle(storage, one) {
                Ok(handle) => series.push((handle, one.samples)),
                Err(error) => {
                    outcome.without_series += one.samples.len();
                    outcome.refusal.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }
    let mut samples = Vec::with_capacity(outcome.samples);
    for (series, of_series) in &series {
        let all = of_series.iter();
        samples.extend(all.map(|(time, value)| Append { series, time: *time, value: *value }));
    }
    outcome.appended = storage.append(&samples, crate::observe::now());
    outcome
}

impl Known {
    fn handle(&mut self, storage: &Storage, series: Series<'_>) -> Result<Handle, Refusal> {
        let mut hasher = self.random.build_hasher();
        series.labels().for_each(|pair| pair.hash(&mut hasher));
        let hash = hasher.finish();
        match self.handles.get(&hash) {
            Some(handle) if handle.labels().iter().eq(series.labels()) => Ok(handle.clone()),
            _ => {
                let handle = storage.store().series(&series.to_labels())?;
                if self.handles.len() >= HANDLES_MAX {
                    self.handles.clear();
                }
                self.handles.insert(hash, handle.clone());
                Ok(handle)
            }
        }
    }
}

impl Outcome {
    fn response(&self) -> Response {
        let refused = &self.appended.committed.refused;
        let refusal = self.refusal.as_deref().unwrap_or("too many series");
        let of_series = self.without_series as u64 + refused.too_many_series;
        let reasons = [
            (refused.old, "out of order sample: older than the newest of its series".to_owned()),
            (
                refused.conflicting,
                "duplicate sample for timestamp: its series has another value there".to_owned(),
            ),
            (
                refused.before_blocks,
                "too old sample: its time is written away and takes none any more".to_owned(),
            ),
            (
                self.appended.ahead,
                "too far ahead: check the clock of the sender, and the one here".to_owned(),
            ),
            (of_series, refusal.to_owned()),
            (
                refused.memory_full,
                "the memory for young samples is full (observe.max_memory)".to_owned(),
            ),
        ];
        let told_of: Vec<_> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{count}: {reason}"))
            .collect();
        let lost: u64 = reasons.iter().map(|(count, _)| count).sum();
        let mut words = String::new();
        if lost > 0 {
            words = format!(
                "{lost} of {} samples are refused, the others are stored ({})",
                self.samples,
                told_of.join("; ")
            );
        }
        if self.histograms > 0 {
            let before = if words.is_empty() { "" } else { "; " };
            words.push_str(&format!(
                "{before}{} native histograms are left out, which are not stored here; send classic \
                 ones",
                self.histograms
            ));
        }
        if words.is_empty() {
            StatusCode::NO_CONTENT.into_response()
        } else if refused.memory_full > 0 {
            later(&words)
        } else {
            told(StatusCode::BAD_REQUEST, words)
        }
    }
}

fn later(words: &str) -> Response {
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, retry, format!("{words}\n")).into_response()
}

fn told(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, format!("{words}\n")).into_response()
}
