//! Who arrives when: the open and the closed model.

use std::sync::Arc;
use std::time::Duration;

/// Who arrives when.
#[derive(Debug, Clone)]
pub enum Load {
    /// Iterations begin at given times, whatever became of earlier ones. Latency is counted from
    /// the time at which a request should have been sent.
    Open(Open),
    /// A given number of users, each of which begins again when it has finished.
    Closed(Closed),
}

impl Load {
    /// So many times as many users, and iterations at once.
    pub(in crate::config) fn multiply(&mut self, by: usize) {
        match self {
            Self::Open(open) => open.in_flight_max = open.in_flight_max.saturating_mul(by),
            Self::Closed(closed) => {
                for stage in &mut closed.stages {
                    stage.from *= by as f64;
                    stage.to *= by as f64;
                }
            }
        }
    }
}

/// The open model.
#[derive(Debug, Clone)]
pub struct Open {
    /// When iterations begin.
    pub arrivals: Arrivals,
    /// Most iterations under way at once, of all threads. Arrivals beyond wait for their turn, and
    /// their wait counts.
    pub in_flight_max: usize,
}

/// When iterations of the open model begin.
#[derive(Debug, Clone)]
pub enum Arrivals {
    /// At a rate that follows stages.
    Scheduled {
        /// One after the other; never empty. `from` and `to` are iterations a second.
        stages: Vec<Stage>,
        /// How arrivals lie within the rate.
        spacing: Spacing,
    },
    /// At recorded times after the start, rising.
    Recorded(Arc<[Duration]>),
}

/// A straight line from one level to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// The level at its beginning.
    pub from: f64,
    /// The level at its end.
    pub to: f64,
    /// How long it lasts; `Duration::MAX` for no end, in the last only.
    pub lasting: Duration,
}

/// How arrivals lie within a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// At equal distances.
    Even,
    /// As a Poisson process: independent of each other, as people are.
    Poisson,
}

/// The closed model.
#[derive(Debug, Clone)]
pub struct Closed {
    /// How many users there are, over time: user `k` (from 0) is there while the level exceeds `k`.
    pub stages: Vec<Stage>,
    /// Iterations of each user, after which it leaves.
    pub iterations_per_user: Option<u64>,
    /// Iterations of all users together.
    pub iterations: Option<u64>,
}
