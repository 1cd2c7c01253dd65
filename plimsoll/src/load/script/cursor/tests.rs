use std::num::NonZeroU32;

use super::*;
use crate::config::bench::model::{
    Choice, Comparison, Condition, Function, Group, Part, Pause, Plan, Step,
};
use crate::load::script::sample::{
    call, feed, iteration, plan, send, shared, text, user, variable,
};

/// What a user does in its first iterations.
fn first(count: usize, steps: Vec<Step>) -> Vec<String> {
    let shared = shared(plan(steps));
    let mut user = User::new(&shared, 0, 1);
    (0..count).map(|_| iteration(&mut user, &shared)).collect()
}

fn pause(milliseconds: &str) -> Step {
    Step::Pause(Pause::Constant(text(milliseconds)))
}

fn repeat(times: &str, steps: Vec<Step>) -> Step {
    Step::Repeat { times: Some(text(times)), counter: Some(9), steps }
}

fn less(slot: usize, than: &str) -> Condition {
    Condition::Compare(variable(slot), Comparison::Less, text(than))
}

/// Adds one to a variable.
fn step_up(slot: usize) -> Step {
    let mut sum = call(Function::Sum, &["", "1"]);
    if let crate::config::bench::model::Piece::Call(call) = &mut sum.0[0] {
        call.arguments[0] = variable(slot);
    }
    Step::Set(slot, sum)
}

#[test]
fn steps_are_done_in_order() {
    assert_eq!(first(1, vec![send(1), pause("1.5"), send(2), pause("0")]), ["1 ~1.5ms 2 ."]);
    assert_eq!(first(2, vec![]), [".", "."]);
}

#[test]
fn loops_count_and_nest() {
    let inner = repeat("2", vec![send(1)]);
    assert_eq!(
        first(1, vec![repeat("3", vec![inner, send(2)]), send(3)]),
        ["1 1 2 1 1 2 1 1 2 3 ."]
    );
    assert_eq!(first(1, vec![repeat("0", vec![send(1)]), send(3)]), ["3 ."]);
    assert_eq!(first(2, vec![repeat("2", vec![])]), [".", "."]);
}

#[test]
fn a_loop_tells_its_round() {
    let even = Condition::Compare(variable(9), Comparison::Equal, text("1"));
    let only = Step::If { condition: even, steps: vec![send(7)] };
    assert_eq!(first(1, vec![repeat("3", vec![send(1), only])]), ["1 1 7 1 ."]);
}

#[test]
fn a_loop_without_end_goes_on_and_one_that_does_nothing_breathes() {
    let shared =
        shared(plan(vec![Step::Repeat { times: None, counter: None, steps: vec![send(1)] }]));
    let mut endless = user(&shared);
    for _ in 0..100 {
        assert!(matches!(endless.next(&shared, Duration::ZERO), Action::Request(_)));
    }
    let shared = super::super::sample::shared(plan(vec![Step::While {
        condition: Condition::LastSucceeded,
        steps: vec![],
    }]));
    let mut idle = user(&shared);
    for _ in 0..3 {
        assert!(matches!(idle.next(&shared, Duration::ZERO), Action::Pause(BREATH)));
    }
}

#[test]
fn while_and_if_ask_their_conditions() {
    let steps = vec![
        Step::Set(0, text("0")),
        Step::While { condition: less(0, "3"), steps: vec![send(1), step_up(0)] },
        Step::If { condition: less(0, "3"), steps: vec![send(2)] },
        Step::If { condition: Condition::Not(Box::new(less(0, "3"))), steps: vec![send(3)] },
    ];
    assert_eq!(first(2, steps), ["1 1 1 3 .", "1 1 1 3 ."]);
}

