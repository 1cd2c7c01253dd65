//! An embedded store of series: young samples in memory and in a log, old ones in blocks.
//!
//! The way of a sample: [`Store::commit`] appends it to its series' open chunk ([`chunk`]) and to the
//! write-ahead log (`log`). Full chunks are sealed. When the span of a block (two hours) is past,
//! [`Store::maintain`] writes that span of all series into one immutable file (`block`), forgets it in
//! memory, and replaces the log by a snapshot of what is left in memory. While samples come of spans that
//! are past, as when a sender was cut off for hours, that waits for a while. Blocks are merged into larger
//! ones, and dropped when they are too old or too large together. [`Source`](crate::source::Source)
//! reads blocks and memory as one.
//!
//! The outline is that of Prometheus' store (<https://web.archive.org/web/2022/https://fabxc.org/tsdb/>,
//! "Writing a Time Series Database from Scratch"). What differs, and why:
//! - sealed chunks are columns of packed decimals, not Gorilla streams: less than half the bytes, and
//!   decoded without a branch for each bit;
//! - times that several series have in common are stored once in a block;
//! - one index in memory serves all blocks (`index`), since this store is small: one process, some
//!   hundred thousand series;
//! - a block's chunk already spans two hours, so merging blocks copies chunks without decoding them;
//! - each segment of the log defines its series, so that damage in one costs nothing of others.
//!
//! Invariants:
//! - samples of a series rise strictly, in memory, in the log's order, and over blocks;
//! - blocks do not overlap; no sample is accepted that is older than the end of the newest block;
//! - a file in `blocks` is complete; every byte that is read is under a checksum;
//! - a block is listed before its samples are forgotten in memory, and readers ask the memory first, so
//!   they miss nothing;
//! - locks are taken in the order upkeep, writer, index, blocks, series, and only the writer's and
//!   upkeep's are held while writing to the disk.
//!
//! What is committed and flushed survives a kill at any moment; what is committed and not flushed
//! survives all but a crash of the machine. When the disk is full or fails, samples stay in memory up
//! to [`Options::memory_bytes_max`], [`Store::trouble`] says so, queries go on, and `maintain` tries
//! again.
//!
//! Left out: deleting single series, samples out of order, exemplars, native histograms, metadata.

mod ahead;
mod append;
mod block;
pub mod chunk;
mod compaction;
mod disk;
mod head;
mod index;
mod log;
mod maintain;
mod recovery;
mod retention;
mod select;
mod statistics;
mod wire;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

pub use ahead::Retracted;
pub use append::{Append, Committed, Handle, Refusal, Refused};
use block::Block;
use disk::Disk;
use index::Index;
pub use index::{Offender, Offenders};
use log::Log;
pub use maintain::Maintenance;
pub use recovery::{OpenError, Recovery};
pub use select::Listing;
pub use statistics::Statistics;
pub use wire::Corrupt;

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Blocks whose span ended so long ago are dropped.
    pub retention: Duration,
    /// When blocks and log are larger together, the oldest blocks are dropped, and before them those
    /// that were set aside.
    pub bytes_max: u64,
    /// Series with young samples; of more, the samples are refused.
    pub series_max: usize,
    /// Memory of young samples; when it is full, samples are refused. Two hours take some 700 bytes a
    /// series at an interval of 15 seconds.
    pub memory_bytes_max: u64,
    /// Span of a block; blocks begin at its multiples. At least [`BLOCK_MIN`].
    pub block: Duration,
    /// How often `maintain` makes sure that what was committed is on the disk.
    pub flush: Duration,
}

/// A shorter span of a block is refused.
pub const BLOCK_MIN: Duration = Duration::from_secs(1);
/// A longer one is refused too: a year.
pub const BLOCK_MAX: Duration = Duration::from_secs(366 * 86_400);

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(15 * 86_400),
            bytes_max: 8 << 30,
            series_max: 200_000,
            memory_bytes_max: 512 << 20,
            block: Duration::from_secs(2 * 3600),
            flush: Duration::from_secs(5),
        }
    }
}

/// Blocks by rising span; replaced as a whole.
type Blocks = Arc<Vec<Arc<Block>>>;

