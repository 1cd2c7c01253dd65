//! What happened when: the figures of a run by the second, in memory that does not grow.
//!
//! A run of any length is kept as at most [`BUCKETS_MAX`] buckets of equal width. When there would be
//! more, neighbours are joined and the width doubles: a second at first, two after twenty minutes.
//! Buckets hold histograms, so that a joined bucket's percentile is exact.
//!
//! Invariant: bucket `i` covers `[i × width, (i + 1) × width)` of the time since the start; a request
//! belongs to the bucket in which it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::results::of_instance;
use super::tally::Latencies;

/// Most buckets.
pub const BUCKETS_MAX: usize = 1200;
/// The width of a bucket at first.
pub const FIRST_WIDTH: Duration = Duration::from_secs(1);

/// The figures of a run by time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// How long a bucket is: a power of two of seconds.
    pub width: Duration,
    /// From the start on, without gaps; at most [`BUCKETS_MAX`].
    pub buckets: Vec<Bucket>,
}

/// What ended within a bucket's time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bucket {
    /// Requests that ended.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// Iterations that should have begun, in the open model.
    pub due: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Requests under way at its end.
    pub in_flight: u64,
    /// Users that were there at its end.
    pub users: u64,
    /// Response times, as in a tally.
    pub response_time: Latencies,
    /// Answers by instance; as many as are told apart.
    pub instances: BTreeMap<String, u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: FIRST_WIDTH, buckets: Vec::new() }
    }
}

impl Bucket {
    /// Adds a later bucket (or one of another process over the same time).
    pub fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.due += other.due;
        self.bytes_received += other.bytes_received;
        self.response_time.absorb(&other.response_time);
        for (instance, count) in &other.instances {
            *of_instance(&mut self.instances, instance) += count;
        }
    }
}

impl Timeline {
    /// Adds what ended in a second (counted from the start) in one thread. Levels (in flight,
    /// users) of several threads add up.
    pub fn add(&mut self, second: u64, figures: &Bucket) {
        loop {
            let index = (second / self.width.as_secs().max(1)) as usize;
            if index < BUCKETS_MAX {
                if self.buckets.len() <= index {
                    self.buckets.resize_with(index + 1, Bucket::default);
                }
                let bucket = &mut self.buckets[index];
                bucket.absorb(figures);
                // A bucket's level is that of its last second.
                if second + 1 == (index as u64 + 1) * self.width.as_secs() {
                    bucket.in_flight += figures.in_flight;
                    bucket.users += figures.users;
                }
                return;
            }
            self.halve();
        }
    }

    /// Joins neighbours: half as many buckets, twice as wide.
    pub fn halve(&mut self) {
        self.width *= 2;
        let mut joined = Vec::with_capacity(BUCKETS_MAX);
        for pair in self.buckets.chunks(2) {
            let mut bucket = pair[0].clone();
            if let Some(later) = pair.get(1) {
                bucket.absorb(later);
                bucket.in_flight = later.in_flight;
                bucket.users = later.users;
            }
            joined.push(bucket);
        }
        self.buckets = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_keep_sums_and_the_levels_of_each_buckets_end() {
        let mut timeline = Timeline::default();
        let seconds = BUCKETS_MAX as u64 * 3;
        for second in 0..seconds {
            let bucket =
                Bucket { requests: 2, in_flight: second, users: second + 1, ..Bucket::default() };
            timeline.add(second, &bucket);
        }
        assert_eq!(timeline.width, Duration::from_secs(4));
        assert_eq!(timeline.buckets.len(), 900);
        for (index, bucket) in timeline.buckets.iter().enumerate() {
            let last = index as u64 * 4 + 3;
            let levels = (bucket.in_flight, bucket.users);
            assert_eq!((bucket.requests, levels), (8, (last, last + 1)));
        }
    }
}
