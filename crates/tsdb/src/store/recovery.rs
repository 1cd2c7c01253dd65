//! Opening a store: its blocks, then what the log has beyond them.
//!
//! Whatever state the files are in, the store opens if its folder can be used: a damaged block is set
//! aside (`blocks`), of a damaged segment the rest is read, and what was left half-done is removed. All
//! of it is told.

mod blocks;

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use self::blocks::{open_blocks, remove_temporary};
use super::block::{Block, BlockError, DAMAGED};
use super::disk::{self, Disk};
use super::head::{HeadSeries, Pushed};
use super::index::{Entry, Index, State};
use super::log::{self, Gaps, Log, Record, SegmentEnd};
use super::maintain::late_before;
use super::{
    BLOCK_MAX, BLOCK_MIN, BLOCKS_FOLDER, Backlog, Blocks, LOCK_FILE, LOG_FOLDER, Measured, Options,
    Refused, Store, Trouble, Upkeep, Writer, Young, chunk, read, write,
};
use crate::sample::Samples;

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made, listed or locked.
    #[error("cannot open the store in {}: {source}", path.display())]
    Folder {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the store in {} is open in another process{holder}; stop that one or use another folder", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Which process, in words; may be empty.
        holder: String,
    },
    /// The options make no sense.
    #[error("{0}")]
    Options(&'static str),
}

/// What was found at open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Blocks that are open.
    pub blocks: usize,
    /// Samples in them.
    pub samples_in_blocks: u64,
    /// Samples read from the log.
    pub samples_from_log: u64,
    /// What was cut, set aside or removed, each in words.
    pub losses: Vec<String>,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} samples in {} blocks, {} samples from the log",
            self.samples_in_blocks, self.blocks, self.samples_from_log
        )?;
        self.losses.iter().try_for_each(|loss| write!(f, "; {loss}"))
    }
}

impl Store {
    /// Opens the store in a folder, which is made if it is not there. `now` is in milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// When the folder cannot be used or another process uses it. Damaged files are no error.
    pub fn open(folder: &Path, options: Options, now: i64) -> Result<(Self, Recovery), OpenError> {
        let window = milliseconds(options.block);
        if options.block < BLOCK_MIN || options.block > BLOCK_MAX {
            return Err(OpenError::Options("a block must span one second to one year"));
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Folder { path, source }
        };
        let (blocks_folder, log_folder) = (folder.join(BLOCKS_FOLDER), folder.join(LOG_FOLDER));
        for path in [&blocks_folder, &log_folder] {
            fs::create_dir_all(path).map_err(failed(path))?;
        }
        let lock = lock_folder(folder)?;
        let mut recovery = Recovery::default();
        for path in [&blocks_folder, &log_folder] {
            remove_temporary(path).map_err(failed(path))?;
        }
        let mut index = Index::new();
        let blocks = open_blocks(&blocks_folder, &mut index, &mut recovery)
            .map_err(failed(&blocks_folder))?;
        let floor = blocks.last().map_or(i64::MIN, |block| block.end);
        let files = log::files(&log_folder).map_err(failed(&log_folder))?;
        let number = files.segments.last().map(|(number, _)| *number);
        let covered = files.snapshot.as_ref().map(|(number, _)| *number);
        let number = number.max(covered).unwrap_or(0);
        let disk = Arc::new(Disk::default());
        let store = Self {
            folder: folder.to_owned(),
            window,
            writer: Mutex::new(Writer {
                log: Log::new(disk.clone(), log_folder, number),
                floor,
                late_before: late_before(now, window),
                late: 0,
            }),
            disk,
            lock,
            index: RwLock::new(index),
            blocks: RwLock::new(Blocks::new(blocks)),
            young: Young {
                series: AtomicUsize::new(0),
                samples: AtomicU64::new(0),
                bytes: AtomicI64::new(0),
                oldest: AtomicI64::new(i64::MAX),
                newest: AtomicI64::new(i64::MIN),
            },
            refused: Mutex::new(Refused::default()),
            upkeep: Mutex::new(Upkeep {
                flushed: now,
                retry: i64::MIN,
                compaction_retry: i64::MIN,
                backlog: Backlog::default(),
                is_snapshot_due: false,
                has_ahead: true,
            }),
            measured: Measured::default(),
            trouble: Mutex::new(Trouble::default()),
            worst: Mutex::new(None),
            options,
        };
        store.replay(&files, floor, &mut recovery);
        Ok((store, recovery))
    }