/// A store, open.
pub struct Store {
    folder: PathBuf,
    options: Options,
    /// Span of a block, milliseconds.
    window: i64,
    disk: Arc<Disk>,
    /// Held locked, against other processes.
    lock: File,
    /// Written at new series and when series are gone; read by queries.
    index: RwLock<Index>,
    /// Written by upkeep; read by queries.
    blocks: RwLock<Blocks>,
    /// Held by one commit at a time.
    writer: Mutex<Writer>,
    /// Written under the writer's lock, and by upkeep; read by statistics and limits.
    young: Young,
    /// Refused so far, by reason; written by commits.
    refused: Mutex<Refused>,
    /// Held by one upkeep at a time, for as long as the disk takes: nobody else may wait for it.
    upkeep: Mutex<Upkeep>,
    /// Written by upkeep; read by statistics.
    measured: Measured,
    /// Written by commits and upkeep.
    trouble: Mutex<Trouble>,
    /// The worst offenders in words, for refusals; written by upkeep and by the first refusal.
    worst: Mutex<Option<Arc<str>>>,
}

/// What a commit needs.
struct Writer {
    log: Log,
    /// Older samples are refused: they would belong into blocks that are written, milliseconds.
    floor: i64,
    /// Samples before this are late: a block of their span is due. Set by upkeep, milliseconds.
    late_before: i64,
    /// How many late samples were accepted.
    late: u64,
}

/// Sums over what is in memory.
struct Young {
    /// Series that are active.
    series: AtomicUsize,
    samples: AtomicU64,
    bytes: AtomicI64,
    /// Times of samples; `i64::MAX` and `i64::MIN` when there are none.
    oldest: AtomicI64,
    newest: AtomicI64,
}

/// What upkeep remembers.
struct Upkeep {
    /// When the log was last flushed, milliseconds.
    flushed: i64,
    /// After a failure nothing is written before this time.
    retry: i64,
    /// The same for merging.
    compaction_retry: i64,
    backlog: Backlog,
    /// The log is to be replaced by a snapshot.
    is_snapshot_due: bool,
    /// There may be blocks that were set aside because they lay ahead of the clock.
    has_ahead: bool,
}

/// Bytes on the disk when upkeep last looked.
#[derive(Default)]
struct Measured {
    /// Of the log's files.
    log_bytes: AtomicU64,
    /// Of blocks that were set aside, for damage or because they lay ahead.
    damaged_bytes: AtomicU64,
}

/// Whether somebody is sending what was held up.
#[derive(Default)]
struct Backlog {
    /// Late samples when upkeep last looked.
    seen: u64,
    /// When it last saw more of them, and since when they have been coming, milliseconds.
    newest: i64,
    since: Option<i64>,
}

/// Why writing has stopped.
#[derive(Default)]
struct Trouble {
    /// Samples in memory that the log does not have.
    log: Option<String>,
    /// The last block could not be written.
    cut: Option<String>,
}

impl Store {
    /// The metrics with most series and the labels with most values.
    pub fn offenders(&self, most: usize) -> Offenders {
        read(&self.index).offenders(most)
    }

    /// Why samples are not written to the disk, in words, while they are not. They are in memory, and
    /// queries see them.
    pub fn trouble(&self) -> Option<String> {
        let trouble = lock(&self.trouble);
        let told: Vec<_> = trouble.log.iter().chain(&trouble.cut).cloned().collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn blocks(&self) -> Blocks {
        read(&self.blocks).clone()
    }

    fn blocks_folder(&self) -> PathBuf {
        self.folder.join(BLOCKS_FOLDER)
    }

    fn log_folder(&self) -> PathBuf {
        self.folder.join(LOG_FOLDER)
    }
}

impl Drop for Store {
    /// Closing the file is not enough: a child that is being started has it open until it is another
    /// program.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

const BLOCKS_FOLDER: &str = "blocks";
const LOG_FOLDER: &str = "log";
const LOCK_FILE: &str = "lock";

/// A panic elsewhere leaves data of which every change is complete by itself; the store goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(shared: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    shared.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(shared: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    shared.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
