//! One upstream server as every worker sees it: identity, state, and shared counters.
//!
//! A `Server` outlives reloads: `Edge::set_servers` keeps the value whose service, name and
//! address are unchanged, so that health and counters survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::config::model::Address;

/// What a server is to the balancer, as status, metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ServerState {
    /// Known, but no health check has succeeded yet; gets no traffic.
    Starting = 0,
    /// Gets traffic.
    Healthy = 1,
    /// Active checks failed.
    Unhealthy = 2,
    /// Out for a time because of failures of real traffic.
    Ejected = 3,
    /// Gets no new requests; those in flight finish.
    Draining = 4,
    /// Gone.
    Stopped = 5,
}

impl ServerState {
    /// The lower-case word used in status, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }

    fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Healthy,
            2 => Self::Unhealthy,
            3 => Self::Ejected,
            4 => Self::Draining,
            5 => Self::Stopped,
            _ => Self::Starting,
        }
    }
}

/// What the owner of a server (config or fleet) says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Unique within its service.
    pub name: String,
    /// Where to connect; `Host` addresses are resolved by the edge.
    pub address: Address,
    /// 1 to 1000.
    pub weight: u32,
    /// Most requests in flight; `None` is without bound.
    pub max_conns: Option<u32>,
    /// Gets traffic only when no other server can.
    pub backup: bool,
    /// The owner wants it to finish what it has and take nothing new.
    pub draining: bool,
}

/// An upstream server, shared by all workers, the health checker and status.
#[derive(Debug)]
pub struct Server {
    /// Name of the service it belongs to.
    pub service: Arc<str>,
    /// Unique within the service.
    pub name: Arc<str>,
    /// Where to connect.
    pub address: Address,
    /// Gets traffic only when no other server can.
    pub backup: bool,
    /// Written by `set_servers`, read by balancers.
    pub weight: AtomicU32,
    /// Most requests in flight, `u32::MAX` for no bound. Written by `set_servers`.
    pub max_conns: AtomicU32,
    /// Requests in flight over all workers. Written by every worker through [`InFlight`].
    pub in_flight: AtomicU32,
    /// Peak-EWMA of latency in nanoseconds. Written by every worker, approximately.
    pub latency_nanos: AtomicU64,
    /// A [`ServerState`]. Written by the health checker only.
    state: AtomicU8,
}

impl Server {
    /// A server that has not been checked yet.
    pub fn new(service: &Arc<str>, spec: &ServerSpec, state: ServerState) -> Self {
        Self {
            service: Arc::clone(service),
            name: Arc::from(spec.name.as_str()),
            address: spec.address.clone(),
            backup: spec.backup,
            weight: AtomicU32::new(spec.weight),
            max_conns: AtomicU32::new(spec.max_conns.unwrap_or(u32::MAX)),
            in_flight: AtomicU32::new(0),
            latency_nanos: AtomicU64::new(0),
            state: AtomicU8::new(state as u8),
        }
    }

    /// Its state now.
    pub fn state(&self) -> ServerState {
        ServerState::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Called by the health checker only.
    pub fn set_state(&self, state: ServerState) {
        self.state.store(state as u8, Ordering::Release);
    }
}

/// One request in flight on a server; counts down when dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Server>);

impl InFlight {
    /// Counts one more request, unless the server is at its `max_conns`.
    pub fn try_start(server: &Arc<Server>) -> Option<Self> {
        let limit = server.max_conns.load(Ordering::Relaxed);
        let before = server.in_flight.fetch_add(1, Ordering::Relaxed);
        let guard = Self(Arc::clone(server));
        (before < limit).then_some(guard)
    }

    /// The server it counts on.
    pub fn server(&self) -> &Arc<Server> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
