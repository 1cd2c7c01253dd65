//! What becomes of the answers that rules get: pure decisions over the time that is passed in.
//!
//! - `alerting`: the alarms of one alert rule, from pending over firing to ended;
//! - `recording`: the series of one recording rule;
//! - `schedule`: when a group is due, and what was missed;
//! - `carry`: which rule goes on from which when groups are read anew or Plimsoll starts again;
//! - `restore`: what alarms are worth that were written to a file before a stop.
//!
//! Times are milliseconds since 1970.

mod alerting;
mod carry;
mod recording;
mod restore;
mod schedule;

pub use alerting::{Alarm, Alarms, Change, Raised, State, Terms};
pub use carry::{Carried, Identity, carry};
pub use recording::record;
pub use restore::restore;
pub use schedule::{Due, Schedule};

use tsdb::labels::Labels;

/// A sample that a rule yields; its time is that of the evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its series.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// Why a rule has failed although its expression has an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Which of them counts cannot be told.
    #[error(
        "two series of the answer have the same labels {labels} once the rule's are applied; keep \
         a label that tells them apart, or aggregate"
    )]
    SameLabels {
        /// Those.
        labels: Labels,
    },
    /// The group's own limit.
    #[error(
        "it yields {count} {what}, and its group has `limit: {limit}`; all of them are discarded: \
         aggregate, or raise the limit"
    )]
    Limit {
        /// How many there are.
        count: usize,
        /// `series` or `alarms`.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// More alarms than are held in all.
    #[error(
        "it yields {count} alarms, and there is room for {room} besides those of other rules \
         ({max} in all); its alarms stay as they were: aggregate, or make the condition stricter"
    )]
    Full {
        /// How many there are.
        count: usize,
        /// How many of them have room.
        room: usize,
        /// How many there may be in all.
        max: usize,
    },
}
