//! A comparison as text: the verdict first, then the table it rests on, then what to bear in mind.

use std::time::Duration;

use super::super::figures;
use super::super::summary::{table_lines, wrapped};
use super::bootstrap::Measured;
use super::verdict::{change, interval};
use super::{Comparison, Difference, Finding, Side, Verdict};

/// What stands below every comparison.
pub const REMINDER: &str = "Intervals hold the truth in 95 of 100 comparisons, all figures together \
                        (block bootstrap over time, Holm's correction). They know the chance within \
                        these two runs, not what differs from run to run: repeat both before \
                        deciding something important.";

/// What the columns of the table are. Figures and findings need no word.
pub const HEADS: [&str; 6] = ["", "a", "b", "change", "95 % interval", ""];

pub(super) fn text(of: &Comparison, colours: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    let tone = match of.verdict {
        Verdict::Better | Verdict::Same => 32,
        Verdict::Worse | Verdict::Mixed => 31,
        Verdict::Unclear | Verdict::TooShort => 33,
    };
    lines.extend(toned(wrapped("", &of.words), tone, colours));
    lines.push(String::new());
    for (name, side) in [("a", &of.a), ("b", &of.b)] {
        lines.extend(wrapped(&format!("{name}  "), &told(side)));
    }
    if !of.differences.is_empty() {
        lines.push(String::new());
        lines.extend(table(of, colours));
    }
    if !of.warnings.is_empty() {
        lines.push(String::new());
        lines.extend(toned(vec!["Warnings".to_owned()], 1, colours));
        for warning in &of.warnings {
            lines.extend(toned(wrapped("  - ", warning), 33, colours));
        }
    }
    if !of.differences.is_empty() {
        lines.push(String::new());
        lines.extend(toned(wrapped("", REMINDER), 2, colours));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn duration(seconds: f64) -> String {
    figures::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

pub(super) fn left_out(side: &Side) -> Option<String> {
    let is_cut = side.warm_up_seconds > 0.0;
    is_cut.then(|| format!("without its first {}", duration(side.warm_up_seconds)))
}

pub(super) fn told(side: &Side) -> String {
    let warm_up = left_out(side).map_or(String::new(), |left_out| format!(", {left_out}"));
    format!(
        "{}: {}, {}; {} at {}, compared {}{warm_up}",
        side.file,
        side.name,
        side.load.join("; "),
        figures::plural(side.requests, "request"),
        side.started_at,
        duration(side.compared_seconds),
    )
}

/// A difference as a row of the table.
pub(super) fn row(difference: &Difference) -> [String; 6] {
    let figure = |value: f64| match difference.measured {
        Measured::Rate => figures::rate(value),
        Measured::Errors => figures::share(value),
        _ => figures::latency_seconds(value),
    };
    let finding = match difference.finding {
        _ if !difference.counts => "as loaded",
        Finding::Better => "better",
        Finding::Worse => "worse",
        Finding::Same => "same",
        Finding::Unclear => "not shown",
    };
    [
        difference.measured.name().to_owned(),
        figure(difference.a),
        figure(difference.b),
        change(difference),
        interval(difference),
        finding.to_owned(),
    ]
}

fn table(of: &Comparison, colours: bool) -> Vec<String> {
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    rows.extend(of.rows().into_iter().map(Vec::from));
    let mut lines = table_lines(&rows, 2);
    for (line, difference) in lines.iter_mut().skip(1).zip(&of.differences) {
        let tone = match difference.finding {
            _ if !difference.counts => continue,
            Finding::Better => 32,
            Finding::Worse => 31,
            Finding::Same | Finding::Unclear => continue,
        };
        *line = toned(vec![std::mem::take(line)], tone, colours).concat();
    }
    lines
}

/// With the ANSI escape of this number (ECMA-48 §8.3.117, SGR) around each line, if wanted.
fn toned(lines: Vec<String>, code: u8, colours: bool) -> Vec<String> {
    if !colours {
        return lines;
    }
    lines.into_iter().map(|line| format!("\x1b[{code}m{line}\x1b[0m")).collect()
}
