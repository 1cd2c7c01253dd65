//! Requests that the edge answers itself, and clients that it cuts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::harness::{Harness, Script};
use super::{OK, answers};
use crate::config::model::Address;
use crate::log::Level;

/// A deadline that shall pass.
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn what_cannot_be_framed_is_refused_and_nothing_forwarded() {
    let harness = Harness::start(&[answers(&[OK])], |config| {
        config.limits.body_bytes = Some(10);
    });
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n",
            413,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405),
    ] {
        let mut client = harness.connect();
        let response = client.send(request).read();
        assert_eq!(response.status, status, "{request:?}");
        if status != 405 {
            assert_eq!(response.header("connection"), Some("close"), "{request:?}");
            assert_eq!(client.stream.read(&mut [0; 8]).unwrap(), 0, "{request:?}");
        }
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000));
    assert_eq!(harness.connect().send(&long).read().status, 414);
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(40_000));
    assert_eq!(harness.connect().send(&large).read().status, 431);
    assert_eq!(harness.connections(0), 0, "nothing went to the server");
}

#[test]
fn refusals_speak_the_clients_language() {
    let harness = Harness::start(&[], |config| config.routes[0].path = "/only".to_owned());
    for (accept, media_type) in [
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
        let response = harness.connect().send(&request).read();
        assert_eq!((response.status, response.header("content-type")), (404, Some(media_type)));
        let id = response.header("x-request-id").unwrap().to_owned();
        assert!(String::from_utf8(response.body).unwrap().contains(&id));
    }
    let head = harness.connect().send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").read_head();
    assert_eq!(head.status, 404);
}

#[test]
fn deadlines_cut_slow_clients_and_servers() {
    let mute: Script = Arc::new(|connection, _| {
        connection.read_head();
        connection.read_to_end();
    });
    let harness = Harness::start(&[mute], |config| {
        config.timeouts.header = SHORT;
        config.timeouts.body = SHORT;
        config.timeouts.idle = SHORT;
        config.server_timeouts(|timeouts| timeouts.header = SHORT);
        config.retry_tries(1);
    });
    for (request, status) in [
        ("GET / HT", 408),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 408),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 504),
    ] {
        assert_eq!(harness.connect().send(request).read().status, status, "{request:?}");
    }
    // Idle: closed without a word.
    let mut seen = Vec::new();
    harness.connect().stream.read_to_end(&mut seen).unwrap();
    assert_eq!(seen.escape_ascii().to_string(), "");
}

#[test]
fn the_time_for_the_whole_request_covers_all_attempts() {
    let mute: Script = Arc::new(|connection, _| {
        connection.read_head();
        connection.read_to_end();
    });
    let harness = Harness::start(&[mute.clone(), mute], |config| {
        config.server_timeouts(|timeouts| timeouts.request = Some(Duration::from_millis(50)));
    });
    let response = harness.connect().get("/");
    assert_eq!(response.status, 504);
}

#[test]
fn bodies_of_any_size_take_bounded_memory_and_slow_readers_are_cut() {
    // Sends as fast as it is let, until it is not let any more.
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let (cut, seen) = std::sync::mpsc::channel();
    let script: Script = Arc::new(move |connection, _| {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n");
        let piece = "x".repeat(100_000);
        while connection.send(&piece) {
            counter.fetch_add(100_000, Ordering::SeqCst);
        }
        cut.send(()).unwrap();
    });
    let harness = Harness::start(&[script], |config| {
        config.timeouts.write = Duration::from_millis(100);
    });
    let mut client = harness.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Not a byte is read until the edge gives up, which the server notices, too.
    seen.recv_timeout(Duration::from_secs(20)).unwrap();
    let sent = sent.load(Ordering::SeqCst);
    // The kernel's buffers on both connections, at most 6 MiB each way, and ours.
    assert!(sent < 50_000_000, "{sent} bytes were taken from the server");
}

