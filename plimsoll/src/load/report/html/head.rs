//! The head of the page: what a reader must see first.

use std::fmt::Write as _;

use crate::load::compare::{Comparison, Verdict};
use crate::load::report::Facts;
use crate::load::report::escape::markup;
use crate::load::report::text;
use crate::load::results::{Ended, Results};

/// What the open model means.
const OPEN: &str = "Open model: requests begin at given times, whatever became of earlier ones, as \
    visitors do. Latency counts from when a request should have been sent, so that the waiting behind \
    a slow service counts in full.";
/// What the closed model means.
const CLOSED: &str = "Closed model: each user sends its next request when its last was answered. A \
    slow service is asked less often, so that its pauses show as less throughput rather than as long \
    latencies; do not read these latencies as what visitors would see at that rate.";

/// How good a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Neutral,
    Good,
    Bad,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Neutral => "verdict",
            Self::Good => "verdict good",
            Self::Bad => "verdict bad",
        }
    }
}

/// Writes name, verdict, model, warnings, key figures and thresholds.
pub(super) fn write(out: &mut String, results: &Results, facts: Facts<'_>) {
    let run = &results.run;
    let (tone, verdict) = verdict(results, facts);
    let _ = write!(
        out,
        "<header><div class=\"title-row\"><h1><small>Load test</small><bdi>{}</bdi></h1>\
         <button id=\"theme\" type=\"button\" hidden></button></div><p class=\"{}\"><bdi>{}</bdi></p>\
         <p>{}</p>",
        markup(&run.name),
        tone.class(),
        markup(&verdict),
        markup(&summary(results))
    );
    for group in &run.groups {
        let name = if run.groups.len() > 1 { format!("{}: ", group.name) } else { String::new() };
        let _ = write!(
            out,
            "<p class=\"model\"><bdi>{}{}.</bdi></p>",
            markup(&name),
            markup(run.load(group).trim_end_matches('.'))
        );
    }
    for (open, words) in [(true, OPEN), (false, CLOSED)] {
        if run.groups.iter().any(|group| group.open == open) {
            let _ = write!(out, "<p class=\"model soft\">{words}</p>");
        }
    }
    warnings(out, facts.warnings);
    tiles(out, results);
    thresholds(out, facts.thresholds);
    out.push_str("</header>");
}

/// Writes the head of a comparison: the verdict, and which run is which.
pub(super) fn write_pair(out: &mut String, of: &Comparison) {
    let tone = match of.verdict {
        Verdict::Better | Verdict::Same => Tone::Good,
        Verdict::Worse | Verdict::Mixed => Tone::Bad,
        Verdict::Unclear | Verdict::TooShort => Tone::Neutral,
    };
    let _ = write!(
        out,
        "<header><div class=\"title-row\"><h1><small>Comparison of load tests</small>a: \
         <bdi>{}</bdi><br>b: <bdi>{}</bdi></h1><button id=\"theme\" type=\"button\" hidden></button>\
         </div><p class=\"{}\"><bdi>{}</bdi></p><dl class=\"facts\">",
        markup(&of.a.file),
        markup(&of.b.file),
        tone.class(),
        markup(&of.words)
    );
    for (colour, (letter, side)) in [("a", &of.a), ("b", &of.b)].into_iter().enumerate() {
        // In the colour of its curves.
        let _ = write!(
            out,
            "<dt><svg width=\"20\" height=\"12\" aria-hidden=\"true\"><path class=\"s{colour} line\" \
             d=\"M1 6h18\"/></svg> {letter}</dt><dd><bdi>{}</bdi></dd>",
            markup(&side.words())
        );
    }
    out.push_str("</dl>");
    warnings(out, &of.warnings);
    out.push_str("</header>");
}

/// The most important thing about a run, in one sentence.
fn verdict(results: &Results, facts: Facts<'_>) -> (Tone, String) {
    let total = &results.total;
    let errors = total.errors();
    if total.requests == 0 {
        return (Tone::Bad, "No request was made".to_owned());
    }
    if errors == total.requests {
        let most = total.failures.iter().max_by_key(|(_, count)| **count);
        let why = most.map_or(String::new(), |(failure, _)| {
            let example =
                results.examples.get(failure.name()).map(|example| format!(": {example}"));
            format!(": {}{}", failure.words(), example.unwrap_or_default())
        });
        return (Tone::Bad, format!("Every request failed{why}"));
    }
    let missed = facts.thresholds.iter().filter(|(_, held, _)| !held).count();
    match (missed, facts.thresholds.len()) {
        (0, 0) if errors == 0 => (Tone::Neutral, "No request failed".to_owned()),
        (0, 0) => {
            let share = text::share(errors as f64 / total.requests as f64);
            (Tone::Neutral, format!("{share} of the requests failed"))
        }
        (0, 1) => (Tone::Good, "The threshold held".to_owned()),
        (0, 2) => (Tone::Good, "Both thresholds held".to_owned()),
        (0, count) => (Tone::Good, format!("All {count} thresholds held")),
        (1, 1) => (Tone::Bad, "The threshold did not hold".to_owned()),
        (missed, count) => (Tone::Bad, format!("{missed} of {count} thresholds did not hold")),
    }
}

