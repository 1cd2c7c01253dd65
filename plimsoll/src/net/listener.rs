//! A listening socket of one worker.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;

use super::registration;
use super::stream::Stream;

/// A listening TCP socket of one worker.
#[derive(Debug)]
pub(crate) struct Listener(AsyncFd<TcpListener>);

impl Listener {
    /// Takes over a listening socket; it is made non-blocking.
    ///
    /// # Errors
    /// When the socket cannot be registered with the event loop.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(registration::listener(listener)?))
    }

    /// The next connection and the peer's address. Options set on the listening socket
    /// (`TCP_NODELAY`) are inherited, which saves a call for each connection.
    ///
    /// # Errors
    /// As `accept(2)`; exhaustion of descriptors is `EMFILE` or `ENFILE`, and the connection stays
    /// in the kernel's queue: pause before the next attempt.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Stream, SocketAddr)>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            match self.0.get_ref().accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    return Poll::Ready(Ok((Stream::new(stream.into())?, peer)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
