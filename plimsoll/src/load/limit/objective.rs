//! What a service must keep: `p99=50ms,errors=0.1%`.
//!
//! Invariants: at least one latency or the errors are bounded; quantiles lie between 0 and 1, both
//! left out; bounds of latency are above zero. Where errors are not bounded they are by
//! [`ERRORS_DEFAULT`], for a rate that is met by refusing is not met.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::load::figures::{latency, percentile_name, share};

/// The share of requests that may fail where the objective does not say.
pub const ERRORS_DEFAULT: f64 = 0.01;
/// The longest latency that can be asked for.
const BOUND_MAX: Duration = Duration::from_secs(3600);

/// What a service must keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Bounds of response times; may be empty.
    pub latencies: Vec<LatencyBound>,
    /// The share of requests that may fail, 0 to 1.
    pub errors: f64,
}

/// A bound of the response time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyBound {
    /// The share of requests that must be answered within the bound: 0.99 for p99.
    pub quantile: f64,
    /// Within this.
    pub within: Duration,
}

impl LatencyBound {
    /// The share of requests that may take longer: 0.01 for p99.
    pub fn allowed(&self) -> f64 {
        1.0 - self.quantile
    }

    /// `p99`, `p99.9`.
    pub fn name(&self) -> String {
        percentile_name(self.quantile)
    }
}

/// Why a text is no objective.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectiveError {
    /// Nothing in it.
    #[error("the objective is empty: write what must hold, as in \"p99=50ms,errors=0.1%\"")]
    Empty,
    /// A part without `=`.
    #[error(
        "\"{0}\" in the objective says no bound: write it as in \"p99=50ms\" or \"errors=0.1%\""
    )]
    NoBound(String),
    /// Neither a percentile nor errors.
    #[error(
        "the objective bounds \"{0}\", which is not known: percentiles (p50, p99, p99.9) and \
         \"errors\" are"
    )]
    Unknown(String),
    /// A bound that is no duration.
    #[error(
        "\"{0}\" in the objective is no response time: a number with a unit is one (500us, 50ms, \
         1.5s), above 0 and at most an hour"
    )]
    Latency(String),
    /// A bound that is no share.
    #[error(
        "\"{0}\" in the objective is no share of requests: a percentage from 0% to below 100% is"
    )]
    Share(String),
    /// The same thing bounded twice.
    #[error("the objective bounds \"{0}\" twice: leave one of them out")]
    Twice(String),
}

impl Objective {
    /// Reads `p99=50ms,errors=0.1%`; `<` does for `=`.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, ObjectiveError> {
        let mut latencies: Vec<LatencyBound> = Vec::new();
        let mut errors = None;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, bound) = part
                .split_once(['=', '<'])
                .map(|(name, bound)| (name.trim(), bound.trim_start_matches('=').trim()))
                .ok_or_else(|| ObjectiveError::NoBound(part.to_owned()))?;
            if name == "errors" {
                let share =
                    share_of(bound).ok_or_else(|| ObjectiveError::Share(part.to_owned()))?;
                if errors.replace(share).is_some() {
                    return Err(ObjectiveError::Twice(name.to_owned()));
                }
                continue;
            }
            let quantile =
                quantile(name).ok_or_else(|| ObjectiveError::Unknown(name.to_owned()))?;
            let within = duration(bound).ok_or_else(|| ObjectiveError::Latency(part.to_owned()))?;
            if latencies.iter().any(|known| known.quantile == quantile) {
                return Err(ObjectiveError::Twice(name.to_owned()));
            }
            latencies.push(LatencyBound { quantile, within });
        }
        if latencies.is_empty() && errors.is_none() {
            return Err(ObjectiveError::Empty);
        }
        Ok(Self { latencies, errors: errors.unwrap_or(ERRORS_DEFAULT) })
    }
}

impl fmt::Display for Objective {
    /// `p99 within 50 ms, errors at most 0.1 %`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bound in &self.latencies {
            write!(f, "{} within {}, ", bound.name(), bound_text(bound.within))?;
        }
        write!(f, "errors at most {}", share(self.errors))
    }
}

/// `p99.9` as 0.999.
fn quantile(name: &str) -> Option<f64> {
    let percent: f64 = name.strip_prefix('p').and_then(number)?;
    (percent > 0.0 && percent < 100.0).then_some(percent / 100.0)
}

/// `0.1%` as 0.001.
fn share_of(text: &str) -> Option<f64> {
    let percent: f64 = number(text.strip_suffix('%')?.trim_end())?;
    (0.0..100.0).contains(&percent).then_some(percent / 100.0)
}

/// `50ms`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (value, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return None,
    };
    let bound = Duration::try_from_secs_f64(number(value)? * unit).ok()?;
    (!bound.is_zero() && bound <= BOUND_MAX).then_some(bound)
}

/// Digits with a point at most: `f64` itself reads `inf` and `1e3` too.
fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain { text.parse().ok() } else { None }
}

/// `50 ms`, as people write it: without zeros that only align columns.
pub(super) fn bound_text(bound: Duration) -> String {
    let text = latency(bound);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_and_shown() {
        for (text, shown) in [
            ("p99=50ms,errors=0.1%", "p99 within 50 ms, errors at most 0.1 %"),
            (
                " p99.9 < 1.5s , p50=320us",
                "p99.9 within 1.5 s, p50 within 320 µs, errors at most 1 %",
            ),
            ("errors=0%", "errors at most 0 %"),
            ("p95<=250 ms", "p95 within 250 ms, errors at most 1 %"),
        ] {
            assert_eq!(Objective::parse(text).unwrap().to_string(), shown, "{text}");
        }
        let objective = Objective::parse("p99=50ms").unwrap();
        assert!((objective.latencies[0].allowed() - 0.01).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_objective_is_refused_in_words() {
        for (text, begins) in [
            ("", "the objective is empty"),
            (" , ", "the objective is empty"),
            ("p99", "\"p99\" in the objective says no bound"),
            ("p99=50", "\"p99=50\" in the objective is no response time"),
            ("p99=infs", "\"p99=infs\" in the objective is no response time"),
            ("p99=0ms", "\"p99=0ms\" in the objective is no response time"),
            ("p100=1s", "the objective bounds \"p100\", which is not known"),
            ("rate=1s", "the objective bounds \"rate\", which is not known"),
            ("errors=1", "\"errors=1\" in the objective is no share"),
            ("errors=100%", "\"errors=100%\" in the objective is no share"),
            ("p99=1s,p99=2s", "the objective bounds \"p99\" twice"),
        ] {
            let message = Objective::parse(text).unwrap_err().to_string();
            assert!(message.starts_with(begins), "{text}: {message}");
        }
    }
}
