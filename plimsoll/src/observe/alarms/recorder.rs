//! Writes what rules yield, away from the threads that evaluate them: a slow disk makes the store
//! wait, and must hold up neither other rules' queries nor the admin server.
//!
//! Invariants: batches are written one after the other, in the order in which they were handed over;
//! at most [`WAITING_MAX`] wait; handing over waits for nothing.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tsdb::sample::STALE;
use tsdb::store::{Append, Handle};

use crate::observe::storage::{Appended, Storage};

/// Batches that may wait. Rules hand over the next one when theirs is written, so that more than a few
/// come of reloads only.
const WAITING_MAX: usize = 4096;

/// Samples of one time.
pub struct Batch {
    /// Series and values.
    pub samples: Vec<(Handle, f64)>,
    /// Series that end.
    pub ended: Vec<Handle>,
    /// Of all of them, milliseconds.
    pub time: i64,
    /// When it was handed over, milliseconds.
    pub now: i64,
}

/// What writes.
pub struct Recorder {
    storage: Arc<Storage>,
    /// Held while a batch is put in or taken out.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<(Batch, oneshot::Sender<Appended>)>,
    is_writing: bool,
}

impl Recorder {
    /// Into a storage.
    pub fn new(storage: Arc<Storage>) -> Self {
        Self { storage, waiting: Mutex::default() }
    }

    /// Hands a batch over; yields what becomes of its samples, `None` if too many wait. It needs a
    /// runtime.
    pub fn write(self: &Arc<Self>, batch: Batch) -> Option<oneshot::Receiver<Appended>> {
        let (done, told) = oneshot::channel();
        let is_writing = {
            let mut waiting = self.waiting();
            if waiting.batches.len() >= WAITING_MAX {
                return None;
            }
            waiting.batches.push_back((batch, done));
            std::mem::replace(&mut waiting.is_writing, true)
        };
        if !is_writing {
            let own = Arc::clone(self);
            tokio::task::spawn_blocking(move || own.run());
        }
        Some(told)
    }

    /// Writes until nothing waits.
    fn run(&self) {
        loop {
            let next = {
                let mut waiting = self.waiting();
                let next = waiting.batches.pop_front();
                // Under the same lock: what is handed over from here on starts another one.
                waiting.is_writing = next.is_some();
                next
            };
            let Some((batch, done)) = next else { break };
            // A batch that panics costs itself only: every change below is complete by itself, and who
            // asked learns of it because nothing is sent.
            let Ok(appended) = catch_unwind(AssertUnwindSafe(|| self.append(&batch))) else {
                continue;
            };
            // Who asked may be gone.
            let _ = done.send(appended);
        }
    }

    fn append(&self, batch: &Batch) -> Appended {
        let Batch { samples, ended, time, now } = batch;
        let append = |series, value| Append { series, time: *time, value };
        let all: Vec<_> = samples.iter().map(|(series, value)| append(series, *value)).collect();
        let appended = self.storage.append(&all, *now);
        // Where another rule has recorded to one of them since, its samples stay.
        let ends: Vec<_> = ended.iter().map(|series| append(series, STALE)).collect();
        if !ends.is_empty() {
            let _ = self.storage.append(&ends, *now);
        }
        appended
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
