//! Deadlines of one worker's connections: set for each request, almost never reached.
//!
//! A deadline is a number in a slab; setting one is a store. One timer for the whole worker sleeps
//! until the earliest deadline *that it knew of*; when it wakes it looks through the slab, wakes the
//! tasks whose time has come and sleeps again. Deadlines that moved later meanwhile cost nothing,
//! and one that is earlier than the timer (rare) wakes the timer once.
//!
//! Invariants: a fired deadline stays fired until it is set again; firing is never early, and late by
//! [`GRANULARITY`] plus the scan at most. Left out: ordering between deadlines.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super as net;

/// Least time between two scans of the slab.
const GRANULARITY: Duration = Duration::from_millis(5);
/// Scanning may take at most one part in this of the worker's time: the pause between scans grows
/// with the number of deadlines (each costs about a nanosecond).
const NANOS_PAUSE_PER_ENTRY: u64 = 1_000;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// All deadlines of a worker.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// Nanoseconds are counted from here.
    start: Instant,
    entries: RefCell<Vec<Entry>>,
    /// Slots of `entries` that nothing uses.
    free: RefCell<Vec<u32>>,
    /// When the timer will wake; `NEVER` while it sleeps for good.
    alarm: Cell<u64>,
    /// The timer's task.
    timer: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Entry {
    /// Nanoseconds since `start`; 0 is "fired".
    at: u64,
    waker: Option<Waker>,
}

impl Deadlines {
    /// No deadlines yet; [`Deadlines::run`] must be running for any to fire.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            start: Instant::now(),
            entries: RefCell::default(),
            free: RefCell::default(),
            alarm: Cell::new(NEVER),
            timer: RefCell::new(None),
        })
    }

    /// A new deadline that is not set.
    pub(crate) fn add(self: &Rc<Self>) -> Deadline {
        let mut entries = self.entries.borrow_mut();
        let entry = Entry { at: NEVER, waker: None };
        let slot = match self.free.borrow_mut().pop() {
            Some(slot) => {
                entries[slot as usize] = entry;
                slot
            }
            None => {
                entries.push(entry);
                (entries.len() - 1) as u32
            }
        };
        Deadline { all: Rc::clone(self), slot }
    }

    /// The timer: never ends.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            let alarm = self.alarm.get();
            if alarm == NEVER {
                poll_fn(|context| {
                    self.listen(context);
                    if self.alarm.get() == NEVER { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                continue;
            }
            let mut sleep = pin!(net::sleep_until(self.start + Duration::from_nanos(alarm)));
            let due = poll_fn(|context| {
                self.listen(context);
                if self.alarm.get() < alarm {
                    return Poll::Ready(false);
                }
                sleep.as_mut().poll(context).map(|()| true)
            })
            .await;
            if due {
                self.scan();
            }
        }
    }

    fn listen(&self, context: &Context<'_>) {
        let mut timer = self.timer.borrow_mut();
        if !timer.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *timer = Some(context.waker().clone());
        }
    }

    /// Fires what is due and sets the alarm to the earliest of the rest.
    fn scan(&self) {
        let now = self.nanos(Instant::now());
        let mut earliest = NEVER;
        let mut entries = self.entries.borrow_mut();
        for entry in entries.iter_mut() {
            if entry.at == 0 {
                continue;
            }
            if entry.at <= now {
                entry.at = 0;
                // Waking only queues the task, so nothing re-enters the borrow.
                if let Some(waker) = &entry.waker {
                    waker.wake_by_ref();
                }
            } else {
                earliest = earliest.min(entry.at);
            }
        }
        let pause =
            (GRANULARITY.as_nanos() as u64).max(entries.len() as u64 * NANOS_PAUSE_PER_ENTRY);
        self.alarm.set(if earliest == NEVER { NEVER } else { earliest.max(now + pause) });
    }

    fn nanos(&self, at: Instant) -> u64 {
        // A u64 of nanoseconds lasts 584 years.
        at.saturating_duration_since(self.start).as_nanos() as u64
    }

    fn set(&self, slot: u32, at: u64) {
        self.entries.borrow_mut()[slot as usize].at = at;
        if at < self.alarm.get() {
            self.alarm.set(at);
            if let Some(timer) = &*self.timer.borrow() {
                timer.wake_by_ref();
            }
        }
    }
}

/// One deadline; removed when dropped.
#[derive(Debug)]
pub(crate) struct Deadline {
    all: Rc<Deadlines>,
    slot: u32,
}

impl Deadline {
    /// Fires at `now + after` instead of whenever it would have.
    pub(crate) fn set(&self, now: Instant, after: Duration) {
        let at = self.all.nanos(now).saturating_add(after.as_nanos().min(u64::MAX as u128) as u64);
        self.all.set(self.slot, at.clamp(1, NEVER - 1));
    }

    /// Ready once the time has come; the calling task is woken then.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let entry = &mut self.all.entries.borrow_mut()[self.slot as usize];
        if entry.at == 0 {
            return Poll::Ready(());
        }
        if !entry.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            entry.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.all.entries.borrow_mut()[self.slot as usize] = Entry { at: NEVER, waker: None };
        self.all.free.borrow_mut().push(self.slot);
    }
}
