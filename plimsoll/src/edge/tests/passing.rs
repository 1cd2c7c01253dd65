//! What passes through unharmed: connections, heads, bodies, tunnels.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use super::harness::{Harness, Script};
use super::{OK, answers};

#[test]
fn requests_on_one_connection_use_one_connection_behind() {
    let harness = Harness::start(&[answers(&[OK, OK, OK])], |_| {});
    let mut client = harness.connect();
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!((response.status, response.body.as_slice()), (200, &b"ok"[..]));
        assert_eq!(response.header("x-served-by"), Some("s1"));
        assert!(response.header("x-request-id").is_some_and(|id| id.len() == 32));
        assert_eq!(response.header("connection"), None);
    }
    assert_eq!(harness.connections(0), 1);
}

#[test]
fn forwarding_headers_are_ours_unless_the_peer_is_trusted() {
    let request = "GET /x?y HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 198.51.100.1\r\n\
                   X_Forwarded-For: 6.6.6.6\r\nX-Request-Id: abc\r\nForwarded: for=6.6.6.6\r\n\
                   Connection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
                   Cookie: a_b=c\r\nMy_Own: 1\r\n\r\n";
    let harness = Harness::start(&[answers(&[OK])], |_| {});
    harness.connect().send(request).read();
    let seen = harness.request(0);
    assert!(seen.starts_with("GET /x?y HTTP/1.1\r\nHost: a.example\r\n"), "{seen}");
    for wanted in [
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "X-Forwarded-Proto: http\r\n",
        "X-Forwarded-Host: a.example\r\n",
        "Traceparent: 00-",
        "Cookie: a_b=c\r\n",
        "My_Own: 1\r\n",
    ] {
        assert!(seen.contains(wanted), "{wanted:?} is not in {seen}");
    }
    for foreign in
        ["6.6.6.6", "198.51.100.1", "abc", "Private", "Keep-Alive", "Connection", "Forwarded: "]
    {
        assert!(!seen.contains(foreign), "{foreign:?} is in {seen}");
    }
    let trusting = Harness::start(&[answers(&[OK])], |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.headers.forwarded = true;
    });
    let response = trusting.connect().send(request).read();
    assert_eq!(response.header("x-request-id"), Some("abc"));
    let seen = trusting.request(0);
    assert!(seen.contains("X-Forwarded-For: 198.51.100.1, 127.0.0.1\r\n"), "{seen}");
    assert!(seen.contains("X-Request-Id: abc\r\n"), "{seen}");
    let forwarded = "Forwarded: for=6.6.6.6, for=127.0.0.1;host=\"a.example\";proto=http\r\n";
    assert!(seen.contains(forwarded), "{seen}");
}

#[test]
fn bodies_are_framed_as_the_client_can_read_them() {
    let until_close: Script = Arc::new(|connection, _| {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\n\r\nuntil close");
    });
    let chunked =
        answers(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                             5;ext=1\r\nuntil\r\n6\r\n close\r\n0\r\nX-Sum: 11\r\n\r\n"]);
    for script in [until_close, chunked] {
        let harness = Harness::start(&[script], |config| config.workers = 1);
        let mut client = harness.connect();
        let response = client.get("/");
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        assert_eq!(response.body, b"until close");
        let mut old = harness.connect();
        old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let mut seen = Vec::new();
        old.stream.read_to_end(&mut seen).unwrap();
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains("Connection: close\r\n"), "{seen}");
        assert!(seen.ends_with("\r\n\r\nuntil close"), "{seen}");
        assert!(harness.request(1).contains("Host: web\r\n"), "a host for HTTP/1.0");
    }
}

#[test]
fn trailers_pass_both_ways() {
    let echo: Script = Arc::new(|connection, _| {
        connection.read_request();
        connection.read_until(b"\r\n\r\n");
        connection
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 7\r\n\r\n");
    });
    let harness = Harness::start(&[echo], |_| {});
    let mut client = harness.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Mine: 1\r\n\r\n",
    );
    let seen = client.read_text(b"X-Sum: 7\r\n\r\n");
    assert!(seen.contains("0\r\nX-Sum: 7\r\n\r\n"), "{seen}");
    let request = harness.request(0);
    assert!(request.contains("TE: trailers\r\nConnection: TE\r\n"), "{request}");
    assert!(request.ends_with("2\r\nhi\r\n0\r\nX-Mine: 1\r\n\r\n"), "{request}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let script: Script = Arc::new(|connection, _| {
        while let Some(request) = connection.read_request() {
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let length = path.len();
            connection.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}"));
        }
    });
    let harness = Harness::start(&[script.clone(), script], |_| {});
    let mut client = harness.connect();
    let requests: String = (0..50)
        .map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
        .collect();
    client.send(&requests);
    for number in 0..50 {
        assert_eq!(client.read().body, format!("/{number}").as_bytes());
    }
}

