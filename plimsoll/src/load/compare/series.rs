//! A run as a row of slots of time, each small enough to be drawn and added up a thousand times.
//!
//! A slot keeps its latencies as counts in bins that grow by [`BIN_RATIO`], of which only those in use
//! are stored: a histogram of 33 000 cells would make a resample of a hundred seconds cost 3 million
//! additions, this one some ten thousand.
//!
//! Left out: chance (see `bootstrap`).

use std::time::Duration;

use super::super::tally::Latencies;
use super::super::timeline::{Bucket, Timeline};

/// Each bin's upper end by its lower one. Half of it is the greatest error of a percentile.
const BIN_RATIO: f64 = 1.002;
/// Most slots; neighbours are joined until there are no more.
const SLOTS_MAX: usize = 240;

/// A run as slots of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Series {
    pub slots: Vec<Slot>,
}

/// What ended within a slot.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Slot {
    /// How long it is.
    pub seconds: f64,
    /// Requests that ended.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// Latencies.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
    /// Bin and count, rising.
    pub bins: Vec<(u32, u64)>,
}

/// What is compared, of some slots. `None` where there is nothing to take it of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Seconds.
    pub p50: Option<f64>,
    /// Seconds.
    pub p90: Option<f64>,
    /// Seconds.
    pub p99: Option<f64>,
    /// Seconds.
    pub mean: Option<f64>,
    /// Requests a second.
    pub rate: Option<f64>,
    /// Failed requests by all.
    pub errors: Option<f64>,
}

/// How many buckets a warm-up takes: one that reaches into a bucket takes all of it.
pub(super) fn skipped(timeline: &Timeline, warm_up: Duration) -> usize {
    let skipped = (warm_up.as_secs_f64() / timeline.width.as_secs_f64()).ceil() as usize;
    skipped.min(timeline.buckets.len())
}

/// The bin of a latency.
pub(super) fn bin(seconds: f64) -> u32 {
    ((seconds * 1e9).max(1.0).ln() / BIN_RATIO.ln()) as u32
}

impl Series {
    /// The timeline of a run of this length, without its first `skipped` buckets.
    pub(super) fn of(timeline: &Timeline, elapsed: Duration, skipped: usize) -> Self {
        let width = timeline.width.as_secs_f64();
        // After the last arrival of the open model only what is late still ends: its latencies
        // count, but a lone timeout makes no half a minute of a rate near zero.
        let last_due = timeline.buckets.iter().rposition(|bucket| bucket.due > 0);
        let mut slots: Vec<Slot> = Vec::new();
        for (index, bucket) in timeline.buckets.iter().enumerate().skip(skipped) {
            let left = elapsed.as_secs_f64() - index as f64 * width;
            let is_late = last_due.is_some_and(|last| index > last);
            let seconds = if is_late { 0.0 } else { left.clamp(0.0, width) };
            let slot = Slot::of(bucket, seconds);
            match slots.last_mut() {
                // What ended a moment after the last whole second is no second of its own.
                Some(last) if slot.seconds < width / 2.0 => last.absorb(&slot),
                _ => slots.push(slot),
            }
        }
        let mut series = Self { slots };
        while series.slots.len() > SLOTS_MAX {
            series.halve();
        }
        series
    }

    fn halve(&mut self) {
        let mut joined = Vec::with_capacity(self.slots.len().div_ceil(2));
        for pair in self.slots.chunks(2) {
            let mut slot = pair[0].clone();
            pair[1..].iter().for_each(|later| slot.absorb(later));
            joined.push(slot);
        }
        self.slots = joined;
    }

    /// How much time it covers.
    pub(super) fn seconds(&self) -> f64 {
        self.slots.iter().map(|slot| slot.seconds).sum()
    }

    /// Of each slot as often as `weights` say; `counts` is memory to use again.
    pub(super) fn figures(&self, weights: &[u32], counts: &mut Vec<u64>) -> Figures {
        counts.clear();
        // Counts begin at the shortest latency: below it thousands of bins are empty.
        let firsts = self.slots.iter().filter_map(|slot| slot.bins.first());
        let base = firsts.map(|(bin, _)| *bin).min().unwrap_or(0);
        let (mut count, mut requests, mut errors) = (0, 0, 0);
        let (mut seconds, mut sum) = (0.0, 0.0);
        for (slot, weight) in self.slots.iter().zip(weights).filter(|(_, weight)| **weight > 0) {
            let times = u64::from(*weight);
            count += slot.count * times;
            requests += slot.requests * times;
            errors += slot.errors * times;
            seconds += slot.seconds * f64::from(*weight);
            sum += slot.sum * f64::from(*weight);
            let last = slot.bins.last().map_or(0, |(bin, _)| (bin - base) as usize + 1);
            if counts.len() < last {
                counts.resize(last, 0);
            }
            for (bin, of) in &slot.bins {
                counts[(bin - base) as usize] += of * times;
            }
        }
        let [p50, p90, p99] = quantiles(counts, base, count, [0.5, 0.9, 0.99]);
        Figures {
            p50,
            p90,
            p99,
            mean: (count > 0).then(|| sum / count as f64),
            rate: (seconds > 0.0).then(|| requests as f64 / seconds),
            errors: (requests > 0).then(|| errors as f64 / requests as f64),
        }
    }
}

