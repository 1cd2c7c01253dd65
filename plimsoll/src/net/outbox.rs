//! Small writes of all streams, collected for one turn of the event loop and sent together.
//!
//! A turn: the tasks that the last poll of the event queue has woken run one after the other; each
//! may leave bytes for a stream. The first of them wakes the flusher, a task like the others, which
//! therefore runs after those that were ready before it, and sends for all.
//!
//! Invariants:
//! - At most [`PENDING_MAX`] bytes of a stream wait; at most [`SENDS_MAX`] streams do.
//! - A stream in the queue is kept open by it: bytes of a dropped stream are sent before it closes.
//! - When the socket takes less than what waits, the stream is *stalled*: a task of its own sends
//!   the rest, is the only one to wait for room in the socket, and wakes the writer at the end.
//! - Buffers are the outbox's; a stream without waiting bytes has none.
//!
//! Left out: writes too large to be worth copying (see `stream`).

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::mem;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use socket2::Socket;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::registration;
use super::ring::{SENDS_MAX, SendRing};

/// Most bytes of one stream that wait for the flusher. Copying them costs less than a call to the
/// kernel of their own.
pub(super) const PENDING_MAX: usize = 16 * 1024;
/// First size of a buffer: a head and a small body.
const BUFFER_BYTES: usize = 2 * 1024;
/// Most buffers kept for reuse.
const BUFFERS_MAX: usize = 64;
/// A dropped stream whose peer takes no byte for this long is closed with its rest unsent.
const ABANDONED_TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    /// The outbox of the loop that runs on this thread. Written by `Outbox::install` and its guard.
    static CURRENT: RefCell<Option<Rc<Outbox>>> = const { RefCell::new(None) };
}

/// A socket and what waits to be sent on it.
#[derive(Debug)]
pub(super) struct Source {
    socket: AsyncFd<Socket>,
    outbox: Rc<Outbox>,
    pending: RefCell<Pending>,
    /// The outbox's turn in which a large write went to the socket directly.
    direct: Cell<u32>,
}

/// What waits on one stream. Borrowed only within functions of this file that run no foreign code.
#[derive(Debug, Default)]
struct Pending {
    /// Not sent yet.
    bytes: Vec<u8>,
    /// Set while a task of its own sends the bytes.
    stall: Option<Box<Stall>>,
    /// The error that ended sending, told by every write from then on.
    failure: Option<i32>,
    /// In the outbox's queue.
    queued: bool,
    /// To be shut down for writing after the last byte.
    shutdown: bool,
}

#[derive(Debug, Default)]
struct Stall {
    /// The writer, waiting.
    writer: Option<Waker>,
    /// The task that sends.
    sender: OnceCell<AbortHandle>,
}

/// A send that the flusher does.
#[derive(Debug)]
pub(super) struct Job {
    /// Whose bytes they are.
    pub(super) source: Rc<Source>,
    /// What is to be sent.
    pub(super) bytes: Vec<u8>,
    /// How many bytes were sent; `None` until it was tried.
    pub(super) outcome: Option<io::Result<usize>>,
}

/// The streams of one thread that have something to send.
pub(super) struct Outbox {
    ring: RefCell<Option<SendRing>>,
    queue: RefCell<Vec<Rc<Source>>>,
    /// Empty outside of `flush`; kept for its allocation.
    jobs: Cell<Vec<Job>>,
    /// The flusher's task.
    flusher: RefCell<Option<Waker>>,
    buffers: RefCell<Vec<Vec<u8>>>,
    /// Counts flushes, from 1; may wrap.
    turn: Cell<u32>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queued = self.queue.try_borrow().map_or(0, |queue| queue.len());
        formatter.debug_struct("Outbox").field("queued", &queued).finish_non_exhaustive()
    }
}

/// Takes the outbox of this thread away when dropped, with what nobody can send any more: only
/// after a panic is there any.
pub(super) struct Installed(Rc<Outbox>);

impl Drop for Installed {
    fn drop(&mut self) {
        CURRENT.take();
        // What tasks left when they were dropped: short words of farewell. Nobody is there any more
        // to send what a socket does not take at once.
        for source in self.0.queue.take() {
            if let Some(bytes) = source.dequeue() {
                let _ = send(source.socket(), &bytes);
            }
        }
    }
}

impl Outbox {
    /// Makes an outbox the one of this thread until the guard is dropped.
    pub(super) fn install(ring: Option<SendRing>) -> (Rc<Self>, Installed) {
        let outbox = Rc::new(Self {
            ring: RefCell::new(ring),
            queue: RefCell::default(),
            jobs: Cell::default(),
            flusher: RefCell::default(),
            buffers: RefCell::default(),
            turn: Cell::new(1),
        });
        CURRENT.set(Some(Rc::clone(&outbox)));
        (Rc::clone(&outbox), Installed(outbox))
    }

