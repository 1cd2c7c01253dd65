//! How fast counters and gauges move: `rate`, `increase`, `delta`, `irate`, `idelta`, `resets`,
//! `changes`.
//!
//! The extrapolation is that of Prometheus 3 (`extrapolatedRate` of its `promql/functions.go`), term
//! by term, so that the last digits are the same.

use super::column::ABSENT;
use super::window::{Window, Windows};
use crate::sample::Samples;

/// What of the extrapolated difference is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a counter, a second.
    Rate,
    /// Of a counter.
    Increase,
    /// Of a gauge.
    Delta,
}

/// Nearer to a window's end than this many average distances between samples, the series is taken to
/// reach it.
const NEAR: f64 = 1.1;

/// The difference between both ends of each window, as samples within it tell.
pub(super) fn extrapolate(samples: &Samples, windows: &Windows, kind: Kind) -> Vec<f64> {
    let is_counter = kind != Kind::Delta;
    // Where the counter starts anew; few series have any.
    let resets = if is_counter { places_of_resets(&samples.values) } else { Vec::new() };
    let range_seconds = windows.range as f64 / 1000.0;
    let mut passed = 0;
    windows.slide(samples, |window| {
        let [first, .., last] = window.values else { return ABSENT };
        let mut difference = last - first;
        while passed < resets.len() && resets[passed] <= window.from {
            passed += 1;
        }
        for reset in resets[passed..].iter().take_while(|reset| **reset < window.to) {
            difference += samples.values[reset - 1];
        }
        let mut factor = extrapolation(&window, windows.range, difference, is_counter);
        if kind == Kind::Rate {
            factor /= range_seconds;
        }
        difference * factor
    })
}

/// Samples that are less than the one before.
fn places_of_resets(values: &[f64]) -> Vec<usize> {
    // Counting has no branches, and mostly finds none.
    let after = values.get(1..).unwrap_or_default();
    let count: u32 =
        after.iter().zip(values).map(|(value, before)| u32::from(value < before)).sum();
    if count == 0 {
        return Vec::new();
    }
    let pairs = values.windows(2).enumerate();
    pairs.filter(|(_, pair)| pair[1] < pair[0]).map(|(place, _)| place + 1).collect()
}

