//! Servers that fail, and what becomes of the request.

use std::io::Read;
use std::sync::{Arc, Mutex, mpsc};

use super::harness::{Harness, Script};
use super::{OK, answers};

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
    let harness = Harness::start(&[answers(&[OK; 4])], |config| {
        config.add_dead_server();
        // Its turn again and again, but not twice for one request.
        config.change_servers(|servers| servers[0].weight = 100);
    });
    for _ in 0..4 {
        let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(harness.connect().send(request).read().status, 200);
    }
    let nobody = Harness::start(&[], |config| config.add_dead_server());
    let response = nobody.connect().get("/");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert_eq!(response.header("connection"), None, "the connection stays");
    assert_eq!(nobody.rejections("unreachable"), 1);
    // Who got through to one server and got no good answer is told of that.
    let garbage = answers(&["garbage\r\n\r\n"]);
    let half = Harness::start(&[garbage], |config| config.add_dead_server());
    for _ in 0..2 {
        assert_eq!(half.connect().get("/").status, 502, "whichever is tried first");
    }
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
fn a_second_response_to_one_request_is_no_answer_to_the_next() {
    const ROGUE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrogue";
    for method in ["GET", "POST"] {
        for late in [false, true] {
            let (ask, asked) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel::<()>();
            let asked = Mutex::new(asked);
            let script: Script = Arc::new(move |connection, number| {
                while connection.read_request().is_some() {
                    if number > 0 {
                        connection.send(OK);
                    } else if late {
                        connection.send(OK);
                        // Only once the client has the first one is the connection idle.
                        asked.lock().unwrap().recv().unwrap();
                        connection.send(ROGUE);
                        tell.send(()).unwrap();
                    } else {
                        connection.send(&format!("{OK}{ROGUE}"));
                    }
                }
            });
            let harness = Harness::start(&[script], |config| config.workers = 1);
            let mut client = harness.connect();
            assert_eq!(client.get("/").body, b"ok");
            if late {
                ask.send(()).unwrap();
                told.recv().unwrap();
            }
            // It has arrived before this request, so the event loop learns of it no later.
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(client.send(&request).read().body, b"ok", "{method}, late: {late}");
            assert_eq!(harness.connections(0), 2, "{method}, late: {late}");
        }
    }
}