#[test]
fn choices_come_about_by_weight() {
    let choice = |weight, label| Choice { weight, steps: vec![send(label)] };
    let steps =
        vec![Step::Choose(vec![choice(6.0, 1), choice(0.0, 2), choice(3.0, 3), choice(1.0, 4)])];
    let done = first(10_000, steps);
    let count = |label: &str| done.iter().filter(|one| one.as_str() == label).count();
    for (label, expected) in [("1 .", 6000_usize), ("2 .", 0), ("3 .", 3000), ("4 .", 1000)] {
        // Five standard deviations of a binomial number are at most 250.
        assert!(count(label).abs_diff(expected) <= expected.min(250), "{label}: {}", count(label));
    }
}

#[test]
fn interleaving_takes_turns_for_each_user() {
    let of = vec![vec![send(1)], vec![send(2), send(3)], vec![]];
    let shared = shared(plan(vec![Step::Interleave { id: 0, of }]));
    let (mut one, mut other) = (User::new(&shared, 0, 1), User::new(&shared, 0, 2));
    let turns: Vec<_> = (0..4).map(|_| iteration(&mut one, &shared)).collect();
    assert_eq!(turns, ["1 .", "2 3 .", ".", "1 ."]);
    assert_eq!(iteration(&mut other, &shared), "1 .");
}

fn share(bound: ShareBound, per_user: bool) -> Vec<Step> {
    vec![Step::Share { id: 0, bound, per_user, steps: vec![send(1)] }]
}

#[test]
fn percentages_are_exact_and_even() {
    for percent in [0.0, 0.1, 12.5, 33.3, 50.0, 66.7, 99.9, 100.0] {
        let done = first(1000, share(ShareBound::Percent(percent), false));
        let positions: Vec<usize> = (0..1000).filter(|position| done[*position] == "1 .").collect();
        assert_eq!(positions.len() as f64, (percent * 10.0_f64).round(), "{percent} %");
        let widest = positions.windows(2).map(|two| two[1] - two[0]).max();
        if let Some(widest) = widest {
            assert!(widest as f64 <= (100.0 / percent).ceil(), "{percent} %: {widest}");
        }
    }
}

#[test]
fn shares_count_for_all_or_for_each_user() {
    for (per_user, expected) in
        [(false, ["1 .", "1 .", ".", "."]), (true, ["1 .", "1 .", "1 .", "1 ."])]
    {
        let shared = shared(plan(share(ShareBound::Times(2), per_user)));
        let (mut one, mut other) = (User::new(&shared, 0, 1), User::new(&shared, 0, 2));
        let mut done = Vec::new();
        for _ in 0..2 {
            done.push(iteration(&mut one, &shared));
            done.push(iteration(&mut other, &shared));
        }
        assert_eq!(done, expected, "per user: {per_user}");
        assert_eq!(iteration(&mut one, &shared), ".");
    }
}

#[test]
fn something_is_done_once_for_each_user() {
    let shared = shared(plan(vec![Step::Once { id: 0, steps: vec![send(1)] }, send(2)]));
    let (mut one, mut other) = (User::new(&shared, 0, 1), User::new(&shared, 0, 2));
    assert_eq!(iteration(&mut one, &shared), "1 2 .");
    assert_eq!(iteration(&mut one, &shared), "2 .");
    assert_eq!(iteration(&mut other, &shared), "1 2 .");
}

fn transaction(label: usize, steps: Vec<Step>) -> Step {
    Step::Transaction { label, with_pauses: true, steps }
}

#[test]
fn transactions_nest_and_fail_with_what_is_within() {
    let steps =
        vec![transaction(8, vec![transaction(9, vec![send(1)]), send(2)]), transaction(7, vec![])];
    assert_eq!(first(1, steps.clone()), ["( ( 1 9) 2 8) ( 7) ."]);

    let shared = shared(plan(steps));
    let mut user = user(&shared);
    let mut ends = Vec::new();
    loop {
        match user.next(&shared, Duration::ZERO) {
            Action::Request(request) if request.label == 2 => user.failed(),
            Action::TransactionEnds { label, succeeded, .. } => ends.push((label, succeeded)),
            Action::IterationEnds => break,
            _ => {}
        }
    }
    assert_eq!(ends, [(9, true), (8, false), (7, true)]);
}

