//! Latencies counted in buckets whose width grows with the value.
//!
//! Every power of two is cut into 64 buckets, so that a quantile is exact to 1.6 %, whatever its
//! size, and recording costs an increment.

use std::time::Duration;

/// Buckets of each power of two, as a power of two.
const PRECISION_BITS: u32 = 6;

/// Largest value told apart: 2^40 ns are 18 minutes.
const VALUE_BITS: u32 = 40;

const BUCKETS: usize = ((VALUE_BITS - PRECISION_BITS + 1) as usize) << PRECISION_BITS;

/// Counted durations.
#[derive(Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    /// How many were recorded.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// Adds what another one counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The least duration that `share` (0 to 1) of the recorded ones do not exceed; zero if none
    /// was recorded.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_bound(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let value = nanoseconds.min((1 << VALUE_BITS) - 1);
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(PRECISION_BITS + 1);
    ((shift as usize) << PRECISION_BITS) + (value >> shift) as usize
}

/// The largest value of a bucket.
fn upper_bound(index: usize) -> u64 {
    let shift = (index >> PRECISION_BITS).saturating_sub(1);
    let first = index - (shift << PRECISION_BITS);
    ((first as u64 + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Duration, Histogram, VALUE_BITS, bucket, upper_bound};

    #[test]
    fn every_value_lies_in_its_bucket() {
        for bits in 0..VALUE_BITS {
            for offset in [0_u64, 1, 7, 63] {
                let value = (1 << bits) + (offset << bits.saturating_sub(6));
                if value >= 1 << VALUE_BITS {
                    continue;
                }
                let index = bucket(value);
                assert!(index < BUCKETS);
                assert!(value <= upper_bound(index), "{value}");
                assert!(index == 0 || value > upper_bound(index - 1), "{value}");
                assert!(upper_bound(index) - value <= value / 64, "{value}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for nanoseconds in 1..=100 {
            histogram.record(Duration::from_nanos(nanoseconds));
        }
        assert_eq!(histogram.quantile(0.5).as_nanos(), 50);
        assert_eq!(histogram.quantile(0.99).as_nanos(), 99);
        assert_eq!(histogram.quantile(1.0).as_nanos(), 100);
        let mut other = Histogram::new();
        other.record(Duration::from_secs(1));
        histogram.add(&other);
        assert_eq!(histogram.total(), 101);
        assert!(histogram.quantile(1.0) >= Duration::from_secs(1));
    }
}
