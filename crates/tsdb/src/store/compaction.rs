//! Merging neighbouring blocks into larger ones, so that a query of a long time opens few records.
//!
//! Chunks are copied as they are; only short ones, of series with long intervals, are put together.
//! A merge is safe against being killed: the merged block gets its name when it is complete, and blocks
//! that lie in a larger one are removed at open.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::block::{Block, BlockError, BlockWriter, RawChunk, decode};
use super::maintain::{Maintenance, RETRY_INTERVAL};
use super::recovery::milliseconds;
use super::wire::Corrupt;
use super::{Store, Upkeep, disk, read};
use crate::sample::Samples;

/// Spans of merged blocks, in spans of cut ones: eight hours and a day of two hours.
const LEVELS: [i64; 2] = [4, 12];
/// A block spans at most this part of the retention, since it is dropped as a whole.
const RETENTION_PART: i64 = 10;
/// Chunks with fewer samples are put together, up to twice as many.
const SHORT_CHUNK_SAMPLES: usize = 240;

/// Which blocks, given by their spans in order, are to be merged: all in one aligned span that is past.
fn plan(spans: &[(i64, i64)], window: i64, span_max: i64) -> Option<std::ops::Range<usize>> {
    let newest = spans.last()?.1;
    for level in LEVELS {
        let Some(span) = window.checked_mul(level).filter(|span| *span <= span_max) else {
            continue;
        };
        let mut first = 0;
        while first < spans.len() {
            let start = spans[first].0.div_euclid(span).saturating_mul(span);
            let end = start.saturating_add(span);
            let inside = spans[first..].iter().take_while(|block| block.1 <= end).count();
            if inside > 1 && newest >= end {
                return Some(first..first + inside);
            }
            first += inside.max(1);
        }
    }
    None
}

impl Store {
    /// Merges once, if there is something to merge.
    pub(super) fn compact_due(&self, now: i64, upkeep: &mut Upkeep, report: &mut Maintenance) {
        let wait = milliseconds(RETRY_INTERVAL) * 20;
        if now < upkeep.compaction_retry && upkeep.compaction_retry - now <= wait {
            return;
        }
        let blocks = self.blocks();
        let spans: Vec<_> = blocks.iter().map(|block| (block.start, block.end)).collect();
        let span_max = milliseconds(self.options.retention) / RETENTION_PART;
        let Some(chosen) = plan(&spans, self.window, span_max) else { return };
        match self.merge(&blocks[chosen]) {
            Ok(count) => report.merged += count,
            Err(error) => {
                report.notes.push(format!("cannot merge blocks: {error}"));
                upkeep.compaction_retry = now.saturating_add(wait);
            }
        }
    }

    /// Merges blocks that are neighbours.
    pub(super) fn merge(&self, blocks: &[Arc<Block>]) -> Result<usize, BlockError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(0) };
        let folder = self.blocks_folder();
        let failed = |source| BlockError::Io { path: folder.clone(), source };
        let mut entries: Vec<_> = {
            let ids: BTreeSet<_> = blocks.iter().flat_map(|block| block.ids()).collect();
            let index = read(&self.index);
            ids.into_iter().filter_map(|id| index.by_id(id).cloned()).collect()
        };
        entries.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut writer =
            BlockWriter::create(&self.disk, &folder, first.start, last.end).map_err(failed)?;
        let mut short = Samples::default();
        for entry in &entries {
            for block in blocks {
                block.visit(entry.id, i64::MIN, i64::MAX, |chunk| {
                    copy(chunk, &mut short, &mut writer)
                })?;
            }
            put_short(&mut short, &mut writer);
            writer.end_series(&entry.labels).map_err(failed)?;
        }
        let merged = match writer.finish().map_err(failed)? {
            Some(path) => Some(self.open_known(&path)?),
            None => None,
        };
        self.replace_blocks(blocks, merged);
        for block in blocks {
            disk::remove(&block.path).map_err(failed)?;
        }
        Ok(blocks.len())
    }
}

/// Copies a chunk, or puts it to the short ones before it.
fn copy(
    chunk: &RawChunk<'_>,
    short: &mut Samples,
    writer: &mut BlockWriter<'_>,
) -> Result<(), Corrupt> {
    if short.len() + chunk.count > 2 * SHORT_CHUNK_SAMPLES {
        put_short(short, writer);
    }
    if chunk.count < SHORT_CHUNK_SAMPLES {
        return decode(chunk, short);
    }
    put_short(short, writer);
    writer.chunk(chunk);
    Ok(())
}

fn put_short(short: &mut Samples, writer: &mut BlockWriter<'_>) {
    writer.samples(&short.times, &short.values);
    short.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_span_that_is_past_are_merged() {
        let of = |spans: &[(i64, i64)]| plan(spans, 2, 100);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0, 2), (2, 4), (4, 6)]), None, "more may come until 8");
        assert_eq!(of(&[(0, 2), (2, 4), (4, 6), (6, 8)]), Some(0..4));
        assert_eq!(of(&[(4, 6), (8, 10)]), None, "one alone is no merge");
        assert_eq!(of(&[(2, 4), (4, 6), (8, 10)]), Some(0..2));
        assert_eq!(of(&[(0, 8), (8, 16), (16, 18), (22, 24)]), Some(2..4));
        assert_eq!(of(&[(0, 8), (8, 16), (16, 24)]), Some(0..3));
        assert_eq!(of(&[(-4, -2), (-2, 0)]), Some(0..2));
        assert_eq!(plan(&[(0, 2), (2, 8), (8, 10)], 2, 7), None, "longer than blocks may be");
        assert_eq!(of(&[(0, 24), (24, 26)]), None);
    }
}
