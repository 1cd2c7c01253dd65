//! Classic histograms: quantiles and fractions of observations counted in cumulative buckets.
//!
//! The arithmetic is that of Prometheus 3 (`promql/quantile.go`).

use std::cmp::Ordering;
use std::collections::HashMap;

use super::annotation;
use super::column::{ABSENT, Column, Distinct, Metric, Number, is_absent, merge};
use super::evaluate::{Evaluator, Sink, Table};
use super::grouping::Groups;
use super::number;
use super::outcome::{Grid, QueryError};
use super::plan::{Grouping, Node};
use crate::labels::NAME;

/// The label that holds a bucket's upper bound.
const BOUND: &str = "le";

/// Observations up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// One histogram: which columns are its buckets.
struct Histogram {
    /// Name and all labels but the bound.
    metric: Metric,
    /// Upper bounds, rising, with columns of the table.
    buckets: Vec<(f64, usize)>,
}

/// `histogram_quantile(q, vector)`.
pub(super) fn quantile(
    evaluator: &Evaluator,
    q: &Node,
    vector: &Node,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let q = evaluator.number(q, grid)?;
    annotation::quantile(evaluator, &q, grid.steps());
    let (table, histograms) = read(evaluator, vector, grid)?;
    let columns = histograms
        .iter()
        .map(|histogram| quantile_column(evaluator, &table, histogram, &q, grid))
        .collect::<Result<_, _>>()?;
    merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
}

/// `histogram_quantiles(vector, label, q…)`: each quantile with its number as a label.
pub(super) fn quantiles(
    evaluator: &Evaluator,
    vector: &Node,
    label: &str,
    quantiles: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let (table, histograms) = read(evaluator, vector, grid)?;
    let mut columns = Vec::new();
    for q in quantiles {
        let q = evaluator.number(q, grid)?;
        annotation::quantile(evaluator, &q, grid.steps());
        let value = number::plain(if grid.steps() == 0 { f64::NAN } else { q.at(0) });
        for histogram in &histograms {
            let mut column = quantile_column(evaluator, &table, histogram, &q, grid)?;
            column.metric = column.metric.with([(label, value.as_str())]);
            columns.push(column);
        }
    }
    merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
}

/// `histogram_fraction(lower, upper, vector)`.
pub(super) fn fraction(
    evaluator: &Evaluator,
    lower: &Node,
    upper: &Node,
    vector: &Node,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let (lower, upper) = (evaluator.number(lower, grid)?, evaluator.number(upper, grid)?);
    let (table, histograms) = read(evaluator, vector, grid)?;
    let mut columns = Vec::with_capacity(histograms.len());
    for histogram in &histograms {
        let each = |step: usize, buckets: &mut Vec<Bucket>| {
            coalesce(buckets);
            bucket_fraction(lower.at(step), upper.at(step), buckets)
        };
        columns.push(column(evaluator, &table, histogram, grid, each)?);
    }
    merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
}

/// Buckets of a vector, sorted into histograms.
fn read<'e>(
    evaluator: &'e Evaluator,
    vector: &Node,
    grid: &Grid,
) -> Result<(Table<'e>, Vec<Histogram>), QueryError> {
    let table = evaluator.collect(vector, grid)?;
    // Histograms are told apart by name too, though the result has none.
    let grouping = Grouping { names: vec![BOUND.to_owned()], with: false };
    let mut by_name: HashMap<&str, (Groups, Vec<usize>)> = HashMap::new();
    let mut histograms: Vec<Histogram> = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let (name, bound) = (column.metric.get(NAME), column.metric.get(BOUND));
        let Some(bound) = number::parse(bound) else {
            annotation::bucket(evaluator, name, bound);
            continue;
        };
        let (groups, places) =
            by_name.entry(name).or_insert_with(|| (Groups::new(&grouping), Vec::new()));
        let (number, is_new) = groups.place(&column.metric);
        if is_new {
            places.push(histograms.len());
            let metric = column.metric.filtered(|label| label != BOUND);
            histograms.push(Histogram { metric, buckets: Vec::new() });
        }
        histograms[places[number]].buckets.push((bound, place));
    }
    drop(by_name);
    for histogram in &mut histograms {
        histogram.buckets.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    }
    Ok((table, histograms))
}

fn quantile_column(
    evaluator: &Evaluator,
    table: &Table,
    histogram: &Histogram,
    q: &Number,
    grid: &Grid,
) -> Result<Column, QueryError> {
    let mut forced = false;
    let each = |step: usize, buckets: &mut Vec<Bucket>| {
        let (value, was_forced) = bucket_quantile(q.at(step), buckets);
        forced |= was_forced;
        value
    };
    let column = column(evaluator, table, histogram, grid, each)?;
    if forced {
        annotation::monotonicity(evaluator, histogram.metric.get(NAME));
    }
    Ok(column)
}

/// What is made of a histogram at each step, of the buckets it has there.
fn column(
    evaluator: &Evaluator,
    table: &Table,
    histogram: &Histogram,
    grid: &Grid,
    mut each: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
) -> Result<Column, QueryError> {
    let mut buckets = Vec::with_capacity(histogram.buckets.len());
    let mut values = Vec::with_capacity(grid.steps());
    evaluator.check_time()?;
    for step in 0..grid.steps() {
        buckets.clear();
        for (bound, place) in &histogram.buckets {
            let count = table.columns[*place].values[step];
            if !is_absent(count) {
                buckets.push(Bucket { bound: *bound, count });
            }
        }
        values.push(if buckets.is_empty() { ABSENT } else { each(step, &mut buckets) });
    }
    let mut metric = histogram.metric.clone();
    metric.drop_name();
    Ok(Column { metric, values })
}

