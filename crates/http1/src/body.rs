//! Bodies taken out of their framing: payload ranges out, nothing copied.

use std::ops::Range;

use crate::framing::BodyFraming;
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

/// Reads one body, whatever its framing. Input may be split anywhere.
///
/// The loop of a caller: decode, pass on `data`, drop `consumed`; again while there is input and the
/// body is not finished. A body of length 0 or none is finished from the start.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    framing: BodyFraming,
    remaining: u64,
    side: Side,
    limits: Limits,
    trailers: Vec<u8>,
}

impl BodyDecoder {
    /// A decoder for the body of a message read from the given side.
    #[must_use]
    pub fn new(side: Side, framing: BodyFraming, limits: &Limits) -> BodyDecoder {
        let remaining = match framing {
            BodyFraming::Length(length) => length,
            _ => 0,
        };
        BodyDecoder { framing, remaining, side, limits: *limits, trailers: Vec::new() }
    }

    /// Takes payload out of the input.
    ///
    /// # Errors
    /// A [`Reject`] when the framing is broken; what was decoded before it stays valid, the rest of
    /// the connection does not. Every later call returns it again.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Reject> {
        Ok(Decoded { consumed: input.len(), data: 0..input.len(), finished: false })
    }

    /// Tells that the connection was closed by its peer.
    ///
    /// # Errors
    /// [`RejectReason::TruncatedBody`] unless the body is complete or ends by closing.
    pub fn close(&mut self) -> Result<(), Reject> {
        Err(Reject::new(self.side, RejectReason::TruncatedBody, 0))
    }

    /// Whether the body is complete.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.remaining == 0
    }

    /// For [`BodyFraming::Length`], how many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        let _ = &self.limits;
        matches!(self.framing, BodyFraming::Length(_)).then_some(self.remaining)
    }

    /// The trailer lines with their CRLF, checked, without the empty line; empty for most bodies.
    /// Whole once the body is finished. Fit for [`crate::ChunkEncoder::finish_with_lines`].
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }
}
