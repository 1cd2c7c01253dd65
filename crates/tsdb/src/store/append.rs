//! Taking samples in.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::head::{HeadSeries, Pushed};
use super::index::{Entry, State, TOTAL_FACTOR};
use super::{Store, Writer, lock, read, write};
use crate::labels::Labels;

/// Offenders of each kind that a refusal names.
const OFFENDERS_NAMED: usize = 3;

/// A series to append to; made once and kept by who appends. It stays good for as long as the store is
/// open, also when the series has left it meanwhile.
#[derive(Clone)]
pub struct Handle(Arc<Entry>);

impl Handle {
    /// Labels of the series.
    pub fn labels(&self) -> &Labels {
        &self.0.labels
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.labels).finish()
    }
}

/// A sample to append.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// Its series.
    pub series: &'a Handle,
    /// Milliseconds since 1970.
    pub time: i64,
    /// Any value; [`STALE`](crate::sample::STALE) ends the series.
    pub value: f64,
}

/// Why a new series is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are too many with young samples.
    #[error(
        "no new series: there are {max} with young samples, which is the limit ({offenders}); drop \
         labels with many values or raise the limit"
    )]
    TooMany {
        /// The limit.
        max: usize,
        /// The worst, in words.
        offenders: Arc<str>,
    },
    /// There are too many over the whole retention.
    #[error(
        "no new series: there are {max} over the whole retention, which is the limit ({offenders}); \
         drop labels whose values change often, or keep samples for a shorter time"
    )]
    TooManyInAll {
        /// The limit.
        max: usize,
        /// The worst, in words.
        offenders: Arc<str>,
    },
    /// More series than numbers were made since the store was opened.
    #[error(
        "no new series: all four billion numbers of series are used; restart to use them again"
    )]
    Numbers,
}

/// Numbers of refused samples by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Older than the newest of its series.
    pub old: u64,
    /// As old as the newest of its series, with another value.
    pub conflicting: u64,
    /// Older than the end of the newest block.
    pub before_blocks: u64,
    /// The memory for young samples is full.
    pub memory_full: u64,
    /// Its series was gone, and there are too many to let it in again.
    pub too_many_series: u64,
}

impl Refused {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.old + self.conflicting + self.before_blocks + self.memory_full + self.too_many_series
    }

    fn add(&mut self, other: &Self) {
        self.old += other.old;
        self.conflicting += other.conflicting;
        self.before_blocks += other.before_blocks;
        self.memory_full += other.memory_full;
        self.too_many_series += other.too_many_series;
    }
}

/// What became of the samples of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Now in the store.
    pub accepted: u64,
    /// In the store already, with time and value.
    pub repeated: u64,
    /// Not in the store.
    pub refused: Refused,
    /// Whether what was accepted is in the log; if not, [`Store::trouble`] says why.
    pub is_logged: bool,
}

impl Store {
    /// The series with these labels, a new one if there is none.
    ///
    /// # Errors
    /// When there are too many series; the message names the worst.
    pub fn series(&self, labels: &Labels) -> Result<Handle, Refusal> {
        if let Some(entry) = read(&self.index).get(labels) {
            return Ok(Handle(entry.clone()));
        }
        let young_max = self.options.series_max;
        if self.young.series.load(Ordering::Relaxed) >= young_max {
            return Err(Refusal::TooMany { max: young_max, offenders: self.worst() });
        }
        let max = young_max.saturating_mul(TOTAL_FACTOR);
        if read(&self.index).len() >= max {
            return Err(Refusal::TooManyInAll { max, offenders: self.worst() });
        }
        let mut index = write(&self.index);
        let entry = index.intern(labels).ok_or(Refusal::Numbers)?;
        // It counts from now on, so that it has a place when its first sample comes.
        if let state @ State::Passive = &mut *entry.state() {
            *state = State::Active(Box::new(HeadSeries::new()));
            self.young.series.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Handle(entry))
    }

    /// That the memory for young samples is full, what takes most of it, and what can be done, in words.
    pub fn memory_full(&self) -> String {
        format!(
            "the memory for young samples is full ({} MB; {}); raise `max_memory` in [observe], or drop \
             metrics and labels with many values",
            self.options.memory_bytes_max >> 20,
            self.worst()
        )
    }

