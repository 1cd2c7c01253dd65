//! Bodies that go through a pipe rather than through our buffers: every byte, in order, and none of
//! another's.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::harness::{Harness, Script, ServerConnection, read_response};

const LENGTH: usize = 3_000_000;

/// Bytes whose order, and whose body, can be told.
fn body(seed: usize) -> String {
    (0..LENGTH)
        .map(|index| char::from(b'a' + ((index * (seed + 1) + index / 251) % 26) as u8))
        .collect()
}

fn respond(connection: &mut ServerConnection, body: &str, announced: usize) -> bool {
    connection.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n"))
        && connection.send(body)
}

/// Answers the nth request of a connection with the nth body.
fn bodies() -> Script {
    Arc::new(|connection, _| {
        for seed in 0.. {
            if connection.read_request().is_none() || !respond(connection, &body(seed), LENGTH) {
                return;
            }
        }
    })
}

#[test]
fn large_responses_follow_each_other_on_the_same_connections() {
    let harness = Harness::start(&[bodies()], |_| {});
    let mut client = harness.connect();
    for seed in 0..3 {
        let response = client.get("/");
        assert!(response.body == body(seed).as_bytes(), "body {seed} is not what was sent");
    }
    assert_eq!(harness.connections(0), 1);
}

#[test]
fn a_pipelined_request_behind_a_large_body_is_the_next_request() {
    let script: Script = Arc::new(|connection, _| {
        while let Some((head, body)) = connection.read_request_with_body() {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let sum = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            let text = format!("{path} {} {sum}", body.len());
            connection
                .send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
        }
    });
    let harness = Harness::start(&[script], |_| {});
    let mut client = harness.connect();
    let sum = body(1).bytes().map(u64::from).sum::<u64>();
    let head = format!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n");
    let sent = head + &body(1) + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut sending = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || sending.write_all(sent.as_bytes()));
    assert_eq!(client.read().body, format!("/first {LENGTH} {sum}").as_bytes());
    assert_eq!(client.read().body, b"/second 0 0");
    sender.join().unwrap().unwrap();
    assert_eq!(harness.connections(0), 1);
}

#[test]
fn a_large_response_that_ends_early_is_passed_on_as_far_as_it_came() {
    let script: Script = Arc::new(|connection, _| {
        connection.read_request();
        respond(connection, &body(0), LENGTH + 1);
    });
    let harness = Harness::start(&[script], |_| {});
    let mut client = harness.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut seen = Vec::new();
    client.stream.read_to_end(&mut seen).unwrap();
    let text = String::from_utf8(seen).unwrap();
    let (head, received) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", LENGTH + 1)), "{head}");
    assert!(received == body(0), "{} of {LENGTH} bytes came", received.len());
}

#[test]
fn a_client_that_leaves_takes_its_bytes_along() {
    // The first client reads nothing, so that its pipe is full when it is cut off.
    let (over, seen) = mpsc::channel();
    let script: Script = Arc::new(move |connection, number| {
        connection.read_request();
        let times = if number == 0 { 50 } else { 1 };
        let all = respond(connection, "", times * LENGTH)
            && (0..times).all(|_| connection.send(&body(number)));
        over.send(all).unwrap();
    });
    let harness = Harness::start(&[script], |config| {
        config.timeouts.write = Duration::from_millis(100);
    });
    let mut absent = harness.connect();
    absent.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let all = seen.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(!all, "150 MB were taken for a client that reads nothing");
    let mut next = harness.connect();
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = read_response(&mut next.stream, &mut Vec::new(), false);
    assert!(response.body == body(1).as_bytes(), "the next client got other bytes");
}

#[test]
fn a_server_that_stops_reading_a_large_request_may_still_answer() {
    let script: Script = Arc::new(|connection, _| {
        connection.read_head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch");
        // Held open, unread, until the edge gives it up.
        connection.read_to_end();
    });
    let harness = Harness::start(&[script], |_| {});
    let mut client = harness.connect();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", LENGTH * 10);
    client.send(&head).send(&body(0)[..200_000]);
    let response = client.read();
    assert_eq!((response.status, response.body.as_slice()), (413, &b"much"[..]));
}

#[test]
fn a_slow_reader_gets_the_last_byte() {
    // More than the sockets hold, to a client that is always behind: the end waits in the pipe.
    const TIMES: usize = 10;
    let script: Script = Arc::new(|connection, _| {
        connection.read_request();
        respond(connection, &body(0).repeat(TIMES), TIMES * LENGTH);
        connection.read_request();
    });
    let harness = Harness::start(&[script], |_| {});
    let mut client = harness.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let mut received = 0;
    let mut piece = [0; 1024];
    while received < TIMES * LENGTH {
        let count = client.stream.read(&mut piece).unwrap();
        assert!(count > 0, "the body ended {} bytes early", TIMES * LENGTH - received);
        received += count;
    }
}

#[test]
fn a_slow_reader_that_ended_its_side_gets_the_last_byte() {
    const TIMES: usize = 10;
    let script: Script = Arc::new(|connection, _| {
        if connection.read_head().starts_with("GET /large ") {
            respond(connection, &body(0).repeat(TIMES), TIMES * LENGTH);
        }
        connection.read_to_end();
    });
    let harness = Harness::start(&[script], |config| config.workers = 1);
    let open = |path: &str| {
        let mut client = harness.connect();
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.stream.shutdown(Shutdown::Write).unwrap();
        client
    };
    let slow = open("/large");
    // While all of it goes to another, the sockets of the slow reader have filled up.
    let large = harness.connect().get("/large").body;
    // Who waits for a head is asked when the time is over in which a server has to go on.
    assert_eq!(open("/silent").read().status, 100);
    let response = read_response(&mut &slow.stream, &mut Vec::new(), false);
    assert!(response.body == large, "{} bytes came of {}", response.body.len(), large.len());
}