    fn current() -> io::Result<Rc<Self>> {
        CURRENT
            .with_borrow(Option::clone)
            .ok_or_else(|| io::Error::other("a stream can be made only within net::run"))
    }

    /// The flusher: never ends.
    pub(super) async fn run(self: Rc<Self>) {
        poll_fn(|context| {
            self.flusher.replace(Some(context.waker().clone()));
            self.flush();
            Poll::<()>::Pending
        })
        .await;
    }

    /// Sends what waits. What a socket does not take is left to a task of its own.
    pub(super) fn flush(&self) {
        self.turn.set(self.turn.get().wrapping_add(1));
        let mut jobs = self.jobs.take();
        for source in self.queue.borrow_mut().drain(..) {
            if let Some(bytes) = source.dequeue() {
                jobs.push(Job { source, bytes, outcome: None });
            }
        }
        if jobs.len() > 1 {
            self.send_together(&mut jobs);
        }
        for mut job in jobs.drain(..) {
            let outcome =
                job.outcome.take().unwrap_or_else(|| send(job.source.socket(), &job.bytes));
            job.source.sent(job.bytes, outcome);
        }
        self.jobs.set(jobs);
    }

    fn send_together(&self, jobs: &mut [Job]) {
        let mut ring = self.ring.borrow_mut();
        let failed = ring.as_mut().and_then(|ring| ring.send(jobs).err());
        if let Some(error) = failed {
            *ring = None;
            crate::log::warn(
                super::PART,
                format_args!(
                    "io_uring failed ({error}): small writes go out one by one from now on"
                ),
            );
        }
    }

    fn enqueue(&self, source: Rc<Source>) {
        let queued = {
            let mut queue = self.queue.borrow_mut();
            queue.push(source);
            queue.len()
        };
        if queued == 1 {
            if let Some(flusher) = &*self.flusher.borrow() {
                flusher.wake_by_ref();
            }
        } else if queued == SENDS_MAX {
            self.flush();
        }
    }