    /// The worst offenders in words; they are found anew by the next upkeep only, because refusals come
    /// by the thousand.
    fn worst(&self) -> Arc<str> {
        if let Some(known) = &*lock(&self.worst) {
            return known.clone();
        }
        let found: Arc<str> = self.offenders(OFFENDERS_NAMED).to_string().into();
        *lock(&self.worst) = Some(found.clone());
        found
    }

    /// Appends samples, each of them or not, and writes those to the log. They are seen by queries
    /// at once, and on the disk after the next flush.
    pub fn commit(&self, samples: &[Append<'_>]) -> Committed {
        self.commit_telling(samples, |_| {})
    }

    /// The same; tells the place of each sample that was not accepted, in their order. It is told
    /// while others wait to append: to be quick.
    pub fn commit_telling(
        &self,
        samples: &[Append<'_>],
        mut left_out: impl FnMut(usize),
    ) -> Committed {
        let mut committed = Committed::default();
        let mut writer = lock(&self.writer);
        let mut grown = 0isize;
        let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
        let held = self.young.bytes.load(Ordering::Relaxed);
        for (place, sample) in samples.iter().enumerate() {
            if held + grown as i64 >= self.options.memory_bytes_max as i64 {
                committed.refused.memory_full += 1;
                left_out(place);
                continue;
            }
            let before = committed.accepted;
            grown += self.append(&mut writer, sample, &mut committed);
            if committed.accepted > before {
                (oldest, newest) = (oldest.min(sample.time), newest.max(sample.time));
            } else {
                left_out(place);
            }
        }
        let logged = writer.log.commit();
        committed.is_logged = logged.is_ok() && !writer.log.is_broken();
        self.young.add(committed.accepted, grown, oldest, newest);
        drop(writer);
        if let Err(error) = logged {
            self.log_failed(&error);
        }
        lock(&self.refused).add(&committed.refused);
        committed
    }

    /// Appends one sample; says how many bytes its series takes more.
    fn append(&self, writer: &mut Writer, sample: &Append<'_>, committed: &mut Committed) -> isize {
        if sample.time < writer.floor {
            committed.refused.before_blocks += 1;
            return 0;
        }
        let mut pushed = self.push(&sample.series.0, sample);
        let again;
        let mut entry = &sample.series.0;
        if pushed.is_none() {
            // The series has left the index since the handle was made.
            if let Ok(handle) = self.series(&entry.labels) {
                again = handle;
                entry = &again.0;
                pushed = self.push(entry, sample);
            }
        }
        let refused = &mut committed.refused;
        match pushed {
            Some(Pushed::Accepted(grown)) => {
                committed.accepted += 1;
                writer.late += u64::from(sample.time < writer.late_before);
                writer.log.sample(entry, sample.time, sample.value);
                return grown;
            }
            Some(Pushed::Repeated) => committed.repeated += 1,
            Some(Pushed::Conflicting) => refused.conflicting += 1,
            Some(Pushed::Old) => refused.old += 1,
            None => refused.too_many_series += 1,
        }
        0
    }

    /// `None` when the series takes no samples.
    fn push(&self, entry: &Entry, sample: &Append<'_>) -> Option<Pushed> {
        let mut state = entry.state();
        if matches!(*state, State::Passive) {
            if self.young.series.load(Ordering::Relaxed) >= self.options.series_max {
                return None;
            }
            self.young.series.fetch_add(1, Ordering::Relaxed);
            *state = State::Active(Box::new(HeadSeries::new()));
        }
        match &mut *state {
            State::Active(series) => Some(series.push(sample.time, sample.value, self.window)),
            State::Passive | State::Removed => None,
        }
    }
}

impl super::Young {
    /// Counts samples that were accepted.
    pub(super) fn add(&self, samples: u64, grown: isize, oldest: i64, newest: i64) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.bytes.fetch_add(grown as i64, Ordering::Relaxed);
        self.oldest.fetch_min(oldest, Ordering::Relaxed);
        self.newest.fetch_max(newest, Ordering::Relaxed);
    }
}
