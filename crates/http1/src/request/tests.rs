//! Every refusal with its status and reason, and every legal oddity, as tables.

use super::*;
use crate::name::NameSet;
use RejectReason as R;

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

fn check_rejected(text: impl AsRef<[u8]>, status: u16, reason: RejectReason) {
    let text = text.as_ref();
    let shown = text.escape_ascii();
    let reject = parse(text).expect_err(&format!("accepted: {shown}"));
    assert_eq!((reject.status, reject.reason), (status, reason), "{shown}");
    assert!(reject.offset <= text.len() as u64, "{shown}");
}

#[test]
fn start_lines_refused() {
    for (line, status, reason) in [
        ("\r\nGET / HTTP/1.1", 400, R::LeadingWhitespace),
        ("\nGET / HTTP/1.1", 400, R::LeadingWhitespace),
        (" GET / HTTP/1.1", 400, R::LeadingWhitespace),
        ("\tGET / HTTP/1.1", 400, R::LeadingWhitespace),
        ("G(T / HTTP/1.1", 400, R::InvalidMethod),
        ("G\tT / HTTP/1.1", 400, R::InvalidMethod),
        (":GET / HTTP/1.1", 400, R::InvalidMethod),
        ("\0GET / HTTP/1.1", 400, R::NulByte),
        ("\u{16}\u{3}\u{1}\u{2}", 400, R::InvalidMethod),
        ("GET", 400, R::InvalidVersion),
        ("GET\r/ HTTP/1.1", 400, R::BareCarriageReturn),
        ("GET\n/ HTTP/1.1", 400, R::BareLineFeed),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", 501, R::MethodTooLong),
        ("GET  / HTTP/1.1", 400, R::InvalidTarget),
        ("GET  HTTP/1.1", 400, R::InvalidTarget),
        ("GET\t/ HTTP/1.1", 400, R::InvalidMethod),
        ("GET /a\tb HTTP/1.1", 400, R::InvalidTarget),
        ("GET /a\u{1}b HTTP/1.1", 400, R::InvalidTarget),
        ("GET /a\u{7f}b HTTP/1.1", 400, R::InvalidTarget),
        ("GET /é HTTP/1.1", 400, R::InvalidTarget),
        ("GET /a\0b HTTP/1.1", 400, R::NulByte),
        ("GET /a\rb HTTP/1.1", 400, R::BareCarriageReturn),
        ("GET /a\n", 400, R::BareLineFeed),
        ("GET /a b HTTP/1.1", 400, R::InvalidVersion),
        ("GET /a#b HTTP/1.1", 400, R::TargetFragment),
        ("GET /?a#b HTTP/1.1", 400, R::TargetFragment),
        ("GET /#a?b HTTP/1.1", 400, R::TargetFragment),
        ("GET http://a/#b HTTP/1.1", 400, R::TargetFragment),
        ("GET a HTTP/1.1", 400, R::InvalidTarget),
        ("GET ?a HTTP/1.1", 400, R::InvalidTarget),
        ("GET a:80 HTTP/1.1", 400, R::InvalidTarget),
        ("GET ftp://a/ HTTP/1.1", 400, R::InvalidTarget),
        ("GET http:/a HTTP/1.1", 400, R::InvalidTarget),
        ("GET http:///a HTTP/1.1", 400, R::InvalidHost),
        ("GET http://?a HTTP/1.1", 400, R::InvalidHost),
        ("GET http://:80/ HTTP/1.1", 400, R::InvalidHost),
        ("GET http://u@a/ HTTP/1.1", 400, R::InvalidHost),
        ("GET http://a\\b/ HTTP/1.1", 400, R::InvalidHost),
        ("GET http://a:b/ HTTP/1.1", 400, R::InvalidHost),
        ("GET * HTTP/1.1", 400, R::TargetForm),
        ("OPTIONS *a HTTP/1.1", 400, R::InvalidTarget),
        ("CONNECT / HTTP/1.1", 400, R::TargetForm),
        ("CONNECT a HTTP/1.1", 400, R::TargetForm),
        ("CONNECT a: HTTP/1.1", 400, R::TargetForm),
        ("CONNECT a:0 HTTP/1.1", 400, R::TargetForm),
        ("CONNECT a:80/ HTTP/1.1", 400, R::TargetForm),
        ("CONNECT a:80?b HTTP/1.1", 400, R::TargetForm),
        ("CONNECT http://a/ HTTP/1.1", 400, R::TargetForm),
        ("GET /", 400, R::InvalidVersion),
        ("GET / ", 400, R::InvalidVersion),
        ("GET / HTTP/1.1 ", 400, R::InvalidVersion),
        ("GET /  HTTP/1.1", 400, R::InvalidVersion),
        ("GET / HTTP/1", 400, R::InvalidVersion),
        ("GET / HTTP/2", 400, R::InvalidVersion),
        ("GET / HTTP/1.", 400, R::InvalidVersion),
        ("GET / HTTP/1.2", 400, R::InvalidVersion),
        ("GET / HTTP/1.10", 400, R::InvalidVersion),
        ("GET / HTTP/01.1", 400, R::InvalidVersion),
        ("GET / HTTP/+1.1", 400, R::InvalidVersion),
        ("GET / HTTP/1,1", 400, R::InvalidVersion),
        ("GET / HTTP 1.1", 400, R::InvalidVersion),
        ("GET / http/1.1", 400, R::InvalidVersion),
        ("GET / HTTPS/1.1", 400, R::InvalidVersion),
        ("GET / ICY/1.1", 400, R::InvalidVersion),
        ("GET / HTTP/1.1\n", 400, R::BareLineFeed),
        ("GET / HTTP/1.1\r\r", 400, R::BareCarriageReturn),
        ("GET / HTTP/1.\0", 400, R::NulByte),
        ("GET / HTTP/2.0", 505, R::UnsupportedVersion),
        ("PRI * HTTP/2.0", 505, R::UnsupportedVersion),
        ("GET / HTTP/3.0", 505, R::UnsupportedVersion),
        ("GET / HTTP/0.9", 505, R::UnsupportedVersion),
        ("GET / HTTP/9.9", 505, R::UnsupportedVersion),
    ] {
        check_rejected(format!("{line}\r\nHost: a\r\n\r\n"), status, reason);
    }
}

