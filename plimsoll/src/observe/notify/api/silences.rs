//! Silences: listed, made, edited, ended.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Notifier;
use super::super::message::rfc3339;
use super::super::plan::{Silence, SilenceError, SilenceState, Term};
use super::parameters::Parameters;
use super::{Refusal, passes};

/// Bytes of a silence that is sent.
const BODY_BYTES_MAX: usize = 256 << 10;

/// A silence as it is sent. Fields that are required may be missing, which is told by name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    id: Option<String>,
    matchers: Option<Vec<PostedTerm>>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedTerm {
    name: Option<String>,
    value: Option<String>,
    is_regex: Option<bool>,
    /// Old clients do not know it.
    is_equal: Option<bool>,
}

pub(super) async fn list(
    State(notifier): State<Arc<Notifier>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Refusal> {
    let filter = Parameters(pairs).filter()?;
    let now = crate::observe::now();
    let mut silences = notifier.silences();
    silences.retain(|silence| {
        passes(&filter, |name| {
            let mut terms = silence.matchers.iter().rev();
            terms.find(|term| term.name == name).map(|term| term.value.as_str())
        })
    });
    // What ends or begins soon comes first; of what is over, what ended last.
    silences.sort_by_key(|silence| match silence.state(now) {
        SilenceState::Active => (SilenceState::Active, silence.ends_at, Reverse(0)),
        SilenceState::Pending => (SilenceState::Pending, silence.starts_at, Reverse(0)),
        SilenceState::Expired => (SilenceState::Expired, 0, Reverse(silence.ends_at)),
    });
    Ok(Json(Value::Array(silences.iter().map(|silence| document(silence, now)).collect())))
}

pub(super) async fn one(
    State(notifier): State<Arc<Notifier>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    check_id(&id)?;
    let plan = notifier.plan();
    let silence = plan.silence_of(&id).ok_or(Refusal::NotFound)?;
    Ok(Json(document(silence, crate::observe::now())))
}

pub(super) async fn post(
    State(notifier): State<Arc<Notifier>>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Refusal::bad(format!("a silence has at most {BODY_BYTES_MAX} bytes")));
    }
    let posted: Posted = serde_json::from_slice(&body).map_err(|error| {
        let message = format!("parsing silence body from \"\" failed, because {error}");
        Refusal::Unfit(StatusCode::BAD_REQUEST, 400, message)
    })?;
    let id = notifier.silence(posted.silence()?).await.map_err(|error| match error {
        SilenceError::Unknown => Refusal::Words(StatusCode::NOT_FOUND, error.to_string()),
        other => Refusal::bad(other.to_string()),
    })?;
    Ok(Json(json!({ "silenceID": id })))
}

pub(super) async fn expire(
    State(notifier): State<Arc<Notifier>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    check_id(&id)?;
    notifier.expire(&id).await.map(|()| StatusCode::OK).map_err(|error| match error {
        SilenceError::Unknown => Refusal::NotFound,
        other => Refusal::Words(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
    })
}

/// Ids are UUIDs, and clients are told so.
fn check_id(id: &str) -> Result<(), Refusal> {
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    let is_uuid = groups == [8, 4, 4, 4, 12]
        && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if is_uuid {
        return Ok(());
    }
    let message = format!("silenceID in path must be of type uuid: {id:?}");
    Err(Refusal::Unfit(StatusCode::UNPROCESSABLE_ENTITY, 601, message))
}

fn missing(name: &str) -> Refusal {
    let message = format!("silence.{name} in body is required");
    Refusal::Unfit(StatusCode::UNPROCESSABLE_ENTITY, 602, message)
}

fn time(name: &str, text: Option<String>) -> Result<i64, Refusal> {
    let text = text.ok_or_else(|| missing(name))?;
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        let message =
            format!("parsing silence body from \"\" failed, because {text:?} of {name} is no time");
        Refusal::Unfit(StatusCode::BAD_REQUEST, 400, message)
    })?;
    Ok(time.as_millisecond())
}

impl Posted {
    fn silence(self) -> Result<Silence, Refusal> {
        let matchers = self.matchers.ok_or_else(|| missing("matchers"))?;
        if matchers.is_empty() {
            let message = "matchers in body should have at least 1 items".to_owned();
            return Err(Refusal::Unfit(StatusCode::UNPROCESSABLE_ENTITY, 612, message));
        }
        let term = |term: PostedTerm| {
            let name = term.name.ok_or_else(|| missing("matchers.name"))?;
            let value = term.value.ok_or_else(|| missing("matchers.value"))?;
            let is_regex = term.is_regex.ok_or_else(|| missing("matchers.isRegex"))?;
            Term::new(&name, &value, is_regex, term.is_equal.unwrap_or(true))
                .map_err(|error| Refusal::bad(error.to_string()))
        };
        Ok(Silence {
            id: self.id.unwrap_or_default(),
            matchers: matchers.into_iter().map(term).collect::<Result<_, _>>()?,
            starts_at: time("startsAt", self.starts_at)?,
            ends_at: time("endsAt", self.ends_at)?,
            updated_at: 0,
            created_by: self.created_by.ok_or_else(|| missing("createdBy"))?,
            comment: self.comment.ok_or_else(|| missing("comment"))?,
        })
    }
}

fn document(silence: &Silence, now: i64) -> Value {
    let matcher = |term: &Term| {
        json!({
            "isEqual": term.is_equal,
            "isRegex": term.is_regex,
            "name": term.name,
            "value": term.value,
        })
    };
    json!({
        "id": silence.id,
        "status": { "state": silence.state(now).as_str() },
        "updatedAt": rfc3339(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at),
        "matchers": silence.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "startsAt": rfc3339(silence.starts_at),
    })
}
