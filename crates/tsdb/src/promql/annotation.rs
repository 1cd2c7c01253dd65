//! What a query is warned of, in Prometheus' words (its `util/annotations`), without the place in
//! the text, which the parser does not keep.

use super::column::Number;
use super::evaluate::Evaluator;
use super::number;

/// A share that is none.
pub(super) fn quantile(evaluator: &Evaluator, quantile: &Number, steps: usize) {
    let steps = if matches!(quantile, Number::Constant(_)) { steps.min(1) } else { steps };
    for step in 0..steps {
        let value = quantile.at(step);
        if !(0.0..=1.0).contains(&value) {
            evaluator.warn(&format!(
                "quantile value should be between 0 and 1, got {}",
                number::general(value)
            ));
            return;
        }
    }
}

/// A ratio that is none.
pub(super) fn ratio(evaluator: &Evaluator, ratio: f64, capped: f64) {
    evaluator.warn(&format!(
        "ratio value should be between -1 and 1, got {}, capping to {}",
        number::general(ratio),
        number::general(capped)
    ));
}

/// A name that is not that of a counter.
pub(super) fn counter_name(evaluator: &Evaluator, name: &str) {
    const SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
    if !name.is_empty() && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        evaluator.inform(&format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
        ));
    }
}

/// A bucket without a bound.
pub(super) fn bucket(evaluator: &Evaluator, name: &str, bound: &str) {
    evaluator.warn(&format!(
        "bucket label \"le\" is missing or has a malformed value of {bound:?}{}",
        of_metric(name)
    ));
}

/// Buckets that count less than those they contain.
pub(super) fn monotonicity(evaluator: &Evaluator, name: &str) {
    evaluator.inform(&format!(
        "input to histogram_quantile needed to be fixed for monotonicity (see \
         https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
        of_metric(name)
    ));
}

/// An order that is lost.
pub(super) fn sort_in_range(evaluator: &Evaluator) {
    evaluator
        .warn("sort is ineffective for range queries since results are always ordered by labels");
}

fn of_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}
