//! Calls: which function is computed where, and those too small for a place of their own.

use super::calendar;
use super::column::{ABSENT, Column, Metric, Number, is_absent};
use super::evaluate::{Evaluator, Sink, unexpected};
use super::outcome::{Grid, QueryError};
use super::plan::{Function, Node};
use super::{absence, annotation, histogram, label, math, order, range_function, selector};
use crate::labels::Labels;

/// Evaluates a call that yields an instant vector.
pub(super) fn stream(
    evaluator: &Evaluator,
    function: Function,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    match function {
        Function::Range(function) => {
            return range_function::stream(evaluator, function, arguments, grid, sink);
        }
        Function::Math(function) => {
            return math::stream(evaluator, function, arguments, grid, sink);
        }
        Function::Calendar(function) => {
            return calendar::stream(evaluator, function, arguments, grid, sink);
        }
        _ => {}
    }
    match (function, arguments) {
        (Function::Absent, [vector]) => absence::of_vector(evaluator, vector, grid, sink),
        (Function::AbsentOverTime, [range]) => absence::of_range(evaluator, range, grid, sink),
        (Function::Timestamp, [vector]) => timestamp(evaluator, vector, grid, sink),
        (Function::Vector, [scalar]) => {
            let values = evaluator.number(scalar, grid)?.into_values(grid.steps());
            sink(Column { metric: Metric::of(Labels::empty()), values })
        }
        (Function::LabelReplace, _) => label::replace(evaluator, arguments, grid, sink),
        (Function::LabelJoin, _) => label::join(evaluator, arguments, grid, sink),
        (Function::Sort { .. } | Function::SortByLabel { .. }, [vector, ..])
            if !evaluator.is_instant() =>
        {
            annotation::sort_in_range(evaluator);
            evaluator.stream(vector, grid, sink)
        }
        (Function::Sort { descending }, [vector]) => {
            order::by_value(evaluator, vector, descending, grid, sink)
        }
        (Function::SortByLabel { descending }, [vector, labels @ ..]) => {
            order::by_label(evaluator, vector, labels, descending, grid, sink)
        }
        (Function::HistogramQuantile, [q, vector]) => {
            histogram::quantile(evaluator, q, vector, grid, sink)
        }
        (Function::HistogramQuantiles, [vector, Node::Text(label), quantiles @ ..]) => {
            histogram::quantiles(evaluator, vector, label, quantiles, grid, sink)
        }
        (Function::HistogramFraction, [lower, upper, vector]) => {
            histogram::fraction(evaluator, lower, upper, vector, grid, sink)
        }
        // Samples that are no native histograms are ignored.
        (Function::NativeHistogram, [vector]) => evaluator.stream(vector, grid, &mut |_| Ok(())),
        _ => Err(misused()),
    }
}

/// Evaluates a call that yields a scalar.
pub(super) fn number(
    evaluator: &Evaluator,
    function: Function,
    arguments: &[Node],
    grid: &Grid,
) -> Result<Number, QueryError> {
    let seconds = range_function::seconds;
    let whole = evaluator.whole;
    Ok(match (function, arguments) {
        (Function::Scalar, [vector]) => scalar(evaluator, vector, grid)?,
        (Function::Time, []) => Number::Each(grid.seconds().collect()),
        (Function::Pi, []) => Number::Constant(std::f64::consts::PI),
        (Function::QueryStart, []) => Number::Constant(seconds(whole.start)),
        (Function::QueryEnd, []) => Number::Constant(seconds(whole.end)),
        (Function::QueryRange, []) => Number::Constant(seconds(whole.end - whole.start)),
        (Function::QueryStep, []) => {
            Number::Constant(if evaluator.is_instant() { 0.0 } else { seconds(whole.step) })
        }
        (Function::MinimumOf, [a, b]) => {
            evaluator.number(a, grid)?.combine(evaluator.number(b, grid)?, math::minimum)
        }
        (Function::MaximumOf, [a, b]) => {
            evaluator.number(a, grid)?.combine(evaluator.number(b, grid)?, math::maximum)
        }
        _ => return Err(misused()),
    })
}

/// The parser counts arguments, so that this tells of a fault there.
fn misused() -> QueryError {
    QueryError::Execution("function called with arguments it does not take".to_owned())
}

/// The text of an argument that must be one.
pub(super) fn text(node: &Node) -> Result<&str, QueryError> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(unexpected(other, "string")),
    }
}

/// The value of a vector's only element; NaN where it has none or many.
fn scalar(evaluator: &Evaluator, vector: &Node, grid: &Grid) -> Result<Number, QueryError> {
    let mut values = vec![ABSENT; grid.steps()];
    evaluator.stream(vector, grid, &mut |column| {
        for (value, new) in values.iter_mut().zip(&column.values) {
            if !is_absent(*new) {
                // A second one makes it NaN, which a third does not undo.
                *value = if is_absent(*value) { *new } else { f64::NAN };
            }
        }
        Ok(())
    })?;
    values.iter_mut().filter(|value| is_absent(**value)).for_each(|value| *value = f64::NAN);
    Ok(Number::Each(values))
}

/// When elements were sampled, if they are samples; else the time of the step.
fn timestamp(
    evaluator: &Evaluator,
    vector: &Node,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    if let Node::Selector(selector) = vector
        && vector.differs_without_name()
    {
        return selector::stream_times(evaluator, selector, grid, &mut |mut column| {
            column.metric.drop_name();
            sink(column)
        });
    }
    if let Node::Selector(selector) = vector {
        let mut table = evaluator.table();
        selector::stream_times(evaluator, selector, grid, &mut |mut column| {
            column.metric.drop_name();
            evaluator.hold(&mut table, column)
        })?;
        let columns = std::mem::take(&mut table.columns);
        return super::column::merge(columns, super::column::Distinct::EachStep)?
            .into_iter()
            .try_for_each(sink);
    }
    evaluator.stream_unnamed(vector, grid, sink, |column| {
        for (value, seconds) in column.values.iter_mut().zip(grid.seconds()) {
            if !is_absent(*value) {
                *value = seconds;
            }
        }
    })
}
