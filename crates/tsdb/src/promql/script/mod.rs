//! Scripts that load series and hold queries against expected answers, in the `*.test` format of
//! Prometheus.
//!
//! ```text
//! load 1m
//!   requests_total{path="/"} 0+60x10
//!
//! eval instant at 10m rate(requests_total[5m])
//!   expect no_warn
//!   {path="/"} 1
//! ```
//!
//! The format is that of Prometheus 3
//! (<https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md>): `load`,
//! `clear`, `eval instant`, `eval range`, `expect` lines and the older `eval_fail`, `eval_warn`,
//! `eval_info` and `eval_ordered`. Samples lie at the start of 1970 and later. Values compare with a
//! relative error of one in a million. A query that is right at one time is asked again as the middle
//! step of a range, since both must say the same.
//!
//! A failed query does not end a script, nor does a line that is not understood: what can be run is
//! run, and everything that is wrong is told at once.
//!
//! Beyond Prometheus: a query that does not parse is a failed query rather than a broken script (so
//! that `expect fail` can ask for it), times may be plain seconds, and `NaNx3` repeats as `1x3` does.
//! Left out: native histograms (`{{…}}`), which are refused where they stand, and asking again with
//! `@` put to every selector.
//!
//! ```
//! use tsdb::promql::{Limits, script};
//!
//! let text = "load 1m\n  up 1x5\n\neval instant at 5m up + 1\n  {} 2\n";
//! let report = script::run("up.test", text, &Limits::default());
//! assert!(report.is_success(), "{report}");
//! assert_eq!(report.totals().to_string(), "1 passed, 0 failed");
//! ```

mod compare;

mod eval;
mod expectation;
mod number;
mod parse;
mod report;
mod series;
#[cfg(test)]
mod tests;
mod text;

pub use report::{Failure, Refusal, Report, Totals};

use super::{Limits, Memory};

/// Samples that the `load` commands of one script may hold, and values that it may expect.
pub const VALUES_MAX: usize = 2_000_000;

/// Runs a script; `name` is said in messages, usually the file's.
///
/// Every query has the same `limits`. Nothing is read or written but memory.
pub fn run(name: &str, text: &str, limits: &Limits<'_>) -> Report {
    let script = parse::script(text);
    let mut report = Report::new(name, script.refusals);
    let mut memory = Memory::new();
    for command in script.commands {
        match command {
            parse::Command::Clear => memory.clear(),
            parse::Command::Load(load) => load.fill(&mut memory),
            parse::Command::Eval(eval) => {
                let result = eval.run(&memory, limits);
                report.add(eval.line, eval.expression, result);
            }
            parse::Command::Broken(broken) => {
                report.add(broken.line, broken.expression, Err(broken.reason));
            }
        }
    }
    report
}
