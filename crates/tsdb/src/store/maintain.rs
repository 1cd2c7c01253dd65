//! Upkeep: flushing, cutting blocks, snapshots of the memory, and doing so again after failures.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::block::{BlockError, BlockWriter};
use super::disk;
use super::head::window_end;
use super::index::{Entry, State};
use super::log::{self, SnapshotWriter};
use super::recovery::milliseconds;
use super::{Backlog, Store, Upkeep, lock, read};
use crate::sample::Samples;

/// A block is cut when its span has been past for this part of it: until then late samples are taken.
const LATE_PART: i64 = 8;
/// Blocks wait while late samples come, until none came for so long…
const LATE_QUIET: Duration = Duration::from_secs(30);
/// …or they have been coming for this part of a block's span, or take this part of the memory.
const LATE_WAIT_PART: i64 = 8;
const LATE_MEMORY_PART: u64 = 2;
/// After a failure to write, the next attempt comes so much later.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(15);

/// What upkeep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Blocks written from memory.
    pub cut: usize,
    /// Blocks merged into larger ones.
    pub merged: usize,
    /// Blocks dropped, for age or size.
    pub dropped: usize,
    /// What was set aside or failed, each in words.
    pub notes: Vec<String>,
}

impl fmt::Display for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cut, merged, dropped, notes } = self;
        write!(f, "{cut} blocks cut, {merged} merged, {dropped} dropped")?;
        notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

