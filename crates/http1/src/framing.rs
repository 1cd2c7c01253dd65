//! How long the body after a head is (RFC 9112 §6.3), and the refusal of heads that do not say it
//! in exactly one way.
//!
//! Two servers that read one message with different lengths disagree about where the next begins,
//! and whoever can make them disagree can put a request into another client's connection. So the two
//! fields that decide it are taken in one spelling only, and only once.

use crate::header::Headers;
use crate::name::{HeaderName, NameSet};
use crate::reject::{Fault, RejectReason};
use crate::version::Version;

/// How the body that follows a head ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body; the next byte belongs to the next message.
    #[default]
    None,
    /// Exactly this many bytes (0 is `Content-Length: 0`).
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes (responses only).
    UntilClose,
}

/// The largest length of a body or a chunk. Peers that count in signed 64-bit numbers would take a
/// larger one for a negative.
pub(crate) const LARGEST_LENGTH: u64 = i64::MAX as u64;

/// The fields that announce a body.
const FRAMING: NameSet = NameSet::of(&[HeaderName::ContentLength, HeaderName::TransferEncoding]);

/// Fields that have no business in trailers (RFC 9110 §6.5.1): those of framing, routing,
/// authentication, request modifiers, response control and content format, and those by which a
/// proxy tells the server who the client is.
pub(crate) const FORBIDDEN_IN_TRAILERS: NameSet = NameSet::of(&[
    HeaderName::Host,
    HeaderName::Connection,
    HeaderName::ContentLength,
    HeaderName::TransferEncoding,
    HeaderName::Upgrade,
    HeaderName::Expect,
    HeaderName::KeepAlive,
    HeaderName::Te,
    HeaderName::Trailer,
    HeaderName::ProxyConnection,
    HeaderName::ProxyAuthenticate,
    HeaderName::ProxyAuthorization,
    HeaderName::XForwardedFor,
    HeaderName::XForwardedProto,
    HeaderName::XForwardedHost,
    HeaderName::XForwardedPort,
    HeaderName::Forwarded,
    HeaderName::XRealIp,
    HeaderName::XRequestId,
    HeaderName::Cookie,
    HeaderName::SetCookie,
    HeaderName::Authorization,
    HeaderName::WwwAuthenticate,
    HeaderName::Date,
    HeaderName::Location,
    HeaderName::RetryAfter,
    HeaderName::CacheControl,
    HeaderName::Pragma,
    HeaderName::Age,
    HeaderName::Expires,
    HeaderName::Vary,
    HeaderName::IfMatch,
    HeaderName::IfNoneMatch,
    HeaderName::IfModifiedSince,
    HeaderName::IfUnmodifiedSince,
    HeaderName::IfRange,
    HeaderName::Range,
    HeaderName::ContentType,
    HeaderName::ContentEncoding,
    HeaderName::ContentRange,
    HeaderName::MaxForwards,
]);

/// What a head announces, whatever the message makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Announced {
    #[default]
    Nothing,
    Length(u64),
    Chunked,
}

/// Reads `Content-Length` and `Transfer-Encoding`.
pub(crate) fn read(buffer: &[u8], headers: &Headers, version: Version) -> Result<Announced, Fault> {
    if !headers.present.intersects(FRAMING) {
        return Ok(Announced::Nothing);
    }
    only_one(headers, HeaderName::ContentLength, RejectReason::DuplicateContentLength)?;
    only_one(headers, HeaderName::TransferEncoding, RejectReason::DuplicateTransferEncoding)?;
    let Some(coding) = headers.find(HeaderName::TransferEncoding) else {
        return content_length(buffer, headers);
    };
    let place = coding.value().start as usize;
    if headers.has(HeaderName::ContentLength) {
        return Err(Fault::new(RejectReason::LengthWithTransferEncoding, place));
    }
    if version == Version::Http10 {
        return Err(Fault::new(RejectReason::TransferEncodingOnHttp10, place));
    }
    if !coding.value().of(buffer).eq_ignore_ascii_case(b"chunked") {
        return Err(Fault::new(RejectReason::InvalidTransferEncoding, place));
    }
    Ok(Announced::Chunked)
}

fn content_length(buffer: &[u8], headers: &Headers) -> Result<Announced, Fault> {
    let Some(header) = headers.find(HeaderName::ContentLength) else {
        return Ok(Announced::Nothing);
    };
    let digits = header.value().of(buffer);
    let place = header.value().start as usize;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::new(RejectReason::InvalidContentLength, place));
    }
    let mut length: u64 = 0;
    for digit in digits {
        // The bound is below 2⁶³ and holds before each step, so ten times it may pass 2⁶⁴.
        let next =
            length.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit - b'0')));
        match next {
            Some(value) if value <= LARGEST_LENGTH => length = value,
            _ => return Err(Fault::new(RejectReason::ContentLengthOverflow, place)),
        }
    }
    Ok(Announced::Length(length))
}

/// Refuses a second field of a name.
pub(crate) fn only_one(
    headers: &Headers,
    name: HeaderName,
    reason: RejectReason,
) -> Result<(), Fault> {
    if !headers.repeated.contains(name) {
        return Ok(());
    }
    let second = headers.find_all(name).nth(1).map_or(0, |header| header.line_start);
    Err(Fault::new(reason, second as usize))
}
