//! Sums that do not lose small terms, quantiles, variance, regression: as Prometheus computes them,
//! so that the last digits are the same.

use std::cmp::Ordering;

/// A sum with the error made so far (Neumaier's variant of Kahan's summation).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub sum: f64,
    pub error: f64,
}

impl Sum {
    #[inline]
    pub fn of(value: f64) -> Self {
        Self { sum: value, error: 0.0 }
    }

    #[inline]
    #[must_use]
    pub fn plus(self, term: f64) -> Self {
        let sum = self.sum + term;
        let error = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= term.abs() {
            self.error + ((self.sum - sum) + term)
        } else {
            self.error + ((term - sum) + self.sum)
        };
        Self { sum, error }
    }

    /// Of two sums.
    #[inline]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self { sum, error } = self.plus(other.sum);
        Self { sum, error: error + other.error }
    }

    #[inline]
    pub fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.error }
    }
}

/// A mean that grows term by term; it does not overflow where the sum would.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    count: f64,
    /// Of the terms, or their mean once the sum has overflowed.
    sum: Sum,
    incremental: bool,
}

impl Mean {
    #[inline]
    pub fn of(value: f64) -> Self {
        Self { count: 1.0, sum: Sum::of(value), incremental: false }
    }

    #[inline]
    #[must_use]
    pub fn plus(self, term: f64) -> Self {
        if !self.incremental {
            let sum = self.sum.plus(term);
            if !sum.sum.is_infinite() {
                return Self { count: self.count + 1.0, sum, incremental: false };
            }
        }
        self.plus_incrementally(term)
    }

    #[cold]
    fn plus_incrementally(self, term: f64) -> Self {
        let count = self.count + 1.0;
        let mut mean = self.sum;
        if !self.incremental {
            mean = Sum { sum: mean.sum / self.count, error: mean.error / self.count };
        }
        let share = self.count / count;
        let mean = Sum { sum: share * mean.sum, error: share * mean.error }.plus(term / count);
        Self { count, sum: mean, incremental: true }
    }

    #[inline]
    pub fn mean(self) -> f64 {
        if self.incremental {
            self.sum.sum + self.sum.error
        } else {
            self.sum.sum / self.count + self.sum.error / self.count
        }
    }
}

/// Order of values with NaN below all others.
#[inline]
pub(super) fn nan_first(a: &f64, b: &f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    }
}

/// A value as it is put in order: every NaN is the one that the total order has first.
#[inline]
pub(super) fn orderly(value: f64) -> f64 {
    if value.is_nan() { -f64::NAN.abs() } else { value }
}

/// The value below which the share `q` of values lies, between two of them if need be. Changes their
/// order.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    values.iter_mut().for_each(|value| *value = orderly(*value));
    quantile_by(q, values.len(), |lower, upper| {
        let (_, value, above) = values.select_nth_unstable_by(lower, f64::total_cmp);
        let next = above.iter().copied().min_by(f64::total_cmp);
        (*value, if upper > lower { next.unwrap_or(*value) } else { *value })
    })
}

/// The same of values in total order, NaN first.
pub(super) fn quantile_of_sorted(q: f64, values: &[f64]) -> f64 {
    quantile_by(q, values.len(), |lower, upper| (values[lower], values[upper]))
}

/// Where a quantile lies among so many values; the values at two ranks are asked for.
fn quantile_by(q: f64, count: usize, values: impl FnOnce(usize, usize) -> (f64, f64)) -> f64 {
    if count == 0 || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let last = count - 1;
    let rank = q * last as f64;
    // `q` is within 0 and 1, so that the rank is that of a value.
    let lower = (rank.floor() as usize).min(last);
    let (below, above) = values(lower, (lower + 1).min(last));
    let weight = rank - rank.floor();
    below * (1.0 - weight) + above * weight
}

/// The mean square of distances to the mean.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for value in values {
        count += 1.0;
        let delta = value - (mean.sum + mean.error);
        mean = mean.plus(delta / count);
        squares = squares.plus(delta * (value - (mean.sum + mean.error)));
    }
    (squares.sum + squares.error) / count
}

/// Slope a second and value at `origin` of the straight line nearest to samples.
pub(super) fn regression(times: &[i64], values: &[f64], origin: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (time, y) in times.iter().zip(values) {
        let x = (time - origin) as f64 / 1e3;
        x_sum = x_sum.plus(x);
        y_sum = y_sum.plus(*y);
        xy_sum = xy_sum.plus(x * y);
        xx_sum = xx_sum.plus(x * x);
    }
    let count = values.len() as f64;
    let [x, y, xy, xx] = [x_sum, y_sum, xy_sum, xx_sum].map(|sum| sum.sum + sum.error);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_small_terms() {
        let total = [1e100, 1.0, -1e100].into_iter().fold(Sum::default(), Sum::plus);
        assert_eq!(total.total(), 1.0);
        let mean = [1.0, -1e100].into_iter().fold(Mean::of(1e100), Mean::plus);
        assert_eq!(mean.mean(), 1.0 / 3.0);
    }

    #[test]
    fn means_do_not_overflow() {
        let mean = [f64::MAX, f64::MAX].into_iter().fold(Mean::of(f64::MAX), Mean::plus).mean();
        assert!((mean / f64::MAX - 1.0).abs() < 1e-15);
        let infinite = [1.0, 2.0].into_iter().fold(Mean::of(f64::INFINITY), Mean::plus).mean();
        assert_eq!(infinite, f64::INFINITY);
        let both = Mean::of(f64::INFINITY).plus(f64::NEG_INFINITY).mean();
        assert!(both.is_nan());
    }

    #[test]
    fn quantiles_lie_between_values() {
        let values = || [3.0, 1.0, 2.0, 10.0];
        assert_eq!(quantile(0.5, &mut values()), 2.5);
        assert_eq!(quantile(0.0, &mut values()), 1.0);
        assert_eq!(quantile(1.0, &mut values()), 10.0);
        assert_eq!(quantile(-0.1, &mut values()), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut values()), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut values()).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
        assert_eq!(quantile(1.0, &mut [1.0, f64::NAN]), 1.0);
        assert!(quantile(0.0, &mut [1.0, f64::NAN, 2.0]).is_nan());
        let mut sorted = values();
        sorted.sort_by(f64::total_cmp);
        for q in [0.0, 0.1, 0.5, 0.77, 1.0] {
            assert_eq!(quantile(q, &mut values()), quantile_of_sorted(q, &sorted));
        }
    }

    #[test]
    fn regression_finds_the_line() {
        let (slope, at_origin) = regression(&[0, 1000, 2000], &[1.0, 3.0, 5.0], 1000);
        assert!((slope - 2.0).abs() < 1e-12 && (at_origin - 3.0).abs() < 1e-12);
        assert_eq!(regression(&[0, 1000], &[4.0, 4.0], 0), (0.0, 4.0));
        assert_eq!(variance(&[1.0, 2.0, 3.0]), 2.0 / 3.0);
    }
}
