//! Joins what the threads tell each second, and tells how the run is doing.
//!
//! Invariant: a second is told once all threads have told theirs. Left out: sums, which come from
//! the threads at the end.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::recorder::{Second, by_kind};
use crate::config::bench::model::{Arrivals, Load, Plan};
use crate::load::arrivals::Curve;
use crate::load::progress::Progress;
use crate::load::tally::{Failure, Latencies};
use crate::load::timeline::{Bucket, Timeline};

/// The quantile of the lag that is told.
const LAG_QUANTILE: f64 = 0.99;

/// Joins the seconds of a run.
pub(super) struct Collector<'a> {
    observe: &'a mut dyn FnMut(&Progress),
    threads: usize,
    planned: Option<Duration>,
    /// Of the open model.
    curves: Vec<Curve>,
    parts: f64,
    timeline: Timeline,
    /// Seconds that not all threads have told: how many have, what, and the lag.
    open: BTreeMap<u64, (usize, Bucket, Latencies)>,
    total: Bucket,
    failures: [u64; Failure::ALL.len()],
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &Plan,
        threads: usize,
        planned: Option<Duration>,
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
            threads,
            planned,
            curves: plan.groups.iter().filter_map(curve).collect(),
            parts: f64::from(plan.part.of.get()),
            timeline: Timeline::default(),
            open: BTreeMap::new(),
            total: Bucket::default(),
            failures: Default::default(),
        }
    }

    /// Takes what threads tell until all have ended; what happened when.
    pub(super) fn collect(mut self, seconds: &Receiver<Second>) -> Timeline {
        while let Ok(second) = seconds.recv() {
            self.take(second);
        }
        // Threads end in different seconds.
        while let Some(number) = self.open.keys().next().copied() {
            self.tell(number);
        }
        self.timeline
    }

    fn take(&mut self, second: Second) {
        self.timeline.add(second.number, &second.bucket);
        self.total.requests += second.bucket.requests;
        self.total.errors += second.bucket.errors;
        self.total.response_time.absorb(&second.bucket.response_time);
        for (sum, count) in self.failures.iter_mut().zip(second.failures) {
            *sum += count;
        }
        let (threads, bucket, lag) = self.open.entry(second.number).or_default();
        *threads += 1;
        bucket.absorb(&second.bucket);
        bucket.in_flight += second.bucket.in_flight;
        bucket.users += second.bucket.users;
        lag.absorb(&second.lag);
        if *threads == self.threads {
            self.tell(second.number);
        }
    }

    fn tell(&mut self, number: u64) {
        let Some((_, bucket, lag)) = self.open.remove(&number) else { return };
        let elapsed = Duration::from_secs(number + 1);
        let rate = self.curves.iter().map(|curve| curve.level(elapsed)).sum::<f64>() / self.parts;
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
            stopping: self.planned.is_some_and(|planned| elapsed >= planned),
        });
    }
}
