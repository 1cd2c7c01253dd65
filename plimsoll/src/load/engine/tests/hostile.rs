//! Servers that never come to an end, or say more than anybody wants to hear: a run ends all the
//! same, and its other users go on.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use futures_util::SinkExt;
use http::Response;
use regex::Regex;
use tokio_tungstenite::tungstenite;

use super::peer::{get, plan, results_at_last, serve, users, users_each};
use crate::config::bench::model::*;
use crate::load::client::peers::listener;
use crate::load::tally::Failure;
use crate::net;

/// A server on a thread for each connection that says the first text, and then the second for ever.
fn flood(first: &'static str, again: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let again = again.repeat(64 * 1024 / again.len());
                let mut outcome = stream.write_all(first.as_bytes());
                while outcome.is_ok() {
                    outcome = stream.write_all(again.as_bytes());
                }
            });
        }
    });
    format!("http://127.0.0.1:{port}/")
}

/// What fails of two users who ask once each.
fn failures(url: String, change: impl Fn(&mut Plan)) -> BTreeMap<Failure, u64> {
    let mut plan = plan(users_each(2, 1), vec![Step::Request(Box::new(get(url)))]);
    plan.threads = Some(1);
    plan.http.timeout = Duration::from_millis(300);
    change(&mut plan);
    results_at_last(plan).total.failures
}

#[test]
fn answers_without_end_end_with_the_timeout() {
    for (first, again) in [
        ("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n\r\n", "endless"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n", "long"),
    ] {
        let url = flood(first, again);
        let of = |change: &dyn Fn(&mut Plan)| failures(url.clone(), change);
        let late = BTreeMap::from([(Failure::Timeout, 2)]);
        assert_eq!(of(&|_| {}), late, "{first:?} {again:?}");
        // The same where somebody looks at the body.
        let looks = |plan: &mut Plan| {
            let Step::Request(request) = &mut plan.groups[0].steps[0] else { unreachable!() };
            request.checks.push(Check {
                name: "is there".into(),
                of: Source::Body,
                what: Finder::Whole,
                test: Test::Exists,
                not: false,
            });
        };
        assert_eq!(of(&looks), late, "{first:?} {again:?}");
    }
}

#[test]
fn what_is_too_long_is_no_answer() {
    for (first, again) in [
        ("HTTP/1.1 200 OK\r\nA: ", "b"),
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
        ("", "\r\n"),
        ("HTTP/1.1 200 ", "OK"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;a=b"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "f"),
    ] {
        let found = failures(flood(first, again), |plan| plan.http.timeout *= 100);
        assert_eq!(found, BTreeMap::from([(Failure::Protocol, 2)]), "{first:?} {again:?}");
    }
}

#[test]
fn a_body_without_end_over_http2_ends_with_the_timeout() {
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut answer))) = connection.accept().await {
                let mut body = answer.send_response(Response::new(()), false).unwrap();
                net::spawn(async move {
                    let piece = bytes::Bytes::from_static(&[7; 16 * 1024]);
                    loop {
                        body.reserve_capacity(piece.len());
                        let room = std::future::poll_fn(|context| body.poll_capacity(context));
                        let Some(Ok(room)) = room.await else { return };
                        if body.send_data(piece.slice(..room.min(piece.len())), false).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    });
    let found = failures(format!("http://127.0.0.1:{port}/"), |plan| {
        plan.http.version = HttpVersion::Http2;
    });
    assert_eq!(found, BTreeMap::from([(Failure::Timeout, 2)]));
}

#[test]
fn messages_without_end_end_with_the_timeout() {
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
            for message in [tungstenite::Message::text("no"), tungstenite::Message::Ping("".into())]
                .iter()
                .cycle()
            {
                if stream.send(message.clone()).await.is_err() {
                    return;
                }
            }
        });
        port
    });
    let step = Step::Message(Box::new(Message {
        label: 0,
        url: Template::text(format!("ws://127.0.0.1:{port}/")),
        headers: Vec::new(),
        send: None,
        binary: false,
        replies: 1,
        until: Some(Pattern(Regex::new("yes").unwrap())),
        timeout: Some(Duration::from_millis(300)),
        extract: Vec::new(),
        checks: Vec::new(),
    }));
    let found = results_at_last(plan(users(1, 1), vec![step])).total.failures;
    assert_eq!(found, BTreeMap::from([(Failure::Timeout, 1)]));
}

#[test]
fn an_answer_that_is_followed_by_another_is_not_taken_for_the_next() {
    // Two for one: what nobody asked for must not answer the second request.
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: \
                 0\r\n\r\n";
    let server = super::peer::peer(move |_, _| super::peer::Answer::Bytes(twice.into()));
    let results = results_at_last(super::peer::plan_of(users(1, 5), &server));
    assert_eq!(results.total.statuses, BTreeMap::from([(200, 5)]));
    assert_eq!(results.connections.opened, 5);
}
