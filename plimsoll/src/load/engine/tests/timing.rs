//! What times count: time limits of their own, pauses, transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::peer::{Answer, get, ok, peer, plan, rate, results, results_at_last, users};
use crate::config::bench::model::*;
use crate::load::tally::Failure;

fn pause(milliseconds: &str) -> Step {
    Step::Pause(Pause::Constant(Template::text(milliseconds)))
}

#[test]
fn a_request_has_its_own_timeout() {
    let server = peer(|_, _| Answer::Nothing);
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    request.timeout = Some(Duration::from_millis(100));
    let request = Step::Request(Box::new(request));
    for steps in [vec![request.clone()], vec![request.clone(), request]] {
        let count = steps.len() as u64;
        let mut plan = plan(users(1, 1), steps);
        plan.http.timeout = Duration::from_secs(3600);
        let results = results_at_last(plan);
        assert_eq!(results.total.failures, BTreeMap::from([(Failure::Timeout, count)]));
    }
}

#[test]
fn a_pause_before_a_request_delays_nothing() {
    let server = peer(|_, _| ok("", ""));
    let request = Step::Request(Box::new(get(format!("http://127.0.0.1:{}/", server.port))));
    let arrivals = rate(20.0, Duration::from_millis(200), 8);
    let Load::Open(mut open) = arrivals else { unreachable!() };
    let Arrivals::Scheduled { stages, .. } = &mut open.arrivals else { unreachable!() };
    // Time for the pauses, which nobody waits for at the end.
    stages.push(Stage { from: 0.0, to: 0.0, lasting: Duration::from_secs(2) });
    let results = results(&plan(Load::Open(open), vec![pause("1000"), request]));
    assert_eq!(results.total.requests, 4);
    assert!(results.total.response_time.max() < Duration::from_secs(1));
}

#[test]
fn a_transaction_counts_pauses_as_the_plan_says() {
    let server = peer(|_, _| ok("", ""));
    let request = Step::Request(Box::new(get(format!("http://127.0.0.1:{}/", server.port))));
    let within =
        Step::Transaction { label: 1, with_pauses: false, steps: vec![request, pause("300")] };
    let around = Step::Transaction { label: 2, with_pauses: true, steps: vec![within] };
    let mut plan = plan(users(1, 1), vec![around]);
    plan.labels[1].kind = LabelKind::Transaction;
    let results = results(&plan);
    let took = |index: usize| results.transactions[index].1.response_time.max();
    // They begin and end together. Latencies are told to a thousandth.
    assert!(took(0) + Duration::from_millis(290) < took(1), "{:?}, {:?}", took(0), took(1));
}

#[test]
fn a_connection_that_ended_during_a_pause_is_replaced() {
    // Closed without a word.
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let server = peer(move |_, _| Answer::Last(answer.to_owned()));
    let request = Step::Request(Box::new(get(format!("http://127.0.0.1:{}/", server.port))));
    let results = results(&plan(users(1, 3), vec![request, pause("200")]));
    assert_eq!((results.total.requests, results.total.errors()), (3, 0), "{results:?}");
    assert_eq!(results.connections.opened, 3);
}
