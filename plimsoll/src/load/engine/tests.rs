//! Whole runs against servers on the loopback: what is counted, and as what.

mod ending;
mod hostile;
pub(super) mod peer;
mod protocols;
mod timing;
mod users;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use peer::{
    Answer, controls, get, ok, peer, plan, plan_of, rate, results, results_at_last, users,
    users_each,
};

use super::run;
use crate::config::bench::model::*;
use crate::load::results::{CheckCount, Ended, INSTANCES_MAX, OTHER_INSTANCES};
use crate::load::tally::Failure;

#[test]
fn every_iteration_is_counted_once() {
    let server = peer(|_, _| ok("", "hello"));
    let plan = plan_of(users_each(5, 20), &server);
    let mut told = 0;
    let (_stop, controls) = controls();
    let results = run(&plan, &controls, &mut |progress| {
        told += 1;
        assert!(progress.total_requests <= 100);
    })
    .unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 100);
    assert_eq!((results.total.requests, results.total.errors()), (100, 0));
    assert_eq!(results.total.statuses, BTreeMap::from([(200, 100)]));
    for latencies in
        [&results.total.response_time, &results.total.service_time, &results.total.first_byte]
    {
        assert_eq!(latencies.count(), 100);
    }
    let head = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port);
    assert_eq!(results.total.bytes_sent, 100 * head.len() as u64);
    assert_eq!(results.total.bytes_received, 100 * 43);
    assert_eq!(results.connections.opened, 5);
    assert_eq!(results.connections.connect_time.count(), 5);
    let buckets = &results.timeline.buckets;
    assert_eq!(buckets.iter().map(|bucket| bucket.requests).sum::<u64>(), 100);
    assert_eq!(told, buckets.len());
    assert_eq!(results.labels[0].1, results.total);
    assert_eq!((results.run.ended, results.tester.threads), (Ended::Finished, 2));
    assert_eq!(results.run.command, "command");
}

#[test]
fn each_user_does_its_iterations_and_leaves() {
    let server = peer(|_, _| ok("", ""));
    let mut plan = plan_of(users(3, 0), &server);
    plan.groups[0].load = Load::Closed(Closed {
        stages: vec![Stage { from: 3.0, to: 3.0, lasting: Duration::MAX }],
        iterations_per_user: Some(7),
        iterations: None,
    });
    assert_eq!(results(&plan).total.requests, 21);
}

#[test]
fn arrivals_of_all_threads_and_parts_are_those_of_the_plan() {
    let server = peer(|_, _| ok("", ""));
    let mut plan = plan_of(rate(1000.0, Duration::from_millis(201), 64), &server);
    plan.threads = Some(3);
    let mut requests = 0;
    for index in 0..2 {
        plan.part = Part { index, of: NonZeroU32::new(2).unwrap() };
        let results = results(&plan);
        assert_eq!(results.tester.due, results.total.requests + results.tester.unsent);
        assert_eq!(results.tester.scheduling_lag.count(), results.tester.due);
        // Nobody comes to everything at the very nanosecond.
        assert!(results.tester.scheduling_lag.max() > Duration::from_nanos(1));
        let due: u64 = results.timeline.buckets.iter().map(|bucket| bucket.due).sum();
        assert_eq!(due, results.tester.due);
        requests += results.tester.due;
    }
    assert_eq!(requests, 201);
}

#[test]
fn arrivals_beyond_the_bound_wait_and_may_never_begin() {
    let server = peer(|_, _| Answer::Nothing);
    let mut plan = plan_of(rate(100.0, Duration::from_millis(100), 1), &server);
    plan.http.timeout = Duration::from_millis(300);
    let results = results(&plan);
    assert_eq!(results.tester.threads, 1, "one user needs no more");
    let tester = &results.tester;
    assert_eq!((tester.due, tester.waited, tester.unsent), (10, 9, 9));
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Timeout, 1)]));
    // A timeout counts with the time that was waited for it.
    assert_eq!(results.total.response_time.count(), 1);
    assert!(results.total.response_time.max() >= Duration::from_millis(300));
    assert!(results.total.first_byte.count() == 0);
}

#[test]
fn a_wait_for_a_free_user_counts_in_the_response_time() {
    // Each answer takes as long as ten arrivals.
    let server = peer(|_, _| {
        std::thread::sleep(Duration::from_millis(50));
        ok("", "")
    });
    let results = results(&plan_of(rate(200.0, Duration::from_secs(1), 1), &server));
    let total = &results.total;
    assert!(results.tester.waited > 0 && results.tester.unsent > 0);
    assert!(total.response_time.max() > total.service_time.max() + Duration::from_millis(50));
}

