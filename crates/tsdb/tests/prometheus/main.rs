//! The same samples and queries given to a real Prometheus and to the evaluator.
//!
//! Prometheus is the one of the distribution, of the second major version; where the third, which the
//! evaluator follows, answers differently is listed with the reason, and held to differ.
//!
//! Without `prometheus` installed the test says so and passes, unless `CI` or `PLIMSOLL_TEST_ENV` is
//! set.

mod answer;
mod data;
mod generate;
mod random;
mod server;
mod written;

use answer::{Answer, When, difference, ours, theirs};
use data::{Data, START};
use server::Server;
use tsdb::promql::Memory;
use written::{KNOWN, Known};

/// Queries put together by rules, each asked several times.
const GENERATED: usize = 700;
/// Differences that a message shows.
const SHOWN_MAX: usize = 30;

/// When queries are asked: off every multiple of ten seconds, so that the start of no range falls on
/// a sample, nor that of a subquery on its step.
const TIMES: [When; 4] = [
    When::Instant(START + 3_607),
    When::Instant(START + 5_277),
    When::Range { start: START + 607, end: START + 4_807, step: 210 },
    When::Range { start: START - 103, end: START + 8_047, step: 650 },
];

/// Steps that are closer than the windows of functions are wide.
const SLIDING: When = When::Range { start: START + 607, end: START + 6_607, step: 20 };

struct Sides {
    server: Server,
    memory: Memory,
    asked: usize,
    failures: usize,
    differences: Vec<String>,
}

impl Sides {
    fn theirs(&self, query: &str, when: When) -> Answer {
        let seconds = |time: i64| time.to_string();
        theirs(&match when {
            When::Instant(at) => {
                self.server.ask("query", &[("query", query), ("time", &seconds(at))])
            }
            When::Range { start, end, step } => {
                let (start, end, step) = (seconds(start), seconds(end), seconds(step));
                let fields = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
                self.server.ask("query_range", &fields)
            }
        })
    }

    fn hold(&mut self, query: &str, when: When) {
        let (theirs, ours) = (self.theirs(query, when), ours(&self.memory, query, when));
        self.asked += 1;
        self.failures += usize::from(matches!(theirs, Answer::Failure(_)));
        // A range is sorted by labels.
        let ordered = matches!(when, When::Instant(_)) && query.starts_with("sort");
        if let Some(difference) = difference(&theirs, &ours, ordered) {
            self.differences.push(format!("{query}\n  {when:?}\n  {difference}"));
        }
    }

    /// Holds our answer against what is right, and theirs to be another.
    fn hold_known(&mut self, Known { query, after, values, reason }: &Known) {
        let when = When::Instant(START + after);
        let (theirs, ours) = (self.theirs(query, when), ours(&self.memory, query, when));
        let found: Option<Vec<f64>> = match &ours {
            Answer::Series(series) => {
                Some(series.iter().map(|(_, samples)| samples[0].1).collect())
            }
            _ => None,
        };
        let right = found.is_some_and(|found| {
            let pairs = found.iter().zip(*values);
            found.len() == values.len()
                && pairs.into_iter().all(|(one, other)| answer::same(*one, *other))
        });
        if !right {
            self.differences.push(format!("{query} ({reason})\n  expected {values:?}\n  {ours:?}"));
        }
        if difference(&theirs, &ours, false).is_none() {
            self.differences.push(format!("{query}: no difference any more ({reason})"));
        }
    }
}

#[test]
fn answers_are_those_of_prometheus() {
    if !server::is_installed() {
        let wanted =
            ["CI", "PLIMSOLL_TEST_ENV"].iter().any(|name| std::env::var_os(name).is_some());
        assert!(!wanted, "`prometheus` is not installed: run the tests by `cargo xtask test`");
        println!("skipped: `prometheus` is not installed; `cargo xtask test` installs it");
        return;
    }
    let data = Data::new();
    let server = Server::start(&data.open_metrics());
    let memory = data.memory();
    let mut sides = Sides { server, memory, asked: 0, failures: 0, differences: Vec::new() };
    let generated = generate::queries(GENERATED);
    let queries = written::QUERIES.iter().copied().chain(generated.iter().map(String::as_str));
    for query in queries {
        for when in TIMES {
            sides.hold(query, when);
        }
    }
    for query in generate::sliding() {
        sides.hold(&query, SLIDING);
    }
    // Counters that begin at zero are extrapolated alike, unless the zero is at the very start.
    for after in [1_030, 1_090, 1_200, 1_299, 1_301] {
        for query in ["increase(begun_total[5m])", "rate(stepped_total[5m])"] {
            sides.hold(query, When::Instant(START + after));
        }
    }
    for known in KNOWN {
        sides.hold_known(known);
    }
    let Sides { asked, failures, differences, .. } = &sides;
    let shown = differences.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(differences.is_empty(), "{} of {asked} answers differ:\n{shown}", differences.len());
    // Queries that both refuse are wanted, but few.
    assert!(failures * 2 < *asked, "{failures} of {asked} queries failed");
    println!(
        "{asked} answers are equal, {failures} of them failures; {} differ as known",
        KNOWN.len()
    );
}
