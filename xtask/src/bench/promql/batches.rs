//! The fleet's samples as remote-write requests, put together once for all stores.
//!
//! In the order of time, each request with one sample of each of 2000 series: as many as a
//! Prometheus sends at once.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use tsdb::remote_write::Encoder;

use super::fleet::{Fleet, INTERVAL, Instance, SERIES_PER_INSTANCE};

/// Instances whose samples share a request.
const INSTANCES_PER_REQUEST: usize = 10;
/// Samples end at a whole minute.
const MINUTE: i64 = 60_000;

/// Everything that is sent.
pub(super) struct Batches {
    /// Bodies, in the order in which they are sent.
    pub(super) bodies: Vec<Vec<u8>>,
    pub(super) span: Span,
}

/// When the samples are from.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Milliseconds since 1970; samples lie in `start..end`.
    pub(super) start: i64,
    pub(super) end: i64,
    /// When each instance is read within an interval.
    phases: Vec<i64>,
}

impl Batches {
    /// Of so many instances over so long, ending now.
    pub(super) fn prepare(instances: usize, minutes: i64) -> anyhow::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
        let now = i64::try_from(now.as_millis()).context("the clock is wrong")?;
        let mut fleet = Fleet::new(instances);
        let end = now / MINUTE * MINUTE;
        let start = end - minutes * MINUTE;
        let phases = fleet.instances.iter().map(|instance| instance.phase).collect();
        let span = Span { start, end, phases };
        // Instances know nothing of each other.
        let groups: Vec<Vec<Vec<u8>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = fleet
                .instances
                .chunks_mut(INSTANCES_PER_REQUEST)
                .map(|group| scope.spawn(|| bodies(group, start, end)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
                .collect::<anyhow::Result<_>>()
        })?;
        let mut groups: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
        let mut all = Vec::new();
        // One of each group in turn, until they are used up together.
        loop {
            let before = all.len();
            all.extend(groups.iter_mut().filter_map(Iterator::next));
            if all.len() == before {
                return Ok(Self { bodies: all, span });
            }
        }
    }
}

impl Span {
    /// Series in all.
    pub(super) fn series(&self) -> u64 {
        (self.phases.len() * SERIES_PER_INSTANCE) as u64
    }

    /// Samples in all.
    pub(super) fn samples(&self) -> u64 {
        self.samples_in(self.start, self.end)
    }

    /// Samples in `from..to`.
    pub(super) fn samples_in(&self, from: i64, to: i64) -> u64 {
        let (from, to) = (from.max(self.start), to.min(self.end));
        // Reads of one instance before a time.
        let before = |time: i64, phase: i64| (time - self.start - phase + INTERVAL - 1) / INTERVAL;
        let of = |phase: &i64| (before(to, *phase) - before(from, *phase)).max(0).unsigned_abs();
        self.phases.iter().map(of).sum::<u64>() * SERIES_PER_INSTANCE as u64
    }
}

/// The requests of a group of instances.
fn bodies(group: &mut [Instance], start: i64, end: i64) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut bodies = Vec::new();
    let mut values = Vec::with_capacity(SERIES_PER_INSTANCE);
    for (round, time) in (start..end).step_by(INTERVAL as usize).enumerate() {
        let mut encoder = Encoder::new();
        for instance in &mut *group {
            values.clear();
            instance.read(round, &mut values);
            for (labels, value) in instance.labels.iter().zip(&values) {
                encoder.series(labels, &[(time + instance.phase, *value)]);
            }
        }
        bodies.push(encoder.finish()?);
    }
    Ok(bodies)
}

#[cfg(test)]
mod tests {
    use tsdb::remote_write::{Limits, Request};

    use super::{Batches, INTERVAL};

    #[test]
    fn requests_rise_in_time_and_hold_every_sample() {
        let batches = Batches::prepare(20, 5).unwrap();
        assert_eq!(batches.bodies.len(), 2 * 20);
        let (mut samples, mut last) = (0, batches.span.start);
        for body in &batches.bodies {
            let request = Request::decode(body, &Limits::default()).unwrap();
            let times: Vec<i64> =
                request.series().flat_map(|series| series.samples).map(|sample| sample.0).collect();
            samples += times.len() as u64;
            assert!(times.is_sorted() && times[0] > last, "{times:?} after {last}");
            last = times[times.len() - 1];
        }
        assert!(last < batches.span.end && last > batches.span.end - INTERVAL);
        assert_eq!((batches.span.samples(), batches.span.series()), (samples, 4000));
    }

    #[test]
    fn samples_of_a_part_are_counted() {
        let span = Batches::prepare(10, 6).unwrap().span;
        let third = span.start + 2 * 60_000;
        assert_eq!(
            span.samples_in(i64::MIN, third) + span.samples_in(third, i64::MAX),
            span.samples()
        );
        assert_eq!(span.samples_in(span.start, third) * 3, span.samples());
        assert_eq!(span.samples_in(span.start, span.start + 38), 200, "one instance was read");
    }
}