    /// Reads the log into memory. What cannot be read is told and left where it is.
    fn replay(&self, files: &log::Files, floor: i64, recovery: &mut Recovery) {
        let last = files.segments.last().map(|(number, _)| *number);
        for path in &files.obsolete {
            if let Err(error) = disk::remove(path) {
                recovery.losses.push(format!("cannot remove {}: {error}", path.display()));
            }
        }
        let snapshot = files.snapshot.as_ref().map(|(_, path)| path);
        for (number, path) in files.snapshot.iter().chain(&files.segments) {
            // A torn end is usual for what was being written; elsewhere it is damage.
            let is_last = Some(*number) == last;
            let end = self.replay_segment(path, floor, recovery);
            if let Ok(SegmentEnd { gaps: Gaps { count, bytes, why: Some(why) }, .. }) = &end {
                recovery.losses.push(format!(
                    "{bytes} bytes at {count} places of {} are lost, because {why}; what follows \
                     them was read",
                    path.display()
                ));
            }
            match end {
                Ok(SegmentEnd { why: Some(why), good, bad, .. }) => {
                    let cut = is_last
                        && File::options().write(true).open(path).is_ok_and(|file| {
                            file.set_len(good).is_ok() && file.sync_all().is_ok()
                        });
                    let what = if cut { "were cut off" } else { "are lost" };
                    let path = path.display();
                    let loss = format!("the last {bad} bytes of {path} {what}, because {why}");
                    recovery.losses.push(loss);
                }
                Ok(end) if Some(path) == snapshot => {
                    recovery.losses.extend(end_missing(path, end));
                }
                Ok(_) => {}
                Err(error) => {
                    recovery.losses.push(format!("cannot read {}: {error}", path.display()));
                }
            }
        }
    }

    fn replay_segment(
        &self,
        path: &Path,
        floor: i64,
        recovery: &mut Recovery,
    ) -> io::Result<SegmentEnd> {
        let mut series = HashMap::<u64, Arc<Entry>>::new();
        let mut chunk = Samples::default();
        let (mut undefined, mut corrupt) = (0, 0);
        let end = log::read_segment(path, |record| match record {
            Record::Definition(id, labels) => {
                if let Some(entry) = write(&self.index).intern(&labels) {
                    series.insert(id, entry);
                }
            }
            Record::Sample(id, time, value) => match series.get(&id) {
                Some(entry) => recovery.samples_from_log += self.restore(entry, floor, time, value),
                None => undefined += 1,
            },
            Record::Chunk(id, bytes) => {
                chunk.clear();
                match (series.get(&id), chunk::decode(bytes, &mut chunk)) {
                    (Some(entry), Ok(())) => {
                        for (time, value) in chunk.times.iter().zip(&chunk.values) {
                            recovery.samples_from_log += self.restore(entry, floor, *time, *value);
                        }
                    }
                    (None, _) => undefined += 1,
                    (_, Err(_)) => corrupt += 1,
                }
            }
        })?;
        if undefined + corrupt > 0 {
            recovery.losses.push(format!(
                "{undefined} records of {} are of series that it does not define, {corrupt} cannot \
                 be decoded",
                path.display()
            ));
        }
        Ok(end)
    }

    /// Puts a sample of the log into memory; says how many that are (0 or 1).
    fn restore(&self, entry: &Entry, floor: i64, time: i64, value: f64) -> u64 {
        if time < floor {
            return 0;
        }
        let mut state = entry.state();
        if matches!(*state, State::Passive) {
            *state = State::Active(Box::new(HeadSeries::new()));
            self.young.series.fetch_add(1, Ordering::Relaxed);
        }
        let State::Active(series) = &mut *state else { return 0 };
        // What is not younger was read before, from the snapshot.
        let Pushed::Accepted(grown) = series.push(time, value, self.window) else { return 0 };
        self.young.add(1, grown, time, time);
        1
    }

    /// The worst damage for queries is a block that is half read: it goes.
    pub(super) fn set_aside(path: &Path) -> String {
        let aside = path.with_added_extension(DAMAGED);
        match fs::rename(path, &aside) {
            Ok(()) => format!("it was set aside as {}", aside.display()),
            Err(error) => format!("it cannot be set aside: {error}"),
        }
    }

    /// Numbers for a block whose series are all known.
    pub(super) fn open_known(&self, path: &Path) -> Result<Block, BlockError> {
        Block::open(path, |labels| read(&self.index).get(labels).map(|entry| entry.id))
    }
}

/// What is to be told of a snapshot that was read without an error.
fn end_missing(path: &Path, end: SegmentEnd) -> Option<String> {
    let path = path.display();
    match end {
        SegmentEnd { is_ended: true, .. } => None,
        SegmentEnd { version, .. } if version < log::END_VERSION => Some(format!(
            "whether {path} is complete cannot be told: an older version wrote it, which did not \
             mark the end"
        )),
        _ => Some(format!("{path} was cut off where a record ended; what followed is lost")),
    }
}

/// Milliseconds of a duration, as times are counted.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| OpenError::Folder { path: path.clone(), source };
    let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = options.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().ok();
            let holder = holder.map_or_else(String::new, |process| format!(" ({process})"));
            return Err(OpenError::Locked { folder: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // So is this, and a full disk must not keep the store closed.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
