//! The young samples of one series, in memory.
//!
//! One open chunk takes samples; when it is full, or when a sample belongs to the next window (the
//! span of one block), it is sealed. So a chunk never lies in two windows, and cutting a block drops
//! whole chunks.

use super::chunk::{self, OpenChunk};
use super::wire::Corrupt;
use crate::sample::Samples;

/// Samples of an open chunk. Twice as many save 2 % of memory, and an instant query decodes them all.
const OPEN_SAMPLES_MAX: usize = 128;
/// Memory of a sealed chunk beside its bytes: the entry and the allocation.
const SEALED_BYTES: usize = size_of::<Sealed>() + 16;

/// The young samples of a series.
pub(super) struct HeadSeries {
    sealed: Vec<Sealed>,
    open: OpenChunk,
    /// End of the window of the open chunk, milliseconds, exclusive.
    window_end: i64,
    last_time: i64,
    last_value: f64,
}

struct Sealed {
    first: i64,
    last: i64,
    bytes: Box<[u8]>,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is in; the series takes so many bytes more (fewer when a chunk was sealed).
    Accepted(isize),
    /// The newest sample has its time and value.
    Repeated,
    /// The newest sample has its time and another value.
    Conflicting,
    /// The newest sample is younger.
    Old,
}

impl HeadSeries {
    pub(super) fn new() -> Self {
        Self {
            sealed: Vec::new(),
            open: OpenChunk::default(),
            window_end: i64::MIN,
            last_time: i64::MIN,
            last_value: 0.0,
        }
    }

    /// Adds a sample if it is younger than all others. `window` is the span of a block in milliseconds.
    pub(super) fn push(&mut self, time: i64, value: f64, window: i64) -> Pushed {
        if !self.is_empty() && time <= self.last_time {
            return match time == self.last_time {
                true if value.to_bits() == self.last_value.to_bits() => Pushed::Repeated,
                true => Pushed::Conflicting,
                false => Pushed::Old,
            };
        }
        let mut grown = 0;
        if self.open.len() >= OPEN_SAMPLES_MAX || (self.open.len() > 0 && time >= self.window_end) {
            grown += self.seal();
        }
        if self.open.len() == 0 {
            self.window_end = window_end(time, window);
        }
        let before = self.open.capacity_bytes();
        self.open.push(time, value);
        (self.last_time, self.last_value) = (time, value);
        Pushed::Accepted(grown + self.open.capacity_bytes() as isize - before as isize)
    }

    fn seal(&mut self) -> isize {
        let mut samples = Samples::default();
        let before = self.open.capacity_bytes();
        // What the open chunk wrote it can read; an impossible failure would leave fewer samples.
        if self.open.read(&mut samples).is_ok() {
            let mut bytes = Vec::new();
            chunk::encode(&samples.times, &samples.values, &mut bytes);
            let (first, last) = (self.open.first(), self.open.last());
            self.sealed.push(Sealed { first, last, bytes: bytes.into() });
        }
        self.open.clear();
        let sealed = self.sealed.last().map_or(0, |sealed| sealed.bytes.len() + SEALED_BYTES);
        (sealed + self.open.capacity_bytes()) as isize - before as isize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.len() == 0
    }

    /// Time of the oldest sample.
    pub(super) fn first_time(&self) -> Option<i64> {
        match self.sealed.first() {
            Some(sealed) => Some(sealed.first),
            None => (self.open.len() > 0).then(|| self.open.first()),
        }
    }

    /// Time of the newest sample.
    pub(super) fn last_time(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.last_time)
    }

    /// Bytes of memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let sealed: usize =
            self.sealed.iter().map(|sealed| sealed.bytes.len() + SEALED_BYTES).sum();
        sealed + self.open.capacity_bytes()
    }

    /// Adds the samples in `from..=to`.
    pub(super) fn read(&self, from: i64, to: i64, samples: &mut Samples) -> Result<(), Corrupt> {
        for sealed in self.sealed.iter().filter(|sealed| sealed.last >= from && sealed.first <= to)
        {
            let start = samples.len();
            chunk::decode_until(&sealed.bytes, to, samples)?;
            trim(samples, start, from, to);
        }
        if self.open.len() > 0 && self.open.last() >= from && self.open.first() <= to {
            let start = samples.len();
            self.open.read(samples)?;
            trim(samples, start, from, to);
        }
        Ok(())
    }

    /// Forgets the samples before `end`, which is the end of a window; says how many bytes that frees.
    pub(super) fn truncate(&mut self, end: i64) -> usize {
        let before = self.memory_bytes();
        self.sealed.retain(|sealed| sealed.last >= end);
        self.sealed.shrink_to_fit();
        if self.open.len() > 0 && self.open.last() < end {
            self.open.clear();
        }
        before.saturating_sub(self.memory_bytes())
    }

    /// Forgets the samples after a time; says how many.
    pub(super) fn forget_after(&mut self, time: i64, window: i64) -> Result<usize, Corrupt> {
        let (mut all, mut kept) = (Samples::default(), Self::new());
        self.read(i64::MIN, i64::MAX, &mut all)?;
        let count = all.times.partition_point(|known| *known <= time);
        for (time, value) in all.times.iter().zip(&all.values).take(count) {
            kept.push(*time, *value, window);
        }
        *self = kept;
        Ok(all.len() - count)
    }
}

/// End of the window that a time lies in, exclusive.
pub(super) fn window_end(time: i64, window: i64) -> i64 {
    time.div_euclid(window).saturating_add(1).saturating_mul(window)
}

/// Keeps of the samples from place `start` on those in `from..=to`.
pub(super) fn trim(samples: &mut Samples, start: usize, from: i64, to: i64) {
    if samples.times.last().is_some_and(|last| *last > to) {
        let end = start + samples.times[start..].partition_point(|time| *time <= to);
        samples.times.truncate(end);
        samples.values.truncate(end);
    }
    if samples.times.get(start).is_some_and(|first| *first < from) {
        let skipped = samples.times[start..].partition_point(|time| *time < from);
        samples.times.drain(start..start + skipped);
        samples.values.drain(start..start + skipped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_rise_and_are_cut_by_windows() {
        let mut series = HeadSeries::new();
        for place in 0..1000 {
            assert!(matches!(series.push(place * 10, 0.5, 3000), Pushed::Accepted(_)));
        }
        assert_eq!(series.push(9990, 0.5, 3000), Pushed::Repeated);
        assert_eq!(series.push(9990, 0.6, 3000), Pushed::Conflicting);
        assert_eq!(series.push(9980, 0.5, 3000), Pushed::Old);
        let mut samples = Samples::default();
        series.read(2995, 3010, &mut samples).expect("it was just written");
        assert_eq!(samples.times, [3000, 3010]);
        assert!(series.truncate(3000) > 0);
        assert_eq!((series.first_time(), series.last_time()), (Some(3000), Some(9990)));
        series.truncate(12_000);
        assert!(series.is_empty());
    }

    #[test]
    fn the_bytes_that_are_told_are_those_that_are_held() {
        let mut series = HeadSeries::new();
        let mut told = 0;
        for place in 0..1000i64 {
            if let Pushed::Accepted(grown) =
                series.push(place * 15_000, (place as f64).sin(), 7_200_000)
            {
                told += grown;
            }
        }
        assert_eq!(told, series.memory_bytes() as isize);
    }

    #[test]
    fn windows_are_aligned_before_and_after_1970() {
        assert_eq!(
            [-11, -10, -1, 0, 9, 10].map(|time| window_end(time, 10)),
            [-10, 0, 0, 10, 10, 20]
        );
    }
}
