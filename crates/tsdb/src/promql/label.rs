//! `label_replace` and `label_join`.

use std::collections::HashMap;

use super::column::{Column, Distinct, Metric, merge};
use super::evaluate::{Evaluator, Sink};
use super::function::text;
use super::outcome::{Grid, QueryError};
use super::plan::Node;

/// `label_replace(vector, destination, replacement, source, pattern)`: where the pattern takes the
/// whole of the source label, the destination label becomes the replacement.
pub(super) fn replace(
    evaluator: &Evaluator,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let [vector, destination, replacement, source, pattern] = arguments else {
        return Err(QueryError::Execution("label_replace() takes 5 arguments".to_owned()));
    };
    let (destination, replacement) = (text(destination)?, text(replacement)?);
    let (source, pattern) = (text(source)?, text(pattern)?);
    let regex = crate::pattern::anchored(pattern).map_err(|_| {
        QueryError::Execution(format!("invalid regular expression in label_replace(): {pattern}"))
    })?;
    if destination.is_empty() {
        return Err(QueryError::Execution(format!(
            "invalid destination label name in label_replace(): {destination}"
        )));
    }
    // Few source values repeat over many series.
    let mut replaced: HashMap<String, Option<String>> = HashMap::new();
    relabel(evaluator, vector, grid, sink, &mut |metric| {
        let value = metric.get(source);
        let new = match replaced.get(value) {
            Some(known) => known,
            None => {
                let new = regex.captures(value).map(|captures| {
                    let mut new = String::new();
                    captures.expand(replacement, &mut new);
                    new
                });
                replaced.entry(value.to_owned()).or_insert(new)
            }
        };
        new.as_deref().map(|new| metric.with([(destination, new)]))
    })
}

/// `label_join(vector, destination, separator, source…)`.
pub(super) fn join(
    evaluator: &Evaluator,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let [vector, destination, separator, sources @ ..] = arguments else {
        return Err(QueryError::Execution("label_join() takes 3 arguments or more".to_owned()));
    };
    let (destination, separator) = (text(destination)?, text(separator)?);
    let sources: Vec<&str> = sources.iter().map(text).collect::<Result<_, _>>()?;
    if let Some(source) = sources.iter().find(|source| source.is_empty()) {
        return Err(QueryError::Execution(format!(
            "invalid source label name in label_join(): {source}"
        )));
    }
    if destination.is_empty() {
        return Err(QueryError::Execution(format!(
            "invalid destination label name in label_join(): {destination}"
        )));
    }
    relabel(evaluator, vector, grid, sink, &mut |metric| {
        let values: Vec<&str> = sources.iter().map(|source| metric.get(source)).collect();
        Some(metric.with([(destination, values.join(separator).as_str())]))
    })
}

/// Changes the labels of each column; what becomes alike is refused.
fn relabel(
    evaluator: &Evaluator,
    vector: &Node,
    grid: &Grid,
    sink: Sink,
    change: &mut dyn FnMut(&Metric) -> Option<Metric>,
) -> Result<(), QueryError> {
    let mut table = evaluator.table();
    evaluator.stream(vector, grid, &mut |column| {
        let metric = change(&column.metric).unwrap_or(column.metric);
        evaluator.hold(&mut table, Column { metric, values: column.values })
    })?;
    let columns = std::mem::take(&mut table.columns);
    merge(columns, Distinct::Always)?.into_iter().try_for_each(sink)
}
