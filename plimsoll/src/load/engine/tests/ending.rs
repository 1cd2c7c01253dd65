//! How runs begin and end, and what users do meanwhile.

use std::collections::BTreeMap;

use super::peer::{get, plan, results_at_last, staged};
use crate::config::bench::model::*;
use crate::load::results::Ended;
use crate::load::tally::Failure;

#[test]
fn a_plan_that_sends_nothing_ends_in_time() {
    // Without a request there is nothing that users would wait for.
    let passed_over = Step::If {
        condition: Condition::True(Template::text("no")),
        steps: vec![Step::Request(Box::new(get("http://127.0.0.1:1/".into())))],
    };
    let results = results_at_last(plan(staged(&[(2.0, 2.0, 200)]), vec![passed_over]));
    assert_eq!((results.total.requests, results.run.ended), (0, Ended::Finished));
}

#[test]
fn a_plan_whose_requests_are_none_ends_in_time() {
    let mut request = get("http://127.0.0.1:".into());
    request.url.0.push(Piece::Variable(0, String::new()));
    request.url.0.push(Piece::Text("x/".into()));
    let step = Step::Request(Box::new(request));
    let results = results_at_last(plan(staged(&[(2.0, 2.0, 200)]), vec![step]));
    let requests = results.total.requests;
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Plan, requests)]));
    // Each pauses after a failure: twenty times at most.
    assert!((2..=42).contains(&requests), "{requests}");
}
