//! The delay before a dead instance is started again.
//!
//! Doubles from `initial` to `max`, so that a broken instance costs little and a hiccup little
//! time. Jitter only shortens: instances that died together do not start together, and no delay
//! is longer than configured.

use std::time::Duration;

use crate::config::model::RestartPolicy;

/// The share of a delay that jitter may take off, as a divisor.
const JITTER_DIVISOR: u32 = 4;
/// Doublings after which any delay has reached any maximum.
const DOUBLINGS_MAX: u32 = 30;

/// The delay after the `deaths`-th death in a row (from 1). In a crash loop it is always about
/// `max`. `random` is any number; equal numbers give equal delays.
pub fn delay(policy: &RestartPolicy, deaths: u32, random: u64) -> Duration {
    let doublings = deaths.saturating_sub(1).min(DOUBLINGS_MAX);
    let full = if deaths >= policy.crash_loop_after {
        policy.max
    } else {
        policy.initial.saturating_mul(1 << doublings).min(policy.max)
    };
    let share = (random >> 32) as u32;
    let cut = (full / JITTER_DIVISOR).mul_f64(f64::from(share) / f64::from(u32::MAX));
    full.saturating_sub(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        initial: Duration::from_millis(200),
        max: Duration::from_secs(30),
        reset_after: Duration::from_secs(10),
        crash_loop_after: 10,
    };

    #[test]
    fn doubles_to_the_maximum() {
        let seconds = |deaths| delay(&POLICY, deaths, 0).as_secs_f64();
        assert_eq!([1, 2, 3, 7, 8, 9].map(seconds), [0.2, 0.4, 0.8, 12.8, 25.6, 30.0]);
    }

    #[test]
    fn a_crash_loop_waits_for_the_maximum() {
        let policy = RestartPolicy { crash_loop_after: 3, ..POLICY };
        assert_eq!(delay(&policy, 2, 0), Duration::from_millis(400));
        assert_eq!(delay(&policy, 3, 0), POLICY.max);
    }

    #[test]
    fn no_number_of_deaths_overflows() {
        let policy = RestartPolicy { crash_loop_after: u32::MAX, ..POLICY };
        assert_eq!(delay(&policy, u32::MAX - 1, 0), POLICY.max);
        let zero = RestartPolicy { initial: Duration::ZERO, ..policy };
        assert_eq!(delay(&zero, 100, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn jitter_takes_off_at_most_a_quarter() {
        assert_eq!(delay(&POLICY, 1, 0), Duration::from_millis(200));
        assert_eq!(delay(&POLICY, 1, u64::MAX), Duration::from_millis(150));
        let half = delay(&POLICY, 1, u64::MAX / 2);
        assert!(half > Duration::from_millis(174) && half < Duration::from_millis(176), "{half:?}");
    }
}
