//! A connection of HTTP/1.1: one request after the other.
//!
//! What is read goes into a buffer that all connections of a thread share, and is parsed there; a
//! connection keeps bytes of its own only for a head that came in pieces. Bodies are counted and
//! forgotten unless somebody wants them. A small answer costs one read and one look at the clock.
//!
//! Invariants: [`Answer::reusable`] is told only where the answer was framed, nothing came after it
//! and the request was sent whole and did not say that it is the last; anything else leaves the connection to be dropped. Deadlines are
//! looked at only while nothing comes.
//!
//! Left out: pipelining; connecting and keeping connections (see `engine`); rendering (see
//! `message`).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http1::{BodyDecoder, BodyFraming, Limits, Parsed, Reject, ResponseHead, Side, parse_response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::message::Message;
use super::transport::Transport;
use super::{BODY_KEPT_MAX, Reply, Timings, Traffic, Trouble, Wanted, tls};
use crate::load::tally::Failure;
use crate::net::Deadline;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// What all connections of a thread use in turn.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<u8>,
    head: ResponseHead,
    limits: Limits,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { buffer: vec![0; READ_BYTES], head: ResponseHead::new(), limits: Limits::default() }
    }
}

/// Is shown each answer's head, with the bytes that it was parsed from.
pub type Look<'a> = &'a mut dyn FnMut(&ResponseHead, &[u8]);

/// How a request is done.
pub struct Terms<'a> {
    /// What of the answer is kept.
    pub wanted: Wanted,
    /// Host and port, for messages.
    pub authority: &'a str,
    /// Looks at the head.
    pub look: Option<Look<'a>>,
    /// Ends the wait; set by the caller.
    pub deadline: &'a Deadline,
    /// The thread's.
    pub scratch: &'a RefCell<Scratch>,
    /// When the request is handed over.
    pub sent: Instant,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When it came.
    pub timings: Timings,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received, heads included.
    pub bytes_received: u64,
    /// Bytes of the body without framing.
    pub body_length: u64,
    /// Whether the connection can take another request.
    pub reusable: bool,
    /// What was wanted, if anything was.
    pub kept: Option<Box<Kept>>,
}

/// The parts of an answer that somebody wants.
#[derive(Debug, Default)]
pub struct Kept {
    /// The reason phrase.
    pub reason: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body's beginning.
    pub body: Vec<u8>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let kept = answer.kept.map(|kept| *kept).unwrap_or_default();
        Self {
            status: answer.status,
            reason: kept.reason,
            headers: kept.headers,
            body: kept.body,
            body_length: answer.body_length,
            timings: answer.timings,
            bytes_sent: answer.bytes_sent,
            bytes_received: answer.bytes_received,
        }
    }
}

/// A connection between requests.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    lost: Traffic,
}

impl Connection {
    /// Over a connection that was just made.
    pub fn new(transport: Transport) -> Self {
        Self { transport, lost: Traffic::default() }
    }

    /// Whether nothing has come since the last answer, not even the end.
    pub fn is_quiet(&self) -> bool {
        self.transport.socket().is_quiet()
    }

    /// What was carried of an exchange that failed.
    pub fn lost(&self) -> Traffic {
        self.lost
    }

    /// Sends a request and reads its answer. After an error, and after an answer that is not
    /// reusable, the connection is good for nothing.
    ///
    /// # Errors
    /// No whole answer came: the connection ended or broke, the deadline fired, or what came is not
    /// HTTP.
    pub async fn exchange(
        &mut self,
        message: &Message,
        mut terms: Terms<'_>,
    ) -> Result<Answer, Trouble> {
        let mut exchange = Exchange {
            message,
            wanted: terms.wanted,
            written: 0,
            flushed: false,
            carry: Vec::new(),
            stage: Stage::Head,
            status: 0,
            persistent: false,
            extra: false,
            received: 0,
            body_length: 0,
            first_byte: None,
            kept: None,
        };
        let transport = &mut self.transport;
        let outcome = poll_fn(|context| exchange.poll(context, transport, &mut terms)).await;
        if let Err(trouble) = outcome {
            self.lost = Traffic { sent: exchange.written as u64, received: exchange.received };
            return Err(trouble);
        }
        let first_byte = exchange.first_byte.unwrap_or(terms.sent);
        let done = match exchange.stage {
            Stage::Done(at) => at,
            _ => first_byte,
        };
        Ok(Answer {
            status: exchange.status,
            timings: Timings { sent: terms.sent, first_byte, done },
            bytes_sent: exchange.written as u64,
            bytes_received: exchange.received,
            body_length: exchange.body_length,
            reusable: exchange.persistent
                && !exchange.extra
                && !message.is_last
                && exchange.written == message.bytes.len(),
            kept: exchange.kept,
        })
    }
}

