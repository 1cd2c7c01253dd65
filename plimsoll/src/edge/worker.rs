//! One worker: a thread with its own event loop, connections, idle upstream connections, buffers and
//! counters. Workers share the routing snapshot, the servers' atomics, and nothing else that is hot.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::accept;
use super::access_log::LogLines;
use super::buffers::Scratches;
use super::cells::{Registry, Rejections};
use super::clock::Clock;
use super::connections::{Census, Connections};
use super::identity::Identity;
use super::routing::Routing;
use super::upstream::Upstreams;
use crate::net;
use crate::net::Deadlines;

/// Time between two rounds of housekeeping.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Written by a reload, read by each worker when `generation` changes.
    pub(crate) routing: ArcSwap<Routing>,
    /// Counts reloads.
    pub(crate) generation: AtomicU64,
    /// Counters by entrypoint.
    pub(crate) entrypoints: Registry,
    /// Counters by service.
    pub(crate) services: Registry,
    /// Counters by service and server.
    pub(crate) servers: Registry,
    /// Requests that were refused before they were routed.
    pub(crate) rejections: Rejections,
    /// Open client connections over all workers. Written when one opens or closes.
    pub(crate) connections: AtomicUsize,
    /// Start of the edge's clock.
    pub(crate) epoch: Instant,
}

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Accept connections from this socket for the entrypoint of that name.
    Listen(Arc<str>, std::net::TcpListener),
    /// Stop accepting for that entrypoint.
    Close(Arc<str>),
    /// Stop accepting at all, close what is idle, and answer when no connection is left.
    Drain(oneshot::Sender<()>),
    /// End now; says what was still open.
    Stop(oneshot::Sender<Census>),
}

/// The way to give orders to a worker; orders are rare, so the queue has no bound of its own.
pub(crate) type Orders = UnboundedSender<Order>;

/// A worker's own hold on the snapshot: requests share it by an `Rc`, and so touch no counter that
/// other workers touch.
#[derive(Debug)]
pub(crate) struct Held(Arc<Routing>);

impl Deref for Held {
    type Target = Routing;

    fn deref(&self) -> &Routing {
        &self.0
    }
}

/// The state of one worker, for all its tasks.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its number, the index of its cells.
    pub(crate) index: usize,
    /// What it shares with the others.
    pub(crate) shared: Arc<Shared>,
    /// The snapshot that new requests use.
    routing: RefCell<Rc<Held>>,
    generation: Cell<u64>,
    /// Buffers.
    pub(crate) scratches: Scratches,
    /// Deadlines of its connections.
    pub(crate) deadlines: Rc<Deadlines>,
    /// Connections to servers.
    pub(crate) upstreams: Upstreams,
    /// Connections of clients.
    pub(crate) connections: Rc<Connections>,
    /// Access log lines not yet handed over.
    pub(crate) log: LogLines,
    /// The time of day.
    pub(crate) clock: Clock,
    /// Request ids and random numbers.
    pub(crate) identity: Identity,
    /// Set by a drain; connections close after their response.
    pub(crate) draining: Cell<bool>,
}

impl Worker {
    /// The snapshot in force.
    #[inline]
    pub(crate) fn routing(&self) -> Rc<Held> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation != self.generation.get() {
            self.generation.set(generation);
            self.routing.replace(Rc::new(Held(self.shared.routing.load_full())));
        }
        Rc::clone(&self.routing.borrow())
    }

    async fn housekeeping(self: Rc<Self>) {
        loop {
            let now = Instant::now();
            let routing = self.routing();
            self.upstreams
                .sweep(|name| routing.service(name).map(|service| &service.config.keepalive), now);
            self.log.flush();
            drop(routing);
            net::sleep_until(now + HOUSEKEEPING).await;
        }
    }
}

/// The body of a worker's thread: works until it is told to stop or nobody can tell it any more.
///
/// # Errors
/// When there is no event loop to be had.
pub(crate) fn run(
    index: usize,
    shared: Arc<Shared>,
    mut orders: UnboundedReceiver<Order>,
) -> std::io::Result<()> {
    net::run(async move {
        let generation = shared.generation.load(Ordering::Acquire);
        let routing = shared.routing.load_full();
        let worker = Rc::new(Worker {
            index,
            scratches: Scratches::default(),
            deadlines: Deadlines::new(),
            upstreams: Upstreams::new(index),
            connections: Connections::new(),
            log: LogLines::new(routing.access_log.clone()),
            clock: Clock::new(),
            identity: Identity::new(|| fastrand::u64(..)),
            draining: Cell::new(false),
            routing: RefCell::new(Rc::new(Held(routing))),
            generation: Cell::new(generation),
            shared,
        });
        net::spawn(Rc::clone(&worker.deadlines).run());
        net::spawn(Rc::clone(&worker).housekeeping());
        let stopped = obey(&worker, &mut orders).await;
        worker.log.flush();
        if let Some(answer) = stopped {
            // Nobody may be waiting any more; the count is then of no interest.
            let _ = answer.send(worker.connections.census());
        }
    })
}

/// Carries out orders; returns when told to stop, with whom to tell.
async fn obey(
    worker: &Rc<Worker>,
    orders: &mut UnboundedReceiver<Order>,
) -> Option<oneshot::Sender<Census>> {
    let mut listeners: Vec<(Arc<str>, accept::Stop)> = Vec::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Listen(name, socket) => match net::Listener::new(socket) {
                Ok(listener) => {
                    let stop = accept::start(worker, &name, listener);
                    listeners.push((name, stop));
                }
                Err(error) => crate::log::error(
                    "edge",
                    format_args!("worker {} cannot listen on {name}: {error}", worker.index),
                ),
            },
            Order::Close(name) => listeners.retain(|(listening, _)| *listening != name),
            Order::Drain(done) => {
                listeners.clear();
                // Turns for the accept loops to take what is still in their queues.
                net::yield_now().await;
                net::yield_now().await;
                worker.draining.set(true);
                worker.connections.close_idle();
                net::spawn(report_empty(Rc::clone(worker), done));
            }
            Order::Stop(done) => return Some(done),
        }
    }
    None
}

async fn report_empty(worker: Rc<Worker>, done: oneshot::Sender<()>) {
    worker.connections.empty().await;
    worker.log.flush();
    let _ = done.send(());
}

/// Waits for either; the first one has precedence.
pub(crate) async fn either<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Result<A, B> {
    let mut first = pin!(first);
    let mut second = pin!(second);
    poll_fn(|context| {
        if let Poll::Ready(value) = first.as_mut().poll(context) {
            return Poll::Ready(Ok(value));
        }
        second.as_mut().poll(context).map(Err)
    })
    .await
}
