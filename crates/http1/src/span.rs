//! A range of bytes in the caller's buffer.
//!
//! Half the size of a `Range<usize>` and `Copy`, so that a head of twenty fields stays within a few
//! cache lines. A span carries no buffer: it must be resolved against the bytes it was made of.

use std::ops::Range;

/// A range of bytes, counted from the first byte of the head it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte; never less than `start`.
    pub end: u32,
}

impl Span {
    /// Heads are bounded far below 4 GiB ([`crate::Limits::LARGEST_HEAD_BYTES`]), so the offsets fit.
    pub(crate) const fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The bytes meant, in the buffer whose first byte is the first byte of the head.
    ///
    /// # Panics
    /// When `buffer` is shorter than the head that was parsed.
    #[inline]
    #[must_use]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.range()]
    }

    /// The same range in the form that slices are indexed with.
    #[inline]
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Length in bytes.
    #[inline]
    #[must_use]
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there is no byte in it.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}
