//! Bodies taken out of their framing: payload ranges out, nothing copied but trailers.
//!
//! Chunk framing goes through a state machine byte by byte (a few bytes for each chunk), payload in
//! ranges as long as the input has them. The decoder keeps no payload, so the caller's buffer is the
//! only one. A body of known length, or until close, costs one comparison a call.

use std::ops::Range;

use crate::bytes;
use crate::field::{self, Line};
use crate::framing::{BodyFraming, FORBIDDEN_IN_TRAILERS, LARGEST_LENGTH};
use crate::header::Header;
use crate::limits::Limits;
use crate::reject::{Reject, RejectReason, Side};

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that are done with; the next call starts after them. At least 1 unless the
    /// input is empty or the body is finished.
    pub consumed: usize,
    /// Payload bytes: a range of the input within `consumed`, possibly empty.
    pub data: Range<usize>,
    /// Whether the body is complete. Bytes after `consumed` belong to the next message.
    pub finished: bool,
}

/// Most hexadecimal digits of a chunk size: those of 64 bits, leading zeros included.
const CHUNK_SIZE_DIGITS: u8 = 16;

/// Where in a body the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a body of known length, with at least one byte to come.
    Length { remaining: u64 },
    /// In a body that only closing ends.
    UntilClose,
    /// In the digits of a chunk size.
    Size { digits: u8, size: u64 },
    /// In the extensions after a chunk size.
    Extension { size: u64 },
    /// At the line feed of a chunk-size line.
    SizeEnd { size: u64 },
    /// In the data of a chunk, with at least one byte to come.
    Data { remaining: u64 },
    /// At the carriage return after the data of a chunk.
    DataEnd,
    /// At the line feed after that.
    DataLineFeed,
    /// In the trailers, or at the carriage return of the empty line.
    Trailers,
    /// At the line feed of the empty line.
    LastLineFeed,
    /// The body is complete.
    Finished,
    /// The body was refused.
    Failed(Reject),
}

/// Reads one body, whatever its framing. Input may be split anywhere.
///
/// The loop of a caller: decode, pass on `data`, drop `consumed`; again while there is input and the
/// body is not finished. A body of length 0 or none is finished from the start.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    side: Side,
    limits: Limits,
    /// Bytes of the encoded body consumed so far, to say where a fault is.
    position: u64,
    /// Bytes of the current chunk-size line.
    line_bytes: usize,
    /// Bytes of chunk extensions so far.
    extension_bytes: usize,
    /// Trailer lines as received. Takes no memory until there is one.
    trailers: Vec<u8>,
    trailer_count: usize,
    /// Start of the trailer line that is being read.
    trailer_line_start: usize,
}

