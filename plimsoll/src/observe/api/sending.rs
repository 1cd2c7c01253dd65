//! Answers that are on their way: how many samples they hold together.
//!
//! An evaluation gives its place back when it is over, but its samples stay until the client has
//! taken them, at its own pace. Without a bound of their own, slow clients would come to hold any
//! number of answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tsdb::promql::Value;

use super::failure::Failure;

/// Answers on their way hold so many times what one query may hold.
const FACTOR: u64 = 2;

/// Samples of all answers on their way. Written by each answer, at its begin and its end.
#[derive(Debug, Default)]
pub(super) struct Sending(Arc<AtomicU64>);

/// An answer on its way; it no longer counts when dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<AtomicU64>,
    samples: u64,
}

impl Sending {
    /// Counts an answer, unless there are too many; `samples_max` is what one query may hold.
    pub(super) fn begin(&self, value: &Value, samples_max: u64) -> Result<Held, Failure> {
        let (samples, most) = (samples(value), samples_max.saturating_mul(FACTOR));
        let add = |all: u64| all.checked_add(samples).filter(|all| *all <= most);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Held { all: Arc::clone(&self.0), samples }),
            Err(all) => Err(Failure::unavailable(format!(
                "clients are still taking answers of {all} samples, and with these {samples} there \
                 would be more than {most} ({FACTOR} times observe.query.max_samples); ask again \
                 later, or for fewer series, a shorter range or a longer step"
            ))),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.samples, Ordering::Relaxed);
    }
}

fn samples(value: &Value) -> u64 {
    let count = match value {
        Value::Vector(elements) => elements.len(),
        Value::Matrix(rows) => rows.iter().map(|row| row.samples.len()).sum(),
        Value::Scalar { .. } | Value::String { .. } => 1,
    };
    count as u64
}
