//! What windows hold in all: sums, means, extremes, quantiles of samples over time.

use super::column::ABSENT;
use super::range_function::seconds;
use super::statistics::{self, Mean, Sum, orderly};
use super::window::Windows;
use crate::sample::Samples;

pub(super) fn sum(samples: &Samples, windows: &Windows) -> Vec<f64> {
    slide(samples, windows, Sum::default(), Sum::of, Sum::and, |sum, values| {
        if sum.sum.is_finite() {
            return sum.total();
        }
        // Which of overflow, infinities and NaN it was depends on the order.
        values.iter().fold(Sum::default(), |sum, value| sum.plus(*value)).total()
    })
}

pub(super) fn average(samples: &Samples, windows: &Windows) -> Vec<f64> {
    slide(samples, windows, Sum::default(), Sum::of, Sum::and, |sum, values| {
        if sum.sum.is_finite() {
            let count = values.len() as f64;
            return sum.sum / count + sum.error / count;
        }
        let first = Mean::of(values[0]);
        values[1..].iter().fold(first, |mean, value| mean.plus(*value)).mean()
    })
}

pub(super) fn maximum(samples: &Samples, windows: &Windows) -> Vec<f64> {
    extreme(samples, windows, |new, best| new > best)
}

pub(super) fn minimum(samples: &Samples, windows: &Windows) -> Vec<f64> {
    extreme(samples, windows, |new, best| new < best)
}

/// NaN gives way to any number.
fn extreme(samples: &Samples, windows: &Windows, better: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let best = |a: f64, b: f64| if better(b, a) || a.is_nan() { b } else { a };
    slide(samples, windows, f64::NAN, |value| value, best, |best, _| best)
}

/// What windows that move on hold in all, each sample looked at twice, however long they are.
///
/// Nothing is taken away again, which for a sum would lose digits and for an extreme cannot be done:
/// what is before a middle is totalled backwards for every start at once, what is after it forwards,
/// and a window's total is one of each. When a window has left the middle behind, its end becomes
/// the next middle.
fn slide<T: Copy>(
    samples: &Samples,
    windows: &Windows,
    nothing: T,
    of: impl Fn(f64) -> T,
    and: impl Fn(T, T) -> T,
    result: impl Fn(T, &[f64]) -> f64,
) -> Vec<f64> {
    let values = &samples.values;
    // Totals of `start..middle`, `start + 1..middle`…, and of `middle..end`.
    let mut before: Vec<T> = Vec::new();
    let (mut start, mut middle) = (0, 0);
    let (mut after, mut end) = (nothing, 0);
    windows.slide(samples, |window| {
        let (from, to) = (window.from, window.to);
        if from >= middle {
            before.resize(to - from, nothing);
            let mut total = nothing;
            for (before, value) in before.iter_mut().zip(&values[from..to]).rev() {
                total = and(total, of(*value));
                *before = total;
            }
            (start, middle, end) = (from, to, to);
            after = nothing;
        }
        for value in &values[end..to] {
            after = and(after, of(*value));
        }
        end = to;
        result(and(before[from - start], after), window.values)
    })
}

/// When the best value was sampled; the last of equals, by the comparison given.
pub(super) fn time_of(
    samples: &Samples,
    windows: &Windows,
    better: impl Fn(f64, f64) -> bool,
) -> Vec<f64> {
    windows.slide(samples, |window| {
        let (mut best, mut time) = (window.values[0], window.times[0]);
        for (new, at) in window.values.iter().zip(window.times) {
            if better(*new, best) || best.is_nan() {
                (best, time) = (*new, *at);
            }
        }
        seconds(time)
    })
}

/// The variance of each window's samples, and what is made of it.
pub(super) fn deviation(
    samples: &Samples,
    windows: &Windows,
    of_variance: impl Fn(f64) -> f64,
) -> Vec<f64> {
    windows.slide(samples, |window| of_variance(statistics::variance(window.values)))
}

pub(super) fn quantile(samples: &Samples, windows: &Windows, q: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut sorted = SortedWindow::default();
    windows.slide(samples, |window| {
        sorted.follow(&samples.values, window.from, window.to);
        statistics::quantile_of_sorted(q(window.step), &sorted.values)
    })
}

/// The values of a window in order. What leaves is taken out and what enters is put in its place,
/// which moves memory but compares little.
#[derive(Default)]
struct SortedWindow {
    values: Vec<f64>,
    from: usize,
    to: usize,
}

impl SortedWindow {
    fn follow(&mut self, all: &[f64], from: usize, to: usize) {
        let moved = (from - self.from) + (to - self.to);
        if moved > (to - from) / 2 {
            self.values.clear();
            self.values.extend(all[from..to].iter().map(|value| orderly(*value)));
            self.values.sort_unstable_by(f64::total_cmp);
        } else {
            for value in &all[self.from..from] {
                let place = self.place(*value);
                self.values.remove(place);
            }
            for value in &all[self.to..to] {
                let place = self.place(*value);
                self.values.insert(place, orderly(*value));
            }
        }
        (self.from, self.to) = (from, to);
    }

