//! Whether an answer is right, and what is taken from it.
//!
//! In JMeter's order: cookies, then extractions, then checks, which may use what was extracted. The
//! first that applies is how the request failed: its status, another check, an extraction. A status
//! that is not wanted is the same failure whether the plan names those that are or leaves it to the
//! rule that they are below 400.

use super::answer::{Answer, header};
use super::request::keep_cookies;
use super::run::Shared;
use super::user::User;
use super::{check, extract};
use crate::config::bench::model::{Check, Extraction, Message, Plan, Request, ServedBy, Source};
use crate::load::client::{Origin, Outgoing, Reply};
use crate::load::tally::Failure;

use super::request::OutgoingMessage;

/// Statuses from here on are failures where the plan checks nothing.
const STATUS_FAILED_FROM: u16 = 400;
/// Longest name of an instance, in bytes.
const INSTANCE_BYTES_MAX: usize = 200;

/// What was found of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How the request failed, and in words why; `None` if it did not.
    pub failure: Option<(Failure, String)>,
    /// Whether each of the plan's checks held, in their order.
    pub checks: Vec<bool>,
    /// Which instance answered, where the plan says how to tell and the answer does.
    pub instance: Option<String>,
}

/// Judges an answer, takes from it what the plan wants, and remembers for the user how it went.
pub fn judge(
    request: &Request,
    user: &mut User,
    shared: &Shared,
    outgoing: &Outgoing,
    reply: &Reply,
) -> Verdict {
    keep_cookies(reply, &outgoing.origin, &outgoing.target, user, shared);
    let answer = Answer::new(&outgoing.origin, &outgoing.target, reply);
    let status = if request.checks.is_empty() && reply.status >= STATUS_FAILED_FROM {
        let why = format!("{} {} answered {}", outgoing.method, url(outgoing), named_status(reply));
        Some((Failure::Status, why))
    } else {
        None
    };
    conclude(status, &request.extract, &request.checks, &answer, user, shared)
}

/// Judges the last reply to a message. Its body is the message.
pub fn judge_message(
    message: &Message,
    user: &mut User,
    shared: &Shared,
    outgoing: &OutgoingMessage,
    reply: &Reply,
) -> Verdict {
    let answer = Answer::new(&outgoing.origin, &outgoing.target, reply);
    conclude(None, &message.extract, &message.checks, &answer, user, shared)
}

fn conclude(
    status: Option<(Failure, String)>,
    extractions: &[Extraction],
    checks: &[Check],
    answer: &Answer,
    user: &mut User,
    shared: &Shared,
) -> Verdict {
    let extraction = extract::all(extractions, answer, user, shared);
    let mut held = Vec::with_capacity(checks.len());
    let (mut status, mut broken) = (status, None);
    for check in checks {
        let outcome = check::passes(check, answer, user, shared);
        held.push(outcome.is_ok());
        match outcome {
            Ok(()) => {}
            Err(why) if check.of == Source::Status => {
                status.get_or_insert((Failure::Status, why));
            }
            Err(why) => {
                broken.get_or_insert((Failure::Check, why));
            }
        }
    }
    let failure = status.or(broken).or(extraction.map(|why| (Failure::Extraction, why)));
    if failure.is_some() {
        user.failed();
    } else {
        user.last_succeeded = true;
    }
    Verdict { failure, checks: held, instance: instance_of(shared.plan(), answer) }
}

/// Which instance answered, for answers that are not judged.
pub fn instance(plan: &Plan, outgoing: &Outgoing, reply: &Reply) -> Option<String> {
    instance_of(plan, &Answer::new(&outgoing.origin, &outgoing.target, reply))
}

fn instance_of(plan: &Plan, answer: &Answer) -> Option<String> {
    let name = match plan.served_by.as_ref()? {
        ServedBy::Header(name) => header(answer.reply, name)?.to_owned(),
        ServedBy::Json(path) => match path.query(answer.json()?).first()? {
            serde_json::Value::String(name) => name.clone(),
            other => other.to_string(),
        },
    };
    let name = name.trim();
    let end = name.floor_char_boundary(INSTANCE_BYTES_MAX);
    Some(name[..end].to_owned()).filter(|name| !name.is_empty())
}

fn url(outgoing: &Outgoing) -> String {
    let Origin { scheme, authority, .. } = &*outgoing.origin;
    super::url::shown(&format!(
        "{}://{authority}{}",
        super::url::scheme_name(*scheme),
        outgoing.target
    ))
}

fn named_status(reply: &Reply) -> String {
    let known =
        http::StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    match (reply.reason.as_str(), known) {
        ("", Some(reason)) => format!("{} {reason}", reply.status),
        (reason, _) => format!("{} {reason}", reply.status).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests;
