//! The servers of one service.
//!
//! Workers call [`ServicePool::pick`] and [`ServicePool::report`] for every request. A pick reads
//! one snapshot; a success costs one average where the policy weighs latency and nothing
//! otherwise; failures, and successes of a server on probation, take the pool's lock for as long
//! as judging takes. The lock is never held over an await.
//!
//! Every change ends in [`ServicePool::publish`], under the lock, so snapshots appear in the
//! order of the changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::member::Member;
use super::needs::Needs;
use super::view::ServiceView;
use super::{Outcome, now};
use crate::config::model::{HealthCheck, Service, Source};
use crate::edge::balance::{NoServer, PickInput, ServerSet};
use crate::edge::health::{CheckFailure, Event, HealthPolicy};
use crate::edge::server::{InFlight, Server, ServerSpec, ServerState};

/// Choices that may be lost to another worker's request at `max_conns` before giving up.
const RACES_MAX: usize = 8;

/// The servers of one service, for all workers.
#[derive(Debug)]
pub(crate) struct ServicePool {
    name: Arc<str>,
    /// Written under the lock of `state`, read by every worker.
    set: ArcSwap<ServerSet>,
    /// Turns taken. Written by every worker.
    turn: AtomicU64,
    needs: Needs,
    state: Mutex<PoolState>,
    /// Counts changes of states and servers over all pools.
    changes: Arc<watch::Sender<u64>>,
    /// Counts changes of this service's configuration, for the checks that sleep.
    configured: watch::Sender<u64>,
    /// Start of the roster's clock.
    epoch: Instant,
}

#[derive(Debug)]
struct PoolState {
    service: Arc<Service>,
    members: Vec<Member>,
    /// It was told that the health check may be mistaken; once is enough for all servers.
    mistake_told: bool,
}

