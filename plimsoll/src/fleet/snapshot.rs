//! What the fleet tells the rest of the program: instances, their phases and figures.
//!
//! Written by the fleet's owner task alone, read through a watch channel as one immutable value.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::config::model::Address;

/// All instances at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetSnapshot {
    /// Instances by service, in the order of their numbers. Services that something else runs
    /// are not in it.
    pub services: BTreeMap<String, Vec<Instance>>,
    /// Restarts and changes under way, by service.
    pub rollouts: BTreeMap<String, RolloutProgress>,
}

/// How far a rolling restart is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolloutProgress {
    /// Instances that run anew.
    pub replaced: u32,
    /// Instances wanted.
    pub wanted: u32,
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Started, not healthy yet.
    Starting,
    /// Was healthy since its start.
    Ready,
    /// Finishes its requests before it stops.
    Draining,
    /// Told to stop, or killed.
    Stopping,
    /// Died; waits for its next start.
    Backoff,
    /// Died several times in a row; tried again rarely.
    CrashLoop,
}

impl Phase {
    /// The lower-case word used in status, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::CrashLoop => "crash-loop",
        }
    }
}

/// What an instance uses, over its whole tree of processes (a gunicorn master and its workers).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// User and system time since its start, in seconds, ended children included.
    pub cpu_seconds: f64,
    /// Of one core, between the last two looks; 250 is two and a half cores.
    pub cpu_percent: f64,
    /// Resident memory. Pages that processes share count once for each.
    pub resident_bytes: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
}

/// One instance: a numbered place in a service, and the process that fills it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Service and number: `web-1`.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Takes nothing new.
    pub draining: bool,
    /// Share of traffic, 1 to 1000.
    pub weight: u32,
    /// Most requests in flight; `None` is without bound.
    pub max_conns: Option<u32>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Died too often in a row and has not lived long enough since, whatever the phase.
    pub crash_loop: bool,
    /// Which command it runs: grows with each restart or change of the service.
    pub generation: u64,
    /// The main process while there is one.
    pub pid: Option<u32>,
    /// Starts after the first.
    pub restarts: u64,
    /// When the present process was started.
    pub started_at: Option<SystemTime>,
    /// When the process before ended; `None` while there is one, or was none yet.
    pub ended_at: Option<SystemTime>,
    /// What it uses; from the last look, at most a few seconds old.
    pub figures: Figures,
    /// How it ended last, or why it could not be started.
    pub last_exit: Option<String>,
}

impl Instance {
    /// Whether the balancer should know it. One that is starting is known so that its health is
    /// checked; one that stops, so that its last requests are counted.
    pub fn is_served(&self) -> bool {
        !matches!(self.phase, Phase::Backoff | Phase::CrashLoop)
    }
}
