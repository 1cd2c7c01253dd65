//! Which samples stay: adding blocks, dropping them by age and size, setting damaged ones aside, and
//! forgetting what is in a block, or in none any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{AHEAD, Block, DAMAGED, span_in_name};
use super::disk;
use super::index::{Entry, State};
use super::maintain::Maintenance;
use super::recovery::milliseconds;
use super::{Store, lock, read, write};

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

    /// Drops blocks that are too old, and the oldest while all are too large together; those that were
    /// set aside before those that can be read. Says the bytes of what is still set aside.
    pub(super) fn retain(&self, now: i64, log_bytes: u64, report: &mut Maintenance) -> u64 {
        let horizon = now.saturating_sub(milliseconds(self.options.retention));
        let blocks = self.blocks();
        let readable = log_bytes + blocks.iter().map(|block| block.bytes).sum::<u64>();
        let aside = self.retain_set_aside(horizon, readable, report);
        let mut bytes = readable + aside;
        let mut gone = Vec::new();
        for block in blocks.iter() {
            if block.end > horizon && bytes <= self.options.bytes_max {
                break;
            }
            bytes -= block.bytes;
            gone.push(block.clone());
        }
        if gone.is_empty() {
            return aside;
        }
        self.replace_blocks(&gone, None);
        report.dropped += gone.len();
        for block in gone {
            if let Err(error) = disk::remove(&block.path) {
                report.notes.push(format!("cannot remove {}: {error}", block.path.display()));
            }
        }
        aside
    }

    /// Forgets the samples before `end` in memory, and the series that have no others.
    pub(super) fn forget(&self, entries: &[Arc<Entry>], end: i64, samples: u64) {
        let (mut freed, mut idle) = (0, Vec::new());
        let mut oldest = i64::MAX;
        // Not while a commit is half done: it would be missing in the oldest time.
        let _writer = lock(&self.writer);
        for entry in entries {
            let mut state = entry.state();
            let State::Active(series) = &mut *state else { continue };
            freed += series.truncate(end);
            match series.first_time() {
                Some(first) => oldest = oldest.min(first),
                None => {
                    freed += series.memory_bytes();
                    *state = State::Passive;
                    self.young.series.fetch_sub(1, Ordering::Relaxed);
                    idle.push(entry.id);
                }
            }
        }
        // Series that came while the block was written have samples after it.
        for entry in read(&self.index).entries() {
            if let State::Active(series) = &*entry.state() {
                oldest = oldest.min(series.first_time().unwrap_or(i64::MAX));
            }
        }
        self.young.samples.fetch_sub(samples, Ordering::Relaxed);
        self.young.bytes.fetch_sub(freed as i64, Ordering::Relaxed);
        self.young.oldest.store(oldest, Ordering::Relaxed);
        if oldest == i64::MAX {
            self.young.newest.store(i64::MIN, Ordering::Relaxed);
        }
        self.remove_unused(&idle);
    }

    /// Removes of these series the ones that are in no block and have no young samples.
    pub(super) fn remove_unused(&self, ids: &[u32]) {
        let mut index = write(&self.index);
        let mut unused = Vec::new();
        for entry in ids.iter().filter_map(|id| index.by_id(*id)) {
            let mut state = entry.state();
            if matches!(*state, State::Passive) && entry.blocks.load(Ordering::Relaxed) == 0 {
                *state = State::Removed;
                unused.push(entry.id);
            }
        }
        unused.sort_unstable();
        if !unused.is_empty() {
            index.remove(&unused);
        }
    }

    /// Retention of blocks that were set aside, which are kept for people who want to look into them.
    fn retain_set_aside(&self, horizon: i64, readable: u64, report: &mut Maintenance) -> u64 {
        let files = match set_aside(&self.blocks_folder()) {
            Ok(files) => files,
            Err(error) => {
                report.notes.push(format!("cannot list the blocks that were set aside: {error}"));
                return 0;
            }
        };
        let mut bytes = files.iter().map(|file| file.bytes).sum::<u64>();
        for file in files {
            if file.end > horizon && readable + bytes <= self.options.bytes_max {
                break;
            }
            let path = file.path.display();
            match disk::remove(&file.path) {
                Ok(()) => {
                    bytes -= file.bytes;
                    report.notes.push(format!("{path}, which had been set aside, was removed"));
                }
                Err(error) => report.notes.push(format!("cannot remove {path}: {error}")),
            }
        }
        bytes
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

/// A block that was set aside.
struct SetAside {
    /// End of its span; a name that does not tell it makes the youngest.
    end: i64,
    bytes: u64,
    path: PathBuf,
}

/// The blocks that were set aside, the oldest first.
fn set_aside(folder: &Path) -> io::Result<Vec<SetAside>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == DAMAGED || extension == AHEAD) {
            // A file that is gone meanwhile has no size.
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            files.push(SetAside {
                end: span_in_name(&path).map_or(i64::MAX, |(_, end)| end),
                bytes,
                path,
            });
        }
    }
    files.sort_by(|a, b| (a.end, &a.path).cmp(&(b.end, &b.path)));
    Ok(files)
}
