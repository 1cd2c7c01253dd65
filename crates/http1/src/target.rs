//! Request targets and hosts: which form, and which part is what (RFC 9112 §3.2, RFC 3986 §3.2).
//!
//! Paths and queries are any visible ASCII but `#`: browsers send `|`, `^` or `{` as they are, and no
//! two servers frame a message differently for it. Hosts are held to the grammar, since routing and
//! caching hang on them. Left out: decoding of `%XX`, and IPvFuture addresses, of which there are none.

use std::net::Ipv6Addr;

use crate::bytes;
use crate::method::Method;
use crate::reject::{Fault, RejectReason};
use crate::span::Span;

/// The form of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`, the usual one.
    #[default]
    Origin,
    /// `http://host/path?query`, as sent to proxies; only `http` and `https` are taken.
    Absolute,
    /// `host:port`, for CONNECT only.
    Authority,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// `uri-host [":" port]`, valid and split. Names are letters, digits and what else RFC 3986 allows
/// in a `reg-name`, not lower-cased; IPv6 addresses keep their brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// All of it, with the port if there is one.
    pub text: Span,
    /// The host alone; never empty.
    pub host: Span,
    /// The port, if one is written; never 0.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads one from a part of a buffer; `None` if it is not valid.
    pub(crate) fn read(buffer: &[u8], text: Span) -> Option<Authority> {
        let bytes = text.of(buffer);
        let host_length = match bytes.first()? {
            b'[' => bracketed_length(bytes)?,
            _ => memchr::memchr(b':', bytes).unwrap_or(bytes.len()),
        };
        let (host, rest) = bytes.split_at(host_length);
        if host.is_empty() || (host[0] != b'[' && !is_registered_name(host)) {
            return None;
        }
        let port = match rest {
            // An empty port is in the grammar and means the default one.
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port_number(digits)?),
            _ => return None,
        };
        let host = Span { start: text.start, end: text.start + host_length as u32 };
        Some(Authority { text, host, port })
    }

    /// Whether both name the same place, where `default_port` is meant by a port left out.
    pub(crate) fn is_same(&self, other: &Authority, buffer: &[u8], default_port: u16) -> bool {
        self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
            && self.host.of(buffer).eq_ignore_ascii_case(other.host.of(buffer))
    }
}

/// Length of a valid `[IPv6]` with its brackets.
fn bracketed_length(bytes: &[u8]) -> Option<usize> {
    let close = memchr::memchr(b']', bytes)?;
    let address = std::str::from_utf8(&bytes[1..close]).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    Some(close + 1)
}

fn is_registered_name(host: &[u8]) -> bool {
    let mut rest = host;
    while let Some((&first, others)) = rest.split_first() {
        rest = match (first, others) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (byte, _) if bytes::is(byte, bytes::HOST) => others,
            _ => return false,
        };
    }
    true
}

/// A port from 1 to 65535 in at most five digits.
fn port_number(digits: &[u8]) -> Option<u16> {
    if digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = digits.iter().fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// A target taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    pub(crate) path: Span,
    pub(crate) query: Option<Span>,
    pub(crate) authority: Option<Authority>,
    /// What a port left out means in the scheme of an absolute target.
    pub(crate) default_port: u16,
}

/// The port of `http`, and of a `Host` that names none.
pub(crate) const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Takes a target apart; `text` is not empty and all visible ASCII.
pub(crate) fn read(buffer: &[u8], text: Span, method: Method) -> Result<Target, Fault> {
    let bytes = text.of(buffer);
    let start = text.start as usize;
    let mark = memchr::memchr2(b'?', b'#', bytes);
    let question = mark.filter(|&at| bytes[at] == b'?');
    let fragment = match question {
        Some(at) => memchr::memchr(b'#', &bytes[at..]).map(|offset| at + offset),
        None => mark,
    };
    if let Some(at) = fragment {
        return Err(Fault::new(RejectReason::TargetFragment, start + at));
    }
    let path_end = question.unwrap_or(bytes.len());
    let target = Target {
        path: Span::new(start, start + path_end),
        query: question.map(|at| Span::new(start + at + 1, start + bytes.len())),
        default_port: HTTP_PORT,
        ..Target::default()
    };
    if method == Method::Connect {
        return authority_form(buffer, text);
    }
    match bytes {
        [b'/', ..] => Ok(target),
        b"*" if method == Method::Options => Ok(Target { form: TargetForm::Asterisk, ..target }),
        b"*" => Err(Fault::new(RejectReason::TargetForm, start)),
        _ => absolute_form(buffer, text, target),
    }
}

/// `host:port` of CONNECT, where the port may not be left out (RFC 9110 §9.3.6).
fn authority_form(buffer: &[u8], text: Span) -> Result<Target, Fault> {
    let authority = Authority::read(buffer, text).filter(|authority| authority.port.is_some());
    let Some(authority) = authority else {
        return Err(Fault::new(RejectReason::TargetForm, text.start as usize));
    };
    Ok(Target {
        form: TargetForm::Authority,
        path: Span { start: text.start, end: text.start },
        query: None,
        // A `Host` without the port names the same place.
        default_port: authority.port.unwrap_or(HTTP_PORT),
        authority: Some(authority),
    })
}

/// `http://host/path?query`; `target` has the query already, and all before it as its path.
fn absolute_form(buffer: &[u8], text: Span, target: Target) -> Result<Target, Fault> {
    let before_query = target.path.of(buffer);
    let has_scheme = |scheme: &[u8]| {
        before_query.get(..scheme.len()).is_some_and(|b| b.eq_ignore_ascii_case(scheme))
    };
    let (scheme_length, default_port) = if has_scheme(b"http://") {
        (b"http://".len(), HTTP_PORT)
    } else if has_scheme(b"https://") {
        (b"https://".len(), HTTPS_PORT)
    } else {
        return Err(Fault::new(RejectReason::InvalidTarget, text.start as usize));
    };
    let after_scheme = &before_query[scheme_length..];
    let authority_length = memchr::memchr(b'/', after_scheme).unwrap_or(after_scheme.len());
    let authority_start = text.start as usize + scheme_length;
    let path_start = authority_start + authority_length;
    let Some(authority) = Authority::read(buffer, Span::new(authority_start, path_start)) else {
        return Err(Fault::new(RejectReason::InvalidHost, authority_start));
    };
    Ok(Target {
        form: TargetForm::Absolute,
        path: Span { start: path_start as u32, end: target.path.end },
        authority: Some(authority),
        default_port,
        ..target
    })
}
