//! HTTP/2 as a client (RFC 9113): many exchanges at once over one connection.
//!
//! The protocol is the h2 crate's; here are its bounds, its troubles in words, and what is measured.
//! A task of its own reads and writes the connection; each exchange is a future of whoever asks.
//!
//! Invariants:
//! - No more exchanges are under way than the settings and the server allow; the others wait their
//!   turn, first come, first served, and their time begins ("sent") when it has come.
//! - Windows are so large, and given back so early, that the server is slowed down by the network
//!   alone.
//! - An exchange that is dropped resets its stream and leaves the connection usable.
//! - Bytes that are reported, with answers and of failed exchanges, add up to what the connection
//!   carried (see `ledger`).
//!
//! Left out: server push (refused), priorities, extended CONNECT, trailers (read and forgotten).

mod head;
#[cfg(test)]
mod tests;
mod turns;
mod words;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};

use super::ledger::{Bodies, Ledger, Metered};
use super::transport::Transport;
use super::{BODY_KEPT_MAX, Origin, Outgoing, Reply, Timings, Traffic, Trouble, Wanted, fields};
use crate::net;

use turns::{Turn, Turns};

/// Bytes of an answer's body that may be under way on one stream.
const STREAM_WINDOW: u32 = 16 << 20;
/// Bytes of all answers' bodies that may be under way on a connection.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Requests at once until the server has said how many it takes: the least that RFC 9113 §6.5.2
/// recommends servers to allow.
const STREAMS_BEFORE_SETTINGS: usize = 100;
/// Most bytes of an answer's header fields.
const HEADERS_MAX: u32 = 256 << 10;
/// Bytes of a request's body that are asked room for at once.
const UPLOAD_PIECE: usize = 1 << 20;
/// Streams that were given up (timeouts, mostly) whose late frames are known to be late.
const GIVEN_UP_MAX: usize = 4096;

/// A connection that speaks HTTP/2. Lives on one thread; closes itself once it is dropped and the
/// exchanges on it have ended.
#[derive(Debug)]
pub struct Connection {
    requests: SendRequest<Bytes>,
    streams_max: usize,
    state: Rc<State>,
}

/// What the connection, its exchanges and its task know together.
#[derive(Debug)]
struct State {
    /// Host and port, for messages.
    authority: String,
    turns: Turns,
    /// Why the connection ended; written by its task, read by exchanges.
    ended: RefCell<Option<Trouble>>,
    /// Whether an answer ever came: without one, it may be no HTTP/2 at all.
    has_answered: Cell<bool>,
    ledger: Rc<Ledger>,
}

