//! Aggregations that need each value once: `sum`, `avg`, `min`, `max`, `count`, `group`, `stddev`,
//! `stdvar`. A group holds a few numbers for each step; columns pass by.

use super::column::{ABSENT, Column, Metric, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::grouping::Groups;
use super::outcome::{Grid, QueryError};
use super::plan::{Aggregation, Aggregator};
use super::statistics::{Mean, Sum};

/// Evaluates such an aggregation.
pub(super) fn stream(
    evaluator: &Evaluator,
    aggregation: &Aggregation,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut groups = Groups::new(&aggregation.grouping);
    let mut totals: Vec<(Metric, Total)> = Vec::new();
    let steps = grid.steps();
    let mut held = evaluator.table();
    evaluator.stream(&aggregation.node, grid, &mut |column| {
        let (number, is_new) = groups.place(&column.metric);
        if is_new {
            evaluator.charge(&mut held, groups.len(), steps)?;
            let metric = column.metric.grouped(&aggregation.grouping);
            totals.push((metric, Total::new(aggregation.operator, steps)));
        }
        totals[number].1.add(&column.values);
        Ok(())
    })?;
    totals
        .into_iter()
        .try_for_each(|(metric, total)| sink(Column { metric, values: total.finish() }))
}

/// One group at every step.
enum Total {
    Sum { sums: Vec<f64>, errors: Vec<f64>, present: Vec<bool> },
    Average(Vec<Option<Mean>>),
    Extreme { values: Vec<f64>, sign: f64 },
    Count(Vec<f64>),
    Group(Vec<f64>),
    Deviation { spreads: Vec<Spread>, square_root: bool },
}

/// Count, mean, and sum of squared distances to it (Welford).
#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Total {
    fn new(operator: Aggregator, steps: usize) -> Self {
        match operator {
            Aggregator::Average => Self::Average(vec![None; steps]),
            Aggregator::Minimum => Self::Extreme { values: vec![ABSENT; steps], sign: -1.0 },
            Aggregator::Maximum => Self::Extreme { values: vec![ABSENT; steps], sign: 1.0 },
            Aggregator::Count => Self::Count(vec![0.0; steps]),
            Aggregator::Group => Self::Group(vec![ABSENT; steps]),
            Aggregator::StandardDeviation | Aggregator::StandardVariance => Self::Deviation {
                spreads: vec![Spread::default(); steps],
                square_root: operator == Aggregator::StandardDeviation,
            },
            _ => Self::Sum {
                sums: vec![0.0; steps],
                errors: vec![0.0; steps],
                present: vec![false; steps],
            },
        }
    }

    fn add(&mut self, column: &[f64]) {
        match self {
            Self::Sum { sums, errors, present } => {
                let totals = sums.iter_mut().zip(errors).zip(present);
                for (((sum, error), present), value) in totals.zip(column) {
                    // Nothing is added as nothing, so that the loop has no branches.
                    let absent = is_absent(*value);
                    let added =
                        Sum { sum: *sum, error: *error }.plus(if absent { 0.0 } else { *value });
                    (*sum, *error) = (added.sum, added.error);
                    *present |= !absent;
                }
            }
            Self::Average(means) => {
                for (mean, value) in present(means, column) {
                    *mean = Some(mean.map_or(Mean::of(value), |mean| mean.plus(value)));
                }
            }
            Self::Extreme { values, sign } => {
                for (best, value) in present(values, column) {
                    // Absent is a NaN too: any value takes its place.
                    if value * *sign > *best * *sign || best.is_nan() {
                        *best = value;
                    }
                }
            }
            Self::Count(counts) => {
                for (count, value) in counts.iter_mut().zip(column) {
                    *count += if is_absent(*value) { 0.0 } else { 1.0 };
                }
            }
            Self::Group(values) => present(values, column).for_each(|(one, _)| *one = 1.0),
            Self::Deviation { spreads, .. } => {
                for (spread, value) in present(spreads, column) {
                    spread.add(value);
                }
            }
        }
    }

    fn finish(self) -> Vec<f64> {
        match self {
            Self::Sum { mut sums, errors, present } => {
                for ((sum, error), present) in sums.iter_mut().zip(errors).zip(present) {
                    *sum = if present { *sum + error } else { ABSENT };
                }
                sums
            }
            Self::Average(means) => {
                means.into_iter().map(|mean| mean.map_or(ABSENT, Mean::mean)).collect()
            }
            Self::Extreme { values, .. } | Self::Group(values) => values,
            Self::Count(mut counts) => {
                counts.iter_mut().filter(|count| **count == 0.0).for_each(|count| *count = ABSENT);
                counts
            }
            Self::Deviation { spreads, square_root } => {
                spreads.into_iter().map(|spread| spread.deviation(square_root)).collect()
            }
        }
    }
}

/// What a group has at each step where the column has a value, and that value.
fn present<'t, T>(
    totals: &'t mut [T],
    column: &'t [f64],
) -> impl Iterator<Item = (&'t mut T, f64)> {
    let pairs = totals.iter_mut().zip(column);
    pairs.filter(|(_, value)| !is_absent(**value)).map(|(total, value)| (total, *value))
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn deviation(self, square_root: bool) -> f64 {
        if self.count == 0.0 {
            return ABSENT;
        }
        let variance = self.squares / self.count;
        if square_root { variance.sqrt() } else { variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(operator: Aggregator, columns: &[&[f64]]) -> Vec<f64> {
        let mut total = Total::new(operator, columns[0].len());
        columns.iter().for_each(|column| total.add(column));
        total.finish()
    }

    #[test]
    fn what_is_absent_takes_no_part() {
        let columns: [&[f64]; 3] =
            [&[1.0, ABSENT, ABSENT], &[3.0, 5.0, ABSENT], &[8.0, ABSENT, ABSENT]];
        for (operator, first) in [
            (Aggregator::Sum, 12.0),
            (Aggregator::Average, 4.0),
            (Aggregator::Minimum, 1.0),
            (Aggregator::Maximum, 8.0),
            (Aggregator::Count, 3.0),
            (Aggregator::Group, 1.0),
            (Aggregator::StandardVariance, 26.0 / 3.0),
        ] {
            let values = total(operator, &columns);
            assert!((values[0] - first).abs() < 1e-12, "{operator:?}");
            assert!(!is_absent(values[1]) && is_absent(values[2]), "{operator:?}");
        }
    }

    #[test]
    fn extremes_leave_nan_out_and_deviations_do_not() {
        assert_eq!(total(Aggregator::Maximum, &[&[f64::NAN], &[1.0], &[f64::NAN]]), [1.0]);
        assert_eq!(total(Aggregator::Minimum, &[&[f64::NAN], &[1.0], &[2.0]]), [1.0]);
        assert!(total(Aggregator::Maximum, &[&[f64::NAN]])[0].is_nan());
        assert!(total(Aggregator::StandardDeviation, &[&[f64::INFINITY]])[0].is_nan());
        assert_eq!(total(Aggregator::Sum, &[&[1e100], &[1.0], &[-1e100]]), [1.0]);
        assert_eq!(total(Aggregator::Sum, &[&[f64::INFINITY], &[1.0]]), [f64::INFINITY]);
    }
}
