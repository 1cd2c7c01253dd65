//! One thread of a run: its event loop, its users and what they share.
//!
//! Threads share nothing that is written while requests are made, except the count of iterations
//! where a plan bounds it and the places in feeds. Users are tasks; each owns its connections.
//!
//! Invariants: `busy` counts users that do something that the end of the run waits for; nothing
//! begins once `ending` is set. Left out: what a user does (see `user`), counting (see `recorder`).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;
use tokio::sync::{Notify, watch};

use super::constant::{Constant, Sole};
use super::group::Group;
use super::multiplex::Multiplex;
use super::recorder::{Levels, Record, Recorder, Told};
use super::usage;
use crate::config::bench::model::{Plan, Request};
use crate::load::client::dial::{Dialer, Prepared};
use crate::load::client::http1::Scratch;
use crate::load::results::Ended;
use crate::load::script::Shared;
use crate::net::{self, Deadlines};

/// How long requests under way are awaited after Ctrl-C.
const GRACE: Duration = Duration::from_secs(3);

/// What all threads of a run share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) plan: Arc<Plan>,
    /// When the run begins.
    pub(super) start: Instant,
    /// When it ends, if it does by time.
    pub(super) end: Option<Instant>,
    pub(super) threads: usize,
    pub(super) seed: u64,
    /// What users do.
    pub(super) shared: Arc<Shared>,
    pub(super) connecting: Arc<Prepared>,
    /// By group: iterations that may still begin, where their number is bounded.
    pub(super) iterations: Vec<Option<AtomicU64>>,
    /// Told by a user whose plan ends the run after a failure, and by nobody else.
    pub(super) stopped: watch::Sender<bool>,
}

impl Common {
    /// Whether an iteration of a group may begin, which counts it.
    pub(super) fn claim_iteration(&self, group: usize) -> bool {
        let Some(left) = &self.iterations[group] else { return true };
        let take = |left: u64| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Whether iterations of a group are left to begin.
    pub(super) fn has_iterations(&self, group: usize) -> bool {
        self.iterations[group].as_ref().is_none_or(|left| left.load(Ordering::Relaxed) > 0)
    }
}

/// By request (its address, which is the shared program's) and group: the request, rendered, if it
/// is constant.
type Constants = HashMap<(usize, usize), Option<Rc<Constant>>>;

/// What the users of a thread share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) common: Arc<Common>,
    pub(super) index: usize,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) scratch: RefCell<Scratch>,
    pub(super) deadlines: Rc<Deadlines>,
    pub(super) dialer: Dialer,
    /// By group: all that its users do, where that needs no script.
    pub(super) soles: Vec<Option<Rc<Sole>>>,
    constants: RefCell<Constants>,
    pub(super) multiplex: Multiplex,
    /// Nothing begins any more.
    pub(super) ending: Cell<bool>,
    /// Users that the end waits for.
    busy: Cell<u64>,
    /// Users that are there.
    users: Cell<u64>,
    /// Tasks that will still bring users or arrivals.
    sources: Cell<u64>,
    /// Something that the main task waits for may be so.
    changed: Notify,
}

/// While it is held the end waits. Dropped by a user that is done, or that waits itself.
#[derive(Debug)]
pub(super) struct Busy(Rc<Worker>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        if self.0.ending.get() && self.0.busy.get() == 0 {
            self.0.changed.notify_one();
        }
    }
}

/// While it is held a user is there.
#[derive(Debug)]
pub(super) struct Present(Rc<Worker>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.users.set(self.0.users.get() - 1);
        self.0.changed.notify_one();
    }
}

/// While it is held more users or arrivals will come.
#[derive(Debug)]
pub(super) struct Source(Rc<Worker>);

impl Drop for Source {
    fn drop(&mut self) {
        self.0.sources.set(self.0.sources.get() - 1);
        self.0.changed.notify_one();
    }
}

impl Worker {
    pub(super) fn busy(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(Rc::clone(self))
    }

    pub(super) fn present(self: &Rc<Self>) -> Present {
        self.users.set(self.users.get() + 1);
        Present(Rc::clone(self))
    }

    pub(super) fn source(self: &Rc<Self>) -> Source {
        self.sources.set(self.sources.get() + 1);
        Source(Rc::clone(self))
    }

