//! Every legal oddity, as tables; refusals are in `refused`.

mod refused;

use super::*;
use crate::name::NameSet;

fn parse(text: impl AsRef<[u8]>) -> Result<RequestHead, Reject> {
    let mut head = RequestHead::new();
    match parse_request(text.as_ref(), &Limits::default(), &mut head)? {
        Parsed::Complete => Ok(head),
        Parsed::Partial => panic!("partial: {}", text.as_ref().escape_ascii()),
    }
}

/// A request of which only the header lines matter.
fn with(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

#[test]
fn a_browser_head_is_described_in_full() {
    let text = b"GET /list/?page=2&size=10 HTTP/1.1\r\nHost: Shop.example:8080\r\n\
        Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11)\r\naccept:*/*\r\n\
        Cookie: a=1; b=\xe9\r\nX-Empty: \t \r\nX-Spaced: \t b c\t \r\n\r\nGET /next";
    let head = parse(text).unwrap();
    assert_eq!(head.method, Method::Get);
    assert_eq!(head.method_text.of(text), b"GET");
    assert_eq!(head.target.of(text), b"/list/?page=2&size=10");
    assert_eq!(head.target_form, TargetForm::Origin);
    assert_eq!(head.path.of(text), b"/list/");
    assert_eq!(head.query.unwrap().of(text), b"page=2&size=10");
    assert_eq!(head.path_and_query(), head.target);
    let authority = head.authority.unwrap();
    assert_eq!(authority.text.of(text), b"Shop.example:8080");
    assert_eq!(authority.host.of(text), b"Shop.example");
    assert_eq!(authority.port, Some(8080));
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.framing, BodyFraming::None);
    assert!(head.keep_alive && !head.expect_continue && head.upgrade.is_none());
    assert_eq!(&text[head.head_length..], b"GET /next");

    let fields: Vec<_> = head
        .headers
        .iter()
        .map(|h| (h.name, h.name_text().of(text), h.value().of(text), h.hop_by_hop))
        .collect();
    assert_eq!(
        fields,
        [
            (HeaderName::Host, &b"Host"[..], &b"Shop.example:8080"[..], false),
            (HeaderName::Connection, b"Connection", b"keep-alive", true),
            (HeaderName::UserAgent, b"User-Agent", b"Mozilla/5.0 (X11)", false),
            (HeaderName::Accept, b"accept", b"*/*", false),
            (HeaderName::Cookie, b"Cookie", b"a=1; b=\xe9", false),
            (HeaderName::Other, b"X-Empty", b"", false),
            (HeaderName::Other, b"X-Spaced", b"b c", false),
        ]
    );
    let last = head.headers.as_slice().last().unwrap();
    assert_eq!(last.line().of(text), b"X-Spaced: \t b c\t \r\n");
}

#[test]
fn targets_are_taken_apart() {
    use TargetForm as F;
    for (line, form, path, query, authority) in [
        ("GET / HTTP/1.1", F::Origin, "/", None, "a"),
        ("GET /? HTTP/1.1", F::Origin, "/", Some(""), "a"),
        ("GET /a?b?c HTTP/1.1", F::Origin, "/a", Some("b?c"), "a"),
        ("GET //b/c HTTP/1.1", F::Origin, "//b/c", None, "a"),
        ("GET /\"<>\\^`{|}%zz HTTP/1.1", F::Origin, "/\"<>\\^`{|}%zz", None, "a"),
        ("GET /*:@ HTTP/1.1", F::Origin, "/*:@", None, "a"),
        ("OPTIONS * HTTP/1.1", F::Asterisk, "*", None, "a"),
        ("OPTIONS /a HTTP/1.1", F::Origin, "/a", None, "a"),
        ("GET http://a/b?c HTTP/1.1", F::Absolute, "/b", Some("c"), "a"),
        ("GET HTTP://A HTTP/1.1", F::Absolute, "", None, "A"),
        ("GET http://a?b/c HTTP/1.1", F::Absolute, "", Some("b/c"), "a"),
        ("GET http://a:80/ HTTP/1.1", F::Absolute, "/", None, "a:80"),
        ("GET https://a:443/ HTTP/1.1", F::Absolute, "/", None, "a:443"),
        ("OPTIONS http://a HTTP/1.1", F::Absolute, "", None, "a"),
        ("CONNECT a:443 HTTP/1.1", F::Authority, "", None, "a:443"),
        ("PURGE /a HTTP/1.1", F::Origin, "/a", None, "a"),
    ] {
        let text = format!("{line}\r\nHost: a\r\n\r\n");
        let head = parse(&text).unwrap_or_else(|reject| panic!("{line}: {reject}"));
        let part = |span: Span| std::str::from_utf8(span.of(text.as_bytes())).unwrap();
        assert_eq!(head.target_form, form, "{line}");
        assert_eq!(part(head.path), path, "{line}");
        assert_eq!(head.query.map(part), query, "{line}");
        assert_eq!(part(head.authority.unwrap().text), authority, "{line}");
        if form != F::Authority {
            let joined = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
            assert_eq!(part(head.path_and_query()), joined, "{line}");
        }
    }
}

