//! Who may ask the admin server what. Pure: a request's head in, a verdict out.
//!
//! Two ways to be let in:
//! - With a token configured: the request carries it (`Authorization: Bearer`), or the cookie of
//!   a session that was opened with it.
//! - Without one the server is on a loopback address, and every local user may ask. What must be
//!   kept out is a web page in that user's browser. A page can send requests to us but sets
//!   neither `Host` nor `Origin` freely: the `Host` must be one that no foreign DNS can point
//!   here (DNS rebinding).
//!
//! Either way what changes something must come from our own page or from no page at all
//! (cross-site request forgery): it carries the token in a header, the header `X-Plimsoll`, which
//! a foreign page cannot add without asking us first, or says that its origin is ours.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

/// The header that marks a request as not sent by a foreign web page.
pub const CUSTOM_HEADER: &str = "x-plimsoll";

/// The rules in force for one admin server.
#[derive(Debug)]
pub(super) struct Access {
    /// What every request must carry, but those for [`OPEN_PATHS`].
    pub(super) token: Option<String>,
    /// Where we listen.
    pub(super) bound: SocketAddr,
}

/// Paths that tell nothing: liveness, and what the sign-in page is made of.
const OPEN_PATHS: [&str; 5] =
    ["/-/healthy", "/login", "/assets/status.css", "/assets/status.js", "/assets/icon.svg"];

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// The `Host` is a name that may be anyone's.
    ForeignHost,
    /// It may come from another site's page.
    CrossSite,
    /// No token.
    Token,
    /// A token, but not ours.
    WrongToken,
}

impl Access {
    /// Judges a request. `in_session`: its cookie names an open session.
    pub(super) fn judge(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        in_session: bool,
    ) -> Result<(), Denial> {
        let bearer = self.has_token(headers);
        if self.token.is_none() && !self.is_own_host(headers) {
            return Err(Denial::ForeignHost);
        }
        let harmless = matches!(*method, Method::GET | Method::HEAD);
        if !harmless && !bearer && !is_from_here(headers) {
            return Err(Denial::CrossSite);
        }
        let open = self.token.is_none() || OPEN_PATHS.contains(&path);
        if open || bearer || in_session {
            Ok(())
        } else if headers.contains_key(AUTHORIZATION) {
            Err(Denial::WrongToken)
        } else {
            Err(Denial::Token)
        }
    }

    /// Whether `candidate` is the token; takes as long for any candidate of one length.
    pub(super) fn is_token(&self, candidate: &str) -> bool {
        self.token.as_ref().is_some_and(|token| same(token.as_bytes(), candidate.as_bytes()))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && self.is_token(token.trim())
    }

    fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        let name = host_name(host);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok()
            || host == self.bound.to_string()
    }
}

/// `[::1]:9900` → `::1`, `localhost:9900` → `localhost`.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(name, _)| name);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether no other site's page can have sent this.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(CUSTOM_HEADER) {
        return true;
    }
    // Browsers send Sec-Fetch-Site to secure origins only (loopback counts), Origin always.
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    matches!((origin, text(HOST.as_str())), (Some((_, origin)), Some(host)) if origin == host)
}

