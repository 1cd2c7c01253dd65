//! What lies ahead of the clock: dated by a clock that was wrong, or by one that was right when the
//! one of now is not. Nobody here can tell which, but that new samples must go in at once.
//!
//! Young samples would keep all others out of their series: they become a block, which is set aside as
//! `.ahead`. Of a block that reaches beyond now the part before stays, and the file is set aside too.
//! When its time has come it is taken in again, from where no block lies over it any more: so a clock
//! that was behind for a while, as on a machine without a battery, costs of the history only the spans
//! in which samples were taken meanwhile.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{AHEAD, Block, BlockError, BlockWriter, EXTENSION, span_in_name};
use super::disk;
use super::index::{Entry, State};
use super::maintain::Maintenance;
use super::{Store, Upkeep, lock, read, write};
use crate::sample::Samples;

/// What became of samples that lay ahead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retracted {
    /// Young samples that were taken out.
    pub young: u64,
    /// Blocks that were set aside, without that of the young samples.
    pub blocks: usize,
    /// Which, and what failed, each in words.
    pub notes: Vec<String>,
}

impl Store {
    /// The time up to which the store has samples, or takes none any more; milliseconds. `None` when
    /// it is empty.
    pub fn reach(&self) -> Option<i64> {
        let young = self.young.newest.load(Ordering::Relaxed);
        let blocks = self.blocks().last().map_or(i64::MIN, |block| block.end);
        Some(young.max(blocks)).filter(|reach| *reach != i64::MIN)
    }

    /// Takes out what lies after `time`, so that samples of now go in again. It leaves the log as well.
    pub fn retract(&self, time: i64) -> Retracted {
        let mut upkeep = lock(&self.upkeep);
        let mut retracted = Retracted::default();
        let end = time.saturating_add(1);
        let ahead: Vec<_> = self.blocks().iter().filter(|block| block.end > end).cloned().collect();
        for block in ahead {
            match self.retract_block(&block, end) {
                Ok(None) => {}
                Ok(Some(note)) => {
                    retracted.blocks += 1;
                    retracted.notes.push(note);
                }
                Err(error) => retracted.notes.push(format!(
                    "{} reaches beyond the clock and keeps new samples out: {error}",
                    block.path.display()
                )),
            }
        }
        match self.young_aside(end) {
            Ok(note) => retracted.notes.extend(note),
            Err(error) => retracted.notes.push(format!(
                "young samples that lay ahead of the clock are lost, because they cannot be set aside: \
                 {error}"
            )),
        }
        upkeep.has_ahead = true;
        retracted.young = self.forget_after(time);
        // Read again, the log would put them before those that come now.
        if retracted.young > 0 && self.snapshot().is_err() {
            upkeep.is_snapshot_due = true;
        }
        retracted
    }

    /// Leaves of a block what is before `end`; says what became of the file, if that was not all.
    fn retract_block(&self, block: &Arc<Block>, end: i64) -> Result<Option<String>, BlockError> {
        let kept = match block.first < end {
            true => self.copy_part(block, block.start, end)?,
            false => None,
        };
        let kept_samples = kept.as_ref().map_or(0, |kept| kept.samples);
        // Otherwise only its span reached beyond now: it was closed early.
        let is_ahead = kept_samples < block.samples;
        let aside = block.path.with_added_extension(AHEAD);
        let moved = match is_ahead {
            true => fs::rename(&block.path, &aside),
            false => disk::remove(&block.path),
        };
        if let Err(source) = moved {
            // Both may not stay: at the next open the block would win over all that lies in its span.
            if let Some(kept) = kept {
                let _ = disk::remove(&kept.path);
            }
            return Err(BlockError::Io { path: block.path.clone(), source });
        }
        self.replace_blocks(&[Arc::clone(block)], kept);
        if !is_ahead {
            return Ok(None);
        }
        Ok(Some(format!(
            "{} was set aside as {}: {} of its {} samples lay ahead of the clock",
            block.path.display(),
            aside.display(),
            block.samples - kept_samples,
            block.samples
        )))
    }

    /// A block of the samples of another one in `start..end`.
    fn copy_part(&self, block: &Block, start: i64, end: i64) -> Result<Option<Block>, BlockError> {
        let folder = self.blocks_folder();
        let failed = |source| BlockError::Io { path: folder.clone(), source };
        let mut entries: Vec<_> = {
            let index = read(&self.index);
            block.ids().filter_map(|id| index.by_id(id).cloned()).collect()
        };
        entries.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut writer = BlockWriter::create(&self.disk, &folder, start, end).map_err(failed)?;
        let mut samples = Samples::default();
        for entry in entries {
            samples.clear();
            block.read(entry.id, start, end - 1, &mut samples)?;
            writer.samples(&samples.times, &samples.values);
            writer.end_series(&entry.labels).map_err(failed)?;
        }
        writer.finish().map_err(failed)?.map(|path| self.open_known(&path)).transpose()
    }

