//! WebSockets as a client (RFC 6455): a message goes out, messages come back.
//!
//! The protocol is tungstenite's; here are its bounds, its troubles in words, and what is measured.
//!
//! Invariants:
//! - Pings are answered while an exchange waits, and between exchanges while somebody attends to the
//!   connection. Messages that come unasked count as replies of the next exchange; beyond a bound
//!   they stay where they are, and what comes after them, too.
//! - A connection that is dropped says goodbye (close code 1000) if that does not have to wait.
//! - Bytes that are reported, with answers and of failed exchanges, add up to what the connection
//!   carried; those of opening it are told with the first message.
//!
//! Left out: extensions (compression is not offered), WebSockets over HTTP/2 (RFC 8441).

#[cfg(test)]
mod tests;
mod words;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Request};
use regex::Regex;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::ledger::{Ledger, Metered};
use super::transport::Transport;
use super::{BODY_KEPT_MAX, Origin, Reply, Timings, Traffic, Trouble, fields};
use crate::load::tally::Failure;

/// Most bytes of a message that comes in, in one frame or several.
const MESSAGE_MAX: usize = 16 << 20;
/// Bytes that are read at once. Each connection holds as many.
const READ_BUFFER: usize = 16 << 10;
/// Bytes that are collected before they are written.
const WRITE_BUFFER: usize = 16 << 10;
/// Most messages that came unasked and are kept.
const UNASKED_MAX: usize = 256;
/// Bytes of such messages from which on no more are read.
const UNASKED_BYTES_MAX: usize = 1 << 20;
/// The status that opens a WebSocket.
const SWITCHING_PROTOCOLS: u16 = 101;

/// Fields that are the client's to add, or make no sense before messages.
const LEFT_OUT: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "sec-websocket-key",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
];

/// What a message carries.
#[derive(Debug, Clone)]
pub struct Payload {
    /// UTF-8 unless it is binary.
    pub bytes: Bytes,
    /// Whether it goes as binary data.
    pub is_binary: bool,
}

/// Why a WebSocket was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind and the words.
    pub trouble: Trouble,
    /// The status that the server answered with instead of opening one, if it answered.
    pub status: Option<u16>,
}

/// An open WebSocket. After an exchange that failed or was given up it is to be dropped: late
/// replies would be taken for those of the next.
#[derive(Debug)]
pub struct Connection {
    stream: WebSocketStream<Metered>,
    authority: String,
    ledger: Rc<Ledger>,
    /// What came while no exchange waited, and whether it is text.
    unasked: VecDeque<(Bytes, bool)>,
    /// Why the connection ended, if it did then.
    ended: Option<Trouble>,
}

impl Connection {
    /// Opens a WebSocket at a target (path and query) over a connection that was made for messages.
    /// A field `Sec-WebSocket-Protocol` among the headers asks for a subprotocol, which the server
    /// must then agree on. Must be called within `net::run`. `ledger` is the connection's; who
    /// opens one in vain finds there what was carried.
    ///
    /// # Errors
    /// The server answered with another status, or not properly, or not at all.
    pub async fn open(
        transport: Transport,
        ledger: Rc<Ledger>,
        origin: &Origin,
        target: &str,
        headers: &[(String, String)],
    ) -> Result<Self, Refusal> {
        let request = opening(origin, target, headers)
            .map_err(|trouble| Refusal { trouble, status: None })?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let metered = Metered::new(transport, Rc::clone(&ledger));
        let (stream, _) = client_async_with_config(request, metered, Some(config))
            .await
            .map_err(|error| words::refusal(&error, &origin.authority, target))?;
        Ok(Self {
            stream,
            authority: origin.authority.clone(),
            ledger,
            unasked: VecDeque::new(),
            ended: None,
        })
    }

    /// What was carried since the last answer, to be asked for once an exchange failed or was given
    /// up.
    pub fn lost(&self) -> Traffic {
        self.ledger.overhead()
    }

