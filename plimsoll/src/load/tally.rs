//! What is counted of requests: how many, how fast, how they failed.
//!
//! Every figure of a run is a sum of tallies: of each thread, of each label, of each process of a
//! run that is spread over machines. Latencies are HDR histograms, so that a percentile of a sum is
//! that of all requests, never a mean of percentiles.
//!
//! Invariants: `absorb` loses nothing and does not depend on the order; a tally's memory depends
//! on how many sizes of latencies occurred (see `latencies`), not on how many there were.
//!
//! Left out: when things happened (see `timeline`).

use std::collections::BTreeMap;
use std::time::Duration;

pub use super::latencies::Latencies;

/// How a request failed. The first that applies counts; a request fails once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The host's name has no address.
    Resolve,
    /// No connection: refused, unreachable, no free port.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// No agreement on TLS, or a certificate that is not trusted.
    Tls,
    /// The connection ended or broke before an answer, or within it.
    Closed,
    /// No whole answer in time.
    Timeout,
    /// What came is not HTTP, or not what may come now.
    Protocol,
    /// A status that is not wanted: of 400 or above where the plan says nothing of it, else one that
    /// its check of the status refuses.
    Status,
    /// Another check of the plan failed.
    Check,
    /// A value that the plan takes from the answer is not in it.
    Extraction,
    /// The plan's own text gave no request: a URL that is none, once rendered.
    Plan,
}

impl Failure {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Resolve,
        Self::Connect,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Closed,
        Self::Timeout,
        Self::Protocol,
        Self::Status,
        Self::Check,
        Self::Extraction,
        Self::Plan,
    ];

    /// Its name for programs, in results and pushed figures: `connect_timeout`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Check => "check",
            Self::Extraction => "extraction",
            Self::Plan => "plan",
        }
    }

    /// What people read wherever failures are shown.
    pub fn words(self) -> &'static str {
        match self {
            Self::Resolve => "name not resolved",
            Self::Connect => "not connected",
            Self::ConnectTimeout => "not connected in time",
            Self::Tls => "TLS",
            Self::Closed => "connection closed",
            Self::Timeout => "no answer in time",
            Self::Protocol => "not valid HTTP",
            Self::Status => "error status",
            Self::Check => "check failed",
            Self::Extraction => "value not found",
            Self::Plan => "no request from the plan",
        }
    }
}

/// One finished request, as the engine tells it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// From the time at which it should have been sent to its end. In the closed model and for later
    /// steps of an iteration that is when it was sent.
    pub response_time: Duration,
    /// From the time at which it was sent (after connecting) to its end.
    pub service_time: Duration,
    /// From sending to the first byte of the answer, if one came.
    pub first_byte: Option<Duration>,
    /// The answer's status, if one came.
    pub status: Option<u16>,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
    /// Bytes sent, heads included.
    pub bytes_sent: u64,
    /// Bytes received, heads included.
    pub bytes_received: u64,
}

/// What is counted of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// All that ended, well or not.
    pub requests: u64,
    /// Failed ones by kind; no entry is 0.
    pub failures: BTreeMap<Failure, u64>,
    /// Answers by status; no entry is 0.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes sent, heads included.
    pub bytes_sent: u64,
    /// Bytes received, heads included.
    pub bytes_received: u64,
    /// Of requests that were answered or timed out (a timeout counts with the time it was waited
    /// for). Requests that could not be sent or were cut have none.
    pub response_time: Latencies,
    /// Of the same requests.
    pub service_time: Latencies,
    /// Of answered requests.
    pub first_byte: Latencies,
}

impl Tally {
    /// Counts a request. For tests: threads count by `engine::recorder`.
    #[cfg(test)]
    pub fn record(&mut self, sample: &Sample) {
        self.requests += 1;
        if let Some(failure) = sample.failure {
            *self.failures.entry(failure).or_default() += 1;
        }
        if let Some(status) = sample.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        if sample.status.is_some() || sample.failure == Some(Failure::Timeout) {
            self.response_time.record(sample.response_time);
            self.service_time.record(sample.service_time);
        }
        if let Some(first_byte) = sample.first_byte {
            self.first_byte.record(first_byte);
        }
    }

    /// Adds another.
    pub fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.response_time.absorb(&other.response_time);
        self.service_time.absorb(&other.service_time);
        self.first_byte.absorb(&other.first_byte);
    }

    /// How many failed.
    pub fn errors(&self) -> u64 {
        self.failures.values().sum()
    }
}
