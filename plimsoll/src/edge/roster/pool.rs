//! The servers of one service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::view::{ServerView, ServiceView};
use crate::config::model::Service;
use crate::edge::balance::{NoServer, PickInput, ServerSet};
use crate::edge::server::{InFlight, Server, ServerSpec, ServerState};

/// Choices that may be lost to another worker's request at `max_conns` before giving up.
const RACES_MAX: usize = 8;

/// How an attempt at a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered, and the answer counts as one.
    Success {
        /// From the request's first byte to the response head.
        latency: Duration,
    },
    /// It did not.
    Failure {
        /// What went wrong.
        kind: FailureKind,
        /// From the start of the attempt to its failure.
        latency: Duration,
    },
}

/// What went wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// No connection.
    Connect,
    /// Too late: to connect or with the response head.
    Timeout,
    /// Closed or reset before the response was complete.
    Closed,
    /// A response that cannot be framed.
    InvalidResponse,
    /// A status that the service counts as a failure.
    Status(u16),
}

/// The servers of one service, for all workers.
#[derive(Debug)]
pub(crate) struct ServicePool {
    name: Arc<str>,
    set: ArcSwap<ServerSet>,
    turn: AtomicU64,
    state: Mutex<PoolState>,
    changes: Arc<watch::Sender<u64>>,
    epoch: Instant,
}

#[derive(Debug)]
struct PoolState {
    service: Arc<Service>,
    servers: Vec<Arc<Server>>,
}

impl ServicePool {
    pub(super) fn new(
        service: &Arc<Service>,
        epoch: Instant,
        changes: &Arc<watch::Sender<u64>>,
    ) -> Self {
        let set = ServerSet::new(&[], &service.balance, service.min_healthy, service.slow_start);
        Self {
            name: Arc::from(service.name.as_str()),
            set: ArcSwap::from_pointee(set),
            turn: AtomicU64::new(0),
            state: Mutex::new(PoolState { service: Arc::clone(service), servers: Vec::new() }),
            changes: Arc::clone(changes),
            epoch,
        }
    }

    /// The service's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Chooses a server and counts a request on it until the returned guard is dropped.
    pub(crate) fn pick(&self, input: PickInput<'_>) -> Result<InFlight, NoServer> {
        let set = self.set.load();
        let now_nanos = input.now.saturating_duration_since(self.epoch).as_nanos() as u64;
        for _ in 0..RACES_MAX {
            let decision = set.choose(&input, &self.turn, now_nanos)?;
            if let Some(in_flight) = InFlight::try_start(decision.server, decision.reason) {
                return Ok(in_flight);
            }
        }
        Err(NoServer::AllFull)
    }

    /// Tells how an attempt ended. Cheap for a success; a failure may take a short lock.
    pub(crate) fn report(&self, server: &Arc<Server>, outcome: Outcome, now: Instant) {
        let now_nanos = now.saturating_duration_since(self.epoch).as_nanos() as u64;
        match outcome {
            Outcome::Success { latency } => server.latency.observe(latency, now_nanos),
            Outcome::Failure { latency, .. } => server.latency.penalise(latency, now_nanos),
        }
    }

    pub(super) fn configure(&self, service: &Arc<Service>) {
        let mut state = self.lock();
        state.service = Arc::clone(service);
        self.publish(&state);
    }

    pub(super) fn set_servers(&self, specs: Vec<ServerSpec>) {
        let mut state = self.lock();
        let old = std::mem::take(&mut state.servers);
        for spec in &specs {
            let same = |server: &&Arc<Server>| {
                *server.name == *spec.name
                    && server.address == spec.address
                    && server.backup == spec.backup
            };
            let wanted = if spec.draining { ServerState::Draining } else { ServerState::Healthy };
            let server = match old.iter().find(same) {
                Some(server) => Arc::clone(server),
                None => Arc::new(Server::new(&self.name, spec, wanted)),
            };
            server.weight.store(spec.weight, Ordering::Relaxed);
            server.max_conns.store(spec.max_conns.unwrap_or(u32::MAX), Ordering::Relaxed);
            server.set_state(wanted);
            state.servers.push(server);
        }
        for server in old {
            if !state.servers.iter().any(|kept| Arc::ptr_eq(kept, &server)) {
                server.set_state(ServerState::Stopped);
            }
        }
        self.publish(&state);
    }

    pub(super) fn set_draining(&self, name: &str, draining: bool) -> Result<(), Vec<String>> {
        let state = self.lock();
        let Some(server) = state.servers.iter().find(|server| *server.name == *name) else {
            return Err(state.servers.iter().map(|server| server.name.to_string()).collect());
        };
        server.set_state(if draining { ServerState::Draining } else { ServerState::Healthy });
        self.publish(&state);
        Ok(())
    }

    pub(super) fn view(&self) -> ServiceView {
        let state = self.lock();
        let server = |server: &Arc<Server>| ServerView {
            name: server.name.to_string(),
            address: server.address.clone(),
            state: server.state(),
            reason: "no health check is configured".to_owned(),
            since: self.epoch,
            weight: server.weight.load(Ordering::Relaxed),
            max_conns: Some(server.max_conns.load(Ordering::Relaxed)).filter(|n| *n != u32::MAX),
            backup: server.backup,
            in_flight: server.in_flight.load(Ordering::Relaxed),
            last_check: None,
            checks_passed: 0,
            checks_failed: 0,
            ejections: 0,
        };
        let census = self.set.load().census();
        ServiceView {
            name: self.name.to_string(),
            balance: state.service.balance.clone(),
            min_healthy: state.service.min_healthy,
            census,
            reaches_minimum: census.reaches(state.service.min_healthy.percent),
            closed: self.set.load().closed().map(|reason| reason.to_string()),
            servers: state.servers.iter().map(server).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &PoolState) {
        let service = &state.service;
        self.set.store(Arc::new(ServerSet::new(
            &state.servers,
            &service.balance,
            service.min_healthy,
            service.slow_start,
        )));
        self.changes.send_modify(|changes| *changes += 1);
    }
}