#[test]
fn silence_in_a_body_or_a_tunnel_is_cut() {
    let script: Script = Arc::new(|connection, _| {
        let head = connection.read_head();
        connection.send(if head.contains("Upgrade") {
            "HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhalf"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
        });
        connection.read_to_end();
    });
    let harness = Harness::start(&[script], |config| {
        config.server_timeouts(|timeouts| {
            (timeouts.body, timeouts.tunnel) = (SHORT, SHORT);
        });
    });
    for more in ["", "Connection: upgrade\r\nUpgrade: websocket\r\n"] {
        let mut client = harness.connect();
        client.send(&format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n"));
        let mut seen = Vec::new();
        client.stream.read_to_end(&mut seen).unwrap();
        assert!(seen.ends_with(b"\r\n\r\nhalf"), "{}", seen.escape_ascii());
    }
}

#[test]
fn a_server_that_takes_no_connection_in_time_is_not_reached() {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Until its queue is full, and the kernel does not answer any more.
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, SHORT) {
        queued.push(stream);
        assert!(queued.len() < 100);
    }
    let harness = Harness::start(&[answers(&[OK])], |config| {
        config.server_timeouts(|timeouts| timeouts.connect = SHORT);
        config.change_servers(|servers| servers[0].at = Address::Tcp(address));
    });
    let response = harness.connect().get("/");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
}

#[test]
fn a_server_that_does_not_read_stops_the_client_and_is_cut() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let script: Script = Arc::new(move |_, _| {
        let _ = held.lock().unwrap().recv();
    });
    let harness = Harness::start(&[script], |config| {
        config.server_timeouts(|timeouts| timeouts.header = Duration::from_millis(200));
    });
    let mut client = harness.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n");
    let (piece, mut sent) = ([b'x'; 100_000], 0);
    while client.stream.write_all(&piece).is_ok() {
        sent += piece.len();
    }
    assert!(sent < 50_000_000, "{sent} bytes were taken from the client");
    assert_eq!(harness.rejections("gateway_timeout"), 1);
    drop(hold);
}

#[test]
fn a_request_that_leads_back_here_is_refused_at_its_first_turn() {
    // Of a port on this address nobody else makes use.
    let own = std::net::TcpListener::bind("127.1.2.3:0").unwrap().local_addr().unwrap();
    let harness = Harness::start(&[answers(&[OK])], |config| {
        config.listen[0].bind = own;
        let itself = Address::Tcp(own);
        let mut detour = config.routes[0].clone();
        (detour.path, detour.strip_prefix) = ("/detour/".to_owned(), true);
        detour.service = "itself".to_owned();
        let mut round = detour.clone();
        (round.path, round.strip_prefix) = ("/round/".to_owned(), false);
        config.routes.extend([detour, round]);
        let mut service = (*config.services["web"]).clone();
        service.name = "itself".to_owned();
        if let crate::config::model::Source::Servers(servers) = &mut service.source {
            servers[0].at = itself;
        }
        config.services.insert("itself".to_owned(), Arc::new(service));
    });
    let mut client = harness.connect_to(own);
    let refused = client.get("/round/x");
    assert_eq!(refused.status, 508);
    let body = String::from_utf8(refused.body).unwrap();
    assert!(body.contains("leads back to the proxy itself"), "{body}");
    assert_eq!(harness.rejections("loop"), 1, "it went round");
    // What ends somewhere else may come by.
    assert_eq!(client.get("/detour/x").status, 200);
    assert!(harness.request(0).starts_with("GET /x HTTP/1.1"));
    // Nor does a connection that is kept from it lead round and round.
    assert_eq!(client.get("/round/x").status, 508);
    let told = crate::log::recent();
    let told: Vec<_> = told.iter().filter(|line| line.part == "itself").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let words = "is an address on which Plimsoll listens itself, so requests to service itself are";
    assert!(told[0].text.contains(words) && told[0].level == Level::Warn, "{told:?}");
}