/// Adds up buckets of the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// The quantile of sorted buckets, not none, and whether their counts had to be made to rise.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets[buckets.len() - 1].bound != f64::INFINITY {
        return (f64::NAN, false);
    }
    coalesce(buckets);
    let forced = make_rise(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, false);
    }
    let rank = q * observations;
    let found = buckets[..last]
        .partition_point(|bucket| bucket.count < rank || bucket.count.is_nan() || rank.is_nan());
    let value = if found == last {
        // Of what is above the last bound nothing more is known.
        buckets[last - 1].bound
    } else if found == 0 && buckets[0].bound <= 0.0 {
        buckets[0].bound
    } else {
        let Bucket { bound: end, count } = buckets[found];
        let (start, below) = match found.checked_sub(1) {
            Some(before) => (buckets[before].bound, buckets[before].count),
            None => (0.0, 0.0),
        };
        start + (end - start) * ((rank - below) / (count - below))
    };
    (value, forced)
}

/// Counts that fall, because buckets were read at different moments, become those before them. What
/// differs by rounding alone does not count as a fall.
fn make_rise(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            bucket.count = before;
            forced = true;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn almost_equal(a: f64, b: f64) -> bool {
    /// The relative difference that rounding may make.
    const TOLERANCE: f64 = 1e-12;
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The share of observations between two values.
fn bucket_fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let Bucket { bound, count } = buckets[buckets.len() - 1];
    if bound != f64::INFINITY || count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets) - rank_of(lower, buckets)) / count
}

/// How many observations are below a value, taken to be spread evenly in their bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let total = buckets[buckets.len() - 1].count;
    let mut below = 0.0;
    // The first bucket begins at zero if it ends above.
    let mut start = if buckets[0].bound > 0.0 { 0.0 } else { f64::NEG_INFINITY };
    for bucket in buckets {
        if start >= value {
            return f64::min(below, total);
        }
        if bucket.bound > value {
            let rank = if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                below + (bucket.count - below) * (value - start) / (bucket.bound - start)
            };
            return f64::min(rank, total);
        }
        (below, start) = (bucket.count, bucket.bound);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: f64 = f64::INFINITY;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|(bound, count)| Bucket { bound: *bound, count: *count }).collect()
    }

    fn quantile(q: f64, pairs: &[(f64, f64)]) -> f64 {
        bucket_quantile(q, &mut buckets(pairs)).0
    }

    #[test]
    fn quantiles_are_interpolated_within_a_bucket() {
        let pairs = [(0.1, 10.0), (0.2, 30.0), (END, 40.0)];
        assert_eq!(quantile(0.0, &pairs), 0.0);
        assert_eq!(quantile(0.125, &pairs), 0.05);
        assert!((quantile(0.5, &pairs) - 0.15).abs() < 1e-12);
        // Above the last bound nothing is known.
        assert_eq!(quantile(0.9, &pairs), 0.2);
        assert_eq!(quantile(-1.0, &pairs), f64::NEG_INFINITY);
        assert_eq!(quantile(2.0, &pairs), f64::INFINITY);
        assert_eq!(quantile(0.1, &[(-0.5, 10.0), (END, 10.0)]), -0.5);
    }

    #[test]
    fn no_quantile_without_observations_or_without_the_last_bucket() {
        assert!(quantile(0.5, &[(0.1, 0.0), (END, 0.0)]).is_nan());
        assert!(quantile(0.5, &[(0.1, 1.0), (0.2, 2.0)]).is_nan());
        assert!(quantile(0.5, &[(END, 2.0)]).is_nan());
        assert!(quantile(f64::NAN, &[(0.1, 1.0), (END, 2.0)]).is_nan());
    }

    #[test]
    fn counts_are_made_to_rise() {
        let (value, forced) =
            bucket_quantile(0.5, &mut buckets(&[(1.0, 10.0), (2.0, 8.0), (END, 20.0)]));
        assert!(forced);
        assert_eq!(value, 1.0);
        let rounding = [(1.0, 10.0), (2.0, 10.0 - 1e-12), (END, 10.0)];
        assert_eq!(bucket_quantile(0.5, &mut buckets(&rounding)), (0.5, false));
        let mut same = buckets(&[(1.0, 1.0), (1.0, 2.0), (END, 3.0)]);
        coalesce(&mut same);
        assert_eq!(same, buckets(&[(1.0, 3.0), (END, 3.0)]));
    }

    #[test]
    fn fractions_are_interpolated_within_a_bucket() {
        let positive = buckets(&[(0.1, 50.0), (0.2, 70.0), (END, 110.0)]);
        assert!((bucket_fraction(0.0, 0.2, &positive) - 70.0 / 110.0).abs() < 1e-12);
        assert!((bucket_fraction(0.05, 0.15, &positive) - 35.0 / 110.0).abs() < 1e-12);
        assert_eq!(bucket_fraction(f64::NEG_INFINITY, END, &positive), 1.0);
        assert_eq!(bucket_fraction(0.2, 0.1, &positive), 0.0);
        assert_eq!(bucket_fraction(-5.0, 0.0, &positive), 0.0);
        assert!(bucket_fraction(f64::NAN, 1.0, &positive).is_nan());
    }
}
