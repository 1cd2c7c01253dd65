//! `plimsoll bench`: makes load, measures what comes back, and says what it means.
//!
//! A plan (see `config::bench`) goes in, [`Results`](results::Results) come out; reports, the live
//! view, comparisons and thresholds are made of those alone.

pub mod client;
pub mod limit;
pub mod live;
pub mod progress;
pub mod push;
pub mod results;
pub mod tally;
pub mod timeline;
