//! A connected stream socket.
//!
//! Reads go straight to the socket. Writes that are small are left to the outbox; large ones go to
//! the socket at once, together with what was left before them.
//!
//! Invariants: those of the module; bytes leave in the order in which writes took them.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use super::outbox::Source;
use super::pipe::Pipe;

/// Writes up to this size are copied and sent with those of other streams. Beyond it the copy
/// costs more than is won.
const COPIED_MAX: usize = 8 * 1024;
/// Pieces of a large write that are sent by one call, besides what was left before.
const PIECES_MAX: usize = 15;
/// A task may move 128 times this many bytes before it must yield.
const BUDGET_UNIT_BYTES: usize = 8 * 1024;
/// Pause before another attempt to connect to a Unix socket whose queue is full.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(2);
/// Most such attempts; half a second in all.
const QUEUE_FULL_ATTEMPTS: u32 = 250;

/// A connected stream socket, TCP or Unix.
///
/// Bytes that a write took are sent even if the stream is dropped after it, unless
/// [`Stream::reset_on_close`] was called.
#[derive(Debug)]
pub(crate) struct Stream(Rc<Source>);

impl Stream {
    /// A connected socket that is non-blocking already.
    ///
    /// # Errors
    /// Outside of `run`; when the event loop cannot take the socket.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self(Source::new(socket)?))
    }

    /// Connects by TCP, with `TCP_NODELAY`.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub(crate) async fn connect_tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking().cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => return Self::new(socket),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        // Registered only now: an unconnected socket would be reported as hung up.
        let stream = Self::new(socket)?;
        stream.0.events().writable().await?.retain_ready();
        match stream.0.socket().take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    /// Connects to a Unix stream socket; waits a little if the server's queue is full.
    ///
    /// # Errors
    /// As `connect(2)`; `WouldBlock` if the queue stayed full.
    pub(crate) async fn connect_unix(path: &Path) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
        let mut attempts = 0;
        loop {
            match socket.connect(&address) {
                Ok(()) => return Self::new(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    attempts += 1;
                    if attempts == QUEUE_FULL_ATTEMPTS {
                        return Err(error);
                    }
                    super::sleep_until(Instant::now() + QUEUE_FULL_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a read would not block: bytes, the end, or an error are there.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.events().poll_read_ready(context))?.retain_ready();
        Poll::Ready(Ok(()))
    }

    /// Reads into `buffer`; 0 bytes mean that the peer will send no more.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let events = self.0.events();
        loop {
            let mut guard = ready!(events.poll_read_ready(context))?;
            match events.get_ref().read(buffer) {
                Ok(count) => {
                    // The end stays readable: it is not cleared by this.
                    if count > 0 && count < buffer.len() {
                        guard.clear_ready();
                    }
                    spend(context, count);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Takes bytes to be sent: all of them if they are few, else what fits into the socket.
    ///
    /// # Errors
    /// Of this write, or of sending what earlier ones took.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.0.poll_unstalled(context))?;
        if self.is_copied(bytes.len()) && self.0.leave(bytes.len(), std::iter::once(bytes)) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.poll_send(context, &[IoSlice::new(bytes)])
    }

    /// As [`Stream::poll_write`], for bytes in several pieces.
    pub(crate) fn poll_write_vectored(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.0.poll_unstalled(context))?;
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.is_copied(length) && self.0.leave(length, pieces.iter().map(|piece| &**piece)) {
            return Poll::Ready(Ok(length));
        }
        self.poll_send(context, pieces)
    }

    /// Moves at most `most` bytes that arrived into the pipe, which must be empty; 0 bytes mean that
    /// the peer will send no more.
    ///
    /// # Errors
    /// As [`Stream::poll_read`]; `InvalidInput` if this kind of socket cannot splice: read then.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        pipe: &mut Pipe,
        most: u64,
    ) -> Poll<io::Result<usize>> {
        let events = self.0.events();
        loop {
            let mut guard = ready!(events.poll_read_ready(context))?;
            match pipe.fill(events.get_ref(), most) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => {
                    spend(context, *outcome.as_ref().unwrap_or(&0));
                    return Poll::Ready(outcome);
                }
            }
        }
    }

    /// Sends all that is in the pipe.
    ///
    /// # Errors
    /// As [`Stream::poll_write`].
    pub(crate) fn poll_drain(
        &self,
        context: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<()>> {
        while pipe.filled() > 0 {
            ready!(self.0.poll_unstalled(context))?;
            ready!(self.0.poll_sent(context))?;
            let events = self.0.events();
            let mut guard = ready!(events.poll_write_ready(context))?;
            match pipe.drain(events.get_ref()) {
                Ok(count) => spend(context, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready unless the socket is full and bytes that were taken wait for room in it.
    ///
    /// # Errors
    /// Of sending what was taken.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_unstalled(context)
    }

    /// Whether a write of this length is left to the flusher.
    fn is_copied(&self, length: usize) -> bool {
        length <= COPIED_MAX && !self.0.is_direct()
    }

    /// Sends what was left before and then the pieces, at once. Must not be stalled.
    fn poll_send(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let events = self.0.events();
        loop {
            let Poll::Ready(guard) = events.poll_write_ready(context) else {
                ready!(self.0.poll_stall(context))?;
                return Poll::Pending;
            };
            let mut guard = guard?;
            let left = self.0.take();
            let mut all = [IoSlice::new(&[]); PIECES_MAX + 1];
            all[0] = IoSlice::new(&left);
            let count = pieces.len().min(PIECES_MAX);
            all[1..=count].copy_from_slice(&pieces[..count]);
            // A call with one piece is cheaper.
            let outcome = match (left.is_empty(), count) {
                (true, 1) => events.get_ref().send_with_flags(&pieces[0], libc::MSG_NOSIGNAL),
                _ => events.get_ref().send_vectored_with_flags(&all[..=count], libc::MSG_NOSIGNAL),
            };
            let (sent, failure) = match outcome {
                Ok(sent) => (sent, None),
                Err(error) => (0, Some(error)),
            };
            let left_length = left.len();
            let length: usize = all[..=count].iter().map(|piece| piece.len()).sum();
            self.0.settle(left, sent);
            match failure {
                None if sent > left_length => {
                    self.0.set_direct();
                    if sent < length {
                        guard.clear_ready();
                    }
                    spend(context, sent);
                    return Poll::Ready(Ok(sent - left_length));
                }
                None if sent == left_length => {}
                // The rest of what was left is in the care of a task now.
                None => {
                    ready!(self.0.poll_unstalled(context))?;
                }
                Some(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    guard.clear_ready();
                    ready!(self.0.poll_unstalled(context))?;
                }
                Some(error) if error.kind() == io::ErrorKind::Interrupted => {
                    ready!(self.0.poll_unstalled(context))?;
                }
                Some(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether nothing has happened on a connection that should be silent: no byte, no end, no
    /// error has been reported by the event loop. Costs no call to the kernel, except after a read
    /// that filled its buffer.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.events().poll_read_ready(&mut context) {
            // A task that has used up its turn is told "pending" whatever has happened.
            Poll::Pending => tokio::task::coop::has_budget_remaining() || self.is_open(),
            Poll::Ready(Err(_)) => false,
            Poll::Ready(Ok(mut guard)) => {
                let open = self.is_open();
                if open {
                    guard.clear_ready();
                }
                open
            }
        }
    }

    /// Asks the kernel itself whether a silent connection is still open: for requests that must
    /// not be sent twice.
    pub(crate) fn is_open(&self) -> bool {
        let peeked = self.0.socket().peek(&mut [MaybeUninit::uninit()]);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the connection has failed since this was last asked: a reset by a peer that ended its
    /// side before is seen by nothing else, since reads go on telling the end.
    pub(crate) fn is_broken(&self) -> bool {
        !matches!(self.0.socket().take_error(), Ok(None))
    }

    /// Sends the end of the stream after what was written; reading goes on.
    pub(crate) fn shutdown_write(&self) {
        self.0.shutdown_write();
    }

    /// Reads what has arrived, then the end: wakes the task that waits for this stream.
    pub(crate) fn shutdown_read(&self) {
        // The peer may be gone already: then the end is there.
        let _ = self.0.socket().shutdown(Shutdown::Read);
    }

    /// Makes the drop of this stream reset the connection, so that the peer cannot take what it
    /// got for complete. What was not sent yet is not sent any more.
    pub(crate) fn reset_on_close(&self) {
        self.0.discard();
        // Fails for a connection that is gone, which needs no reset.
        let _ = self.0.socket().set_linger(Some(Duration::ZERO));
    }
}

/// Uses up the task's budget for bytes that were moved, beyond the unit that the call took.
fn spend(context: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / BUDGET_UNIT_BYTES {
        match coop::poll_proceed(context) {
            Poll::Ready(unit) => unit.made_progress(),
            // Used up: the next call of this task is told to wait.
            Poll::Pending => return,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(Stream::poll_read(&self, context, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write(&self, context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write_vectored(&self, context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(&self, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Stream::poll_flush(&self, context))?;
        self.shutdown_write();
        Poll::Ready(Ok(()))
    }
}
