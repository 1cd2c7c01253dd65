//! How attempts at servers end, as the data path reports it.

use std::fmt;
use std::time::Duration;

/// How an attempt at a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered, and the answer counts as one.
    Success {
        /// From the request's first byte to the response head.
        latency: Duration,
    },
    /// It did not.
    Failure {
        /// What went wrong.
        kind: FailureKind,
        /// From the start of the attempt to its failure.
        latency: Duration,
    },
}

/// What went wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// No connection.
    Connect,
    /// Too late: to connect or with the response head.
    Timeout,
    /// Closed or reset before the response was complete.
    Closed,
    /// A response that cannot be framed.
    InvalidResponse,
    /// A status that the service counts as a failure.
    Status(u16),
}

impl fmt::Display for FailureKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => formatter.write_str("no connection"),
            Self::Timeout => formatter.write_str("no answer in time"),
            Self::Closed => formatter.write_str("closed before the answer was complete"),
            Self::InvalidResponse => formatter.write_str("an answer that is not HTTP"),
            Self::Status(status) => write!(formatter, "answered {status}"),
        }
    }
}
