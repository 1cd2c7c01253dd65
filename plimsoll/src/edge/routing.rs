//! What is in force, as the data path uses it: one immutable snapshot made of a configuration.
//!
//! A reload publishes a new snapshot; a request keeps the one it began with. Counters and retry
//! budgets are found by name, so they live on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http1::Limits;

use super::access_log::AccessLog;
use super::cells::{Cells, Registry};
use super::retry::Budget;
use super::roster::{Roster, ServicePool};
use super::route::RouteTable;
use crate::config::model::{Config, Service};

/// A configuration made ready for requests.
#[derive(Debug)]
pub(crate) struct Routing {
    /// What it was made of.
    pub(crate) config: Arc<Config>,
    /// Bounds on heads and framing, for both sides.
    pub(crate) limits: Limits,
    /// Picks one of `targets`.
    pub(crate) table: RouteTable,
    /// In the order of `config.routes`.
    pub(crate) targets: Vec<Target>,
    /// Those that a route leads to, by name.
    services: BTreeMap<Arc<str>, Arc<ServiceRuntime>>,
    /// Where requests are logged.
    pub(crate) access_log: Option<Arc<AccessLog>>,
}

/// Where the requests of a route go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The service.
    pub(crate) service: Arc<ServiceRuntime>,
    /// Path prefix to remove.
    pub(crate) strip_prefix: Option<Box<str>>,
    /// Whether its requests are logged.
    pub(crate) access_log: bool,
}

/// A service with its state.
#[derive(Debug)]
pub(crate) struct ServiceRuntime {
    /// Its configuration.
    pub(crate) config: Arc<Service>,
    /// Its servers.
    pub(crate) pool: Arc<ServicePool>,
    /// Its counters.
    pub(crate) cells: Arc<Cells>,
    /// Its retry budget; locked only when a retry is wanted.
    pub(crate) budget: Mutex<Budget>,
    /// Requests of the last ten seconds over all workers. Written by the meter once a second, read
    /// when a retry is wanted.
    pub(crate) recent_requests: AtomicU64,
}

impl Routing {
    /// The snapshot of `config`, from which on counters of services tell apart what it promises. A
    /// route to a service that the roster does not have is left out; the configuration was checked,
    /// so there is none.
    pub(crate) fn new(
        config: Arc<Config>,
        roster: &Roster,
        services: &Registry,
        access_log: Option<Arc<AccessLog>>,
    ) -> Self {
        let nameless: Arc<str> = Arc::from("");
        let mut routes = Vec::new();
        let mut targets: Vec<Target> = Vec::new();
        let mut known: BTreeMap<Arc<str>, Arc<ServiceRuntime>> = BTreeMap::new();
        for route in &config.routes {
            let service = match known.get(route.service.as_str()) {
                Some(service) => Arc::clone(service),
                None => {
                    let Some(service) = config.services.get(&route.service) else { continue };
                    let Some(pool) = roster.service(&route.service) else { continue };
                    let name = Arc::clone(pool.name());
                    let cells = services.cells(&name, &nameless);
                    let latency = service.slo.as_ref().and_then(|slo| slo.latency);
                    cells.promise(latency.map(|latency| latency.below));
                    let service = Arc::new(ServiceRuntime {
                        config: Arc::clone(service),
                        cells,
                        pool,
                        budget: Mutex::default(),
                        recent_requests: AtomicU64::new(0),
                    });
                    known.insert(name, Arc::clone(&service));
                    service
                }
            };
            targets.push(Target {
                service,
                strip_prefix: route.strip_prefix.then(|| route.path.as_str().into()),
                access_log: route.access_log,
            });
            routes.push(route.clone());
        }
        let limits = Limits {
            head_bytes: config.limits.head_bytes,
            header_count: config.limits.header_count,
            target_bytes: config.limits.target_bytes,
            chunk_line_bytes: config.limits.chunk_line_bytes,
            trailer_bytes: config.limits.trailer_bytes,
            ..Limits::default()
        };
        let table = RouteTable::new(&routes);
        Self { limits, table, targets, services: known, access_log, config }
    }

    /// Takes over what services of the same name have spent of their retry budgets.
    pub(crate) fn inherit(&self, before: &Self) {
        for (name, service) in &self.services {
            let Some(old) = before.service(name) else { continue };
            let spent = old.budget.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *service.budget.lock().unwrap_or_else(PoisonError::into_inner) = spent;
            let recent = old.recent_requests.load(Ordering::Relaxed);
            service.recent_requests.store(recent, Ordering::Relaxed);
        }
    }

    /// The same, with the access log let go.
    pub(crate) fn without_log(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            limits: self.limits,
            table: RouteTable::new(&self.config.routes),
            targets: self.targets.clone(),
            services: self.services.clone(),
            access_log: None,
        }
    }

    /// The service of a name, if a route leads to it.
    pub(crate) fn service(&self, name: &str) -> Option<&Arc<ServiceRuntime>> {
        self.services.get(name)
    }
}
