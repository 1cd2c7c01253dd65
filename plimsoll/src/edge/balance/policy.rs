//! The balancing policies: one function each, from a group of servers to an index into it.
//!
//! Weights that grow (slow start) are a share from [`RAMP_START`] to 1 for each server, taken
//! relative to the fullest of the group: when all servers are new, none is held back. Where a
//! policy scores, the share scales the weight; where it takes turns or draws, the server passes
//! with the share as its probability.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::set::Group;
use super::{PickInput, Reason};
use crate::config::model::Balance;
use crate::edge::hash;
use crate::edge::server::Server;

/// Share of its weight with which a server starts to grow.
const RAMP_START: f64 = 0.05;

/// Draws by weight before any server that admits the request is taken.
const DRAWS_MAX: usize = 4;

/// How far above its fair share of the load a server may be before the keys that belong to it go
/// to their next one. The usual value of "Consistent Hashing with Bounded Loads" (Mirrokni,
/// Thorup, Zadimoghaddam 2016): a smaller one moves more keys, a larger one balances less.
pub(super) const LOAD_BOUND: f64 = 1.25;

/// Cost of a server with requests in flight and no reply yet: above any measured one.
const UNKNOWN_LATENCY_NANOS: f64 = 1e15;

/// A request and the moment at which it is balanced.
pub(super) struct Request<'a> {
    pub(super) input: &'a PickInput<'a>,
    /// The service's round-robin counter, shared by all workers.
    pub(super) turn: &'a AtomicU64,
    pub(super) now_nanos: u64,
    /// Time over which weights grow, 0 when none is growing.
    pub(super) ramp_nanos: u64,
}

impl Request<'_> {
    /// Whether `server` has failed this request.
    pub(super) fn tried(&self, server: &Arc<Server>) -> bool {
        self.input.tried.iter().any(|tried| Arc::ptr_eq(tried, server))
    }

    fn admits(&self, server: &Arc<Server>) -> bool {
        server.in_flight.load(Ordering::Relaxed) < server.max_conns.load(Ordering::Relaxed)
            && !self.tried(server)
    }

    fn grown(&self, server: &Server) -> f64 {
        let from = server.ramp_from.load(Ordering::Relaxed);
        if self.ramp_nanos == 0 || from == 0 {
            return 1.0;
        }
        let age = self.now_nanos.saturating_sub(from);
        (age as f64 / self.ramp_nanos as f64).clamp(RAMP_START, 1.0)
    }
}

/// The server of `group` that `balance` names for `request`; `None` when none admits it.
pub(super) fn choose(
    group: &Group,
    balance: &Balance,
    request: &Request<'_>,
) -> Option<(usize, Reason)> {
    if group.servers.is_empty() {
        return None;
    }
    let mut choice = Choice::new(group, request);
    match balance {
        Balance::RoundRobin => Some((choice.round_robin()?, Reason::Turn)),
        Balance::LeastConn => Some((choice.least_conn()?, Reason::FewestInFlight)),
        Balance::Random => Some((choice.draw(None)?, Reason::Random)),
        Balance::PowerOfTwo => Some((choice.lower_of_two(Choice::load)?, Reason::LessLoadedOfTwo)),
        Balance::PeakEwma => {
            Some((choice.lower_of_two(Choice::latency)?, Reason::LowerLatencyOfTwo))
        }
        Balance::IpHash => {
            let key = hash::of_client(request.input.client);
            Some((choice.by_hash(key, |_| true)?, Reason::ClientHash))
        }
        Balance::Hash(_) => match request.input.hash {
            Some(key) => choice.by_bounded_hash(key),
            None => Some((choice.draw(None)?, Reason::NoKey)),
        },
    }
}

/// One decision in the making.
struct Choice<'a> {
    group: &'a Group,
    request: &'a Request<'a>,
    random: u64,
    /// The largest share of any server's weight that is in force.
    fullest: f64,
}

impl<'a> Choice<'a> {
    fn new(group: &'a Group, request: &'a Request<'a>) -> Self {
        let fullest = if request.ramp_nanos == 0 {
            1.0
        } else {
            group.servers.iter().map(|server| request.grown(server)).fold(RAMP_START, f64::max)
        };
        Self { group, request, random: request.input.random, fullest }
    }

    fn admits(&self, index: usize) -> bool {
        self.request.admits(&self.group.servers[index])
    }

    /// The share of a server's weight that is in force, relative to the fullest.
    fn share(&self, index: usize) -> f64 {
        if self.request.ramp_nanos == 0 {
            return 1.0;
        }
        self.request.grown(&self.group.servers[index]) / self.fullest
    }

    fn weight(&self, index: usize) -> f64 {
        f64::from(self.group.weights[index]) * self.share(index)
    }

    /// Lets a server that grows pass as often as its share says.
    fn passes(&mut self, index: usize) -> bool {
        let share = self.share(index);
        share >= 1.0 || hash::unit(hash::next(&mut self.random)) < share
    }

    fn turn(&self) -> usize {
        let turn = self.request.turn.fetch_add(1, Ordering::Relaxed);
        usize::from(self.group.turns[(turn % self.group.turns.len() as u64) as usize])
    }

