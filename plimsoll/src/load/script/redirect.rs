//! What is asked after a redirect (RFC 9110 §15.4).
//!
//! Invariants: credentials that the plan gives for one origin do not go to another.

use std::rc::Rc;

use bytes::Bytes;

use super::answer::header;
use super::url;
use crate::load::client::dial::Purpose;
use crate::load::client::{Outgoing, Reply};

/// The request that a redirect asks for, without cookies; `None` if it asks for none that could be
/// made.
pub(super) fn follow(outgoing: &Outgoing, reply: &Reply) -> Option<Outgoing> {
    if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = header(reply, "location")?;
    let location = url::resolve(&outgoing.origin, &outgoing.target, location);
    let (prefix, rest) = url::split(&location).ok()?;
    let origin = url::origin(prefix, Purpose::Requests).ok()?;
    let is_same = origin == *outgoing.origin;
    let becomes_get = match (reply.status, outgoing.method.as_str()) {
        (303, method) => method != "GET" && method != "HEAD",
        // As every client does, in spite of the status's first meaning (RFC 9110 §15.4.2, §15.4.3).
        (301 | 302, "POST") => true,
        _ => false,
    };
    let kept = outgoing.headers.iter().filter(|(name, _)| {
        let is = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
        !(is(&["cookie"])
            || becomes_get && is(&["content-type", "content-encoding", "content-language"])
            || !is_same && is(&["authorization", "proxy-authorization", "host"]))
    });
    Some(Outgoing {
        origin: if is_same { outgoing.origin.clone() } else { Rc::new(origin) },
        method: if becomes_get { "GET".to_owned() } else { outgoing.method.clone() },
        target: url::target(rest),
        headers: kept.cloned().collect(),
        body: if becomes_get { Bytes::new() } else { outgoing.body.clone() },
    })
}
