//! One upstream server as every worker sees it: identity, state, and shared counters.
//!
//! A `Server` outlives reloads: the roster keeps the value whose service, name and address are
//! unchanged, so that health and counters survive. Everything a worker touches for a request is
//! an atomic; nothing here locks or reads a clock.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::balance::Decision;
use super::balance::latency::LatencyAverage;
use super::hash;
use crate::config::model::Address;

/// Between two lines of the log that say that a server is Plimsoll itself.
const CIRCLE_PAUSE: Duration = Duration::from_secs(60);

/// What a server is to the balancer, as status, metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ServerState {
    /// Known, but no health check has succeeded yet; gets no traffic.
    Starting = 0,
    /// Gets traffic.
    Healthy = 1,
    /// Active checks failed, or its host name has no address.
    Unhealthy = 2,
    /// Out for a time because of failures of real traffic.
    Ejected = 3,
    /// Gets no new requests; those in flight finish.
    Draining = 4,
    /// Gone.
    Stopped = 5,
}

impl ServerState {
    /// Every state, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::Starting,
        Self::Healthy,
        Self::Unhealthy,
        Self::Ejected,
        Self::Draining,
        Self::Stopped,
    ];

    /// The lower-case word used in status, metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
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
        Self::ALL.get(usize::from(value)).copied().unwrap_or(Self::Starting)
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the owner of a server (config or fleet) says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerSpec {
    /// Unique within its service.
    pub(crate) name: String,
    /// Where to connect; `Host` addresses are resolved by the roster.
    pub(crate) address: Address,
    /// 1 to 1000.
    pub(crate) weight: u32,
    /// Most requests in flight; `None` is without bound.
    pub(crate) max_conns: Option<u32>,
    /// Gets traffic only when no other server can.
    pub(crate) backup: bool,
    /// The owner wants it to finish what it has and take nothing new.
    pub(crate) draining: bool,
}

/// Where a connection to a server goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(&'a Path),
}

/// An upstream server, shared by all workers, the health checker and status.
#[derive(Debug)]
pub(crate) struct Server {
    /// Name of the service it belongs to.
    pub(crate) service: Arc<str>,
    /// Unique within the service.
    pub(crate) name: Arc<str>,
    /// Where to connect, as configured. [`Server::endpoint`] is what to connect to.
    pub(crate) address: Address,
    /// Gets traffic only when no other server can.
    pub(crate) backup: bool,
    /// Hash of the name: its place in consistent hashing.
    pub(super) key: u64,
    /// Written by the roster, read by status.
    pub(crate) weight: AtomicU32,
    /// Most requests in flight, `u32::MAX` for no bound. Written by the roster.
    pub(crate) max_conns: AtomicU32,
    /// Requests in flight over all workers. Written by every worker through [`InFlight`].
    pub(crate) in_flight: AtomicU32,
    /// Latency as the balancer weighs it. Written by every worker, approximately.
    pub(super) latency: LatencyAverage,
    /// Nanoseconds on the roster's clock since when the weight grows (slow start). Written by
    /// the roster when the server enters service, read by balancers.
    pub(super) ramp_from: AtomicU64,
    /// Re-admitted after an ejection: successes are worth reporting. Written by the roster.
    pub(super) probation: AtomicBool,
    /// Milliseconds on the workers' clock from which the log may be told again that it is Plimsoll
    /// itself. Written by every worker.
    circle_told_until: AtomicU64,
    /// The last address of a [`Address::Host`]. Written by the roster's resolver.
    resolved: ArcSwapOption<SocketAddr>,
    /// A [`ServerState`]. Written by the roster only.
    state: AtomicU8,
}

impl Server {
    /// A server in `state`, with nothing in flight.
    pub(crate) fn new(service: &Arc<str>, spec: &ServerSpec, state: ServerState) -> Self {
        Self {
            service: Arc::clone(service),
            name: Arc::from(spec.name.as_str()),
            address: spec.address.clone(),
            backup: spec.backup,
            key: hash::of_bytes(spec.name.as_bytes()),
            weight: AtomicU32::new(spec.weight),
            max_conns: AtomicU32::new(spec.max_conns.unwrap_or(u32::MAX)),
            in_flight: AtomicU32::new(0),
            latency: LatencyAverage::default(),
            ramp_from: AtomicU64::new(0),
            probation: AtomicBool::new(false),
            circle_told_until: AtomicU64::new(0),
            resolved: ArcSwapOption::empty(),
            state: AtomicU8::new(state as u8),
        }
    }

