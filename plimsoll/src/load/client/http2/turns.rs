//! Whose turn it is on a connection: so many exchanges at once, the others in the order in which
//! they came.
//!
//! How many changes when the server says so (RFC 9113 §6.5.2), also downwards, while exchanges are
//! under way: then those that end give no turn back until it fits.

use std::cell::Cell;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The turns of a connection.
#[derive(Debug)]
pub(super) struct Turns {
    free: Semaphore,
    /// Taken and not given back.
    taken: Cell<usize>,
    /// How many there are, free or taken, once what is owed is paid.
    allowed: Cell<usize>,
    /// Taken ones that are not to be given back.
    owed: Cell<usize>,
}

/// An exchange that counts as being under way.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    permit: Option<SemaphorePermit<'a>>,
}

impl Turns {
    /// Most that can be allowed.
    pub(super) const MOST: usize = Semaphore::MAX_PERMITS;

    /// So many at once.
    pub(super) fn new(allowed: usize) -> Self {
        Self {
            free: Semaphore::new(allowed),
            taken: Cell::new(0),
            allowed: Cell::new(allowed),
            owed: Cell::new(0),
        }
    }

    /// So many at once from now on; at most [`Turns::MOST`].
    pub(super) fn allow(&self, allowed: usize) {
        let before = self.allowed.replace(allowed);
        if allowed > before {
            let more = allowed - before;
            let paid = more.min(self.owed.get());
            self.owed.set(self.owed.get() - paid);
            self.free.add_permits(more - paid);
        } else if allowed < before {
            let fewer = before - allowed;
            let forgotten = self.free.forget_permits(fewer);
            self.owed.set(self.owed.get() + fewer - forgotten);
        }
    }

    /// How many are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }

    /// Whether one can be taken without waiting.
    #[cfg(test)]
    pub(super) fn has_free(&self) -> bool {
        self.free.available_permits() > 0
    }

    /// Waits for a turn; `None` once there are no more.
    pub(super) async fn take(&self) -> Option<Turn<'_>> {
        let permit = self.free.acquire().await.ok()?;
        self.taken.set(self.taken.get() + 1);
        Some(Turn { turns: self, permit: Some(permit) })
    }

    /// There are no more turns; who waits for one is told.
    pub(super) fn end(&self) {
        self.free.close();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let turns = self.turns;
        turns.taken.set(turns.taken.get() - 1);
        if turns.owed.get() > 0
            && let Some(permit) = self.permit.take()
        {
            turns.owed.set(turns.owed.get() - 1);
            permit.forget();
        }
    }
}
