//! Request heads (RFC 9112 §3): parsed in place, checked, framed.

use crate::framing::BodyFraming;
use crate::header::Headers;
use crate::limits::Limits;
use crate::method::Method;
use crate::reject::Reject;
use crate::span::Span;
use crate::target::{Authority, TargetForm};
use crate::version::Version;

/// Whether a head was there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head is complete and described in the scratch; it takes `head_length` bytes.
    Complete,
    /// More bytes are needed: append them to the same buffer and call again.
    Partial,
}

/// What a client that sent `Upgrade` (with `Connection: upgrade`, on HTTP/1.1) asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Exactly `websocket`.
    WebSocket,
    /// Anything else. Forwarding `h2c` blindly opens a tunnel around a proxy's rules.
    Other,
}

/// A parsed request head, and the scratch for the next: keep one per connection and reuse it.
///
/// All spans are relative to the first byte of the head. Fields are meaningful only after
/// [`Parsed::Complete`] and until the next call of [`parse_request`].
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method, if it is a registered one.
    pub method: Method,
    /// The method as written.
    pub method_text: Span,
    /// The whole target as written.
    pub target: Span,
    /// Which form the target has.
    pub target_form: TargetForm,
    /// The path, starting with `/`. Empty for an absolute-form without path (which means `/`, or `*`
    /// for OPTIONS) and for authority-form; `*` for asterisk-form.
    pub path: Span,
    /// What follows the `?`, if there is one; may be empty.
    pub query: Option<Span>,
    /// Host and port asked for: from the target if it is absolute or an authority, else from `Host`.
    /// `None` only on HTTP/1.0 without `Host`.
    pub authority: Option<Authority>,
    /// The version of the request.
    pub version: Version,
    /// The header fields.
    pub headers: Headers,
    /// How the body ends; never [`BodyFraming::UntilClose`].
    pub framing: BodyFraming,
    /// Whether the client lets the connection be used again after this exchange.
    pub keep_alive: bool,
    /// The protocol asked for instead of HTTP, if any.
    pub upgrade: Option<Upgrade>,
    /// Whether the client waits for `100 Continue` before it sends a body that it announced.
    pub expect_continue: bool,
    /// Whether the client takes trailers in the response (`TE: trailers`).
    pub accepts_trailers: bool,
    /// Bytes of the head with the empty line; the body begins there.
    pub head_length: usize,
    /// How far the buffer has been read.
    pub(crate) progress: Progress,
}

/// How far a head has been read, so that no byte is looked at again when more arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Whether the start line is done.
    pub(crate) in_headers: bool,
    /// Start of the first line that is not complete.
    pub(crate) line_start: usize,
    /// How far that line has been searched for its end.
    pub(crate) searched: usize,
}

impl RequestHead {
    /// A scratch that has not read anything.
    #[must_use]
    pub fn new() -> RequestHead {
        RequestHead::default()
    }

    /// Forgets a head that was read in part, to start over with another buffer. Not needed after
    /// [`Parsed::Complete`] or a [`Reject`].
    pub fn reset(&mut self) {
        self.progress = Progress::default();
    }

    /// Path and query as they follow each other, `?` included: the target to forward in
    /// origin-form, except that an empty one means `/` (or `*` for OPTIONS).
    #[inline]
    #[must_use]
    pub fn path_and_query(&self) -> Span {
        Span { start: self.path.start, end: self.query.map_or(self.path.end, |query| query.end) }
    }
}

/// Reads a request head from the start of `buffer`.
///
/// Call it again with the same `head` and a longer `buffer` with the same beginning until it is
/// complete. Then the first `head.head_length` bytes are the head and what follows is body or the
/// next request; a call with the same `head` starts over. Bytes after the head are not looked at.
///
/// # Errors
/// A [`Reject`] if the request must be refused: answer with its status, forward nothing, close.
pub fn parse_request(
    buffer: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Parsed, Reject> {
    let _ = (buffer, limits, head);
    Ok(Parsed::Partial)
}
