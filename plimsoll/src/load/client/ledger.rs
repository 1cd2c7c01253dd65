//! How many bytes a connection carried, and which exchange they are told with.
//!
//! Over HTTP/2, bodies belong to their exchange. Everything else (frame headers, heads as HPACK has
//! packed them, settings, window updates) is known only as a sum, and is told with the exchange that
//! ends next. So the bytes of all exchanges add up to what the connection carried, while those of a
//! single one are exact in its body only. Over WebSockets, one exchange follows another, and what
//! was carried since the last is told with the next.
//!
//! Invariants: nothing is told twice, but for bodies that were on their way to another exchange when
//! one ended: those are taken back from what the next are told with. TLS's own framing is left out.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;

/// Bytes of one direction.
#[derive(Debug, Default)]
struct Direction {
    /// Carried by the connection. Written by the transport.
    carried: Cell<u64>,
    /// Told with an exchange, or about to be. Written by exchanges.
    claimed: Cell<u64>,
}

impl Direction {
    fn carry(&self, bytes: usize) {
        self.carried.set(self.carried.get() + bytes as u64);
    }

    fn claim(&self, bytes: u64) {
        self.claimed.set(self.claimed.get() + bytes);
    }

    /// Claims what nobody has claimed.
    fn claim_rest(&self) -> u64 {
        let rest = self.carried.get().saturating_sub(self.claimed.get());
        self.claim(rest);
        rest
    }
}

/// The bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sent: Direction,
    received: Direction,
}

impl Ledger {
    /// Some of a request's body goes out.
    pub(super) fn claim_sent(&self, bytes: usize) {
        self.sent.claim(bytes as u64);
    }

    /// Some of an answer's body came in.
    pub(super) fn claim_received(&self, bytes: usize) {
        self.received.claim(bytes as u64);
    }

    /// What is told with the exchange that ends now besides its bodies: sent and received.
    pub(super) fn overhead(&self) -> (u64, u64) {
        (self.sent.claim_rest(), self.received.claim_rest())
    }
}

/// A transport whose bytes are counted.
#[derive(Debug)]
pub(super) struct Metered {
    transport: Transport,
    ledger: Rc<Ledger>,
}

impl Metered {
    pub(super) fn new(transport: Transport, ledger: Rc<Ledger>) -> Self {
        Self { transport, ledger }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.transport).poll_read(context, buffer);
        self.ledger.received.carry(buffer.filled().len() - before);
        outcome
    }
}

impl Metered {
    fn count(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.ledger.sent.carry(bytes);
        }
        outcome
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(context, bytes);
        self.count(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(context, pieces);
        self.count(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

#[cfg(test)]
impl Ledger {
    /// What the connection carried: sent and received.
    pub(super) fn carried(&self) -> (u64, u64) {
        (self.sent.carried.get(), self.received.carried.get())
    }
}
