//! `plimsoll bench`: makes load, measures what comes back, and says what it means.
//!
//! A plan (see `config::bench`) goes in, [`Results`](results::Results) come out; reports, the live
//! view, comparisons and thresholds are made of those alone.

pub mod arrivals;
pub mod client;
pub mod engine;
pub mod latencies;
pub mod progress;
pub mod reach;
pub mod report;
pub mod results;
pub mod script;
pub mod tally;
pub mod timeline;
