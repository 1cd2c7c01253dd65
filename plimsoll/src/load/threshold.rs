//! What must hold at the end: whether it did, and by how much.
//!
//! Pure. Where nothing was measured, nothing held: a service that answers no request at all must
//! not pass for having no slow ones.

use std::time::Duration;

use crate::config::bench::model::{Comparison, Measure, Plan};

use super::figures;
use super::results::Results;
use super::tally::Tally;

/// A threshold and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As written: `p99<50ms`.
    pub text: String,
    /// Of which label; all requests without.
    pub label: Option<String>,
    /// What is compared.
    pub measure: Measure,
    /// How.
    pub comparison: Comparison,
    /// With what: seconds, requests a second, or a share.
    pub bound: f64,
    /// What it was, in the same unit; `None` where nothing was measured.
    pub measured: Option<f64>,
    /// Whether it held.
    pub held: bool,
}

impl Outcome {
    /// The same threshold held against other results.
    #[must_use]
    pub fn again(&self, results: &Results) -> Self {
        let tally = match &self.label {
            None => Some(&results.total),
            Some(label) => (results.labels.iter().chain(&results.transactions))
                .find(|(name, _)| name == label)
                .map(|(_, tally)| tally),
        };
        let measured = tally.and_then(|tally| measured(self.measure, tally, results.run.elapsed));
        let held = measured.is_some_and(|value| holds(value, self.comparison, self.bound));
        Self { measured, held, ..self.clone() }
    }

    /// What was measured, in words: `p99 was 61 ms`.
    pub fn words(&self) -> String {
        let of = self.label.as_ref().map(|label| format!(" of {label}")).unwrap_or_default();
        let measure = match self.measure {
            Measure::Quantile(quantile) => figures::percentile_name(quantile),
            Measure::Mean => "mean".to_owned(),
            Measure::Max => "max".to_owned(),
            Measure::Errors => "errors".to_owned(),
            Measure::Rate => "rate".to_owned(),
        };
        let was = if self.measure == Measure::Errors { "were" } else { "was" };
        match self.measured {
            None => format!("{measure}{of} is unknown: no request was answered"),
            Some(value) => {
                let value = match self.measure {
                    Measure::Errors => figures::share(value),
                    Measure::Rate => figures::rate(value),
                    _ => figures::latency_seconds(value),
                };
                format!("{measure}{of} {was} {value}")
            }
        }
    }
}

/// Holds the plan's thresholds against results, in the plan's order.
pub fn evaluate(plan: &Plan, results: &Results) -> Vec<Outcome> {
    (plan.thresholds.iter())
        .map(|threshold| {
            let label = threshold.label.and_then(|index| plan.labels.get(index));
            let unmeasured = Outcome {
                text: threshold.text.clone(),
                label: label.map(|label| label.name.clone()),
                measure: threshold.measure,
                comparison: threshold.comparison,
                bound: threshold.bound,
                measured: None,
                held: false,
            };
            unmeasured.again(results)
        })
        .collect()
}

/// The thresholds of several results, each once, held against what these are joined to: files may
/// have been written with different ones, and none may be lost.
pub fn joined(parts: &[Vec<Outcome>], whole: &Results) -> Vec<Outcome> {
    let mut joined: Vec<Outcome> = Vec::new();
    for outcome in parts.iter().flatten() {
        let is_same = |known: &Outcome| {
            let of = |outcome: &Outcome| {
                (outcome.label.clone(), outcome.measure, outcome.comparison, outcome.bound)
            };
            of(known) == of(outcome)
        };
        if !joined.iter().any(is_same) {
            joined.push(outcome.again(whole));
        }
    }
    joined
}

fn measured(measure: Measure, tally: &Tally, elapsed: Duration) -> Option<f64> {
    let times = &tally.response_time;
    let of_times = |value: Duration| (times.count() > 0).then_some(value.as_secs_f64());
    match measure {
        Measure::Quantile(quantile) => of_times(times.quantile(quantile)),
        Measure::Mean => of_times(times.mean()),
        Measure::Max => of_times(times.max()),
        Measure::Errors => {
            (tally.requests > 0).then(|| tally.errors() as f64 / tally.requests as f64)
        }
        Measure::Rate => {
            let is_known = tally.requests > 0 && !elapsed.is_zero();
            is_known.then(|| tally.requests as f64 / elapsed.as_secs_f64())
        }
    }
}

