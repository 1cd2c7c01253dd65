//! All series, in memory: by their labels, by number, and by each label's value.
//!
//! There is one index for the young samples and all blocks, and blocks refer to its numbers. The
//! alternative, an index in each block as Prometheus has it, answers a query by evaluating the
//! matchers and building the labels once for every block, and holds a series that lives for weeks as
//! often as there are blocks; here both happen once. The price is that the labels of all series of the
//! whole retention are in memory (some 500 bytes each), which [`TOTAL_FACTOR`] bounds.
//!
//! Invariants: numbers rise and are never used again, so a list of them is sorted by appending, and a
//! query that holds a removed series never reads another one's samples; a series is in here exactly as
//! long as it has young samples or lies in a block.

mod matching;
mod offenders;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard};

use super::head::HeadSeries;
use super::lock;
use crate::labels::Labels;
pub use offenders::{Offender, Offenders};

/// All series, those that lie only in blocks included, are at most this many times those with young
/// samples: many short-lived ones (an instance's name in a label) must not fill the memory either.
pub(super) const TOTAL_FACTOR: usize = 8;

/// A series.
pub(super) struct Entry {
    /// Its number in the index, in blocks opened, and in the log.
    pub(super) id: u32,
    pub(super) labels: Labels,
    /// Number of the log's segment that last defined it; written and read by the log's writer.
    pub(super) defined_in: AtomicU64,
    /// Blocks that hold it; written by who opens and drops blocks, read at removal.
    pub(super) blocks: AtomicU32,
    state: Mutex<State>,
}

/// Where a series lives.
pub(super) enum State {
    /// In blocks, if anywhere.
    Passive,
    /// It has young samples, or had some before the last cut.
    Active(Box<HeadSeries>),
    /// No longer in the index: who holds it must ask for its labels anew.
    Removed,
}

impl Entry {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Sorted numbers of the series that have a label's value.
type Postings = Vec<u32>;

/// All series.
#[derive(Default)]
pub(super) struct Index {
    by_labels: HashMap<Labels, Arc<Entry>>,
    by_id: HashMap<u32, Arc<Entry>>,
    all: Postings,
    postings: BTreeMap<Box<str>, BTreeMap<Box<str>, Postings>>,
    /// The next number; `None` when all were given out.
    next: Option<u32>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { next: Some(1), ..Self::default() }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, labels: &Labels) -> Option<&Arc<Entry>> {
        self.by_labels.get(labels)
    }

    /// The series of a number.
    pub(super) fn by_id(&self, id: u32) -> Option<&Arc<Entry>> {
        self.by_id.get(&id)
    }

    /// All series by rising number.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.all.iter().filter_map(|id| self.by_id.get(id))
    }

    /// The series with these labels, a new one if there is none yet; `None` when all numbers are used.
    pub(super) fn intern(&mut self, labels: &Labels) -> Option<Arc<Entry>> {
        if let Some(entry) = self.by_labels.get(labels) {
            return Some(entry.clone());
        }
        let id = self.next?;
        self.next = id.checked_add(1);
        let entry = Arc::new(Entry {
            id,
            labels: labels.clone(),
            defined_in: AtomicU64::new(0),
            blocks: AtomicU32::new(0),
            state: Mutex::new(State::Passive),
        });
        for (name, value) in labels.iter() {
            if !self.postings.contains_key(name) {
                self.postings.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.postings.get_mut(name) else { continue };
            match values.get_mut(value) {
                Some(postings) => postings.push(id),
                None => {
                    values.insert(value.into(), vec![id]);
                }
            }
        }
        self.all.push(id);
        self.by_id.insert(id, entry.clone());
        self.by_labels.insert(labels.clone(), entry.clone());
        Some(entry)
    }

    /// Removes series, given by rising numbers.
    pub(super) fn remove(&mut self, ids: &[u32]) {
        let is_removed = |id: &u32| ids.binary_search(id).is_ok();
        let mut touched = BTreeMap::<&str, Vec<&str>>::new();
        let removed: Vec<_> = ids.iter().filter_map(|id| self.by_id.remove(id)).collect();
        for entry in &removed {
            self.by_labels.remove(&entry.labels);
            for (name, value) in entry.labels.iter() {
                touched.entry(name).or_default().push(value);
            }
        }
        for (name, mut changed) in touched {
            changed.sort_unstable();
            changed.dedup();
            let Some(values) = self.postings.get_mut(name) else { continue };
            for value in changed {
                let Some(postings) = values.get_mut(value) else { continue };
                postings.retain(|id| !is_removed(id));
                if postings.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
        self.all.retain(|id| !is_removed(id));
    }
}

#[cfg(test)]
mod tests;
