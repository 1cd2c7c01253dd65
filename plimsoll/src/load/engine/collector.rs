//! Joins what the threads tell each second, and tells how the run is doing.
//!
//! Invariants: a second is told once every thread has told its own, or a later one, or that it tells
//! no more (threads end at different times); seconds are told in order. Left out: sums, which come
//! from the threads at the end.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::watch;

use super::recorder::{Second, Told, by_kind};
use crate::config::bench::model::{Arrivals, Load, Plan};
use crate::load::arrivals::Curve;
use crate::load::progress::Progress;
use crate::load::tally::{Failure, Latencies};
use crate::load::timeline::{Bucket, Timeline};

/// The quantile of the lag that is told.
const LAG_QUANTILE: f64 = 0.99;

/// A second that not all threads have told: figures, lag, and failures by kind.
type Open = (Bucket, Latencies, [u64; Failure::ALL.len()]);

/// Joins the seconds of a run.
pub(super) struct Collector<'a> {
    observe: &'a mut dyn FnMut(&Progress),
    /// By thread: the first second that it has not told; `u64::MAX` where it tells no more.
    next: Vec<u64>,
    planned: Option<Duration>,
    /// Whether somebody asked for the end.
    stop: watch::Receiver<bool>,
    /// Of the open model.
    curves: Vec<Curve>,
    parts: f64,
    timeline: Timeline,
    /// Seconds that not all threads have told: what the others have.
    open: BTreeMap<u64, Open>,
    total: Bucket,
    failures: [u64; Failure::ALL.len()],
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &Plan,
        threads: usize,
        planned: Option<Duration>,
        stop: watch::Receiver<bool>,
        observe: &'a mut dyn FnMut(&Progress),
    ) -> Self {
        let curve = |group: &crate::config::bench::model::Group| match &group.load {
            Load::Open(open) => match &open.arrivals {
                Arrivals::Scheduled { stages, .. } => Some(Curve::new(stages)),
                Arrivals::Recorded(_) => None,
            },
            Load::Closed(_) => None,
        };
        Self {
            observe,
            next: vec![0; threads],
            planned,
            stop,
            curves: plan.groups.iter().filter_map(curve).collect(),
            parts: f64::from(plan.part.of.get()),
            timeline: Timeline::default(),
            open: BTreeMap::new(),
            total: Bucket::default(),
            failures: Default::default(),
        }
    }

    /// Takes what threads tell until all have ended; what happened when.
    pub(super) fn collect(mut self, told: &Receiver<Told>) -> Timeline {
        while let Ok(told) = told.recv() {
            self.follow(told);
        }
        // A thread that broke down said nothing.
        self.tell_before(u64::MAX);
        self.timeline
    }

    fn follow(&mut self, Told { thread, second }: Told) {
        self.next[thread] = second.as_ref().map_or(u64::MAX, |second| second.number + 1);
        if let Some(second) = second {
            self.take(second);
        }
        let complete = self.next.iter().copied().min().unwrap_or_default();
        self.tell_before(complete);
    }

    fn take(&mut self, second: Second) {
        self.timeline.add(second.number, &second.bucket);
        let (bucket, lag, failures) = self.open.entry(second.number).or_default();
        bucket.absorb(&second.bucket);
        bucket.in_flight += second.bucket.in_flight;
        bucket.users += second.bucket.users;
        lag.absorb(&second.lag);
        for (sum, count) in failures.iter_mut().zip(second.failures) {
            *sum += count;
        }
    }

    /// Tells of all seconds before this one.
    fn tell_before(&mut self, end: u64) {
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() < end) {
            let (number, (bucket, lag, failures)) = entry.remove_entry();
            self.total.requests += bucket.requests;
            self.total.errors += bucket.errors;
            self.total.response_time.absorb(&bucket.response_time);
            for (sum, count) in self.failures.iter_mut().zip(failures) {
                *sum += count;
            }
            self.tell(number, bucket, &lag);
        }
    }

    fn tell(&mut self, number: u64, bucket: Bucket, lag: &Latencies) {
        let elapsed = Duration::from_secs(number + 1);
        // In the middle: at its end, the last stage may be over.
        let middle = elapsed - Duration::from_millis(500);
        let rate = self.curves.iter().map(|curve| curve.level(middle)).sum::<f64>() / self.parts;
        (self.observe)(&Progress {
            elapsed,
            planned: self.planned,
            second: bucket,
            total_requests: self.total.requests,
            total_errors: self.total.errors,
            failures: by_kind(&self.failures),
            response_time: self.total.response_time.clone(),
            target_rate: (!self.curves.is_empty()).then_some(rate),
            lag: lag.quantile(LAG_QUANTILE),
            stopping: self.planned.is_some_and(|planned| elapsed >= planned) || *self.stop.borrow(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::bench::model::{Part, Step};
    use crate::load::engine::tests::peer::{get, plan, rate};

    fn second(thread: usize, number: u64) -> Told {
        let bucket = Bucket { requests: 10 + number, users: 1, ..Bucket::default() };
        let (failures, lag) = (Default::default(), Latencies::default());
        Told { thread, second: Some(Second { number, bucket, failures, lag }) }
    }

    #[test]
    fn a_second_is_told_once_nobody_will_tell_more_of_it() {
        let request = Step::Request(Box::new(get("http://a/".into())));
        let mut plan = plan(rate(27.0, Duration::from_secs(3), 1), vec![request]);
        plan.part = Part { index: 1, of: NonZeroU32::new(3).unwrap() };
        let told = RefCell::new(Vec::new());
        let mut observe = |one: &Progress| {
            // That of this process, up to the very end.
            assert_eq!(one.target_rate, Some(9.0));
            assert_eq!(one.stopping, one.elapsed > Duration::from_secs(2));
            let second = (one.elapsed.as_secs(), one.second.requests, one.second.users);
            told.borrow_mut().push((second, one.total_requests));
        };
        let (stop, stopped) = watch::channel(false);
        let mut collector = Collector::new(&plan, 2, None, stopped, &mut observe);
        let mut follow = |message| {
            collector.follow(message);
            told.take()
        };
        let end = |thread| Told { thread, second: None };
        assert_eq!(follow(second(0, 0)), []);
        assert_eq!(follow(second(0, 1)), []);
        assert_eq!(follow(second(1, 0)), [((1, 20, 2), 20)]);
        // The reader was too slow for the next, so that the thread left it out.
        assert_eq!(follow(second(1, 2)), [((2, 11, 1), 31)]);
        stop.send_replace(true);
        // A thread that has ended is waited for no more.
        assert_eq!(follow(end(0)), [((3, 12, 1), 43)]);
        assert_eq!(follow(end(1)), []);
    }
}