    /// The next turn; a server that cannot take the request loses its turn to the next ones
    /// alike, not to its neighbour alone.
    fn round_robin(&mut self) -> Option<usize> {
        for _ in 0..2 * self.group.servers.len() {
            let index = self.turn();
            if self.admits(index) && self.passes(index) {
                return Some(index);
            }
        }
        self.scan(None)
    }

    /// The lowest load for the weight; the one whose turn it is among equals.
    fn least_conn(&mut self) -> Option<usize> {
        let count = self.group.servers.len();
        let start = self.turn();
        let mut best: Option<(usize, f64)> = None;
        for step in 0..count {
            let index = (start + step) % count;
            if !self.admits(index) {
                continue;
            }
            let load = self.load(index);
            if best.is_none_or(|(_, lowest)| load < lowest) {
                best = Some((index, load));
            }
        }
        best.map(|(index, _)| index)
    }

    /// A server drawn by weight, never `except`.
    fn draw(&mut self, except: Option<usize>) -> Option<usize> {
        for _ in 0..DRAWS_MAX {
            let turn = hash::below(hash::next(&mut self.random), self.group.turns.len());
            let index = usize::from(self.group.turns[turn]);
            if Some(index) != except && self.admits(index) && self.passes(index) {
                return Some(index);
            }
        }
        self.scan(except)
    }

    /// Any server that admits the request, from a random place on, never `except`.
    fn scan(&mut self, except: Option<usize>) -> Option<usize> {
        let count = self.group.servers.len();
        let start = hash::below(hash::next(&mut self.random), count);
        let mut indexes = (start..count).chain(0..start);
        indexes.find(|index| Some(*index) != except && self.admits(*index))
    }

    /// The better of two drawn servers; the first among equals.
    fn lower_of_two(&mut self, cost: fn(&mut Self, usize) -> f64) -> Option<usize> {
        let first = self.draw(None)?;
        let Some(second) = self.draw(Some(first)) else { return Some(first) };
        let (of_first, of_second) = (cost(self, first), cost(self, second));
        Some(if of_second < of_first { second } else { first })
    }

    /// Requests in flight, with this one, for the weight. Idle servers are equal whatever their
    /// weight, or a heavy one would get every request of a quiet service.
    fn load(&mut self, index: usize) -> f64 {
        let in_flight = self.group.servers[index].in_flight.load(Ordering::Relaxed);
        if in_flight == 0 && self.passes(index) {
            return 0.0;
        }
        f64::from(in_flight.saturating_add(1)) / self.weight(index)
    }

    /// Expected time for the weight: average latency × requests in flight with this one. A
    /// server without a reply yet is tried with one request at a time.
    fn latency(&mut self, index: usize) -> f64 {
        let server = &self.group.servers[index];
        let in_flight = server.in_flight.load(Ordering::Relaxed);
        let nanos = match server.latency.nanos(self.request.now_nanos) {
            Some(nanos) => f64::from(nanos),
            None if in_flight == 0 && self.passes(index) => return 0.0,
            None => UNKNOWN_LATENCY_NANOS,
        };
        nanos * f64::from(in_flight.saturating_add(1)) / self.weight(index)
    }

    /// Weighted rendezvous hashing: each pair of key and server has its own score, the highest
    /// wins. When a server leaves, only its keys move, each to its second best; when one joins,
    /// it takes its share from all others alike. Only servers that `may` are considered.
    fn by_hash(&self, key: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let plain = self.group.equal && self.request.ramp_nanos == 0;
        let mut best: Option<(usize, f64, u64)> = None;
        for index in 0..self.group.servers.len() {
            if !self.admits(index) || !may(index) {
                continue;
            }
            let bits = hash::combine(key, self.group.keys[index]);
            // With equal weights the score rises with the bits, so they alone decide.
            let score = if plain {
                0.0
            } else {
                -self.weight(index) / hash::unit(bits).max(f64::MIN_POSITIVE).ln()
            };
            if best.is_none_or(|(_, highest, most)| (score, bits) > (highest, most)) {
                best = Some((index, score, bits));
            }
        }
        best.map(|(index, ..)| index)
    }

    /// The same, but past servers that carry more than [`LOAD_BOUND`] times their share.
    fn by_bounded_hash(&self, key: u64) -> Option<(usize, Reason)> {
        let own = self.by_hash(key, |_| true)?;
        let (mut load, mut weight) = (1.0, 0.0);
        for index in (0..self.group.servers.len()).filter(|index| self.admits(*index)) {
            load += f64::from(self.in_flight(index));
            weight += self.weight(index);
        }
        let below_bound = |index: usize| {
            let bound = (LOAD_BOUND * load * self.weight(index) / weight).ceil();
            f64::from(self.in_flight(index)) < bound
        };
        if below_bound(own) {
            return Some((own, Reason::KeyHash));
        }
        // The bounds add up to more than the load, so somebody is below; but counters move.
        Some((self.by_hash(key, below_bound).unwrap_or(own), Reason::KeyHashOverflow))
    }

    fn in_flight(&self, index: usize) -> u32 {
        self.group.servers[index].in_flight.load(Ordering::Relaxed)
    }
}
