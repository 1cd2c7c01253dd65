//! Which server takes a request, and why.
//!
//! A pure planner: state in, decision with its reason out. [`ServerSet`] is everything that
//! changes rarely (who may take traffic, turns, shares), worked out anew whenever a server's
//! state or the configuration changes and published whole. [`ServerSet::choose`] runs for every
//! request on every worker: it allocates nothing, takes no lock, and reads only the set and the
//! servers' shared counters, so least-conn counts the requests of all cores.
//!
//! Invariants: a server that is draining, stopped, already tried for this request or at its
//! `max_conns` is never chosen; a starting one neither; a backup only when no primary can take
//! the request; an ejected one only when nobody is healthy. Decisions race on purpose: two workers may see the same counters and choose the
//! same server; `max_conns` alone is enforced when the request is counted ([`InFlight`]).
//!
//! Left out: time and randomness are arguments; retries belong to the data path, health to
//! `health`.
//!
//! [`InFlight`]: super::server::InFlight

mod cycle;
pub(crate) mod latency;
mod policy;
mod set;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::server::Server;

pub(crate) use set::ServerSet;

/// What is known of a request when a server is chosen for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PickInput<'a> {
    /// The client's address (behind a trusted proxy, the one that it names).
    pub(crate) client: IpAddr,
    /// [`hash::of_bytes`](super::hash::of_bytes) of the header, cookie or URI that
    /// `Balance::Hash` names; `None` when the request has none.
    pub(crate) hash: Option<u64>,
    /// Servers that have failed this request; none of them is chosen again.
    pub(crate) tried: &'a [Arc<Server>],
    /// A fresh random number; the worker's own generator will do.
    pub(crate) random: u64,
    /// The time now.
    pub(crate) now: Instant,
}

/// Why a server was chosen among those that could take the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its turn in weighted round-robin.
    Turn,
    /// Fewest requests in flight for its weight.
    FewestInFlight,
    /// Drawn by weight.
    Random,
    /// The less loaded of two that were drawn.
    LessLoadedOfTwo,
    /// The lower latency × requests in flight of two that were drawn.
    LowerLatencyOfTwo,
    /// The client's address belongs to it.
    ClientHash,
    /// The request's key belongs to it.
    KeyHash,
    /// The request's key belongs to another one that carries more than its share of the load.
    KeyHashOverflow,
    /// The request has no key to hash: drawn by weight.
    NoKey,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Turn => "its turn in round-robin",
            Self::FewestInFlight => "fewest requests in flight for its weight",
            Self::Random => "drawn at random by weight",
            Self::LessLoadedOfTwo => "less loaded of two drawn at random",
            Self::LowerLatencyOfTwo => "lower latency and load of two drawn at random",
            Self::ClientHash => "hash of the client's address",
            Self::KeyHash => "hash of the request's key",
            Self::KeyHashOverflow => "next by hash: the key's own server is above its share",
            Self::NoKey => "drawn at random by weight: the request has no key to hash",
        })
    }
}

/// Which group of servers a decision was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Healthy servers.
    Primary,
    /// Healthy backup servers: no primary could take the request.
    Backup,
    /// All servers, healthy or not: too few were healthy (`min_healthy` with `spread`).
    Spread,
    /// Ejected servers, because nobody is healthy: bad answers from them are better than none.
    LastResort,
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
            Self::Spread => "spread over all",
            Self::LastResort => "last resort",
        })
    }
}

/// A server for a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    /// The chosen one.
    pub(crate) server: &'a Arc<Server>,
    /// Why this one.
    pub(crate) reason: Reason,
    /// Out of which group.
    pub(crate) tier: Tier,
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}): {}", self.server.name, self.tier, self.reason)
    }
}

/// Why no server can take a request; goes to the log, the client gets a 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoServer {
    /// Nothing is configured or running.
    #[error("the service has no servers")]
    Empty,
    /// Servers exist, but none may get traffic.
    #[error("no server is healthy: {0}")]
    NoneHealthy(Census),
    /// The share of healthy servers is below `min_healthy` (with `fail`).
    #[error("fewer than {percent}% of the servers are healthy: {census}")]
    BelowMinimum {
        /// The servers by state.
        census: Census,
        /// The configured share.
        percent: u8,
    },
    /// Servers could take it, but for their `max_conns`.
    #[error("every server that may take the request is at its max_conns")]
    AllFull,
    /// Every server has failed this request.
    #[error("every server that may take the request has been tried")]
    AllTried,
}

/// Servers of a service, counted by state. Backups count only where there is nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Known, never seen healthy.
    pub(crate) starting: u16,
    /// Getting traffic.
    pub(crate) healthy: u16,
    /// Failing their checks.
    pub(crate) unhealthy: u16,
    /// Out because of failed traffic.
    pub(crate) ejected: u16,
    /// On their way out.
    pub(crate) draining: u16,
}

impl Census {
    /// Servers that ought to be healthy: neither on their way in nor out. New servers do not
    /// count, or adding ten to three healthy ones would close the service.
    pub(crate) fn expected(self) -> u16 {
        self.healthy + self.unhealthy + self.ejected
    }

    /// Whether at least `percent` of the expected servers are healthy.
    pub(crate) fn reaches(self, percent: u8) -> bool {
        u32::from(self.healthy) * 100 >= u32::from(percent) * u32::from(self.expected())
    }
}

impl fmt::Display for Census {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if self.expected() > 0 {
            write!(formatter, "{} of {} healthy", self.healthy, self.expected())?;
            separator = ", ";
        }
        for (count, state) in [
            (self.unhealthy, "unhealthy"),
            (self.ejected, "ejected"),
            (self.starting, "starting"),
            (self.draining, "draining"),
        ] {
            if count > 0 {
                write!(formatter, "{separator}{count} {state}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
