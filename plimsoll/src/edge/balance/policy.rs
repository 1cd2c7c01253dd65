//! The balancing policies: one function each, from a group of servers to an index into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::set::Group;
use super::{PickInput, Reason};
use crate::config::model::Balance;
use crate::edge::server::Server;

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
    pub(super) fn tried(&self, server: &Arc<Server>) -> bool {
        self.input.tried.iter().any(|tried| Arc::ptr_eq(tried, server))
    }

    /// Whether `server` could take this request now.
    fn admits(&self, server: &Arc<Server>) -> bool {
        server.in_flight.load(Ordering::Relaxed) < server.max_conns.load(Ordering::Relaxed)
            && !self.tried(server)
    }
}

/// The server of `group` that `balance` names for `request`; `None` when none admits it.
pub(super) fn choose(
    group: &Group,
    _balance: &Balance,
    request: &Request<'_>,
) -> Option<(usize, Reason)> {
    round_robin(group, request).map(|index| (index, Reason::Turn))
}

fn round_robin(group: &Group, request: &Request<'_>) -> Option<usize> {
    for _ in 0..group.turns.len() {
        let turn = request.turn.fetch_add(1, Ordering::Relaxed);
        let index = usize::from(group.turns[turn as usize % group.turns.len()]);
        if request.admits(&group.servers[index]) {
            return Some(index);
        }
    }
    None
}
