//! A connection whose client must take what it asked for.
//!
//! A client that stops reading keeps its answer in memory, and a place among the connections, for as
//! long as its system acknowledges: for ever, if it is merely stopped. So an answer of which nothing
//! is taken for a while ends with its connection. Reading is bounded by whoever reads.
//!
//! Two answers are given before any handler sees the request, and without words: that its target is
//! too long, and that it cannot be read. They get some here.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Longest time in which a client takes nothing of what is there for it.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How the answer begins that hyper gives to a target of more than 64 KiB; no handler has one like it.
const TARGET_TOO_LONG: &[u8] = b"HTTP/1.1 414 ";
/// How it begins that a request cannot be read. Handlers have answers like it, with words.
const UNREADABLE: &[u8] = b"HTTP/1.1 400 ";
/// The answers with words, as programs that ask Prometheus read them. Their end is that of the
/// connection.
const TARGET_TOO_LONG_IN_WORDS: &[u8] =
    b"HTTP/1.1 414 URI Too Long\r\nContent-Type: application/json\r\n\
Connection: close\r\n\r\n{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"the URL is longer \
than 64 KiB: send its parameters as a form in the body of a POST\"}\n";
const UNREADABLE_IN_WORDS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
Connection: close\r\n\r\n{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"this is no HTTP \
request that can be read. If its URL has a quote, a space, < or > in it, write %22, %20, %3C or %3E \
(curl: --get --data-urlencode NAME=VALUE)\"}\n";

/// What to write in place of an answer that begins with `first` and has no words.
fn words_for(first: &[u8]) -> &'static [u8] {
    let has =
        |wanted: &[u8]| first.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted));
    if first.starts_with(TARGET_TOO_LONG) {
        TARGET_TOO_LONG_IN_WORDS
    } else if first.starts_with(UNREADABLE)
        && has(b"\r\ncontent-length: 0\r\n")
        && !has(b"\r\ncontent-type:")
    {
        UNREADABLE_IN_WORDS
    } else {
        &[]
    }
}

/// A stream that fails when a write waits for too long.
pub(super) struct Taker<S> {
    stream: S,
    /// What is still to be written in place of an answer without words.
    worded: &'static [u8],
    /// Until when; only while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Taker<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, worded: &[], deadline: None }
    }

    /// Begins to write words, if what is to be written has none.
    fn word(&mut self, first: &[u8]) -> bool {
        if self.worded.is_empty() {
            self.worded = words_for(first);
        }
        !self.worded.is_empty()
    }

    /// Passes on what a write came to, unless it has been waiting for too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let new = || Box::pin(tokio::time::sleep(STALL_TIMEOUT));
        let deadline = self.deadline.get_or_insert_with(new);
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taker<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Taker<S> {
    /// Writes words, and says that `length` bytes were.
    fn poll_words(&mut self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while !self.worded.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, self.worded);
            let count = ready!(self.bounded(context, written))?;
            self.worded = &self.worded[count..];
        }
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taker<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.word(bytes) {
            return self.poll_words(context, bytes.len());
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if parts.first().is_some_and(|first| self.word(first)) {
            return self.poll_words(context, parts.iter().map(|part| part.len()).sum());
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (stream, _client) = tokio::io::duplex(4);
        let began = tokio::time::Instant::now();
        let error = Taker::new(stream).write_all(b"more than fits").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), STALL_TIMEOUT);
    }

    /// However long it takes as a whole.
    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_gets_everything() {
        let (stream, mut client) = tokio::io::duplex(4);
        let reading = tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut part = [0; 4];
            while taken.len() < 12 {
                tokio::time::sleep(STALL_TIMEOUT - Duration::from_secs(1)).await;
                let count = client.read(&mut part).await.unwrap();
                taken.extend_from_slice(&part[..count]);
            }
            taken
        });
        Taker::new(stream).write_all(b"twelve bytes").await.unwrap();
        assert_eq!(reading.await.unwrap(), b"twelve bytes");
    }
}
