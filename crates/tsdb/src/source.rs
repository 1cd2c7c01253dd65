//! Where the evaluator gets series from.
//!
//! Series are chosen first and read one after the other, so that a query over ten thousand of them
//! holds the samples of one at a time.

use std::fmt;

use regex::Regex;

use crate::labels::Labels;
use crate::sample::Samples;

/// A condition on one label. A label that is not there has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// What its value must be.
    pub condition: Condition,
}

/// What a value must be.
#[derive(Debug, Clone)]
pub enum Condition {
    /// `=`
    Equal(String),
    /// `!=`
    NotEqual(String),
    /// `=~`, anchored at both ends.
    Match(Regex),
    /// `!~`, anchored at both ends.
    NotMatch(Regex),
}

impl Matcher {
    /// Whether a value fulfils it.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.condition {
            Condition::Equal(wanted) => value == wanted,
            Condition::NotEqual(unwanted) => value != unwanted,
            Condition::Match(pattern) => pattern.is_match(value),
            Condition::NotMatch(pattern) => !pattern.is_match(value),
        }
    }

    /// Whether the labels fulfil it.
    pub fn accepts_labels(&self, labels: &Labels) -> bool {
        self.accepts(labels.get(&self.name).unwrap_or_default())
    }
}

/// Something that holds series.
pub trait Source: Sync {
    /// Every series that fulfils all matchers and may have samples in `from..=to` (milliseconds
    /// since 1970), in any order.
    ///
    /// # Errors
    /// When they cannot be told; the words are for people.
    fn select<'a>(
        &'a self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
    ) -> Result<Vec<Box<dyn Series + 'a>>, ReadError>;
}

/// One chosen series.
pub trait Series: Send {
    /// Its labels, with the name.
    fn labels(&self) -> &Labels;

    /// Adds its samples in `from..=to` to `samples`, which are older.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn read(&self, from: i64, to: i64, samples: &mut Samples) -> Result<(), ReadError>;
}

/// Stored samples could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError(pub String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}