#[test]
fn a_failure_does_what_the_group_says() {
    let steps = vec![transaction(8, vec![repeat("2", vec![send(1)])]), send(2)];
    for (on_error, expected) in [
        (OnError::Continue, "( 1 1 8!) 2 ."),
        (OnError::NextIteration, "( 1 8!) ."),
        (OnError::StopUser, "( 1 8!) leaves"),
        (OnError::StopRun, "( 1 8!) stops"),
    ] {
        let mut plan = plan(steps.clone());
        plan.groups[0].on_error = on_error;
        let shared = shared(plan);
        let mut user = user(&shared);
        let mut done = Vec::new();
        loop {
            let action = user.next(&shared, Duration::ZERO);
            match &action {
                Action::Request(request) => {
                    if request.label == 1 {
                        user.failed();
                    }
                    done.push(request.label.to_string());
                }
                Action::TransactionBegins => done.push("(".to_owned()),
                Action::TransactionEnds { label, succeeded: true, .. } => {
                    done.push(format!("{label})"))
                }
                Action::TransactionEnds { label, .. } => done.push(format!("{label}!)")),
                Action::IterationEnds => done.push(".".to_owned()),
                Action::Leave => done.push("leaves".to_owned()),
                Action::StopRun => done.push("stops".to_owned()),
                Action::Pause(_) | Action::Message(_) => {}
            }
            if matches!(action, Action::IterationEnds | Action::Leave | Action::StopRun) {
                break;
            }
        }
        assert_eq!(done.join(" "), expected, "{on_error:?}");
        // The next iteration begins anew.
        user.begin_iteration(&shared, Duration::ZERO);
        assert!(matches!(user.next(&shared, Duration::ZERO), Action::TransactionBegins));
    }
}

/// What users find in `v0` at the times that they take a row, in turn.
fn rows(edit: impl Fn(&mut Plan), users: u64, times: usize) -> Vec<String> {
    let mut plan = plan(vec![Step::Feed(0)]);
    plan.feeds.push(feed(3));
    edit(&mut plan);
    let shared = shared(plan);
    let mut users: Vec<User> = (1..=users).map(|number| User::new(&shared, 0, number)).collect();
    let mut found = Vec::new();
    for _ in 0..times {
        for user in &mut users {
            let left = iteration(user, &shared) == "leaves";
            let value = user.get(0).map_or("-", |value| value);
            found.push(if left { "leaves".to_owned() } else { value.to_owned() });
        }
    }
    found
}

#[test]
fn rows_go_round_in_turn() {
    assert_eq!(rows(|_| {}, 2, 3), ["0", "1", "2", "0", "1", "2"]);
    assert_eq!(rows(|plan| plan.feeds[0].per_user = true, 2, 2), ["0", "0", "1", "1"]);
}

#[test]
fn the_end_of_a_feed_is_what_the_plan_says() {
    let stop = rows(|plan| plan.feeds[0].at_end = FeedEnd::StopUser, 2, 2);
    assert_eq!(stop, ["0", "1", "2", "leaves"]);
    let mark = rows(|plan| plan.feeds[0].at_end = FeedEnd::Mark, 1, 4);
    assert_eq!(mark, ["0", "1", "2", "<EOF>"]);
}

#[test]
fn parts_share_the_rows_between_them() {
    let part = |index| {
        rows(
            |plan| {
                plan.part = Part { index, of: NonZeroU32::new(2).unwrap() };
                plan.feeds[0].at_end = FeedEnd::Mark;
            },
            1,
            3,
        )
    };
    assert_eq!([part(0), part(1)], [["0", "2", "<EOF>"], ["1", "<EOF>", "<EOF>"]]);
}

