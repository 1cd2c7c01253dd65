//! How many bytes a connection carried, and which exchange they are told with.
//!
//! Over HTTP/2, bodies belong to their exchange. Everything else (frame headers, heads as HPACK has
//! packed them, settings, window updates) is known only as a sum, and is told with the exchange that
//! ends next. So the bytes of all exchanges add up to what the connection carried, while those of a
//! single one are exact in its body only. Over WebSockets, one exchange follows another, and what
//! was carried since the last is told with the next.
//!
//! What an exchange without an answer has claimed is given back, and told with its failure.
//!
//! Invariants: nothing is told twice, but for bodies that were on their way to another exchange when
//! one ended: those are taken back from what the next are told with. TLS's own framing is left out.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Traffic;
use super::transport::Transport;

/// Bytes of one direction.
#[derive(Debug, Default)]
struct Direction {
    /// Traffic by the connection. Written by the transport.
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

    fn give_back(&self, bytes: u64) {
        self.claimed.set(self.claimed.get().saturating_sub(bytes));
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
pub struct Ledger {
    sent: Direction,
    received: Direction,
}

impl Ledger {
    /// What is told with the exchange that ends now besides its bodies.
    pub fn overhead(&self) -> Traffic {
        Traffic { sent: self.sent.claim_rest(), received: self.received.claim_rest() }
    }
}

/// The bodies of one exchange, given back to the ledger unless the exchange is answered.
#[derive(Debug)]
pub(super) struct Bodies<'a> {
    ledger: &'a Ledger,
    sent: Cell<u64>,
    received: Cell<u64>,
}

impl<'a> Bodies<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, sent: Cell::new(0), received: Cell::new(0) }
    }

    /// Some of the request's body goes out.
    pub(super) fn claim_sent(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
        self.ledger.sent.claim(bytes as u64);
    }

    /// Some of the answer's body came in.
    pub(super) fn claim_received(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
        self.ledger.received.claim(bytes as u64);
    }

    /// The exchange is answered: its bodies are told with it.
    pub(super) fn settle(self) {
        self.sent.set(0);
        self.received.set(0);
    }
}

impl Drop for Bodies<'_> {
    fn drop(&mut self) {
        self.ledger.sent.give_back(self.sent.get());
        self.ledger.received.give_back(self.received.get());
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