/// By how much longer than its samples the series is taken to be within the window.
#[inline]
fn extrapolation(window: &Window, range: i64, difference: f64, is_counter: bool) -> f64 {
    let (first, last) = (window.times[0], window.times[window.times.len() - 1]);
    let mut to_start = (first - (window.end - range)) as f64 / 1000.0;
    let mut to_end = (window.end - last) as f64 / 1000.0;
    let sampled = (last - first) as f64 / 1000.0;
    let average = sampled / (window.times.len() - 1) as f64;
    let threshold = average * NEAR;
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if is_counter && difference > 0.0 && window.values[0] >= 0.0 {
        // A counter was not below zero, so that it began no earlier than the line through its
        // samples says.
        let to_zero = sampled * (window.values[0] / difference);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    (sampled + to_start + to_end) / sampled
}

/// The difference of the last two samples of each window; of a counter, a second.
pub(super) fn instant(samples: &Samples, windows: &Windows, is_counter: bool) -> Vec<f64> {
    windows.slide(samples, |window| {
        let ([.., before, last], [.., before_time, last_time]) = (window.values, window.times)
        else {
            return ABSENT;
        };
        let difference = if is_counter && last < before { *last } else { last - before };
        if is_counter {
            difference / ((last_time - before_time) as f64 / 1000.0)
        } else {
            difference
        }
    })
}

/// How often a counter started anew in each window.
pub(super) fn resets(samples: &Samples, windows: &Windows) -> Vec<f64> {
    count_pairs(samples, windows, |before, value| value < before)
}

/// How often a value changed in each window.
pub(super) fn changes(samples: &Samples, windows: &Windows) -> Vec<f64> {
    count_pairs(samples, windows, |before, value| {
        value != before && !(value.is_nan() && before.is_nan())
    })
}

/// Pairs that fulfil a condition are counted once for the series; a window's count is a difference.
fn count_pairs(
    samples: &Samples,
    windows: &Windows,
    counts: impl Fn(f64, f64) -> bool,
) -> Vec<f64> {
    let mut before = Vec::with_capacity(samples.len());
    let mut count = 0_u32;
    before.push(0);
    for pair in samples.values.windows(2) {
        count += u32::from(counts(pair[0], pair[1]));
        before.push(count);
    }
    windows.slide(samples, |window| f64::from(before[window.to - 1] - before[window.from]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Grid;
    use crate::promql::column::is_absent;
    use crate::promql::selector::Instants;

    fn one(samples: &[(i64, f64)], end: i64, range: i64) -> (Samples, Windows) {
        let samples = Samples {
            times: samples.iter().map(|sample| sample.0).collect(),
            values: samples.iter().map(|sample| sample.1).collect(),
        };
        let ends = Instants { first: end, step: 0, count: 1 };
        (samples, Windows { ends, range, grid: Grid { start: end, end, step: 1 } })
    }

    fn of(points: &[(i64, f64)], kind: Kind) -> f64 {
        let (samples, windows) = one(points, 60_000, 60_000);
        extrapolate(&samples, &windows, kind)[0]
    }

    #[test]
    fn the_difference_reaches_the_windows_ends_if_samples_are_near_them() {
        // 15 s and 0 s from the ends, 15 s apart: the line goes all the way.
        let near = [(15_000, 100.0), (30_000, 110.0), (45_000, 120.0), (60_000, 130.0)];
        assert_eq!(of(&near, Kind::Increase), 40.0);
        assert_eq!(of(&near, Kind::Rate), 40.0 * (1.0 / 60.0));
        assert_eq!(of(&near, Kind::Delta), 40.0);
        // 40 s from the start, 10 s apart: half a distance only.
        let far = [(40_000, 100.0), (50_000, 110.0), (60_000, 120.0)];
        assert_eq!(of(&far, Kind::Increase), 25.0);
    }

    #[test]
    fn a_counter_was_not_below_zero_before_its_first_sample() {
        let points = [(15_000, 1.0), (30_000, 11.0), (45_000, 21.0), (60_000, 31.0)];
        // 30 in 45 s, and 1 in the 1.5 s before: not 15 s.
        assert!((of(&points, Kind::Increase) - 31.0).abs() < 1e-12);
        assert_eq!(of(&points, Kind::Delta), 40.0);
    }

    #[test]
    fn resets_add_what_was_reached() {
        let points = [(15_000, 100.0), (30_000, 110.0), (45_000, 5.0), (60_000, 15.0)];
        // 10 + 5 + 10, not extrapolated below zero.
        assert!((of(&points, Kind::Increase) - 25.0 * 60.0 / 45.0).abs() < 1e-12);
        assert!(of(&points, Kind::Delta) < 0.0);
        let (samples, windows) = one(&points, 60_000, 60_000);
        assert_eq!(resets(&samples, &windows), [1.0]);
        assert_eq!(changes(&samples, &windows), [3.0]);
        // A window that begins at the reset does not see it.
        let (samples, windows) = one(&points, 60_000, 20_000);
        assert_eq!(resets(&samples, &windows), [0.0]);
        let increase = extrapolate(&samples, &windows, Kind::Increase)[0];
        assert!((increase - 10.0 * 20.0 / 15.0).abs() < 1e-12);
    }

    #[test]
    fn one_sample_is_no_difference() {
        assert!(is_absent(of(&[(60_000, 1.0)], Kind::Rate)));
        let (samples, windows) = one(&[(60_000, 1.0)], 60_000, 60_000);
        assert!(is_absent(instant(&samples, &windows, true)[0]));
        assert_eq!(changes(&samples, &windows), [0.0]);
    }

    #[test]
    fn the_last_two_samples_make_an_instant_rate() {
        let (samples, windows) =
            one(&[(10_000, 9.0), (40_000, 4.0), (50_000, 7.0)], 60_000, 60_000);
        assert_eq!(instant(&samples, &windows, true), [0.3]);
        let (samples, windows) = one(&[(40_000, 7.0), (50_000, 4.0)], 60_000, 60_000);
        assert_eq!(instant(&samples, &windows, true), [0.4]);
        assert_eq!(instant(&samples, &windows, false), [-3.0]);
    }
}
