//! Every refusal with its status and reason.

use super::*;
use RejectReason as R;

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