#[test]
fn connections_that_are_not_kept_are_made_anew() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let closing = peer(move |_, _| Answer::Last(answer.to_owned()));
    let closed = results(&plan_of(users(2, 20), &closing));
    assert_eq!((closed.total.errors(), closed.connections.opened), (0, 20));

    let server = peer(|_, head| {
        assert!(head.contains("Connection: close\r\n"));
        ok("", "")
    });
    let mut plan = plan_of(users(2, 20), &server);
    plan.http.keep_alive = false;
    assert_eq!(results(&plan).connections.opened, 20);
    assert_eq!(server.connections.load(Ordering::SeqCst), 20);
}

#[test]
fn failures_are_counted_by_kind_with_an_example() {
    // Bound, so that it is nobody else's, but listening to nobody.
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    bound.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let free = bound.local_addr().unwrap().as_socket().unwrap().port();
    let url = format!("http://127.0.0.1:{free}/");
    let nobody = results(&plan(users(1, 3), vec![Step::Request(Box::new(get(url)))]));
    assert_eq!(nobody.total.failures, BTreeMap::from([(Failure::Connect, 3)]));
    assert!(nobody.examples["connect"].contains("refused"), "{:?}", nobody.examples);
    assert_eq!((nobody.connections.opened, nobody.connections.failed), (0, 3));
    assert_eq!(nobody.total.response_time.count(), 0);

    let early = peer(|_, _| Answer::Last(String::new()));
    let closed = results(&plan_of(users(1, 2), &early));
    assert_eq!(closed.total.failures, BTreeMap::from([(Failure::Closed, 2)]));

    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let busy = peer(move |_, _| Answer::Bytes(busy.to_owned()));
    let status = results(&plan_of(users(1, 2), &busy));
    assert_eq!(status.total.failures, BTreeMap::from([(Failure::Status, 2)]));
    assert!(status.examples["status"].ends_with("answered 503"), "{:?}", status.examples);
    assert_eq!(status.total.response_time.count(), 2);
}

#[test]
fn a_run_ends_when_it_is_told_to() {
    let (stop, controls) = controls();
    let server = peer(move |number, _| {
        if number == 10 {
            stop.send_replace(true);
        }
        ok("", "")
    });
    let results = run(&plan_of(users(2, u64::MAX), &server), &controls, &mut |_| {}).unwrap();
    assert_eq!(results.run.ended, Ended::Interrupted);
    assert!(results.total.requests >= 11 && results.total.errors() == 0);

    let error = run(&plan_of(users(2, 1), &server), &controls, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "stopped before the first request");
}

#[test]
fn a_failure_can_end_a_user_or_the_run() {
    let server = peer(|_, _| Answer::Bytes("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".into()));
    let mut plan = plan_of(users(4, u64::MAX), &server);
    plan.groups[0].on_error = OnError::StopUser;
    let left = results(&plan);
    assert_eq!((left.total.requests, left.run.ended), (4, Ended::Finished));
    plan.groups[0].on_error = OnError::StopRun;
    assert_eq!(results(&plan).run.ended, Ended::Stopped);
    // The same where a script is followed.
    let Step::Request(request) = plan.groups[0].steps[0].clone() else { unreachable!() };
    plan.groups[0].steps.push(Step::Request(request));
    assert_eq!(results(&plan).run.ended, Ended::Stopped);
}

#[test]
fn instances_are_told_apart_by_a_header() {
    let server = peer(|number, _| match number % 4 {
        0 => ok("", ""),
        1 => ok("X-Served-By: web-1\r\n", ""),
        _ => ok("x-served-by: web-2\r\n", ""),
    });
    let mut plan = plan_of(users(1, 40), &server);
    plan.served_by = Some(ServedBy::Header("X-Served-By".into()));
    for again in [false, true] {
        if again {
            // A second step makes it a script.
            let step = plan.groups[0].steps[0].clone();
            plan.groups[0].steps.push(step);
        }
        let results = results(&plan);
        let requests = results.total.requests;
        let of = |name: &str| results.instances[name].requests;
        assert_eq!((of("web-1"), of("web-2")), (requests / 4, requests / 2));
        assert_eq!(results.unnamed, requests / 4);
        let buckets = &results.timeline.buckets;
        let named: u64 = buckets.iter().flat_map(|bucket| bucket.instances.values()).sum();
        assert_eq!(named, requests / 4 * 3);
    }
}

