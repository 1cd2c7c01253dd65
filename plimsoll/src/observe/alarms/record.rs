//! What rules yield as series: handed over to be written, and what became of it in words.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tsdb::labels::Labels;
use tsdb::store::{Handle, Refused};

use super::hands::Hands;
use super::plan::{Alarms, Sample};
use super::recorder::Batch;
use crate::observe::storage::Appended;

/// Samples that are being written.
pub struct Recording {
    done: oneshot::Receiver<Appended>,
    samples: usize,
    /// Why some of the series are not let in.
    refusal: Option<String>,
}

impl Hands {
    /// Hands over what a rule yields to be appended, and what it yields no longer to be ended.
    pub fn record(
        &self,
        series: &mut HashMap<Labels, Handle>,
        samples: &[Sample],
        time: i64,
    ) -> Result<Recording, String> {
        let mut handles = Vec::with_capacity(samples.len());
        let mut refusal = None;
        for sample in samples {
            let handle = match series.remove(&sample.labels) {
                Some(handle) => Ok(handle),
                None => self.storage.store().series(&sample.labels),
            };
            match handle {
                Ok(handle) => handles.push((handle, sample.value)),
                Err(error) => refusal = Some(error.to_string()),
            }
        }
        let ended = series.drain().map(|(_, handle)| handle).collect();
        let known = handles.iter().map(|(handle, _)| (handle.labels().clone(), handle.clone()));
        *series = known.collect();
        let batch = Batch { samples: handles, ended, time, now: self.now() };
        match self.recorder.write(batch) {
            Some(done) => Ok(Recording { done, samples: samples.len(), refusal }),
            None => Err("its samples are not recorded: too many wait for a slow disk".to_owned()),
        }
    }

    /// What became of samples that were handed over.
    pub async fn recorded(&self, recording: Recording) -> Result<(), String> {
        let Recording { done, samples, refusal } = recording;
        let Ok(Appended { committed, ahead }) = done.await else {
            return Err("its samples were not recorded, a defect of Plimsoll".to_owned());
        };
        let (refused, count) = (committed.refused, committed.refused.sum() + ahead);
        if let Some(refusal) = refusal {
            return Err(format!("not all of its series can be recorded: {refusal}"));
        }
        if count > 0 {
            let why = self.why_refused(&refused);
            return Err(format!("{count} of its {samples} samples are not recorded: {why}"));
        }
        Ok(())
    }

    /// Ends series. Where another rule has recorded to one of them since, its samples stay.
    pub fn end_series<'h>(&self, series: impl Iterator<Item = &'h Handle>, time: i64) {
        let ended: Vec<_> = series.cloned().collect();
        if !ended.is_empty() {
            // If too many wait, they end by themselves after a while.
            self.recorder.write(Batch { samples: Vec::new(), ended, time, now: self.now() });
        }
    }

    /// The first reason that applies.
    fn why_refused(&self, refused: &Refused) -> String {
        let why = match refused {
            Refused { conflicting: 1.., .. } => {
                "another rule or a target has written the same series at the same time"
            }
            Refused { old: 1.., .. } | Refused { before_blocks: 1.., .. } => {
                "their series have younger ones; was the clock set back?"
            }
            Refused { memory_full: 1.., .. } => return self.storage.store().memory_full(),
            Refused { too_many_series: 1.., .. } => "there are too many series",
            _ => "they lie in the future; is the clock right?",
        };
        why.to_owned()
    }

    /// Handles of the series that alarms were recorded as.
    pub fn series_of(&self, alarms: &Alarms) -> HashMap<Labels, Handle> {
        let store = self.storage.store();
        // Of series that are refused nothing can be ended either.
        let handles = alarms.series().filter_map(|sample| store.series(&sample.labels).ok());
        handles.map(|handle| (handle.labels().clone(), handle)).collect()
    }
}