    /// Its state now.
    pub(crate) fn state(&self) -> ServerState {
        ServerState::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Called by the roster only.
    pub(super) fn set_state(&self, state: ServerState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Called by the roster when the server gets traffic from `now` on, on its clock.
    pub(super) fn enters(&self, now: Duration) {
        // 0 stands for a server that always was there.
        self.ramp_from.store((now.as_nanos() as u64).max(1), Ordering::Relaxed);
    }

    /// Whether the log is to be told at `now`, on the workers' clock, that the server is Plimsoll
    /// itself: not more often than once in [`CIRCLE_PAUSE`], whoever asks.
    pub(super) fn may_tell_of_circle(&self, now: Duration) -> bool {
        let told_until = self.circle_told_until.load(Ordering::Relaxed);
        let (now, next) = (now.as_millis() as u64, (now + CIRCLE_PAUSE).as_millis() as u64);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let claim = || self.circle_told_until.compare_exchange(told_until, next, set, get);
        now >= told_until && claim().is_ok()
    }

    /// Where to connect now; `None` while its host name has no known address.
    pub(crate) fn endpoint(&self) -> Option<Endpoint<'_>> {
        match &self.address {
            Address::Tcp(address) => Some(Endpoint::Tcp(*address)),
            Address::Unix(path) => Some(Endpoint::Unix(path)),
            Address::Host(..) => self.resolved.load().as_deref().copied().map(Endpoint::Tcp),
        }
    }

    /// Sets the address of a [`Address::Host`]; says whether it is another one than before.
    pub(super) fn set_resolved(&self, address: SocketAddr) -> bool {
        let before = self.resolved.swap(Some(Arc::new(address)));
        before.as_deref() != Some(&address)
    }
}

/// One request in flight on a server; counts down when dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Server>);

impl InFlight {
    /// Counts the request that was decided on, unless the server is at its `max_conns` now.
    pub(super) fn try_start(decision: &Decision<'_>) -> Option<Self> {
        let server = decision.server;
        let limit = server.max_conns.load(Ordering::Relaxed);
        if limit == u32::MAX {
            server.in_flight.fetch_add(1, Ordering::Relaxed);
        } else {
            // Never above the limit even for a moment, or two workers could refuse each other.
            let more = |before: u32| (before < limit).then_some(before.wrapping_add(1));
            let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
            server.in_flight.fetch_update(set, get, more).ok()?;
        }
        Some(Self(Arc::clone(server)))
    }

    /// The server it counts on.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::balance::{Reason, Tier};

    fn server(max_conns: Option<u32>, address: Address) -> Arc<Server> {
        let (name, weight) = ("web-1".to_owned(), 1);
        let spec = ServerSpec { name, address, weight, max_conns, backup: false, draining: false };
        Arc::new(Server::new(&Arc::from("web"), &spec, ServerState::Healthy))
    }

    fn start(server: &Arc<Server>) -> Option<InFlight> {
        InFlight::try_start(&Decision { server, reason: Reason::Turn, tier: Tier::Primary })
    }

    #[test]
    fn requests_in_flight_stay_within_max_conns() {
        let server = server(Some(2), Address::Tcp(([127, 0, 0, 1], 1).into()));
        let first = start(&server);
        let second = start(&server);
        assert!(first.is_some() && second.is_some());
        assert!(start(&server).is_none());
        assert_eq!(server.in_flight.load(Ordering::Relaxed), 2);
        drop(first);
        assert_eq!(server.in_flight.load(Ordering::Relaxed), 1);
        assert!(start(&server).is_some());
    }

    #[test]
    fn a_host_has_no_endpoint_until_it_is_resolved() {
        let server = server(None, Address::Host("db.example".to_owned(), 80));
        assert_eq!(server.endpoint(), None);
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        assert!(server.set_resolved(address));
        assert!(!server.set_resolved(address), "the same address is no change");
        assert_eq!(server.endpoint(), Some(Endpoint::Tcp(address)));
    }

    #[test]
    fn every_state_survives_its_number() {
        for state in ServerState::ALL {
            assert_eq!(ServerState::from_u8(state as u8), state);
        }
    }
}