    /// Makes a block of the young samples from `from` on and sets it aside; says where it is, if there
    /// were any.
    fn young_aside(&self, from: i64) -> Result<Option<String>, BlockError> {
        let mut entries = self.active();
        entries.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut samples = Samples::default();
        let read = |entry: &Entry, samples: &mut Samples| {
            samples.clear();
            if let State::Active(series) = &*entry.state() {
                // What the memory wrote it can read.
                let _ = series.read(from, i64::MAX, samples);
            }
        };
        let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
        for entry in &entries {
            read(entry, &mut samples);
            oldest = oldest.min(samples.times.first().copied().unwrap_or(i64::MAX));
            newest = newest.max(samples.times.last().copied().unwrap_or(i64::MIN));
        }
        if oldest > newest {
            return Ok(None);
        }
        let folder = self.blocks_folder();
        let failed = |source| BlockError::Io { path: folder.clone(), source };
        let end = newest.saturating_add(1);
        let mut writer = BlockWriter::create(&self.disk, &folder, oldest, end).map_err(failed)?;
        for entry in &entries {
            read(entry, &mut samples);
            // What came meanwhile is not in the span.
            let count = samples.times.partition_point(|time| *time < end);
            writer.samples(&samples.times[..count], &samples.values[..count]);
            writer.end_series(&entry.labels).map_err(failed)?;
        }
        let Some(path) = writer.finish().map_err(failed)? else { return Ok(None) };
        let aside = path.with_added_extension(AHEAD);
        fs::rename(&path, &aside).map_err(failed)?;
        let aside = aside.display();
        Ok(Some(format!("young samples that lay ahead of the clock were set aside as {aside}")))
    }

    /// Forgets the young samples after `time`; says how many. From here on samples are taken that are
    /// not older than the last block.
    fn forget_after(&self, time: i64) -> u64 {
        let mut writer = lock(&self.writer);
        writer.floor = self.blocks().last().map_or(i64::MIN, |block| block.end);
        let (mut gone, mut freed, mut idle) = (0, 0, Vec::new());
        let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
        for entry in read(&self.index).entries() {
            let mut state = entry.state();
            let State::Active(series) = &mut *state else { continue };
            if series.last_time().is_some_and(|last| last > time) {
                let before = series.memory_bytes() as i64;
                // What the memory wrote it can read; otherwise the series stays as it is.
                gone += series.forget_after(time, self.window).unwrap_or_default() as u64;
                freed += before - series.memory_bytes() as i64;
                if series.is_empty() {
                    *state = State::Passive;
                    self.young.series.fetch_sub(1, Ordering::Relaxed);
                    idle.push(entry.id);
                    continue;
                }
            }
            oldest = oldest.min(series.first_time().unwrap_or(i64::MAX));
            newest = newest.max(series.last_time().unwrap_or(i64::MIN));
        }
        self.young.samples.fetch_sub(gone, Ordering::Relaxed);
        self.young.bytes.fetch_sub(freed, Ordering::Relaxed);
        self.young.oldest.store(oldest, Ordering::Relaxed);
        self.young.newest.store(newest, Ordering::Relaxed);
        drop(writer);
        self.remove_unused(&idle);
        gone
    }

    /// Takes in again what was set aside, if its time is past: what of it lies after all blocks that
    /// were made in its span meanwhile.
    pub(super) fn take_in_ahead(&self, now: i64, upkeep: &mut Upkeep, report: &mut Maintenance) {
        if !upkeep.has_ahead {
            return;
        }
        let Ok(files) = fs::read_dir(self.blocks_folder()) else { return };
        let paths = files.filter_map(|entry| Some(entry.ok()?.path()));
        let aside = paths.filter(|path| path.extension().is_some_and(|known| known == AHEAD));
        let mut aside: Vec<_> =
            aside.filter_map(|path| Some((span_in_name(&path)?, path))).collect();
        aside.sort();
        upkeep.has_ahead = false;
        for ((start, end), path) in aside {
            let blocks = self.blocks();
            let within = blocks.iter().filter(|block| block.start < end && block.end > start);
            let from = within.map(|block| block.end).max().unwrap_or(start);
            if from >= end {
                // Nothing of it will ever be missing; it stays for people until it is too old.
                continue;
            }
            if end <= now && self.close_before(end) {
                report.notes.push(self.take_in(&path, from));
            } else {
                upkeep.has_ahead = true;
            }
        }
    }

    /// Takes no samples before `end` from here on, unless there are such; whether it does not.
    fn close_before(&self, end: i64) -> bool {
        let mut writer = lock(&self.writer);
        let is_past = end <= self.young.oldest.load(Ordering::Relaxed);
        if is_past {
            writer.floor = writer.floor.max(end);
        }
        is_past
    }

    /// Takes in the samples of a file from a time on; says what came of it.
    fn take_in(&self, aside: &Path, from: i64) -> String {
        let was = format!("{}, which lay ahead of the clock,", aside.display());
        let mut ids = Vec::new();
        let opened = Block::open(aside, |labels| {
            let entry = write(&self.index).intern(labels)?;
            ids.push(entry.id);
            Some(entry.id)
        });
        let note = match opened.and_then(|block| self.part_from(block, from)) {
            Ok((all, Some(block))) => {
                let samples = block.samples;
                self.replace_blocks(&[], Some(block));
                // There is none if it was renamed; one that stays is passed over from here on.
                let _ = disk::remove(aside);
                format!("{was} is there again with {samples} of its {all} samples")
            }
            Ok((_, None)) => format!("{was} has no samples where no others are"),
            Err(error @ BlockError::Damaged { .. }) => {
                format!("{was} cannot be taken in again: {error}; {}", Self::set_aside(aside))
            }
            // What the system refuses it may refuse each time.
            Err(error) => format!("{was} cannot be taken in again before a restart: {error}"),
        };
        self.remove_unused(&ids);
        note
    }

    /// Makes a block that was set aside one of the store, from a time on; says how many samples it had.
    fn part_from(&self, mut block: Block, from: i64) -> Result<(u64, Option<Block>), BlockError> {
        let all = block.samples;
        if from > block.start {
            return Ok((all, self.copy_part(&block, from, block.end)?));
        }
        let path = block.path.with_extension("");
        debug_assert!(path.extension().is_some_and(|extension| extension == EXTENSION));
        fs::rename(&block.path, &path)
            .map_err(|source| BlockError::Io { path: block.path.clone(), source })?;
        block.path = path;
        Ok((all, Some(block)))
    }
}
