//! Every refusal with its reason, every legal oddity, and the framing table of RFC 9112 §6.3.

use super::*;
use RejectReason as R;

const GET: RequestContext = RequestContext { method: Method::Get, upgrade: false };
const HEAD: RequestContext = RequestContext { method: Method::Head, upgrade: false };
const CONNECT: RequestContext = RequestContext { method: Method::Connect, upgrade: false };
const UPGRADE: RequestContext = RequestContext { method: Method::Get, upgrade: true };

fn parse(text: impl AsRef<[u8]>, request: RequestContext) -> Result<ResponseHead, Reject> {
    let mut head = ResponseHead::new();
    match parse_response(text.as_ref(), request, &Limits::default(), &mut head)? {
        Parsed::Complete => Ok(head),
        Parsed::Partial => panic!("partial: {}", text.as_ref().escape_ascii()),
    }
}

fn check_rejected(text: &str, request: RequestContext, reason: RejectReason) {
    let reject = parse(text, request).expect_err(text);
    assert_eq!((reject.status, reject.reason), (502, reason), "{text:?}");
}

#[test]
fn start_lines_refused() {
    for (line, reason) in [
        ("\r\nHTTP/1.1 200 OK", R::LeadingWhitespace),
        (" HTTP/1.1 200 OK", R::LeadingWhitespace),
        ("ICY 200 OK", R::InvalidStatusLine),
        ("<html>", R::InvalidStatusLine),
        ("\0", R::InvalidStatusLine),
        ("http/1.1 200 OK", R::InvalidStatusLine),
        ("HTTP/1 200 OK", R::InvalidStatusLine),
        ("HTTP/11 200 OK", R::InvalidStatusLine),
        ("HTTP/1.1\t200 OK", R::InvalidStatusLine),
        ("HTTP/1.1  200 OK", R::InvalidStatusLine),
        ("HTTP/1.1 20 OK", R::InvalidStatusLine),
        ("HTTP/1.1 2000 OK", R::InvalidStatusLine),
        ("HTTP/1.1 099 OK", R::InvalidStatusLine),
        ("HTTP/1.1 -20 OK", R::InvalidStatusLine),
        ("HTTP/1.1 2x0 OK", R::InvalidStatusLine),
        ("HTTP/1.1 200\tOK", R::InvalidStatusLine),
        ("HTTP/1.1", R::InvalidStatusLine),
        ("HTTP/1.1 200\nA: b", R::BareLineFeed),
        ("HTTP/1.1 200 OK\nA: b", R::BareLineFeed),
        ("HTTP/1.1 200 O\rK", R::BareCarriageReturn),
        ("HTTP/1.1 200 O\0K", R::NulByte),
        ("HTTP/1.1 200 O\u{1b}K", R::ControlByte),
        ("HTTP/1.2 200 OK", R::InvalidVersion),
        ("HTTP/2.0 200 OK", R::UnsupportedVersion),
        ("HTTP/0.9 200 OK", R::UnsupportedVersion),
    ] {
        check_rejected(&format!("{line}\r\nContent-Length: 0\r\n\r\n"), GET, reason);
    }
}