impl Store {
    /// Waits until all that was committed is on the disk.
    ///
    /// # Errors
    /// When the disk refuses; the store then writes the samples anew, and [`trouble`](Self::trouble)
    /// says so until it could.
    pub fn flush(&self) -> io::Result<()> {
        let files = lock(&self.writer).log.take_unsynced();
        // Not under the lock: the disk may take its time.
        for file in files {
            if let Err(error) = self.disk.sync(&file) {
                // What the system has of the file is unknown from here on.
                lock(&self.writer).log.rotate();
                self.log_failed(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Does what is due: flush, set damaged blocks aside, drop old ones, cut, merge. To be called every
    /// few seconds, by one thread; it takes as long as the disk does. `now` is in milliseconds.
    pub fn maintain(&self, now: i64) -> Maintenance {
        let mut upkeep = lock(&self.upkeep);
        let mut report = Maintenance::default();
        *lock(&self.worst) = None;
        if now.saturating_sub(upkeep.flushed) >= milliseconds(self.options.flush)
            || now < upkeep.flushed
        {
            upkeep.flushed = now;
            if let Err(error) = self.flush() {
                report.notes.push(format!("cannot flush the log: {error}"));
            }
        }
        self.drop_damaged(&mut report);
        let log = self.measured.log_bytes.load(Ordering::Relaxed);
        let damaged = self.retain(now, log, &mut report);
        self.measured.damaged_bytes.store(damaged, Ordering::Relaxed);
        if now >= upkeep.retry || upkeep.retry.saturating_sub(now) > milliseconds(RETRY_INTERVAL) {
            self.write_due(now, &mut upkeep, &mut report);
        }
        self.take_in_ahead(now, &mut upkeep, &mut report);
        self.compact_due(now, &mut upkeep, &mut report);
        match log_bytes(&self.log_folder()) {
            Ok(bytes) => self.measured.log_bytes.store(bytes, Ordering::Relaxed),
            Err(error) => report.notes.push(format!("cannot list the log: {error}")),
        }
        report
    }

    fn write_due(&self, now: i64, upkeep: &mut Upkeep, report: &mut Maintenance) {
        let retry = now.saturating_add(milliseconds(RETRY_INTERVAL));
        let waits = self.waits_for_backlog(now, &mut upkeep.backlog);
        while let Some(end) = self.due(now).filter(|_| !waits) {
            match self.cut(end) {
                Ok(()) => {
                    report.cut += 1;
                    upkeep.is_snapshot_due = true;
                    lock(&self.trouble).cut = None;
                }
                Err(error) => {
                    let note = format!(
                        "cannot write the block of {end}, so its samples stay in memory: {error}; \
                         it is tried again every {} seconds",
                        RETRY_INTERVAL.as_secs()
                    );
                    report.notes.push(note.clone());
                    lock(&self.trouble).cut = Some(note);
                    upkeep.retry = retry;
                    break;
                }
            }
        }
        let is_unlogged = lock(&self.trouble).log.is_some();
        if upkeep.is_snapshot_due || is_unlogged {
            match self.snapshot() {
                Ok(()) => {
                    upkeep.is_snapshot_due = false;
                    // Unless a commit failed meanwhile.
                    if !lock(&self.writer).log.is_broken() {
                        lock(&self.trouble).log = None;
                    }
                }
                Err(error) => {
                    report.notes.push(format!("cannot write a snapshot of the memory: {error}"));
                    upkeep.retry = retry;
                }
            }
        }
    }

    /// Remembers that samples are in memory which the log does not have.
    pub(super) fn log_failed(&self, error: &io::Error) {
        lock(&self.trouble).log = Some(format!(
            "cannot write to {}: {error}; samples are kept in memory only, up to {} MB; writing goes on \
             by itself when it can",
            self.log_folder().display(),
            self.options.memory_bytes_max >> 20
        ));
    }

    /// End of the oldest span in memory, if that is past.
    fn due(&self, now: i64) -> Option<i64> {
        let oldest = self.young.oldest.load(Ordering::Relaxed);
        let end = window_end(oldest, self.window);
        (oldest != i64::MAX && now >= end.saturating_add(self.window / LATE_PART)).then_some(end)
    }

    /// Whether samples of spans that are past keep coming. A block would shut out those that are still
    /// to come.
    fn waits_for_backlog(&self, now: i64, backlog: &mut Backlog) -> bool {
        let late = {
            let mut writer = lock(&self.writer);
            writer.late_before = late_before(now, self.window);
            writer.late
        };
        if late != backlog.seen {
            (backlog.seen, backlog.newest) = (late, now);
            backlog.since.get_or_insert(now);
        } else if !(0..milliseconds(LATE_QUIET)).contains(&now.saturating_sub(backlog.newest)) {
            backlog.since = None;
        }
        let bytes = self.young.bytes.load(Ordering::Relaxed).max(0).cast_unsigned();
        let has_room = bytes < self.options.memory_bytes_max / LATE_MEMORY_PART;
        let wait = 0..self.window / LATE_WAIT_PART;
        has_room && backlog.since.is_some_and(|since| wait.contains(&now.saturating_sub(since)))
    }

    /// Series with young samples, by labels.
    pub(super) fn active(&self) -> Vec<Arc<Entry>> {
        let is_active = |entry: &&Arc<Entry>| matches!(*entry.state(), State::Active(_));
        read(&self.index).entries().filter(is_active).cloned().collect()
    }

    /// Makes a block of all samples before `end` and forgets them.
    fn cut(&self, end: i64) -> Result<(), BlockError> {
        let (entries, written) = self.write_block(end)?;
        self.forget(&entries, end, written);
        Ok(())
    }

    /// Makes a block of all samples before `end`; says of which series, and how many samples.
    pub(super) fn write_block(&self, end: i64) -> Result<(Vec<Arc<Entry>>, u64), BlockError> {
        let last_end = self.blocks().last().map_or(i64::MIN, |block| block.end);
        let start = end.saturating_sub(self.window).max(last_end);
        {
            let mut writer = lock(&self.writer);
            writer.floor = writer.floor.max(end);
        }
        let mut entries = self.active();
        entries.sort_by(|a, b| a.labels.cmp(&b.labels));
        let folder = self.blocks_folder();
        let failed = |source| BlockError::Io { path: folder.clone(), source };
        let mut block = BlockWriter::create(&self.disk, &folder, start, end).map_err(failed)?;
        let (mut samples, mut written) = (Samples::default(), 0);
        for entry in &entries {
            samples.clear();
            if let State::Active(series) = &*entry.state() {
                // What the memory wrote it can read.
                let _ = series.read(i64::MIN, end - 1, &mut samples);
            }
            written += samples.len() as u64;
            block.samples(&samples.times, &samples.values);
            block.end_series(&entry.labels).map_err(failed)?;
        }
        if let Some(path) = block.finish().map_err(failed)? {
            let block = self.open_known(&path)?;
            self.replace_blocks(&[], Some(block));
        }
        Ok((entries, written))
    }

    /// Replaces the log by what is in memory.
    pub(super) fn snapshot(&self) -> io::Result<()> {
        let covered = lock(&self.writer).log.rotate();
        let folder = self.log_folder();
        let mut snapshot = SnapshotWriter::create(&self.disk, &folder, covered)?;
        let mut samples = Samples::default();
        for entry in self.active() {
            samples.clear();
            if let State::Active(series) = &*entry.state() {
                let _ = series.read(i64::MIN, i64::MAX, &mut samples);
            }
            if !samples.is_empty() {
                snapshot.series(&entry, &samples)?;
            }
        }
        snapshot.finish()?;
        log::files(&folder)?.obsolete.iter().try_for_each(|path| disk::remove(path))
    }
}

/// The end of the newest span that a block is due of.
pub(super) fn late_before(now: i64, window: i64) -> i64 {
    now.saturating_sub(window / LATE_PART).div_euclid(window).saturating_mul(window)
}

fn log_bytes(folder: &std::path::Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        // A file that is gone meanwhile has no size.
        bytes += entry?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(bytes)
}
