//! What a run found out: everything that reports, comparisons and thresholds are made of.
//!
//! Invariants: figures are sums (see `tally`), so that results of several processes join exactly;
//! nothing here is rounded for people.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::tally::{Latencies, Tally};
use super::timeline::Timeline;

/// Most instances that are told apart; further ones count as [`OTHER_INSTANCES`].
pub const INSTANCES_MAX: usize = 256;
/// What further instances are called.
pub const OTHER_INSTANCES: &str = "(others)";

/// What a run found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What was run.
    pub run: Run,
    /// All requests.
    pub total: Tally,
    /// By label, in the plan's order. Requests only.
    pub labels: Vec<(String, Tally)>,
    /// Transactions by label: `requests` are rounds, `response_time` what they took.
    pub transactions: Vec<(String, Tally)>,
    /// By instance, if the plan says how to tell and answers did; at most [`INSTANCES_MAX`] and one.
    pub instances: BTreeMap<String, Tally>,
    /// Answers that named no instance while others did.
    pub unnamed: u64,
    /// Checks by name: passed and failed.
    pub checks: BTreeMap<String, CheckCount>,
    /// An example of each kind of failure, in words: what failed, how, where.
    pub examples: BTreeMap<String, String>,
    /// Connections made.
    pub connections: Connections,
    /// By time.
    pub timeline: Timeline,
    /// How the tester itself did.
    pub tester: Tester,
}

/// What was run, when, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The plan's name.
    pub name: String,
    /// The file, or the command line's own words.
    pub source: String,
    /// The command as it was typed.
    pub command: String,
    /// The model of each group.
    pub groups: Vec<GroupModel>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it lasted: to the end of the last request.
    pub elapsed: Duration,
    /// How it ended.
    pub ended: Ended,
    /// How many processes' results these are.
    pub parts: u32,
    /// The machines that made the load.
    pub machines: Vec<String>,
}

/// How a group's load came about.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupModel {
    /// The group's name.
    pub name: String,
    /// Whether arrivals were independent of answers.
    pub open: bool,
    /// In words: "2 000 requests a second, evenly spaced, for 60 s".
    pub load: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As planned.
    Finished,
    /// By Ctrl-C or a signal; results are of what was done until then.
    Interrupted,
    /// Because the plan says so after a failure.
    Stopped,
}

/// How often a check held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckCount {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
}

/// Connections made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connections {
    /// How many were opened.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Until TCP (or the Unix socket) was connected.
    pub connect_time: Latencies,
    /// The TLS handshake after it.
    pub tls_time: Latencies,
}

/// How the tester itself did: what a person must know before believing the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tester {
    /// Event loops.
    pub threads: u32,
    /// Processor time that this process took, user and system, over the run.
    pub processor_time: Duration,
    /// Of each thread.
    pub thread_time: Vec<Duration>,
    /// From the time at which an iteration should have begun to the time at which the tester came
    /// to it, waiting for a free connection not counted. Open model only.
    pub scheduling_lag: Latencies,
    /// Iterations that should have begun, in the open model.
    pub due: u64,
    /// Those that had to wait because `in_flight_max` were under way.
    pub waited: u64,
    /// Those that never began: the run ended first.
    pub unsent: u64,
    /// Those that were given up under way: the run was broken off, and they had not ended a few
    /// seconds later. What they waited for is in no figure.
    pub given_up: u64,
    /// Connection attempts that failed for want of ports or descriptors here.
    pub exhausted: u64,
}
