//! A plain line now and then, where there is no terminal: fit for logs.
//!
//! Short runs have a line each second, longer ones each [`EVERY`] and at the end. Each stands for
//! itself: what it says of "now" is of the seconds since the line before.

use std::io::Write;
use std::time::Duration;

use super::screen::tester_is_limit;
use crate::load::figures::{NONE, count, duration, latency, rate, share};
use crate::load::progress::Progress;
use crate::load::tally::Latencies;

/// From one line to the next, in longer runs.
const EVERY: Duration = Duration::from_secs(10);
/// Runs that are planned no longer have a line each second.
const SHORT: Duration = Duration::from_secs(20);

/// Writes lines about a run.
pub struct Lines<W> {
    to: W,
    /// When the last line was written.
    written: Duration,
    /// Requests until then.
    requests: u64,
    /// Failed ones until then.
    errors: u64,
    /// Response times since then.
    times: Latencies,
    /// The greatest lag since then of seconds in which the tester was the limit.
    lag: Duration,
    /// When the last progress was told.
    told: Option<Duration>,
}

impl<W: Write> Lines<W> {
    /// Writes the heading: what is measured and how.
    pub fn open(mut to: W, title: &str, model: &str) -> Self {
        // Who reads may have gone; the run goes on.
        let _ = writeln!(to, "{title}: {model}");
        Self {
            to,
            written: Duration::ZERO,
            requests: 0,
            errors: 0,
            times: Latencies::default(),
            lag: Duration::ZERO,
            told: None,
        }
    }

    /// Writes a line if one is due.
    pub fn show(&mut self, progress: &Progress) {
        if self.told.map(|told| told.as_secs()) == Some(progress.elapsed.as_secs()) {
            return;
        }
        self.told = Some(progress.elapsed);
        self.times.absorb(&progress.second.response_time);
        if tester_is_limit(progress) {
            self.lag = self.lag.max(progress.lag);
        }
        let short = progress.planned.is_some_and(|planned| planned <= SHORT);
        let every = if short { Duration::from_secs(1) } else { EVERY };
        // A second's progress may come a little early or late.
        let due =
            progress.elapsed.as_secs() / every.as_secs() > self.written.as_secs() / every.as_secs();
        let is_over = |planned: Duration| progress.elapsed >= planned && self.written < planned;
        let ends = progress.planned.is_some_and(is_over);
        // What ends within a moment after the last second is no second of its own.
        let is_past = progress.planned.is_some_and(|planned| self.written >= planned);
        let is_moment = is_past && progress.second.in_flight == 0;
        if (due || ends) && !is_moment {
            let _ = writeln!(self.to, "{}", self.line(progress));
            let _ = self.to.flush();
            self.written = progress.elapsed;
            self.requests = progress.total_requests;
            self.errors = progress.total_errors;
            self.times.clear();
            self.lag = Duration::ZERO;
        }
    }

    /// `   30 s   1 998/s   p50 4.1 ms   p99 12 ms   max 31 ms   errors 0   in flight 14   30 s left`
    fn line(&self, progress: &Progress) -> String {
        let elapsed = Duration::from_secs(progress.elapsed.as_secs());
        let seconds = (progress.elapsed - self.written).as_secs_f64().max(1e-3);
        let requests = progress.total_requests - self.requests;
        let errors = progress.total_errors - self.errors;
        let achieved = requests as f64 / seconds;
        let quantile = |at| match self.times.count() {
            0 => NONE.to_owned(),
            _ => latency(self.times.quantile(at)),
        };
        let mut line = format!(
            "{:>10} {:>12}  p50 {:>7}  p99 {:>7}  max {:>7}  errors {}",
            duration(elapsed),
            rate(achieved),
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
            count(errors),
        );
        if errors > 0 {
            let failed = errors as f64 / requests.max(1) as f64;
            line.push_str(&format!(" ({})", share(failed)));
        }
        line.push_str(&format!("  in flight {}", count(progress.second.in_flight)));
        if progress.stopping {
            line.push_str("  ending");
        } else if let Some(planned) = progress.planned.filter(|planned| *planned > elapsed) {
            line.push_str(&format!("  {} left", duration(planned.saturating_sub(elapsed))));
        }
        if !self.lag.is_zero() {
            let lag = latency(self.lag);
            line.push_str(&format!("  the tester is the limit: {lag} late (p99)"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Failure;

    fn progress(second: u64, planned: u64) -> Progress {
        let mut progress = super::super::draw::tests::progress(second);
        progress.planned = Some(Duration::from_secs(planned));
        progress
    }

    fn lines(all: impl IntoIterator<Item = Progress>) -> String {
        let mut text = Vec::new();
        let mut lines = Lines::open(&mut text, "http://127.0.0.1/", "64 users");
        for progress in all {
            lines.show(&progress);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_short_run_has_a_line_each_second() {
        assert_eq!(
            lines((1..=3).chain([3]).map(|second| progress(second, 3))),
            "http://127.0.0.1/: 64 users\n\
             \u{20}      1 s      2 000/s  p50 3.59 ms  p99 4.08 ms  max 4.09 ms  errors 0  in flight 12  2 s left\n\
             \u{20}      2 s      2 000/s  p50 3.59 ms  p99 4.08 ms  max 4.09 ms  errors 0  in flight 12  1 s left\n\
             \u{20}      3 s      2 000/s  p50 3.59 ms  p99 4.08 ms  max 4.09 ms  errors 0  in flight 12\n"
        );
    }

    #[test]
    fn errors_are_those_since_the_line_before() {
        let told = (1..=3).map(|second| {
            let mut progress = progress(second, 3);
            progress.total_errors = if second == 1 { 500 } else { 700 };
            progress
        });
        let text = lines(told);
        let errors: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.split("  ").find(|it| it.starts_with("errors")))
            .collect();
        let expected = ["errors 500 (25 %)", "errors 200 (10 %)", "errors 0"];
        assert_eq!(errors, expected.map(Some), "{text}");
    }

    #[test]
    fn what_is_awaited_after_the_end_has_lines_and_a_moment_has_none() {
        let told = |in_flight| {
            let progress = (1..=4).map(|second| {
                let mut progress = progress(second, 3);
                progress.stopping = second >= 3;
                progress.second.in_flight = if second == 4 { in_flight } else { 12 };
                progress
            });
            lines(progress).lines().skip(1).count()
        };
        assert_eq!((told(0), told(7)), (3, 4));
    }

    #[test]
    fn a_long_run_has_a_line_each_ten_seconds_over_all_of_them() {
        let told = (1..=35).map(|second| {
            let mut progress = progress(second, 3600);
            if second == 13 {
                progress.second.response_time.record(Duration::from_millis(700));
                progress.lag = Duration::from_millis(45);
            }
            if second > 20 {
                progress.total_errors = 40;
                progress.failures.insert(Failure::Timeout, 40);
            }
            progress
        });
        let text = lines(told);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("      10 s      2 000/s"), "{text}");
        assert!(lines[0].contains("max 4.09 ms"), "{text}");
        assert!(lines[1].contains("max  700 ms"), "{text}");
        assert!(lines[2].contains("max 4.09 ms") && !lines[2].contains("limit"), "{text}");
        assert!(lines[2].contains("  errors 40 (0.2 %)"), "{text}");
        assert!(lines[1].ends_with("the tester is the limit: 45.0 ms late (p99)"), "{text}");
    }
}