    /// Since the start.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.common.start)
    }

    /// A request of the shared program as the bytes that are sent, if it is always the same.
    pub(super) fn constant(&self, request: &Request, group: usize) -> Option<Rc<Constant>> {
        let place = (std::ptr::from_ref(request).addr(), group);
        let mut constants = self.constants.borrow_mut();
        let render = || Constant::of(request, &self.common.shared, group).map(Rc::new);
        constants.entry(place).or_insert_with(render).clone()
    }

    fn levels(&self) -> Levels {
        Levels { in_flight: self.busy.get(), users: self.users.get() }
    }

    /// The recorder, with its seconds up to date.
    #[inline]
    pub(super) fn record<T>(&self, now: Instant, count: impl FnOnce(&mut Recorder) -> T) -> T {
        let mut recorder = self.recorder.borrow_mut();
        if recorder.is_over(now) {
            recorder.turn(now, self.levels());
        }
        count(&mut recorder)
    }
}

/// What a thread brings back.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) record: Record,
    pub(super) unsent: u64,
    /// Iterations that were under way when waiting for them was given up.
    pub(super) given_up: u64,
    pub(super) exhausted: u64,
    pub(super) ended: Ended,
    /// Processor time of the thread.
    pub(super) processor_time: Duration,
}

/// A thread's life: runs its part of the load to the end.
///
/// # Errors
/// When the kernel gives no event loop or no timer.
pub(super) fn run(
    common: Arc<Common>,
    index: usize,
    seconds: SyncSender<Told>,
    mut interrupt: watch::Receiver<bool>,
) -> io::Result<Share> {
    net::run(async move {
        let labels = common.plan.labels.len();
        let groups = 0..common.plan.groups.len();
        let soles = groups.map(|group| Sole::of(&common.shared, group).map(Rc::new)).collect();
        let worker = Rc::new(Worker {
            recorder: RefCell::new(Recorder::new(common.start, labels, index, seconds)),
            dialer: Dialer::new(Arc::clone(&common.connecting)),
            soles,
            constants: RefCell::default(),
            multiplex: Multiplex::default(),
            common,
            index,
            scratch: RefCell::default(),
            deadlines: Deadlines::new(),
            ending: Cell::new(false),
            busy: Cell::new(0),
            users: Cell::new(0),
            sources: Cell::new(0),
            changed: Notify::new(),
        });
        net::spawn(Rc::clone(&worker.deadlines).run());
        net::spawn(turn_seconds(Rc::clone(&worker)));
        net::sleep_until(worker.common.start).await;
        let mut groups = Vec::new();
        for number in 0..worker.common.plan.groups.len() {
            groups.push(Group::start(&worker, number)?);
        }
        let mut ended = reach_end(&worker, &mut interrupt).await;
        let unsent = groups.iter().map(Group::end).sum();
        worker.ending.set(true);
        let drained = async {
            while worker.busy.get() > 0 {
                worker.changed.notified().await;
            }
        };
        // Each has its own timeout, but nobody is made to wait for that.
        let patience = async {
            if ended == Ended::Finished {
                told(&mut interrupt).await;
            }
            net::sleep_until(Instant::now() + GRACE).await;
        };
        tokio::select! {
            () = drained => {}
            () = patience => {
                if ended == Ended::Finished {
                    // Somebody did not let it.
                    ended = Ended::Interrupted;
                }
            }
        }
        let levels = worker.levels();
        let record = worker.recorder.borrow_mut().finish(Instant::now(), levels);
        Ok(Share {
            record,
            unsent,
            given_up: levels.in_flight,
            exhausted: worker.dialer.exhausted(),
            ended,
            processor_time: usage::processor_time(UsageWho::RUSAGE_THREAD),
        })
    })?
}

/// Waits until the load is over: its time has come, nobody is left, or somebody ends it.
async fn reach_end(worker: &Worker, interrupt: &mut watch::Receiver<bool>) -> Ended {
    let mut stopped = worker.common.stopped.subscribe();
    let over = async {
        loop {
            worker.changed.notified().await;
            if worker.sources.get() == 0 && worker.users.get() == 0 {
                return;
            }
        }
    };
    let end = async {
        match worker.common.end {
            Some(end) => net::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => Ended::Finished,
        () = end => Ended::Finished,
        () = told(interrupt) => Ended::Interrupted,
        () = told(&mut stopped) => Ended::Stopped,
    }
}

/// Waits until it is told; for ever if there is nobody any more who could.
async fn told(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Tells of seconds in which nothing was counted, too.
async fn turn_seconds(worker: Rc<Worker>) {
    let mut next = worker.common.start;
    loop {
        next += Duration::from_secs(1);
        net::sleep_until(next).await;
        worker.record(Instant::now(), |_| ());
    }
}
