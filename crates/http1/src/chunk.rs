//! Writing the chunked transfer coding (RFC 9112 §7.1).

use crate::framing::FORBIDDEN_IN_TRAILERS;
use crate::name::HeaderName;
use crate::write::{Unsafe, append_header, check_header};

/// What follows the data of each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The end of a body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The size line of a chunk in a small buffer of its own, for vectored writes: this, the data, then
/// [`CHUNK_END`].
#[derive(Clone, Copy, Debug)]
pub struct ChunkHeader {
    bytes: [u8; ChunkHeader::LONGEST],
    start: u8,
}

impl ChunkHeader {
    /// 16 hexadecimal digits and CRLF.
    const LONGEST: usize = 18;

    /// The size line for that many bytes of data, or `None` for 0, which would end the body.
    #[must_use]
    pub fn new(data_bytes: usize) -> Option<ChunkHeader> {
        let mut bytes = [b'0'; ChunkHeader::LONGEST];
        bytes[16] = b'\r';
        bytes[17] = b'\n';
        let mut start = 16;
        let mut rest = data_bytes;
        while rest > 0 {
            start -= 1;
            bytes[start] = b"0123456789abcdef"[rest & 0xf];
            rest >>= 4;
        }
        (data_bytes > 0).then_some(ChunkHeader { bytes, start: start as u8 })
    }

    /// The line with its CRLF.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start as usize..]
    }
}

/// Writes a chunked body to a buffer. Finishing takes the encoder, so nothing can follow the end.
#[derive(Debug, Default)]
pub struct ChunkEncoder(());

impl ChunkEncoder {
    /// An encoder for one body.
    #[must_use]
    pub const fn new() -> ChunkEncoder {
        ChunkEncoder(())
    }

    /// Appends one chunk; nothing for empty data, which would end the body.
    pub fn chunk(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if let Some(header) = ChunkHeader::new(data.len()) {
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(data);
            out.extend_from_slice(CHUNK_END);
        }
    }

    /// Appends the end of the body, without trailers.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(LAST_CHUNK);
    }

    /// Appends the end of the body with trailer lines as [`crate::BodyDecoder::trailers`] gives them.
    pub fn finish_with_lines(self, checked_lines: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"0\r\n");
        out.extend_from_slice(checked_lines);
        out.extend_from_slice(CHUNK_END);
    }

    /// Appends the end of the body with trailers of our own.
    ///
    /// # Errors
    /// [`Unsafe`] if a name or value cannot be written or may not be a trailer; `out` is then as before.
    pub fn finish_with(self, trailers: &[(&str, &[u8])], out: &mut Vec<u8>) -> Result<(), Unsafe> {
        for (name, value) in trailers {
            check_header(name, &[value])?;
            if FORBIDDEN_IN_TRAILERS.contains(HeaderName::from_bytes(name.as_bytes())) {
                return Err(Unsafe::ForbiddenTrailer);
            }
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            append_header(out, name, &[value]);
        }
        out.extend_from_slice(CHUNK_END);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal_without_leading_zeros() {
        for (size, line) in [
            (1, "1\r\n"),
            (0xf, "f\r\n"),
            (0x10, "10\r\n"),
            (0x1234_abcd, "1234abcd\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            let header = ChunkHeader::new(size).unwrap();
            assert_eq!(std::str::from_utf8(header.as_bytes()).unwrap(), line);
        }
        assert!(ChunkHeader::new(0).is_none());
    }

    #[test]
    fn empty_data_does_not_end_the_body() {
        let mut out = Vec::new();
        let mut encoder = ChunkEncoder::new();
        encoder.chunk(b"hello", &mut out);
        encoder.chunk(b"", &mut out);
        encoder.chunk(b" world", &mut out);
        encoder.finish(&mut out);
        assert_eq!(out, b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    }

    #[test]
    fn trailers_are_checked_before_anything_is_written() {
        let mut out = Vec::new();
        ChunkEncoder::new().finish_with(&[("X-Sum", b"1"), ("X-Empty", b"")], &mut out).unwrap();
        assert_eq!(out, b"0\r\nX-Sum: 1\r\nX-Empty: \r\n\r\n");
        for (name, value, fault) in [
            ("content-length", &b"1"[..], Unsafe::ForbiddenTrailer),
            ("Host", b"a", Unsafe::ForbiddenTrailer),
            ("X Sum", b"1", Unsafe::HeaderName),
            ("X-Sum", b"1\r\nHost: b", Unsafe::HeaderValue),
        ] {
            let mut out = Vec::new();
            let trailers = [("X-Good", &b"1"[..]), (name, value)];
            assert_eq!(ChunkEncoder::new().finish_with(&trailers, &mut out), Err(fault));
            assert!(out.is_empty());
        }
    }
}