impl BodyDecoder {
    /// A decoder for the body of a message read from the given side.
    #[must_use]
    pub fn new(side: Side, framing: BodyFraming, limits: &Limits) -> BodyDecoder {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::Finished,
            BodyFraming::Length(remaining) => State::Length { remaining },
            BodyFraming::Chunked => State::Size { digits: 0, size: 0 },
            BodyFraming::UntilClose => State::UntilClose,
        };
        BodyDecoder {
            state,
            side,
            limits: *limits,
            position: 0,
            line_bytes: 0,
            extension_bytes: 0,
            trailers: Vec::new(),
            trailer_count: 0,
            trailer_line_start: 0,
        }
    }

    /// Takes payload out of the input: at most one range a call, with the framing around it.
    ///
    /// # Errors
    /// A [`Reject`] when the framing is broken; what was decoded before it stays valid, the rest of
    /// the connection does not. Every later call returns it again.
    #[inline]
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Reject> {
        let length = match self.state {
            State::UntilClose => input.len(),
            State::Length { remaining } => {
                let length = shorter(remaining, input.len());
                self.state = match remaining - length as u64 {
                    0 => State::Finished,
                    remaining => State::Length { remaining },
                };
                length
            }
            State::Finished => 0,
            State::Failed(reject) => return Err(reject),
            _ => return self.decode_chunked(input),
        };
        self.position += length as u64;
        Ok(Decoded { consumed: length, data: 0..length, finished: self.is_finished() })
    }

    /// Counts payload that the caller moved without showing it to the decoder: for bytes that go
    /// from socket to socket within the kernel. Only the part of `count` that lies in a body of known
    /// length counts; other bodies must be decoded.
    pub fn pass(&mut self, count: u64) {
        if let State::Length { remaining } = self.state {
            let count = count.min(remaining);
            self.position += count;
            self.state = match remaining - count {
                0 => State::Finished,
                remaining => State::Length { remaining },
            };
        }
    }

    fn decode_chunked(&mut self, input: &[u8]) -> Result<Decoded, Reject> {
        let mut consumed = 0;
        let mut data = 0..0;
        while consumed < input.len() && self.state != State::Finished {
            if let State::Data { remaining } = self.state {
                if !data.is_empty() {
                    break;
                }
                let length = shorter(remaining, input.len() - consumed);
                data = consumed..consumed + length;
                consumed += length;
                self.state = match remaining - length as u64 {
                    0 => State::DataEnd,
                    remaining => State::Data { remaining },
                };
                continue;
            }
            match self.step(input[consumed]) {
                Ok(next) => self.state = next,
                Err(reason) => {
                    let offset = self.position + consumed as u64;
                    let reject = Reject::new(self.side, reason, offset);
                    self.state = State::Failed(reject);
                    // Payload before the fault is given out first; the faulty byte is not consumed,
                    // so there is a next call to tell.
                    if data.is_empty() {
                        return Err(reject);
                    }
                    break;
                }
            }
            consumed += 1;
        }
        self.position += consumed as u64;
        Ok(Decoded { consumed, data, finished: self.is_finished() })
    }

    /// The state after one byte of chunk framing.
    fn step(&mut self, byte: u8) -> Result<State, RejectReason> {
        match self.state {
            State::Size { digits, size } => {
                self.count_line_byte()?;
                self.size_byte(byte, digits, size)
            }
            State::Extension { size } => {
                self.count_line_byte()?;
                self.extension_byte(byte, size)
            }
            State::SizeEnd { size } => {
                self.count_line_byte()?;
                self.line_bytes = 0;
                match (byte, size) {
                    (b'\n', 0) => Ok(State::Trailers),
                    (b'\n', remaining) => Ok(State::Data { remaining }),
                    _ => Err(RejectReason::BareCarriageReturn),
                }
            }
            State::DataEnd if byte == b'\r' => Ok(State::DataLineFeed),
            State::DataLineFeed if byte == b'\n' => Ok(State::Size { digits: 0, size: 0 }),
            State::DataEnd | State::DataLineFeed => Err(RejectReason::InvalidChunkEnd),
            State::Trailers if byte == b'\r' && self.is_at_trailer_start() => {
                self.count_trailer_bytes(1)?;
                Ok(State::LastLineFeed)
            }
            State::Trailers => self.trailer_byte(byte),
            State::LastLineFeed if byte == b'\n' => {
                self.count_trailer_bytes(2)?;
                Ok(State::Finished)
            }
            State::LastLineFeed => Err(RejectReason::BareCarriageReturn),
            // These have no framing to step through; the caller does not ask.
            State::Length { .. }
            | State::UntilClose
            | State::Data { .. }
            | State::Finished
            | State::Failed(_) => Ok(self.state),
        }
    }

    fn count_line_byte(&mut self) -> Result<(), RejectReason> {
        self.line_bytes += 1;
        if self.line_bytes > self.limits.chunk_line_bytes {
            return Err(RejectReason::ChunkLineTooLong);
        }
        Ok(())
    }

    fn size_byte(&mut self, byte: u8, digits: u8, size: u64) -> Result<State, RejectReason> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(State::SizeEnd { size }),
            b';' if digits > 0 => return self.extension_byte(byte, size),
            b'\n' => return Err(RejectReason::BareLineFeed),
            _ => return Err(RejectReason::InvalidChunkSize),
        };
        // The top digits of `size` are zero as long as there is room for another digit.
        let size = size << 4 | u64::from(digit);
        if digits == CHUNK_SIZE_DIGITS || size > LARGEST_LENGTH {
            return Err(RejectReason::ChunkSizeOverflow);
        }
        Ok(State::Size { digits: digits + 1, size })
    }

    /// Extensions are not understood, only bounded. That no control byte is within them, quoted or
    /// not, is what keeps their end the same for every reader.
    fn extension_byte(&mut self, byte: u8, size: u64) -> Result<State, RejectReason> {
        match byte {
            b'\r' => return Ok(State::SizeEnd { size }),
            b'\n' => return Err(RejectReason::BareLineFeed),
            0 => return Err(RejectReason::NulByte),
            _ if !bytes::is(byte, bytes::TEXT) => return Err(RejectReason::ControlByte),
            _ => {}
        }
        self.extension_bytes += 1;
        if self.extension_bytes > self.limits.chunk_extension_bytes {
            return Err(RejectReason::ChunkExtensionsTooLarge);
        }
        Ok(State::Extension { size })
    }

    fn is_at_trailer_start(&self) -> bool {
        self.trailers.len() == self.trailer_line_start
    }

    /// Whether so many bytes more keep the trailers within their bound.
    fn count_trailer_bytes(&self, more: usize) -> Result<(), RejectReason> {
        if self.trailers.len() + more > self.limits.trailer_bytes {
            return Err(RejectReason::TrailersTooLarge);
        }
        Ok(())
    }

    /// Keeps one byte of a trailer line, and checks the line when it is whole.
    fn trailer_byte(&mut self, byte: u8) -> Result<State, RejectReason> {
        self.count_trailer_bytes(1)?;
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(State::Trailers);
        }
        let mut header = Header::default();
        match field::line(&self.trailers, self.trailer_line_start, true, &mut header) {
            Err(fault) => Err(fault.reason),
            // Gateways behind us may take `_` for `-`, so a name with one could be any other.
            Ok(Line::Field)
                if header.has_underscore || FORBIDDEN_IN_TRAILERS.contains(header.name) =>
            {
                Err(RejectReason::ForbiddenTrailer)
            }
            Ok(Line::Field) if self.trailer_count >= self.limits.header_count => {
                Err(RejectReason::TooManyHeaders)
            }
            Ok(Line::Field) => {
                self.trailer_count += 1;
                self.trailer_line_start = self.trailers.len();
                Ok(State::Trailers)
            }
            // A line with its line feed is whole, and an empty one was seen at its carriage return.
            Ok(Line::End(_) | Line::Partial) => Err(RejectReason::BareLineFeed),
        }
    }

    /// Tells that the connection was closed by its peer.
    ///
    /// # Errors
    /// [`RejectReason::TruncatedBody`] unless the body is complete or ends by closing; or the fault
    /// that was found before.
    pub fn close(&mut self) -> Result<(), Reject> {
        match self.state {
            State::Finished => Ok(()),
            State::UntilClose => {
                self.state = State::Finished;
                Ok(())
            }
            State::Failed(reject) => Err(reject),
            _ => {
                let reject = Reject::new(self.side, RejectReason::TruncatedBody, self.position);
                self.state = State::Failed(reject);
                Err(reject)
            }
        }
    }

    /// Whether the body is complete.
    #[inline]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// How many payload bytes are known to come without framing between them: the rest of a body of
    /// known length, or of the current chunk; `None` within chunk framing and until close.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length { remaining } | State::Data { remaining } => Some(remaining),
            State::Finished => Some(0),
            _ => None,
        }
    }

    /// How many bytes of a body of known length are to come; 0 for other framings.
    #[inline]
    #[must_use]
    pub fn rest_of_length(&self) -> u64 {
        match self.state {
            State::Length { remaining } => remaining,
            _ => 0,
        }
    }

    /// The trailer lines with their CRLF, checked, without the empty line; empty for most bodies.
    /// Whole once the body is finished. Fit for [`crate::ChunkEncoder::finish_with_lines`].
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }
}

fn shorter(remaining: u64, available: usize) -> usize {
    usize::try_from(remaining).map_or(available, |remaining| remaining.min(available))
}

#[cfg(test)]
mod tests;
