//! What status and metrics show of a service and its servers.

use std::time::{Duration, Instant};

use crate::config::model::{Address, Balance, MinHealthy};
use crate::edge::server::ServerState;

/// One service at one moment.
#[derive(Debug, Clone)]
pub(crate) struct ServiceView {
    /// Its name.
    pub(crate) name: String,
    /// Its balancing policy.
    pub(crate) balance: Balance,
    /// Its threshold.
    pub(crate) min_healthy: MinHealthy,
    /// Whether the threshold is reached (always with 0 %).
    pub(crate) reaches_minimum: bool,
    /// Why it takes no traffic now; `None` when it does.
    pub(crate) closed: Option<String>,
    /// Attempts that went where they go only in need, since the start of the process.
    pub(crate) needs: NeedsView,
    /// Its servers, in the order of their owner.
    pub(crate) servers: Vec<ServerView>,
}

/// Attempts that went where they go only in need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NeedsView {
    /// To a backup: no primary could take them.
    pub(crate) backup: u64,
    /// To any server, healthy or not: too few were healthy.
    pub(crate) spread: u64,
    /// To an ejected server: nobody was healthy.
    pub(crate) last_resort: u64,
    /// To another server than their hash names: that one was above its share.
    pub(crate) overflow: u64,
}

/// One server at one moment.
#[derive(Debug, Clone)]
pub(crate) struct ServerView {
    /// Unique within the service.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: Address,
    /// To the balancer.
    pub(crate) state: ServerState,
    /// Why it is in this state, for people.
    pub(crate) reason: String,
    /// Since when.
    pub(crate) since: Instant,
    /// 1 to 1000.
    pub(crate) weight: u32,
    /// `None` is without bound.
    pub(crate) max_conns: Option<u32>,
    /// Gets traffic only when no other server can.
    pub(crate) backup: bool,
    /// Requests in flight over all workers.
    pub(crate) in_flight: u32,
    /// The last active check; `None` before the first.
    pub(crate) last_check: Option<CheckView>,
    /// Active checks that succeeded.
    pub(crate) checks_passed: u64,
    /// Active checks that failed.
    pub(crate) checks_failed: u64,
    /// Ejections by failures of real traffic.
    pub(crate) ejections: u64,
}

/// One active check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckView {
    /// When it ended.
    pub(crate) at: Instant,
    /// How long it took.
    pub(crate) latency: Duration,
    /// What it found: `Ok("GET /health/ answered 200")` or what went wrong.
    pub(crate) result: Result<String, String>,
}
