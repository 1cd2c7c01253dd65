//! The I/O seam: sockets, time and tasks of one worker thread, and nothing else.
//!
//! The data path polls these and knows no runtime, so that the loop beneath (here: a tokio runtime
//! of one thread) can be replaced without touching what decides about requests.
//!
//! Invariants:
//! - Everything here belongs to one thread; a [`Stream`] is never moved to another.
//! - `poll_*` registers the calling task for readiness of that direction; the last task to poll a
//!   direction is the one woken. Both directions of a stream, and any number of streams, may be
//!   polled by one task.
//! - [`Stream::poll_readable`] waits without a buffer. A read that fills less than its buffer is
//!   known to have emptied the socket, so no second read is spent on finding that out.
//!
//! Left out: deadlines (see `deadline`), buffering, name resolution.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};

/// Runs `main` and every task it spawns on the calling thread until `main` ends; tasks still
/// running then are dropped.
///
/// # Errors
/// When the kernel gives no event descriptor.
pub(crate) fn run<F: Future>(main: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())?;
    Ok(runtime.block_on(main))
}

/// Starts a task on this thread. Must be called from within [`run`].
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(task);
}

/// Waits until `at`, to the granularity of a millisecond.
pub(crate) async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

/// Lets the other tasks of this thread and the event queue have a turn.
pub(crate) async fn yield_now() {
    tokio::task::yield_now().await;
}

/// A listening TCP socket of one worker.
#[derive(Debug)]
pub(crate) struct Listener(TcpListener);

impl Listener {
    /// Takes over a listening socket; it is made non-blocking.
    ///
    /// # Errors
    /// When the socket cannot be registered with the event loop.
    pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(TcpListener::from_std(listener)?))
    }

    /// The next connection and the peer's address. Options set on the listening socket
    /// (`TCP_NODELAY`) are inherited, which saves a call for each connection.
    ///
    /// # Errors
    /// As `accept(2)`; exhaustion of descriptors is `EMFILE` or `ENFILE`.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Stream(RefCell::new(Socket::Tcp(stream))), peer))
    }
}

/// A connected stream socket, TCP or Unix.
#[derive(Debug)]
pub(crate) struct Stream(RefCell<Socket>);

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Calls a method on whichever socket it is. The borrow ends with the call: no poll function
/// runs foreign code, so it is never held twice.
macro_rules! with_socket {
    ($stream:expr, $socket:ident => $call:expr) => {
        match &mut *$stream.0.borrow_mut() {
            Socket::Tcp($socket) => $call,
            Socket::Unix($socket) => $call,
        }
    };
}

impl Stream {
    /// Connects by TCP, with `TCP_NODELAY`.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub(crate) async fn connect_tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        let stream = socket.connect(address).await?;
        Ok(Self(RefCell::new(Socket::Tcp(stream))))
    }

    /// Connects to a Unix stream socket.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub(crate) async fn connect_unix(path: &Path) -> io::Result<Self> {
        Ok(Self(RefCell::new(Socket::Unix(UnixStream::connect(path).await?))))
    }

    /// Waits until a read would not block: bytes, the end, or an error are there.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => socket.poll_read_ready(context))
    }

    /// Reads into `buffer`; 0 bytes mean that the peer will send no more.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(with_socket!(self, socket => Pin::new(socket).poll_read(context, &mut buffer)))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes what fits into the socket's buffer.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => Pin::new(socket).poll_write(context, bytes))
    }

    /// Writes what fits of several pieces, in one call.
    pub(crate) fn poll_write_vectored(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => Pin::new(socket).poll_write_vectored(context, pieces))
    }

    /// Whether nothing has happened on a connection that should be silent: no byte, no end, no
    /// error has been reported by the event loop. Costs no call to the kernel.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.poll_readable(&mut context).is_pending()
    }

    /// Asks the kernel itself whether a silent connection is still open: for requests that must
    /// not be sent twice.
    pub(crate) fn is_open(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        let peeked = with_socket!(self, socket => {
            SockRef::from(&*socket).peek(&mut byte)
        });
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends the end of the stream; reading goes on.
    pub(crate) fn shutdown_write(&self) {
        // The peer may be gone already: then there is nothing left to tell it.
        let _ = with_socket!(self, socket => {
            SockRef::from(&*socket).shutdown(std::net::Shutdown::Write)
        });
    }

    /// Reads what has arrived, then the end: wakes the task that waits for this stream.
    pub(crate) fn shutdown_read(&self) {
        let _ = with_socket!(self, socket => {
            SockRef::from(&*socket).shutdown(std::net::Shutdown::Read)
        });
    }

    /// Makes the drop of this stream reset the connection, so that the peer cannot take what it
    /// got for complete.
    pub(crate) fn reset_on_close(&self) {
        let _ = with_socket!(self, socket => {
            SockRef::from(&*socket).set_linger(Some(std::time::Duration::ZERO))
        });
    }
}
