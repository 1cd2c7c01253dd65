//! `sort`, `sort_desc`, `sort_by_label` and `sort_by_label_desc`: orders of an instant query.

use std::cmp::Ordering;

use super::evaluate::{Evaluator, Sink};
use super::function::text;
use super::outcome::{Grid, QueryError};
use super::plan::Node;
use super::statistics::nan_first;

/// By value; NaN is last either way.
pub(super) fn by_value(
    evaluator: &Evaluator,
    vector: &Node,
    descending: bool,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut table = evaluator.collect(vector, grid)?;
    table.columns.sort_by(|a, b| match (a.values[0], b.values[0]) {
        (a, b) if a.is_nan() || b.is_nan() || descending => nan_first(&b, &a),
        (a, b) => nan_first(&a, &b),
    });
    std::mem::take(&mut table.columns).into_iter().try_for_each(sink)
}

/// By labels in the order given, numbers in them by their value; then by all labels.
pub(super) fn by_label(
    evaluator: &Evaluator,
    vector: &Node,
    labels: &[Node],
    descending: bool,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let labels: Vec<&str> = labels.iter().map(text).collect::<Result<_, _>>()?;
    let mut table = evaluator.collect(vector, grid)?;
    table.columns.sort_by(|a, b| {
        let by_given = labels.iter().map(|label| natural(a.metric.get(label), b.metric.get(label)));
        let order = by_given
            .into_iter()
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.metric.labels().cmp(&b.metric.labels()));
        if descending { order.reverse() } else { order }
    });
    std::mem::take(&mut table.columns).into_iter().try_for_each(sink)
}

/// Digits in a row compare as one number.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    while !a_rest.is_empty() && !b_rest.is_empty() {
        let (a_chunk, b_chunk) = (chunk(a_rest), chunk(b_rest));
        let order = match (a_chunk.parse::<u64>(), b_chunk.parse::<u64>()) {
            (Ok(a_number), Ok(b_number)) => a_number.cmp(&b_number),
            _ => a_chunk.cmp(b_chunk),
        };
        if order.is_ne() {
            return order;
        }
        (a_rest, b_rest) = (&a_rest[a_chunk.len()..], &b_rest[b_chunk.len()..]);
    }
    a_rest.len().cmp(&b_rest.len()).then_with(|| a.cmp(b))
}

/// Digits, or what is before the next of them.
fn chunk(text: &str) -> &str {
    let is_digit = |character: char| character.is_ascii_digit();
    let digits = text.starts_with(is_digit);
    let end = text.find(|character| is_digit(character) != digits).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_are_ordered_by_value() {
        let mut names = ["web10", "web9", "web", "db2", "web09", "web9a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["db2", "web", "web09", "web9", "web9a", "web10"]);
    }
}
