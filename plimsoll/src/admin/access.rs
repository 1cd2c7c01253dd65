//! Who may ask the admin server what. Pure: a request's head in, a verdict out.
//!
//! Two ways to be let in:
//! - With a token configured: the request carries it (`Authorization: Bearer`, or `Basic` with the
//!   token as the password and any user, which is what many clients can be told), or the cookie of
//!   a session that was opened with it.
//! - Without one the server is on a loopback address, and every local user may ask. What must be
//!   kept out is a web page in that user's browser. A page can send requests to us but sets
//!   neither `Host` nor `Origin` freely: the `Host` must be one that no foreign DNS can point
//!   here (DNS rebinding).
//!
//! Either way what changes something must come from our own page or from no page at all
//! (cross-site request forgery): it carries the token as `Bearer`, which a browser never adds by
//! itself as it does a remembered `Basic`; or the header `X-Plimsoll`, which a foreign page cannot
//! add without asking us first; or says that its origin is ours.
//!
//! Interfaces that other programs define ([`FOREIGN_INTERFACES`]) have clients that know nothing of
//! `X-Plimsoll`. There, what says that it comes from another site is refused whatever it asks,
//! since a query may be heavy even if its answer cannot be read. What does not say where it comes
//! from is let in if it changes nothing, or if a browser would have had to ask us first: by its
//! method, or by the type of its body (Fetch standard, "CORS-safelisted request-header"). We never
//! give that leave. Browsers have said where a POST comes from for years (`Origin`), and with any
//! request to loopback too (`Sec-Fetch-Site`).

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

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

/// Below these are interfaces that other programs define: Prometheus' and Alertmanager's.
const FOREIGN_INTERFACES: [&str; 2] = ["/prometheus/", "/alertmanager/"];

/// What of them may be asked by POST and changes nothing.
const POSTED_READS: [&str; 6] =
    ["query", "query_range", "query_exemplars", "format_query", "series", "labels"];
/// Below which path.
const POSTED_READS_BELOW: &str = "/prometheus/api/v1/";

/// Types of bodies that a page sends to another site only after asking it.
const ASKED_TYPES: [&str; 2] = ["application/json", "application/x-protobuf"];

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
        let (bearer, basic) = self.tokens(headers);
        if self.token.is_none() && !self.is_own_host(headers) {
            return Err(Denial::ForeignHost);
        }
        let harmless = matches!(*method, Method::GET | Method::HEAD);
        let foreign = FOREIGN_INTERFACES.iter().any(|prefix| path.starts_with(prefix));
        let is_sound = bearer
            || match site(headers) {
                Site::Ours => true,
                Site::Another => harmless && !foreign,
                Site::Unsaid => {
                    harmless || basic || foreign && cannot_be_forged(method, path, headers)
                }
            };
        if !is_sound {
            return Err(Denial::CrossSite);
        }
        let open = self.token.is_none() || OPEN_PATHS.contains(&path);
        if open || bearer || basic || in_session {
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

    /// Whether the token is there as `Bearer`, and as the password of `Basic`.
    fn tokens(&self, headers: &HeaderMap) -> (bool, bool) {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
            return (false, false);
        };
        let token = token.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return (self.is_token(token), false);
        }
        let password = || {
            let pair = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        };
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        (false, is_basic && password().is_some_and(|password| self.is_token(&password)))
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

/// Where a request says that it comes from.
enum Site {
    /// From our own page, or from what is no page.
    Ours,
    /// From a page that is not ours, or that does not want to say.
    Another,
    /// Nothing.
    Unsaid,
}

fn site(headers: &HeaderMap) -> Site {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if headers.contains_key(CUSTOM_HEADER) {
        return Site::Ours;
    }
    // Browsers send Sec-Fetch-Site to secure origins only (loopback counts), Origin always with what
    // is no GET. `none` is a person who typed the address or followed a bookmark.
    match text("sec-fetch-site") {
        Some("same-origin") => return Site::Ours,
        Some("none") | None => {}
        Some(_) => return Site::Another,
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return Site::Unsaid };
    let origin = origin.split_once("://").map(|(_, host)| host);
    if origin.is_some() && origin == text(HOST.as_str()) { Site::Ours } else { Site::Another }
}

