//! The long rest of a body of known length, moved from socket to socket within the kernel.
//!
//! Copying a byte in and out is nearly all that a large body costs a proxy. A body whose framing stays
//! as it is need not be seen, so what is left of it once the buffers are empty goes through a pipe.
//! A pipe costs two descriptors and calls of its own, so small bodies are copied; so is every body
//! where there is no pipe to be had or the sockets cannot splice.
//!
//! Invariant: the decoder counts a byte when it leaves the pipe, so a body is never at its end while
//! the pipe holds some of it.

use std::io;
use std::task::{Context, Poll, ready};

use http1::BodyDecoder;

use crate::net::{Pipe, Stream};

/// A body with at least so many bytes to come is worth a pipe.
const SPLICED_MIN: u64 = 64 * 1024;

/// One direction of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    pipe: Option<Pipe>,
    /// Whether the body was judged: it is so once.
    judged: bool,
}

/// Which side stopped a body on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpliceProblem {
    /// The sender closed or reset before the end.
    Sender,
    /// The receiver takes no more.
    Receiver,
}

impl Splice {
    /// Whether the rest of the body goes through a pipe. It can begin to only when all that was read
    /// of the body before is `sent`.
    pub(crate) fn takes(&mut self, body: &BodyDecoder, sent: bool) -> bool {
        if sent && !self.judged && body.rest_of_length() >= SPLICED_MIN {
            self.judged = true;
            self.pipe = Pipe::take();
        }
        self.pipe.is_some()
    }

    /// Whether something is in the pipe, so that the receiver is waited for, not the sender.
    pub(crate) fn waits_for_receiver(&self) -> bool {
        self.held() > 0
    }

    /// Bytes in the pipe.
    fn held(&self) -> usize {
        self.pipe.as_ref().map_or(0, Pipe::filled)
    }

    /// Moves what can be moved now; ready when all of the body is sent, or when the rest has to be
    /// copied after all. Tells by `sent` how many bytes left, and by `moved` if any came or left.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        body: &mut BodyDecoder,
        (from, to): (&Stream, &Stream),
        (sent, moved): (&mut u64, &mut bool),
    ) -> Poll<Result<(), SpliceProblem>> {
        let before = (body.rest_of_length(), self.held());
        let outcome = self.poll_pieces(context, body, from, to);
        let after = (body.rest_of_length(), self.held());
        *sent += before.0 - after.0;
        *moved |= before != after;
        outcome
    }

    fn poll_pieces(
        &mut self,
        context: &mut Context<'_>,
        body: &mut BodyDecoder,
        from: &Stream,
        to: &Stream,
    ) -> Poll<Result<(), SpliceProblem>> {
        while let Some(pipe) = &mut self.pipe {
            let before = pipe.filled();
            let drained = to.poll_drain(context, pipe);
            body.pass((before - pipe.filled()) as u64);
            ready!(drained).map_err(|_| SpliceProblem::Receiver)?;
            let rest = body.rest_of_length();
            if rest == 0 {
                self.pipe = None;
                break;
            }
            match ready!(from.poll_fill(context, pipe, rest)) {
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.pipe = None,
                _ => return Poll::Ready(Err(SpliceProblem::Sender)),
            }
        }
        Poll::Ready(Ok(()))
    }
}