impl PoolState {
    fn member(&mut self, server: &Arc<Server>) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| Arc::ptr_eq(&member.server, server))
    }
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
            needs: Needs::default(),
            state: Mutex::new(PoolState {
                service: Arc::clone(service),
                members: Vec::new(),
                mistake_told: false,
            }),
            changes: Arc::clone(changes),
            configured: watch::Sender::new(0),
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
        let now_nanos = self.clock(input.now).as_nanos() as u64;
        for _ in 0..RACES_MAX {
            let decision = set.choose(&input, &self.turn, now_nanos)?;
            if let Some(in_flight) = InFlight::try_start(&decision) {
                self.needs.count(&decision);
                return Ok(in_flight);
            }
        }
        Err(NoServer::AllFull)
    }

    /// Tells how an attempt ended, at `now`. Failures that are the client's are not reported.
    pub(crate) fn report(&self, server: &Arc<Server>, outcome: Outcome, now: Instant) {
        let now = self.clock(now);
        let weighs_latency = self.set.load().weighs_latency();
        match outcome {
            Outcome::Success { latency } => {
                if weighs_latency {
                    server.latency.observe(latency, now.as_nanos() as u64);
                }
                if server.probation.load(Ordering::Relaxed) {
                    self.judge(server, now, |member| member.health.success());
                }
            }
            Outcome::Failure { kind, latency } => {
                if weighs_latency {
                    server.latency.penalise(latency, now.as_nanos() as u64);
                }
                self.judge(server, now, |member| member.health.failure(&kind.to_string(), now));
            }
        }
    }

    /// Everything about the service and its servers, for status.
    pub(crate) fn view(&self) -> ServiceView {
        let state = self.lock();
        let set = self.set.load();
        let (census, min_healthy) = (set.census(), state.service.min_healthy);
        ServiceView {
            name: self.name.to_string(),
            balance: state.service.balance.clone(),
            min_healthy,
            reaches_minimum: census.reaches(min_healthy.percent),
            closed: set.closed().map(|reason| reason.to_string()),
            needs: self.needs.view(),
            servers: state.members.iter().map(|member| member.view(self.epoch)).collect(),
        }
    }

    /// Takes over a new configuration of the same service.
    pub(super) fn configure(&self, service: &Arc<Service>) {
        let mut state = self.lock();
        let now = self.clock(now());
        let runs = |source: &Source| matches!(source, Source::Processes(_));
        let other_owner = runs(&state.service.source) != runs(&service.source);
        state.service = Arc::clone(service);
        state.mistake_told = false;
        if other_owner {
            retire(state.members.drain(..));
        }
        let policy = HealthPolicy::of(service);
        for member in &mut state.members {
            let event = member.health.configure(policy.clone(), now);
            member.show(event.as_ref(), now);
        }
        self.publish(&state);
        self.configured.send_modify(|configured| *configured += 1);
    }

    /// Replaces the servers; those that are the same keep their health and counters.
    pub(super) fn set_servers(&self, specs: &[ServerSpec]) {
        let mut state = self.lock();
        let now = self.clock(now());
        let policy = HealthPolicy::of(&state.service);
        let mut old = std::mem::take(&mut state.members);
        for spec in specs {
            let same = old.iter().position(|member| member.is(spec));
            state.members.push(match same.map(|index| old.remove(index)) {
                Some(mut member) => {
                    let event = member.update(spec, now);
                    member.show(event.as_ref(), now);
                    member
                }
                None => Member::new(&self.name, spec, policy.clone(), now),
            });
        }
        retire(old);
        self.publish(&state);
    }

    /// An operator's drain; the names of all servers if it is none of them.
    pub(super) fn set_draining(&self, name: &str, draining: bool) -> Result<(), Vec<String>> {
        let now = self.clock(now());
        let mut state = self.lock();
        let server = state.members.iter().find(|member| *member.server.name == *name);
        let Some(server) = server.map(|member| Arc::clone(&member.server)) else {
            return Err(state.members.iter().map(|one| one.server.name.to_string()).collect());
        };
        self.judge_locked(&mut state, &server, now, |member| {
            member.health.drain_by_operator(draining, now)
        });
        Ok(())
    }

    /// Its servers, in the order of their owner.
    pub(super) fn servers(&self) -> Vec<Arc<Server>> {
        self.lock().members.iter().map(|member| Arc::clone(&member.server)).collect()
    }

    /// One of its servers.
    pub(crate) fn server(&self, name: &str) -> Option<Arc<Server>> {
        let state = self.lock();
        let found = state.members.iter().find(|member| *member.server.name == *name);
        found.map(|member| Arc::clone(&member.server))
    }

    /// The active check in force.
    pub(super) fn check(&self) -> Option<HealthCheck> {
        self.lock().service.health.clone()
    }

    /// Time from the start of a check of `server` to the next one; `None` for never.
    pub(super) fn next_check(&self, server: &Arc<Server>, random: u64) -> Option<Duration> {
        let now = self.clock(now());
        self.lock().member(server)?.health.next_check(now, random)
    }

    /// Rises when the configuration of the service changes.
    pub(super) fn configured(&self) -> watch::Receiver<u64> {
        self.configured.subscribe()
    }

    /// The result of an active check that took `latency`.
    pub(super) fn checked(
        &self,
        server: &Arc<Server>,
        result: Result<String, CheckFailure>,
        latency: Duration,
    ) {
        let at = now();
        let now = self.clock(at);
        self.judge(server, now, |member| member.checked(result, latency, at, now));
    }

    /// Whether the host name of `server` has an address.
    pub(super) fn resolved(&self, server: &Arc<Server>, result: Result<(), &str>) {
        let now = self.clock(now());
        self.judge(server, now, |member| member.health.resolved(result, now));
    }

    /// Ends ejections that are over; says when the next one is.
    pub(super) fn tick(&self) -> Option<Instant> {
        let now = self.clock(now());
        let mut state = self.lock();
        let mut changed = false;
        for member in &mut state.members {
            let event = member.health.tick(now);
            changed |= member.show(event.as_ref(), now);
        }
        if changed {
            self.publish(&state);
        }
        let next = state.members.iter().filter_map(|member| member.health.wakes_at()).min();
        next.map(|next| self.epoch + next)
    }

    fn judge(
        &self,
        server: &Arc<Server>,
        now: Duration,
        judge: impl FnOnce(&mut Member) -> Option<Event>,
    ) {
        self.judge_locked(&mut self.lock(), server, now, judge);
    }

    fn judge_locked(
        &self,
        state: &mut PoolState,
        server: &Arc<Server>,
        now: Duration,
        judge: impl FnOnce(&mut Member) -> Option<Event>,
    ) {
        // A request may outlive its server's membership.
        let Some(member) = state.member(server) else { return };
        let event = judge(member);
        if matches!(event, Some(Event::Mistaken(_)))
            && std::mem::replace(&mut state.mistake_told, true)
        {
            return;
        }
        let Some(member) = state.member(server) else { return };
        if member.show(event.as_ref(), now) {
            self.publish(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.epoch)
    }

    fn publish(&self, state: &PoolState) {
        let Service { balance, min_healthy, slow_start, .. } = &*state.service;
        let servers: Vec<_> = state.members.iter().map(|one| Arc::clone(&one.server)).collect();
        self.set.store(Arc::new(ServerSet::new(&servers, balance, *min_healthy, *slow_start)));
        self.changes.send_modify(|changes| *changes += 1);
    }
}

/// Tells whoever still holds them that these servers are gone.
fn retire(members: impl IntoIterator<Item = Member>) {
    for member in members {
        member.server.set_state(ServerState::Stopped);
    }
}
