//! The answer to a rule's expression.

use tsdb::labels::Labels;
use tsdb::promql::{Outcome, Value};

use super::plan::Sample;

/// Series with a value each.
pub type Answer = Vec<Sample>;

/// The series of an answer; a number is one without labels.
///
/// # Errors
/// Why it has none, in words.
pub fn series(answer: Outcome) -> Result<Answer, String> {
    match answer.value {
        Value::Vector(elements) => {
            let samples = elements.into_iter();
            Ok(samples.map(|one| Sample { labels: one.labels, value: one.value }).collect())
        }
        Value::Scalar { value, .. } => Ok(vec![Sample { labels: Labels::empty(), value }]),
        Value::String { .. } | Value::Matrix(_) => {
            let words = "its expression yields neither an instant vector nor a number, which a \
                         rule needs";
            Err(words.to_owned())
        }
    }
}