#[test]
fn interim_responses_and_early_finals_are_passed_on() {
    let script: Script = Arc::new(|connection, number| {
        connection.read_head();
        if number == 0 {
            connection.send("HTTP/1.1 100 Continue\r\n\r\n");
            connection.read_until(b"hello");
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            connection.send(OK);
        } else {
            connection.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let harness = Harness::start(&[script], |_| {});
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let mut client = harness.connect();
    client.send(head);
    assert_eq!(client.read().status, 100);
    client.send("hello");
    let hints = client.read();
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a>")));
    assert_eq!(client.read().status, 200);
    // The second one refuses before the body: the answer comes, and then the end.
    let mut refused = harness.connect();
    let response = refused.send(head).read();
    assert_eq!((response.status, response.header("connection")), (403, Some("close")));
    assert_eq!(refused.stream.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn large_bodies_pass_both_ways_at_once() {
    // Echoes while it reads, so that neither side gets ahead by more than the buffers.
    let script: Script = Arc::new(|connection, _| {
        let head = connection.read_head();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .and_then(|length| length.parse().ok())
            .unwrap_or_default();
        connection.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        connection.echo(length);
    });
    let harness = Harness::start(&[script], |_| {});
    let body: Vec<u8> = (0..8_000_000u32).map(|number| (number % 251) as u8).collect();
    let mut client = harness.connect();
    client.send(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    let mut sending = client.stream.try_clone().unwrap();
    let sent = body.clone();
    let sender = std::thread::spawn(move || sending.write_all(&sent));
    let response = client.read();
    sender.join().unwrap().unwrap();
    assert!(response.body == body, "{} bytes came back", response.body.len());
}

#[test]
fn an_upgrade_becomes_a_tunnel_only_after_101() {
    let script: Script = Arc::new(|connection, number| {
        let head = connection.read_head();
        if number == 0 {
            assert!(head.contains("Connection: upgrade\r\n"), "{head}");
            assert!(head.contains("Upgrade: websocket\r\n"), "{head}");
            connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                 Upgrade: websocket\r\n\r\nfirst",
            );
            let rest = connection.read_to_end();
            connection.send(&format!("got {rest}"));
        } else {
            connection.send(OK);
        }
    });
    let harness = Harness::start(&[script], |_| {});
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut client = harness.connect();
    client.send(&format!("{request}early "));
    assert_eq!(client.read().status, 101);
    client.send("late");
    client.stream.shutdown(Shutdown::Write).unwrap();
    let mut seen = client.take_rest();
    client.stream.read_to_end(&mut seen).unwrap();
    assert_eq!(seen.escape_ascii().to_string(), "firstgot early late");
    let mut refused = harness.connect();
    assert_eq!(refused.send(request).read().body, b"ok");
}

#[test]
fn options_and_trace_go_as_far_as_max_forwards_says() {
    let harness = Harness::start(&[answers(&[OK; 8])], |config| config.workers = 1);
    let mut client = harness.connect();
    let mut ask = |line: &str, forwards: &str| {
        client
            .send(&format!("{line} HTTP/1.1\r\nHost: a\r\nMax-Forwards: {forwards}\r\n\r\n"))
            .read()
    };
    let ours = ask("OPTIONS *", "0");
    assert_eq!((ours.status, ours.header("allow").is_some()), (200, true));
    assert_eq!(ask("TRACE /", "000").status, 405);
    assert_eq!(harness.request(0), "", "nothing of it is forwarded");
    for (line, given, passed) in [
        ("OPTIONS /a", "1", "0"),
        ("TRACE /b", "10", "9"),
        ("TRACE /c", "99999999999999999999999", "18446744073709551614"),
        ("OPTIONS /d", "many", "many"),
        ("GET /e", "0", "0"),
    ] {
        assert_eq!(ask(line, given).body, b"ok", "{line}");
        let seen = harness.request(0);
        let seen = &seen[seen.find(line).unwrap()..];
        let wanted = format!("Max-Forwards: {passed}\r\n");
        assert_eq!(seen.matches("Max-Forwards").count(), 1, "{seen}");
        assert!(seen.contains(&wanted), "{wanted} is not in {seen}");
    }
}

#[test]
fn what_a_server_says_to_its_neighbour_alone_goes_no_further() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
                          Keep-Alive: timeout=5\r\nX-Served-By: other\r\nX-Request-Id: other\r\n\
                          Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok";
    for tells in [true, false] {
        let harness = Harness::start(&[answers(&[ANSWER])], |config| {
            config.headers.served_by = tells;
        });
        let response = harness.connect().get("/");
        for name in ["connection", "x-hop", "keep-alive"] {
            assert_eq!(response.header(name), None);
        }
        assert_eq!(response.header("set-cookie"), Some("a=b"));
        assert_eq!(response.header("x-served-by"), Some(if tells { "s1" } else { "other" }));
        assert_ne!(response.header("x-request-id"), Some("other"));
    }
}
