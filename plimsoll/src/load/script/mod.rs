//! What users do: steps, templates, extraction, checks, cookies.
//!
//! The engine drives a [`User`]: it asks for the next [`Action`], does it, and tells how it went
//! ([`judge`], [`User::failed`]). Nothing in here knows of sockets or clocks: time is an argument,
//! and chance comes from a seed, so that a run can be repeated on paper.
//!
//! Invariants: a user with the same seed that gets the same answers does the same; whatever an
//! answer holds, what is kept of it is bounded.

mod answer;
mod body;
mod check;
mod condition;
mod cookies;
mod cursor;
mod expression;
mod extract;
mod functions;
mod origins;
mod pause;
mod program;
mod redirect;
mod request;
mod run;
#[cfg(test)]
mod sample;
mod template;
mod url;
mod user;
mod verdict;

use std::time::Duration;

pub use origins::origins;
pub use request::{OutgoingMessage, is_constant, message, redirect, render, wanted};
pub use run::{Shared, Surroundings};
pub use user::User;
pub use verdict::{Verdict, instance, judge, judge_message};

use crate::config::bench::model::{LabelIndex, Message, Request};

/// What a user does next.
#[derive(Debug)]
pub enum Action<'p> {
    /// Sends a request and tells how it went.
    Request(&'p Request),
    /// Sends a message or awaits one, and tells how it went.
    Message(&'p Message),
    /// Waits.
    Pause(Duration),
    /// Begins to measure a transaction; they nest.
    TransactionBegins,
    /// The innermost transaction is over.
    TransactionEnds {
        /// Its label.
        label: LabelIndex,
        /// Whether everything within succeeded.
        succeeded: bool,
        /// Whether pauses within count.
        with_pauses: bool,
    },
    /// The iteration is over.
    IterationEnds,
    /// The user leaves and does nothing more; transactions that are open do not count.
    Leave,
    /// The whole run is to end, because a request failed and the plan wants that.
    StopRun,
}
