//! A latency histogram with one writer: log-linear buckets fine enough for quantiles, and the exact
//! bounds that are exposed to Prometheus.
//!
//! Buckets are eight to each power of two from 1 µs to about 67 s, so that a quantile is at most an
//! eighth too high. Invariants: only the worker that owns it records; anybody reads, and may see
//! a count before its sum.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the exposed buckets, in seconds; `+Inf` follows.
pub(crate) const BOUNDS_SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The same bounds in microseconds.
const BOUNDS_MICROS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Sub-buckets to a power of two, as a power of two.
const PRECISION_BITS: u32 = 3;
const PER_OCTAVE: usize = 1 << PRECISION_BITS;
/// Powers of two that are told apart beyond the linear part.
const OCTAVES: usize = 23;
/// Buckets in all; the last takes what is longer.
pub(crate) const FINE_BUCKETS: usize = PER_OCTAVE * (OCTAVES + 1);

/// Adds to a counter that only the calling thread writes: no locked instruction.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// Counts of latencies, written by one worker.
#[derive(Debug)]
pub(crate) struct Histogram {
    fine: [AtomicU64; FINE_BUCKETS],
    exposed: [AtomicU64; BOUNDS_SECONDS.len() + 1],
    sum_micros: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            fine: [const { AtomicU64::new(0) }; FINE_BUCKETS],
            exposed: [const { AtomicU64::new(0) }; BOUNDS_SECONDS.len() + 1],
            sum_micros: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts one latency. For the owning worker only.
    #[inline]
    pub(crate) fn record(&self, latency: Duration) {
        let micros = latency.as_micros().min(u128::from(u64::MAX)) as u64;
        add(&self.fine[bucket(micros)], 1);
        let exposed = BOUNDS_MICROS.iter().position(|&bound| micros <= bound);
        add(&self.exposed[exposed.unwrap_or(BOUNDS_MICROS.len())], 1);
        add(&self.sum_micros, micros);
    }

    /// Adds the counts to a sum over workers.
    pub(crate) fn add_to(&self, total: &mut Counts) {
        for (sum, count) in total.fine.iter_mut().zip(&self.fine) {
            *sum += count.load(Ordering::Relaxed);
        }
        for (sum, count) in total.exposed.iter_mut().zip(&self.exposed) {
            *sum += count.load(Ordering::Relaxed);
        }
        total.sum_micros += self.sum_micros.load(Ordering::Relaxed);
    }
}

/// The counts of a histogram, or of several together, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    fine: [u64; FINE_BUCKETS],
    exposed: [u64; BOUNDS_SECONDS.len() + 1],
    sum_micros: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { fine: [0; FINE_BUCKETS], exposed: [0; BOUNDS_SECONDS.len() + 1], sum_micros: 0 }
    }
}

impl Counts {
    /// How many latencies were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.exposed.iter().sum()
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// Bounds in seconds with the number of latencies up to each, without `+Inf`.
    pub(crate) fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        BOUNDS_SECONDS
            .iter()
            .zip(&self.exposed)
            .map(|(&bound, &count)| {
                sum += count;
                (bound, sum)
            })
            .collect()
    }

    /// The fine counts, for windows of time.
    pub(crate) fn fine(&self) -> &[u64; FINE_BUCKETS] {
        &self.fine
    }
}

/// The latency that a share of the counts does not exceed; `None` without counts.
///
/// `counts` are fine buckets; `share` is 0.0 to 1.0.
pub(crate) fn quantile(counts: &[u64], share: f64) -> Option<Duration> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return None;
    }
    let rank = ((total as f64 * share).ceil() as u64).clamp(1, total);
    let mut seen = 0;
    for (index, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= rank {
            return Some(Duration::from_micros(upper_micros(index)));
        }
    }
    None
}

/// The bucket of a latency.
#[inline]
fn bucket(micros: u64) -> usize {
    if micros < PER_OCTAVE as u64 {
        return micros as usize;
    }
    let exponent = micros.ilog2() - PRECISION_BITS;
    let within = (micros >> exponent) as usize - PER_OCTAVE;
    ((exponent as usize + 1) * PER_OCTAVE + within).min(FINE_BUCKETS - 1)
}

/// The largest latency of a bucket.
fn upper_micros(index: usize) -> u64 {
    if index < PER_OCTAVE {
        return index as u64;
    }
    let exponent = index / PER_OCTAVE - 1;
    let within = (index % PER_OCTAVE + PER_OCTAVE) as u64;
    ((within + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_is_within_an_eighth_of_its_bucket() {
        for micros in (0..100_000).chain((100_000..60_000_000).step_by(9_973)) {
            let upper = upper_micros(bucket(micros));
            assert!(upper >= micros, "{micros} µs is above its bucket's {upper}");
            assert!(upper - micros <= micros / 8, "{micros} µs is reported as {upper}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_counts() {
        let histogram = Histogram::default();
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        let median = quantile(counts.fine(), 0.5).unwrap();
        assert!((50..57).contains(&median.as_millis()), "{median:?}");
        let last = quantile(counts.fine(), 0.99).unwrap();
        assert!((99..112).contains(&last.as_millis()), "{last:?}");
        assert_eq!(quantile(&[0; 4], 0.5), None);
    }

    #[test]
    fn exposed_bounds_are_inclusive_and_cumulative() {
        let histogram = Histogram::default();
        for micros in [1_000, 1_001, 10_000_000, 10_000_001, u64::MAX] {
            histogram.record(Duration::from_micros(micros));
        }
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        let cumulative = counts.cumulative();
        assert_eq!(cumulative[0], (0.001, 1));
        assert_eq!(cumulative[1], (0.0025, 2));
        assert_eq!(cumulative[12], (10.0, 3));
        assert_eq!(counts.count(), 5);
    }
}
