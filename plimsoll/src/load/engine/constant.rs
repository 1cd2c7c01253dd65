//! Requests that are always the same: rendered once into the bytes that are sent.
//!
//! Left out: everything that has to be rendered or looked at (see `script`).

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::bench::model::{Group, Plan, Request, RequestBody, ServedBy, Step};
use crate::load::client::message::Message;
use crate::load::client::{Origin, Outgoing, Scheme, Wanted};

/// A request that is always the same, and whose answer only its status tells apart.
#[derive(Debug)]
pub(super) struct Constant {
    pub(super) label: usize,
    pub(super) outgoing: Outgoing,
    pub(super) message: Message,
    pub(super) timeout: Duration,
    pub(super) wanted: Wanted,
}

impl Constant {
    /// The only request of a group, if it has one only and that is constant.
    pub(super) fn of(group: &Group, plan: &Plan) -> Option<Self> {
        let [Step::Request(request)] = &group.steps[..] else { return None };
        Self::of_request(request, plan)
    }

    fn of_request(request: &Request, plan: &Plan) -> Option<Self> {
        if request.redirects_max > 0 || !request.extract.is_empty() || !request.checks.is_empty() {
            return None;
        }
        let (origin, target) = split(request.url.constant()?)?;
        let header = |(name, value): &(String, _)| {
            let value: &crate::config::bench::model::Template = value;
            Some((name.clone(), value.constant()?.to_owned()))
        };
        let body = match &request.body {
            RequestBody::None => Bytes::new(),
            RequestBody::Text(text) => Bytes::from(text.constant()?.to_owned()),
            RequestBody::File(bytes) => Bytes::copy_from_slice(bytes),
            RequestBody::Form(_) | RequestBody::Multipart(_) => return None,
        };
        let outgoing = Outgoing {
            origin: Rc::new(origin),
            method: request.method.constant()?.to_owned(),
            target,
            headers: request.headers.iter().map(header).collect::<Option<_>>()?,
            body,
        };
        Some(Self {
            label: request.label,
            message: Message::new(&outgoing, plan.http.keep_alive).ok()?,
            outgoing,
            timeout: request.timeout.unwrap_or(plan.http.timeout),
            wanted: Wanted {
                headers: false,
                body: matches!(plan.served_by, Some(ServedBy::Json(_))),
            },
        })
    }
}

fn split(url: &str) -> Option<(Origin, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, default_port) = match scheme {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
        _ => return None,
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default_port),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Some((Origin { scheme, host, port, authority: authority.to_owned() }, target))
}
