//! Clients that go away before their response is complete: a server need not work for them, nor
//! count them in flight.
//!
//! A reset says it all. The end of a client's side (FIN) does not: most have closed the connection,
//! some only have nothing more to send and are listening (`nc -N`). nginx and Envoy take all of them
//! for gone, HAProxy none. We ask: a `100 Continue` that a client did not expect is to be ignored
//! by it (RFC 9110 §15.2.1), but where nobody listens the client's kernel answers with a reset. So
//! who listens is served within the ordinary deadlines, and who left is noticed in seconds.
//!
//! It is asked late and ever more rarely, since not all that half-close expect such an answer. It
//! cannot be asked once the response has begun: then the server has [`QUIET`] for each piece of it,
//! because those who leave a stream of events are many, and those who half-close and wait for its
//! next piece are few. While a piece waits for the client it asks by itself, so a slow reader has the
//! ordinary time. HTTP/1.0 knows no interim responses; its clients have the ordinary time.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http1::Version;

use super::{CONTINUE, Exchange};
use crate::edge::relay::Waits;
use crate::net::Deadline;

/// How long a client that ended its side may hear nothing until it is asked, the first time, or,
/// within a response, is taken for gone.
const QUIET: Duration = Duration::from_secs(3);

/// Time for the reset of a client that is gone to arrive.
const ANSWER: Duration = Duration::from_secs(1);

/// How far the response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No byte of its final head has left.
    Head,
    /// It has begun.
    Body,
}

/// A client that ended its side of the connection.
#[derive(Debug)]
pub(super) struct HalfClosed {
    deadline: Deadline,
    /// Time without a word until it is asked the next time.
    pause: Duration,
    /// Whether it was asked a moment ago.
    asked: bool,
}

impl Exchange<'_> {
    /// Whether nobody waits for the response any more. The calling task is woken when it should
    /// look again.
    pub(super) fn client_left(&mut self, context: &mut Context<'_>, stage: Stage) -> bool {
        if self.half_closed.is_none() {
            // A drain ends the reading side of idle connections itself.
            if self.client.worker.draining.get() {
                return false;
            }
            match self.transfer.poll_client_end(context, self.scratch, self.client.stream()) {
                Poll::Pending => return false,
                Poll::Ready(Err(_)) => return true,
                Poll::Ready(Ok(())) => {
                    let deadline = self.client.worker.deadlines.add();
                    deadline.set(Instant::now(), QUIET);
                    self.half_closed = Some(HalfClosed { deadline, pause: QUIET, asked: false });
                }
            }
        }
        let is_due = |half: &mut HalfClosed| half.deadline.poll(context).is_ready();
        if !self.half_closed.as_mut().is_some_and(is_due) {
            return false;
        }
        match stage {
            Stage::Body => self.transfer.download_waits == Waits::Server,
            Stage::Head if self.scratch.request.version < Version::Http11 => false,
            Stage::Head => self.ask_or_listen(context),
        }
    }

    /// Asks the client whether it is there or, a moment after that, looks whether it was not.
    fn ask_or_listen(&mut self, context: &mut Context<'_>) -> bool {
        let Some(half) = &mut self.half_closed else { return false };
        half.asked = !half.asked;
        if !half.asked && self.client.stream().is_broken() {
            return true;
        }
        if half.asked {
            half.deadline.set(Instant::now(), ANSWER);
        } else {
            half.pause *= 2;
            half.deadline.set(Instant::now(), half.pause);
        }
        // To be woken at that time; it is never over already.
        let _ = half.deadline.poll(context);
        if !half.asked {
            return false;
        }
        self.scratch.to_client.extend_from_slice(CONTINUE);
        // It gives the server no more time.
        let moved = self.transfer.moved;
        let sent = self.transfer.poll_flush(context, self.scratch, self.client.stream());
        self.transfer.moved = moved;
        matches!(sent, Poll::Ready(Err(_)))
    }

    /// Gives a client that ended its side time for the next piece of its response.
    pub(super) fn client_got_more(&mut self) {
        if let Some(half) = &self.half_closed {
            half.deadline.set(self.now, QUIET);
        }
    }
}
