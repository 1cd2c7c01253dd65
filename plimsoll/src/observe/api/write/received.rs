//! Figures of what came in by remote write.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use tsdb::exposition::{Exposition, Kind};

use super::outcome::Outcome;

/// What came in by remote write.
#[derive(Debug, Default)]
pub struct Received {
    /// Requests by the status of the answer, of which there are few; held for a moment.
    requests: Mutex<BTreeMap<u16, u64>>,
    /// Samples that were taken, and that were not.
    samples: AtomicU64,
    refused: AtomicU64,
}

impl Received {
    /// Writes it down, once there is something.
    pub fn expose(&self, out: &mut Exposition) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if requests.is_empty() {
            return;
        }
        let name = "plimsoll_remote_write_receiver_requests_total";
        let mut family = out.family(name, Kind::Counter, "Remote writes, by status of the answer.");
        for (status, count) in requests {
            family.sample(&[("code", &status.to_string())], count as f64);
        }
        for (name, help, count) in [
            (
                "plimsoll_remote_write_receiver_samples_total",
                "Samples of remote writes that were stored.",
                &self.samples,
            ),
            (
                "plimsoll_remote_write_receiver_refused_samples_total",
                "Samples of remote writes that were not taken.",
                &self.refused,
            ),
        ] {
            let count = count.load(Ordering::Relaxed) as f64;
            out.family(name, Kind::Counter, help).sample(&[], count);
        }
    }

    /// Counts an answer.
    pub(super) fn answered(&self, status: StatusCode) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(status.as_u16()).or_default() += 1;
    }

    /// Counts samples.
    pub(super) fn count(&self, outcome: &Outcome) {
        let (committed, ahead) = (&outcome.appended.committed, outcome.appended.ahead);
        let refused = committed.refused.sum() + ahead + outcome.without_series as u64;
        self.samples.fetch_add(committed.accepted, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }
}
