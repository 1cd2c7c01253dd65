//! All services' servers: who they are, whether they are healthy, and who takes a request.
//!
//! One [`ServicePool`] a service. Its members change under a short lock; what balancing needs is
//! published as one [`ServerSet`] behind an arc-swap, so a request never waits for a lock.
//! A server whose name and address are unchanged keeps its `Arc`, and with it health, counters
//! and an operator's drain, over reloads.

mod checks;
mod member;
mod metrics;
mod needs;
mod outcome;
mod pool;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::server::ServerSpec;
use crate::config::model::{Config, Source, StaticServer};

pub(crate) use outcome::{FailureKind, Outcome};
pub(crate) use pool::ServicePool;
pub(crate) use view::{ServerView, ServiceView};

/// Why an operator's command about a server was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RosterError {
    /// No such service.
    #[error("there is no service {service:?}; services are: {known}")]
    UnknownService {
        /// What was asked for.
        service: String,
        /// What there is.
        known: String,
    },
    /// No such server.
    #[error("service {service:?} has no server {server:?}; its servers are: {known}")]
    UnknownServer {
        /// Where it was looked for.
        service: String,
        /// What was asked for.
        server: String,
        /// What there is.
        known: String,
    },
}

/// The servers of every service.
#[derive(Debug)]
pub(crate) struct Roster {
    /// Written by `apply` only, read by everybody.
    pools: ArcSwap<BTreeMap<String, Arc<ServicePool>>>,
    /// Held while the pools are replaced.
    applying: Mutex<()>,
    /// Counts changes of state; `subscribe` hands it out.
    changes: Arc<watch::Sender<u64>>,
    /// Start of the roster's clock.
    epoch: Instant,
}

impl Roster {
    /// The servers of `config`; instances of processes come by [`Roster::set_servers`].
    pub(crate) fn new(config: &Config) -> Self {
        let roster = Self {
            pools: ArcSwap::default(),
            applying: Mutex::default(),
            changes: Arc::new(watch::Sender::new(0)),
            epoch: now(),
        };
        roster.apply(config);
        roster
    }

    /// Takes over a new configuration. Servers whose service, name and address are unchanged
    /// keep their health and counters.
    pub(crate) fn apply(&self, config: &Config) {
        let _applying = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.pools.load();
        let mut pools = BTreeMap::new();
        for (name, service) in &config.services {
            let pool = match old.get(name) {
                Some(pool) => {
                    pool.configure(service);
                    Arc::clone(pool)
                }
                None => Arc::new(ServicePool::new(service, self.epoch, &self.changes)),
            };
            if let Source::Servers(servers) = &service.source {
                pool.set_servers(&servers.iter().map(spec).collect::<Vec<_>>());
            }
            pools.insert(name.clone(), pool);
        }
        for (name, pool) in old.iter() {
            if !pools.contains_key(name) {
                pool.set_servers(&[]);
            }
        }
        self.pools.store(Arc::new(pools));
        // Who was told of the servers of a new service before could not see them yet.
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Replaces the instances of a service that runs processes. A service that is no longer
    /// configured is left alone.
    pub(crate) fn set_servers(&self, service: &str, servers: Vec<ServerSpec>) {
        if let Some(pool) = self.service(service) {
            pool.set_servers(&servers);
        }
    }

    /// An operator's drain of one server, or its end.
    pub(crate) fn set_draining(
        &self,
        service: &str,
        server: &str,
        draining: bool,
    ) -> Result<(), RosterError> {
        let pools = self.pools.load();
        let pool = pools.get(service).ok_or_else(|| RosterError::UnknownService {
            service: service.to_owned(),
            known: list(pools.keys().map(String::as_str)),
        })?;
        pool.set_draining(server, draining).map_err(|known| RosterError::UnknownServer {
            service: service.to_owned(),
            server: server.to_owned(),
            known: list(known.iter().map(String::as_str)),
        })
    }

    /// The servers of one service. The value lives as long as the service is configured, so it
    /// may be kept beside a route.
    pub(crate) fn service(&self, name: &str) -> Option<Arc<ServicePool>> {
        self.pools.load().get(name).cloned()
    }

    /// Every service for status, by name.
    pub(crate) fn views(&self) -> Vec<ServiceView> {
        self.pools.load().values().map(|pool| pool.view()).collect()
    }

    /// A counter that rises with every change of a server's state or of a set of servers.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// The time now; in tests, that of the paused clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn spec(server: &StaticServer) -> ServerSpec {
    ServerSpec {
        name: server.name.clone(),
        address: server.at.clone(),
        weight: server.weight,
        max_conns: server.max_conns,
        backup: server.backup,
        draining: false,
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
