//! Request heads (RFC 9112 §3): parsed in place, checked, framed.

use crate::bytes;
use crate::connection::{self, list_elements};
use crate::field::{self, Progress};
use crate::framing::{self, Announced, BodyFraming};
use crate::header::Headers;
use crate::limits::Limits;
use crate::method::Method;
use crate::name::HeaderName;
use crate::reject::{Fault, Reject, RejectReason, Side};
use crate::span::Span;
use crate::target::{self, Authority, Target, TargetForm};
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
    let limit = limits.head_bytes.min(Limits::LARGEST_HEAD_BYTES);
    let window = &buffer[..buffer.len().min(limit)];
    // At the limit there is no more to wait for, so whatever is wrong with the last line is told.
    if !head.progress.resume(window) && window.len() < limit {
        head.progress.pause(window);
        return Ok(Parsed::Partial);
    }
    let fault = match read_head(window, limits, head) {
        Ok(Some(length)) => {
            head.head_length = length;
            head.progress = Progress::default();
            return Ok(Parsed::Complete);
        }
        Ok(None) if window.len() < limit => {
            head.progress.pause(window);
            return Ok(Parsed::Partial);
        }
        Ok(None) if head.progress.in_start_line() => Fault::new(RejectReason::TargetTooLong, limit),
        Ok(None) => Fault::new(RejectReason::HeadTooLarge, limit),
        Err(fault) => fault,
    };
    head.progress = Progress::default();
    Err(fault.on(Side::Request))
}