#[test]
fn random_rows_are_of_the_own_part() {
    let part = |index| {
        let mut found = rows(
            |plan| {
                plan.part = Part { index, of: NonZeroU32::new(2).unwrap() };
                plan.feeds[0].order = FeedOrder::Random;
            },
            1,
            50,
        );
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(part(0), ["0", "2"]);
    assert_eq!(part(1), ["1"]);
}

fn paced(scope: PaceScope) -> Plan {
    let pace = Pace { id: 0, per_minute: text("600"), scope };
    let steps = vec![Step::Pace(pace), send(1)];
    let mut plan = plan(steps.clone());
    let other = Group { steps, ..plan.groups[0].clone() };
    plan.groups.push(other);
    plan
}

/// How long users of two groups, two of the first and one of the second, wait at one moment.
fn waits(plan: Plan) -> Vec<u128> {
    let shared = shared(plan);
    let mut waits = Vec::new();
    for (group, number) in [(0, 1), (0, 2), (1, 1), (0, 1)] {
        let mut user = User::new(&shared, group, number);
        user.begin_iteration(&shared, Duration::from_secs(5));
        waits.push(match user.next(&shared, Duration::from_secs(5)) {
            Action::Pause(pause) => pause.as_millis(),
            _ => 0,
        });
    }
    waits
}

#[test]
fn paces_hold_a_rate_within_their_scope() {
    assert_eq!(waits(paced(PaceScope::User)), [0, 0, 0, 0]);
    assert_eq!(waits(paced(PaceScope::Group)), [0, 100, 0, 200]);
    assert_eq!(waits(paced(PaceScope::Plan)), [0, 100, 200, 300]);
    let mut part = paced(PaceScope::Plan);
    part.part = Part { index: 0, of: NonZeroU32::new(2).unwrap() };
    assert_eq!(waits(part), [0, 200, 400, 600]);
}

#[test]
fn a_user_paces_itself() {
    let shared = shared(paced(PaceScope::User));
    let mut user = user(&shared);
    let mut sent = Vec::new();
    let mut now = Duration::from_secs(1);
    while sent.len() < 3 {
        match user.next(&shared, now) {
            Action::Pause(pause) => now += pause,
            Action::Request(_) => {
                sent.push(now.as_millis());
                // The answer takes longer once; the pace does not hurry after it.
                now += Duration::from_millis(if sent.len() == 2 { 250 } else { 30 });
            }
            _ => user.begin_iteration(&shared, now),
        }
    }
    assert_eq!(sent, [1000, 1100, 1350]);
}

#[test]
fn what_cannot_be_done_fails_the_next_request() {
    let steps = vec![
        Step::Set(0, call(Function::RandomInt, &["1", "x"])),
        repeat("many", vec![send(9)]),
        pause("soon"),
        send(1),
    ];
    let shared = shared(plan(steps));
    let mut user = user(&shared);
    let Action::Request(request) = user.next(&shared, Duration::ZERO) else { panic!("no request") };
    let why = super::super::render(request, &mut user, &shared).unwrap_err();
    assert_eq!(why, "RandomInt: “x” is no whole number");
    assert!(!user.last_succeeded);
    assert!(super::super::render(request, &mut user, &shared).is_ok());
}

#[test]
fn the_same_seed_does_the_same() {
    let choice = |label| Choice { weight: 1.0, steps: vec![send(label)] };
    let wait = Pause::Uniform { from: text("0"), to: text("1000") };
    let steps = vec![Step::Choose(vec![choice(1), choice(2)]), Step::Pause(wait)];
    let run = |number| {
        let shared = shared(plan(steps.clone()));
        let mut user = User::new(&shared, 0, number);
        (0..20).map(|_| iteration(&mut user, &shared)).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn fresh_users_forget_what_they_set() {
    let steps = vec![
        Step::If {
            condition: Condition::Compare(variable(0), Comparison::Equal, text("-")),
            steps: vec![send(1)],
        },
        Step::Set(0, text("known")),
    ];
    assert_eq!(first(2, steps.clone()), ["1 .", "."]);
    let mut plan = plan(steps);
    plan.groups[0].fresh_users = true;
    let shared = shared(plan);
    let mut user = User::new(&shared, 0, 1);
    assert_eq!([iteration(&mut user, &shared), iteration(&mut user, &shared)], ["1 .", "1 ."]);
}
