//! Which blocks there are: adding, dropping by age and size, setting damaged ones aside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::Block;
use super::disk;
use super::maintain::Maintenance;
use super::recovery::milliseconds;
use super::{Store, read, write};

impl Store {
    /// Puts a block, if any, in the place of others, in one step for readers.
    pub(super) fn replace_blocks(&self, gone: &[Arc<Block>], new: Option<Block>) {
        let count = |block: &Block, change: u32| {
            let index = read(&self.index);
            for entry in block.ids().filter_map(|id| index.by_id(id)) {
                // Wraps around to one less.
                entry.blocks.fetch_add(change, Ordering::Relaxed);
            }
        };
        let new = new.map(Arc::new);
        if let Some(new) = &new {
            count(new, 1);
        }
        {
            let mut blocks = write(&self.blocks);
            let is_gone = |block: &Arc<Block>| gone.iter().any(|gone| Arc::ptr_eq(gone, block));
            let mut list: Vec<_> = blocks.iter().filter(|block| !is_gone(block)).cloned().collect();
            list.extend(new);
            list.sort_by_key(|block| block.start);
            *blocks = Arc::new(list);
        }
        for block in gone {
            count(block, u32::MAX);
            self.remove_unused(&block.ids().collect::<Vec<_>>());
        }
    }

    /// Drops blocks that are too old, and the oldest while all are too large together.
    pub(super) fn retain(&self, now: i64, log_bytes: u64, report: &mut Maintenance) {
        let horizon = now.saturating_sub(milliseconds(self.options.retention));
        let blocks = self.blocks();
        let mut bytes = log_bytes + blocks.iter().map(|block| block.bytes).sum::<u64>();
        let mut gone = Vec::new();
        for block in blocks.iter() {
            if block.end > horizon && bytes <= self.options.bytes_max {
                break;
            }
            bytes -= block.bytes;
            gone.push(block.clone());
        }
        if gone.is_empty() {
            return;
        }
        self.replace_blocks(&gone, None);
        report.dropped += gone.len();
        for block in gone {
            if let Err(error) = disk::remove(&block.path) {
                report.notes.push(format!("cannot remove {}: {error}", block.path.display()));
            }
        }
    }

    /// Sets aside the blocks in which readers met damage.
    pub(super) fn drop_damaged(&self, report: &mut Maintenance) {
        let blocks = self.blocks();
        let damaged: Vec<_> = blocks.iter().filter(|block| block.is_damaged()).cloned().collect();
        if damaged.is_empty() {
            return;
        }
        self.replace_blocks(&damaged, None);
        for block in damaged {
            let (path, samples) = (block.path.display(), block.samples);
            let what = Self::set_aside(&block.path);
            report.notes.push(format!("{path}, with {samples} samples, is damaged; {what}"));
        }
    }
}