#[test]
fn legal_hosts_pass() {
    for (host, name, port) in [
        ("a", "a", None),
        ("a.example.", "a.example.", None),
        ("a:80", "a", Some(80)),
        ("a:00080", "a", Some(80)),
        ("a:65535", "a", Some(65535)),
        ("a:", "a", None),
        ("127.0.0.1:8000", "127.0.0.1", Some(8000)),
        ("[::1]", "[::1]", None),
        ("[::1]:", "[::1]", None),
        ("[2001:DB8::1]:8443", "[2001:DB8::1]", Some(8443)),
        ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", None),
        ("a_b", "a_b", None),
        ("xn--a-b.c", "xn--a-b.c", None),
        ("a%20b", "a%20b", None),
        ("a!$&'()*+,;=~-", "a!$&'()*+,;=~-", None),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost:\t{host} \r\n\r\n");
        let head = parse(&text).unwrap_or_else(|reject| panic!("{host}: {reject}"));
        let authority = head.authority.unwrap();
        assert_eq!(authority.text.of(text.as_bytes()), host.as_bytes());
        assert_eq!(authority.host.of(text.as_bytes()), name.as_bytes());
        assert_eq!(authority.port, port, "{host}");
    }
    let head = parse("GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(head.authority, None);
    let head = parse("GET http://a/ HTTP/1.0\r\n\r\n").unwrap();
    assert!(head.authority.is_some());
}

#[test]
fn bodies_are_framed() {
    for (lines, framing) in [
        ("A: b", BodyFraming::None),
        ("Content-Length: 0", BodyFraming::Length(0)),
        ("content-length:5", BodyFraming::Length(5)),
        ("Content-Length: \t 5 \t", BodyFraming::Length(5)),
        ("Content-Length: 00000000000000000000000000000000000005", BodyFraming::Length(5)),
        ("Content-Length: 9223372036854775807", BodyFraming::Length(i64::MAX as u64)),
        ("Transfer-Encoding: chunked", BodyFraming::Chunked),
        ("transfer-encoding:CHUNKED ", BodyFraming::Chunked),
    ] {
        assert_eq!(parse(with(lines)).unwrap().framing, framing, "{lines}");
    }
    let head = parse("POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n").unwrap();
    assert_eq!(head.framing, BodyFraming::Length(7));
}

#[test]
fn keep_alive_follows_version_and_options() {
    for (version, lines, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: foo , ,close,\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: not-close\r\n", true),
        ("1.1", "Proxy-Connection: close\r\n", true),
        ("1.1", "Connection:\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Proxy-Connection: keep-alive\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(parse(&text).unwrap().keep_alive, keep_alive, "{text}");
    }
}

#[test]
fn upgrade_needs_its_option_and_version() {
    for (version, lines, upgrade) in [
        ("1.1", "Connection: Upgrade\r\nUpgrade: WebSocket", Some(Upgrade::WebSocket)),
        ("1.1", "Connection: keep-alive, upgrade\r\nUpgrade: websocket", Some(Upgrade::WebSocket)),
        ("1.1", "Connection: Upgrade\r\nUpgrade: h2c", Some(Upgrade::Other)),
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket, h2c", Some(Upgrade::Other)),
        (
            "1.1",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket",
            Some(Upgrade::Other),
        ),
        ("1.1", "Upgrade: websocket", None),
        ("1.1", "Connection: Upgrade", None),
        ("1.0", "Connection: Upgrade\r\nUpgrade: websocket", None),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n");
        assert_eq!(parse(&text).unwrap().upgrade, upgrade, "{text}");
    }
}

#[test]
fn expectation_and_trailers() {
    for (version, lines, expects) in [
        ("1.1", "Expect: 100-continue\r\nContent-Length: 5", true),
        ("1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked", true),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0", false),
        ("1.1", "Expect: 100-continue", false),
        ("1.0", "Expect: 100-continue\r\nContent-Length: 5", false),
        ("1.1", "Content-Length: 5", false),
    ] {
        let text = format!("PUT / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n");
        assert_eq!(parse(&text).unwrap().expect_continue, expects, "{text}");
    }
    assert!(parse(with("TE: gzip;q=0.5, Trailers")).unwrap().accepts_trailers);
    assert!(!parse(with("TE: gzip")).unwrap().accepts_trailers);
    assert!(!parse(with("A: b")).unwrap().accepts_trailers);
}

#[test]
fn what_ends_at_this_hop_is_not_in_the_runs() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\nConnection: X-Drop, close , Via\r\n\
        x-drop: 1\r\nVia: c\r\nKeep-Alive: 5\r\nUser-Agent: d\r\nTE: trailers\r\nUpgrade: h2c\r\n\
        Proxy-Connection: e\r\nX_Keep: f\r\nX-Drop: 2\r\nX-Real-IP: g\r\n\r\n";
    let head = parse(text).unwrap();
    let runs = |dropped: NameSet| -> Vec<_> {
        head.headers
            .runs(dropped)
            .map(|run| std::str::from_utf8(run.of(text.as_bytes())).unwrap())
            .collect()
    };
    assert_eq!(
        runs(NameSet::EMPTY),
        ["Host: a\r\nAccept: b\r\n", "User-Agent: d\r\n", "X_Keep: f\r\n", "X-Real-IP: g\r\n"]
    );
    assert_eq!(
        runs(NameSet::of(&[HeaderName::XRealIp, HeaderName::Host])),
        ["Accept: b\r\n", "User-Agent: d\r\n", "X_Keep: f\r\n"]
    );
    let kept = head.headers.runs(NameSet::EMPTY).without_underscores();
    assert_eq!(kept.count(), 3);
    assert!(head.headers.find_text(text.as_bytes(), b"x_KEEP").unwrap().has_underscore);
    assert_eq!(head.headers.find_all(HeaderName::Via).count(), 1);
    assert_eq!(head.headers.find_all(HeaderName::Referer).count(), 0);
    assert!(head.headers.find(HeaderName::Referer).is_none());
}

#[test]
fn pipelined_requests_are_taken_one_by_one_with_one_scratch() {
    let mut rest = &b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX: y\r\n\r\n\
        GET /2 HTTP/1.0\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n"[..];
    let mut head = RequestHead::new();
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let parsed = parse_request(rest, &Limits::default(), &mut head).unwrap();
        assert_eq!(parsed, Parsed::Complete);
        seen.push((head.target.of(rest).to_vec(), head.headers.as_slice().len(), head.framing));
        rest = &rest[head.head_length..];
    }
    assert_eq!(
        seen,
        [
            (b"/1".to_vec(), 3, BodyFraming::Length(0)),
            (b"/2".to_vec(), 0, BodyFraming::None),
            (b"*".to_vec(), 1, BodyFraming::None),
        ]
    );
}

