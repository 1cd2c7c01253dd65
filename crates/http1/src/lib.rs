//! HTTP/1.0 and HTTP/1.1 without I/O: bytes in, events out.
//!
//! **What.** Heads of requests and responses parsed in place ([`parse_request`],
//! [`parse_response`]), bodies framed ([`BodyDecoder`]), heads and chunks written ([`HeadWriter`],
//! [`ChunkEncoder`]). Nothing here reads a socket or a clock, so every case can be tested on paper,
//! fuzzed, and driven by any I/O layer.
//!
//! **Why our own.** A proxy must agree with the peers on both of its sides about where each message
//! ends. So this crate is strict wherever two parsers are known to disagree (request smuggling): what
//! is not exactly framed is refused with a [`Reject`], and nothing of it may be passed on.
//!
//! **Invariants.**
//! - A parsed head holds offsets into the caller's buffer, counted from the first byte of the head;
//!   parsing allocates nothing once the scratch ([`RequestHead`], [`ResponseHead`]) has grown.
//! - How the bytes were split over calls never changes the outcome, only when it is known.
//! - A head is looked at once: calls with more bytes go on where the last one stopped.
//! - No input makes the crate panic, and no input makes it hold more than [`Limits`] allow.
//!
//! **How to use it for a request.** Append what is read to a buffer whose first byte is the first
//! byte of the head, call [`parse_request`] until it says [`Parsed::Complete`], drop
//! `head.head_length` bytes, and feed what follows to a [`BodyDecoder`] made of `head.framing`.
//! What remains after the body is the next (pipelined) request.
//!
//! **Left out.** HTTP/0.9, HTTP/2, obsolete line folding, transfer codings other than `chunked`,
//! `multipart/byteranges` as framing, decoding of percent-encoding, and any opinion on routing.

mod body;
mod bytes;
mod chunk;
mod connection;
mod field;
mod framing;
mod header;
mod limits;
mod method;
mod name;
mod reject;
mod request;
mod response;
mod span;
mod target;
mod version;
mod write;

pub use body::{BodyDecoder, Decoded};
pub use chunk::{CHUNK_END, ChunkEncoder, ChunkHeader, LAST_CHUNK};
pub use connection::list_elements;
pub use framing::BodyFraming;
pub use header::{Header, Headers, Runs};
pub use limits::Limits;
pub use method::Method;
pub use name::{HeaderName, NameSet};
pub use reject::{Reject, RejectReason, Side};
pub use request::{Parsed, RequestHead, Upgrade, parse_request};
pub use response::{RequestContext, ResponseHead, parse_response};
pub use span::Span;
pub use target::{Authority, TargetForm};
pub use version::Version;
pub use write::{HeadWriter, Unsafe};