/// A request under way.
struct Exchange<'a> {
    message: &'a Message,
    wanted: Wanted,
    written: usize,
    flushed: bool,
    /// The beginning of a head that came in pieces.
    carry: Vec<u8>,
    stage: Stage,
    status: u16,
    persistent: bool,
    /// Whether bytes came after the answer.
    extra: bool,
    received: u64,
    body_length: u64,
    first_byte: Option<Instant>,
    kept: Option<Box<Kept>>,
}

/// What comes next.
enum Stage {
    Head,
    // Boxed: small answers come in one read and never have one.
    Body(Box<BodyDecoder>),
    Done(Instant),
}

impl Exchange<'_> {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        transport: &mut Transport,
        terms: &mut Terms<'_>,
    ) -> Poll<Result<(), Trouble>> {
        let mut scratch = terms.scratch.borrow_mut();
        loop {
            // An answer may come before the request is sent whole, so a full socket is no reason
            // not to read, and an error is told by reading.
            if !self.flushed {
                self.write(context, transport);
            }
            match read(transport, context, &mut scratch.buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.end()),
                // TLS that was not ended as it should be: what had no end may not be whole.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(self.cut()));
                }
                Poll::Ready(Ok(count)) => {
                    self.received += count as u64;
                    let taken = self.take(&mut scratch, count, &mut terms.look);
                    match taken {
                        Ok(true) => return Poll::Ready(Ok(())),
                        Ok(false) => {}
                        Err(reject) => return Poll::Ready(Err(protocol(&reject))),
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(&error, terms))),
                Poll::Pending if terms.deadline.poll(context).is_ready() => {
                    return Poll::Ready(Err(self.late()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends as much as the socket takes.
    fn write(&mut self, context: &mut Context<'_>, transport: &mut Transport) {
        while self.written < self.message.bytes.len() {
            let rest = &self.message.bytes[self.written..];
            let written = match transport {
                Transport::Plain(stream) => stream.poll_write(context, rest),
                Transport::Tls(stream) => Pin::new(stream).poll_write(context, rest),
            };
            match written {
                Poll::Ready(Ok(count)) if count > 0 => self.written += count,
                Poll::Ready(_) => {
                    self.flushed = true;
                    return;
                }
                Poll::Pending => return,
            }
        }
        self.flushed = match transport {
            // What the socket took is sent without being asked for.
            Transport::Plain(_) => true,
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context).is_ready(),
        };
    }

    /// Uses what was read; true once the answer is whole.
    fn take(
        &mut self,
        scratch: &mut Scratch,
        count: usize,
        look: &mut Option<Look<'_>>,
    ) -> Result<bool, Reject> {
        let now = match self.first_byte {
            Some(_) => None,
            None => Some(*self.first_byte.insert(Instant::now())),
        };
        let input = &scratch.buffer[..count];
        let finished = if let Stage::Body(decoder) = &mut self.stage {
            let kept = self.kept.as_deref_mut().filter(|_| self.wanted.body);
            let used = decode(decoder, input, kept, &mut self.body_length)?;
            self.extra = used.is_some_and(|used| used < count);
            used.is_some()
        } else if self.carry.is_empty() {
            self.take_heads(input, &mut scratch.head, &scratch.limits, look)?
        } else {
            let mut carried = mem::take(&mut self.carry);
            carried.extend_from_slice(input);
            self.take_heads(&carried, &mut scratch.head, &scratch.limits, look)?
        };
        if finished {
            self.stage = Stage::Done(now.unwrap_or_else(Instant::now));
        }
        Ok(finished)
    }

    /// Reads heads, of which the last is the answer's, and what follows; true once all is there.
    fn take_heads(
        &mut self,
        mut input: &[u8],
        head: &mut ResponseHead,
        limits: &Limits,
        look: &mut Option<Look<'_>>,
    ) -> Result<bool, Reject> {
        loop {
            if parse_response(input, self.message.context, limits, head)? == Parsed::Partial {
                self.carry.extend_from_slice(input);
                // Other connections use it meanwhile; heads in pieces are rare.
                head.reset();
                return Ok(false);
            }
            if !head.is_interim() {
                break;
            }
            input = &input[head.head_length..];
        }
        self.status = head.status;
        self.persistent = head.keep_alive;
        if let Some(look) = look {
            look(head, input);
        }
        if self.wanted.headers || self.wanted.body {
            self.kept = Some(Box::new(kept(head, input, self.wanted)));
        }
        let rest = &input[head.head_length..];
        match head.framing {
            BodyFraming::None => {
                self.extra = !rest.is_empty();
                return Ok(true);
            }
            // By far the most answers: no decoder is made for them.
            BodyFraming::Length(length) if length <= rest.len() as u64 => {
                self.extra = length < rest.len() as u64;
                self.body_length = length;
                if self.wanted.body
                    && let Some(kept) = &mut self.kept
                {
                    kept.body.extend_from_slice(&rest[..length as usize]);
                }
                return Ok(true);
            }
            _ => {}
        }
        let mut decoder = Box::new(BodyDecoder::new(Side::Response, head.framing, limits));
        let kept = self.kept.as_deref_mut().filter(|_| self.wanted.body);
        let used = decode(&mut decoder, rest, kept, &mut self.body_length)?;
        self.extra = used.is_some_and(|used| used < rest.len());
        self.stage = Stage::Body(decoder);
        Ok(used.is_some())
    }

    /// The server sends no more.
    fn end(&mut self) -> Result<(), Trouble> {
        if let Stage::Body(decoder) = &mut self.stage
            && decoder.close().is_ok()
        {
            self.stage = Stage::Done(Instant::now());
            return Ok(());
        }
        Err(self.cut())
    }

    /// The server sends no more, though more is missing.
    fn cut(&self) -> Trouble {
        let detail = match (&self.stage, self.received) {
            (Stage::Head, 0) => "the connection was closed before an answer came".to_owned(),
            (Stage::Head, _) => "the connection was closed within an answer's head".to_owned(),
            _ => format!(
                "the connection was closed within an answer's body, after {} bytes of it",
                self.body_length
            ),
        };
        self.trouble(Failure::Closed, detail)
    }

    fn broken(&self, error: &io::Error, terms: &Terms<'_>) -> Trouble {
        if let Some(trouble) = tls::trouble_of(error, terms.authority) {
            return trouble;
        }
        self.trouble(Failure::Closed, format!("the connection broke: {error}"))
    }

    fn late(&self) -> Trouble {
        let detail = match (&self.stage, self.first_byte) {
            (_, None) => "no answer came in time",
            (Stage::Head, _) => "an answer's head was not whole in time",
            _ => "an answer's body was not whole in time",
        };
        self.trouble(Failure::Timeout, detail.to_owned())
    }

    fn trouble(&self, failure: Failure, detail: String) -> Trouble {
        Trouble { failure, detail, before_sending: self.written == 0 }
    }
}

fn read(
    transport: &mut Transport,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    match transport {
        Transport::Plain(stream) => stream.poll_read(context, buffer),
        Transport::Tls(stream) => {
            let mut space = ReadBuf::new(buffer);
            Pin::new(stream).poll_read(context, &mut space).map_ok(|()| space.filled().len())
        }
    }
}

/// Takes a body out of its framing; how much of the input was used once it is whole.
fn decode(
    decoder: &mut BodyDecoder,
    input: &[u8],
    mut kept: Option<&mut Kept>,
    length: &mut u64,
) -> Result<Option<usize>, Reject> {
    let mut used = 0;
    loop {
        let decoded = decoder.decode(&input[used..])?;
        let data = &input[used..][decoded.data];
        *length += data.len() as u64;
        if let Some(kept) = &mut kept {
            let room = BODY_KEPT_MAX.saturating_sub(kept.body.len());
            kept.body.extend_from_slice(&data[..data.len().min(room)]);
        }
        used += decoded.consumed;
        if decoded.finished {
            return Ok(Some(used));
        }
        if used == input.len() {
            return Ok(None);
        }
    }
}

fn kept(head: &ResponseHead, bytes: &[u8], wanted: Wanted) -> Kept {
    let text = |span: http1::Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
    if !wanted.headers {
        return Kept::default();
    }
    let header = |header: &http1::Header| (text(header.name_text()), text(header.value()));
    Kept {
        reason: text(head.reason),
        headers: head.headers.iter().map(header).collect(),
        body: Vec::new(),
    }
}

fn protocol(reject: &Reject) -> Trouble {
    Trouble {
        failure: Failure::Protocol,
        detail: format!("what came is no answer of HTTP/1.1: {reject}"),
        before_sending: false,
    }
}

#[cfg(test)]
mod tests;
