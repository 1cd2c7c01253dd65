//! What is wrong with rules, told so that a person can put it right.

use std::fmt;

use crate::config::problem::{ConfigError, SHOWN_PROBLEMS};

/// Everything that is wrong with rules; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleErrors {
    /// The problems, file by file, in the order of each.
    pub errors: Vec<ConfigError>,
    /// Problems after these that are not told.
    pub further: usize,
}

impl RuleErrors {
    pub(super) fn new(mut errors: Vec<ConfigError>, further: usize) -> Self {
        let further = further + errors.len().saturating_sub(SHOWN_PROBLEMS);
        errors.truncate(SHOWN_PROBLEMS);
        Self { errors, further }
    }
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(formatter, "{error}\n")?;
        }
        let shown = self.errors.len();
        let all = shown + self.further;
        let noun = if all == 1 { "error" } else { "errors" };
        write!(formatter, "{all} {noun} in rules")?;
        if self.further > 0 {
            write!(formatter, ", of which the first {shown} are shown")?;
        }
        formatter.write_str("; none of them was taken over")
    }
}

impl std::error::Error for RuleErrors {}
