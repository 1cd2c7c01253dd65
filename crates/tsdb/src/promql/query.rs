//! A query: its text parsed and checked, and what asks it of a source.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use promql_parser::parser::Expr;
/// What an expression may evaluate to.
pub use promql_parser::parser::value::ValueType;

use super::diagnose::{Fault, diagnose};
use super::evaluate::Evaluator;
use super::lower::{describe, lower};
use super::outcome::{Element, Grid, Limits, Outcome, QueryError, Row, Value};
use super::plan::Node;
use super::screen::screen;
use crate::sample::Samples;
use crate::source::{Matcher, Source};

/// A parsed query. Cloning copies nothing.
#[derive(Debug, Clone)]
pub struct Query(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: String,
    expression: Expr,
    plan: Node,
}

impl Query {
    /// As it was given.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The type of what it evaluates to.
    pub fn value_type(&self) -> ValueType {
        self.0.plan.value_type()
    }

    /// What a query that is a plain selector chooses series by: `match[]` of the API.
    /// `None` of any other query, and of a selector with `offset` or `@`.
    pub fn matchers(&self) -> Option<&[Matcher]> {
        match &self.0.plan {
            Node::Selector(selector) if selector.shift.is_none() => Some(&selector.matchers),
            _ => None,
        }
    }

    /// The text laid out anew, over several lines if it is long.
    pub fn pretty(&self) -> String {
        self.0.expression.prettify()
    }
}

/// Parses the text of a query.
///
/// # Errors
/// [`QueryError::Parse`] if it is no query, or longer than
/// [`TEXT_BYTES_MAX`](super::TEXT_BYTES_MAX) or nested deeper than
/// [`NESTING_MAX`](super::NESTING_MAX).
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let screened = screen(text)?;
    // The parser is foreign and the text may be hostile: a fault there costs one query, not more.
    let parsed = catch_unwind(AssertUnwindSafe(|| promql_parser::parser::parse(&screened)))
        .unwrap_or_else(|_| Err("the parser failed at this query".to_owned()));
    let expression = parsed.map_err(|message| refused(text, &message))?;
    let plan = lower(&expression).map_err(|message| {
        let position = diagnose(text).place_of(&message);
        QueryError::Parse { message, position }
    })?;
    Ok(Query(Arc::new(Parsed { text: text.to_owned(), expression, plan })))
}

/// Why a text is no query, and where; the parser's own word if nothing better is known.
fn refused(text: &str, message: &str) -> QueryError {
    let diagnosis = diagnose(text);
    let position = diagnosis.place_of(&reworded(message));
    match diagnosis.fault {
        Some(Fault { message, position }) => {
            QueryError::Parse { message, position: Some(position) }
        }
        None => QueryError::Parse { message: reworded(message), position },
    }
}

/// The parser's words as Prometheus has them: names in double quotes, types by their full names.
fn reworded(message: &str) -> String {
    const FULL_NAMES: [(&str, &str); 9] = [
        ("got: ", "got "),
        ("by an vector selector", "by an instant vector selector"),
        ("or matrix selector", "or range vector selector"),
        ("type matrix", "type range vector"),
        ("got matrix", "got range vector"),
        ("type vector", "type instant vector"),
        ("got vector", "got instant vector"),
        ("allowed on vector", "allowed on instant vector"),
        ("scalar or vector", "scalar or instant vector"),
    ];
    let mut message = message.replace('\'', "\"");
    for (short, full) in FULL_NAMES {
        message = message.replace(short, full);
    }
    if message.contains("\"holt_winters\"") {
        message.push_str(": it is called double_exponential_smoothing since Prometheus 3");
    }
    message
}

/// The latest time a query may ask for, and the earliest before 1970, milliseconds: so far that sums
/// of times and durations do not overflow.
const TIME_MAX: i64 = 1 << 56;