impl Connection {
    /// Begins to speak HTTP/2. Does not wait for the server: one that does not speak it is found
    /// out by the first exchange. Must be called within `net::run`.
    ///
    /// # Errors
    /// The connection does not take the first bytes.
    pub async fn open(
        transport: Transport,
        origin: &Origin,
        streams: usize,
    ) -> Result<Self, Trouble> {
        let streams_max = streams.clamp(1, Turns::MOST);
        let ledger = Rc::new(Ledger::default());
        let state = Rc::new(State {
            authority: origin.authority.clone(),
            turns: Turns::new(streams_max.min(STREAMS_BEFORE_SETTINGS)),
            ended: RefCell::default(),
            has_answered: Cell::new(false),
            ledger: Rc::clone(&ledger),
        });
        let (requests, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
            .max_header_list_size(HEADERS_MAX)
            .max_concurrent_reset_streams(GIVEN_UP_MAX)
            // Late frames of requests that were given up are no attack.
            .max_local_error_reset_streams(None)
            .enable_push(false)
            .handshake::<_, Bytes>(Metered::new(transport, ledger))
            .await
            .map_err(|error| words::trouble(&error, &state, true))?;
        net::spawn({
            let state = Rc::clone(&state);
            async move {
                let trouble = match connection.await {
                    Ok(()) => words::ended(&state),
                    Err(error) => words::trouble(&error, &state, false),
                };
                *state.ended.borrow_mut() = Some(trouble);
                state.turns.end();
            }
        });
        Ok(Self { requests, streams_max, state })
    }

    /// How many exchanges are under way.
    #[cfg(test)]
    pub fn in_flight(&self) -> usize {
        self.state.turns.taken()
    }

    /// Whether an exchange can begin now without waiting for another to end.
    #[cfg(test)]
    pub fn has_room(&self) -> bool {
        self.state.turns.allow(self.limit());
        self.is_usable() && self.state.turns.has_free()
    }

    /// Whether further exchanges can begin: the connection is open and the server has not said that
    /// it is going away.
    pub fn is_usable(&self) -> bool {
        // Known without waiting: nothing of this handle is queued.
        let ready = self.requests.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        self.state.ended.borrow().is_none() && matches!(ready, Poll::Ready(Ok(())))
    }

    /// Most exchanges at once: that of the settings and of the server, whichever is less.
    fn limit(&self) -> usize {
        self.streams_max.min(self.requests.current_max_send_streams())
    }

    /// What was carried that no exchange has told, to be asked for once an exchange failed or was
    /// given up: its own, and frames of the connection.
    pub fn lost(&self) -> Traffic {
        self.state.ledger.overhead()
    }

    /// Sends a request, waits for the whole answer. May be called again before it has ended.
    /// Dropping the future gives the exchange up.
    ///
    /// # Errors
    /// There is no whole answer. `before_sending` says that the server cannot have acted on the
    /// request: another connection may be tried.
    pub async fn exchange(&self, outgoing: &Outgoing, wanted: Wanted) -> Result<Reply, Trouble> {
        let head = head::request(outgoing)?;
        let _turn = self.turn().await?;
        let sent = Instant::now();
        let has_body = !outgoing.body.is_empty();
        // A handle of its own: the crate lets each wait for one stream only.
        let (response, stream) = self
            .requests
            .clone()
            .send_request(head, !has_body)
            .map_err(|error| words::trouble(&error, &self.state, true))?;
        let bodies = Bodies::new(&self.state.ledger);
        let answer = receive(&self.state, &bodies, response, wanted);
        let answer = if has_body {
            alongside(upload(&bodies, stream, outgoing.body.clone()), answer).await
        } else {
            answer.await
        };
        let answer = answer.map_err(|error| self.trouble(&error))?;
        bodies.settle();
        let overhead = self.state.ledger.overhead();
        Ok(Reply {
            status: answer.status,
            reason: String::new(),
            headers: answer.headers,
            body: answer.body,
            body_length: answer.body_length,
            timings: Timings { sent, first_byte: answer.first_byte, done: Instant::now() },
            bytes_sent: outgoing.body.len() as u64 + overhead.sent,
            bytes_received: answer.body_length + overhead.received,
        })
    }

    /// What an error of an exchange under way is.
    fn trouble(&self, error: &h2::Error) -> Trouble {
        let trouble = words::trouble(error, &self.state, false);
        // Streams of a connection that ended are told only that; why, the connection was told.
        let ready = self.requests.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        match ready {
            Poll::Ready(Err(why)) if error.is_io() && why.is_go_away() && why.is_remote() => {
                words::gone(&why, &self.state)
            }
            _ => trouble,
        }
    }

    /// Waits until one more exchange may begin.
    async fn turn(&self) -> Result<Turn<'_>, Trouble> {
        // The server may allow more or fewer by now.
        self.state.turns.allow(self.limit());
        match self.state.turns.take().await {
            Some(turn) if self.is_usable() => Ok(turn),
            _ => Err(words::unusable(&self.state)),
        }
    }
}

/// What came back.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    body_length: u64,
    first_byte: Instant,
}

async fn receive(
    state: &State,
    bodies: &Bodies<'_>,
    response: ResponseFuture,
    wanted: Wanted,
) -> Result<Answer, h2::Error> {
    let (parts, mut stream) = response.await?.into_parts();
    let first_byte = Instant::now();
    state.has_answered.set(true);
    let mut answer = Answer {
        status: parts.status.as_u16(),
        headers: if wanted.headers { fields::of_answer(&parts.headers) } else { Vec::new() },
        body: Vec::new(),
        body_length: 0,
        first_byte,
    };
    while let Some(piece) = next_piece(&mut stream).await? {
        bodies.claim_received(piece.len());
        answer.body_length += piece.len() as u64;
        if wanted.body {
            let room = BODY_KEPT_MAX - answer.body.len();
            answer.body.extend_from_slice(&piece[..piece.len().min(room)]);
        }
    }
    Ok(answer)
}

/// The next piece of a body, the window for it given back at once.
async fn next_piece(stream: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    match stream.data().await {
        None => Ok(None),
        Some(piece) => {
            let piece = piece?;
            stream.flow_control().release_capacity(piece.len())?;
            Ok(Some(piece))
        }
    }
}

/// Sends a body as fast as the server gives room for it.
async fn upload(
    bodies: &Bodies<'_>,
    mut stream: SendStream<Bytes>,
    mut body: Bytes,
) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len().min(UPLOAD_PIECE));
        // None: the server has ended the stream and wants no more of it.
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await else {
            return Ok(());
        };
        let piece = body.split_to(room?.min(body.len()));
        bodies.claim_sent(piece.len());
        stream.send_data(piece, body.is_empty())?;
    }
    Ok(())
}

/// Waits for the answer while the body is being sent; an answer may come before all of it was. What
/// is wrong with sending, the answer's side tells too, unless it is there already.
async fn alongside(
    sending: impl Future<Output = Result<(), h2::Error>>,
    answer: impl Future<Output = Result<Answer, h2::Error>>,
) -> Result<Answer, h2::Error> {
    let mut sending = pin!(sending);
    let mut answer = pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        _ = &mut sending => {}
    }
    answer.await
}