#[test]
fn further_instances_count_together() {
    let server = peer(|number, _| ok(&format!("X-Served-By: i{number}\r\n"), ""));
    let mut plan = plan_of(users(1, INSTANCES_MAX as u64 + 44), &server);
    plan.served_by = Some(ServedBy::Header("X-Served-By".into()));
    let results = results(&plan);
    assert_eq!(results.instances.len(), INSTANCES_MAX + 1);
    assert_eq!(results.instances[OTHER_INSTANCES].requests, 44);
}

#[test]
fn redirects_are_followed_and_count_as_requests() {
    let server = peer(|_, head| {
        if head.starts_with("GET /there") {
            ok("", "")
        } else {
            Answer::Bytes(
                "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".into(),
            )
        }
    });
    let mut request = get(format!("http://127.0.0.1:{}/here", server.port));
    request.redirects_max = 3;
    let results = results(&plan(users(1, 5), vec![Step::Request(Box::new(request))]));
    assert_eq!(results.total.statuses, BTreeMap::from([(200, 5), (302, 5)]));
    assert_eq!((results.total.errors(), results.connections.opened), (0, 1));
}

#[test]
fn redirects_are_followed_as_often_as_the_plan_says() {
    let around = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let server = peer(move |_, _| Answer::Bytes(around.into()));
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    request.redirects_max = 3;
    let results = results_at_last(plan(users(1, 5), vec![Step::Request(Box::new(request))]));
    assert_eq!(results.total.statuses, BTreeMap::from([(302, 20)]));
}

#[test]
fn checks_and_transactions_are_counted() {
    let server = peer(|number, _| ok("", if number % 2 == 0 { "even" } else { "odd" }));
    let url = format!("http://127.0.0.1:{}/", server.port);
    let mut first = get(url.clone());
    first.checks.push(Check {
        name: "is even".into(),
        of: Source::Body,
        what: Finder::Whole,
        test: Test::Equals(Template::text("even")),
        not: false,
    });
    let mut second = get(format!("{url}?"));
    // A variable makes the request one that is rendered each time.
    second.url.0.push(Piece::Variable(0, String::new()));
    second.label = 1;
    let mut third = first.clone();
    third.checks[0].name = "is even too".into();
    let steps = vec![Step::Transaction {
        label: 2,
        with_pauses: false,
        steps: vec![
            Step::Request(Box::new(first)),
            Step::Pause(Pause::Constant(Template::text("1"))),
            Step::Request(Box::new(second)),
            Step::Request(Box::new(third)),
        ],
    }];
    // Three requests an iteration: the third is even where the first was.
    let results = results(&plan(users(1, 4), steps));
    let count = |passed, failed| CheckCount { passed, failed };
    assert_eq!(results.checks["is even"], count(2, 2));
    assert_eq!(results.checks["is even too"], count(2, 2));
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Check, 4)]));
    assert_eq!(results.total.requests, 12);
    assert_eq!(results.labels[1].1.requests, 4);
    let (name, transaction) = &results.transactions[0];
    assert_eq!((name.as_str(), transaction.requests, transaction.errors()), ("both", 4, 2));
    assert_eq!(transaction.response_time.count(), 4);
}

#[test]
fn a_request_that_cannot_be_rendered_fails_as_the_plans_fault() {
    let mut request = get("http://127.0.0.1:".into());
    request.url.0.push(Piece::Variable(0, String::new()));
    request.url.0.push(Piece::Text("x/".into()));
    let results = results(&plan(users(1, 2), vec![Step::Request(Box::new(request))]));
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Plan, 2)]));
}

#[test]
fn a_plan_whose_url_is_none_is_refused() {
    let request = get("ftp://127.0.0.1/".into());
    let plan = plan(users(1, 1), vec![Step::Request(Box::new(request))]);
    let (_stop, controls) = controls();
    assert!(run(&plan, &controls, &mut |_| {}).is_err());
}

#[test]
fn what_failed_requests_carried_is_counted() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let server = peer(move |number, _| match number {
        0 => Answer::Last(cut.into()),
        1 => Answer::Bytes(cut.into()),
        _ => Answer::Nothing,
    });
    let mut plan = plan_of(users(1, 3), &server);
    plan.http.timeout = Duration::from_millis(200);
    let results = results(&plan);
    let failures = BTreeMap::from([(Failure::Closed, 1), (Failure::Timeout, 2)]);
    assert_eq!(results.total.failures, failures, "{results:?}");
    let head = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port);
    assert_eq!(results.total.bytes_sent, 3 * head.len() as u64);
    let received = 2 * cut.len() as u64;
    assert_eq!(results.total.bytes_received, received);
    let buckets = results.timeline.buckets.iter();
    assert_eq!(buckets.map(|bucket| bucket.bytes_received).sum::<u64>(), received);
}
