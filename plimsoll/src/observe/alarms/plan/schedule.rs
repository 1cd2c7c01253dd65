//! When a group of rules is evaluated.
//!
//! Times are aligned: each is a multiple of the interval plus an offset that a hash of the group
//! decides, so that groups spread over their interval, keep their times over restarts, and do not
//! all ask at once. What is missed, because an evaluation took too long or the machine slept, is
//! counted and not caught up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The times of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Milliseconds, at least 1.
    interval: i64,
    /// Milliseconds, below `interval`.
    offset: i64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Wait until this time, and ask again.
    At(i64),
    /// Evaluate at once.
    Now {
        /// For this time, which is now or a little past.
        at: i64,
        /// Evaluations that there should have been in between.
        missed: u64,
    },
}

impl Schedule {
    /// Of the group of this name, from this file.
    pub fn new(file: &str, name: &str, interval: Duration) -> Self {
        // The hasher's keys are fixed.
        let mut hasher = DefaultHasher::new();
        (file, name).hash(&mut hasher);
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let offset = (hasher.finish() % interval.unsigned_abs()).cast_signed();
        Self { interval, offset }
    }

    /// The latest time that is past, to begin from: nothing is due before the next.
    pub fn latest(&self, now: i64) -> i64 {
        (now - self.offset).div_euclid(self.interval) * self.interval + self.offset
    }

    /// What to do after the evaluation for `last`.
    pub fn due(&self, last: i64, now: i64) -> Due {
        let latest = self.latest(now);
        if latest > last {
            let missed = ((latest - last) / self.interval - 1).max(0).cast_unsigned();
            return Due::Now { at: latest, missed };
        }
        if last - now > self.interval {
            // The clock was set back: alarms must not wait until it is where it was.
            return Due::Now { at: latest, missed: 0 };
        }
        Due::At(last.saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn schedule() -> Schedule {
        Schedule { interval: 60_000, offset: 7_000 }
    }

    #[test]
    fn the_first_is_the_next_aligned_time() {
        for (now, at) in [(0, 7_000), (6_999, 7_000), (7_000, 67_000), (66_999, 67_000)] {
            let schedule = schedule();
            assert_eq!(schedule.due(schedule.latest(now), now), Due::At(at), "at {now}");
        }
    }

    #[test]
    fn one_follows_the_other_at_the_interval() {
        let schedule = schedule();
        assert_eq!(schedule.due(7_000, 7_000), Due::At(67_000));
        assert_eq!(schedule.due(7_000, 66_999), Due::At(67_000));
        assert_eq!(schedule.due(7_000, 67_000), Due::Now { at: 67_000, missed: 0 });
        // Late, and none is missed: it goes on at once.
        assert_eq!(schedule.due(7_000, 126_999), Due::Now { at: 67_000, missed: 0 });
    }

    #[test]
    fn what_is_missed_is_counted_and_not_caught_up() {
        let schedule = schedule();
        assert_eq!(schedule.due(7_000, 130_000), Due::Now { at: 127_000, missed: 1 });
        let day = 86_400_000;
        assert_eq!(schedule.due(7_000, day), Due::Now { at: day - 53_000, missed: 1438 });
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let schedule = schedule();
        let last = 6_007_000;
        // A little: the times stay.
        assert_eq!(schedule.due(last, last - 1), Due::At(last + 60_000));
        // A lot: they begin anew.
        assert_eq!(schedule.due(last, 130_000), Due::Now { at: 127_000, missed: 0 });
        assert_eq!(schedule.due(127_000, 130_000), Due::At(187_000));
    }

    #[test]
    fn groups_spread_over_the_interval_and_keep_their_place() {
        let of = |name: usize| Schedule::new("rules.yml", &format!("group-{name}"), MINUTE);
        let tenths: BTreeSet<i64> = (0..200).map(|name| of(name).offset / 6_000).collect();
        assert_eq!(tenths.len(), 10, "{tenths:?}");
        assert!((0..200).all(|name| of(name).offset < 60_000));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), Schedule::new("others.yml", "group-1", MINUTE));
    }
}
