//! When to try again: Alertmanager's exponential backoff.

use std::time::Duration;

/// Before the second attempt.
const FIRST: Duration = Duration::from_millis(500);
/// Each wait is longer by this factor.
const GROWTH: f64 = 1.5;
/// How far a wait may lie from the middle, so that not all come at once.
const SPREAD: f64 = 0.5;
/// No wait is longer, but for its spread.
const LONGEST: Duration = Duration::from_secs(60);

/// The wait after `failures` attempts (at least one). `random` lies in 0..1. What the peer asks for
/// is a lower bound.
pub(super) fn wait(failures: u32, random: f64, asked: Option<Duration>) -> Duration {
    let grown = FIRST.as_secs_f64() * GROWTH.powi(failures.saturating_sub(1).min(64) as i32);
    let middle = grown.min(LONGEST.as_secs_f64());
    let wait = Duration::from_secs_f64(middle * (1.0 - SPREAD + 2.0 * SPREAD * random));
    wait.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let millis = |failures| wait(failures, 0.5, None).as_millis();
        assert_eq!([1, 2, 3, 20, u32::MAX].map(millis), [500, 750, 1125, 60_000, 60_000]);
        assert_eq!(wait(1, 0.0, None).as_millis(), 250);
        assert_eq!(wait(3, 0.5, Some(Duration::from_secs(7))).as_secs(), 7);
    }
}
