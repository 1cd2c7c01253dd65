//! Requests that are sent again: to whom, when, and when not.

use std::sync::Arc;
use std::time::Duration;

use super::harness::{Harness, Script};
use super::{OK, answers};

/// A server that reads each request whole and then does not answer it as it should.
fn bad(how: &'static str) -> Script {
    Arc::new(move |connection, _| {
        while connection.read_request().is_some() {
            match how {
                "silent" => {
                    connection.read_to_end();
                }
                "closing" => return,
                text => {
                    connection.send(text);
                    return;
                }
            }
        }
    })
}

#[test]
fn another_server_answers_for_one_that_fails() {
    for how in ["silent", "closing", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let start = |repeats: bool| {
            Harness::start(&[bad(how), answers(&[OK; 4])], |config| {
                config.workers = 1;
                config.server_timeouts(|timeouts| timeouts.header = Duration::from_millis(500));
                config.retry(|retry| {
                    (retry.on_timeout, retry.on_invalid_header) = (repeats, repeats);
                    retry.on_connect = repeats;
                });
            })
        };
        let harness = start(true);
        for _ in 0..2 {
            let response = harness.connect().get("/");
            assert_eq!((response.status, response.header("x-served-by")), (200, Some("s2")));
        }
        assert!(harness.connections(0) > 0, "{how:?}: the bad one was never asked");
        // Not where the service does not want it.
        let harness = start(false);
        let mut statuses: Vec<u16> = (0..2).map(|_| harness.connect().get("/").status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, if how == "silent" { 504 } else { 502 }], "{how:?}");
    }
}

#[test]
fn a_body_is_sent_again_while_all_of_it_is_kept() {
    for (length, status) in [(100, 200), (100_000, 502)] {
        let harness = Harness::start(&[bad("closing"), answers(&[OK; 2])], |config| {
            config.workers = 1;
            config.retry(|retry| retry.body_buffer_bytes = 1_000);
        });
        let body = "x".repeat(length);
        let request =
            format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut statuses: Vec<u16> =
            (0..2).map(|_| harness.connect().send(&request).read().status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, status], "{length} bytes");
        // Each that got an answer was there whole.
        let seen = harness.request(1);
        let whole = seen.split("\r\n\r\n").filter(|part| part.starts_with(&body)).count();
        assert_eq!(whole, if status == 200 { 2 } else { 1 }, "{length} bytes");
    }
}

#[test]
fn a_service_may_say_that_its_other_methods_are_idempotent_too() {
    for (said, worst) in [(false, 502), (true, 200)] {
        let harness = Harness::start(&[bad("closing"), answers(&[OK; 2])], |config| {
            config.workers = 1;
            config.retry(|retry| retry.non_idempotent = said);
        });
        let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        let statuses: Vec<u16> =
            (0..2).map(|_| harness.connect().send(request).read().status).collect();
        assert_eq!(statuses.iter().max(), Some(&worst), "said: {said}");
    }
}

#[test]
fn no_attempt_begins_after_the_time_for_attempts() {
    let harness = Harness::start(&[bad("closing"), answers(&[OK; 2])], |config| {
        config.workers = 1;
        config.retry(|retry| retry.within = Duration::ZERO);
    });
    let mut statuses: Vec<u16> = (0..2).map(|_| harness.connect().get("/").status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
}
