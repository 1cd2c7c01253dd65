//! The hands of the roster: one task a server that looks its name up and checks it, and the loop
//! that starts and ends those tasks and the ejections.
//!
//! Checks of different servers run side by side, [`CHECKS_MAX`] at most; a check that waits for
//! its place is late, not failed, because its timeout starts with it. A task that panics is a bug,
//! and says so; a new one takes its place, so that no server keeps its state for good.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::pool::ServicePool;
use super::{Roster, now};
use crate::config::model::Address;
use crate::edge::probe;
use crate::edge::server::{Endpoint, Server};
use crate::log;

/// Checks and look-ups under way at one time.
const CHECKS_MAX: usize = 256;

/// Time between look-ups of a host name.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);

/// Time between look-ups of one that has no address yet.
const RESOLVE_AGAIN: Duration = Duration::from_secs(2);

/// Time before a task that panicked is replaced.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// How long the loop sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// The task of each server, by the server's address.
type Running = HashMap<usize, (Arc<Server>, AbortHandle)>;

impl Roster {
    /// Checks servers and ends ejections until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        self.run_with(watch_server).await;
    }

    /// The same with another task a server.
    pub(super) async fn run_with<F>(
        self: Arc<Self>,
        watch: impl Fn(Arc<ServicePool>, Arc<Server>, Arc<Semaphore>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let permits = Arc::new(Semaphore::new(CHECKS_MAX));
        let mut changes = self.subscribe();
        let mut tasks = JoinSet::new();
        let mut running = Running::new();
        // Before tasks that the next round starts.
        let mut pause = Duration::ZERO;
        loop {
            changes.borrow_and_update();
            let pools = self.pools.load_full();
            let mut wanted = HashMap::new();
            for pool in pools.values() {
                for server in pool.servers() {
                    // The address of an Arc that is held is an identity.
                    let key = Arc::as_ptr(&server) as usize;
                    wanted.insert(
                        key,
                        running.remove(&key).unwrap_or_else(|| {
                            let task =
                                watch(Arc::clone(pool), Arc::clone(&server), Arc::clone(&permits));
                            let paused = async move {
                                sleep(pause).await;
                                task.await;
                            };
                            (server, tasks.spawn(paused))
                        }),
                    );
                }
            }
            for (_, (_, gone)) in running.drain() {
                gone.abort();
            }
            running = wanted;
            pause = Duration::ZERO;
            let due = pools.values().filter_map(|pool| pool.tick()).min();
            let due = due.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
            tokio::select! {
                // The sender lives in `self`.
                _ = changes.changed() => {}
                () = sleep_until(due) => {}
                Some(Err(error)) = tasks.join_next() => {
                    if error.is_panic() {
                        forget(&mut running, &error);
                        pause = PANIC_PAUSE;
                    }
                }
            }
        }
    }
}

/// Says that a task panicked, and makes room for its successor.
fn forget(running: &mut Running, error: &JoinError) {
    running.retain(|_, (server, task)| {
        if task.id() != error.id() {
            return true;
        }
        let (part, name) = (&*server.service, &server.name);
        log::error(
            part,
            format_args!("the check of {name} panicked and is started again: {error}"),
        );
        false
    });
}

/// Looks after one server until it is aborted.
async fn watch_server(pool: Arc<ServicePool>, server: Arc<Server>, permits: Arc<Semaphore>) {
    let mut configured = pool.configured();
    let mut resolve_at = now();
    loop {
        let started = now();
        // The semaphore is never closed.
        let Ok(permit) = permits.acquire().await else { return };
        if let Address::Host(host, port) = &server.address
            && resolve_at <= now()
        {
            let known = resolve(&pool, &server, host, *port).await;
            resolve_at = now() + if known { RESOLVE_EVERY } else { RESOLVE_AGAIN };
        }
        if let (Some(check), Some(endpoint)) = (pool.check(), server.endpoint()) {
            let before = now();
            let result = probe::check(&check, &server.address, endpoint).await;
            pool.checked(&server, result, now().saturating_duration_since(before));
        }
        drop(permit);
        let resolves = matches!(server.address, Address::Host(..)).then_some(resolve_at);
        rest(&pool, &server, started, resolves, &mut configured).await;
    }
}

/// Sleeps until the next check or look-up is due; a new configuration may move it.
async fn rest(
    pool: &ServicePool,
    server: &Arc<Server>,
    started: std::time::Instant,
    resolve_at: Option<std::time::Instant>,
    configured: &mut watch::Receiver<u64>,
) {
    let random = fastrand::u64(..);
    loop {
        configured.borrow_and_update();
        let check_at = match server.endpoint() {
            Some(_) => pool.next_check(server, random).map(|delay| started + delay),
            None => None,
        };
        let due = check_at.into_iter().chain(resolve_at).min();
        let due = due.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
        tokio::select! {
            () = sleep_until(due) => return,
            // The sender lives in `pool`.
            _ = configured.changed() => {}
        }
    }
}

/// Looks the server's name up; says whether it has an address.
async fn resolve(pool: &ServicePool, server: &Arc<Server>, host: &str, port: u16) -> bool {
    let current = match server.endpoint() {
        Some(Endpoint::Tcp(address)) => Some(address),
        _ => None,
    };
    match probe::resolve(host, port, current).await {
        Ok(address) => {
            if server.set_resolved(address)
                && let Some(before) = current
            {
                let name = &server.name;
                log::info(pool.name(), format_args!("{name} moved from {before} to {address}"));
            }
            pool.resolved(server, Ok(()));
        }
        Err(wrong) => pool.resolved(server, Err(&wrong)),
    }
    server.endpoint().is_some()
}