/// Reads on from where the last call stopped; the length of the head, or `None` if it is not whole.
fn read_head(
    window: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<usize>, Fault> {
    if head.progress.is_new() {
        head.headers.clear();
    }
    if head.progress.in_start_line() {
        let Some(end) = request_line(window, limits, head)? else {
            return Ok(None);
        };
        head.progress.start_line_ends(end);
    }
    let Some(length) = field::lines(window, limits, &mut head.headers, &mut head.progress)? else {
        return Ok(None);
    };
    conclude(window, limits, head)?;
    Ok(Some(length))
}

/// Reads `method SP target SP version CRLF`; the offset after it, or `None` if it is not whole.
fn request_line(
    window: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<usize>, Fault> {
    let Some(method_length) = method_length(window)? else {
        return Ok(None);
    };
    let target_start = method_length + 1;
    let Some(target_length) = target_length(window, target_start, limits)? else {
        return Ok(None);
    };
    let target_end = target_start + target_length;
    let Some((version, end)) = version(window, target_end + 1)? else {
        return Ok(None);
    };
    head.method = Method::from_bytes(&window[..method_length]);
    head.method_text = Span::new(0, method_length);
    head.target = Span::new(target_start, target_end);
    head.version = version;
    Ok(Some(end))
}

/// Length of the method at the start, which a space follows.
fn method_length(window: &[u8]) -> Result<Option<usize>, Fault> {
    if let Some(b' ' | b'\t' | b'\r' | b'\n') = window.first() {
        return Err(Fault::new(RejectReason::LeadingWhitespace, 0));
    }
    let looked_at = &window[..window.len().min(Limits::METHOD_BYTES + 1)];
    let (length, _) = bytes::token_length(looked_at);
    match window.get(length) {
        _ if length > Limits::METHOD_BYTES => Err(Fault::new(RejectReason::MethodTooLong, 0)),
        None => Ok(None),
        Some(b' ') => Ok(Some(length)),
        Some(_) => wrong_byte(window, length, RejectReason::InvalidMethod),
    }
}

/// Length of the target at `start`, which a space follows.
fn target_length(window: &[u8], start: usize, limits: &Limits) -> Result<Option<usize>, Fault> {
    let longest = start.saturating_add(limits.target_bytes).saturating_add(1);
    let length = bytes::target_length(&window[start..window.len().min(longest)]);
    let end = start + length;
    match window.get(end) {
        _ if length > limits.target_bytes => Err(Fault::new(RejectReason::TargetTooLong, start)),
        None => Ok(None),
        Some(b' ') if length > 0 => Ok(Some(length)),
        Some(_) => wrong_byte(window, end, RejectReason::InvalidTarget),
    }
}

/// What is wrong where a space was due. A line that ends there lacks its target or its version.
#[cold]
fn wrong_byte(window: &[u8], at: usize, reason: RejectReason) -> Result<Option<usize>, Fault> {
    match window[at] {
        b'\r' | b'\n' | 0 => match field::line_end(window, at)? {
            None => Ok(None),
            Some(_) => Err(Fault::new(RejectReason::InvalidVersion, at)),
        },
        _ => Err(Fault::new(reason, at)),
    }
}

/// The version at `start` and the offset after the line it ends.
fn version(window: &[u8], start: usize) -> Result<Option<(Version, usize)>, Fault> {
    const LINE_REST: usize = b"HTTP/1.1\r\n".len();
    match window.get(start..start + LINE_REST) {
        Some(b"HTTP/1.1\r\n") => Ok(Some((Version::Http11, start + LINE_REST))),
        Some(b"HTTP/1.0\r\n") => Ok(Some((Version::Http10, start + LINE_REST))),
        _ => wrong_version(window, start),
    }
}

/// Why the version at `start` is not one that is spoken, once its line is there.
#[cold]
fn wrong_version(window: &[u8], start: usize) -> Result<Option<(Version, usize)>, Fault> {
    let text_end = start + bytes::text_length(&window[start..]);
    if field::line_end(window, text_end)?.is_none() {
        return Ok(None);
    }
    let reason = match &window[start..text_end] {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1' =>
        {
            RejectReason::UnsupportedVersion
        }
        _ => RejectReason::InvalidVersion,
    };
    Err(Fault::new(reason, start))
}

/// Draws the conclusions of a head that is there as a whole.
fn conclude(window: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<(), Fault> {
    let target = target::read(window, head.target, head.method)?;
    head.target_form = target.form;
    head.path = target.path;
    head.query = target.query;
    head.authority = authority(window, head, &target)?;
    head.framing = match framing::read(window, &head.headers, head.version)? {
        Announced::Nothing => BodyFraming::None,
        Announced::Length(length) => BodyFraming::Length(length),
        Announced::Chunked => BodyFraming::Chunked,
    };
    let options = connection::read(window, &mut head.headers, limits)?;
    head.keep_alive = options.persists(head.version);
    let is_current = head.version == Version::Http11;
    head.upgrade = upgrade(window, &head.headers).filter(|_| options.upgrade && is_current);
    let has_body = !matches!(head.framing, BodyFraming::None | BodyFraming::Length(0));
    head.expect_continue = expects_continue(window, &head.headers)? && has_body && is_current;
    head.accepts_trailers = is_current && accepts_trailers(window, &head.headers);
    Ok(())
}

/// Checks `Host` against the version and the target (RFC 9112 §3.2, §3.3).
fn authority(
    window: &[u8],
    head: &RequestHead,
    target: &Target,
) -> Result<Option<Authority>, Fault> {
    framing::only_one(&head.headers, HeaderName::Host, RejectReason::DuplicateHost)?;
    let Some(header) = head.headers.find(HeaderName::Host) else {
        return match head.version {
            Version::Http11 => Err(Fault::new(RejectReason::MissingHost, 0)),
            Version::Http10 => Ok(target.authority),
        };
    };
    let place = header.value().start as usize;
    let Some(host) = Authority::read(window, header.value()) else {
        return Err(Fault::new(RejectReason::InvalidHost, place));
    };
    match target.authority {
        Some(asked) if !asked.is_same(&host, window, target.default_port) => {
            Err(Fault::new(RejectReason::HostMismatch, place))
        }
        Some(asked) => Ok(Some(asked)),
        None => Ok(Some(host)),
    }
}

fn upgrade(window: &[u8], headers: &Headers) -> Option<Upgrade> {
    let header = headers.find(HeaderName::Upgrade)?;
    let is_only = !headers.repeated.contains(HeaderName::Upgrade);
    if is_only && header.value().of(window).eq_ignore_ascii_case(b"websocket") {
        Some(Upgrade::WebSocket)
    } else {
        Some(Upgrade::Other)
    }
}

fn expects_continue(window: &[u8], headers: &Headers) -> Result<bool, Fault> {
    for header in headers.find_all(HeaderName::Expect) {
        if !header.value().of(window).eq_ignore_ascii_case(b"100-continue") {
            let place = header.value().start as usize;
            return Err(Fault::new(RejectReason::UnknownExpectation, place));
        }
    }
    Ok(headers.has(HeaderName::Expect))
}

fn accepts_trailers(window: &[u8], headers: &Headers) -> bool {
    headers.find_all(HeaderName::Te).any(|header| {
        list_elements(header.value().of(window))
            .any(|element| element.eq_ignore_ascii_case(b"trailers"))
    })
}

#[cfg(test)]
mod tests;