#[test]
fn header_lines_refused() {
    for (line, reason) in [
        ("A: b\nC: d", R::BareLineFeed),
        ("A: b\rC: d", R::BareCarriageReturn),
        ("A: b\r\r", R::BareCarriageReturn),
        ("A: \r", R::BareCarriageReturn),
        ("A\n: b", R::BareLineFeed),
        ("A\r: b", R::BareCarriageReturn),
        ("\rA: b", R::BareCarriageReturn),
        ("A: b\r\n\nC: d", R::BareLineFeed),
        ("A: b\0", R::NulByte),
        ("A\0: b", R::NulByte),
        ("\0A: b", R::NulByte),
        ("A: b\u{1}", R::ControlByte),
        ("A: b\u{b}c", R::ControlByte),
        ("A: \u{7f}", R::ControlByte),
        ("A: b\r\n c", R::ObsoleteFold),
        ("A: b\r\n\tc", R::ObsoleteFold),
        ("A: b\r\n \r\n", R::ObsoleteFold),
        ("A:\r\n b", R::ObsoleteFold),
        ("A : b", R::SpaceBeforeColon),
        ("A\t: b", R::SpaceBeforeColon),
        ("A b: c", R::SpaceBeforeColon),
        ("Content-Length : 5", R::SpaceBeforeColon),
        ("Transfer-Encoding : chunked", R::SpaceBeforeColon),
        (": b", R::EmptyHeaderName),
        (":", R::EmptyHeaderName),
        ("A(: b", R::InvalidHeaderName),
        ("A\u{b}: b", R::InvalidHeaderName),
        ("Transfer-Encoding\u{b}: chunked", R::InvalidHeaderName),
        ("é: b", R::InvalidHeaderName),
        ("\"A\": b", R::InvalidHeaderName),
        ("A", R::MissingColon),
        ("GET / HTTP/1.1", R::SpaceBeforeColon),
    ] {
        check_rejected(with(line), 400, reason);
    }
    for line in [" A: b", "\tA: b", " \r\nA: b"] {
        let text = format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n");
        check_rejected(text, 400, R::WhitespaceBeforeHeaders);
    }
    check_rejected(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\xff\r\n \r\n\r\n", 400, R::ObsoleteFold);
}

#[test]
fn hosts_refused() {
    check_rejected("GET / HTTP/1.1\r\n\r\n", 400, R::MissingHost);
    check_rejected("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", 400, R::MissingHost);
    check_rejected("GET http://a/ HTTP/1.1\r\n\r\n", 400, R::MissingHost);
    for version in ["1.0", "1.1"] {
        let rest = format!("HTTP/{version}\r\nHost: a\r\nA: b\r\nhost: a\r\n\r\n");
        check_rejected(format!("GET / {rest}"), 400, R::DuplicateHost);
        for host in [
            "",
            " ",
            "a b",
            "a,b c",
            "a, b",
            "a/b",
            "a@b",
            "u:p@a",
            "a?b",
            "a#b",
            "a\\b",
            "<a>",
            "é",
            "a:b",
            "a:-1",
            "a:+1",
            "a:0",
            "a:65536",
            "a:000080",
            "a:8 0",
            "a:80:80",
            ":80",
            ":",
            "::1",
            "[::1",
            "[]",
            "[::1]a",
            "[::1%25eth0]",
            "[g::]",
            "[1.2.3.4]",
            "[v1.a]",
            "a%",
            "a%2",
            "a%2g",
            "a]",
            "http://a",
            "a\"",
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: {host}\r\n\r\n");
            check_rejected(text, 400, R::InvalidHost);
        }
    }
    for (target, host) in [
        ("http://a/", "b"),
        ("http://a/", "a.b"),
        ("http://a/", "a:81"),
        ("http://a:81/", "a"),
        ("http://a:81/", "a:82"),
        ("http://a/", "a:443"),
        ("https://a/", "a:80"),
        ("http://[::1]/", "[::2]"),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check_rejected(text, 400, R::HostMismatch);
        let text = format!("GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        check_rejected(text, 400, R::HostMismatch);
    }
    for host in ["b:443", "a:444"] {
        let text = format!("CONNECT a:443 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check_rejected(text, 400, R::HostMismatch);
    }
}

#[test]
fn framing_refused() {
    for (lines, reason) in [
        ("Content-Length: ", R::InvalidContentLength),
        ("Content-Length:", R::InvalidContentLength),
        ("Content-Length: +5", R::InvalidContentLength),
        ("Content-Length: -5", R::InvalidContentLength),
        ("Content-Length: 0x5", R::InvalidContentLength),
        ("Content-Length: 5a", R::InvalidContentLength),
        ("Content-Length: a", R::InvalidContentLength),
        ("Content-Length: 5 5", R::InvalidContentLength),
        ("Content-Length: 5, 5", R::InvalidContentLength),
        ("Content-Length: 5,6", R::InvalidContentLength),
        ("Content-Length: 5,", R::InvalidContentLength),
        ("Content-Length: 5;a", R::InvalidContentLength),
        ("Content-Length: 5.0", R::InvalidContentLength),
        ("Content-Length: 1e3", R::InvalidContentLength),
        ("Content-Length: 1_000", R::InvalidContentLength),
        ("Content-Length: \"5\"", R::InvalidContentLength),
        ("Content-Length: ٥", R::InvalidContentLength),
        ("Content-Length: 9223372036854775808", R::ContentLengthOverflow),
        ("Content-Length: 18446744073709551615", R::ContentLengthOverflow),
        ("Content-Length: 18446744073709551616", R::ContentLengthOverflow),
        ("Content-Length: 18446744073709551621", R::ContentLengthOverflow),
        ("Content-Length: 99999999999999999999999999", R::ContentLengthOverflow),
        ("Content-Length: 5\r\nContent-Length: 5", R::DuplicateContentLength),
        ("Content-Length: 5\r\ncontent-length: 6", R::DuplicateContentLength),
        ("Content-Length: 5\r\nContent-Length:", R::DuplicateContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", R::LengthWithTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", R::LengthWithTransferEncoding),
        ("Transfer-Encoding: x\r\nContent-Length: 0", R::LengthWithTransferEncoding),
        ("Transfer-Encoding:", R::InvalidTransferEncoding),
        ("Transfer-Encoding: ,", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked,", R::InvalidTransferEncoding),
        ("Transfer-Encoding: ,chunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: xchunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunkedx", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunke", R::InvalidTransferEncoding),
        ("Transfer-Encoding: x chunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: \"chunked\"", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked;a=b", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked\u{a0}", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked, chunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked, gzip", R::InvalidTransferEncoding),
        ("Transfer-Encoding: gzip, chunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: gzip", R::InvalidTransferEncoding),
        ("Transfer-Encoding: identity", R::InvalidTransferEncoding),
        ("Transfer-Encoding: unknown", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", R::DuplicateTransferEncoding),
        ("Transfer-Encoding: chunked\r\ntransfer-encoding: identity", R::DuplicateTransferEncoding),
        ("Connection: content-length\r\nContent-Length: 5", R::ConnectionNamesFraming),
        ("Connection: close, Host", R::ConnectionNamesFraming),
    ] {
        check_rejected(with(lines), 400, reason);
        // None of them becomes right for a method that seldom has a body.
        check_rejected(with(lines).replacen("POST", "GET", 1), 400, reason);
    }
    for method in ["GET", "POST"] {
        let text = format!("{method} / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        check_rejected(text, 400, R::TransferEncodingOnHttp10);
    }
}

#[test]
fn expectations_refused() {
    for lines in [
        "Expect: 200-ok",
        "Expect:",
        "Expect: 100-continue, x",
        "Expect: 100-continue\r\nExpect: a",
    ] {
        check_rejected(with(lines), 417, R::UnknownExpectation);
    }
}

#[test]
fn limits_refuse_with_their_own_status() {
    let limits = Limits {
        head_bytes: 200,
        header_count: 3,
        target_bytes: 20,
        connection_options: 2,
        ..Limits::default()
    };
    let long = "a".repeat(300);
    for (text, status, reason) in [
        (format!("GET /{} HTTP/1.1", "a".repeat(20)), 414, R::TargetTooLong),
        (format!("GET /{long}"), 414, R::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\n\r\n"), 431, R::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{long}"), 431, R::HeadTooLarge),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nB: b\r\nC: c\r\nD: d\r\n\r\n".to_owned(),
            431,
            R::TooManyHeaders,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: a, b\r\nConnection: c\r\n\r\n".to_owned(),
            431,
            R::TooManyConnectionOptions,
        ),
    ] {
        let reject = parse_request(text.as_bytes(), &limits, &mut RequestHead::new()).unwrap_err();
        assert_eq!((reject.status, reject.reason), (status, reason), "{text}");
    }

    let fits = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "a".repeat(200 - 32));
    assert_eq!(fits.len(), 200);
    let parsed = parse_request(fits.as_bytes(), &limits, &mut RequestHead::new());
    assert_eq!(parsed, Ok(Parsed::Complete));
    let fits = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(19));
    let parsed = parse_request(fits.as_bytes(), &limits, &mut RequestHead::new());
    assert_eq!(parsed, Ok(Parsed::Complete));

    // The limit of the head counts whatever it is set to.
    let unlimited = Limits { head_bytes: usize::MAX, target_bytes: usize::MAX, ..limits };
    let large = format!("GET /{}", "a".repeat(Limits::LARGEST_HEAD_BYTES));
    let reject = parse_request(large.as_bytes(), &unlimited, &mut RequestHead::new()).unwrap_err();
    assert_eq!(reject.reason, R::TargetTooLong);
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
