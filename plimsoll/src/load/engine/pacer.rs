//! Arrivals of the open model on one thread: which is due, which waits, and who takes it.
//!
//! An arrival that is due goes to a user that is idle, or to a new one as long as there may be more;
//! otherwise it waits, and its wait counts, because its intended time stays what it was. The queue of
//! those that wait takes no memory: it is the same schedule, read a second time.
//!
//! Invariants: arrivals are taken in order, each once; `due − taken` wait. Left out: clocks and
//! timers (see `worker`).

use std::time::Duration;

use crate::load::arrivals::Schedule;

/// The arrivals of one group on one thread. Times are since the start.
#[derive(Debug)]
pub(super) struct Queue {
    /// What will be due after `next`.
    schedule: Schedule,
    next: Option<Duration>,
    /// The same schedule, from the first arrival on that nobody has taken.
    waiting: Schedule,
    /// How many are due that nobody has taken.
    backlog: u64,
}

impl Queue {
    /// Of a schedule from its beginning.
    pub(super) fn new(mut schedule: Schedule) -> Self {
        let waiting = schedule.clone();
        let next = schedule.next();
        Self { schedule, next, waiting, backlog: 0 }
    }

    /// When the next becomes due; `None` if there is none any more.
    #[inline]
    pub(super) fn next(&self) -> Option<Duration> {
        self.next
    }

    /// When the next arrival should begin that has become due by `now`. It joins the queue.
    #[inline]
    pub(super) fn due(&mut self, now: Duration) -> Option<Duration> {
        let intended = self.next.filter(|next| *next <= now)?;
        self.next = self.schedule.next();
        self.backlog += 1;
        Some(intended)
    }

    /// Takes the first arrival of the queue: when it should have begun.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Duration> {
        if self.backlog == 0 {
            return None;
        }
        self.backlog -= 1;
        self.waiting.next()
    }

    /// How many wait.
    pub(super) fn backlog(&self) -> u64 {
        self.backlog
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::bench::model::{Arrivals, Spacing, Stage};
    use crate::load::arrivals::Share;

    #[test]
    fn each_arrival_is_due_and_taken_once_and_in_order() {
        let millis = Duration::from_millis;
        for spacing in [Spacing::Even, Spacing::Poisson] {
            let stage = Stage { from: 1000.0, to: 1000.0, lasting: millis(100) };
            let arrivals = Arrivals::Scheduled { stages: vec![stage], spacing };
            let schedule = Schedule::new(&arrivals, Share { index: 0, of: 1 }, 3);
            let all: Vec<Duration> = schedule.clone().collect();
            let mut queue = Queue::new(schedule);
            assert_eq!((queue.due(Duration::ZERO), queue.take()), (None, None));
            let (mut due, mut taken) = (Vec::new(), Vec::new());
            for now in [millis(10), millis(11), millis(60), millis(100)] {
                while let Some(arrival) = queue.due(now) {
                    due.push(arrival);
                }
                // Nobody has time for more than twenty.
                taken.extend((0..20).map_while(|_| queue.take()));
            }
            assert_eq!(due, all, "{spacing:?}");
            assert_eq!(taken, all[..taken.len()]);
            assert_eq!(queue.backlog(), (due.len() - taken.len()) as u64);
            assert_eq!(queue.next(), None);
        }
    }
}
