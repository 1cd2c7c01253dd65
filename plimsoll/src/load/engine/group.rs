//! A group's part on one thread: brings its users, and hands arrivals to them.
//!
//! Open model: one task waits for the next arrival, by a timer precise to tens of microseconds, and a
//! user that has finished takes what is due meanwhile by itself. Closed model: one task brings users
//! as the stages say.
//!
//! Left out: what a user does (see `user`), which arrivals there are (see `pacer`).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::pacer::Queue;
use super::user::{Begin, User};
use super::worker::{Busy, Worker};
use crate::config::bench::model::{Closed, Load, Open};
use crate::load::arrivals::{Curve, Schedule, Share};
use crate::net::{self, Timer};

/// Least time between two looks at the clock for arrivals while the thread keeps up: those of this
/// time begin together, which at low rates means that each begins when it should.
const PACE_MIN: Duration = Duration::from_micros(50);
/// The same of a thread that does not keep up. What begins together is cheaper, so that a thread that
/// is late anyway catches up; beyond this, lag would exceed a millisecond.
const PACE_MAX: Duration = Duration::from_micros(500);

/// The next pace, after a look that came this late: twice as long where the thread was busy for half
/// of the time and more, else a little shorter.
fn next_pace(pace: Duration, late: Duration) -> Duration {
    let pace = if late > pace / 2 { pace * 2 } else { pace * 15 / 16 };
    pace.clamp(PACE_MIN, PACE_MAX)
}

/// A group on one thread.
#[derive(Debug)]
pub(super) enum Group {
    /// Of the open model.
    Open(Rc<OpenGroup>),
    /// Of the closed model.
    Closed,
}

impl Group {
    /// Begins to bring the users of a group.
    ///
    /// # Errors
    /// When the kernel gives no timer.
    pub(super) fn start(worker: &Rc<Worker>, number: usize) -> io::Result<Self> {
        let plan = &worker.common.plan;
        let share = Share::of_thread(plan.part, worker.index, worker.common.threads);
        match &plan.groups[number].load {
            Load::Open(open) => {
                let group = Rc::new(OpenGroup::new(worker, number, open, share));
                let timer = Timer::new()?;
                net::spawn(Rc::clone(&group).pace(timer));
                Ok(Self::Open(group))
            }
            Load::Closed(closed) => {
                net::spawn(bring_users(Rc::clone(worker), number, closed.clone(), share));
                Ok(Self::Closed)
            }
        }
    }

    /// At the end of the run, before it is called that: gives out what is due by now and can be
    /// taken. How many iterations never began.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Open(group) => {
                group.give_out(Instant::now());
                group.queue.borrow().backlog()
            }
            Self::Closed => 0,
        }
    }
}

/// A group of the open model on one thread.
#[derive(Debug)]
pub(super) struct OpenGroup {
    worker: Rc<Worker>,
    number: usize,
    share: Share,
    queue: RefCell<Queue>,
    /// Users without an iteration, the last to become so at the end.
    idle: RefCell<Vec<Rc<Seat>>>,
    users: Cell<usize>,
    /// How many users ever came, of whom some may have left.
    brought: Cell<u64>,
    users_max: usize,
}

/// Where a user waits for its next iteration.
#[derive(Debug, Default)]
pub(super) struct Seat {
    given: RefCell<Option<(Duration, Busy)>>,
    waker: RefCell<Option<Waker>>,
}

