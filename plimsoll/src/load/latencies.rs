//! Latencies, counted by size: an HDR histogram in the form in which it is kept and passed on.
//!
//! Only sizes that occurred take memory, because a run holds many of these: one for each second,
//! label and instance. A dense histogram of the same range and precision takes 270 KB; these take
//! 16 bytes for each of the few hundred sizes that occur. Sizes are those of HdrHistogram with a
//! lowest value of 1 and [`DIGITS`] digits, so the exchange with it in either direction is exact.
//!
//! Invariants: cells rise by index and none counts 0; sums do not depend on the order. Left out:
//! counting a hundred thousand a second (see `engine::dense`).

use std::time::Duration;

use hdrhistogram::Histogram;

/// Significant digits: an error of 0.1 % at most.
pub const DIGITS: u8 = 3;
/// The longest latency that is told apart; longer ones count as this.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// Sizes of each power of two: the power of two that tells [`DIGITS`] digits apart.
pub const CELLS_PER_OCTAVE: u32 = 1 << OCTAVE_BITS;
const OCTAVE_BITS: u32 = 10;
/// Indexes are below this.
pub const CELLS_MAX: u32 = index(LONGEST.as_nanos() as u64) + 1;

/// What a quantile, as a share of two, may be off by through rounding, relative to itself.
const RANK_TOLERANCE: f64 = 1e-12;

/// Which cell counts a value of nanoseconds.
#[inline]
pub const fn index(nanos: u64) -> u32 {
    // As in HdrHistogram: below 2048 each value has its cell, then each power of two has 1024.
    let shift = (u64::BITS - OCTAVE_BITS - 1).saturating_sub(nanos.leading_zeros());
    shift * CELLS_PER_OCTAVE + (nanos >> shift) as u32
}

/// The lowest value of a cell and how many values it stands for.
const fn range(index: u32) -> (u64, u64) {
    let shift = (index / CELLS_PER_OCTAVE).saturating_sub(1);
    (((index - shift * CELLS_PER_OCTAVE) as u64) << shift, 1 << shift)
}

/// The highest value of a cell.
const fn highest(index: u32) -> u64 {
    let (lowest, width) = range(index);
    lowest + width - 1
}

/// Latencies, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Index and count, by rising index.
    cells: Vec<(u32, u64)>,
    /// The sum of the counts.
    count: u64,
}

