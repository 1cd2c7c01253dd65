//! The states of alarms by a script, and by Prometheus' own program.

use super::*;

mod promtool;

/// A time as the script has it: `90s` or `2m`.
fn time(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = if unit == "s" { 1000 } else { 60_000 };
    number.parse::<i64>().expect(text) * factor
}

fn labels(case: &str) -> Labels {
    Labels::from_pairs([("alertname", "Alarm"), ("case", case)])
}

fn raised(case: &str, value: f64) -> Raised {
    let annotations = BTreeMap::from([("summary".to_owned(), format!("{case} is {value}"))]);
    Raised { labels: labels(case), annotations, value }
}

fn terms() -> Terms {
    Terms { hold: 0, keep_firing: 0, limit: 0, room: 100, max: 100, is_crowded: false }
}

fn rule(words: &str) -> Terms {
    let mut terms = terms();
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("for", value)) => terms.hold = time(value),
            Some(("keep", value)) => terms.keep_firing = time(value),
            Some(("limit", value)) => terms.limit = value.parse().expect("a number"),
            Some(("room", value)) => terms.room = value.parse().expect("a number"),
            _ if word == "crowded" => terms.is_crowded = true,
            _ => panic!("what is {word}?"),
        }
    }
    terms
}

/// `a=firing(0m,1m)`, with the texts and the value that it would have.
fn held(text: &str, start: i64) -> (Labels, Alarm) {
    let (case, rest) = text.split_once('=').expect(text);
    let (state, times) = rest.trim_end_matches(')').split_once('(').expect(text);
    let times: Vec<i64> = times.split(',').map(time).collect();
    let state = match state {
        "pending" => State::Pending,
        _ => State::Firing { since: times[1], unanswered: times.get(2).copied() },
    };
    let (annotations, value) = (raised(case, 0.0).annotations, 0.0);
    let alarm = Alarm { annotations, value, active: times[0], state, unproven_since: Some(start) };
    (labels(case), alarm)
}

fn shown(labels: &Labels, alarm: &Alarm) -> String {
    let minutes = |time: i64| format!("{}m", time / 60_000);
    let case = labels.get("case").expect("each has it");
    let times = match alarm.state {
        State::Pending => format!("pending({}", minutes(alarm.active)),
        State::Firing { since, unanswered } => {
            let unanswered = unanswered.map(|time| format!(",{}", minutes(time)));
            let unanswered = unanswered.unwrap_or_default();
            format!("firing({},{}{unanswered}", minutes(alarm.active), minutes(since))
        }
        State::Over { since, ended } => format!("over({},{}", minutes(since), minutes(ended)),
    };
    format!("{case}={times})")
}

/// What the series of alarms must be.
fn series(alarms: &Alarms) -> Vec<Sample> {
    let mut series = Vec::new();
    for (labels, alarm) in alarms.iter() {
        let case = labels.get("case").expect("each has it");
        let mut add = |name: &str, state: &str, value| {
            let pairs =
                [("__name__", name), ("alertname", "Alarm"), ("alertstate", state), ("case", case)];
            series.push(Sample { labels: Labels::from_pairs(pairs), value });
        };
        match alarm.state {
            State::Pending => add("ALERTS", "pending", 1.0),
            State::Firing { .. } => add("ALERTS", "firing", 1.0),
            State::Over { .. } => continue,
        }
        add("ALERTS_FOR_STATE", "", (alarm.active / 1000) as f64);
    }
    series
}

/// Evaluates a line; says how alarms are and what has changed as the script does.
fn line(alarms: &mut Alarms, terms: &Terms, at: i64, answer: &str) -> (String, String) {
    let answer = answer.split_whitespace().map(|case| raised(case, at as f64)).collect();
    let step = alarms.evaluate(at, answer, terms);
    let mut changes: Vec<String> = Vec::new();
    for change in &step.changes {
        let word = if change.alarm.is_live() { "fires" } else { "ends" };
        changes.push(format!("{word} {}", change.labels.get("case").expect("each has it")));
    }
    match step.failure {
        Some(_) => changes.push("fails".to_owned()),
        None => assert_eq!(step.series, series(alarms)),
    }
    let states: Vec<_> = alarms.iter().map(|(labels, alarm)| shown(labels, alarm)).collect();
    (states.join(" "), changes.join(" "))
}

