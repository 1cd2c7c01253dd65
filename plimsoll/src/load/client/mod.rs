//! The side that asks: requests as they are sent and answers as they come back, over each protocol.
//!
//! Left out: what is asked and whether the answer is right (see `script`), when (see `engine`).

pub mod dial;
mod fields;
pub mod http1;
pub mod http2;
pub mod ledger;
pub mod message;
#[cfg(test)]
pub(in crate::load) mod peers;
pub mod tls;
pub mod transport;
pub mod websocket;

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::tally::Failure;

/// Most bytes of a body that are kept for somebody to look at.
pub const BODY_KEPT_MAX: usize = 4 << 20;

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http` and `ws`.
    Http,
    /// `https` and `wss`.
    Https,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// With or without TLS.
    pub scheme: Scheme,
    /// The name or address, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Host and port as the URL has them, the scheme's own port left out.
    pub authority: String,
}

/// One request, rendered. `Host`, `Content-Length` and `Connection` are the client's to add.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub origin: Rc<Origin>,
    /// In capitals.
    pub method: String,
    /// Path and query, beginning with `/`; no fragment.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Bytes,
}

/// What of an answer somebody will look at; the rest is counted and forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Header fields and reason.
    pub headers: bool,
    /// The body, up to [`BODY_KEPT_MAX`].
    pub body: bool,
}

/// An answer, as far as it was wanted.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The reason phrase; often empty.
    pub reason: String,
    /// Names and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body's beginning.
    pub body: Vec<u8>,
    /// Bytes of the whole body, framing left out.
    pub body_length: u64,
    /// When it came.
    pub timings: Timings,
    /// Bytes sent, heads included.
    pub bytes_sent: u64,
    /// Bytes received, heads included.
    pub bytes_received: u64,
}

/// Bytes of an exchange that has no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent, heads included.
    pub sent: u64,
    /// Received, heads included.
    pub received: u64,
}

/// When an exchange did what.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// The request was handed over to be sent.
    pub sent: Instant,
    /// The first byte of the answer was there.
    pub first_byte: Instant,
    /// The last byte of the answer was there.
    pub done: Instant,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The kind.
    pub failure: Failure,
    /// In words: "connection refused by 127.0.0.1:9999".
    pub detail: String,
    /// Whether the server cannot have seen the request.
    pub before_sending: bool,
}
