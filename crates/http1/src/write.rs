//! Writing heads, with no way to inject a line through a value.

use crate::bytes;
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
    #[inline]
    pub fn request(
        out: &'a mut Vec<u8>,
        method: &[u8],
        target: &[u8],
        version: Version,
    ) -> Result<HeadWriter<'a>, Unsafe> {
        if !bytes::is_token(method) {
            return Err(Unsafe::Method);
        }
        if target.is_empty() || bytes::target_length(target) != target.len() {
            return Err(Unsafe::Target);
        }
        out.extend_from_slice(method);
        out.push(b' ');
        out.extend_from_slice(target);
        out.push(b' ');
        out.extend_from_slice(version.as_str().as_bytes());
        out.extend_from_slice(LINE_END);
        Ok(HeadWriter { out })
    }

    /// Begins a response with `HTTP/1.x status reason`; the reason may be empty.
    ///
    /// # Errors
    /// [`Unsafe::Status`] or [`Unsafe::Reason`].
    #[inline]
    pub fn response(
        out: &'a mut Vec<u8>,
        version: Version,
        status: u16,
        reason: &[u8],
    ) -> Result<HeadWriter<'a>, Unsafe> {
        if !matches!(status, 100..=999) {
            return Err(Unsafe::Status);
        }
        if !bytes::is_text(reason) {
            return Err(Unsafe::Reason);
        }
        let digit = |unit: u16| b'0' + (status / unit % 10) as u8;
        out.extend_from_slice(version.as_str().as_bytes());
        out.extend_from_slice(&[b' ', digit(100), digit(10), digit(1), b' ']);
        out.extend_from_slice(reason);
        out.extend_from_slice(LINE_END);
        Ok(HeadWriter { out })
    }

    /// Appends one field of our own.
    ///
    /// # Errors
    /// [`Unsafe::HeaderName`] or [`Unsafe::HeaderValue`]; nothing of the line is written then.
    #[inline]
    pub fn header(&mut self, name: &str, value: &[u8]) -> Result<(), Unsafe> {
        self.header_parts(name, &[value])
    }

    /// Appends a field whose value is given in parts that follow each other without anything
    /// between, such as `X-Forwarded-For: old, new`.
    ///
    /// # Errors
    /// As [`HeadWriter::header`].
    #[inline]
    pub fn header_parts(&mut self, name: &str, parts: &[&[u8]]) -> Result<(), Unsafe> {
        check_header(name, parts)?;
        append_header(self.out, name, parts);
        Ok(())
    }

    /// Appends `Content-Length`.
    pub fn content_length(&mut self, length: u64) {
        let mut digits = [0; LONGEST_NUMBER];
        let mut start = LONGEST_NUMBER;
        let mut rest = length;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        append_header(self.out, "Content-Length", &[&digits[start..]]);
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
    #[inline]
    pub fn end(self) {
        self.out.extend_from_slice(LINE_END);
    }
}

const LINE_END: &[u8] = b"\r\n";

/// Decimal digits of the largest `u64`.
const LONGEST_NUMBER: usize = 20;

/// Whether a field can be written without breaking its line.
pub(crate) fn check_header(name: &str, parts: &[&[u8]]) -> Result<(), Unsafe> {
    if !bytes::is_token(name.as_bytes()) {
        return Err(Unsafe::HeaderName);
    }
    if !parts.iter().all(|part| bytes::is_text(part)) {
        return Err(Unsafe::HeaderValue);
    }
    Ok(())
}

/// Appends a field that was checked.
pub(crate) fn append_header(out: &mut Vec<u8>, name: &str, parts: &[&[u8]]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(LINE_END);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_written_line_by_line() {
        let mut out = Vec::new();
        let mut head = HeadWriter::request(&mut out, b"GET", b"/a?b", Version::Http11).unwrap();
        head.header("Host", b"a.example").unwrap();
        head.header_parts("X-Forwarded-For", &[b"10.0.0.1", b", ", b"::1"]).unwrap();
        head.content_length(0);
        head.content_length(u64::MAX);
        head.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 10.0.0.1, ::1\r\n\
             Content-Length: 0\r\nContent-Length: 18446744073709551615\r\n\r\n"
        );

        let mut out = Vec::new();
        let mut head = HeadWriter::response(&mut out, Version::Http10, 503, b"").unwrap();
        head.chunked();
        head.end();
        assert_eq!(out, b"HTTP/1.0 503 \r\nTransfer-Encoding: chunked\r\n\r\n");
    }

    #[test]
    fn text_that_would_break_a_line_is_refused_whole() {
        let mut out = Vec::new();
        let version = Version::Http11;
        let request = |method: &[u8], target: &[u8]| {
            HeadWriter::request(&mut Vec::new(), method, target, version).map(|_| ()).unwrap_err()
        };
        assert_eq!(request(b"", b"/"), Unsafe::Method);
        assert_eq!(request(b"GE T", b"/"), Unsafe::Method);
        for target in [&b""[..], b"/a b", b"/\r\nHost: b", b"/\0", b"/\x7f", b"/\xff"] {
            assert_eq!(request(b"GET", target), Unsafe::Target);
        }
        for status in [0, 99, 1000] {
            let result = HeadWriter::response(&mut out, version, status, b"");
            assert_eq!(result.map(|_| ()).unwrap_err(), Unsafe::Status);
        }
        let result = HeadWriter::response(&mut out, version, 200, b"OK\r\nA: b");
        assert_eq!(result.map(|_| ()).unwrap_err(), Unsafe::Reason);

        let mut head = HeadWriter { out: &mut out };
        for name in ["", "a b", "a:", "a\r\nb", "ä"] {
            assert_eq!(head.header(name, b"x"), Err(Unsafe::HeaderName));
        }
        for value in [&b"\r"[..], b"\n", b"\0", b"a\r\nb: c", b"\x1b[2J", b"\x7f"] {
            assert_eq!(head.header("a", value), Err(Unsafe::HeaderValue));
            assert_eq!(head.header_parts("a", &[b"x", value]), Err(Unsafe::HeaderValue));
        }
        assert!(out.is_empty());
    }
}
