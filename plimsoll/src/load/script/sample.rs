//! Plans, users and answers for tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Action, Shared, Surroundings, User};
use crate::config::bench::model::{
    AllMatches, Call, Check, Closed, Cookies, Extraction, Feed, Finder, Function, Group,
    HttpSettings, HttpVersion, Load, OnError, Part, Pattern, Piece, Plan, Request, RequestBody,
    Source, Step, Template, Test, Tls, Variable,
};
use crate::load::client::{Reply, Timings};

/// When the runs of tests begin: Friday, 2 January 2026, 15:04:05.678 UTC.
pub(super) const STARTED_AT: &str = "2026-01-02T15:04:05.678Z";

/// A plan of one group with these steps, and ten variables `v0` to `v9`.
pub(super) fn plan(steps: Vec<Step>) -> Plan {
    let load =
        Load::Closed(Closed { stages: Vec::new(), iterations_per_user: None, iterations: None });
    let variables = (0..10).map(|slot| Variable { name: format!("v{slot}"), initial: None });
    Plan {
        name: "sample".to_owned(),
        source: "a test".to_owned(),
        groups: vec![Group {
            name: "people".to_owned(),
            load,
            steps,
            fresh_users: false,
            cookies: Cookies::Kept,
            on_error: OnError::Continue,
        }],
        labels: Vec::new(),
        variables: variables.collect(),
        feeds: Vec::new(),
        http: HttpSettings {
            version: HttpVersion::Auto,
            keep_alive: true,
            streams: 1,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            unix: None,
            tls: Tls::default(),
        },
        served_by: None,
        thresholds: Vec::new(),
        threads: None,
        part: Part::WHOLE,
        seed: None,
        left_out: Vec::new(),
    }
}

/// What users of a plan share.
pub(super) fn shared(plan: Plan) -> Shared {
    let surroundings = Surroundings {
        started_at: STARTED_AT.parse::<Timestamp>().unwrap(),
        seed: 7,
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        machine: "tester".to_owned(),
    };
    Shared::new(Arc::new(plan), surroundings)
}

/// A user of the first group at the beginning of its first iteration.
pub(super) fn user(shared: &Shared) -> User {
    let mut user = User::new(shared, 0, 1);
    user.begin_iteration(shared, Duration::ZERO);
    user
}

/// A text without holes.
pub(super) fn text(text: &str) -> Template {
    Template::text(text)
}

/// A variable of [`plan`], `-` where it is unset.
pub(super) fn variable(slot: usize) -> Template {
    Template(vec![Piece::Variable(slot, "-".to_owned())])
}

/// A call without memory.
pub(super) fn call(function: Function, arguments: &[&str]) -> Template {
    let arguments = arguments.iter().map(|argument| text(argument)).collect();
    Template(vec![Piece::Call(Box::new(Call { function, arguments, store: None, id: 0 }))])
}

/// A GET that checks nothing.
pub(super) fn get(label: usize, url: Template) -> Request {
    Request {
        label,
        method: text("GET"),
        url,
        headers: Vec::new(),
        body: RequestBody::None,
        timeout: None,
        redirects_max: 0,
        extract: Vec::new(),
        checks: Vec::new(),
    }
}

/// A step that sends such a request.
pub(super) fn send(label: usize) -> Step {
    Step::Request(Box::new(get(label, text("http://host/"))))
}

/// An answer.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let now = Instant::now();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply {
        status,
        reason: String::new(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
        body_length: body.len() as u64,
        timings: Timings { sent: now, first_byte: now, done: now + Duration::from_millis(250) },
        bytes_sent: 0,
        bytes_received: 0,
    }
}

/// A pattern.
pub(super) fn pattern(text: &str) -> Pattern {
    Pattern(regex::Regex::new(text).unwrap())
}

/// Takes the first match into `v0`, with no default.
pub(super) fn extraction(what: Finder) -> Extraction {
    Extraction {
        into: 0,
        from: Source::Body,
        what,
        number: 1,
        default: None,
        groups: Vec::new(),
        all: AllMatches::default(),
    }
}

/// A check of the whole body.
pub(super) fn check(test: Test) -> Check {
    Check { name: "sample".to_owned(), of: Source::Body, what: Finder::Whole, test, not: false }
}

/// Rows `0` to `count - 1` into `v0`, each with `row-N` in `v1`.
pub(super) fn feed(count: usize) -> Feed {
    let row = |number: usize| -> Box<[Arc<str>]> {
        Box::new([number.to_string().into(), format!("row-{number}").into()])
    };
    Feed {
        columns: vec![0, 1],
        rows: (0..count).map(row).collect(),
        order: crate::config::bench::model::FeedOrder::InTurn,
        at_end: crate::config::bench::model::FeedEnd::Again,
        per_user: false,
    }
}

/// What a user does in one iteration, in short: `3` is a request of label 3, `m3` a message,
/// `~1ms` a pause, `(4` and `4)` a transaction (`4!)` where it failed), `.` the end.
pub(super) fn iteration(user: &mut User, shared: &Shared) -> String {
    user.begin_iteration(shared, user.now);
    let mut done: Vec<String> = Vec::new();
    for _ in 0..10_000 {
        let action = user.next(shared, user.now);
        done.push(match &action {
            Action::Request(request) => request.label.to_string(),
            Action::Message(message) => format!("m{}", message.label),
            Action::Pause(pause) => {
                user.now += *pause;
                format!("~{pause:?}")
            }
            Action::TransactionBegins => "(".to_owned(),
            Action::TransactionEnds { label, succeeded: true, .. } => format!("{label})"),
            Action::TransactionEnds { label, .. } => format!("{label}!)"),
            Action::IterationEnds => ".".to_owned(),
            Action::Leave => "leaves".to_owned(),
            Action::StopRun => "stops".to_owned(),
        });
        if matches!(action, Action::IterationEnds | Action::Leave | Action::StopRun) {
            break;
        }
    }
    done.join(" ")
}