    fn buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    fn recycle(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_MAX && buffer.capacity() > 0 {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}

impl Source {
    /// A non-blocking socket, watched by this thread's event loop.
    ///
    /// # Errors
    /// Outside of `run`; when the event loop cannot take the socket.
    pub(super) fn new(socket: Socket) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            outbox: Outbox::current()?,
            socket: registration::stream(socket)?,
            pending: RefCell::default(),
            direct: Cell::new(0),
        }))
    }

    /// The socket.
    pub(super) fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }

    /// The socket as the event loop knows it. Only the read direction and, unless stalled, the
    /// write direction may be waited for.
    pub(super) fn events(&self) -> &AsyncFd<Socket> {
        &self.socket
    }

    /// Says that a large write went to the socket directly.
    pub(super) fn set_direct(&self) {
        self.direct.set(self.outbox.turn.get());
    }

    /// Whether one did since the last flush. What follows it is better sent at once too, while the
    /// peer is still waking up for the large part, than made it wake up once more.
    pub(super) fn is_direct(&self) -> bool {
        self.direct.get() == self.outbox.turn.get()
    }

    /// Ready unless earlier bytes are in the way; an error if one ended sending.
    pub(super) fn poll_unstalled(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let mut pending = self.pending.borrow_mut();
        if let Some(code) = pending.failure {
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        match &mut pending.stall {
            None => Poll::Ready(Ok(())),
            Some(stall) => {
                stall.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Leaves bytes to the flusher, if there is room for all of them. Must not be stalled.
    pub(super) fn leave<'a>(
        self: &Rc<Self>,
        length: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> bool {
        let newly_queued = {
            let mut pending = self.pending.borrow_mut();
            if pending.bytes.len() + length > PENDING_MAX {
                return false;
            }
            if pending.bytes.capacity() == 0 {
                pending.bytes = self.outbox.buffer();
            }
            for piece in pieces {
                pending.bytes.extend_from_slice(piece);
            }
            !mem::replace(&mut pending.queued, true)
        };
        if newly_queued {
            self.outbox.enqueue(Rc::clone(self));
        }
        true
    }

    /// Before a writer waits for room itself: what waits must not wait for the same event, so it
    /// gets a task, and the writer waits for that. Ready if nothing waits. Must not be stalled.
    pub(super) fn poll_stall(self: &Rc<Self>, context: &Context<'_>) -> Poll<io::Result<()>> {
        let bytes = self.take();
        if !bytes.is_empty() {
            self.settle(bytes, 0);
        }
        self.poll_unstalled(context)
    }

    /// Sends what waits, ahead of bytes that do not come this way. Must not be stalled.
    pub(super) fn poll_sent(self: &Rc<Self>, context: &Context<'_>) -> Poll<io::Result<()>> {
        let bytes = self.take();
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let outcome = send(self.socket(), &bytes);
        self.sent(bytes, outcome);
        self.poll_unstalled(context)
    }

    /// Takes what waits, to be sent before other bytes: `settle` must follow.
    pub(super) fn take(&self) -> Vec<u8> {
        mem::take(&mut self.pending.borrow_mut().bytes)
    }

    /// After [`Source::take`]: `count` bytes of `bytes` were sent. The rest, if any, is left to a task
    /// that waits for room.
    pub(super) fn settle(self: &Rc<Self>, mut bytes: Vec<u8>, count: usize) {
        let mut pending = self.pending.borrow_mut();
        if count >= bytes.len() {
            self.outbox.recycle(bytes);
            if mem::take(&mut pending.shutdown) {
                // As in `shutdown_write`.
                let _ = self.socket().shutdown(Shutdown::Write);
            }
            return;
        }
        bytes.drain(..count);
        pending.bytes = bytes;
        let stall = pending.stall.insert(Box::default());
        let sender = tokio::task::spawn_local(Rc::clone(self).send_rest());
        // The cell is new, so it is empty.
        let _ = stall.sender.set(sender.abort_handle());
    }

    /// Shuts the write direction down after the last byte.
    pub(super) fn shutdown_write(&self) {
        let mut pending = self.pending.borrow_mut();
        if pending.bytes.is_empty() {
            // The peer may be gone already: then there is nothing left to tell it.
            let _ = self.socket().shutdown(Shutdown::Write);
        } else {
            pending.shutdown = true;
        }
    }

    /// Forgets what waits; nothing is taken any more.
    pub(super) fn discard(&self) {
        let mut pending = self.pending.borrow_mut();
        pending.failure = Some(libc::ECONNRESET);
        self.outbox.recycle(mem::take(&mut pending.bytes));
        if let Some(sender) = pending.stall.as_ref().and_then(|stall| stall.sender.get()) {
            sender.abort();
        }
    }

    /// What the flusher is to send, if anything.
    fn dequeue(&self) -> Option<Vec<u8>> {
        let mut pending = self.pending.borrow_mut();
        pending.queued = false;
        (pending.stall.is_none() && !pending.bytes.is_empty())
            .then(|| mem::take(&mut pending.bytes))
    }

    fn sent(self: &Rc<Self>, bytes: Vec<u8>, outcome: io::Result<usize>) {
        match outcome {
            Ok(count) => self.settle(bytes, count),
            Err(error) if is_temporary(&error) => self.settle(bytes, 0),
            Err(error) => {
                self.pending.borrow_mut().failure = Some(code(&error));
                self.outbox.recycle(bytes);
            }
        }
    }

    /// Sends the bytes of a stalled stream, then ends the stall.
    async fn send_rest(self: Rc<Self>) {
        let mut outcome = loop {
            let before = self.pending.borrow().bytes.len();
            let rest = poll_fn(|context| self.poll_rest(context));
            match tokio::time::timeout(ABANDONED_TIMEOUT, rest).await {
                Ok(outcome) => break outcome,
                Err(_) => {
                    let moved = self.pending.borrow().bytes.len() < before;
                    // A stream that is still owned has a writer with deadlines of its own.
                    if !moved && Rc::strong_count(&self) == 1 {
                        break Err(io::ErrorKind::TimedOut.into());
                    }
                }
            }
        };
        let mut pending = self.pending.borrow_mut();
        self.outbox.recycle(mem::take(&mut pending.bytes));
        if mem::take(&mut pending.shutdown) && outcome.is_ok() {
            outcome = self.socket().shutdown(Shutdown::Write);
        }
        pending.failure = outcome.err().map(|error| code(&error));
        let writer = pending.stall.take().and_then(|stall| stall.writer);
        drop(pending);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn poll_rest(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.socket.poll_write_ready(context))?;
            let mut pending = self.pending.borrow_mut();
            match send(self.socket(), &pending.bytes) {
                Ok(count) if count == pending.bytes.len() => return Poll::Ready(Ok(())),
                Ok(count) => drop(pending.bytes.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Sends what the socket takes at once.
fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.send_with_flags(bytes, libc::MSG_NOSIGNAL)
}

/// Whether the same send may succeed later.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The number of an error; errors without one count as a broken pipe.
fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EPIPE)
}
