//! Requests and messages, rendered for a user.
//!
//! Invariants: what is rendered can be sent as it is: methods are tokens, values hold no line
//! breaks, targets no spaces.

use std::rc::Rc;

use bytes::Bytes;

use super::body::{self, Kind};
use super::run::Shared;
use super::template;
use super::url;
use super::user::User;
use super::{check, redirect as redirects};
use crate::config::bench::model::{
    Check, Extraction, Message, Request, RequestBody, ServedBy, Source, Template,
};
use crate::load::client::dial::Purpose;
use crate::load::client::{Origin, Outgoing, Reply, Wanted};

/// A message, rendered, and the connection that it belongs on.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// Where the connection goes.
    pub origin: Rc<Origin>,
    /// Path and query, beginning with `/`.
    pub target: String,
    /// Sent with the request that opens the connection; cookies included.
    pub headers: Vec<(String, String)>,
    /// What is sent, if anything is.
    pub payload: Option<Bytes>,
}

/// Renders a request; the error says in words why there is none ([`Failure::Plan`]), and
/// [`User::failed`] was called for it.
///
/// [`Failure::Plan`]: crate::load::tally::Failure::Plan
pub fn render(request: &Request, user: &mut User, shared: &Shared) -> Result<Outgoing, String> {
    let outgoing = try_render(request, user, shared);
    if outgoing.is_err() {
        user.failed();
    }
    outgoing
}

fn try_render(request: &Request, user: &mut User, shared: &Shared) -> Result<Outgoing, String> {
    refuse_after_stumble(user)?;
    let method = template::render(&request.method, user, shared)?;
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(format!("“{method}” is no method"));
    }
    let (origin, target) = address(&request.url, Purpose::Requests, user, shared)?;
    let content = body::render(&request.body, user, shared)?;
    let mut headers = fields(&request.headers, user, shared)?;
    let named = headers.iter().position(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = "Content-Type".to_owned();
    match (content.kind, named) {
        (Kind::Multipart(value), Some(at)) => headers[at].1 = value,
        (Kind::Multipart(value), None) => headers.push((content_type, value)),
        (Kind::Form, None) => {
            headers.push((content_type, "application/x-www-form-urlencoded".to_owned()));
        }
        (Kind::Form, Some(_)) | (Kind::Plain, _) => {}
    }
    add_cookies(&mut headers, &origin, &target, user, shared);
    Ok(Outgoing { origin, method, target, headers, body: content.bytes })
}

/// Renders a message; the error says in words why there is none, and [`User::failed`] was called
/// for it.
pub fn message(
    message: &Message,
    user: &mut User,
    shared: &Shared,
) -> Result<OutgoingMessage, String> {
    let outgoing = try_message(message, user, shared);
    if outgoing.is_err() {
        user.failed();
    }
    outgoing
}

fn try_message(
    message: &Message,
    user: &mut User,
    shared: &Shared,
) -> Result<OutgoingMessage, String> {
    refuse_after_stumble(user)?;
    let (origin, target) = address(&message.url, Purpose::Messages, user, shared)?;
    let mut headers = fields(&message.headers, user, shared)?;
    add_cookies(&mut headers, &origin, &target, user, shared);
    let payload = match &message.send {
        Some(payload) => Some(template::render(payload, user, shared)?.into()),
        None => None,
    };
    Ok(OutgoingMessage { origin, target, headers, payload })
}

/// The request that an answer redirects to, if it does and the plan wants it followed. `hops` is
/// how many were followed before. The answer's cookies are kept; it needs no [`judge`](super::judge).
pub fn redirect(
    request: &Request,
    user: &mut User,
    shared: &Shared,
    outgoing: &Outgoing,
    reply: &Reply,
    hops: u32,
) -> Option<Outgoing> {
    if hops >= request.redirects_max || !(300..400).contains(&reply.status) {
        return None;
    }
    let mut next = redirects::follow(outgoing, reply)?;
    if next.origin == outgoing.origin {
        next.headers.extend(own_cookies(outgoing, user, shared));
    }
    keep_cookies(reply, &outgoing.origin, &outgoing.target, user, shared);
    add_cookies(&mut next.headers, &next.origin, &next.target, user, shared);
    Some(next)
}

/// Whether every rendering of a request for every user of a group is the same, so that one will do
/// for all. Judging its answers is another matter (see [`wanted`]).
pub fn is_constant(request: &Request, shared: &Shared, group: usize) -> bool {
    let is_constant = |template: &Template| template.constant().is_some();
    let body_is_constant = match &request.body {
        RequestBody::None | RequestBody::File(_) => true,
        RequestBody::Text(text) => is_constant(text),
        RequestBody::Form(fields) => {
            fields.iter().all(|(name, value)| is_constant(name) && is_constant(value))
        }
        // The boundary is another each time.
        RequestBody::Multipart(_) => false,
    };
    !shared.keeps_cookies(group)
        && body_is_constant
        && is_constant(&request.method)
        && is_constant(&request.url)
        && request.headers.iter().all(|(_, value)| is_constant(value))
}

