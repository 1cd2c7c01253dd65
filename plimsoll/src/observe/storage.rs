//! Where every sample goes in: into the store, and to those who want a copy.

use std::sync::Arc;

use tsdb::store::{Append, Committed, Store};

/// Samples may lie this far ahead of now, milliseconds: clocks differ. One that lies further would
/// keep all others of its series out.
const AHEAD_MAX: i64 = 10 * 60 * 1000;

/// Gets a copy of all samples that the store took; must not block.
pub type Tap = Box<dyn Fn(&[Append<'_>]) + Send + Sync>;

/// The store, and who else gets its samples.
pub struct Storage {
    store: Arc<Store>,
    taps: Vec<Tap>,
}

/// What became of samples.
#[derive(Debug, Clone, Default)]
pub struct Appended {
    /// What the store says.
    pub committed: Committed,
    /// Refused because they lie too far ahead of now.
    pub ahead: u64,
}

impl Storage {
    /// Over an open store.
    pub fn new(store: Arc<Store>, taps: Vec<Tap>) -> Self {
        Self { store, taps }
    }

    /// For queries, and for making handles of series.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Takes samples in. Those further ahead of `now` than clocks differ are refused.
    pub fn append(&self, samples: &[Append<'_>], now: i64) -> Appended {
        let latest = now.saturating_add(AHEAD_MAX);
        if samples.iter().all(|sample| sample.time <= latest) {
            return Appended { committed: self.commit(samples), ahead: 0 };
        }
        let timely: Vec<Append<'_>> =
            samples.iter().filter(|sample| sample.time <= latest).copied().collect();
        let ahead = (samples.len() - timely.len()) as u64;
        Appended { committed: self.commit(&timely), ahead }
    }

    fn commit(&self, samples: &[Append<'_>]) -> Committed {
        let committed = self.store.commit(samples);
        self.taps.iter().for_each(|tap| tap(samples));
        committed
    }
}
