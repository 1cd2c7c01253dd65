//! The servers of a service as the balancer sees them between two changes.
//!
//! Built by the roster whenever a state, a weight or the configuration changes; immutable and
//! shared by all workers. What can be worked out ahead is: who may take traffic, whether the
//! threshold of `min_healthy` is reached, and the turns of round-robin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::server::{Server, ServerState};
use super::policy::{self, Request};
use super::{Census, Decision, NoServer, PickInput, Tier, cycle};
use crate::config::model::{Balance, BelowMinHealthy, MinHealthy};

/// Servers of one tier, with their shares.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) servers: Vec<Arc<Server>>,
    /// Weight of each, at least 1.
    pub(super) weights: Vec<u32>,
    /// Hash of each one's name.
    pub(super) keys: Vec<u64>,
    /// All weights are the same.
    pub(super) equal: bool,
    /// Indexes in the order of smooth weighted round-robin; empty when the group is.
    pub(super) turns: Box<[u16]>,
}

impl Group {
    fn of(servers: Vec<Arc<Server>>) -> Self {
        let weight = |server: &Arc<Server>| server.weight.load(Ordering::Relaxed).max(1);
        let weights: Vec<u32> = servers.iter().map(weight).collect();
        Self {
            keys: servers.iter().map(|server| server.key).collect(),
            equal: weights.windows(2).all(|pair| pair[0] == pair[1]),
            turns: cycle::turns(&weights),
            servers,
            weights,
        }
    }
}

/// Who may take traffic.
#[derive(Debug)]
enum Verdict {
    /// Primaries first, backups when no primary can.
    Open { primary: Tier },
    /// Nobody.
    Closed(NoServer),
}

/// A snapshot of a service for balancing.
#[derive(Debug)]
pub(crate) struct ServerSet {
    primaries: Group,
    backups: Group,
    verdict: Verdict,
    census: Census,
    balance: Balance,
    /// Time over which a weight grows, in nanoseconds; 0 for none.
    slow_start_nanos: u64,
    /// When the last growing weight of this set is full, on the roster's clock.
    ramps_end_nanos: u64,
}

impl ServerSet {
    /// The set of `servers` in their present states.
    pub(crate) fn new(
        servers: &[Arc<Server>],
        balance: &Balance,
        min_healthy: MinHealthy,
        slow_start: Duration,
    ) -> Self {
        let census = census(servers);
        let verdict = verdict(servers, census, min_healthy);
        let spread = matches!(verdict, Verdict::Open { primary: Tier::Spread });
        let last_resort = matches!(verdict, Verdict::Open { primary: Tier::LastResort });
        let takes_traffic = |server: &&Arc<Server>| match server.state() {
            ServerState::Healthy => true,
            ServerState::Unhealthy => spread,
            ServerState::Ejected => spread || last_resort,
            ServerState::Starting | ServerState::Draining | ServerState::Stopped => false,
        };
        let group = |backup: bool| {
            let of_tier = servers.iter().filter(|server| server.backup == backup);
            Group::of(of_tier.filter(takes_traffic).map(Arc::clone).collect())
        };
        let slow_start_nanos = slow_start.as_nanos() as u64;
        let ramp_end = |server: &Arc<Server>| match server.ramp_from.load(Ordering::Relaxed) {
            0 => 0,
            from => from.saturating_add(slow_start_nanos),
        };
        Self {
            primaries: group(false),
            backups: group(true),
            verdict,
            census,
            balance: balance.clone(),
            slow_start_nanos,
            ramps_end_nanos: servers.iter().map(ramp_end).max().unwrap_or(0),
        }
    }

    /// The servers that count towards `min_healthy`, by state.
    pub(crate) fn census(&self) -> Census {
        self.census
    }

    /// Whether choosing needs the latency of replies.
    pub(crate) fn weighs_latency(&self) -> bool {
        self.balance == Balance::PeakEwma
    }

    /// Why nobody gets traffic; `None` when somebody does.
    pub(crate) fn closed(&self) -> Option<NoServer> {
        match self.verdict {
            Verdict::Open { .. } => None,
            Verdict::Closed(reason) => Some(reason),
        }
    }

    /// Chooses a server. `turn` is the service's shared round-robin counter, `now_nanos` is
    /// `input.now` on the roster's clock.
    pub(crate) fn choose(
        &self,
        input: &PickInput<'_>,
        turn: &AtomicU64,
        now_nanos: u64,
    ) -> Result<Decision<'_>, NoServer> {
        let primary = match self.verdict {
            Verdict::Open { primary } => primary,
            Verdict::Closed(reason) => return Err(reason),
        };
        let ramp_nanos = if now_nanos < self.ramps_end_nanos { self.slow_start_nanos } else { 0 };
        let request = Request { input, turn, now_nanos, ramp_nanos };
        for (group, tier) in [(&self.primaries, primary), (&self.backups, Tier::Backup)] {
            if let Some((index, reason)) = policy::choose(group, &self.balance, &request) {
                return Ok(Decision { server: &group.servers[index], reason, tier });
            }
        }
        let mut servers = self.primaries.servers.iter().chain(&self.backups.servers);
        let untried = servers.any(|server| !request.tried(server));
        Err(if untried { NoServer::AllFull } else { NoServer::AllTried })
    }
}

/// Counts primaries by state, or backups where there are no primaries.
fn census(servers: &[Arc<Server>]) -> Census {
    let only_backups = servers.iter().all(|server| server.backup);
    let mut census = Census::default();
    for server in servers.iter().filter(|server| only_backups || !server.backup) {
        let count = match server.state() {
            ServerState::Starting => &mut census.starting,
            ServerState::Healthy => &mut census.healthy,
            ServerState::Unhealthy => &mut census.unhealthy,
            ServerState::Ejected => &mut census.ejected,
            ServerState::Draining => &mut census.draining,
            ServerState::Stopped => continue,
        };
        *count = count.saturating_add(1);
    }
    census
}

fn verdict(servers: &[Arc<Server>], census: Census, min_healthy: MinHealthy) -> Verdict {
    if servers.is_empty() {
        return Verdict::Closed(NoServer::Empty);
    }
    if !census.reaches(min_healthy.percent) {
        return match min_healthy.below {
            BelowMinHealthy::Spread => Verdict::Open { primary: Tier::Spread },
            BelowMinHealthy::Fail => {
                let percent = min_healthy.percent;
                Verdict::Closed(NoServer::BelowMinimum { census, percent })
            }
        };
    }
    let any = |state| servers.iter().any(|server| server.state() == state);
    if any(ServerState::Healthy) {
        Verdict::Open { primary: Tier::Primary }
    } else if any(ServerState::Ejected) {
        Verdict::Open { primary: Tier::LastResort }
    } else {
        Verdict::Closed(NoServer::NoneHealthy(census))
    }
}