/// What of the answers to a request of a group must be there to be judged. Nothing: the status will
/// do, and [`judge`](super::judge) looks at no more.
pub fn wanted(request: &Request, shared: &Shared, group: usize) -> Wanted {
    let mut wanted = looked_at(&request.extract, &request.checks);
    wanted.headers |= shared.keeps_cookies(group) || request.redirects_max > 0;
    match &shared.plan().served_by {
        Some(ServedBy::Header(_)) => wanted.headers = true,
        Some(ServedBy::Json(_)) => wanted.body = true,
        None => {}
    }
    // What the bytes of a text mean, its header says.
    wanted.headers |= wanted.body;
    wanted
}

fn looked_at(extract: &[Extraction], checks: &[Check]) -> Wanted {
    let mut wanted = Wanted::default();
    let checked = checks.iter().filter(|one| check::looks_inside(&one.test));
    let sources = extract.iter().map(|one| &one.from).chain(checked.map(|one| &one.of));
    for source in sources {
        match source {
            Source::Body => wanted.body = true,
            Source::Header(_) | Source::Headers | Source::Reason => wanted.headers = true,
            Source::Status | Source::Url => {}
        }
    }
    wanted
}

/// Why an earlier step could not be done, once.
fn refuse_after_stumble(user: &mut User) -> Result<(), String> {
    user.problem.take().map_or(Ok(()), Err)
}

/// Renders a URL. The origin is parsed again only where it is another than the user's last.
fn address(
    url: &Template,
    purpose: Purpose,
    user: &mut User,
    shared: &Shared,
) -> Result<(Rc<Origin>, String), String> {
    let mut text = std::mem::take(&mut user.scratch);
    text.clear();
    let outcome = template::write(url, user, shared, &mut text);
    let outcome = outcome.and_then(|()| {
        let (prefix, rest) = url::split(&text)?;
        let origin = match &user.origin {
            Some((known, of, origin)) if known == prefix && *of == purpose => origin.clone(),
            _ => {
                let origin = Rc::new(url::origin(prefix, purpose)?);
                user.origin = Some((prefix.to_owned(), purpose, origin.clone()));
                origin
            }
        };
        Ok((origin, url::target(rest)))
    });
    user.scratch = text;
    outcome
}

fn fields(
    headers: &[(String, Template)],
    user: &mut User,
    shared: &Shared,
) -> Result<Vec<(String, String)>, String> {
    // Room for a content type and cookies.
    let mut fields = Vec::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        let value = template::render(value, user, shared)?;
        // It would begin a field of its own, or end the head.
        if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(format!("the value of the header “{name}” holds a line break"));
        }
        fields.push((name.clone(), value));
    }
    Ok(fields)
}

/// Adds the user's cookies, behind those that the plan itself sends.
fn add_cookies(
    headers: &mut Vec<(String, String)>,
    origin: &Origin,
    target: &str,
    user: &User,
    shared: &Shared,
) {
    if !shared.keeps_cookies(user.group) {
        return;
    }
    let Some(cookies) = user.jar.field(origin, target, user.wall(shared)) else { return };
    match headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
        Some((_, value)) => {
            value.push_str("; ");
            value.push_str(&cookies);
        }
        None => headers.push(("Cookie".to_owned(), cookies)),
    }
}

/// The cookies of a request that the plan itself sends, without those that were added to them.
fn own_cookies(outgoing: &Outgoing, user: &User, shared: &Shared) -> Option<(String, String)> {
    let (name, value) =
        outgoing.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cookie"))?;
    let added = user.jar.field(&outgoing.origin, &outgoing.target, user.wall(shared));
    let own = match added {
        Some(added) => value.strip_suffix(added.as_str()).unwrap_or(value).trim_end_matches("; "),
        None => value,
    };
    (!own.is_empty()).then(|| (name.clone(), own.to_owned()))
}

/// Keeps the cookies of an answer.
pub(super) fn keep_cookies(
    reply: &Reply,
    origin: &Origin,
    target: &str,
    user: &mut User,
    shared: &Shared,
) {
    if !shared.keeps_cookies(user.group) {
        return;
    }
    let now = user.wall(shared);
    for (name, value) in &reply.headers {
        if name.eq_ignore_ascii_case("set-cookie") {
            user.jar.store(value, origin, target, now);
        }
    }
}

/// A byte of a method (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
