//! `plimsoll bench`: makes load, measures what comes back, and says what it means.
//!
//! A plan (see `config::bench`) goes in, [`Results`](results::Results) come out; reports, the live
//! view, comparisons and thresholds are made of those alone.

pub mod arrivals;
pub mod client;
pub mod compare;
pub mod engine;
pub mod figures;
#[cfg(test)]
mod fixtures;
pub mod json;
pub mod junit;
pub mod latencies;
pub mod limit;
pub mod live;
pub mod merge;
pub mod progress;
pub mod push;
pub mod reach;
pub mod report;
pub mod results;
pub mod script;
pub mod summary;
pub mod tally;
pub mod threshold;
pub mod timeline;
pub mod warnings;