#[test]
fn a_scratch_starts_over_when_told_or_when_the_buffer_is_another() {
    let mut head = RequestHead::new();
    let limits = Limits::default();
    let first = b"GET /first HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d";
    assert_eq!(parse_request(first, &limits, &mut head), Ok(Parsed::Partial));
    head.reset();
    let second = b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(parse_request(second, &limits, &mut head), Ok(Parsed::Complete));
    assert_eq!(head.headers.as_slice().len(), 1);

    assert_eq!(parse_request(first, &limits, &mut head), Ok(Parsed::Partial));
    assert_eq!(parse_request(second, &limits, &mut head), Ok(Parsed::Complete));
    assert_eq!(head.target.of(second), b"/2");
    assert_eq!(head.headers.as_slice().len(), 1);
}

#[test]
fn bytes_that_cannot_matter_are_not_read_again() {
    let limits = Limits { target_bytes: 20, ..Limits::default() };
    for (start, more, skipped) in [
        ("GET /abc", "def?x", true),
        ("GET /abc", "def ", false),
        ("GET /abc", "\u{1}", false),
        ("GET /abc", "0123456789012345", true),
        ("GET /abc", "01234567890123456", false),
        ("GET / HTTP", "/1.", true),
        ("GET / HTTP", "/1.1\r", false),
        ("GET / HTTP/1.1\r\nAb", "cd", true),
        ("GET / HTTP/1.1\r\nAb", ":", false),
        ("GET / HTTP/1.1\r\nAb", " ", false),
        ("GET / HTTP/1.1\r\nAb: c", "d: \t\u{e9}", true),
        ("GET / HTTP/1.1\r\nAb: c", "\0", false),
        ("GET / HTTP/1.1\r\nAb: c", "\r\n", false),
        ("GET / HTTP/1.1\r\nAb: c\r", "d", false),
        ("GET / HTTP/1.1\r\nAb: c\r", "\n", false),
    ] {
        let mut head = RequestHead::new();
        let parsed = parse_request(start.as_bytes(), &limits, &mut head);
        assert_eq!(parsed, Ok(Parsed::Partial), "{start:?}");
        let whole = format!("{start}{more}");
        assert_eq!(head.progress.skips(whole.as_bytes()), skipped, "{whole:?}");
    }
}