/// Rising quantiles of counts by bin from `base` on, in seconds; within a bin as if its counts lay
/// evenly.
fn quantiles<const N: usize>(
    counts: &[u64],
    base: u32,
    count: u64,
    of: [f64; N],
) -> [Option<f64>; N] {
    let mut found = [None; N];
    let (mut below, mut next) = (0, 0);
    for (bin, here) in counts.iter().enumerate().filter(|(_, here)| **here > 0) {
        while next < N && (below + here) as f64 >= of[next] * count as f64 {
            let within = (of[next] * count as f64 - below as f64) / *here as f64;
            found[next] =
                Some(BIN_RATIO.powf(f64::from(base) + bin as f64 + within.clamp(0.0, 1.0)) / 1e9);
            next += 1;
        }
        below += here;
    }
    found
}

impl Slot {
    fn of(bucket: &Bucket, seconds: f64) -> Self {
        let mut slot =
            Self { seconds, requests: bucket.requests, errors: bucket.errors, ..Self::default() };
        slot.record(&bucket.response_time);
        slot
    }

    fn record(&mut self, latencies: &Latencies) {
        for (latency, count) in latencies.sizes() {
            self.add(latency.as_secs_f64(), count);
        }
    }

    /// Counts latencies no smaller than those before.
    pub(super) fn add(&mut self, seconds: f64, count: u64) {
        self.count += count;
        self.sum += seconds * count as f64;
        let bin = bin(seconds);
        match self.bins.last_mut() {
            Some((last, of)) if *last == bin => *of += count,
            _ => self.bins.push((bin, count)),
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.requests += other.requests;
        self.errors += other.errors;
        self.count += other.count;
        self.sum += other.sum;
        self.bins.extend_from_slice(&other.bins);
        self.bins.sort_unstable_by_key(|(bin, _)| *bin);
        self.bins.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                kept.1 += later.1;
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures;
    use super::*;

    #[test]
    fn its_figures_are_those_of_the_run() {
        let results = fixtures::shop();
        let series = Series::of(&results.timeline, results.run.elapsed, 0);
        assert_eq!(series.slots.len(), 30);
        let figures = series.figures(&[1; 30], &mut Vec::new());
        let times = &results.total.response_time;
        for (is, expected) in [
            (figures.p50, times.quantile(0.5)),
            (figures.p90, times.quantile(0.9)),
            (figures.p99, times.quantile(0.99)),
            (figures.mean, times.mean()),
        ] {
            let ratio = is.unwrap() / expected.as_secs_f64();
            assert!((ratio - 1.0).abs() < 0.002, "{is:?} for {expected:?}");
        }
        let errors = results.total.errors() as f64 / 30_000.0;
        assert!((figures.errors.unwrap() - errors).abs() < 1e-12);
        assert!((figures.rate.unwrap() - 1000.0).abs() < 0.2, "{:?}", figures.rate);
    }

    #[test]
    fn warm_up_and_length_bound_the_slots() {
        let results = fixtures::shop();
        let elapsed = results.run.elapsed;
        let skipped = skipped(&results.timeline, Duration::from_millis(4_500));
        let warmed = Series::of(&results.timeline, elapsed, skipped);
        assert_eq!(warmed.slots.len(), 25);
        let mut long = results.timeline.clone();
        let buckets = long.buckets.clone();
        long.buckets = buckets.into_iter().cycle().take(900).collect();
        let series = Series::of(&long, Duration::from_secs(900), 0);
        assert_eq!((series.slots.len(), series.slots[0].requests), (225, 4000));
        assert!((series.seconds() - 900.0).abs() < 1e-9);
        let sorted = series.slots.iter().all(|slot| slot.bins.is_sorted_by(|a, b| a.0 < b.0));
        assert!(sorted, "a bin stands once and in its place");
    }

    #[test]
    fn what_ends_after_the_last_arrival_makes_no_slots() {
        let results = fixtures::shop();
        let mut late = results.timeline.clone();
        late.buckets.resize_with(60, Bucket::default);
        late.buckets[59].requests = 1;
        late.buckets[59].response_time.record(Duration::from_secs(30));
        let series = Series::of(&late, Duration::from_secs(60), 0);
        assert_eq!(series.slots.len(), 30);
        let figures = series.figures(&[1; 30], &mut Vec::new());
        assert!((figures.rate.unwrap() - 1000.0).abs() < 0.2, "{:?}", figures.rate);
        let requests: u64 = series.slots.iter().map(|slot| slot.requests).sum();
        assert_eq!(requests, 30_001);
    }

    #[test]
    fn a_weight_counts_a_slot_again() {
        let slot = |millis: f64| {
            let mut slot = Slot { seconds: 1.0, requests: 10, errors: 1, ..Slot::default() };
            slot.add(millis / 1e3, 10);
            slot
        };
        let series = Series { slots: vec![slot(10.0), slot(20.0)] };
        let figures = series.figures(&[3, 1], &mut Vec::new());
        assert!((figures.mean.unwrap() - 0.0125).abs() < 1e-9);
        assert!((figures.p50.unwrap() - 0.010).abs() < 0.000_04);
        assert!((figures.p99.unwrap() - 0.020).abs() < 0.000_08);
        let nothing = series.figures(&[0, 0], &mut Vec::new());
        assert_eq!((nothing.p50, nothing.rate, nothing.errors), (None, None, None));
    }
}
