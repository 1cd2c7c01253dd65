//! Aggregations that need all values of a step at once: `topk`, `bottomk`, `quantile`,
//! `count_values`, `limitk`, `limit_ratio`.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::annotation;
use super::column::{ABSENT, Column, Metric, Number, is_absent};
use super::evaluate::{Evaluator, Sink, Table};
use super::function::text;
use super::grouping::Groups;
use super::number;
use super::outcome::{Grid, QueryError};
use super::plan::{Aggregation, Aggregator};
use super::statistics;

/// Steps computed before the query's time is looked at again.
const STEPS_UNCHECKED: usize = 64;

/// Evaluates such an aggregation.
pub(super) fn stream(
    evaluator: &Evaluator,
    aggregation: &Aggregation,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let Some(parameter) = &aggregation.parameter else {
        return Err(QueryError::Execution("aggregation without its parameter".to_owned()));
    };
    let steps = grid.steps();
    if aggregation.operator == Aggregator::CountValues {
        return count_values(evaluator, aggregation, text(parameter)?, grid, sink);
    }
    let parameter = evaluator.number(parameter, grid)?;
    let mut ranking = Ranking {
        evaluator,
        table: evaluator.collect(&aggregation.node, grid)?,
        groups: Vec::new(),
        steps,
    };
    ranking.group(aggregation);
    match aggregation.operator {
        Aggregator::Quantile => {
            annotation::quantile(evaluator, &parameter, steps);
            ranking.quantile(aggregation, &parameter, sink)
        }
        Aggregator::LimitRatio => ranking.limit_ratio(&parameter, sink),
        operator => ranking.best(operator, &counts(&parameter, steps)?, sink),
    }
}

/// How many are wanted at each step.
fn counts(parameter: &Number, steps: usize) -> Result<Vec<usize>, QueryError> {
    // Go's float64(math.MaxInt64) and its negation.
    const BOUND: f64 = 9_223_372_036_854_775_807.0;
    let count = |value: f64| {
        if value.is_nan() {
            return Err(QueryError::Execution("Parameter value is NaN".to_owned()));
        }
        if !(-BOUND..BOUND).contains(&value) {
            return Err(QueryError::Execution(format!(
                "Scalar value {} overflows int64",
                number::general(value)
            )));
        }
        // Negative counts are none: the conversion saturates.
        Ok(value as usize)
    };
    (0..steps).map(|step| count(parameter.at(step))).collect()
}

struct Ranking<'e> {
    evaluator: &'e Evaluator<'e>,
    table: Table<'e>,
    /// Columns of each group, in the order they came.
    groups: Vec<Vec<usize>>,
    steps: usize,
}

impl Ranking<'_> {
    fn group(&mut self, aggregation: &Aggregation) {
        let mut groups = Groups::new(&aggregation.grouping);
        for (place, column) in self.table.columns.iter().enumerate() {
            let (number, is_new) = groups.place(&column.metric);
            if is_new {
                self.groups.push(Vec::new());
            }
            self.groups[number].push(place);
        }
    }

    /// Values of a group at a step, with the columns they are of.
    fn gather(&self, group: &[usize], step: usize, into: &mut Vec<(f64, usize)>) {
        into.clear();
        for place in group {
            let value = self.table.columns[*place].values[step];
            if !is_absent(value) {
                into.push((value, *place));
            }
        }
    }

    /// The first of each group in an order: that of values, or that in which they came.
    fn best(
        mut self,
        operator: Aggregator,
        counts: &[usize],
        sink: Sink,
    ) -> Result<(), QueryError> {
        let mut chosen = Vec::new();
        let mut order = Vec::new();
        let mut kept = vec![false; self.table.columns.len() * self.steps];
        for group in &self.groups {
            for (step, count) in counts.iter().enumerate() {
                if step % STEPS_UNCHECKED == 0 {
                    self.evaluator.check_time()?;
                }
                if *count == 0 {
                    continue;
                }
                self.gather(group, step, &mut chosen);
                if operator == Aggregator::Limit {
                    chosen.truncate(*count);
                } else {
                    let compare = |a: &(f64, usize), b: &(f64, usize)| {
                        by_rank(operator, a.0, b.0).then(a.1.cmp(&b.1))
                    };
                    if chosen.len() > *count {
                        chosen.select_nth_unstable_by(*count - 1, compare);
                        chosen.truncate(*count);
                    }
                    chosen.sort_unstable_by(compare);
                }
                for (_, place) in &chosen {
                    order.push(*place);
                    kept[place * self.steps + step] = true;
                }
                if self.steps != 1 {
                    order.clear();
                }
            }
        }
        self.keep(&kept);
        if self.steps != 1 {
            order = (0..self.table.columns.len()).collect();
        }
        self.emit(&order, sink)
    }

    /// Takes away every value but those kept; of each column one flag a step.
    fn keep(&mut self, kept: &[bool]) {
        for (column, kept) in self.table.columns.iter_mut().zip(kept.chunks(self.steps.max(1))) {
            for (value, kept) in column.values.iter_mut().zip(kept) {
                if !kept {
                    *value = ABSENT;
                }
            }
        }
    }

    fn emit(&mut self, order: &[usize], sink: Sink) -> Result<(), QueryError> {
        for place in order {
            let column = &mut self.table.columns[*place];
            if !column.is_empty() {
                let values = std::mem::take(&mut column.values);
                sink(Column { metric: column.metric.clone(), values })?;
            }
        }
        Ok(())
    }

    /// Series whose labels' hash falls within the ratio; with a negative one those that do not.
    fn limit_ratio(mut self, ratio: &Number, sink: Sink) -> Result<(), QueryError> {
        let mut warned = false;
        let mut ratios = Vec::with_capacity(self.steps);
        for step in 0..self.steps {
            let ratio = ratio.at(step);
            if ratio.is_nan() {
                return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
            }
            let capped = ratio.clamp(-1.0, 1.0);
            if capped != ratio && !warned {
                annotation::ratio(self.evaluator, ratio, capped);
                warned = true;
            }
            ratios.push(capped);
        }
        for column in &mut self.table.columns {
            let place = share(&column.metric);
            for (value, ratio) in column.values.iter_mut().zip(&ratios) {
                let within = if *ratio >= 0.0 { place < *ratio } else { place >= 1.0 + *ratio };
                if !within {
                    *value = ABSENT;
                }
            }
        }
        let order: Vec<usize> = (0..self.table.columns.len()).collect();
        self.emit(&order, sink)
    }

    fn quantile(
        self,
        aggregation: &Aggregation,
        quantile: &Number,
        sink: Sink,
    ) -> Result<(), QueryError> {
        let mut values = Vec::new();
        for group in &self.groups {
            let mut result = Vec::with_capacity(self.steps);
            for step in 0..self.steps {
                if step % STEPS_UNCHECKED == 0 {
                    self.evaluator.check_time()?;
                }
                values.clear();
                let of_step = group.iter().map(|place| self.table.columns[*place].values[step]);
                values.extend(of_step.filter(|value| !is_absent(*value)));
                result.push(if values.is_empty() {
                    ABSENT
                } else {
                    statistics::quantile(quantile.at(step), &mut values)
                });
            }
            let metric = self.table.columns[group[0]].metric.grouped(&aggregation.grouping);
            sink(Column { metric, values: result })?;
        }
        Ok(())
    }
}

