//! The admin server: status page, status JSON, metrics, and the operator's commands.
//!
//! It knows nothing of edge and fleet: every question becomes a [`Command`] to the app, which
//! answers through the channel inside. It decides who may ask (`access`) and how answers look
//! (`page`, `status`).

mod access;
pub mod api;
mod assets;
mod bind;
mod holder;
mod login;
mod markup;
mod page;
mod server;
mod sessions;
pub mod status;
pub mod units;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use access::CUSTOM_HEADER;
pub use bind::Admin;
pub use server::serve;
use status::{State, Status};

/// Commands waiting for the app; beyond it the admin server answers 503 at once.
pub const COMMANDS_MAX: usize = 64;

/// What the admin server asks of the app. A dropped reply means that Plimsoll is stopping.
///
/// The app must not hold up the others while it carries one out: `Restart` takes minutes.
#[derive(Debug)]
pub enum Command {
    /// Everything `plimsoll status` shows.
    Status(oneshot::Sender<Status>),
    /// The metrics in Prometheus text format.
    Metrics(oneshot::Sender<String>),
    /// Read the config file again and apply it, or change nothing.
    Reload(oneshot::Sender<Result<Reloaded, Refusal>>),
    /// Replace the instances of a service one after the other.
    Restart {
        /// Name of the service.
        service: String,
        /// Answered when the last instance is replaced, or the first failed and was rolled back.
        reply: oneshot::Sender<Result<Restarted, Refusal>>,
    },
    /// Take a server out of traffic, or give it back.
    Drain {
        /// Name of the service.
        service: String,
        /// Name of the server within it.
        server: String,
        /// Return it to traffic.
        undo: bool,
        /// Answered once the balancer knows, not when the last request ended.
        reply: oneshot::Sender<Result<Drained, Refusal>>,
    },
    /// Send a test alarm to a receiver of alarms.
    TryReceiver {
        /// Its name.
        receiver: String,
        /// Answered when it has taken or refused it.
        reply: oneshot::Sender<Result<Tried, Refusal>>,
    },
}

/// What a receiver of alarms said to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Its name.
    pub receiver: String,
    /// In words.
    pub answer: String,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What changed, a line each; empty when the file says what was in force already.
    pub changes: Vec<String>,
    /// What that means for instances, a line a service: who is started, stopped or replaced. It
    /// goes on after the answer.
    pub instances: Vec<String>,
    /// What the operator should look at, a line each.
    pub warnings: Vec<String>,
}

/// What a rolling restart did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restarted {
    /// Name of the service.
    pub service: String,
    /// What was replaced by what, a line each.
    pub steps: Vec<String>,
    /// From the command to its end.
    pub took_seconds: f64,
}

/// What a drain or its undoing did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Name of the service.
    pub service: String,
    /// Name of the server.
    pub server: String,
    /// It takes nothing new now; `false` after an undo.
    pub draining: bool,
    /// Whether that was otherwise before.
    pub changed: bool,
    /// Its state now.
    pub state: State,
    /// Why it is in this state.
    pub reason: String,
    /// Requests it still works on.
    pub in_flight: u64,
    /// What the operator should know, as `no other server of web is healthy`; may be empty.
    pub warnings: Vec<String>,
}

/// Why a command was not carried out; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which status the client gets.
    pub kind: RefusalKind,
    /// What is wrong, one sentence.
    pub error: String,
    /// What to do about it, one sentence.
    pub remedy: String,
    /// More lines, as the errors of a config file.
    pub details: Vec<String>,
}

/// Classes of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// No such service or server: 404.
    NotFound,
    /// Not now or not for this one, as a restart of listed servers or a second one at a time: 409.
    Conflict,
    /// The config file is wrong: 422.
    Invalid,
    /// It was tried and failed, as a restart that was rolled back: 500.
    Failed,
}
