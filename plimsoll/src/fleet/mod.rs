//! The fleet: starts, watches, restarts, drains and stops the local processes of services.
//!
//! One task owns everything (`supervisor`). For each service a pure planner (`plan`) decides, and
//! `service` carries out: `launch` finds an address and builds the command, `process` runs it
//! under a guard (`guard`) that takes everything below it along when Plimsoll dies, `output`
//! captures what it prints, `figures` reads what it uses. The rest of the program meets the fleet
//! through [`Fleet`], one published [`FleetSnapshot`] and one question asked back: what the
//! balancer sees of an instance ([`Traffic`]).
//!
//! Invariants:
//! - An instance is published before its health is asked for, and published as draining before
//!   it is told to stop.
//! - Nothing that was started outlives Plimsoll, however Plimsoll ends.
//! - A service that keeps dying costs the others nothing.
//!
//! Leaves out: health itself (the edge's), remote machines, and how many instances are good.

mod address;
mod backoff;
mod command;
mod figures;
pub mod guard;
mod launch;
mod metrics;
mod orphans;
mod output;
mod plan;
mod process;
mod process_table;
mod service;
mod snapshot;
mod supervisor;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

pub use snapshot::{FleetSnapshot, Instance};

use crate::config::model::Config;
use output::Writers;
use output::writer::{Terminal, Writer};
use supervisor::{Command, Supervisor, specs};
use tsdb::exposition::Exposition;

/// Commands that wait for the owner task; whoever has more waits.
const COMMANDS_MAX: usize = 16;

/// What the balancer sees of an instance of the fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceTraffic {
    /// It may get requests.
    pub healthy: bool,
    /// The balancer has taken note that it drains: no new request is sent to it.
    pub draining: bool,
    /// Requests that it has not answered yet.
    pub in_flight: u32,
    /// Requests sent to it since the balancer knows it.
    pub requests_total: u64,
}

/// Asks the balancer about an instance (service, instance); `None` when it does not know it.
/// Called often, so it must be quick and must not block.
pub type Traffic = Arc<dyn Fn(&str, &str) -> Option<InstanceTraffic> + Send + Sync>;

/// All local processes. Dropping it kills them at once; [`Fleet::stop`] is the gentle way.
#[derive(Debug)]
pub struct Fleet {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<FleetSnapshot>>,
}

/// What a changed configuration means for the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// One sentence a service that changes; empty when nothing does.
    pub changes: Vec<String>,
}

/// A completed rolling restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartReport {
    /// The service.
    pub service: String,
    /// Old and new instances in order; equal names for one that was down and started anew.
    pub replaced: Vec<(String, String)>,
    /// From the command to the end of the last old instance.
    pub took: Duration,
}

/// Why a rolling restart did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// There is nothing to restart.
    #[error(transparent)]
    Unknown(#[from] UnknownService),
    /// One at a time.
    #[error(
        "service {service} is being restarted already ({replaced} of {wanted} done); \
         wait for that, then try again"
    )]
    InProgress {
        /// The service.
        service: String,
        /// Instances that run anew.
        replaced: u32,
        /// Instances wanted.
        wanted: u32,
    },
    /// A new instance failed; the old ones stay.
    #[error(
        "restart of {service} is given up and the other instances stay, because {instance} {reason}"
    )]
    RolledBack {
        /// The service.
        service: String,
        /// The instance that failed.
        instance: String,
        /// How, with the last lines it printed.
        reason: String,
    },
    /// Plimsoll or the service stops.
    #[error("service {service} is stopping")]
    Stopping {
        /// The service.
        service: String,
    },
}

/// No service of this name is run by the fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no service {service:?} is run by Plimsoll; `plimsoll status` lists those that are")]
pub struct UnknownService {
    /// The name asked for.
    pub service: String,
}

/// What a stop came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Names of instances that were there when the stop began.
    pub stopped: Vec<String>,
    /// Those that had to be killed, and why.
    pub killed: Vec<String>,
    /// Names of those that even KILL had not ended in time. Their guards go on trying.
    pub left: Vec<String>,
}

impl Fleet {
    /// Starts the instances of a configuration. Must be called on a tokio runtime; returns at
    /// once. What an instance lacks to start is logged and tried again.
    pub fn start(config: &Config, traffic: Traffic) -> Self {
        orphans::adopt();
        let writers = Writers {
            terminal: Writer::start("fleet-terminal", Terminal::own()),
            files: Writer::start("fleet-files", Terminal::own()),
            colours: Terminal::own_has_colours(),
        };
        Self::start_with(config, traffic, Arc::new(writers))
    }

    fn start_with(config: &Config, traffic: Traffic, writers: Arc<Writers>) -> Self {
        let (commands, commands_receiver) = mpsc::channel(COMMANDS_MAX);
        let (snapshot_sender, snapshot) = watch::channel(Arc::default());
        let supervisor =
            Supervisor::new(&specs(config), traffic, writers, commands_receiver, snapshot_sender);
        tokio::spawn(supervisor.run());
        Self { commands, snapshot }
    }

    /// The present state, and a wake-up with each change of it.
    pub fn changes(&self) -> watch::Receiver<Arc<FleetSnapshot>> {
        self.snapshot.clone()
    }

    /// Takes over a new configuration: starts, stops and restarts what differs. Returns when the
    /// changes are known, not when they are done.
    pub async fn apply(&self, config: &Config) -> ApplyReport {
        self.ask(|reply| Command::Apply(specs(config), reply)).await.unwrap_or_default()
    }

    /// Replaces the instances of a service one by one, each old one only after its replacement is
    /// ready. Returns at the end. Dropping the future does not stop the restart.
    ///
    /// # Errors
    /// When there is no such service, it is being restarted already, a new instance does not
    /// become ready (then the old ones stay), or it stops.
    pub async fn restart(&self, service: &str) -> Result<RestartReport, RestartError> {
        let answer = self.ask(|reply| Command::Restart(service.to_owned(), reply)).await;
        answer.unwrap_or_else(|| Err(RestartError::Stopping { service: service.to_owned() }))
    }

    /// Drains and stops everything; what has not stopped by `deadline` is killed. Draining ends
    /// at half of the time at the latest, so that TERM can be obeyed. Returns at the end. A second
    /// call brings the deadline forward; the first one then returns an empty report.
    pub async fn stop(&self, deadline: Instant) -> StopReport {
        self.ask(|reply| Command::Stop(deadline, reply)).await.unwrap_or_default()
    }

    /// Adds the fleet's metrics.
    pub fn expose(&self, exposition: &mut Exposition) {
        metrics::expose(&self.snapshot.borrow(), exposition);
    }

    /// `None` once the owner task has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