/// The better first; NaN last.
fn by_rank(operator: Aggregator, a: f64, b: f64) -> Ordering {
    if a.is_nan() || b.is_nan() || operator == Aggregator::Top {
        statistics::nan_first(&b, &a)
    } else {
        statistics::nan_first(&a, &b)
    }
}

/// Where a series falls between 0 and 1, by its labels alone (FNV-1a, mixed so that the leading
/// bits depend on all of the text).
fn share(metric: &Metric) -> f64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    const MIX: u64 = 0xff51_afd7_ed55_8ccd;
    let mut hash = OFFSET;
    for (name, value) in metric.pairs() {
        for byte in name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(MIX);
    hash ^= hash >> 33;
    hash as f64 / u64::MAX as f64
}

/// How many series have each value, which becomes a label.
fn count_values(
    evaluator: &Evaluator,
    aggregation: &Aggregation,
    label: &str,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    if label.is_empty() {
        return Err(QueryError::Execution(format!("invalid label name {label:?}")));
    }
    let grouping = &aggregation.grouping;
    // A label that is left out is left out after it has been set.
    let is_left_out = !grouping.with && grouping.names.iter().any(|name| name == label);
    let steps = grid.steps();
    let mut groups = Groups::new(grouping);
    let mut places: HashMap<(usize, u64), usize> = HashMap::new();
    let mut table = evaluator.table();
    evaluator.stream(&aggregation.node, grid, &mut |column| {
        // The label that the value gets replaces one of that name.
        let metric = column.metric.with([(label, "")]);
        let (group, _) = groups.place(&metric);
        for (step, value) in column.values.iter().enumerate() {
            if is_absent(*value) {
                continue;
            }
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            let key = (group, if is_left_out { 0 } else { bits });
            let place = match places.get(&key) {
                Some(place) => *place,
                None => {
                    evaluator.charge(&mut table, places.len() + 1, steps)?;
                    let mut metric = metric.grouped(grouping);
                    if !is_left_out {
                        metric = metric.with([(label, number::plain(*value).as_str())]);
                    }
                    table.columns.push(Column { metric, values: vec![ABSENT; steps] });
                    places.insert(key, places.len());
                    places.len() - 1
                }
            };
            let count = &mut table.columns[place].values[step];
            *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
        }
        Ok(())
    })?;
    std::mem::take(&mut table.columns).into_iter().try_for_each(sink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Labels;

    #[test]
    fn counts_must_be_numbers_of_a_size() {
        assert_eq!(counts(&Number::Constant(2.9), 2), Ok(vec![2, 2]));
        assert_eq!(counts(&Number::Constant(-3.0), 1), Ok(vec![0]));
        let message = |value| counts(&Number::Constant(value), 1).expect_err("refused").to_string();
        assert_eq!(message(f64::NAN), "Parameter value is NaN");
        assert_eq!(message(f64::INFINITY), "Scalar value +Inf overflows int64");
        assert_eq!(message(1e20), "Scalar value 1e+20 overflows int64");
    }

    #[test]
    fn nan_ranks_last_either_way() {
        for operator in [Aggregator::Top, Aggregator::Bottom] {
            assert_eq!(by_rank(operator, f64::NAN, 1.0), Ordering::Greater);
            assert_eq!(by_rank(operator, 1.0, f64::NAN), Ordering::Less);
        }
        assert_eq!(by_rank(Aggregator::Top, 2.0, 1.0), Ordering::Less);
        assert_eq!(by_rank(Aggregator::Bottom, 2.0, 1.0), Ordering::Greater);
    }

    #[test]
    fn shares_spread_evenly() {
        let shares = (0..1000).map(|number| {
            share(&Metric::of(Labels::from_pairs([("instance", format!("web-{number}"))])))
        });
        let below = shares.filter(|share| *share < 0.25).count();
        assert!((200..300).contains(&below), "{below}");
    }
}