#[test]
fn states_are_as_scripted() {
    let (mut cases, mut name, mut terms, mut alarms) = (0, "", terms(), Alarms::default());
    for text in include_str!("states.script").lines() {
        let columns: Vec<&str> = text.split('|').map(str::trim).collect();
        match (text.split_whitespace().next(), columns.as_slice()) {
            (None | Some("#"), _) => {}
            (Some("case"), _) => {
                (cases, name, alarms) = (cases + 1, text, Alarms::default());
            }
            (Some("rule"), _) => terms = rule(&text["rule".len()..]),
            (Some("held"), [_, states, start]) => {
                let start = time(start.trim_start_matches("start "));
                alarms = Alarms::of(states.split_whitespace().map(|state| held(state, start)));
            }
            (_, [at, answer, states, changes]) => {
                let (now, changed) = line(&mut alarms, &terms, time(at), answer);
                assert_eq!((now.as_str(), changed.as_str()), (*states, *changes), "{name}: {text}");
            }
            _ => panic!("what is {text}?"),
        }
    }
    assert_eq!(cases, 21);
}

#[test]
fn texts_and_values_are_those_of_the_last_answer() {
    let mut alarms = Alarms::default();
    let terms = Terms { keep_firing: 60_000, ..terms() };
    for (at, answer, value) in [(0, Some(1.0), 1.0), (1, Some(2.0), 2.0), (2, None, 2.0)] {
        let answer = answer.map(|value| raised("a", value));
        let _ = alarms.evaluate(at, answer.into_iter().collect(), &terms);
        let (_, alarm) = alarms.iter().next().expect("it fires");
        assert_eq!(alarm.value, value);
        assert_eq!(alarm.annotations, raised("a", value).annotations);
    }
}

/// What is not said to be changed is not on the disk when Plimsoll is killed.
#[test]
fn each_change_of_an_alarm_is_worth_keeping() {
    let mut alarms = Alarms::default();
    let terms = Terms { hold: 60_000, ..terms() };
    for (minute, is_raised, is_changed, what) in [
        (0, false, false, "nothing"),
        (0, true, true, "a pending one"),
        (1, true, true, "it fires"),
        (2, true, false, "it fires on"),
        (3, false, true, "it is over"),
        (4, false, false, "it is remembered"),
        (19, false, true, "it is forgotten"),
        (20, true, true, "another pending one"),
        (21, false, true, "it is gone before its time"),
        (22, false, false, "nothing is left"),
    ] {
        let answer = is_raised.then(|| raised("a", 1.0)).into_iter().collect();
        let step = alarms.evaluate(minute * 60_000, answer, &terms);
        assert_eq!(step.is_changed, is_changed, "{what}");
    }
}

#[test]
fn failures_say_what_to_do() {
    let answer = || vec![raised("a", 1.0), raised("b", 1.0)];
    let failure = |answer, terms: Terms| {
        Alarms::default().evaluate(0, answer, &terms).failure.expect("it fails").to_string()
    };
    let told = failure(answer(), Terms { limit: 1, ..terms() });
    let expected = "it yields 2 alarms, and its group has `limit: 1`; all of them are discarded: \
                    aggregate, or raise the limit";
    assert_eq!(told, expected);
    let told = failure(answer(), Terms { room: 1, max: 9, ..terms() });
    let expected = "it yields 2 alarms, and there is room for 1 besides those of other rules (9 in \
                    all); its alarms stay as they were: aggregate, or make the condition stricter";
    assert_eq!(told, expected);
    let told = failure(vec![raised("a", 1.0), raised("a", 2.0)], terms());
    assert!(told.contains(r#"the same labels {alertname="Alarm", case="a"} once"#), "{told}");
}