/// Whether no page can have made a browser send this, or it changes nothing. Only asked of what does
/// not say where it comes from.
fn cannot_be_forged(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    if *method != Method::POST {
        return true;
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let read = path.strip_prefix(POSTED_READS_BELOW);
    ASKED_TYPES.contains(&&*kind) || read.is_some_and(|read| POSTED_READS.contains(&read))
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

    /// What programs send that know nothing of `X-Plimsoll`, and what pages make a browser send.
    #[test]
    fn interfaces_of_other_programs() {
        const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
        const JSON: &str = "Content-Type: application/json; charset=utf-8";
        const PROTOBUF: &str = "Content-Type: application/x-protobuf;proto=prometheus.WriteRequest";
        let query = "POST /prometheus/api/v1/query";
        for (request, lines, expected) in [
            (query, FORM, "yes"),
            (query, "", "yes"),
            ("POST /prometheus/api/v1/query_range", FORM, "yes"),
            ("POST /prometheus/api/v1/series", FORM, "yes"),
            ("POST /prometheus/api/v1/labels", FORM, "yes"),
            ("POST /prometheus/api/v1/format_query", FORM, "yes"),
            ("GET /prometheus/api/v1/query", "", "yes"),
            ("GET /prometheus/api/v1/query", "Sec-Fetch-Site: none", "yes"),
            ("GET /prometheus/api/v1/query", "Sec-Fetch-Site: same-origin", "yes"),
            // A page may be read by nobody else, and must not keep us busy either.
            (query, "Origin: http://localhost:9900", "yes"),
            (query, "Origin: http://localhost:3000", "CrossSite"),
            (query, "Origin: http://evil.example", "CrossSite"),
            (query, "Origin: null", "CrossSite"),
            (query, "Sec-Fetch-Site: cross-site", "CrossSite"),
            (query, "Sec-Fetch-Site: same-site", "CrossSite"),
            (query, "Sec-Fetch-Site: none | Origin: null", "CrossSite"),
            ("GET /prometheus/api/v1/query", "Sec-Fetch-Site: cross-site", "CrossSite"),
            ("GET /prometheus/api/v1/query", "Sec-Fetch-Site: same-site", "CrossSite"),
            ("GET /prometheus/federate", "Origin: http://evil.example", "CrossSite"),
            // What changes something.
            ("POST /prometheus/api/v1/write", PROTOBUF, "yes"),
            ("POST /prometheus/api/v1/write", FORM, "CrossSite"),
            ("POST /prometheus/api/v1/write", "", "CrossSite"),
            ("POST /prometheus/api/v1/write", "Content-Type: text/plain", "CrossSite"),
            ("POST /prometheus/api/v1/write/query", FORM, "CrossSite"),
            ("POST /alertmanager/api/v2/silences", JSON, "yes"),
            ("POST /alertmanager/api/v2/silences", FORM, "CrossSite"),
            ("POST /alertmanager/api/v1/query", FORM, "CrossSite"),
            ("DELETE /alertmanager/api/v2/silence/1", "", "yes"),
            ("DELETE /alertmanager/api/v2/silence/1", "Origin: http://evil.example", "CrossSite"),
            // Our own commands are as before.
            ("POST /api/reload", JSON, "CrossSite"),
            ("GET /api/status", "Sec-Fetch-Site: cross-site", "yes"),
        ] {
            let lines = format!("Host: localhost:9900 | {lines}");
            assert_eq!(judge(None, request, &lines, false), expected, "{request} {lines}");
            let marked = format!("{lines} | Sec-Fetch-Site: cross-site");
            let foreign = request.contains("/prometheus/") || request.contains("/alertmanager/");
            if foreign && !lines.contains("Sec-Fetch") {
                assert_eq!(judge(None, request, &marked, false), "CrossSite", "{request} {marked}");
            }
            let rebound = lines.replace("localhost:9900 |", "evil.example:9900 |");
            assert_eq!(judge(None, request, &rebound, false), "ForeignHost", "{rebound}");
        }
    }

    #[test]
    fn the_token_as_a_password() {
        let basic = |pair: &str| format!("Authorization: Basic {}", BASE64_STANDARD.encode(pair));
        let (good, wrong) = (basic("grafana:s3cret"), basic("s3cret:x"));
        for (request, lines, expected) in [
            ("GET /metrics", good.clone(), "yes"),
            ("GET /metrics", basic(":s3cret"), "yes"),
            ("GET /metrics", good.replace("Basic", "basic"), "yes"),
            ("GET /metrics", wrong.clone(), "WrongToken"),
            ("GET /metrics", basic("s3cret"), "WrongToken"),
            ("GET /metrics", "Authorization: Basic %".to_owned(), "WrongToken"),
            ("POST /prometheus/api/v1/query", good.clone(), "yes"),
            ("POST /prometheus/api/v1/query", wrong, "WrongToken"),
            ("POST /prometheus/api/v1/query", String::new(), "Token"),
            ("POST /prometheus/api/v1/write", good.clone(), "yes"),
            ("POST /api/reload", good.clone(), "yes"),
            // A browser adds a password it remembers to what another site's page makes it send.
            ("POST /api/reload", format!("{good} | Origin: http://evil.example"), "CrossSite"),
            ("POST /api/reload", format!("{good} | Sec-Fetch-Site: cross-site"), "CrossSite"),
            (
                "GET /prometheus/api/v1/query",
                format!("{good} | Sec-Fetch-Site: cross-site"),
                "CrossSite",
            ),
        ] {
            assert_eq!(
                judge(Some("s3cret"), request, &lines, false),
                expected,
                "{request} {lines}"
            );
        }
        assert_eq!(judge(None, "GET /", &format!("Host: localhost | {good}"), false), "yes");
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
