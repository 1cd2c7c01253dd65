//! Requests that two parsers could read differently: refused, closed, and nothing forwarded.

use crate::harness::Plimsoll;
use crate::http::Connection;
use crate::upstream::{Upstream, ok, service};

const BODY: &str = "GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n";

/// Heads (and what follows) with the status they must get.
const REFUSED: &[(&str, u16)] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabcd", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabcd", 400),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: a\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /#fragment HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.2.3\r\nHost: a\r\n\r\n", 400),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
];

/// Bodies after `Transfer-Encoding: chunked` with the status they must get.
const REFUSED_BODIES: &[&str] = &[
    "\r\nabc\r\n0\r\n\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "+3\r\nabc\r\n0\r\n\r\n",
    "-3\r\nabc\r\n0\r\n\r\n",
    " 3\r\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "10000000000000000\r\nabc\r\n0\r\n\r\n",
    "3\nabc\r\n0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "0\r\nContent-Length: 4\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\nContent_Length: 4\r\n\r\n",
    "0\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n",
    "0\r\nBad Name: x\r\n\r\n",
];

fn echo() -> Upstream {
    Upstream::answering(|_| ok("reached"))
}

#[test]
fn ambiguous_heads_are_refused_and_nothing_is_forwarded() {
    let server = echo();
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for (bytes, status) in REFUSED {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(format!("{bytes}{BODY}"));
        let response = connection.response("GET").unwrap_or_else(|| panic!("no reply: {bytes:?}"));
        assert_eq!(response.status, *status, "{bytes:?}");
        assert_eq!(response.header("connection"), Some("close"), "{bytes:?}");
        assert!(connection.rest().is_empty(), "went on after {bytes:?}");
    }
    assert_eq!(server.seen().len(), 0, "{:?}", server.seen());
    assert_eq!(plimsoll.get("/").text(), "reached");
}

#[test]
fn ambiguous_bodies_are_refused_and_never_completed() {
    let server = echo();
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for body in REFUSED_BODIES {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(format!(
            "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{BODY}"
        ));
        let response = connection.response("POST").unwrap_or_else(|| panic!("no reply: {body:?}"));
        assert_eq!(response.status, 400, "{body:?}");
        assert!(connection.rest().is_empty(), "went on after {body:?}");
    }
    assert_eq!(server.seen().len(), 0, "{:?}", server.seen());
}

#[test]
fn what_is_too_large_says_so() {
    let server = echo();
    let plimsoll = Plimsoll::up(&format!(
        "limits = {{ head = \"4KiB\", header_count = 20, target = \"1KiB\", \
         body = \"1KiB\", trailers = \"256B\", chunk_line = \"256B\" }}\n{}",
        service(&[&server], "")
    ));
    let long = "x".repeat(8000);
    let many = "X: y\r\n".repeat(30);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let short = "x".repeat(400);
    for (bytes, status) in [
        (format!("GET /{short} HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (format!("GET /{short}{short}{short} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n".to_owned(), 413),
        (format!("{chunked}7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000)), 413),
        (format!("{chunked}1;{short}\r\nx\r\n0\r\n\r\n"), 413),
        (format!("{chunked}1\r\nx\r\n0\r\nX: {short}\r\n\r\n"), 431),
    ] {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(&bytes);
        let response = connection.response("GET").unwrap();
        assert_eq!(response.status, status, "{}", &bytes[..bytes.len().min(100)]);
    }
}

#[test]
fn what_is_legal_passes() {
    let server = Upstream::answering(|request| {
        ok(if request.body == b"hello" { "hello" } else { "reached" })
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for (bytes, text) in [
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "reached"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "reached"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \x7e\r\n\r\n", "reached"),
        ("GET / HTTP/1.0\r\n\r\n", "reached"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             2;name=value\r\nhe\r\n3;x\r\nllo\r\n0\r\nX-Trailer: y\r\n\r\n",
            "hello",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello"),
    ] {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(bytes);
        let response = connection.response("GET").unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, text), "{bytes:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Upstream::answering(|request| ok(request.path()));
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut connection = Connection::open(plimsoll.traffic);
    let requests: String =
        (0..50).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    connection.send(requests);
    for number in 0..50 {
        assert_eq!(connection.response("GET").unwrap().text(), format!("/{number}"));
    }
}
