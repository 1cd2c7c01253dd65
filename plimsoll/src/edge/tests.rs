//! The running edge against servers made by hand: real sockets, one script a server.

mod harness;
mod large_bodies;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Edge;
use crate::config::model::{AccessLog, AccessLogFormat, Balance, HashKey, LogTarget, Route};
use harness::{Harness, Script, config, read_response};

/// A server that answers each request on a connection with the next of these texts.
fn answers(texts: &'static [&'static str]) -> Script {
    Arc::new(move |connection, _| {
        for text in texts {
            if connection.read_request().is_none() {
                return;
            }
            connection.send(text);
        }
    })
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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
fn a_stale_connection_is_replaced_without_the_client_noticing() {
    // Each connection serves one request and is then closed without notice.
    let script: Script = Arc::new(|connection, _| {
        connection.read_request();
        connection.send(OK);
    });
    let harness = Harness::start(&[script], |config| config.retry_tries(1));
    let mut client = harness.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn a_request_that_may_have_been_done_is_not_repeated() {
    // Takes the whole request, then closes without a word.
    let silent: Script = Arc::new(|connection, _| {
        connection.read_request();
    });
    let harness = Harness::start(&[silent.clone(), silent, answers(&[OK])], |_| {});
    let mut client = harness.connect();
    assert_eq!(client.get("/").status, 200, "an idempotent one goes on to the next server");
    let response = client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").read();
    let requests: usize = (0..3).map(|server| harness.connections(server)).sum();
    assert!(response.status == 502 || response.status == 200, "{}", response.status);
    assert!(requests <= 4, "{requests} attempts");
}

#[test]
fn a_server_that_cannot_be_reached_is_passed_over_for_any_method() {
    let harness = Harness::start(&[answers(&[OK; 4])], |config| config.add_dead_server());
    for _ in 0..4 {
        let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(harness.connect().send(request).read().status, 200);
    }
    let nobody = Harness::start(&[], |config| config.add_dead_server());
    let response = nobody.connect().get("/");
    assert_eq!(response.status, 502);
    assert_eq!(response.header("connection"), None, "the connection stays");
    let empty = Harness::start(&[], |_| {});
    let response = empty.connect().get("/");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
}

#[test]
fn listed_statuses_are_repeated_and_the_last_one_is_passed_on() {
    let bad: Script = answers(&["HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"]);
    let harness = Harness::start(&[bad.clone(), answers(&[OK])], |config| {
        config.retry(|retry| retry.on_statuses = vec![503]);
    });
    for _ in 0..4 {
        assert_eq!(harness.connect().get("/").status, 200);
    }
    let all_bad = Harness::start(&[bad.clone(), bad], |config| {
        config.retry(|retry| retry.on_statuses = vec![503]);
    });
    let response = all_bad.connect().get("/");
    assert_eq!((response.status, response.body.as_slice()), (503, &b"busy"[..]));
}

#[test]
fn a_truncated_body_breaks_the_clients_connection() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        for version in ["1.1", "1.0"] {
            let script: Script = Arc::new(move |connection, _| {
                connection.read_request();
                connection.send(text);
            });
            let harness = Harness::start(&[script], |_| {});
            let mut client = harness.connect();
            client.send(&format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
            let mut seen = Vec::new();
            let ended = client.stream.read_to_end(&mut seen);
            let seen = seen.escape_ascii().to_string();
            if version == "1.0" && text.contains("chunked") {
                assert!(ended.is_err(), "{text:?}: the end of {seen} looks clean");
            } else {
                assert!(seen.contains("half"), "{text:?}: what there was is lost: {seen}");
                assert!(!seen.ends_with("0\\r\\n\\r\\n"), "{text:?}: {seen} looks complete");
                assert_eq!(seen.contains("Content-Length: 10"), text.contains("Length"));
            }
        }
    }
}

#[test]
fn a_response_that_is_seen_to_be_broken_in_time_becomes_a_502() {
    let texts = [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxx\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ];
    for text in texts {
        let script: Script = Arc::new(move |connection, _| {
            connection.read_request();
            connection.send(text);
        });
        let harness = Harness::start(&[script], |_| {});
        let response = harness.connect().get("/");
        assert_eq!(response.status, 502, "{text:?}");
        assert_eq!(response.header("x-served-by"), None, "the answer is ours");
    }
}

#[test]
fn a_cookie_can_bind_a_client_to_a_server() {
    let harness = Harness::start(&[answers(&[OK; 40]), answers(&[OK; 40])], |config| {
        config.balance(Balance::Hash(HashKey::Cookie("session".to_owned())));
    });
    let mut served = std::collections::BTreeSet::new();
    for session in 0..8 {
        let request =
            format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=1; session=s{session}\r\n\r\n");
        let mut servers: Vec<String> = (0..3)
            .map(|_| harness.connect().send(&request).read())
            .map(|response| response.header("x-served-by").unwrap().to_owned())
            .collect();
        servers.dedup();
        assert_eq!(servers.len(), 1, "session {session} went to {servers:?}");
        served.extend(servers);
    }
    assert_eq!(served.len(), 2, "all sessions went to {served:?}");
}

#[test]
fn the_access_log_has_every_request_but_those_of_quiet_routes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let harness = Harness::start(&[answers(&[OK; 4])], |config| {
        let to = LogTarget::File(path.clone());
        config.access_log = Some(AccessLog { to, format: AccessLogFormat::Combined });
        let quiet = config.routes[0].clone();
        config.routes.push(Route { path: "/quiet".to_owned(), access_log: false, ..quiet });
    });
    let mut client = harness.connect();
    client.get("/loud");
    client.get("/quiet");
    harness.connect().send("nonsense\r\n\r\n").read();
    harness.drain(Duration::from_secs(5));
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(log.contains("\"GET /loud HTTP/1.1\" 200 2 \"-\" \"-\" web s1 0."), "{log}");
    assert!(log.contains("\"-\" 400 "), "{log}");
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
    let short = Duration::from_millis(50);
    let harness = Harness::start(&[mute], |config| {
        config.timeouts.header = short;
        config.timeouts.body = short;
        config.timeouts.idle = short;
        config.server_timeouts(|timeouts| timeouts.header = short);
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
fn a_reload_changes_routes_and_listeners_under_open_connections() {
    let harness = Harness::start(&[answers(&[OK, OK, OK, OK])], |_| {});
    let mut client = harness.connect();
    assert_eq!(client.get("/").status, 200);
    let before = addresses(&harness.edge);
    let mut changed = (*harness.config).clone();
    changed.routes[0].path = "/new".to_owned();
    changed.routes[0].strip_prefix = true;
    let mut second = changed.listen[0].clone();
    second.name = "second".to_owned();
    changed.listen.push(second);
    harness.edge.apply(Arc::new(changed.clone())).unwrap();
    assert_eq!(client.get("/").status, 404, "the open connection sees the new routes");
    assert_eq!(client.get("/new/x?y").status, 200);
    assert!(harness.request(0).contains("GET /x?y HTTP/1.1"));
    let after = addresses(&harness.edge);
    assert_eq!((after.len(), after[0]), (2, before[0]));
    let mut other = harness.connect_to(after[1]);
    assert_eq!(other.get("/new").status, 200);
    changed.listen.remove(0);
    harness.edge.apply(Arc::new(changed)).unwrap();
    assert_eq!(client.get("/new").status, 200, "connections outlive their listener");
    assert_eq!(addresses(&harness.edge), after[1..]);
}

#[test]
fn a_drain_finishes_what_is_begun_and_reports_what_it_cuts() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (arrived, seen) = std::sync::mpsc::channel::<()>();
    let script: Script = Arc::new(move |connection, number| {
        let head = connection.read_head();
        let _ = arrived.send(());
        if head.contains("Upgrade") {
            connection.send("HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
        } else if number == 0 {
            let _ = held.lock().unwrap().recv();
            connection.send(OK);
        }
        connection.read_to_end();
    });
    let harness = Harness::start(&[script], |config| config.workers = 1);
    let mut idle = harness.connect();
    let mut finishing = harness.connect();
    finishing.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.recv().unwrap();
    let mut stuck = harness.connect();
    stuck.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.recv().unwrap();
    let mut tunnel = harness.connect();
    tunnel.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(tunnel.read().status, 101);
    let draining = std::thread::scope(|scope| {
        let drain = scope.spawn(|| harness.drain(Duration::from_millis(300)));
        assert_eq!(idle.stream.read(&mut [0; 8]).unwrap(), 0, "idle connections are closed");
        release.send(()).unwrap();
        let response = finishing.read();
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        drain.join().unwrap()
    });
    assert_eq!((draining.requests, draining.tunnels), (1, 1));
    assert!(TcpStream::connect(harness.address()).is_err(), "nobody listens any more");
}

#[test]
fn a_port_in_use_is_refused_even_among_ourselves() {
    let harness = Harness::start(&[], |_| {});
    let mut config = config(&[]);
    config.listen[0].bind = harness.address();
    config.listen[0].name = ":9999".to_owned();
    let error = super::Edge::bind(&config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on :9999: the port is in use by another program; \
         stop that one (`ss -ltnp` shows it) or choose another port"
    );
}

#[test]
fn counters_add_up() {
    let harness = Harness::start(&[answers(&[OK, OK])], |_| {});
    let mut client = harness.connect();
    client.get("/");
    client.get("/");
    harness.connect().send("nonsense\r\n\r\n").read();
    let report = harness.drain(Duration::from_secs(5));
    assert_eq!((report.requests, report.tunnels), (0, 0));
    let mut out = tsdb::exposition::Exposition::new();
    harness.edge.expose(&mut out);
    let text = out.finish();
    for line in [
        "plimsoll_service_requests_total{service=\"web\",code=\"200\",method=\"GET\",protocol=\"http/1.1\"} 2",
        "plimsoll_server_requests_total{service=\"web\",server=\"s1\",code=\"200\",method=\"GET\",protocol=\"http/1.1\"} 2",
        "plimsoll_server_responses_bytes_total{service=\"web\",server=\"s1\"} 4",
        "plimsoll_rejected_requests_total{reason=\"malformed\"} 1",
        "plimsoll_service_request_duration_seconds_count{service=\"web\"} 2",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let snapshot = harness.edge.snapshot();
    assert_eq!(snapshot.requests_total, 3);
    assert_eq!(snapshot.services["web"].servers["s1"].requests_total, 2);
    assert_eq!(snapshot.services["web"].in_flight, 0);
}

#[test]
fn responses_can_be_read_by_the_harness() {
    let mut bytes =
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nrest"[..];
    let mut rest = Vec::new();
    let response = read_response(&mut bytes, &mut rest, false);
    assert_eq!((response.body.as_slice(), rest.as_slice()), (&b"ok"[..], &b"rest"[..]));
}

fn addresses(edge: &Edge) -> Vec<SocketAddr> {
    edge.listeners().into_iter().map(|(_, address)| address).collect()
}