impl Latencies {
    /// Counts one. For tests: each new size moves those above it.
    #[cfg(test)]
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.add(index(nanos.clamp(1, LONGEST.as_nanos() as u64)), 1);
    }

    fn add(&mut self, index: u32, count: u64) {
        match self.cells.binary_search_by_key(&index, |cell| cell.0) {
            Ok(place) => self.cells[place].1 += count,
            Err(place) => self.cells.insert(place, (index, count)),
        }
        self.count += count;
    }

    /// Of cells by rising index; those that count 0 are left out.
    pub fn from_cells(cells: impl Iterator<Item = (u32, u64)>) -> Self {
        let cells: Vec<_> = cells.filter(|cell| cell.1 > 0).collect();
        let count = cells.iter().map(|cell| cell.1).sum();
        Self { cells, count }
    }

    /// Adds those of another.
    pub fn absorb(&mut self, other: &Self) {
        if other.cells.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.cells);
        let mut joined = Vec::with_capacity(before.len().max(other.cells.len()));
        let (mut own, mut others) = (before.iter().peekable(), other.cells.iter().peekable());
        loop {
            let next = match (own.peek(), others.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let sum = (a.0, a.1 + b.1);
                    others.next();
                    own.next();
                    sum
                }
                (Some(a), Some(b)) if b.0 < a.0 => {
                    let cell = **b;
                    others.next();
                    cell
                }
                (Some(a), _) => {
                    let cell = **a;
                    own.next();
                    cell
                }
                (None, Some(b)) => {
                    let cell = **b;
                    others.next();
                    cell
                }
            };
            joined.push(next);
        }
        self.cells = joined;
        self.count += other.count;
    }

    /// As a histogram with bounds of 1 ns and [`LONGEST`], of [`DIGITS`] digits.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, DIGITS)
            .unwrap_or_else(|_| unreachable!("bounds and digits are constants within range"));
        for (index, count) in &self.cells {
            histogram.saturating_record_n(range(*index).0, *count);
        }
        histogram
    }

    /// Of a histogram of nanoseconds that was read back.
    pub fn from_histogram(histogram: &Histogram<u64>) -> Self {
        let mut latencies = Self::default();
        for value in histogram.iter_recorded() {
            let nanos = value.value_iterated_to().clamp(1, LONGEST.as_nanos() as u64);
            latencies.add(index(nanos), value.count_at_value());
        }
        latencies
    }

    /// Each size that occurred: the longest latency that counts as it, and how often it occurred,
    /// by rising size.
    pub fn sizes(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.cells.iter().map(|(index, count)| (Duration::from_nanos(highest(*index)), *count))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest latency that this share of all (0 to 1) does not exceed; zero of none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let share = quantile.clamp(0.0, 1.0) * self.count as f64;
        // 99.9 / 100 is a hair more than 0.999, and would be the next request otherwise.
        let rank = ((share * (1.0 - RANK_TOLERANCE)).ceil() as u64).max(1);
        let mut seen = 0;
        for (latency, count) in self.sizes() {
            seen += count;
            if seen >= rank {
                return latency;
            }
        }
        self.max()
    }

    /// The mean; zero of none.
    pub fn mean(&self) -> Duration {
        if self.count == 0 {
            return Duration::ZERO;
        }
        let sum: f64 = self
            .cells
            .iter()
            .map(|(index, count)| {
                let (lowest, width) = range(*index);
                (lowest + width / 2) as f64 * *count as f64
            })
            .sum();
        Duration::from_nanos((sum / self.count as f64) as u64)
    }

    /// The longest; zero of none.
    pub fn max(&self) -> Duration {
        self.cells.last().map_or(Duration::ZERO, |(index, _)| Duration::from_nanos(highest(*index)))
    }

    /// Forgets all, keeping the memory.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(seed: u64, count: usize) -> Vec<Duration> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| Duration::from_nanos(1 << random.u64(0..43)) / 3).collect()
    }

    #[test]
    fn sizes_are_those_of_hdr_histogram() {
        let mut latencies = Latencies::default();
        let mut histogram = Latencies::default().histogram();
        for latency in some(1, 2000) {
            latencies.record(latency);
            histogram.saturating_record((latency.as_nanos() as u64).max(1));
        }
        assert_eq!(latencies.histogram(), histogram);
        assert_eq!(Latencies::from_histogram(&histogram), latencies);
        for quantile in [0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let value = histogram.value_at_quantile(quantile);
            let found = latencies.quantile(quantile).as_nanos() as u64;
            assert!(histogram.equivalent(value, found), "{quantile}: {found} is not {value}");
        }
        assert_eq!(latencies.max().as_nanos() as u64, histogram.max());
        assert_eq!(latencies.mean().as_nanos() as u64, histogram.mean() as u64);
        assert_eq!(latencies.count(), 2000);
    }

    #[test]
    fn a_sum_is_that_of_all_in_any_order() {
        let (a, b) = (some(2, 500), some(3, 700));
        let of = |all: &[&Vec<Duration>]| {
            let mut latencies = Latencies::default();
            all.iter().copied().flatten().for_each(|latency| latencies.record(*latency));
            latencies
        };
        let (mut ab, mut ba) = (of(&[&a]), of(&[&b]));
        ab.absorb(&of(&[&b]));
        ba.absorb(&of(&[&a]));
        assert_eq!(ab, of(&[&a, &b]));
        assert_eq!(ab, ba);
        ab.absorb(&Latencies::default());
        assert_eq!(ab, ba);
    }

    #[test]
    fn a_quantile_is_the_same_however_it_was_calculated() {
        let mut latencies = Latencies::default();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        for percent in [7.0, 14.0, 28.0, 55.0, 56.0, 57.0, 99.0, 99.9] {
            let exact = (percent * 10.0_f64).round() as u64;
            let found = latencies.quantile(percent / 100.0).as_secs_f64() * 1e3;
            assert!((found / exact as f64 - 1.0).abs() < 0.000_999, "p{percent}: {found}");
        }
        assert_eq!(latencies.quantile(1.0), latencies.max());
    }

    #[test]
    fn nothing_has_no_latency_and_too_much_the_longest() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.quantile(0.99), latencies.max()), (Duration::ZERO, Duration::ZERO));
        latencies.record(Duration::MAX);
        latencies.record(Duration::ZERO);
        assert!(latencies.max() >= LONGEST);
        assert_eq!(latencies.quantile(0.0), Duration::from_nanos(1));
    }
}
