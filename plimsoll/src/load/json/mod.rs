//! Results as JSON: for other programs at its top, for this one as a whole.
//!
//! What is read back equals what was written, histograms included, so that results of several
//! processes join exactly and a comparison sees the distribution, not a few percentiles of it.
//! One key a line: `head` shows the figures, and the histograms do not drown them.
//!
//! Invariant: the form's version is in the file, and a file of another version is refused.

mod document;
mod encoding;
pub mod read;
mod write;

use schemars::generate::SchemaSettings;

use super::results::Results;
use super::threshold::Outcome;

pub use read::read;
pub use write::text;

/// The version of the form.
const VERSION: u32 = 1;

/// What a file of results holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The results.
    pub results: Results,
    /// What became of the plan's thresholds.
    pub outcomes: Vec<Outcome>,
}

/// The JSON Schema (2020-12) of files of results.
pub fn schema() -> serde_json::Value {
    // As it is written: there, what is null is present too.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<document::Document>().to_value()
}

#[cfg(test)]
mod tests;
