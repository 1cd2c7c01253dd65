//! Peak-sensitive moving average of a server's latency, in one atomic.
//!
//! As Finagle's and Linkerd's peak-EWMA: a reply slower than the average *becomes* the average
//! at once, faster ones pull it down over [`DECAY`], and time alone pulls it towards zero, so
//! that a server which was slow long ago is tried again. Latency and time stamp share one 64-bit
//! word, so an update is one load and one store; of two simultaneous updates one may be lost,
//! which an average forgives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time in which an old value loses 63 % of its weight. Finagle's and Linkerd's default.
pub(crate) const DECAY: Duration = Duration::from_secs(10);

/// What a failure counts at least: far above any reply that a busy service gives, and back at
/// 1 % of it after 46 s.
pub(crate) const FAILURE_PENALTY: Duration = Duration::from_secs(1);

/// Time stamps count units of 2^16 ns (65 µs); 32 bits of them wrap after 78 hours, when a wrong
/// weight for one reply does no harm.
const STAMP_SHIFT: u32 = 16;

/// The average of one server: latency in nanoseconds as an `f32` in the lower half, time stamp
/// in the upper. 0 is "nothing known".
#[derive(Debug, Default)]
pub(crate) struct LatencyAverage(AtomicU64);

impl LatencyAverage {
    /// Takes a reply's latency in. `now_nanos` is on any clock that all callers share.
    pub(crate) fn observe(&self, latency: Duration, now_nanos: u64) {
        let sample = latency.as_nanos() as f32;
        let (average, age) = self.read(now_nanos);
        let average = match age {
            Some(age) if average > sample => sample + (average - sample) * weight(age),
            _ => sample,
        };
        // At least 1 ns, so that a known latency is never the 0 of an unknown one.
        let bits = u64::from(average.max(1.0).to_bits());
        self.0.store(stamp(now_nanos) << 32 | bits, Ordering::Relaxed);
    }

    /// Takes a failure in: as a reply of at least [`FAILURE_PENALTY`].
    pub(crate) fn penalise(&self, latency: Duration, now_nanos: u64) {
        self.observe(latency.max(FAILURE_PENALTY), now_nanos);
    }

    /// Nanoseconds, decayed to `now_nanos`; `None` before the first observation.
    pub(crate) fn nanos(&self, now_nanos: u64) -> Option<f32> {
        let (average, age) = self.read(now_nanos);
        age.map(|age| average * weight(age))
    }

    fn read(&self, now_nanos: u64) -> (f32, Option<u32>) {
        let word = self.0.load(Ordering::Relaxed);
        if word == 0 {
            return (0.0, None);
        }
        let age = (stamp(now_nanos) as u32).wrapping_sub((word >> 32) as u32);
        // A stamp ahead of ours is another core's, taken a moment later.
        (f32::from_bits(word as u32), Some(if age > u32::MAX / 2 { 0 } else { age }))
    }
}

fn stamp(nanos: u64) -> u64 {
    nanos >> STAMP_SHIFT & u64::from(u32::MAX)
}

/// What is left of a value after `age` units: e^(-age/DECAY).
fn weight(age: u32) -> f32 {
    let decay_units = (DECAY.as_nanos() >> STAMP_SHIFT) as f32;
    (-(age as f32) / decay_units).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const MILLI: f32 = 1e6;

    fn close(left: Option<f32>, right: f32) -> bool {
        left.is_some_and(|left| (left / right - 1.0).abs() < 0.01)
    }

    #[test]
    fn a_slow_reply_counts_at_once_and_fades() {
        let average = LatencyAverage::default();
        assert_eq!(average.nanos(0), None);
        average.observe(Duration::from_millis(10), 100 * SECOND);
        assert!(close(average.nanos(100 * SECOND), 10.0 * MILLI));
        average.observe(Duration::from_millis(500), 101 * SECOND);
        assert!(close(average.nanos(101 * SECOND), 500.0 * MILLI));
        average.observe(Duration::from_millis(400), 101 * SECOND);
        assert!(close(average.nanos(101 * SECOND), 500.0 * MILLI), "a faster one does not");
        // Ten seconds later the peak weighs 1/e of it.
        average.observe(Duration::from_millis(10), 111 * SECOND);
        assert!(close(average.nanos(111 * SECOND), (10.0 + 490.0 / 1f32.exp()) * MILLI));
        // Without traffic it fades by itself.
        assert!(average.nanos(200 * SECOND).is_some_and(|nanos| nanos < MILLI));
    }

    #[test]
    fn a_quick_failure_is_not_a_quick_reply() {
        let average = LatencyAverage::default();
        average.penalise(Duration::from_micros(80), SECOND);
        assert!(close(average.nanos(SECOND), 1000.0 * MILLI));
        average.penalise(Duration::from_secs(3), SECOND);
        assert!(close(average.nanos(SECOND), 3000.0 * MILLI));
    }

    #[test]
    fn a_clock_slightly_behind_is_no_age() {
        let average = LatencyAverage::default();
        average.observe(Duration::from_millis(10), 100 * SECOND);
        assert!(close(average.nanos(99 * SECOND), 10.0 * MILLI));
    }
}
