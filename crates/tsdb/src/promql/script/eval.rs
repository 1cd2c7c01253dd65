//! One query of a script: asked, and its answer held against what was expected.

use super::compare::{Moment, compare, sorted};
use super::expectation::{Answer, Expectation, Words};
use crate::promql::{
    self, Element, Grid, Limits, Memory, Outcome, Query, QueryError, Row, Value, ValueType,
};

/// How far before and after its time an instant query is asked again, milliseconds.
const AROUND: i64 = 60_000;

/// A query with what it is expected to answer.
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) expression: String,
    pub(super) when: When,
    pub(super) expectation: Expectation,
}

/// When a query is asked.
#[derive(Clone, Copy)]
pub(super) enum When {
    Instant(i64),
    Range(Grid),
}

impl Eval {
    /// Asks and compares.
    ///
    /// # Errors
    /// What was expected and found, the first difference first.
    pub(super) fn run(&self, memory: &Memory, limits: &Limits<'_>) -> Result<(), String> {
        let asked = promql::parse(&self.expression).and_then(|query| {
            let outcome = match self.when {
                When::Instant(at) => promql::instant(&query, memory, at, limits),
                When::Range(grid) => promql::range(&query, memory, grid, limits),
            }?;
            Ok((query, outcome))
        });
        let (query, outcome) = match asked {
            Ok(answered) => answered,
            Err(error) => return self.failed(&error),
        };
        if !self.expectation.fail.is_empty() {
            return Err(format!("expected an error, found {}", kind(&outcome.value)));
        }
        self.annotations(&outcome)?;
        match self.when {
            When::Instant(at) => {
                let grid = Grid { start: at, end: at, step: 1 };
                let ordered = self.expectation.ordered;
                compare(&self.expectation.answer, &outcome.value, grid, ordered)?;
                self.again_as_range(&query, at, memory, limits)
            }
            When::Range(grid) => {
                if let Value::Matrix(rows) = &outcome.value {
                    sorted(rows)?;
                }
                compare(&self.expectation.answer, &outcome.value, grid, false)
            }
        }
    }

    fn failed(&self, error: &QueryError) -> Result<(), String> {
        let message = error.to_string();
        if self.expectation.fail.is_empty() {
            return Err(format!("expected an answer, found the error: {message}"));
        }
        match self.expectation.fail.iter().find(|words| !words.accept(&message)) {
            Some(words) => Err(format!("expected the error {words}, found: {message}")),
            None => Ok(()),
        }
    }

    fn annotations(&self, outcome: &Outcome) -> Result<(), String> {
        let Expectation { warn, info, no_warn, no_info, .. } = &self.expectation;
        annotated("warning", warn, *no_warn, &outcome.warnings)?;
        annotated("info", info, *no_info, &outcome.infos)
    }

    /// Asks an instant query as the middle step of a range and expects the same answer.
    ///
    /// Not those that answer with a string or range vector, which no range query can, nor those that
    /// ask for its start or end.
    fn again_as_range(
        &self,
        query: &Query,
        at: i64,
        memory: &Memory,
        limits: &Limits<'_>,
    ) -> Result<(), String> {
        let dense: String = self.expression.split_whitespace().collect();
        if matches!(query.value_type(), ValueType::String | ValueType::Matrix)
            || dense.contains("@start()")
            || dense.contains("@end()")
        {
            return Ok(());
        }
        let grid = Grid { start: at - AROUND, end: at + AROUND, step: AROUND };
        let middle = || {
            format!(
                "asked as the middle of a range from {} to {} step {}, expecting the same answer:",
                Moment(grid.start),
                Moment(grid.end),
                Moment(grid.step)
            )
        };
        let outcome = promql::range(query, memory, grid, limits)
            .map_err(|error| format!("{}\nfound the error: {error}", middle()))?;
        let Value::Matrix(rows) = outcome.value else {
            return Err(format!("{}\nfound {}", middle(), kind(&outcome.value)));
        };
        let elements = sorted(&rows).map(|()| elements_at(rows, at));
        let value = elements.and_then(|elements| match (&self.expectation.answer, &elements[..]) {
            (Answer::Scalar(_), [Element { labels, value, .. }]) if labels.is_empty() => {
                Ok(Value::Scalar { time: at, value: *value })
            }
            (Answer::Scalar(_), _) => Err("found no single series without labels".to_owned()),
            _ => Ok(Value::Vector(elements)),
        });
        let instant = Grid { start: at, end: at, step: 1 };
        // A range is sorted by labels, whatever the order of the instant vector.
        value
            .and_then(|value| compare(&self.expectation.answer, &value, instant, false))
            .map_err(|message| format!("{}\n{message}", middle()))
    }
}

/// The values of all series at one time.
fn elements_at(rows: Vec<Row>, at: i64) -> Vec<Element> {
    rows.into_iter()
        .filter_map(|Row { labels, samples }| {
            let place = samples.times.iter().position(|time| *time == at)?;
            Some(Element { labels, time: at, value: samples.values[place] })
        })
        .collect()
}

/// Holds the warnings or infos of an answer against what was expected.
fn annotated(kind: &str, expected: &[Words], none: bool, found: &[String]) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("expected no {kind}, found: {}", found.join("; ")));
    }
    if expected.is_empty() {
        return Ok(());
    }
    let listed = || if found.is_empty() { "none".to_owned() } else { found.join("; ") };
    let missing = expected.iter().find(|words| !found.iter().any(|text| words.accept(text)));
    if let Some(words) = missing {
        return Err(format!("expected {kind} {words}, found: {}", listed()));
    }
    match found.iter().find(|text| !expected.iter().any(|words| words.accept(text))) {
        Some(text) => Err(format!("expected no other {kind}, found: {text}")),
        None => Ok(()),
    }
}

/// What an answer is, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Scalar { .. } => "a scalar",
        Value::String { .. } => "a string",
        Value::Vector(_) => "an instant vector",
        Value::Matrix(_) => "a range vector",
    }
}
