//! One server of a pool: what the workers share of it, its health, and figures for status.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::view::{CheckView, ServerView};
use crate::config::model::Address;
use crate::edge::health::{CheckFailure, Event, Health, HealthPolicy, Transition};
use crate::edge::server::{Server, ServerSpec, ServerState};
use crate::log;

/// A server of a pool. Changed under the pool's lock.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    pub(super) health: Health,
    last_check: Option<CheckView>,
    checks_passed: u64,
    checks_failed: u64,
}

impl Member {
    /// A new server. `now` is on the roster's clock, like all times here.
    pub(super) fn new(
        service: &Arc<str>,
        spec: &ServerSpec,
        policy: HealthPolicy,
        now: Duration,
    ) -> Self {
        let resolves = matches!(spec.address, Address::Host(..));
        let mut health = Health::new(policy, resolves, now);
        health.drain_by_owner(spec.draining, now);
        let server = Arc::new(Server::new(service, spec, health.state()));
        server.enters(now);
        Self { server, health, last_check: None, checks_passed: 0, checks_failed: 0 }
    }

    /// Whether `spec` is about this server: the same one under the same name.
    pub(super) fn is(&self, spec: &ServerSpec) -> bool {
        *self.server.name == *spec.name
            && self.server.address == spec.address
            && self.server.backup == spec.backup
    }

    /// Takes over what its owner changed.
    pub(super) fn update(&mut self, spec: &ServerSpec, now: Duration) -> Option<Event> {
        self.server.weight.store(spec.weight, Ordering::Relaxed);
        self.server.max_conns.store(spec.max_conns.unwrap_or(u32::MAX), Ordering::Relaxed);
        self.health.drain_by_owner(spec.draining, now)
    }

    /// Counts the result of an active check and judges it.
    pub(super) fn checked(
        &mut self,
        result: Result<String, CheckFailure>,
        latency: Duration,
        at: Instant,
        now: Duration,
    ) -> Option<Event> {
        let event = self.health.check(result.as_deref(), now);
        let result = result.map_err(|failure| failure.text);
        *(if result.is_ok() { &mut self.checks_passed } else { &mut self.checks_failed }) += 1;
        self.last_check = Some(CheckView { at, latency, result });
        event
    }

    /// Makes what happened visible: to the workers, in the log, and in the figures. Says whether
    /// the balancer has to know.
    pub(super) fn show(&mut self, event: Option<&Event>, now: Duration) -> bool {
        self.server.probation.store(self.health.on_probation(), Ordering::Relaxed);
        let (part, name) = (&*self.server.service, &self.server.name);
        match event {
            None => false,
            Some(Event::Cleared(text)) => {
                log::info(part, format_args!("{name}: {text}"));
                false
            }
            Some(Event::Mistaken(text)) => {
                log::warn(
                    part,
                    format_args!(
                        "{name} answers, but not as its health check expects: {text}; it gets no \
                         traffic until it does: correct `--health PATH`, the key `health` of \
                         service {part}, or the server"
                    ),
                );
                false
            }
            Some(Event::Changed(Transition { to, reason, .. })) => {
                self.server.set_state(*to);
                if *to == ServerState::Healthy {
                    self.server.enters(now);
                }
                let line = format_args!("{name} is {to}: {reason}");
                match to {
                    // Its owner, who knows the reason, tells of it.
                    ServerState::Draining if self.health.is_drained_by_owner() => {}
                    ServerState::Unhealthy | ServerState::Ejected => log::warn(part, line),
                    _ => log::info(part, line),
                }
                true
            }
        }
    }

    /// What status shows. `epoch` is the start of the roster's clock.
    pub(super) fn view(&self, epoch: Instant) -> ServerView {
        let server = &self.server;
        let max_conns = server.max_conns.load(Ordering::Relaxed);
        ServerView {
            name: server.name.to_string(),
            address: server.address.clone(),
            state: self.health.state(),
            reason: self.health.reason().to_owned(),
            since: epoch + self.health.since(),
            weight: server.weight.load(Ordering::Relaxed),
            max_conns: (max_conns != u32::MAX).then_some(max_conns),
            backup: server.backup,
            in_flight: server.in_flight.load(Ordering::Relaxed),
            last_check: self.last_check.clone(),
            checks_passed: self.checks_passed,
            checks_failed: self.checks_failed,
            ejections: self.health.ejections(),
        }
    }
}
