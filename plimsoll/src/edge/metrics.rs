//! What the edge says about itself: metrics by Traefik's scheme, and rates and latencies over the
//! last seconds for status.
//!
//! Cells count since the start. The meter takes the sums once a second and keeps the last minute of
//! them, so rates and quantiles are differences of two of its samples. Left out: health and states
//! of servers, which are the roster's.

mod expose;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cells::{Cells, Name, Totals};
use super::retry::BUDGET_SECONDS;
use super::roster::Roster;
use super::worker::Shared;
use history::History;

pub(crate) use expose::expose;
pub(crate) use history::Rates;

/// Time between two samples.
const SAMPLE: Duration = Duration::from_secs(1);

/// The edge at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct EdgeSnapshot {
    /// Open client connections.
    pub(crate) connections: usize,
    /// Client connections accepted since the start.
    pub(crate) connections_total: u64,
    /// Requests that have been answered since the start, over all entrypoints.
    pub(crate) requests_total: u64,
    /// Lines missing in the access log; `None` without one.
    pub(crate) access_log_lost: Option<u64>,
    /// The last ten seconds over all entrypoints.
    pub(crate) recent: Rates,
    /// Services by name.
    pub(crate) services: BTreeMap<String, ServiceTraffic>,
}

/// A service's traffic.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceTraffic {
    /// Requests in progress over all its servers.
    pub(crate) in_flight: u32,
    /// Requests answered since the start.
    pub(crate) requests_total: u64,
    /// Of these with a status of 500 and above.
    pub(crate) errors_total: u64,
    /// Attempts that were repeated on another server.
    pub(crate) retries_total: u64,
    /// Bytes of request bodies.
    pub(crate) bytes_in: u64,
    /// Bytes of response bodies.
    pub(crate) bytes_out: u64,
    /// The last ten seconds.
    pub(crate) recent: Rates,
    /// The last minute.
    pub(crate) minute: Rates,
    /// Servers by name.
    pub(crate) servers: BTreeMap<String, ServerTraffic>,
}

/// A server's traffic.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerTraffic {
    /// Requests in progress.
    pub(crate) in_flight: u32,
    /// Requests answered since the start.
    pub(crate) requests_total: u64,
    /// Of these with a status of 500 and above.
    pub(crate) errors_total: u64,
    /// Open connections to it.
    pub(crate) connections: u64,
    /// The last ten seconds.
    pub(crate) recent: Rates,
    /// The last minute.
    pub(crate) minute: Rates,
}

/// Takes a sample of all counters once a second.
#[derive(Debug)]
pub(crate) struct Meter {
    /// By service and server; the server is empty for the service's own, both are for the whole.
    histories: Mutex<BTreeMap<Name, History>>,
    stopped: Mutex<bool>,
    stop: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Meter {
    /// Starts the thread that takes the samples; it ends with the last user of `shared`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Arc<Self>> {
        let meter = Arc::new(Self {
            histories: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
            thread: Mutex::new(None),
        });
        let (sampled, running) = (Arc::downgrade(shared), Arc::downgrade(&meter));
        let thread = std::thread::Builder::new()
            .name("edge-meter".to_owned())
            .spawn(move || Self::run(&running, &sampled))?;
        *meter.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(meter)
    }

    fn run(meter: &Weak<Self>, shared: &Weak<Shared>) {
        while let (Some(meter), Some(shared)) = (meter.upgrade(), shared.upgrade()) {
            meter.sample(&shared, Instant::now());
            drop(shared);
            let stopped = meter.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = meter.stop.wait_timeout_while(stopped, SAMPLE, |stopped| !*stopped);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
        }
    }

    /// Ends the sampling.
    pub(crate) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It panics on nothing; if it did, status would show old rates and no more.
            let _ = thread.join();
        }
    }

    fn sample(&self, shared: &Shared, now: Instant) {
        let routing = shared.routing.load();
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<Arc<Cells>> =
            shared.services.all().into_iter().chain(shared.servers.all()).collect();
        let whole = (Arc::from(""), Arc::from(""));
        histories.entry(whole.clone()).or_default().push(now, &entrypoint_totals(shared));
        for cells in &all {
            let history = histories.entry(cells.name.clone()).or_default();
            // Most of many services are quiet most of the time.
            if history.requests() == Some(cells.requests()) {
                history.repeat(now);
            } else {
                history.push(now, &cells.totals());
            }
            if cells.name.1.is_empty()
                && let Some(service) = routing.service(&cells.name.0)
            {
                let recent = history.requests_within(BUDGET_SECONDS);
                service.recent_requests.store(recent, Ordering::Relaxed);
            }
        }
        if histories.len() > all.len() + 1 {
            let known: BTreeSet<&Name> = all.iter().map(|cells| &cells.name).collect();
            histories.retain(|name, _| *name == whole || known.contains(name));
        }
    }

    /// Everything about traffic that status shows.
    pub(crate) fn snapshot(&self, shared: &Shared, roster: &Roster) -> EdgeSnapshot {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = histories.entry((Arc::from(""), Arc::from(""))).or_default().rates(10);
        let mut rates = |cells: &Cells| {
            let history = histories.entry(cells.name.clone()).or_default();
            (history.rates(10), history.rates(60))
        };
        let mut snapshot = EdgeSnapshot {
            connections: shared.connections.load(Ordering::Relaxed),
            recent: whole,
            ..EdgeSnapshot::default()
        };
        let log = &shared.routing.load().access_log;
        snapshot.access_log_lost = log.as_ref().map(|log| log.losses().total());
        let whole = entrypoint_totals(shared);
        snapshot.connections_total = whole.opened;
        snapshot.requests_total = whole.requests.values().sum();
        for view in roster.views() {
            let service = snapshot.services.entry(view.name).or_default();
            for server in view.servers {
                service.in_flight += server.in_flight;
                let traffic = service.servers.entry(server.name).or_default();
                traffic.in_flight = server.in_flight;
            }
        }
        for cells in shared.services.all() {
            let Some(service) = snapshot.services.get_mut(&*cells.name.0) else { continue };
            let totals = cells.totals();
            service.requests_total = totals.requests.values().sum();
            service.errors_total = totals.errors;
            service.retries_total = totals.retries;
            (service.bytes_in, service.bytes_out) = (totals.bytes_in, totals.bytes_out);
            (service.recent, service.minute) = rates(&cells);
        }
        for cells in shared.servers.all() {
            let Some(service) = snapshot.services.get_mut(&*cells.name.0) else { continue };
            // One that is down has counters all the same.
            let server = service.servers.entry(cells.name.1.to_string()).or_default();
            let totals = cells.totals();
            server.requests_total = totals.requests.values().sum();
            server.errors_total = totals.errors;
            server.connections = totals.open;
            (server.recent, server.minute) = rates(&cells);
        }
        snapshot
    }
}

/// The sum over all entrypoints.
fn entrypoint_totals(shared: &Shared) -> Totals {
    let mut totals = Totals::default();
    for cells in shared.entrypoints.all() {
        cells.add_to(&mut totals);
    }
    totals
}
