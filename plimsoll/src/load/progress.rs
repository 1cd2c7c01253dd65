//! How a run is doing: what the live view and the pushed figures are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use super::tally::{Failure, Latencies};
use super::timeline::Bucket;

/// How a run is doing, told once a second and at the end.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// How long the whole run is meant to last; `None` where only counts end it.
    pub planned: Option<Duration>,
    /// The last whole second.
    pub second: Bucket,
    /// Requests that ended so far.
    pub total_requests: u64,
    /// Failed ones among them.
    pub total_errors: u64,
    /// Failed ones by kind.
    pub failures: BTreeMap<Failure, u64>,
    /// Response times so far.
    pub response_time: Latencies,
    /// Iterations that should begin each second now, in the open model.
    pub target_rate: Option<f64>,
    /// Scheduling lag within the last second, 99th percentile.
    pub lag: Duration,
    /// Whether the run is ending: no more begin, those under way are awaited.
    pub stopping: bool,
}
