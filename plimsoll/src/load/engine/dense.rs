//! Latencies counted fast: a few nanoseconds each, a page for each power of two that occurs.
//!
//! The sizes are those of [`Latencies`], to which it turns when a second or the run is over. Left
//! out: everything but counting.

use std::time::Duration;

use crate::load::latencies::{CELLS_MAX, CELLS_PER_OCTAVE, LONGEST, Latencies, index};

/// Counts of the cells of one power of two.
type Octave = [u64; CELLS_PER_OCTAVE as usize];
/// How many powers of two there are.
const OCTAVES: usize = CELLS_MAX.div_ceil(CELLS_PER_OCTAVE) as usize;

/// Counted latencies. Memory for a power of two is taken when one occurs and kept.
#[derive(Debug)]
pub(super) struct Dense {
    octaves: [Option<Box<Octave>>; OCTAVES],
    is_empty: bool,
}

impl Default for Dense {
    fn default() -> Self {
        Self { octaves: [const { None }; OCTAVES], is_empty: true }
    }
}

impl Dense {
    /// Counts one.
    #[inline]
    pub(super) fn record(&mut self, latency: Duration) {
        // Beyond 584 years it wraps, below LONGEST all the same or longer than it.
        let nanos = (latency.as_nanos() as u64).clamp(1, LONGEST.as_nanos() as u64);
        let index = index(nanos);
        let octave = &mut self.octaves[(index / CELLS_PER_OCTAVE) as usize];
        let octave = octave.get_or_insert_with(|| Box::new([0; CELLS_PER_OCTAVE as usize]));
        octave[(index % CELLS_PER_OCTAVE) as usize] += 1;
        self.is_empty = false;
    }

    /// What was counted, which is forgotten.
    pub(super) fn take(&mut self) -> Latencies {
        if std::mem::replace(&mut self.is_empty, true) {
            return Latencies::default();
        }
        let filled = self.octaves.iter().enumerate();
        let latencies = Latencies::from_cells(filled.flat_map(|(number, octave)| {
            let first = number as u32 * CELLS_PER_OCTAVE;
            let counts = octave.iter().flat_map(|octave| octave.iter().copied());
            counts.enumerate().map(move |(place, count)| (first + place as u32, count))
        }));
        for octave in self.octaves.iter_mut().flatten() {
            octave.fill(0);
        }
        latencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_what_latencies_would_have_counted() {
        let mut dense = Dense::default();
        let mut latencies = Latencies::default();
        for nanos in (0..63).map(|bit| (1_u64 << bit) / 3).chain([0, 2047, 2048, 2049]) {
            dense.record(Duration::from_nanos(nanos));
            latencies.record(Duration::from_nanos(nanos));
        }
        assert_eq!(dense.take(), latencies);
        assert_eq!(dense.take(), Latencies::default());
        dense.record(Duration::from_millis(1));
        assert_eq!(dense.take().count(), 1);
    }
}