/// What was done, in one sentence.
fn summary(results: &Results) -> String {
    let total = &results.total;
    let ended = match results.run.ended {
        Ended::Finished => "",
        Ended::Interrupted => "Interrupted; this is of what was done until then. ",
        Ended::Stopped => "Stopped early, because the plan ends after a failure. ",
    };
    let lasted = text::lasting(results.run.elapsed.as_secs_f64());
    let requests = if total.requests == 1 { "request" } else { "requests" };
    let slow = match total.response_time.count() {
        0 => String::new(),
        1 => format!("; it took {}", text::latency(total.response_time.max().as_secs_f64())),
        2..100 => {
            let longest = text::latency(total.response_time.max().as_secs_f64());
            format!("; the longest took {longest}")
        }
        _ => {
            let slow = text::latency(total.response_time.quantile(0.99).as_secs_f64());
            format!("; 99 of 100 took {slow} or less")
        }
    };
    format!("{ended}{} {requests} in {lasted}{slow}.", text::count(total.requests))
}

/// What makes the figures doubtful.
fn warnings(out: &mut String, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    out.push_str("<ul class=\"warnings\" aria-label=\"Warnings\">");
    for warning in warnings {
        let _ = write!(out, "<li><bdi>{}</bdi></li>", markup(warning));
    }
    out.push_str("</ul>");
}

/// The key figures.
fn tiles(out: &mut String, results: &Results) {
    let total = &results.total;
    let seconds = results.run.elapsed.as_secs_f64();
    let rate =
        if seconds > 0.0 { text::rate(total.requests as f64 / seconds) } else { "–".into() };
    let latencies = &total.response_time;
    let latency = |value: std::time::Duration| {
        let none = latencies.count() == 0;
        if none { "–".to_owned() } else { text::latency(value.as_secs_f64()) }
    };
    let errors = total.errors();
    let share = match total.requests {
        0 => "–".to_owned(),
        requests => text::share(errors as f64 / requests as f64),
    };
    let many = if total.requests == 1 { "request" } else { "requests" };
    let tiles = [
        ("Requests a second", rate, format!("{} {many}", text::count(total.requests)), false),
        ("Median, p50", latency(latencies.quantile(0.5)), "response time".to_owned(), false),
        ("p99", latency(latencies.quantile(0.99)), "one of 100 is slower".to_owned(), false),
        ("Slowest", latency(latencies.max()), "response time".to_owned(), false),
        ("Errors", share, format!("{} failed", text::count(errors)), errors > 0),
        ("Received", text::bytes(total.bytes_received), received_rate(results), false),
    ];
    out.push_str("<dl class=\"tiles\">");
    for (name, value, note, is_bad) in tiles {
        let class = if is_bad { "tile bad" } else { "tile" };
        let _ = write!(
            out,
            "<div class=\"{class}\"><dt>{name}</dt><dd class=\"value\">{}</dd><dd class=\"note\">{}</dd>\
             </div>",
            markup(&value),
            markup(&note)
        );
    }
    out.push_str("</dl>");
}

/// Bytes received by the second.
fn received_rate(results: &Results) -> String {
    let seconds = results.run.elapsed.as_secs_f64();
    if seconds <= 0.0 {
        return String::new();
    }
    format!("{} a second", text::bytes((results.total.bytes_received as f64 / seconds) as u64))
}

/// What had to hold.
fn thresholds(out: &mut String, thresholds: &[(String, bool, String)]) {
    if thresholds.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Thresholds</h2><div class=\"tables\"><section class=\"wide\"><div class=\"scroll\">\
         <table class=\"stack\"><thead><tr><th scope=\"col\">must hold</th><th scope=\"col\" class=\"words\">measured</th>\
         <th scope=\"col\">result</th></tr></thead><tbody>",
    );
    for (threshold, held, measured) in thresholds {
        let (class, word) = if *held { ("held", "✓ held") } else { ("missed", "✗ not held") };
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><bdi>{}</bdi></th><td data-head=\"measured\" class=\"words\"><bdi>{}</bdi></td>\
             <td data-head=\"result\" class=\"{class}\">{word}</td></tr>",
            markup(threshold),
            markup(measured)
        );
    }
    out.push_str("</tbody></table></div></section></div>");
}

/// When the run began, to the second.
pub(super) fn moment(results: &Results) -> String {
    results.run.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