    /// Where a value is, or would be.
    fn place(&self, value: f64) -> usize {
        let value = orderly(value);
        self.values.partition_point(|other| other.total_cmp(&value).is_lt())
    }
}

/// The median of distances to the median.
pub(super) fn median_absolute_deviation(samples: &Samples, windows: &Windows) -> Vec<f64> {
    const MIDDLE: f64 = 0.5;
    let mut sorted = Vec::new();
    windows.slide(samples, |window| {
        sorted.clear();
        sorted.extend_from_slice(window.values);
        let median = statistics::quantile(MIDDLE, &mut sorted);
        if sorted.is_empty() {
            return ABSENT;
        }
        sorted.iter_mut().for_each(|value| *value = (*value - median).abs());
        statistics::quantile(MIDDLE, &mut sorted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Grid;
    use crate::promql::selector::Instants;

    fn windows(range: i64, count: usize) -> Windows {
        let ends = Instants { first: 0, step: 1, count };
        Windows { ends, range, grid: Grid { start: 0, end: count as i64 - 1, step: 1 } }
    }

    fn samples(values: &[f64]) -> Samples {
        Samples { times: (0..values.len() as i64).collect(), values: values.to_vec() }
    }

    #[test]
    fn extremes_follow_the_window() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let maxima = maximum(&samples(&values), &windows(3, 8));
        assert_eq!(maxima, [3.0, 3.0, 4.0, 4.0, 5.0, 9.0, 9.0, 9.0]);
        let minima = minimum(&samples(&values), &windows(3, 8));
        assert_eq!(minima, [3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn extremes_of_numbers_leave_nan_out_unless_it_is_alone() {
        let values = [f64::NAN, 2.0, f64::NAN, f64::NAN, 1.0];
        let maxima = maximum(&samples(&values), &windows(2, 5));
        assert!(maxima[0].is_nan() && maxima[3].is_nan());
        assert_eq!((maxima[1], maxima[2], maxima[4]), (2.0, 2.0, 1.0));
    }

    #[test]
    fn the_last_of_equal_extremes_tells_the_time() {
        let times =
            time_of(&samples(&[1.0, 5.0, 5.0, 2.0]), &windows(4, 4), |new, best| new >= best);
        assert_eq!(times[3], 0.002);
    }

    #[test]
    fn sliding_sums_are_those_of_each_window() {
        let values: Vec<f64> = (0..50).map(|k| f64::from(k * k % 17) * 1e10 + 0.1).collect();
        for range in [1, 2, 7, 60] {
            let sums = sum(&samples(&values), &windows(range, 50));
            for (last, sum) in sums.iter().enumerate() {
                let first = (last + 1).saturating_sub(range as usize);
                let one = values[first..=last].iter().fold(Sum::default(), |sum, v| sum.plus(*v));
                assert!((sum / one.total() - 1.0).abs() < 1e-15, "{first}..={last}");
            }
        }
        let sums = sum(&samples(&[1e100, 1.0, -1e100, 1.0]), &windows(3, 4));
        assert_eq!(sums[2], 1.0);
        let infinite = [1.0, f64::INFINITY, 2.0, f64::NEG_INFINITY, 3.0, 4.0, 5.0];
        let means = average(&samples(&infinite), &windows(3, 7));
        assert_eq!(means[1..3], [f64::INFINITY; 2]);
        assert!(means[3].is_nan());
        assert_eq!(means[4..], [f64::NEG_INFINITY, f64::NEG_INFINITY, 4.0]);
    }

    #[test]
    fn quantiles_follow_the_window() {
        let mut values: Vec<f64> = (0..60).map(|k| f64::from(k * k % 23)).collect();
        (values[7], values[30], values[31]) = (f64::NAN, f64::NEG_INFINITY, -0.0);
        for range in [1, 3, 10, 100] {
            let found = quantile(&samples(&values), &windows(range, 60), |_| 0.3);
            for (last, found) in found.iter().enumerate() {
                let first = (last + 1).saturating_sub(range as usize);
                let one = statistics::quantile(0.3, &mut values[first..=last].to_vec());
                assert!(*found == one || found.is_nan() && one.is_nan(), "{first}..={last}");
            }
        }
    }

    #[test]
    fn sums_and_means_are_of_the_window_alone() {
        let samples = samples(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(sum(&samples, &windows(2, 4)), [1.0, 3.0, 5.0, 7.0]);
        assert_eq!(average(&samples, &windows(2, 4)), [1.0, 1.5, 2.5, 3.5]);
        assert_eq!(quantile(&samples, &windows(3, 4), |_| 0.5)[3], 3.0);
        assert_eq!(median_absolute_deviation(&samples, &windows(4, 4))[3], 1.0);
        assert_eq!(deviation(&samples, &windows(3, 4), |variance| variance)[3], 2.0 / 3.0);
    }
}
