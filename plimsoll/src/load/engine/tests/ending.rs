//! How runs begin and end, and what users do meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::run;
use super::peer::{
    Answer, controls, get, ok, peer, plan, plan_of, rate, results, results_at_last, staged, users,
};
use crate::config::bench::model::*;
use crate::load::progress::Progress;
use crate::load::results::Ended;
use crate::load::tally::Failure;

/// Users whose steps are all passed over: there is nothing that they would wait for.
fn nothing_to_do(lasting_millis: u64) -> Plan {
    let passed_over = Step::If {
        condition: Condition::True(Template::text("no")),
        steps: vec![Step::Request(Box::new(get("http://127.0.0.1:1/".into())))],
    };
    plan(staged(&[(2.0, 2.0, lasting_millis)]), vec![passed_over])
}

#[test]
fn a_plan_that_sends_nothing_ends_in_time() {
    let results = results_at_last(nothing_to_do(200));
    assert_eq!((results.total.requests, results.run.ended), (0, Ended::Finished));
}

#[test]
fn a_plan_that_sends_nothing_can_be_stopped() {
    let (stop, controls) = controls();
    let mut told = 0;
    let mut observe = |_: &Progress| {
        told += 1;
        stop.send_replace(true);
    };
    let results = run(&nothing_to_do(5000), &controls, &mut observe).unwrap();
    assert_eq!((results.run.ended, told), (Ended::Interrupted, 1));
}

#[test]
fn a_plan_whose_requests_are_none_ends_in_time() {
    let mut request = get("http://127.0.0.1:".into());
    request.url.0.push(Piece::Variable(0, String::new()));
    request.url.0.push(Piece::Text("x/".into()));
    let step = Step::Request(Box::new(request));
    let results = results_at_last(plan(staged(&[(2.0, 2.0, 500)]), vec![step]));
    let requests = results.total.requests;
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Plan, requests)]));
    // Each pauses after a failure: fifty times at most.
    assert!((2..=102).contains(&requests), "{requests}");
}

#[test]
fn requests_under_way_are_awaited_after_a_stop_and_told_if_in_vain() {
    let (stop, controls) = controls();
    let server = peer(move |number, _| match number {
        // After it the others are under way, too.
        7 => {
            stop.send_replace(true);
            Answer::Nothing
        }
        0..4 => {
            std::thread::sleep(Duration::from_millis(300));
            ok("", "")
        }
        _ => Answer::Nothing,
    });
    let mut plan = plan_of(users(8, u64::MAX), &server);
    plan.http.timeout = Duration::from_secs(60);
    let mut levels = Vec::new();
    let mut observe = |progress: &Progress| {
        levels.push((progress.second.in_flight, progress.second.users));
    };
    let results = run(&plan, &controls, &mut observe).unwrap();
    assert_eq!(results.run.ended, Ended::Interrupted);
    assert_eq!(levels.last(), Some(&(4, 4)));
    // None began after the stop, and none is lost: four were answered, and four never.
    assert_eq!(server.requests.load(Ordering::SeqCst), 8);
    assert_eq!((results.total.requests, results.total.errors()), (4, 0));
    assert_eq!(results.tester.given_up, 4);
}

#[test]
fn who_does_not_want_to_wait_for_the_last_answers_ends_the_run() {
    let (stop, controls) = controls();
    let server = peer(|_, _| Answer::Nothing);
    let mut plan = plan_of(rate(10.0, Duration::from_millis(100), 1), &server);
    plan.http.timeout = Duration::from_secs(60);
    // Its load is over long before the first second is.
    let mut observe = |_: &Progress| {
        stop.send_replace(true);
    };
    let results = run(&plan, &controls, &mut observe).unwrap();
    assert_eq!(results.run.ended, Ended::Interrupted);
    assert_eq!((results.total.requests, results.tester.given_up), (0, 1));
}

#[test]
fn a_pause_is_not_waited_for_at_the_end() {
    let server = peer(|_, _| ok("", ""));
    let mut plan = plan_of(staged(&[(3.0, 3.0, 1000)]), &server);
    plan.groups[0].steps.push(Step::Pause(Pause::Constant(Template::text("3600000"))));
    let results = results_at_last(plan);
    assert_eq!((results.total.requests, results.run.ended), (3, Ended::Finished));
    assert_eq!(results.tester.given_up, 0);
}

#[test]
fn a_run_begins_when_it_is_told_to() {
    let first = Arc::new(Mutex::new(None));
    let server = peer({
        let first = Arc::clone(&first);
        move |_, _| {
            first.lock().unwrap().get_or_insert_with(Timestamp::now);
            ok("", "")
        }
    });
    let (_stop, mut controls) = controls();
    let start_at = Timestamp::now() + SignedDuration::from_millis(400);
    controls.start_at = Some(start_at);
    let plan = plan_of(users(2, 10), &server);
    let results = run(&plan, &controls, &mut |_| {}).unwrap();
    assert_eq!((results.run.started_at, results.total.requests), (start_at, 10));
    let first = first.lock().unwrap().take().unwrap();
    assert!(first >= start_at, "{first} is before {start_at}");
    // What is past begins at once, and is not told to have begun then.
    let past = Timestamp::now() - SignedDuration::from_hours(1);
    controls.start_at = Some(past);
    let results = run(&plan, &controls, &mut |_| {}).unwrap();
    assert!(results.run.started_at > first);
}

