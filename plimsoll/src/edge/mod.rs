//! The edge: accepts client connections and forwards their requests to healthy servers.
//!
//! One thread a worker, each with its own event loop (`worker`), connections (`connection`), idle
//! upstream connections (`upstream`) and counters (`cells`). What a request is sent by is one
//! immutable snapshot (`routing`); who may take it is the roster's. The data path knows the event
//! loop only through `net`.
//!
//! Left out here: TLS, HTTP/2, limits, static files, caching.

mod accept;
mod access_log;
pub(crate) mod balance;
mod buffers;
mod cells;
mod clock;
mod connection;
mod connections;
mod exchange;
mod forward;
pub(crate) mod hash;
pub(crate) mod health;
pub(crate) mod histogram;
mod identity;
mod listen;
mod metrics;
pub(crate) mod probe;
mod relay;
mod reply;
mod retry;
pub(crate) mod roster;
mod route;
mod routing;
pub(crate) mod server;
mod splice;
mod tunnel;
mod upstream;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::config::model::{self, Config};
use access_log::AccessLog;
use cells::{Registry, Rejections};
use listen::Listener;
use roster::Roster;
use routing::Routing;
use server::Server;
use worker::{Order, Orders, Shared};

pub(crate) use listen::{BindError, Listeners};
pub(crate) use metrics::{EdgeSnapshot, Rates, ServerTraffic, ServiceTraffic};

/// Why a running edge did not take over a configuration, or did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeError {
    /// A new address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log cannot be opened.
    #[error("cannot open the access log {target:?}: {error}")]
    AccessLog {
        /// Where it should have gone.
        target: model::LogTarget,
        /// What the system says.
        error: io::Error,
    },
    /// No thread or event loop to be had.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// What a drain had to cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DrainReport {
    /// Requests that were in progress at the deadline.
    pub(crate) requests: usize,
    /// Tunnels that were open at the deadline.
    pub(crate) tunnels: usize,
}

/// The running edge.
#[derive(Debug)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
    roster: Arc<Roster>,
    workers: Vec<(Orders, Mutex<Option<JoinHandle<()>>>)>,
    meter: Arc<metrics::Meter>,
    state: Mutex<State>,
}

/// What a reload changes, and only one at a time.
#[derive(Debug)]
struct State {
    /// Entrypoints with their bound addresses.
    listening: Vec<(model::Listen, Arc<str>, SocketAddr)>,
}

impl Edge {
    /// Binds the addresses of `config`, before anything else is started.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be had; then nothing is bound.
    pub(crate) fn bind(config: &Config) -> Result<Listeners, BindError> {
        Listeners::bind(config)
    }

