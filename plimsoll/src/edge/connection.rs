//! A client connection: waits without a buffer, reads heads, hands each request to an exchange, and
//! closes in the way that lets the client read the last answer.
//!
//! Invariants: requests are handled one after the other, in order; an idle connection holds no
//! buffer; every wait has a deadline.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http1::{Parsed, Reject, parse_request};

use super::buffers::Scratch;
use super::cells::Cells;
use super::connections::{Open, Phase};
use super::exchange;
use super::reply::Refusal;
use super::worker::Worker;
use crate::net::Deadline;
use crate::net::{self, Stream};

/// Most time that a connection is read from after its last answer, so that the answer is not lost
/// in a reset.
const LINGER: Duration = Duration::from_secs(2);
/// Most bytes read in that time.
const LINGER_BYTES: usize = 1024 * 1024;

/// What an exchange leaves of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Ready for the next request.
    KeepAlive,
    /// To be closed; everything the client sent was read.
    Close,
    /// To be closed; the client may be sending still.
    Linger,
    /// To be reset: what was sent is not complete, and must not look so.
    Reset,
}

/// A client connection and what belongs to it.
#[derive(Debug)]
pub(crate) struct Client {
    /// The worker that owns it.
    pub(crate) worker: Rc<Worker>,
    open: Open,
    /// The one deadline that its current wait has.
    pub(crate) deadline: Deadline,
    /// Counters of the entrypoint.
    pub(crate) entrypoint: Arc<Cells>,
}

/// Why no request could be read.
enum Unread {
    /// The client is gone: nobody to answer.
    Closed,
    /// There was nothing to read after all; readiness is a hint.
    Nothing,
    /// The head did not come in time.
    Late,
    /// The head is refused.
    Rejected(Reject),
}

/// Starts the task of a connection that was accepted.
pub(crate) fn start(
    worker: &Rc<Worker>,
    entrypoint: &Arc<Cells>,
    stream: Stream,
    address: SocketAddr,
) {
    worker.shared.connections.fetch_add(1, Ordering::Relaxed);
    entrypoint.of(worker.index).open();
    let client = Client {
        open: worker.connections.add(stream, address),
        deadline: worker.deadlines.add(),
        entrypoint: Arc::clone(entrypoint),
        worker: Rc::clone(worker),
    };
    net::spawn(serve(client));
}

impl Drop for Client {
    fn drop(&mut self) {
        self.entrypoint.of(self.worker.index).close();
        self.worker.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    /// The socket.
    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        &self.open.peer.stream
    }

    /// The other end.
    #[inline]
    pub(crate) fn address(&self) -> SocketAddr {
        self.open.peer.address
    }

    /// Says what the connection is doing, for a drain.
    #[inline]
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.open.peer.phase.set(phase);
    }

    /// Waits for the first byte of a request; false if there will be none.
    async fn wait(&self) -> bool {
        self.set_phase(Phase::Idle);
        if self.worker.draining.get() {
            return false;
        }
        let idle = self.worker.routing().config.timeouts.idle;
        self.deadline.set(Instant::now(), idle);
        poll_fn(|context| {
            if let Poll::Ready(readable) = self.stream().poll_readable(context) {
                return Poll::Ready(readable.is_ok());
            }
            self.deadline.poll(context).map(|()| false)
        })
        .await
    }
}

async fn serve(client: Client) {
    while client.wait().await {
        let mut scratch = client.worker.scratches.take();
        // Boxed while there is something to do: an idle connection carries none of it. The
        // allocator hands the same piece out again and again, for a few nanoseconds.
        let fate = Box::pin(serve_requests(&client, &mut scratch)).await;
        client.worker.scratches.put(scratch);
        match fate {
            Fate::KeepAlive => {}
            Fate::Close => return,
            Fate::Linger => return Box::pin(linger(&client)).await,
            Fate::Reset => return client.stream().reset_on_close(),
        }
    }
}

/// Handles requests until there is none in the buffer.
async fn serve_requests(client: &Client, scratch: &mut Scratch) -> Fate {
    loop {
        let begun = match read_head(client, scratch).await {
            Ok(begun) => begun,
            Err(Unread::Closed) => return Fate::Close,
            Err(Unread::Nothing) => return Fate::KeepAlive,
            Err(Unread::Late) => {
                return exchange::refuse_head(client, scratch, Refusal::head_timeout()).await;
            }
            Err(Unread::Rejected(reject)) => {
                return exchange::refuse_head(client, scratch, Refusal::rejected(reject)).await;
            }
        };
        client.set_phase(Phase::Request);
        let fate = exchange::run(client, scratch, begun).await;
        if fate != Fate::KeepAlive {
            return fate;
        }
        scratch.input.compact();
        if scratch.input.is_empty() {
            return Fate::KeepAlive;
        }
    }
}

/// Reads until a whole head lies at the origin of the input; returns when its first byte was seen.
async fn read_head(client: &Client, scratch: &mut Scratch) -> Result<Instant, Unread> {
    let mut begun: Option<Instant> = None;
    let mut armed = false;
    poll_fn(|context| {
        loop {
            if !scratch.input.is_empty() {
                let started = *begun.get_or_insert_with(Instant::now);
                let routing = client.worker.routing();
                let input = scratch.input.filled();
                match parse_request(input, &routing.limits, &mut scratch.request) {
                    Ok(Parsed::Complete) => return Poll::Ready(Ok(started)),
                    Ok(Parsed::Partial) => {
                        if scratch.input.space().is_empty() {
                            let room =
                                (scratch.input.capacity() * 2).min(routing.limits.head_bytes);
                            // A full buffer of the largest size is rejected by the parser.
                            scratch.input.reserve(room.max(scratch.input.capacity() + 1));
                        }
                    }
                    Err(reject) => return Poll::Ready(Err(Unread::Rejected(reject))),
                }
            }
            match client.stream().poll_read(context, scratch.input.space()) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Unread::Closed)),
                Poll::Ready(Ok(count)) => scratch.input.filled_by(count),
                Poll::Pending => return poll_late(client, context, begun, &mut armed),
            }
        }
    })
    .await
}

/// A head that is there in part has its deadline from its first byte on.
fn poll_late(
    client: &Client,
    context: &mut Context<'_>,
    begun: Option<Instant>,
    armed: &mut bool,
) -> Poll<Result<Instant, Unread>> {
    let Some(begun) = begun else { return Poll::Ready(Err(Unread::Nothing)) };
    if !*armed {
        client.deadline.set(begun, client.worker.routing().config.timeouts.header);
        *armed = true;
    }
    client.deadline.poll(context).map(|()| Err(Unread::Late))
}

/// Reads and drops what the client still sends, until it closes or has had its time: closing with
/// unread bytes would reset the connection, and the client might never see the answer.
async fn linger(client: &Client) {
    client.stream().shutdown_write();
    client.deadline.set(Instant::now(), LINGER);
    let mut scratch = client.worker.scratches.take();
    let mut left = LINGER_BYTES;
    poll_fn(|context| {
        while left > 0 {
            match client.stream().poll_read(context, scratch.input.space()) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(count)) => left = left.saturating_sub(count),
                Poll::Pending => return client.deadline.poll(context),
            }
        }
        Poll::Ready(())
    })
    .await;
    client.worker.scratches.put(scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_size<A, F>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_is_small() {
        let bytes = future_size(serve);
        assert!(bytes <= 192, "the task of a connection has {bytes} bytes");
    }
}