impl OpenGroup {
    fn new(worker: &Rc<Worker>, number: usize, open: &Open, share: Share) -> Self {
        let common = &worker.common;
        // Each thread and group draws numbers of its own.
        let seed = common.seed
            ^ (share.index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (number as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let (threads, streams) = (common.threads, common.plan.http.streams);
        let connections = open.in_flight_max.div_ceil(streams);
        // One at least: each thread has a part of the arrivals.
        let connections = ((connections + threads - 1 - worker.index) / threads).max(1);
        Self {
            worker: Rc::clone(worker),
            number,
            share,
            queue: RefCell::new(Queue::new(Schedule::new(&open.arrivals, share, seed))),
            idle: RefCell::default(),
            users: Cell::new(0),
            brought: Cell::new(0),
            users_max: connections * streams,
        }
    }

    /// Begins iterations when they are due, until there are no more.
    async fn pace(self: Rc<Self>, timer: Timer) {
        let source = self.worker.source();
        let mut pace = PACE_MIN;
        let mut now = Instant::now();
        while !self.worker.ending.get() {
            self.give_out(now);
            let Some(next) = self.queue.borrow().next() else { break };
            let pause = next.saturating_sub(self.worker.elapsed(now)).max(pace);
            if timer.wait(pause).await.is_err() {
                net::sleep_until(now + pause).await;
            }
            let woken = Instant::now();
            pace = next_pace(pace, woken.saturating_duration_since(now + pause));
            now = woken;
        }
        drop(source);
    }

    /// Counts what has become due and gives it to whoever is free.
    fn give_out(self: &Rc<Self>, now: Instant) {
        self.count_due(now);
        while self.queue.borrow().backlog() > 0 {
            let seat = self.idle.borrow_mut().pop();
            if seat.is_none() && self.users.get() >= self.users_max {
                return;
            }
            let Some(intended) = self.queue.borrow_mut().take() else { return };
            let given = (intended, self.worker.busy());
            match seat {
                Some(seat) => {
                    *seat.given.borrow_mut() = Some(given);
                    if let Some(waker) = seat.waker.borrow_mut().take() {
                        waker.wake();
                    }
                }
                None => self.bring_user(given),
            }
        }
    }

    fn count_due(&self, now: Instant) {
        let elapsed = self.worker.elapsed(now);
        let mut queue = self.queue.borrow_mut();
        if queue.next().is_none_or(|next| next > elapsed) {
            return;
        }
        let free = self.idle.borrow().len() + self.users_max - self.users.get();
        self.worker.record(now, |recorder| {
            while let Some(intended) = queue.due(elapsed) {
                recorder.due(elapsed - intended, queue.backlog() > free as u64);
            }
        });
    }

    fn bring_user(self: &Rc<Self>, given: (Duration, Busy)) {
        self.users.set(self.users.get() + 1);
        let ordinal = self.brought.replace(self.brought.get() + 1);
        let number = self.share.index + self.share.of * ordinal;
        let group = Rc::clone(self);
        // From now on, not when its task comes to run: it may be the only one that is there.
        let present = self.worker.present();
        net::spawn(async move {
            let mut user = User::new(&group.worker, group.number, number);
            let seat = Rc::new(Seat::default());
            let mut next = Some(given);
            while let Some((intended, busy)) = next {
                let begin = Begin::Intended(group.worker.common.start + intended);
                let (now, stays) = user.iterate(begin, busy).await;
                if !stays {
                    break;
                }
                next = group.next(&seat, &mut user, now).await;
            }
            group.users.set(group.users.get() - 1);
            if !group.worker.ending.get() {
                // Arrivals may wait for one that stays.
                group.give_out(Instant::now());
            }
            drop(present);
        });
    }

    /// The next iteration of a user that has finished one.
    async fn next(
        &self,
        seat: &Rc<Seat>,
        user: &mut User,
        now: Instant,
    ) -> Option<(Duration, Busy)> {
        if self.worker.ending.get() {
            return None;
        }
        self.count_due(now);
        if let Some(intended) = self.queue.borrow_mut().take() {
            return Some((intended, self.worker.busy()));
        }
        self.idle.borrow_mut().push(Rc::clone(seat));
        poll_fn(|context| match seat.given.borrow_mut().take() {
            Some(given) => Poll::Ready(Some(given)),
            None => {
                *seat.waker.borrow_mut() = Some(context.waker().clone());
                user.attend(context);
                Poll::Pending
            }
        })
        .await
    }
}

/// Brings the users of a group of the closed model, each at its time.
async fn bring_users(worker: Rc<Worker>, group: usize, closed: Closed, share: Share) {
    let source = worker.source();
    let curve = Curve::new(&closed.stages);
    // Those of one connection are on one thread.
    let streams = worker.common.plan.http.streams as u64;
    for number in share.members(curve.highest().ceil() as u64, streams) {
        let spans = curve.above(number as f64);
        let Some((from, _)) = spans.first().copied() else { continue };
        let from = worker.common.start + from;
        if from > Instant::now() {
            net::sleep_until(from).await;
        }
        // Nobody waits for users for whom nothing is left to do.
        if worker.ending.get() || !worker.common.has_iterations(group) {
            return;
        }
        let iterations = closed.iterations_per_user;
        net::spawn(stay(Rc::clone(&worker), group, number, spans, iterations));
    }
    // Kept until those that were brought count themselves.
    net::yield_now().await;
    drop(source);
}

/// A user of the closed model: comes and goes as the stages say.
async fn stay(
    worker: Rc<Worker>,
    group: usize,
    number: u64,
    spans: Vec<(Duration, Option<Duration>)>,
    iterations: Option<u64>,
) {
    let mut user = User::new(&worker, group, number);
    let mut left = iterations.unwrap_or(u64::MAX);
    for (from, until) in spans {
        let source = worker.source();
        let from = worker.common.start + from;
        let mut now = Instant::now();
        if from > now {
            net::sleep_until(from).await;
            now = Instant::now();
        }
        let _present = worker.present();
        drop(source);
        let until = until.and_then(|until| worker.common.start.checked_add(until));
        while until.is_none_or(|until| now < until) {
            if worker.ending.get() || left == 0 || !worker.common.claim_iteration(group) {
                return;
            }
            left -= 1;
            let stays;
            (now, stays) = user.iterate(Begin::At(now), worker.busy()).await;
            if !stays {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_late_lets_more_begin_together() {
        let micros = Duration::from_micros;
        assert_eq!(next_pace(PACE_MIN, micros(10)), PACE_MIN);
        assert_eq!(next_pace(PACE_MIN, micros(30)), micros(100));
        assert_eq!(next_pace(micros(400), micros(300)), PACE_MAX);
        assert_eq!(next_pace(micros(160), micros(20)), micros(150));
    }
}
