//! PromQL: queries parsed and evaluated over any [`Source`](crate::source::Source).
//!
//! Semantics are those of Prometheus 3 (<https://prometheus.io/docs/prometheus/latest/querying/basics/>):
//! ranges and the lookback are open on the left, a stale marker ends a series at once, operators and
//! functions drop the metric's name. An expression is evaluated for all steps of a query at once, as
//! columns of values: a series is read once, and a query holds results, not samples.
//!
//! What is left out: native histograms (no sample here is one), and `info()`.
//!
//! ```
//! use tsdb::labels::Labels;
//! use tsdb::promql::{self, Limits, Memory, Value};
//!
//! let mut memory = Memory::new();
//! memory.append(&Labels::from_pairs([("__name__", "up"), ("job", "web")]), 60_000, 1.0);
//! let query = promql::parse("sum(up) + 1").expect("well-formed");
//! let outcome = promql::instant(&query, &memory, 90_000, &Limits::default()).expect("answered");
//! let Value::Vector(elements) = outcome.value else { panic!("a vector") };
//! assert_eq!(elements[0].value, 2.0);
//! ```

mod absence;
mod aggregate;
mod annotation;
mod binary;
mod calendar;
mod column;
mod counter;
mod diagnose;
pub mod duration;
mod evaluate;
mod function;
mod grouping;
mod histogram;
mod label;
mod lower;
mod matching;
mod math;
mod memory;
pub mod number;
mod order;
mod outcome;
mod over_time;
mod plan;
mod query;
mod range_function;
mod rank;
mod screen;
pub mod script;
mod selector;
mod set;
mod statistics;
mod trend;
mod window;

pub use diagnose::line_and_column;
pub use memory::Memory;
pub use outcome::{Element, Grid, Limits, Outcome, QueryError, Row, Value};
pub use query::{Query, ValueType, instant, parse, range};
pub use screen::{NESTING_MAX, TEXT_BYTES_MAX};
