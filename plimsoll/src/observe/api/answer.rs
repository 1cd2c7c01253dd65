//! Answers that are a success: the envelope, large matrices piece by piece, packing.
//!
//! A result is written while the client takes it, so that an answer of a hundred megabytes takes
//! the memory of its samples and no more. Packing costs three to five times what writing does, so it
//! is left out for a client on this machine, whose network costs nothing, and for what is small
//! anyway.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::vec;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use tsdb::labels::Labels;
use tsdb::promql::{Element, Outcome, Row, Value};

use super::failure::Failure;
use super::json::{push_labels, push_sample, push_text, push_time};

/// `Content-Type` of all answers.
pub(super) const JSON: &str = "application/json";
/// Answers are written in pieces of about so many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// Smaller ones are not packed: they go out in a few segments either way.
const PACKED_BYTES_MIN: usize = 16 << 10;
/// Room for what the last sample or labels add to a piece.
const SLACK_BYTES: usize = 512;

/// How the client wants answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    gzip: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let is_near = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
        Ok(Self { gzip: !is_near && takes_gzip(&parts.headers) })
    }
}

/// Whether `Accept-Encoding` has gzip, and not at the weight of zero (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.unwrap_or(1.0_f64) > 0.0
    })
}

#[derive(Serialize)]
struct Success<'a, T: Serialize> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// An answer of anything that can be written, which is not large.
pub(super) fn of<T: Serialize>(wanted: Wanted, data: T) -> Response {
    with_warnings(wanted, data, &[])
}

/// The same with warnings.
pub(super) fn with_warnings<T: Serialize>(
    wanted: Wanted,
    data: T,
    warnings: &[String],
) -> Response {
    // Only maps with other keys than texts fail, and there are none.
    let body =
        serde_json::to_vec(&Success { status: "success", data, warnings }).unwrap_or_default();
    whole(wanted, JSON, body)
}

/// A body at hand.
pub(super) fn whole(wanted: Wanted, kind: &'static str, body: Vec<u8>) -> Response {
    let kind = HeaderValue::from_static(kind);
    if !wanted.gzip || body.len() < PACKED_BYTES_MIN {
        return ([(header::CONTENT_TYPE, kind)], body).into_response();
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes everything.
    let packed = packer.write_all(&body).and_then(|()| packer.finish());
    packed_answer(kind, Body::from(packed.unwrap_or_default()))
}

/// Makes an answer beside the tasks that others wait for: of what is large, or looked at under locks.
pub(super) async fn beside(
    make: impl FnOnce() -> Result<Response, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|error| Failure::internal(format!("the answer was not written: {error}")))?
}

fn packed_answer(kind: HeaderValue, body: Body) -> Response {
    let gzip = HeaderValue::from_static("gzip");
    let vary = HeaderValue::from_static("accept-encoding");
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, gzip), (header::VARY, vary)];
    (headers, body).into_response()
}

/// The answer to a query. `held` is kept until it is written.
pub(super) fn outcome<H: Send + 'static>(wanted: Wanted, outcome: Outcome, held: H) -> Response {
    let mut pieces = Pieces::new(outcome, held);
    let mut first = Vec::with_capacity(PIECE_BYTES + SLACK_BYTES);
    if pieces.fill(&mut first) {
        return whole(wanted, JSON, first);
    }
    let kind = HeaderValue::from_static(JSON);
    if wanted.gzip {
        let packer = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = Packed { pieces, packer: Some(packer), next: Some(first) };
        let body = futures_util::stream::iter(packed.map(Ok::<_, Infallible>));
        return packed_answer(kind, Body::from_stream(body));
    }
    let first = std::iter::once(Bytes::from(first));
    let body = futures_util::stream::iter(first.chain(pieces).map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
}

/// Writes an outcome piece by piece.
struct Pieces<H> {
    state: State,
    _held: H,
    warnings: Vec<String>,
    infos: Vec<String>,
}

/// What is still to be written.
enum State {
    /// Everything.
    Begin(Value),
    Vector(vec::IntoIter<Element>, bool),
    /// The row that is being written, and how many of its samples are.
    Matrix(vec::IntoIter<Row>, Option<(Row, usize)>, bool),
    End,
    Done,
}

impl<H> Pieces<H> {
    fn new(outcome: Outcome, held: H) -> Self {
        let Outcome { value, warnings, infos, .. } = outcome;
        Self { state: State::Begin(value), _held: held, warnings, infos }
    }