#[test]
fn header_lines_refused() {
    for (lines, reason) in [
        (" A: b", R::WhitespaceBeforeHeaders),
        ("A: b\r\n c", R::ObsoleteFold),
        ("A : b", R::SpaceBeforeColon),
        (": b", R::EmptyHeaderName),
        ("A", R::MissingColon),
        ("A(: b", R::InvalidHeaderName),
        ("A: b\nC: d", R::BareLineFeed),
        ("A: b\rC: d", R::BareCarriageReturn),
        ("A: \0", R::NulByte),
        ("A: \u{8}", R::ControlByte),
        ("Content-Length:", R::InvalidContentLength),
        ("Content-Length: +1", R::InvalidContentLength),
        ("Content-Length: 1, 1", R::InvalidContentLength),
        ("Content-Length: 0x1", R::InvalidContentLength),
        ("Content-Length: 9223372036854775808", R::ContentLengthOverflow),
        ("Content-Length: 1\r\nContent-Length: 1", R::DuplicateContentLength),
        ("Content-Length: 1\r\nContent-Length: 2", R::DuplicateContentLength),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", R::LengthWithTransferEncoding),
        ("Transfer-Encoding: gzip", R::InvalidTransferEncoding),
        ("Transfer-Encoding: xchunked", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked, identity", R::InvalidTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", R::DuplicateTransferEncoding),
        ("Connection: Content-Length\r\nContent-Length: 1", R::ConnectionNamesFraming),
    ] {
        for request in [GET, HEAD, CONNECT] {
            check_rejected(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n"), request, reason);
            check_rejected(&format!("HTTP/1.1 304 \r\n{lines}\r\n\r\n"), request, reason);
        }
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_rejected(old, GET, R::TransferEncodingOnHttp10);
}

#[test]
fn limits_refuse() {
    let limits = Limits { head_bytes: 100, header_count: 2, ..Limits::default() };
    let long = "a".repeat(200);
    for (text, reason) in [
        (format!("HTTP/1.1 200 {long}"), R::HeadTooLarge),
        (format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n"), R::HeadTooLarge),
        ("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\n\r\n".to_owned(), R::TooManyHeaders),
    ] {
        let result = parse_response(text.as_bytes(), GET, &limits, &mut ResponseHead::new());
        let reject = result.unwrap_err();
        assert_eq!((reject.status, reject.reason), (502, reason), "{text}");
    }
}

#[test]
fn status_lines_pass() {
    for (line, version, status, reason) in [
        ("HTTP/1.1 200 OK", Version::Http11, 200, "OK"),
        ("HTTP/1.0 404 Not\tFound ", Version::Http10, 404, "Not\tFound "),
        ("HTTP/1.1 200 ", Version::Http11, 200, ""),
        ("HTTP/1.1 200", Version::Http11, 200, ""),
        ("HTTP/1.1 100", Version::Http11, 100, ""),
        ("HTTP/1.1 999 é", Version::Http11, 999, "é"),
    ] {
        let text = format!("{line}\r\n\r\nrest");
        let head = parse(&text, GET).unwrap_or_else(|reject| panic!("{line}: {reject}"));
        assert_eq!((head.version, head.status), (version, status), "{line}");
        assert_eq!(head.reason.of(text.as_bytes()), reason.as_bytes(), "{line}");
        assert_eq!(&text[head.head_length..], "rest");
    }
}

#[test]
fn bodies_are_framed_by_status_and_request() {
    use BodyFraming as F;
    for (start, lines, request, framing, keep_alive) in [
        ("1.1 200", "", GET, F::UntilClose, false),
        ("1.1 200", "Connection: keep-alive", GET, F::UntilClose, false),
        ("1.1 200", "Content-Length: 0", GET, F::Length(0), true),
        ("1.1 200", "Content-Length: 5", GET, F::Length(5), true),
        ("1.1 200", "Content-Length: 5\r\nConnection: close", GET, F::Length(5), false),
        ("1.1 200", "Transfer-Encoding: Chunked", GET, F::Chunked, true),
        ("1.1 205", "Content-Length: 0", GET, F::Length(0), true),
        ("1.1 500", "Content-Length: 5", UPGRADE, F::Length(5), true),
        ("1.0 200", "Content-Length: 5", GET, F::Length(5), false),
        ("1.0 200", "Content-Length: 5\r\nConnection: keep-alive", GET, F::Length(5), true),
        ("1.0 200", "", GET, F::UntilClose, false),
        ("1.1 200", "", HEAD, F::None, true),
        ("1.1 200", "Content-Length: 5", HEAD, F::None, true),
        ("1.1 200", "Transfer-Encoding: chunked", HEAD, F::None, true),
        ("1.1 304", "Content-Length: 5", GET, F::None, true),
        ("1.1 304", "", GET, F::None, true),
        ("1.1 204", "", GET, F::None, true),
        ("1.1 204", "Content-Length: 0", GET, F::None, true),
        ("1.1 100", "", GET, F::None, true),
        ("1.1 103", "Link: </a>", GET, F::None, true),
        ("1.1 404", "Content-Length: 5", CONNECT, F::Length(5), true),
    ] {
        let separator = if lines.is_empty() { "" } else { "\r\n" };
        let text = format!("HTTP/{start} X\r\n{lines}{separator}\r\n");
        let head = parse(&text, request).unwrap_or_else(|reject| panic!("{text}: {reject}"));
        assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{text}");
        assert!(!head.tunnel, "{text}");
        assert_eq!(head.is_interim(), head.status < 200, "{text}");
    }
}

#[test]
fn responses_without_a_body_may_not_announce_one() {
    for status in [100, 103, 199, 204] {
        for lines in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            for request in [GET, HEAD] {
                let text = format!("HTTP/1.1 {status} X\r\n{lines}\r\n\r\n");
                check_rejected(&text, request, R::UnexpectedBody);
            }
        }
    }
    check_rejected("HTTP/1.1 101 X\r\nContent-Length: 5\r\n\r\n", UPGRADE, R::UnexpectedBody);
    check_rejected("HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n", CONNECT, R::UnexpectedBody);

    // The harmless zero is accepted and not passed on.
    let text = "HTTP/1.1 204 X\r\nContent-Length: 0\r\nA: b\r\n\r\n";
    let head = parse(text, GET).unwrap();
    let runs: Vec<_> = head.headers.runs(crate::name::NameSet::EMPTY).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].of(text.as_bytes()), b"A: b\r\n");
}

#[test]
fn tunnels_open_only_when_asked_for() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes";
    let head = parse(switch, UPGRADE).unwrap();
    assert!(head.tunnel && !head.keep_alive && !head.is_interim());
    assert_eq!(head.framing, BodyFraming::None);
    assert_eq!(&switch[head.head_length..], "frames");
    check_rejected(switch, GET, R::UnexpectedUpgrade);
    check_rejected("HTTP/1.0 101 X\r\n\r\n", UPGRADE, R::UnexpectedUpgrade);

    let head = parse("HTTP/1.1 200 X\r\n\r\n", CONNECT).unwrap();
    assert!(head.tunnel && !head.keep_alive);
    assert_eq!(head.framing, BodyFraming::None);
}

#[test]
fn the_context_is_that_of_the_request_sent() {
    let mut request = RequestHead::new();
    let text = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    crate::parse_request(text, &Limits::default(), &mut request).unwrap();
    let context = RequestContext::of(&request);
    assert_eq!(context, RequestContext { method: Method::Head, upgrade: true });
}