fn holds(value: f64, comparison: Comparison, bound: f64) -> bool {
    match comparison {
        Comparison::Equal => value == bound,
        Comparison::NotEqual => value != bound,
        Comparison::Less => value < bound,
        Comparison::LessOrEqual => value <= bound,
        Comparison::Greater => value > bound,
        Comparison::GreaterOrEqual => value >= bound,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn outcome(measure: Measure, comparison: Comparison, bound: f64) -> Outcome {
        let text = String::new();
        Outcome { text, label: None, measure, comparison, bound, measured: None, held: false }
    }

    #[test]
    fn what_was_measured_decides() {
        let results = fixtures::shop();
        let p99 = results.total.response_time.quantile(0.99).as_secs_f64();
        for (measure, comparison, bound, held) in [
            (Measure::Quantile(0.99), Comparison::Less, p99 * 1.01, true),
            (Measure::Quantile(0.99), Comparison::Less, p99, false),
            (Measure::Quantile(0.99), Comparison::LessOrEqual, p99, true),
            (Measure::Max, Comparison::Greater, p99, true),
            (Measure::Mean, Comparison::GreaterOrEqual, p99, false),
            (Measure::Errors, Comparison::Less, 0.1, true),
            (Measure::Errors, Comparison::Equal, 0.0, false),
            (Measure::Rate, Comparison::Greater, 990.0, true),
            (Measure::Rate, Comparison::NotEqual, 990.0, true),
        ] {
            let outcome = outcome(measure, comparison, bound).again(&results);
            assert_eq!(
                outcome.held,
                held,
                "{measure:?} {comparison:?} {bound}: {}",
                outcome.words()
            );
        }
    }

    #[test]
    fn a_label_is_measured_alone() {
        let results = fixtures::shop();
        let of_label = |label: &str| {
            let mut outcome = outcome(Measure::Quantile(0.5), Comparison::Less, 1.0);
            outcome.label = Some(label.to_owned());
            outcome.again(&results)
        };
        let (basket, checkout) = (of_label("GET /basket"), of_label("checkout"));
        let (_, tally) = &results.labels[1];
        assert_eq!(basket.measured, Some(tally.response_time.quantile(0.5).as_secs_f64()));
        assert!(checkout.held && checkout.measured > basket.measured, "a transaction counts too");
        assert!(basket.words().starts_with("p50 of GET /basket was "), "{}", basket.words());
    }

    #[test]
    fn no_threshold_of_a_part_is_lost() {
        let results = fixtures::shop();
        let p99 = |bound| outcome(Measure::Quantile(0.99), Comparison::Less, bound);
        let rate = outcome(Measure::Rate, Comparison::Greater, 900.0);
        let parts = [vec![p99(0.001), rate.clone()], Vec::new(), vec![rate, p99(60.0)]];
        let joined = joined(&parts, &results);
        let held: Vec<(f64, bool)> =
            joined.iter().map(|outcome| (outcome.bound, outcome.held)).collect();
        assert_eq!(held, [(0.001, false), (900.0, true), (60.0, true)]);
    }

    #[test]
    fn nothing_measured_holds_nothing() {
        let mut results = fixtures::shop();
        results.total = Tally::default();
        let outcome = outcome(Measure::Quantile(0.99), Comparison::Less, 1.0).again(&results);
        assert!(!outcome.held);
        assert_eq!(outcome.words(), "p99 is unknown: no request was answered");
        for measure in [Measure::Errors, Measure::Rate, Measure::Max, Measure::Mean] {
            for comparison in [Comparison::Less, Comparison::NotEqual, Comparison::Greater] {
                let outcome = self::outcome(measure, comparison, 1.0).again(&results);
                assert!(!outcome.held, "{measure:?} {comparison:?}");
            }
        }
    }
}
