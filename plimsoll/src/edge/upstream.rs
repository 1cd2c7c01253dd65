//! A worker's connections to servers: opened, counted, kept for reuse.
//!
//! Idle connections are a stack by server, so that the warmest is used first and the coldest ages
//! out. The event loop watches them: one on which anything happened (the server closed it, or spoke
//! out of turn) is not used again, at no cost of a call.
//!
//! Invariants: at most `keepalive.connections` idle ones a server and worker; every connection is
//! counted open until dropped; a server that is gone keeps none.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::cells::{Cell, Cells, Registry};
use super::server::{Endpoint, Server, ServerState};
use crate::config::model::Keepalive;
use crate::net::Stream;

/// One server as one worker knows it.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The server, shared by all workers.
    pub(crate) server: Arc<Server>,
    cells: Arc<Cells>,
    worker: usize,
    /// Oldest first, with the time since when it is idle.
    idle: RefCell<VecDeque<(Connection, Instant)>>,
}

impl Upstream {
    /// Where this worker counts what it does with the server.
    #[inline]
    pub(crate) fn cell(&self) -> &Cell {
        self.cells.of(self.worker)
    }

    /// An idle connection that is still good.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some((connection, _)) = idle.pop_back() {
            if connection.stream.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection on which a response was complete, if the bounds allow.
    #[inline]
    pub(crate) fn keep(&self, connection: Connection, keepalive: &Keepalive, now: Instant) {
        let worn = keepalive.requests.is_some_and(|bound| connection.requests >= bound);
        let mut idle = self.idle.borrow_mut();
        if !worn
            && idle.len() < keepalive.connections
            && self.server.state() != ServerState::Stopped
        {
            idle.push_back((connection, now));
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// As `connect(2)`; `NotFound` while the server's host name has no known address.
    pub(crate) async fn connect(self: &Rc<Self>) -> std::io::Result<Connection> {
        let stream = match self.server.endpoint() {
            Some(Endpoint::Tcp(address)) => Stream::connect_tcp(address).await?,
            Some(Endpoint::Unix(path)) => Stream::connect_unix(path).await?,
            None => return Err(std::io::ErrorKind::NotFound.into()),
        };
        self.cell().open();
        Ok(Connection { stream, requests: 0, cells: Arc::clone(&self.cells), worker: self.worker })
    }

    /// Drops idle connections that are too old or were closed.
    fn sweep(&self, keepalive: Option<&Keepalive>, now: Instant) {
        let gone = self.server.state() == ServerState::Stopped;
        self.idle.borrow_mut().retain(|(connection, since)| {
            let old = keepalive.is_none_or(|bounds| now.duration_since(*since) >= bounds.idle);
            !gone && !old && connection.stream.is_quiet()
        });
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub(crate) stream: Stream,
    /// Requests sent over it.
    pub(crate) requests: u64,
    cells: Arc<Cells>,
    worker: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cells.of(self.worker).close();
    }
}

/// All servers that a worker has sent requests to.
#[derive(Debug)]
pub(crate) struct Upstreams {
    worker: usize,
    /// By address of the shared server, which the value keeps alive.
    servers: RefCell<HashMap<usize, Rc<Upstream>, address_hash::BuildHasher>>,
}

impl Upstreams {
    /// None yet.
    pub(crate) fn new(worker: usize) -> Self {
        Self { worker, servers: RefCell::default() }
    }

    /// This worker's view of a server.
    #[inline]
    pub(crate) fn of(&self, server: &Arc<Server>, registry: &Registry) -> Rc<Upstream> {
        let key = Arc::as_ptr(server).addr();
        if let Some(known) = self.servers.borrow().get(&key) {
            return Rc::clone(known);
        }
        let upstream = Rc::new(Upstream {
            server: Arc::clone(server),
            cells: registry.cells(&server.service, &server.name),
            worker: self.worker,
            idle: RefCell::default(),
        });
        self.servers.borrow_mut().insert(key, Rc::clone(&upstream));
        upstream
    }

    /// Drops old idle connections and forgets servers that are gone; `keepalive` gives the bounds of
    /// a service by name.
    pub(crate) fn sweep<'a>(
        &self,
        keepalive: impl Fn(&str) -> Option<&'a Keepalive>,
        now: Instant,
    ) {
        self.servers.borrow_mut().retain(|_, upstream| {
            upstream.sweep(keepalive(&upstream.server.service), now);
            upstream.server.state() != ServerState::Stopped || Rc::strong_count(upstream) > 1
        });
    }
}

/// A hasher for addresses of allocations: they differ already, so one multiplication spreads them.
mod address_hash {
    use std::hash::{BuildHasherDefault, Hasher};

    pub(super) type BuildHasher = BuildHasherDefault<AddressHasher>;

    #[derive(Debug, Default)]
    pub(super) struct AddressHasher(u64);

    impl Hasher for AddressHasher {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.write_usize(byte.into());
            }
        }

        fn write_usize(&mut self, number: usize) {
            self.0 = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        }
    }
}