    /// Fills a piece; says whether it was the last.
    fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        while out.len() < PIECE_BYTES {
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Begin(value) => begin(out, value),
                State::Vector(elements, is_first) => vector(out, elements, is_first),
                State::Matrix(rows, current, is_first) => matrix(out, rows, current, is_first),
                State::End => {
                    out.push(b'}');
                    push_notes(out, "warnings", &self.warnings);
                    push_notes(out, "infos", &self.infos);
                    out.push(b'}');
                    State::Done
                }
                State::Done => return true,
            };
        }
        matches!(self.state, State::Done)
    }
}

impl<H> Iterator for Pieces<H> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if matches!(self.state, State::Done) {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES + SLACK_BYTES);
        self.fill(&mut out);
        Some(out.into())
    }
}

fn begin(out: &mut Vec<u8>, value: Value) -> State {
    out.extend_from_slice(br#"{"status":"success","data":{"resultType":""#);
    let (kind, state) = match value {
        Value::Scalar { time, value } => {
            out.extend_from_slice(br#"scalar","result":"#);
            push_sample(out, time, value);
            return State::End;
        }
        Value::String { time, value } => {
            out.extend_from_slice(br#"string","result":["#);
            push_time(out, time);
            out.push(b',');
            push_text(out, &value);
            out.push(b']');
            return State::End;
        }
        Value::Vector(elements) => ("vector", State::Vector(elements.into_iter(), true)),
        Value::Matrix(rows) => ("matrix", State::Matrix(rows.into_iter(), None, true)),
    };
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(br#"","result":["#);
    state
}

fn vector(out: &mut Vec<u8>, mut elements: vec::IntoIter<Element>, mut is_first: bool) -> State {
    for element in elements.by_ref() {
        push_metric(out, &element.labels, &mut is_first);
        out.extend_from_slice(br#","value":"#);
        push_sample(out, element.time, element.value);
        out.push(b'}');
        if out.len() >= PIECE_BYTES {
            return State::Vector(elements, is_first);
        }
    }
    out.push(b']');
    State::End
}

fn matrix(
    out: &mut Vec<u8>,
    mut rows: vec::IntoIter<Row>,
    current: Option<(Row, usize)>,
    mut is_first: bool,
) -> State {
    let (row, mut place) = match current {
        Some(current) => current,
        None => match rows.next() {
            Some(row) => {
                push_metric(out, &row.labels, &mut is_first);
                out.extend_from_slice(br#","values":["#);
                (row, 0)
            }
            None => {
                out.push(b']');
                return State::End;
            }
        },
    };
    let samples = &row.samples;
    let rest = samples.times[place..].iter().zip(&samples.values[place..]);
    for (time, value) in rest {
        if place > 0 {
            out.push(b',');
        }
        push_sample(out, *time, *value);
        place += 1;
        if out.len() >= PIECE_BYTES && place < samples.len() {
            return State::Matrix(rows, Some((row, place)), is_first);
        }
    }
    out.extend_from_slice(b"]}");
    State::Matrix(rows, None, is_first)
}

/// Appends the beginning of a series, after a comma unless it is the first.
fn push_metric(out: &mut Vec<u8>, labels: &Labels, is_first: &mut bool) {
    if !std::mem::replace(is_first, false) {
        out.push(b',');
    }
    out.extend_from_slice(br#"{"metric":"#);
    push_labels(out, labels);
}

fn push_notes(out: &mut Vec<u8>, name: &str, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
    for (place, note) in notes.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_text(out, note);
    }
    out.push(b']');
}

/// The same, packed.
struct Packed<H> {
    pieces: Pieces<H>,
    /// `None` when all is written.
    packer: Option<GzEncoder<Vec<u8>>>,
    /// What was written before.
    next: Option<Vec<u8>>,
}

impl<H> Iterator for Packed<H> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut packer = self.packer.take()?;
        // A piece may leave nothing yet that can be sent.
        while packer.get_ref().len() < PIECE_BYTES / 4 {
            let piece = self.next.take().map(Bytes::from).or_else(|| self.pieces.next());
            let Some(piece) = piece else {
                // Memory takes everything.
                return packer.finish().ok().map(Bytes::from);
            };
            packer.write_all(&piece).ok()?;
        }
        let out = std::mem::take(packer.get_mut());
        self.packer = Some(packer);
        Some(out.into())
    }
}

/// Labels as a JSON object.
pub(super) struct LabelsObject<'a>(pub(super) &'a Labels);

impl Serialize for LabelsObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
