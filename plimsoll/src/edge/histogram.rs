//! A latency histogram with one writer: log-linear buckets fine enough for quantiles, and the exact
//! bounds that are exposed to Prometheus: fixed ones, and the latency that is promised.
//!
//! Buckets are eight to each power of two from 1 µs to about 67 s, so that a quantile is at most an
//! eighth too high. Exposed are counts of the ranges between fixed bounds, each in two parts: up to
//! the promised latency, and above it. Another promise changes only into which part later latencies
//! go, so that the count up to any bound never falls, whatever is promised when.
//!
//! Invariants: only the worker that owns it records; anybody reads, and may see a count before its
//! sum; anybody sets what is promised.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the exposed buckets that are always there, in microseconds; `+Inf` follows.
const BOUNDS_MICROS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Ranges between these bounds; the last is above all.
const RANGES: usize = BOUNDS_MICROS.len() + 1;
/// Nothing is promised: no latency is above.
const NO_PROMISE: u64 = u64::MAX;

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
    /// By range: up to what is promised, and above.
    exposed: [[AtomicU64; 2]; RANGES],
    sum_micros: AtomicU64,
    promised_micros: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            fine: [const { AtomicU64::new(0) }; FINE_BUCKETS],
            exposed: [const { [const { AtomicU64::new(0) }; 2] }; RANGES],
            sum_micros: AtomicU64::new(0),
            promised_micros: AtomicU64::new(NO_PROMISE),
        }
    }
}

impl Histogram {
    /// From now on counts what takes up to `latency` apart, besides the fixed bounds.
    pub(crate) fn promise(&self, latency: Option<Duration>) {
        self.promised_micros.store(latency.map_or(NO_PROMISE, micros), Ordering::Relaxed);
    }

    /// Counts one latency. For the owning worker only.
    #[inline]
    pub(crate) fn record(&self, latency: Duration) {
        let micros = micros(latency);
        add(&self.fine[bucket(micros)], 1);
        let range = BOUNDS_MICROS.iter().position(|&bound| micros <= bound);
        let is_above = micros > self.promised_micros.load(Ordering::Relaxed);
        add(&self.exposed[range.unwrap_or(BOUNDS_MICROS.len())][usize::from(is_above)], 1);
        add(&self.sum_micros, micros);
    }

    /// Adds the counts to a sum over workers.
    pub(crate) fn add_to(&self, total: &mut Counts) {
        for (sum, count) in total.fine.iter_mut().zip(&self.fine) {
            *sum += count.load(Ordering::Relaxed);
        }
        let exposed = total.exposed.iter_mut().flatten().zip(self.exposed.iter().flatten());
        for (sum, count) in exposed {
            *sum += count.load(Ordering::Relaxed);
        }
        total.sum_micros += self.sum_micros.load(Ordering::Relaxed);
        let promised = self.promised_micros.load(Ordering::Relaxed);
        total.promised_micros = total.promised_micros.min(promised);
    }
}

/// The counts of a histogram, or of several together, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    fine: [u64; FINE_BUCKETS],
    exposed: [[u64; 2]; RANGES],
    sum_micros: u64,
    promised_micros: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            fine: [0; FINE_BUCKETS],
            exposed: [[0; 2]; RANGES],
            sum_micros: 0,
            promised_micros: NO_PROMISE,
        }
    }
}

impl Counts {
    /// How many latencies were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.exposed.iter().flatten().sum()
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// Bounds in seconds with the number of latencies up to each, without `+Inf`.
    pub(crate) fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut buckets = Vec::with_capacity(RANGES);
        let (mut low, mut sum) = (0, 0);
        for (range, [within, above]) in self.exposed.iter().enumerate() {
            // What is promised may be a fixed bound itself.
            let high = BOUNDS_MICROS.get(range).copied().unwrap_or(NO_PROMISE);
            if low < self.promised_micros && self.promised_micros < high {
                buckets.push((seconds(self.promised_micros), sum + within));
            }
            sum += within + above;
            if range < BOUNDS_MICROS.len() {
                buckets.push((seconds(high), sum));
            }
            low = high;
        }
        buckets
    }

    /// The fine counts, for windows of time.
    pub(crate) fn fine(&self) -> &[u64; FINE_BUCKETS] {
        &self.fine
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}

/// The nearest number of seconds, which is written as shortly as one would.
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
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
        assert_eq!((counts.count(), cumulative.len()), (5, 13));
    }

    /// The count up to a bound, in seconds, of all those that are exposed.
    fn up_to(histogram: &Histogram, bound: f64) -> Option<u64> {
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        let buckets = counts.cumulative();
        assert!(buckets.is_sorted(), "{buckets:?}");
        assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0), "{buckets:?}");
        buckets.into_iter().find(|bucket| bucket.0 == bound).map(|bucket| bucket.1)
    }

    #[test]
    fn what_is_promised_is_counted_exactly() {
        for (promised, below, above) in [
            (0.3, [0.26, 0.3], [0.300_001, 0.4]),
            (0.000_5, [0.000_4, 0.000_5], [0.000_6, 0.001]),
            (0.25, [0.2, 0.25], [0.250_001, 0.3]),
            (30.0, [11.0, 30.0], [30.000_001, 3_600.0]),
            (3_600.0, [10.0, 3_600.0], [3_600.000_001, 4_000.0]),
        ] {
            let histogram = Histogram::default();
            histogram.promise(Some(Duration::from_secs_f64(promised)));
            assert_eq!(up_to(&histogram, promised), Some(0), "{promised}");
            for latency in below.into_iter().chain(above) {
                histogram.record(Duration::from_secs_f64(latency));
            }
            assert_eq!(up_to(&histogram, promised), Some(2), "{promised}");
        }
    }

    #[test]
    fn another_promise_takes_nothing_from_any_count() {
        let histogram = Histogram::default();
        let millis = |millis| Some(Duration::from_millis(millis));
        let mut known: Vec<(f64, u64)> = Vec::new();
        let promises = [None, millis(300), millis(400), None, millis(20), millis(300), millis(250)];
        for promise in promises.into_iter().cycle().take(20) {
            histogram.promise(promise);
            for latency in [10, 20, 25, 260, 350, 450, 20_000] {
                histogram.record(Duration::from_millis(latency));
                let mut counts = Counts::default();
                histogram.add_to(&mut counts);
                let buckets = counts.cumulative();
                assert!(buckets.is_sorted_by_key(|bucket| bucket.1), "{buckets:?}");
                for (bound, count) in buckets {
                    match known.iter_mut().find(|(known, _)| *known == bound) {
                        None => known.push((bound, count)),
                        Some((_, before)) => {
                            assert!(*before <= count, "{bound}: {count} after {before}");
                            *before = count;
                        }
                    }
                }
            }
        }
        assert_eq!(up_to(&histogram, 0.5), Some(20 * 6));
        assert_eq!(known.len(), 13 + 3);
    }
}
