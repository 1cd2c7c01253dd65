//! Samples that wait for a receiver, with the labels that it gets.
//!
//! External labels and rules are applied once a series; what comes of it is kept as long as the series
//! has samples. A sample that waits takes 32 bytes; its labels are shared.
//!
//! Samples stay in the queue while they are being sent, so that the bound holds for them too and a
//! request that failed is made anew of what is the oldest then.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::relabel::{Rule, relabel};

use super::plan::Waiting;

/// A series without samples for so long is forgotten, milliseconds.
const SERIES_IDLE_MAX: i64 = 3600 * 1000;
/// A sample so much older than the last of its series is of a clock that was set back: the store has
/// taken it. Milliseconds.
const SET_BACK_MIN: i64 = 60 * 1000;
/// Fewer series are not looked through for such.
const SERIES_SWEPT_MIN: usize = 1024;
/// Most series that are remembered; beyond it all are forgotten and made anew.
const SERIES_MAX: usize = 1 << 20;

/// A sample that waits.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// As the receiver gets them.
    pub(super) labels: Labels,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    /// [`STALE`](tsdb::sample::STALE) at the end of a series.
    pub(super) value: f64,
    /// Since when it waits, milliseconds.
    since: u64,
}

/// What is known of a series.
#[derive(Debug)]
struct Known {
    /// As the receiver gets it; `None` if it does not.
    sent_as: Option<Labels>,
    /// The time of its last sample.
    last: i64,
    /// Which relabelling `sent_as` is of.
    generation: u64,
}

/// What becomes of a series' labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Relabelling {
    /// Added where the series has no such label.
    pub(super) external: BTreeMap<String, String>,
    /// Applied after that.
    pub(super) rules: Vec<Rule>,
}

impl Relabelling {
    fn apply(&self, labels: &Labels) -> Option<Labels> {
        let external = self.external.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let labels = match self.external.is_empty() {
            true => labels.clone(),
            // The last of two labels of a name stays.
            false => Labels::from_pairs(external.chain(labels.iter())),
        };
        relabel(&self.rules, &labels).filter(|labels| !labels.is_empty())
    }
}

/// A bounded queue.
#[derive(Debug)]
pub(super) struct Queue {
    samples_max: usize,
    relabelling: Relabelling,
    /// How often that was changed.
    generation: u64,
    known: HashMap<Labels, Known>,
    /// At so many known series, those without samples are forgotten.
    sweep_at: usize,
    /// The newest time of all samples.
    newest: i64,
    items: VecDeque<Item>,
    /// How many of the front are being sent…
    sending: usize,
    /// …and how many of those were given up meanwhile.
    outrun: usize,
    /// Given up because the queue was full.
    pub(super) given_up: u64,
    /// Left out because their series had newer ones already.
    pub(super) old: u64,
    /// Left out by the rules.
    pub(super) relabelled: u64,
}

impl Queue {
    /// For at most so many samples, at least one.
    pub(super) fn new(samples_max: usize, relabelling: Relabelling) -> Self {
        Self {
            samples_max: samples_max.max(1),
            relabelling,
            generation: 0,
            known: HashMap::new(),
            sweep_at: SERIES_SWEPT_MIN,
            newest: i64::MIN,
            items: VecDeque::new(),
            sending: 0,
            outrun: 0,
            given_up: 0,
            old: 0,
            relabelled: 0,
        }
    }

    /// From now on other bounds and labels hold; what waits keeps its labels, unless it is too much.
    pub(super) fn configure(&mut self, samples_max: usize, relabelling: Relabelling) {
        self.samples_max = samples_max.max(1);
        self.relabelling = relabelling;
        self.generation += 1;
        self.give_up(0);
        self.items.shrink_to(self.samples_max);
    }

    /// Adds a sample at the end. Those not newer than the last of their series are left out, unless the
    /// clock was set back.
    pub(super) fn push(&mut self, labels: &Labels, time: i64, value: f64, now: Duration) {
        let generation = self.generation;
        let known = match self.known.get_mut(labels) {
            Some(known) => known,
            None => {
                self.sweep();
                let sent_as = self.relabelling.apply(labels);
                let known = Known { sent_as, last: i64::MIN, generation };
                self.known.entry(labels.clone()).or_insert(known)
            }
        };
        let behind = known.last.saturating_sub(time);
        if known.last >= time && behind <= SET_BACK_MIN {
            self.old += 1;
            return;
        }
        if behind > SET_BACK_MIN {
            // What is dated after it would make all others look idle.
            self.newest = time;
        }
        if known.generation != generation {
            known.sent_as = self.relabelling.apply(labels);
            known.generation = generation;
        }
        known.last = time;
        self.newest = self.newest.max(time);
        let Some(labels) = known.sent_as.clone() else {
            self.relabelled += 1;
            return;
        };
        self.give_up(1);
        self.items.push_back(Item { labels, time, value, since: now.as_millis() as u64 });
    }

    /// Makes room for so many, at the cost of the oldest.
    fn give_up(&mut self, more: usize) {
        while self.items.len() + more > self.samples_max && self.items.pop_front().is_some() {
            // What is being sent may arrive yet.
            if self.sending > self.outrun {
                self.outrun += 1;
            } else {
                self.given_up += 1;
            }
        }
    }

    /// Forgets series that have ended long ago, now and then.
    fn sweep(&mut self) {
        if self.known.len() < self.sweep_at {
            return;
        }
        let oldest = self.newest.saturating_sub(SERIES_IDLE_MAX);
        self.known.retain(|_, known| known.last >= oldest);
        if self.known.len() >= SERIES_MAX {
            self.known.clear();
        }
        self.known.shrink_to(self.known.len() * 2);
        self.sweep_at = (self.known.len() * 2).clamp(SERIES_SWEPT_MIN, SERIES_MAX);
    }

    /// What waits, if anything does.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let oldest = self.items.front()?;
        Some(Waiting { samples: self.items.len(), since: Duration::from_millis(oldest.since) })
    }

    /// The oldest samples, which stay here until [`Queue::sent`] says what became of them.
    pub(super) fn send(&mut self, most: usize) -> Vec<Item> {
        let items: Vec<Item> = self.items.iter().take(most).cloned().collect();
        (self.sending, self.outrun) = (items.len(), 0);
        items
    }

    /// The samples that were being sent are `done` with, or wait on.
    pub(super) fn sent(&mut self, done: bool) {
        let (sending, outrun) =
            (std::mem::take(&mut self.sending), std::mem::take(&mut self.outrun));
        if done {
            self.items.drain(..(sending - outrun).min(self.items.len()));
        } else {
            self.given_up += outrun as u64;
        }
        // A queue that was long once need not stay large.
        if self.items.capacity() > 4 * self.items.len().max(SERIES_SWEPT_MIN) {
            self.items.shrink_to(2 * self.items.len());
        }
    }
}

#[cfg(test)]
mod tests;
