//! Requests that are always the same: rendered once into the bytes that are sent.
//!
//! Left out: everything that has to be rendered or looked at each time (see `script`).

use std::time::Duration;

use crate::config::bench::model::{Request, ServedBy, Step};
use crate::load::client::message::Message;
use crate::load::client::{Outgoing, Wanted};
use crate::load::script::{self, Shared};

/// A request that is always the same.
#[derive(Debug)]
pub(super) struct Constant {
    pub(super) outgoing: Outgoing,
    pub(super) message: Message,
}

impl Constant {
    /// That of a request of a group, if it is constant and can be sent.
    pub(super) fn of(request: &Request, shared: &Shared, group: usize) -> Option<Self> {
        if !script::is_constant(request, shared, group) {
            return None;
        }
        let mut anybody = script::User::new(shared, group, 1);
        let outgoing = script::render(request, &mut anybody, shared).ok()?;
        let message = Message::new(&outgoing, shared.plan().http.keep_alive).ok()?;
        Some(Self { outgoing, message })
    }
}

/// The only thing that users of a group do, where that is a constant request of whose answers the
/// status tells all: they need no script.
#[derive(Debug)]
pub(super) struct Sole {
    pub(super) label: usize,
    pub(super) constant: Constant,
    pub(super) timeout: Duration,
    pub(super) wanted: Wanted,
    /// Whether header fields are wanted for no more than the name of the instance.
    pub(super) glances: bool,
}

impl Sole {
    /// That of a group, if it does no more.
    pub(super) fn of(shared: &Shared, group: usize) -> Option<Self> {
        let plan = shared.plan();
        let [Step::Request(request)] = &plan.groups[group].steps[..] else { return None };
        if request.redirects_max > 0 || !request.extract.is_empty() || !request.checks.is_empty() {
            return None;
        }
        if matches!(plan.served_by, Some(ServedBy::Json(_))) {
            return None;
        }
        Some(Self {
            label: request.label,
            constant: Constant::of(request, shared, group)?,
            timeout: request.timeout.unwrap_or(plan.http.timeout),
            wanted: script::wanted(request, shared, group),
            glances: true,
        })
    }
}
