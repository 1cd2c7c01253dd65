//! Figures of a store.

use std::sync::atomic::Ordering;

use super::{Refused, Store, lock, read};

/// Figures of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Series in memory and in blocks.
    pub series: usize,
    /// Series with young samples.
    pub series_young: usize,
    /// Samples in memory.
    pub samples_young: u64,
    /// Samples in blocks.
    pub samples_in_blocks: u64,
    /// Chunks in blocks.
    pub chunks_in_blocks: u64,
    /// Bytes of chunks in memory, about.
    pub memory_bytes: u64,
    /// Bytes of blocks on the disk.
    pub block_bytes: u64,
    /// Bytes of the log, when it was last maintained.
    pub log_bytes: u64,
    /// Bytes of blocks that were set aside, when they were last looked for.
    pub damaged_bytes: u64,
    /// Number of blocks.
    pub blocks: usize,
    /// Time of the oldest sample, milliseconds.
    pub oldest: Option<i64>,
    /// Time of the newest sample, milliseconds.
    pub newest: Option<i64>,
    /// Samples refused since the store was opened.
    pub refused: Refused,
}

impl Store {
    /// Figures as they are now; each is right, though they are not of one moment. Waits for no disk.
    pub fn statistics(&self) -> Statistics {
        // One lock after the other: they would be held to the end of the expression below.
        let series = read(&self.index).len();
        let refused = *lock(&self.refused);
        let blocks = self.blocks();
        let mut statistics = Statistics {
            series,
            series_young: self.young.series.load(Ordering::Relaxed),
            samples_young: self.young.samples.load(Ordering::Relaxed),
            memory_bytes: self.young.bytes.load(Ordering::Relaxed).max(0).cast_unsigned(),
            log_bytes: self.measured.log_bytes.load(Ordering::Relaxed),
            damaged_bytes: self.measured.damaged_bytes.load(Ordering::Relaxed),
            blocks: blocks.len(),
            refused,
            ..Statistics::default()
        };
        for block in blocks.iter() {
            statistics.samples_in_blocks += block.samples;
            statistics.chunks_in_blocks += block.chunks;
            statistics.block_bytes += block.bytes;
        }
        let (oldest, newest) = (&self.young.oldest, &self.young.newest);
        let young = Some((oldest.load(Ordering::Relaxed), newest.load(Ordering::Relaxed)))
            .filter(|(oldest, newest)| oldest <= newest);
        let spans = || blocks.iter().map(|block| (block.first, block.last)).chain(young);
        statistics.oldest = spans().map(|(oldest, _)| oldest).min();
        statistics.newest = spans().map(|(_, newest)| newest).max();
        statistics
    }
}