    /// Starts the workers; traffic flows when this returns.
    ///
    /// # Errors
    /// [`EdgeError`]; nothing is left running then.
    pub(crate) fn start(
        listeners: Listeners,
        config: Arc<Config>,
        roster: Arc<Roster>,
    ) -> Result<Self, EdgeError> {
        let count = config.workers;
        let access_log = open_log(config.access_log.as_ref(), None)?;
        let services = Registry::new(count);
        let routing = Routing::new(config, &roster, &services, access_log);
        let shared = Arc::new(Shared {
            routing: ArcSwap::from_pointee(routing),
            generation: AtomicU64::new(0),
            entrypoints: Registry::new(count),
            services,
            servers: Registry::new(count),
            rejections: Rejections::default(),
            connections: AtomicUsize::new(0),
            epoch: Instant::now(),
        });
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (orders, received) = mpsc::unbounded_channel();
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || {
                    if let Err(error) = worker::run(index, shared, received) {
                        crate::log::error("edge", format_args!("worker {index}: {error}"));
                    }
                })
                .map_err(EdgeError::Worker)?;
            workers.push((orders, Mutex::new(Some(thread))));
        }
        let meter = metrics::Meter::start(&shared).map_err(EdgeError::Worker)?;
        let state = Mutex::new(State { listening: Vec::new() });
        let edge = Self { shared, roster, workers, meter, state };
        edge.listen(&mut edge.lock(), listeners.0);
        Ok(edge)
    }

    /// Takes over another configuration: for new requests at once, while open connections and
    /// what is in progress live on. Reopens the access log. The roster takes it over, too. The
    /// number of workers stays.
    ///
    /// # Errors
    /// [`EdgeError`] if an address or the access log cannot be opened; nothing is changed then.
    pub(crate) fn apply(&self, config: Arc<Config>) -> Result<(), EdgeError> {
        let mut state = self.lock();
        let is_new = |listen: &&model::Listen| {
            !state.listening.iter().any(|(listening, ..)| listening == *listen)
        };
        let count = self.workers.len();
        let added: Vec<Listener> = config
            .listen
            .iter()
            .filter(is_new)
            .map(|listen| listen::bind(listen, count))
            .collect::<Result<_, _>>()?;
        let before = self.shared.routing.load_full();
        let access_log = open_log(config.access_log.as_ref(), before.access_log.as_ref())?;
        let wanted = config.listen.clone();
        self.roster.apply(&config);
        let routing = Routing::new(config, &self.roster, &self.shared.services, access_log);
        routing.inherit(&before);
        self.shared.routing.store(Arc::new(routing));
        self.shared.generation.fetch_add(1, Ordering::Release);
        let (kept, closed): (Vec<_>, Vec<_>) =
            state.listening.drain(..).partition(|(listening, ..)| wanted.contains(listening));
        state.listening = kept;
        for (_, name, _) in closed {
            self.order(|| Order::Close(Arc::clone(&name)));
        }
        self.listen(&mut state, added);
        Ok(())
    }

    /// Where it listens now: names as configured, and addresses.
    pub(crate) fn listeners(&self) -> Vec<(String, SocketAddr)> {
        let state = self.lock();
        state.listening.iter().map(|(listen, _, at)| (listen.name.clone(), *at)).collect()
    }

    /// Stops accepting, lets what is in progress finish until `deadline` has passed, then cuts the
    /// rest and ends the workers. Call it once; the edge is of no use afterwards.
    pub(crate) async fn drain(&self, deadline: Duration) -> DrainReport {
        let mut drained = Vec::new();
        for (orders, _) in &self.workers {
            let (done, answer) = oneshot::channel();
            if orders.send(Order::Drain(done)).is_ok() {
                drained.push(answer);
            }
        }
        let all = async {
            for answer in drained {
                // A worker that is gone has nothing left.
                let _ = answer.await;
            }
        };
        // Time up is not a failure: what is left then is cut below.
        let _ = tokio::time::timeout(deadline, all).await;
        let mut report = DrainReport::default();
        for (orders, thread) in &self.workers {
            let (done, answer) = oneshot::channel();
            if orders.send(Order::Stop(done)).is_ok()
                && let Ok(census) = answer.await
            {
                report.requests += census.requests;
                report.tunnels += census.tunnels;
            }
            let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(thread) = thread {
                // The worker has said that it ends; a panic in it was reported already.
                let _ = thread.join();
            }
        }
        self.meter.stop();
        self.close_log();
        report
    }

    /// Rates, latencies and counts for status.
    pub(crate) fn snapshot(&self) -> EdgeSnapshot {
        self.meter.snapshot(&self.shared, &self.roster)
    }

    /// Requests sent to servers of this name since it is known.
    pub(crate) fn requests_total(&self, server: &Server) -> u64 {
        self.shared.servers.cells(&server.service, &server.name).requests()
    }

    /// Adds the edge's metrics. Counters of a server that is not there stay while its owner
    /// `keeps` the name (service, server) for its next start; others are forgotten.
    pub(crate) fn expose(
        &self,
        keeps: &dyn Fn(&str, &str) -> bool,
        out: &mut tsdb::exposition::Exposition,
    ) {
        metrics::expose(&self.shared, &self.roster, keeps, out);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, state: &mut State, listeners: Vec<Listener>) {
        for Listener { listen, address, sockets, name } in listeners {
            for ((orders, _), socket) in self.workers.iter().zip(sockets) {
                // A worker that is gone has said why; the others take the connections.
                let _ = orders.send(Order::Listen(Arc::clone(&name), socket));
            }
            state.listening.push((listen, name, address));
        }
    }

    fn order(&self, order: impl Fn() -> Order) {
        for (orders, _) in &self.workers {
            // A worker that is gone needs no order.
            let _ = orders.send(order());
        }
    }

    /// Waits for the access log to be written, now that no worker has it.
    fn close_log(&self) {
        let routing = self.shared.routing.load_full();
        let closed = routing.without_log();
        let log = routing.access_log.clone();
        self.shared.routing.store(Arc::new(closed));
        drop(routing);
        if let Some(log) = log {
            log.finish();
        }
    }
}

/// Opens the access log, or reopens the one there is if it is the same.
fn open_log(
    wanted: Option<&model::AccessLog>,
    before: Option<&Arc<AccessLog>>,
) -> Result<Option<Arc<AccessLog>>, EdgeError> {
    match (wanted, before) {
        (None, _) => Ok(None),
        (Some(wanted), Some(before)) if before.configured == *wanted => {
            before.reopen();
            Ok(Some(Arc::clone(before)))
        }
        (Some(wanted), _) => AccessLog::open(wanted.clone())
            .map(Some)
            .map_err(|error| EdgeError::AccessLog { target: wanted.to.clone(), error }),
    }
}

#[cfg(test)]
mod tests;
