//! How long pauses last: constant, or drawn from a distribution.
//!
//! Invariants: never negative, never longer than [`LONGEST`].

use std::time::Duration;

use super::run::Shared;
use super::template;
use super::user::User;
use crate::config::bench::model::Pause;

/// The longest pause; longer ones last this long.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// The mean up to which Poisson numbers are counted out; beyond, the normal distribution is as good.
const POISSON_COUNTED_MAX: f64 = 1000.0;
/// The mean that is counted out at once; `exp` of its negative is far from underflow.
const POISSON_SLICE: f64 = 100.0;

/// How long a pause of this user lasts.
pub(super) fn length(pause: &Pause, user: &mut User, shared: &Shared) -> Result<Duration, String> {
    let milliseconds = match pause {
        Pause::Constant(length) => template::number(length, user, shared)?,
        Pause::Uniform { from, to } => {
            let from = template::number(from, user, shared)?;
            let to = template::number(to, user, shared)?;
            from + (to - from) * user.random.f64_inclusive()
        }
        Pause::Gaussian { mean, deviation } => {
            let mean = template::number(mean, user, shared)?;
            mean + template::number(deviation, user, shared)? * normal(user)
        }
        Pause::Poisson { offset, lambda } => {
            let offset = template::number(offset, user, shared)?;
            offset + poisson(template::number(lambda, user, shared)?, user)
        }
    };
    // NaN becomes nothing, as everything below zero does.
    let seconds = milliseconds.max(0.0) / 1000.0;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST))
}

/// A number of the standard normal distribution (Box and Muller 1958).
fn normal(user: &mut User) -> f64 {
    let radius = (-2.0 * (1.0 - user.random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * user.random.f64()).cos()
}

/// A number of the Poisson distribution with this mean: whole, not negative.
fn poisson(mean: f64, user: &mut User) -> f64 {
    if mean > POISSON_COUNTED_MAX {
        return (mean + mean.sqrt() * normal(user)).round().max(0.0);
    }
    let mut left = mean.max(0.0);
    let mut count = 0.0;
    // A sum of Poisson numbers is one of the summed mean, so that slices may be counted one by one
    // (Knuth, The Art of Computer Programming 2, 3.4.1).
    while left > 0.0 {
        let slice = left.min(POISSON_SLICE);
        left -= slice;
        let bound = (-slice).exp();
        let mut product = user.random.f64();
        while product > bound {
            product *= user.random.f64();
            count += 1.0;
        }
    }
    count
}

#[cfg(test)]
mod tests;
