//! Figures of PostgreSQL and Redis, as exposition text.
//!
//! Names and labels are those of postgres_exporter and redis_exporter, so that the dashboards that
//! people have go on working. The text goes the way of any scraped one.
//!
//! Invariants:
//! - one connection a look, closed after it: a look every few seconds is not worth a pool that has
//!   to notice restarts, failovers and idle timeouts;
//! - a look ends within the target's timeout and reads at most [`dial::ANSWER_BYTES_MAX`];
//! - nothing is written to the server, no setting of it is changed;
//! - what the user may not see is left out, and the rest is told;
//! - no error names a password.
//!
//! Left out: figures of single tables and statements, of which there may be any number; several hosts
//! in one URL, because a target is one server.

mod dial;
#[cfg(test)]
mod peers;
pub mod postgres;
pub mod redis;
mod tls;