/// Compares without stopping at the first difference; only the lengths can be timed.
fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    // Keeps the compiler from turning the fold into an early exit.
    std::hint::black_box(difference) == 0 && a.len() == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &str) -> HeaderMap {
        lines
            .split('|')
            .filter_map(|line| line.trim().split_once(": "))
            .map(|(name, value)| {
                (axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap())
            })
            .collect()
    }

    fn judge(token: Option<&str>, request: &str, lines: &str, in_session: bool) -> String {
        let access =
            Access { token: token.map(str::to_owned), bound: "127.0.0.1:9900".parse().unwrap() };
        let (method, path) = request.split_once(' ').unwrap();
        let method = method.parse().unwrap();
        match access.judge(&method, path, &headers(lines), in_session) {
            Ok(()) => "yes".to_owned(),
            Err(denial) => format!("{denial:?}"),
        }
    }

    #[test]
    fn without_a_token() {
        for (request, lines, expected) in [
            ("GET /", "Host: 127.0.0.1:9900", "yes"),
            ("GET /", "Host: localhost:9900", "yes"),
            ("GET /", "Host: LOCALHOST", "yes"),
            ("GET /", "Host: [::1]:9900", "yes"),
            ("GET /", "Host: 192.168.1.4:19900", "yes"),
            ("GET /", "", "ForeignHost"),
            ("GET /", "Host: ", "ForeignHost"),
            ("GET /", "Host: [::1", "ForeignHost"),
            ("GET /", "Host: evil.example:9900", "ForeignHost"),
            ("GET /", "Host: localhost.evil.example", "ForeignHost"),
            ("GET /-/healthy", "Host: evil.example", "ForeignHost"),
            ("POST /api/reload", "Host: evil.example | X-Plimsoll: 1", "ForeignHost"),
            ("POST /api/reload", "Host: localhost:9900", "CrossSite"),
            ("POST /api/reload", "Host: localhost:9900 | X-Plimsoll: 1", "yes"),
            ("DELETE /api/x", "Host: localhost:9900", "CrossSite"),
            ("OPTIONS /api/x", "Host: localhost:9900", "CrossSite"),
            ("POST /api/x", "Host: localhost:9900 | Sec-Fetch-Site: same-origin", "yes"),
            ("POST /api/x", "Host: localhost:9900 | Sec-Fetch-Site: same-site", "CrossSite"),
            ("POST /api/x", "Host: localhost:9900 | Sec-Fetch-Site: cross-site", "CrossSite"),
            ("POST /api/x", "Host: localhost:9900 | Origin: http://localhost:9900", "yes"),
            ("POST /api/x", "Host: localhost:9900 | Origin: http://localhost:9999", "CrossSite"),
            ("POST /api/x", "Host: localhost:9900 | Origin: null", "CrossSite"),
            (
                "POST /api/x",
                "Host: localhost:9900 | Sec-Fetch-Site: cross-site | Origin: http://localhost:9900",
                "CrossSite",
            ),
        ] {
            assert_eq!(judge(None, request, lines, false), expected, "{request} {lines}");
        }
        let twice = "Host: localhost | Host: evil.example";
        let mut map = headers(twice);
        map.append(HOST, "evil.example".parse().unwrap());
        let access = Access { token: None, bound: "127.0.0.1:9900".parse().unwrap() };
        assert_eq!(access.judge(&Method::GET, "/", &map, false), Err(Denial::ForeignHost));
    }

    #[test]
    fn with_a_token() {
        for (request, lines, in_session, expected) in [
            ("GET /", "Host: plimsoll.example", false, "Token"),
            ("GET /", "Host: plimsoll.example", true, "yes"),
            ("GET /-/healthy", "", false, "yes"),
            ("GET /-/ready", "", false, "Token"),
            ("GET /metrics", "", false, "Token"),
            ("GET /metrics", "Authorization: Bearer s3cret", false, "yes"),
            ("GET /metrics", "Authorization: bearer s3cret", false, "yes"),
            ("GET /metrics", "Authorization: Bearer s3cre", false, "WrongToken"),
            ("GET /metrics", "Authorization: Bearer s3cret4", false, "WrongToken"),
            ("GET /metrics", "Authorization: Bearer ", false, "WrongToken"),
            ("GET /metrics", "Authorization: Basic s3cret", false, "WrongToken"),
            ("POST /api/reload", "Authorization: Bearer s3cret", false, "yes"),
            ("POST /api/reload", "X-Plimsoll: 1", false, "Token"),
            ("POST /api/reload", "Host: a | Origin: http://a", true, "yes"),
            ("POST /api/reload", "Host: a | Origin: http://b", true, "CrossSite"),
            ("POST /login", "Host: a | Origin: http://a", false, "yes"),
            ("POST /login", "Host: a | Origin: http://b", false, "CrossSite"),
        ] {
            assert_eq!(
                judge(Some("s3cret"), request, lines, in_session),
                expected,
                "{request} {lines}"
            );
        }
    }
}
