//! The I/O seam: sockets, time and tasks of one worker thread, and nothing else.
//!
//! The data path polls these and knows no runtime, so that the loop beneath can be replaced without
//! touching what decides about requests. Beneath is a tokio runtime of one thread, with one
//! difference that pays for most of what an event loop of our own would win: small writes are not
//! sent at once but collected until the tasks that were ready have had their turn, and then handed
//! to the kernel together, by one io_uring call for all of them (see `outbox`). Where io_uring is
//! forbidden, as in most containers, the same bytes go by one call each.
//!
//! Invariants:
//! - Everything here belongs to one thread; a [`Stream`] is never moved to another. Wakers are
//!   tokio's: any thread may wake a task.
//! - `poll_*` registers the calling task for readiness of that direction; the last task to poll a
//!   direction is the one woken. Both directions of a stream, and any number of streams, may be
//!   polled by one task.
//! - [`Stream::poll_readable`] waits without a buffer. A read that fills less than its buffer is
//!   known to have emptied the socket, so no second read is spent on finding that out.
//! - What a write took will be sent, also when the stream is dropped after it; an error of sending
//!   is told by the next write, and the read side sees the connection's end.
//! - The kernel holds no pointer into our memory between two calls: dropping any future or stream
//!   at any time is sound.
//! - A task that always finds something to do is made to yield by tokio's budget, which a read or
//!   write of many bytes uses up faster.
//!
//! Left out: deadlines (see `deadline`; a tokio timer for each request would cost half a
//! microsecond), read buffers, name resolution.

mod deadline;
mod listener;
mod outbox;
mod pipe;
mod registration;
mod ring;
mod stream;
#[cfg(test)]
mod tests;
mod timer;

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Once;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions};

pub(crate) use deadline::{Deadline, Deadlines};
pub(crate) use listener::Listener;
pub(crate) use pipe::Pipe;
pub(crate) use stream::Stream;
pub(crate) use timer::Timer;

use outbox::Outbox;
use ring::SendRing;

/// What the log's lines of this module are about.
const PART: &str = "net";

/// Runs `main` and every task it spawns on the calling thread until `main` ends; tasks still
/// running then are dropped. What they write while that happens is sent if the socket takes it.
///
/// # Errors
/// When the kernel gives no event descriptor.
pub(crate) fn run<F: Future>(main: F) -> io::Result<F::Output> {
    /// What one worker is refused, all are.
    static TOLD: Once = Once::new();
    let ring = SendRing::new().inspect_err(|error| {
        TOLD.call_once(|| {
            crate::log::info(
                PART,
                format_args!(
                    "io_uring is not to be had ({error}): small writes go out one by one, at some \
                     more processor time for each"
                ),
            );
        });
    });
    run_with(ring.ok(), main)
}

/// [`run`] with or without a ring.
fn run_with<F: Future>(ring: Option<SendRing>, main: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    // The guard outlives the runtime's tasks, whose streams use the outbox.
    let (outbox, _current) = Outbox::install(ring);
    let output = runtime.block_on(async {
        tokio::task::spawn_local(Rc::clone(&outbox).run());
        let output = main.await;
        outbox.flush();
        output
    });
    drop(runtime);
    Ok(output)
}

/// Starts a task on this thread. Must be called from within [`run`].
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(task);
}

/// Waits until `at`, to the granularity of a millisecond. For rare waits: see `deadline` for those
/// of each request.
pub(crate) async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

/// Lets the other tasks of this thread and the event queue have a turn.
pub(crate) async fn yield_now() {
    tokio::task::yield_now().await;
}
