//! Where a gauge is going: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use super::column::ABSENT;
use super::outcome::QueryError;
use super::statistics::regression;
use super::window::{Window, Windows};
use crate::sample::Samples;

/// The slope of the line nearest to each window's samples, a second.
pub(super) fn derivative(samples: &Samples, windows: &Windows) -> Vec<f64> {
    windows.slide(samples, |window| {
        if window.values.len() < 2 {
            return ABSENT;
        }
        // Distances from the first sample are small, so that little is lost to rounding.
        regression(window.times, window.values, window.times[0]).0
    })
}

/// The value of that line some seconds after the step.
pub(super) fn predict_linear(
    samples: &Samples,
    windows: &Windows,
    ahead: impl Fn(usize) -> f64,
) -> Vec<f64> {
    windows.slide(samples, |window| {
        if window.values.len() < 2 {
            return ABSENT;
        }
        let now = windows.grid.time(window.step);
        let (slope, value) = regression(window.times, window.values, now);
        slope * ahead(window.step) + value
    })
}

/// Each window's last value, smoothed by Holt's linear method. Both factors are between 0 and 1.
pub(super) fn double_exponential_smoothing(
    samples: &Samples,
    windows: &Windows,
    factors: impl Fn(usize) -> (f64, f64),
) -> Result<Vec<f64>, QueryError> {
    for step in 0..windows.ends.count {
        let (smoothing, trend) = factors(step);
        for (name, factor, short) in [("smoothing", smoothing, "sf"), ("trend", trend, "tf")] {
            if factor <= 0.0 || factor >= 1.0 {
                return Err(QueryError::Execution(format!(
                    "invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
                )));
            }
        }
    }
    Ok(windows.slide(samples, |window| {
        let (smoothing, trend) = factors(window.step);
        smooth(&window, smoothing, trend)
    }))
}

fn smooth(window: &Window, smoothing: f64, trend: f64) -> f64 {
    let [first, second, ..] = window.values else { return ABSENT };
    let (mut before, mut smoothed) = (0.0, *first);
    let mut slope = second - first;
    for (place, value) in window.values.iter().enumerate().skip(1) {
        if place > 1 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    smoothed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Grid;
    use crate::promql::column::is_absent;
    use crate::promql::selector::Instants;

    fn line(offset: i64) -> (Samples, Windows) {
        let samples = Samples {
            times: (0..5).map(|k| k * 1000).collect(),
            values: vec![1.0, 3.0, 5.0, 7.0, 9.0],
        };
        let ends = Instants { first: 4000 - offset, step: 0, count: 1 };
        (samples, Windows { ends, range: 10_000, grid: Grid { start: 4000, end: 4000, step: 1 } })
    }

    #[test]
    fn a_line_is_continued_from_the_step() {
        let (samples, windows) = line(0);
        assert!((derivative(&samples, &windows)[0] - 2.0).abs() < 1e-12);
        assert!((predict_linear(&samples, &windows, |_| 10.0)[0] - 29.0).abs() < 1e-12);
        // With an offset the samples are older, the step is not.
        let (samples, windows) = line(2000);
        assert!((predict_linear(&samples, &windows, |_| 10.0)[0] - 29.0).abs() < 1e-12);
    }

    #[test]
    fn smoothing_follows_a_line_and_refuses_factors_out_of_range() {
        let (samples, windows) = line(0);
        let smoothed = double_exponential_smoothing(&samples, &windows, |_| (0.5, 0.5));
        assert_eq!(smoothed, Ok(vec![9.0]));
        let refused = double_exponential_smoothing(&samples, &windows, |_| (0.5, 1.0));
        let message = refused.expect_err("out of range").to_string();
        assert_eq!(message, "invalid trend factor. Expected: 0 < tf < 1, got: 1.000000");
    }

    #[test]
    fn one_sample_has_no_trend() {
        let (_, windows) = line(0);
        let samples = Samples { times: vec![4000], values: vec![1.0] };
        assert!(is_absent(derivative(&samples, &windows)[0]));
        assert!(is_absent(predict_linear(&samples, &windows, |_| 1.0)[0]));
    }
}
