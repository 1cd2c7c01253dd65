//! `absent` and `absent_over_time`: 1 where there is nothing.

use super::column::{ABSENT, Column, Metric, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::outcome::{Grid, QueryError};
use super::plan::{Node, Selector};
use super::window;
use crate::labels::{Labels, NAME};
use crate::source::Condition;

pub(super) fn of_vector(
    evaluator: &Evaluator,
    vector: &Node,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut values = vec![1.0; grid.steps()];
    evaluator.stream(vector, grid, &mut |column| {
        for (value, found) in values.iter_mut().zip(&column.values) {
            if !is_absent(*found) {
                *value = ABSENT;
            }
        }
        Ok(())
    })?;
    let labels =
        if let Node::Selector(selector) = vector { of_selector(selector) } else { Labels::empty() };
    sink(Column { metric: Metric::of(labels), values })
}

pub(super) fn of_range(
    evaluator: &Evaluator,
    range: &Node,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut values = vec![1.0; grid.steps()];
    window::for_each(evaluator, range, grid, &mut |_, samples, windows| {
        let found = windows.slide(samples, |_| 1.0);
        for (value, found) in values.iter_mut().zip(found) {
            if !is_absent(found) {
                *value = ABSENT;
            }
        }
        Ok(())
    })?;
    let labels =
        if let Node::Matrix(selector, _) = range { of_selector(selector) } else { Labels::empty() };
    sink(Column { metric: Metric::of(labels), values })
}

/// The labels that what is missing would have had: those the selector asks for by one value.
fn of_selector(selector: &Selector) -> Labels {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name != NAME) {
        let name = matcher.name.as_str();
        match &matcher.condition {
            Condition::Equal(value) if !seen.contains(&name) => {
                seen.push(name);
                pairs.push((name, value));
            }
            // Asked for twice, or by something else than a value.
            _ => pairs.retain(|pair| pair.0 != name),
        }
    }
    Labels::from_pairs(pairs)
}