    /// Sends a message, if there is one, and waits for `replies` messages; with `until`, for those
    /// that it matches, at least one. The answer's body is the last of them and its status the one
    /// that opened the connection; its first byte is the first of the replies, or the end if none is
    /// waited for.
    ///
    /// # Errors
    /// The server closed the WebSocket or broke its rules before the last reply, or the text to be
    /// sent is not UTF-8.
    pub async fn exchange(
        &mut self,
        send: Option<Payload>,
        replies: u32,
        until: Option<&Regex>,
    ) -> Result<Reply, Trouble> {
        let message = send.map(message).transpose()?;
        let sent = Instant::now();
        if let Some(message) = message {
            if let Some(trouble) = self.ended.take() {
                return Err(trouble);
            }
            self.stream
                .send(message)
                .await
                .map_err(|error| words::trouble(&error, &self.authority))?;
        }
        let wanted = replies.max(u32::from(until.is_some()));
        let mut first_byte = None;
        let mut last = Bytes::new();
        let mut came = 0;
        while came < wanted {
            let (bytes, is_text) = self.next().await?;
            if until.is_none_or(|pattern| matches(pattern, &bytes, is_text)) {
                came += 1;
                first_byte.get_or_insert_with(Instant::now);
                last = bytes;
            }
        }
        let done = Instant::now();
        let carried = self.ledger.overhead();
        Ok(Reply {
            status: SWITCHING_PROTOCOLS,
            reason: String::new(),
            headers: Vec::new(),
            body: last[..last.len().min(BODY_KEPT_MAX)].to_vec(),
            body_length: last.len() as u64,
            timings: Timings { sent, first_byte: first_byte.unwrap_or(done), done },
            bytes_sent: carried.sent,
            bytes_received: carried.received,
        })
    }

    /// Takes what comes between exchanges, as far as it is there: answers pings and keeps messages.
    /// The calling task is woken when more comes.
    pub fn attend(&mut self, context: &mut Context<'_>) {
        while self.ended.is_none() && self.has_room() {
            match self.poll_message(context) {
                Poll::Ready(Ok(message)) => self.unasked.push_back(message),
                Poll::Ready(Err(trouble)) => self.ended = Some(trouble),
                Poll::Pending => return,
            }
        }
    }

    fn has_room(&self) -> bool {
        let bytes: usize = self.unasked.iter().map(|message| message.0.len()).sum();
        self.unasked.len() < UNASKED_MAX && bytes < UNASKED_BYTES_MAX
    }

    /// The next message and whether it is text.
    async fn next(&mut self) -> Result<(Bytes, bool), Trouble> {
        if let Some(message) = self.unasked.pop_front() {
            return Ok(message);
        }
        if let Some(trouble) = self.ended.take() {
            return Err(trouble);
        }
        poll_fn(|context| self.poll_message(context)).await
    }

    /// The next message that comes. Pings are answered by the crate.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<(Bytes, bool), Trouble>> {
        loop {
            match ready!(self.stream.poll_next_unpin(context)) {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Ok((text.into(), true))),
                Some(Ok(Message::Binary(bytes))) => return Poll::Ready(Ok((bytes, false))),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    // Sends the answer to it, as far as the server is still there to read it.
                    let _ = self.stream.poll_flush_unpin(context);
                    return Poll::Ready(Err(words::closed(frame.as_ref(), &self.authority)));
                }
                Some(Err(error)) => {
                    return Poll::Ready(Err(words::trouble(&error, &self.authority)));
                }
                None => {
                    let error = Error::ConnectionClosed;
                    return Poll::Ready(Err(words::trouble(&error, &self.authority)));
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        // Without waiting: what a socket has taken is sent also after it was dropped. It fails where
        // the connection is closed already.
        let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(goodbye)));
    }
}

/// The request that opens a WebSocket (RFC 6455 §4.1).
fn opening(
    origin: &Origin,
    target: &str,
    given: &[(String, String)],
) -> Result<Request<()>, Trouble> {
    let host = given.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host.map_or(&origin.authority, |(_, value)| value);
    let mut request = Request::new(());
    // Only its path and query are sent: TLS is agreed on already, and the host has a field.
    *request.uri_mut() = format!("ws://{host}{target}")
        .parse()
        .map_err(|error| fields::refused(format!("{target:?} is no path and query: {error}")))?;
    let headers = request.headers_mut();
    let host = HeaderValue::from_str(host)
        .map_err(|_| fields::refused(format!("{host:?} is no host and port")))?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::from_str(&generate_key())
        .map_err(|_| fields::refused("no key for the opening request".into()))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    fields::append(headers, given, &LEFT_OUT)?;
    Ok(request)
}

fn message(payload: Payload) -> Result<Message, Trouble> {
    if payload.is_binary {
        return Ok(Message::Binary(payload.bytes));
    }
    match Utf8Bytes::try_from(payload.bytes) {
        Ok(text) => Ok(Message::Text(text)),
        Err(error) => Err(Trouble {
            failure: Failure::Plan,
            detail: format!("the text of the message is not UTF-8 ({error}); send it as binary"),
            before_sending: true,
        }),
    }
}

fn matches(pattern: &Regex, bytes: &Bytes, is_text: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => pattern.is_match(text),
        Err(_) => !is_text && pattern.is_match(&String::from_utf8_lossy(bytes)),
    }
}
