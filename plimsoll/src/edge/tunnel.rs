//! A tunnel after `101 Switching Protocols`: bytes both ways, unseen, until both sides have closed.
//!
//! Each direction is half-closed by itself: the end of one side's bytes is passed on as the end, and
//! the other direction goes on. Without traffic in either direction for the service's time, both
//! are closed.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::buffers::Buffer;
use crate::net::Deadline;
use crate::net::Stream;

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TunnelEnd {
    /// Both sides closed.
    Closed,
    /// One side reset the connection or could not be written to.
    Broken,
    /// No traffic for too long.
    Idle,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    /// Bytes read and not written yet.
    pub(crate) buffer: &'a mut Buffer,
    /// Bytes written.
    pub(crate) bytes: u64,
    ended: bool,
    closed: bool,
}

impl<'a> Flow<'a> {
    /// A direction that begins with what is in the buffer.
    pub(crate) fn new(buffer: &'a mut Buffer) -> Self {
        Self { buffer, bytes: 0, ended: false, closed: false }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &Stream,
        to: &Stream,
        moved: &mut bool,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.buffer.is_empty() {
                let written = ready!(to.poll_write(context, self.buffer.filled()))?;
                self.buffer.consume(written);
                self.bytes += written as u64;
                *moved = true;
            }
            if self.ended {
                if !self.closed {
                    self.closed = true;
                    to.shutdown_write();
                }
                return Poll::Ready(Ok(()));
            }
            self.buffer.rewind(0);
            let count = ready!(from.poll_read(context, self.buffer.space()))?;
            self.buffer.filled_by(count);
            self.ended = count == 0;
            *moved = true;
        }
    }
}

/// Carries bytes until the tunnel ends.
pub(crate) async fn run(
    client: &Stream,
    server: &Stream,
    up: &mut Flow<'_>,
    down: &mut Flow<'_>,
    deadline: &Deadline,
    idle: Duration,
) -> TunnelEnd {
    deadline.set(Instant::now(), idle);
    poll_fn(|context| {
        let mut moved = false;
        let up = up.poll(context, client, server, &mut moved);
        let down = down.poll(context, server, client, &mut moved);
        match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(TunnelEnd::Closed),
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                return Poll::Ready(TunnelEnd::Broken);
            }
            _ => {}
        }
        if moved {
            deadline.set(Instant::now(), idle);
        }
        deadline.poll(context).map(|()| TunnelEnd::Idle)
    })
    .await
}
