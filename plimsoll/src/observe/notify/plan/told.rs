//! What receivers were told last of each group, and whether that is still true: Alertmanager's
//! notification log and its `DedupStage`.
//!
//! Two differences, both towards telling the truth: an alarm is told to be over only to those who
//! were told that it fires; and one that ended while it was silenced is forgotten, so that it is
//! told of when it comes back (Alertmanager keeps quiet until `repeat_interval` is over).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Entries that are kept; beyond it, those that are the next to end go first.
pub(super) const ENTRIES_MAX: usize = 50_000;

/// Fingerprints of alarms.
pub type Fingerprints = BTreeSet<u64>;

/// What a receiver was told last of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Alarms told as firing.
    pub firing: Fingerprints,
    /// Alarms told as over.
    pub resolved: Fingerprints,
    /// It is forgotten then.
    pub until: i64,
}

/// Why a receiver is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was told nothing of this group yet.
    New,
    /// As many alarms fire that it was not told of.
    Firing(usize),
    /// As many alarms are over that it was told of; others fire on.
    Resolved(usize),
    /// All that it was told of are over.
    Over,
    /// Nothing has changed for `repeat_interval`.
    Repeat,
    /// An operator tries the receiver.
    Test,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("a new group"),
            Self::Firing(1) => f.write_str("1 more alarm fires"),
            Self::Firing(count) => write!(f, "{count} more alarms fire"),
            Self::Resolved(1) => f.write_str("1 alarm is over"),
            Self::Resolved(count) => write!(f, "{count} alarms are over"),
            Self::Over => f.write_str("all is over"),
            Self::Repeat => f.write_str("unchanged for the repeat interval"),
            Self::Test => f.write_str("a test"),
        }
    }
}

/// What was told: by group key and receiver.
#[derive(Debug, Default)]
pub(super) struct Told {
    entries: BTreeMap<(String, String), Entry>,
}

impl Told {
    /// Whether `receiver` needs to be told, and why. `resolved` may hold alarms that it was never
    /// told of.
    pub(super) fn needs(
        &self,
        (group, receiver): (&str, &str),
        firing: &Fingerprints,
        resolved: &Fingerprints,
        wants_resolved: bool,
        repeated_since: i64,
    ) -> Option<Why> {
        let Some(entry) = self.get(group, receiver) else {
            return (!firing.is_empty()).then_some(Why::New);
        };
        if !firing.is_subset(&entry.firing) {
            return Some(match entry.firing.is_empty() {
                true => Why::New,
                false => Why::Firing(firing.difference(&entry.firing).count()),
            });
        }
        let over = resolved.intersection(&entry.firing).count();
        // Also for those who do not want to know: their entry must be emptied.
        if firing.is_empty() {
            return (over > 0).then_some(Why::Over);
        }
        if wants_resolved && over > 0 {
            return Some(Why::Resolved(over));
        }
        (entry.at <= repeated_since).then_some(Why::Repeat)
    }

    pub(super) fn get(&self, group: &str, receiver: &str) -> Option<&Entry> {
        self.entries.get(&(group.to_owned(), receiver.to_owned()))
    }

    /// Notes what was told.
    pub(super) fn note(&mut self, group: &str, receiver: &str, entry: Entry) {
        self.entries.insert((group.to_owned(), receiver.to_owned()), entry);
        while self.entries.len() > ENTRIES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.until);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            self.entries.remove(&key);
        }
    }

    /// Forgets that `receiver` was told of alarms that ended unheard.
    pub(super) fn forget(&mut self, group: &str, receiver: &str, unheard: &Fingerprints) -> bool {
        let Some(entry) = self.entries.get_mut(&(group.to_owned(), receiver.to_owned())) else {
            return false;
        };
        let before = entry.firing.len();
        entry.firing.retain(|fingerprint| !unheard.contains(fingerprint));
        entry.firing.len() < before
    }

    /// Drops what is older than it is needed; says whether there was any.
    pub(super) fn expire(&mut self, now: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.until > now);
        self.entries.len() < before
    }

    /// Nothing was told later than now, whatever the clock said then.
    pub(super) fn realign(&mut self, now: i64) {
        self.entries.values_mut().for_each(|entry| entry.at = entry.at.min(now));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &Entry)> {
        self.entries.iter().map(|((group, receiver), entry)| (&**group, &**receiver, entry))
    }
}