/// Evaluates a query at one time (milliseconds since 1970).
///
/// # Errors
/// Every [`QueryError`] but that of parsing.
pub fn instant(
    query: &Query,
    source: &dyn Source,
    at: i64,
    limits: &Limits,
) -> Result<Outcome, QueryError> {
    let grid = Grid { start: at, end: at, step: 1 };
    check_grid(grid)?;
    let evaluator = Evaluator::new(source, limits, grid);
    let plan = &query.0.plan;
    let value = match plan.value_type() {
        ValueType::Scalar => {
            Value::Scalar { time: at, value: evaluator.number(plan, &grid)?.at(0) }
        }
        ValueType::String => {
            Value::String { time: at, value: super::function::text(plan)?.to_owned() }
        }
        ValueType::Vector => {
            let mut table = evaluator.collect(plan, &grid)?;
            let columns = std::mem::take(&mut table.columns).into_iter();
            let mut elements: Vec<Element> = columns
                .map(|column| Element {
                    labels: column.metric.labels(),
                    time: at,
                    value: column.values[0],
                })
                .collect();
            if !plan.has_order() {
                elements.sort_by(|a, b| a.labels.cmp(&b.labels));
            }
            Value::Vector(elements)
        }
        ValueType::Matrix => Value::Matrix(samples_of(&evaluator, plan, grid)?),
    };
    Ok(outcome(&evaluator, value))
}

/// The samples of a range vector themselves.
fn samples_of(evaluator: &Evaluator, plan: &Node, grid: Grid) -> Result<Vec<Row>, QueryError> {
    let mut rows = Vec::new();
    let mut table = evaluator.table();
    super::window::for_each(evaluator, plan, &grid, &mut |metric, samples, windows| {
        let mut within = Samples::default();
        windows.slide(samples, |window| {
            within.times.extend_from_slice(window.times);
            within.values.extend_from_slice(window.values);
            0.0
        });
        if !within.is_empty() {
            evaluator.charge(&mut table, rows.len() + 1, within.len())?;
            rows.push(Row { labels: metric.labels(), samples: within });
        }
        Ok(())
    })?;
    rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(rows)
}

/// Evaluates a query at every time of a grid.
///
/// # Errors
/// Every [`QueryError`] but that of parsing.
pub fn range(
    query: &Query,
    source: &dyn Source,
    grid: Grid,
    limits: &Limits,
) -> Result<Outcome, QueryError> {
    check_grid(grid)?;
    let steps = grid.steps();
    if steps > limits.steps_max as usize {
        return Err(QueryError::Limit(format!(
            "exceeded maximum resolution of {} points per timeseries (steps_max): the query asks \
             for {steps}; try a longer step or a shorter range",
            limits.steps_max
        )));
    }
    let evaluator = Evaluator::new(source, limits, grid);
    let plan = &query.0.plan;
    let mut rows = match plan.value_type() {
        ValueType::Scalar => {
            let values = evaluator.number(plan, &grid)?.into_values(steps);
            let times = (0..steps).map(|step| grid.time(step)).collect();
            let samples = Samples { times, values };
            vec![Row { labels: crate::labels::Labels::empty(), samples }]
        }
        ValueType::Vector => {
            let mut table = evaluator.collect(plan, &grid)?;
            let columns = std::mem::take(&mut table.columns).into_iter();
            columns
                .map(|column| Row {
                    labels: column.metric.labels(),
                    samples: column.samples(&grid),
                })
                .collect()
        }
        other => {
            return Err(QueryError::Execution(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                describe(other)
            )));
        }
    };
    rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(outcome(&evaluator, Value::Matrix(rows)))
}

fn check_grid(grid: Grid) -> Result<(), QueryError> {
    let Grid { start, end, step } = grid;
    if step < 1 {
        return Err(QueryError::Execution(
            "zero or negative query resolution step widths are not accepted. Try a positive integer"
                .to_owned(),
        ));
    }
    if end < start {
        return Err(QueryError::Execution(
            "end timestamp must not be before start time".to_owned(),
        ));
    }
    if start < -TIME_MAX || end > TIME_MAX || step > TIME_MAX {
        return Err(QueryError::Execution(format!(
            "query time out of range: times are within {TIME_MAX} milliseconds of 1970"
        )));
    }
    Ok(())
}

fn outcome(evaluator: &Evaluator, value: Value) -> Outcome {
    Outcome {
        value,
        warnings: evaluator.warnings.take().into_iter().collect(),
        infos: evaluator.infos.take().into_iter().collect(),
        samples_read: evaluator.samples_read(),
    }
}

#[cfg(test)]
mod tests;
