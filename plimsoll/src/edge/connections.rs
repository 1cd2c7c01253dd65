//! A worker's open client connections, so that a drain can close the idle ones and count the rest.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::net::Stream;

/// What a client connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for a request.
    Idle,
    /// Between the first byte of a request and the last of its response.
    Request,
    /// A tunnel after an upgrade.
    Tunnel,
}

/// What a worker's connections were doing at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Connections without a request.
    pub(crate) idle: usize,
    /// Requests in progress.
    pub(crate) requests: usize,
    /// Tunnels.
    pub(crate) tunnels: usize,
}

/// A client connection as its own task and the drain see it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The socket.
    pub(crate) stream: Stream,
    /// The other end.
    pub(crate) address: SocketAddr,
    /// Written by the connection's task, read by the drain.
    pub(crate) phase: Cell<Phase>,
}

/// All client connections of a worker.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: RefCell<Vec<Option<Rc<Peer>>>>,
    free: RefCell<Vec<u32>>,
    /// Whoever waits for the last connection to close.
    waiting: RefCell<Option<Waker>>,
}

impl Connections {
    /// None.
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Adds a connection until the returned guard is dropped.
    pub(crate) fn add(self: &Rc<Self>, stream: Stream, address: SocketAddr) -> Open {
        let peer = Rc::new(Peer { stream, address, phase: Cell::new(Phase::Idle) });
        let mut open = self.open.borrow_mut();
        let slot = match self.free.borrow_mut().pop() {
            Some(slot) => slot,
            None => {
                open.push(None);
                // Connections are bounded by descriptors, far below 2^32.
                (open.len() - 1) as u32
            }
        };
        open[slot as usize] = Some(Rc::clone(&peer));
        Open { peer, all: Rc::clone(self), slot }
    }

    /// What they are doing now.
    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for peer in self.open.borrow().iter().flatten() {
            match peer.phase.get() {
                Phase::Idle => census.idle += 1,
                Phase::Request => census.requests += 1,
                Phase::Tunnel => census.tunnels += 1,
            }
        }
        census
    }

    /// Makes idle connections see the end of their input. A request that has arrived meanwhile is
    /// still read, and answered.
    pub(crate) fn close_idle(&self) {
        for peer in self.open.borrow().iter().flatten() {
            if peer.phase.get() == Phase::Idle {
                peer.stream.shutdown_read();
            }
        }
    }

    /// Waits until there is none.
    pub(crate) async fn empty(&self) {
        poll_fn(|context| {
            if self.open.borrow().iter().all(Option::is_none) {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// A connection that is counted open.
#[derive(Debug)]
pub(crate) struct Open {
    /// The connection.
    pub(crate) peer: Rc<Peer>,
    all: Rc<Connections>,
    slot: u32,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all.open.borrow_mut()[self.slot as usize] = None;
        self.all.free.borrow_mut().push(self.slot);
        if let Some(waiting) = self.all.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }
}