#[test]
fn a_wait_for_the_start_can_be_ended() {
    let (stop, mut controls) = controls();
    controls.start_at = Some(Timestamp::now() + SignedDuration::from_hours(1));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let server = peer(|_, _| ok("", ""));
        tell.send(run(&plan_of(users(1, 1), &server), &controls, &mut |_| {}).is_err())
    });
    stop.send_replace(true);
    assert!(told.recv_timeout(Duration::from_secs(60)).unwrap());
}

#[test]
fn users_come_and_leave_as_the_stages_say() {
    // Each user names itself, and each stage is long enough for all that are there.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = peer({
        let seen = Arc::clone(&seen);
        move |_, head| {
            let user = head.split(' ').nth(1).unwrap()[1..].parse::<u64>().unwrap();
            seen.lock().unwrap().push((Timestamp::now(), user));
            ok("", "")
        }
    });
    let call = Call { function: Function::User, arguments: Vec::new(), store: None, id: 0 };
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    request.url.0.push(Piece::Call(Box::new(call)));
    let pause = Step::Pause(Pause::Constant(Template::text("5")));
    let steps = vec![Step::Request(Box::new(request)), pause];
    // Up to six within half a second, two stay, and six again.
    let load = staged(&[(0.0, 6.0, 600), (2.0, 2.0, 800), (6.0, 6.0, 400)]);
    let results = results(&plan(load, steps));
    assert_eq!(results.total.errors(), 0);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len() as u64, results.total.requests);
    let everyone = seen.iter().map(|(_, user)| *user).collect::<BTreeSet<_>>();
    assert_eq!(everyone, (1..=6).collect(), "the same six come back");
    let millis = |from: Timestamp, until: Timestamp| until.duration_since(from).as_millis();
    for user in 1..=6 {
        let (first, _) = seen.iter().find(|(_, of)| *of == user).unwrap();
        // Nobody comes early. The wall clock may differ a little from that of the run.
        let after = millis(results.run.started_at, *first);
        assert!(after >= (user as i128 - 1) * 100 - 50, "{user}: {after}");
    }
    // The longest time that a user was away, and who was there meanwhile.
    let away = |user: u64| {
        let places: Vec<_> = (0..seen.len()).filter(|place| seen[*place].1 == user).collect();
        let spans =
            places.windows(2).map(|two| (millis(seen[two[0]].0, seen[two[1]].0), two[0], two[1]));
        let (time, from, until) = spans.max().unwrap();
        (time, seen[from..until].iter().map(|(_, user)| *user).collect::<BTreeSet<_>>())
    };
    for user in 3..=6 {
        let (time, others) = away(user);
        assert!(time >= 500, "{user}: {time}");
        assert!(others.is_superset(&[1, 2].into()), "{user}: {others:?}");
    }
}

#[test]
fn nothing_begins_after_the_end() {
    let server = peer(|_, _| {
        std::thread::sleep(Duration::from_millis(300));
        ok("", "")
    });
    let mut plan = plan_of(staged(&[(1.0, 1.0, 100)]), &server);
    let next = plan.groups[0].steps[0].clone();
    plan.groups[0].steps.push(next);
    assert_eq!(results(&plan).total.requests, 1);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_run_lasts_as_long_as_planned_and_to_its_last_answer() {
    let server = peer(|_, _| ok("", ""));
    let Load::Open(mut open) = rate(100.0, Duration::from_millis(50), 4) else { unreachable!() };
    let Arrivals::Scheduled { stages, .. } = &mut open.arrivals else { unreachable!() };
    stages.push(Stage { from: 0.0, to: 0.0, lasting: Duration::from_millis(450) });
    let planned = results(&plan_of(Load::Open(open), &server));
    assert_eq!((planned.total.requests, planned.tester.unsent), (5, 0));
    assert_eq!(planned.run.elapsed, Duration::from_millis(500));
    // Bounded by a count: what is left of its minute is not.
    let counted = results(&plan_of(users(1, 5), &server));
    assert_eq!(counted.total.requests, 5);
    assert!(counted.run.elapsed < Duration::from_secs(30), "{:?}", counted.run.elapsed);
    // The last answer comes after the planned end.
    let slow = peer(|_, _| {
        std::thread::sleep(Duration::from_millis(300));
        ok("", "")
    });
    let late = results(&plan_of(rate(10.0, Duration::from_millis(100), 1), &slow));
    assert!(late.run.elapsed >= Duration::from_millis(300), "{:?}", late.run.elapsed);
}

#[test]
fn who_cannot_connect_does_not_try_without_a_pause() {
    // Bound, so that it is nobody else's, but listening to nobody.
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    bound.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let free = bound.local_addr().unwrap().as_socket().unwrap().port();
    let step = Step::Request(Box::new(get(format!("http://127.0.0.1:{free}/"))));
    let results = results(&plan(staged(&[(2.0, 2.0, 500)]), vec![step]));
    let requests = results.total.requests;
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Connect, requests)]));
    assert!((2..=102).contains(&requests), "{requests}");
}

#[test]
fn a_run_whose_iterations_are_done_waits_for_no_more_users() {
    let server = peer(|_, _| ok("", ""));
    // A user each 100 ms, for hours.
    let mut plan = plan_of(staged(&[(0.0, 100_000.0, 10_000_000)]), &server);
    let Load::Closed(closed) = &mut plan.groups[0].load else { unreachable!() };
    closed.iterations = Some(3);
    let results = results_at_last(plan);
    assert_eq!((results.total.requests, results.run.ended), (3, Ended::Finished));
}
