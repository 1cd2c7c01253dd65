//! From a message to the store: handles of series that are known, so that labels are not put together
//! anew, and their samples in one commit.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use tsdb::remote_write::{Request as Message, Series};
use tsdb::store::{Append, Handle, Refusal};

use super::outcome::Outcome;
use crate::observe::storage::Storage;

/// Series that are remembered; of more, all are forgotten and found anew.
const HANDLES_MAX: usize = 500_000;

/// Series that are known, for one request at a time.
#[derive(Default)]
pub(super) struct Known(Mutex<Handles>);

/// By a hash of their labels.
#[derive(Default)]
struct Handles {
    handles: HashMap<u64, Handle>,
    random: RandomState,
}

impl Known {
    /// Puts the samples of a message into the store.
    pub(super) fn store(&self, storage: &Storage, message: &Message) -> Outcome {
        let mut outcome = Outcome { histograms: message.histograms_len(), ..Outcome::default() };
        let mut series = Vec::with_capacity(message.series().len());
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for one in message.series().filter(|one| !one.samples.is_empty()) {
                outcome.samples += one.samples.len();
                match known.handle(storage, one) {
                    Ok(handle) => series.push((handle, one.samples)),
                    Err(error) => {
                        outcome.without_series += one.samples.len();
                        outcome.refusal.get_or_insert_with(|| error.to_string());
                    }
                }
            }
        }
        let mut samples = Vec::with_capacity(outcome.samples);
        for (series, of_series) in &series {
            let all = of_series.iter();
            samples.extend(all.map(|(time, value)| Append { series, time: *time, value: *value }));
        }
        outcome.appended = storage.append(&samples, crate::observe::now());
        if outcome.appended.committed.refused.memory_full > 0 {
            outcome.memory_full = Some(storage.store().memory_full());
        }
        outcome
    }
}

impl Handles {
    fn handle(&mut self, storage: &Storage, series: Series<'_>) -> Result<Handle, Refusal> {
        let mut hasher = self.random.build_hasher();
        series.labels().for_each(|pair| pair.hash(&mut hasher));
        let hash = hasher.finish();
        match self.handles.get(&hash) {
            Some(handle) if handle.labels().iter().eq(series.labels()) => Ok(handle.clone()),
            _ => {
                let handle = storage.store().series(&series.to_labels())?;
                if self.handles.len() >= HANDLES_MAX {
                    self.handles.clear();
                }
                self.handles.insert(hash, handle.clone());
                Ok(handle)
            }
        }
    }
}
