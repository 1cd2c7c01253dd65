//! Kernel pipes through which large bodies go from socket to socket without being copied.
//!
//! `splice(2)` moves references to the pages that a socket received into a pipe, and from the pipe to
//! another socket. That saves both copies of a read and a write, which are most of what a large
//! body costs a proxy, at the price of a pipe's two descriptors while the body is on its way.
//!
//! Invariants: a thread has at most [`PIPES_MAX`] pipes, in use or kept; a kept pipe is empty. A pipe
//! is filled only when it is empty, so "would block" has one meaning: the socket has nothing.
//!
//! Left out: when a body is worth it (see `relay`).

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;

/// Most pipes of one thread: each takes two descriptors and up to 64 KiB of the kernel's memory.
/// Bodies beyond are copied.
const PIPES_MAX: usize = 128;
/// Most pipes that are kept for the next body.
const KEPT_MAX: usize = 16;
/// What a pipe holds at most unless told otherwise, pipe(7).
const PIPE_BYTES: u64 = 64 * 1024;

thread_local! {
    /// Pipes that are not in use. Written by `Pipe::take` and its drop.
    static KEPT: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
    /// How many pipes there are, kept ones included.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Ends {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// A pipe of this thread, in use for one body.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Set until the drop.
    ends: Option<Ends>,
    /// Bytes within.
    filled: usize,
}

impl Pipe {
    /// An empty pipe, unless the thread has too many or the kernel gives none.
    pub(crate) fn take() -> Option<Self> {
        let kept = KEPT.with_borrow_mut(Vec::pop);
        let ends = match kept {
            Some(ends) => ends,
            None if COUNT.get() >= PIPES_MAX => return None,
            None => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).ok()?;
                COUNT.set(COUNT.get() + 1);
                Ends { reader, writer }
            }
        };
        Some(Self { ends: Some(ends), filled: 0 })
    }

    /// Bytes within.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Moves at most `most` bytes from a socket into the pipe, which must be empty. 0 bytes mean that
    /// the peer will send no more.
    ///
    /// # Errors
    /// Of `splice(2)`; `WouldBlock` if the socket has nothing; `InvalidInput` if it cannot splice.
    pub(super) fn fill(&mut self, from: impl AsFd, most: u64) -> io::Result<usize> {
        debug_assert_eq!(self.filled, 0);
        let Some(ends) = &self.ends else { return Ok(0) };
        let most = most.min(PIPE_BYTES) as usize;
        self.filled = splice(from, None, &ends.writer, None, most, flags())?;
        Ok(self.filled)
    }

    /// Moves what the socket takes of the bytes within.
    ///
    /// # Errors
    /// Of `splice(2)`; `WouldBlock` if the socket is full.
    pub(super) fn drain(&mut self, to: impl AsFd) -> io::Result<usize> {
        let Some(ends) = &self.ends else { return Ok(0) };
        let count = splice(&ends.reader, None, to, None, self.filled, flags())?;
        self.filled -= count;
        Ok(count)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take() else { return };
        // At the end of the thread the list may be gone already.
        let kept = self.filled == 0
            && KEPT
                .try_with(|kept| {
                    let mut kept = kept.borrow_mut();
                    let room = kept.len() < KEPT_MAX;
                    if room {
                        kept.push(ends);
                    }
                    room
                })
                .unwrap_or(false);
        if !kept {
            COUNT.set(COUNT.get().saturating_sub(1));
        }
    }
}

fn flags() -> SpliceFFlags {
    SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK
}
