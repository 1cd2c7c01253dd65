//! Measuring and judging: what Prometheus and Alertmanager are installed for.
//!
//! ```text
//!  targets ──▶ scrape ──▶ storage ──▶ tsdb::store        remote write ──▶ others
//!  (own, host, instances,     │  ▲
//!   listed, databases)        │  └── recorded ── alarms ◀── rules (files, built in, objectives)
//!                             ▼                    │
//!              query ◀── api (HTTP)                └──▶ notify ──▶ people, Alertmanager
//! ```
//!
//! `storage` is where every sample goes in, whoever brings it. `query` is the one way to evaluate
//! PromQL, bounded, for people and for rules. What decides (`scrape/plan`, `alarms/plan`,
//! `notify/plan`) reads no clock. Times are milliseconds since 1970.

mod alarms;
mod alert;
mod api;
mod databases;
mod folder;
pub mod notify;
mod observer;
mod query;
mod remote;
pub mod rules;
pub mod scrape;
mod storage;
mod upkeep;
mod views;

use crate::config::model::Address;
pub use alert::Alert;
pub use observer::{ObserveError, Observer, check, prepare};
pub use views::ConfigurationView;

/// The part that lines in the log are about.
const PART: &str = "observe";

/// A server whose own figures may be scraped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceAt {
    /// The `service` label.
    pub service: String,
    /// The `instance` label: the server's name.
    pub instance: String,
    /// Where it listens.
    pub address: Address,
}

/// Now, in milliseconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
