//! Response heads (RFC 9112 §4): parsed in place, checked, framed by what the request was.

use crate::bytes;
use crate::connection;
use crate::field::{self, Progress};
use crate::framing::{self, Announced, BodyFraming};
use crate::header::Headers;
use crate::limits::Limits;
use crate::method::Method;
use crate::name::HeaderName;
use crate::reject::{Fault, Reject, RejectReason, Side};
use crate::request::{Parsed, RequestHead};
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
    let limit = limits.head_bytes.min(Limits::LARGEST_HEAD_BYTES);
    let window = &buffer[..buffer.len().min(limit)];
    // At the limit there is no more to wait for, so whatever is wrong with the last line is told.
    if !head.progress.resume(window) && window.len() < limit {
        head.progress.pause(window);
        return Ok(Parsed::Partial);
    }
    let fault = match read_head(window, request, limits, head) {
        Ok(Some(length)) => {
            head.head_length = length;
            head.progress = Progress::default();
            return Ok(Parsed::Complete);
        }
        Ok(None) if window.len() < limit => {
            head.progress.pause(window);
            return Ok(Parsed::Partial);
        }
        Ok(None) => Fault::new(RejectReason::HeadTooLarge, limit),
        Err(fault) => fault,
    };
    head.progress = Progress::default();
    Err(fault.on(Side::Response))
}

/// Reads on from where the last call stopped; the length of the head, or `None` if it is not whole.
fn read_head(
    window: &[u8],
    request: RequestContext,
    limits: &Limits,
    head: &mut ResponseHead,
) -> Result<Option<usize>, Fault> {
    if head.progress.is_new() {
        head.headers.clear();
    }
    if head.progress.in_start_line() {
        let Some(end) = status_line(window, head)? else {
            return Ok(None);
        };
        head.progress.start_line_ends(end);
    }
    let Some(length) = field::lines(window, limits, &mut head.headers, &mut head.progress)? else {
        return Ok(None);
    };
    conclude(window, request, limits, head)?;
    Ok(Some(length))
}

/// Bytes of `HTTP/1.1 200`, after which a reason may follow or not.
const STATUS_END: usize = 12;

/// Reads `version SP status [SP reason] CRLF`; the offset after it, or `None` if it is not whole.
/// The space before an absent reason is often left out; that is taken.
fn status_line(window: &[u8], head: &mut ResponseHead) -> Result<Option<usize>, Fault> {
    if let Some(b' ' | b'\t' | b'\r' | b'\n') = window.first() {
        return Err(Fault::new(RejectReason::LeadingWhitespace, 0));
    }
    let Some(version) = version(window)? else {
        return Ok(None);
    };
    for (at, &byte) in window.iter().enumerate().take(STATUS_END).skip(8) {
        let fits = match at {
            8 => byte == b' ',
            9 => matches!(byte, b'1'..=b'9'),
            _ => byte.is_ascii_digit(),
        };
        if !fits {
            return Err(Fault::new(RejectReason::InvalidStatusLine, at));
        }
    }
    let reason_start = match window.get(STATUS_END) {
        None => return Ok(None),
        Some(b' ') => STATUS_END + 1,
        Some(b'\r' | b'\n') => STATUS_END,
        Some(_) => return Err(Fault::new(RejectReason::InvalidStatusLine, STATUS_END)),
    };
    let reason_end = reason_start + bytes::text_length(&window[reason_start..]);
    let Some(end) = field::line_end(window, reason_end)? else {
        return Ok(None);
    };
    let digit = |at: usize| u16::from(window[at] - b'0');
    head.version = version;
    head.status = digit(9) * 100 + digit(10) * 10 + digit(11);
    head.reason = Span::new(reason_start, reason_end);
    Ok(Some(end))
}

/// The version at the start, or `None` if it is not whole.
fn version(window: &[u8]) -> Result<Option<Version>, Fault> {
    for (at, (&byte, &pattern)) in window.iter().zip(b"HTTP/0.0").enumerate() {
        if byte != pattern && !(pattern == b'0' && byte.is_ascii_digit()) {
            return Err(Fault::new(RejectReason::InvalidStatusLine, at));
        }
    }
    match window.get(5..8) {
        None => Ok(None),
        Some(b"1.1") => Ok(Some(Version::Http11)),
        Some(b"1.0") => Ok(Some(Version::Http10)),
        Some([b'1', ..]) => Err(Fault::new(RejectReason::InvalidVersion, 5)),
        Some(_) => Err(Fault::new(RejectReason::UnsupportedVersion, 5)),
    }
}

/// Draws the conclusions of a head that is there as a whole (RFC 9112 §6.3).
fn conclude(
    window: &[u8],
    request: RequestContext,
    limits: &Limits,
    head: &mut ResponseHead,
) -> Result<(), Fault> {
    let announced = framing::read(window, &head.headers, head.version)?;
    let options = connection::read(window, &mut head.headers, limits)?;
    let is_switch = head.status == 101;
    if is_switch && !(request.upgrade && head.version == Version::Http11) {
        return Err(Fault::new(RejectReason::UnexpectedUpgrade, 9));
    }
    let is_connected = request.method == Method::Connect && matches!(head.status, 200..=299);
    head.tunnel = is_switch || is_connected;
    head.framing = if is_connected || matches!(head.status, 100..=199 | 204) {
        refuse_body(head, announced)?;
        BodyFraming::None
    } else if request.method == Method::Head || head.status == 304 {
        BodyFraming::None
    } else {
        match announced {
            Announced::Nothing => BodyFraming::UntilClose,
            Announced::Length(length) => BodyFraming::Length(length),
            Announced::Chunked => BodyFraming::Chunked,
        }
    };
    head.keep_alive =
        options.persists(head.version) && !head.tunnel && head.framing != BodyFraming::UntilClose;
    Ok(())
}

/// Refuses a body where there can be none. `Content-Length: 0` is often sent there though it must
/// not be; it does no harm here, and is kept from whoever might read it otherwise.
fn refuse_body(head: &mut ResponseHead, announced: Announced) -> Result<(), Fault> {
    match announced {
        Announced::Nothing => {}
        Announced::Length(0) => {
            for header in &mut head.headers.list {
                header.hop_by_hop |= header.name == HeaderName::ContentLength;
            }
        }
        Announced::Length(_) | Announced::Chunked => {
            return Err(Fault::new(RejectReason::UnexpectedBody, 9));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
