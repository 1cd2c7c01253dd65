//! URLs as texts made into an origin and a target, as browsers do it.
//!
//! Spaces, quotes, non-ASCII characters and the like are percent-encoded, dot segments removed,
//! fragments left out (RFC 3986; which characters, by the WHATWG URL standard's path and query
//! percent-encode sets). What is percent-encoded already stays as it is.
//!
//! Invariants: a target begins with `/` and holds only visible ASCII characters, so that no value a
//! plan takes from somewhere breaks out of its request line.
//! Left out: host names with non-ASCII characters; they are refused with a hint at punycode.

use std::net::Ipv6Addr;

use crate::load::client::dial::Purpose;
use crate::load::client::{Origin, Scheme};

/// A URL in two: scheme, host and port, and what follows them.
pub(super) fn split(url: &str) -> Result<(&str, &str), String> {
    let url = url.trim_matches(|letter: char| letter <= ' ');
    let Some(colon) = url.find("://") else {
        return Err(format!("“{}” is no absolute URL, as in http://host/path", shown(url)));
    };
    let host = colon + 3;
    let end = url[host..].find(['/', '?', '#', '\\']).map_or(url.len(), |end| host + end);
    Ok(url.split_at(end))
}

/// The origin of the first part of a URL.
pub(super) fn origin(prefix: &str, purpose: Purpose) -> Result<Origin, String> {
    let wrong = |why: &str| format!("“{}” is no URL to ask: {why}", shown(prefix));
    let (scheme, authority) = prefix.split_once("://").ok_or_else(|| wrong("no scheme"))?;
    let scheme = match (purpose, scheme.to_ascii_lowercase().as_str()) {
        (Purpose::Requests, "http") | (Purpose::Messages, "ws") => Scheme::Http,
        (Purpose::Requests, "https") | (Purpose::Messages, "wss") => Scheme::Https,
        (Purpose::Requests, _) => return Err(wrong("its scheme must be http or https")),
        (Purpose::Messages, _) => return Err(wrong("its scheme must be ws or wss")),
    };
    if authority.contains('@') {
        return Err(wrong("names and passwords do not belong there; send an Authorization header"));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("its “[” stays open"))?;
            host.parse::<Ipv6Addr>().map_err(|_| wrong("no IPv6 address between its brackets"))?;
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err(wrong("it has no host"));
    }
    if !host.is_ascii() {
        return Err(wrong("its host must be ASCII; write it in punycode (xn--…)"));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    if let Some(odd) = host.bytes().find(|byte| !is_name(*byte)) {
        return Err(wrong(&format!("its host holds “{}”", char::from(odd))));
    }
    let default = if scheme == Scheme::Http { 80 } else { 443 };
    let port = match port {
        "" | ":" => default,
        port => {
            let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
            port.filter(|port| *port > 0).ok_or_else(|| wrong("its port must be 1 to 65535"))?
        }
    };
    let host = host.to_ascii_lowercase();
    let mut authority = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    if port != default {
        authority.push_str(&format!(":{port}"));
    }
    Ok(Origin { scheme, host, port, authority })
}

/// The target of the second part of a URL.
pub(super) fn target(rest: &str) -> String {
    let may_have_dots = || rest.contains("/.") || rest.contains("/%2");
    if rest.starts_with('/') && rest.bytes().all(is_plain) && !may_have_dots() {
        return rest.to_owned();
    }
    let rest: String = rest.chars().filter(|letter| !is_left_out(*letter)).collect();
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let mut target = encode(&without_dots(&path.replace('\\', "/")), b"\"<>`{}^");
    if let Some(query) = query {
        target.push('?');
        target.push_str(&encode(query, b"\"<>'"));
    }
    target
}

/// Whether a byte stands for itself everywhere in a target.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&()*+,;=:@/?%|[]".contains(&byte)
}

/// Line breaks and tabs, which browsers leave out before they look at a URL.
fn is_left_out(letter: char) -> bool {
    matches!(letter, '\t' | '\r' | '\n')
}

/// Encodes control characters, spaces, non-ASCII characters and `also`.
fn encode(text: &str, also: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if !also.contains(&byte) => out.push(char::from(byte)),
            _ => push_encoded(byte, &mut out),
        }
    }
    out
}

/// A byte as `%` and two digits (RFC 3986 §2.1).
pub(super) fn push_encoded(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A path without `.` and `..` (RFC 3986 §5.2.4), beginning with `/`.
fn without_dots(path: &str) -> String {
    let is_dot = |segment: &str| segment == "." || segment.eq_ignore_ascii_case("%2e");
    let is_up = |segment: &str| {
        matches!(segment.to_ascii_lowercase().as_str(), ".." | ".%2e" | "%2e." | "%2e%2e")
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if is_up(segment) {
            kept.pop();
        } else if !is_dot(segment) {
            kept.push(segment);
            continue;
        }
        // A dot segment at the end leaves the slash before it.
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// An absolute URL for a reference that was found at a URL (RFC 3986 §5.2.2).
pub(super) fn resolve(base: &Origin, target: &str, reference: &str) -> String {
    let reference = reference.trim_matches(|letter: char| letter <= ' ');
    if has_scheme(reference) {
        return reference.to_owned();
    }
    let scheme = scheme_name(base.scheme);
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let origin = format!("{scheme}://{}", base.authority);
    let path = target.split('?').next().unwrap_or("/");
    match reference.as_bytes().first() {
        None | Some(b'#') => format!("{origin}{target}"),
        Some(b'/') => format!("{origin}{reference}"),
        Some(b'?') => format!("{origin}{path}{reference}"),
        Some(_) => {
            let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
            format!("{origin}{folder}{reference}")
        }
    }
}

/// The scheme's name.
pub(super) fn scheme_name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

/// Whether a reference is absolute (RFC 3986 §3.1).
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// A text for a message: its beginning.
pub(super) fn shown(text: &str) -> String {
    /// Most characters of a URL within a message.
    const SHOWN_MAX: usize = 200;
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
