//! Counts of the decisions that somebody should know of: each means that a service is short of
//! servers. The usual ones are not counted, so they cost nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::view::NeedsView;
use crate::edge::balance::{Decision, Reason, Tier};

/// Written by every worker, read by status and metrics.
#[derive(Debug, Default)]
pub(super) struct Needs {
    backup: AtomicU64,
    spread: AtomicU64,
    last_resort: AtomicU64,
    overflow: AtomicU64,
}

impl Needs {
    /// Counts `decision` if it was made in need.
    pub(super) fn count(&self, decision: &Decision<'_>) {
        match decision.tier {
            Tier::Primary => {}
            Tier::Backup => add(&self.backup),
            Tier::Spread => add(&self.spread),
            Tier::LastResort => add(&self.last_resort),
        }
        if decision.reason == Reason::KeyHashOverflow {
            add(&self.overflow);
        }
    }

    /// The counts now.
    pub(super) fn view(&self) -> NeedsView {
        NeedsView {
            backup: self.backup.load(Ordering::Relaxed),
            spread: self.spread.load(Ordering::Relaxed),
            last_resort: self.last_resort.load(Ordering::Relaxed),
            overflow: self.overflow.load(Ordering::Relaxed),
        }
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
