//! One header or trailer line, and the loop over all lines of a head.
//!
//! A line is read from left to right and refused at its first bad byte. A decision never depends on
//! bytes that are not there yet: reading a prefix gives either [`Line::Partial`] or what the whole
//! would give, which is what makes any split of the input equal.

use crate::bytes;
use crate::connection::HOP_BY_HOP;
use crate::header::{Header, Headers};
use crate::limits::Limits;
use crate::name::HeaderName;
use crate::reject::{Fault, RejectReason};

/// What stands at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A field; the next line begins at its `line_end`.
    Field(Header),
    /// The empty line; the offset after it.
    End(usize),
    /// The line is not there as a whole.
    Partial,
}

/// How far a head has been read, so that no byte is looked at twice when more arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Start of the first line that is not complete; 0 while in the start line.
    line_start: usize,
    /// How far that line has been searched for its end; 0 before the first call.
    searched: usize,
}

impl Progress {
    /// Whether nothing has been read yet.
    pub(crate) const fn is_new(self) -> bool {
        self.searched == 0
    }

    pub(crate) const fn in_start_line(self) -> bool {
        self.line_start == 0
    }

    pub(crate) fn start_line_ends(&mut self, offset: usize) {
        self.line_start = offset;
    }

    /// Whether it is worth while to read on: the line that was incomplete may have got its end.
    /// A buffer shorter than before is not the same head, so it is read from the start.
    pub(crate) fn resume(&mut self, window: &[u8]) -> bool {
        if self.searched > window.len() {
            *self = Progress::default();
        }
        self.is_new() || memchr::memchr(b'\n', &window[self.searched..]).is_some()
    }

    pub(crate) fn pause(&mut self, window: &[u8]) {
        self.searched = window.len();
    }
}

/// The end of a line: the offset after the CRLF at `at`, or `None` if the bytes are not there yet.
/// Any other control byte there is a fault.
#[inline]
pub(crate) fn line_end(window: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    let reason = match (window.get(at), window.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => return Ok(Some(at + 2)),
        (None, _) | (Some(b'\r'), None) => return Ok(None),
        (Some(b'\r'), Some(_)) => RejectReason::BareCarriageReturn,
        (Some(b'\n'), _) => RejectReason::BareLineFeed,
        (Some(0), _) => RejectReason::NulByte,
        (Some(_), _) => RejectReason::ControlByte,
    };
    Err(Fault::new(reason, at))
}

/// Reads the line at `start`. `follows_field` tells which kind of fault leading white space is.
#[inline]
pub(crate) fn line(window: &[u8], start: usize, follows_field: bool) -> Result<Line, Fault> {
    let (name_length, has_underscore) = bytes::token_length(&window[start..]);
    let colon = start + name_length;
    if name_length == 0 || window.get(colon) != Some(&b':') {
        return without_name(window, start, colon, follows_field);
    }
    let mut value_start = colon + 1;
    while let Some(b' ' | b'\t') = window.get(value_start) {
        value_start += 1;
    }
    let text_end = value_start + bytes::text_length(&window[value_start..]);
    let Some(next) = line_end(window, text_end)? else {
        return Ok(Line::Partial);
    };
    let mut value_end = text_end;
    while value_end > value_start && matches!(window[value_end - 1], b' ' | b'\t') {
        value_end -= 1;
    }
    let name = HeaderName::from_bytes(&window[start..colon]);
    Ok(Line::Field(Header {
        line_start: start as u32,
        line_end: next as u32,
        value_start: value_start as u32,
        value_end: value_end as u32,
        name_length: name_length as u32,
        name,
        hop_by_hop: HOP_BY_HOP.contains(name),
        has_underscore,
    }))
}

/// What a line is that does not begin with a name and a colon; `at` is its first byte that is not
/// of a token.
#[cold]
fn without_name(
    window: &[u8],
    start: usize,
    at: usize,
    follows_field: bool,
) -> Result<Line, Fault> {
    let is_empty = at == start;
    let reason = match window.get(at) {
        None => return Ok(Line::Partial),
        Some(b'\r' | b'\n' | 0) => {
            return match line_end(window, at)? {
                None => Ok(Line::Partial),
                Some(end) if is_empty => Ok(Line::End(end)),
                Some(_) => Err(Fault::new(RejectReason::MissingColon, at)),
            };
        }
        Some(b':') => RejectReason::EmptyHeaderName,
        Some(b' ' | b'\t') if !is_empty => RejectReason::SpaceBeforeColon,
        Some(b' ' | b'\t') if follows_field => RejectReason::ObsoleteFold,
        Some(b' ' | b'\t') => RejectReason::WhitespaceBeforeHeaders,
        Some(_) => RejectReason::InvalidHeaderName,
    };
    Err(Fault::new(reason, at))
}

/// Reads header lines from where the last call stopped. The offset after the empty line, or `None`
/// if the head is not there as a whole.
pub(crate) fn lines(
    window: &[u8],
    limits: &Limits,
    headers: &mut Headers,
    progress: &mut Progress,
) -> Result<Option<usize>, Fault> {
    loop {
        match line(window, progress.line_start, !headers.list.is_empty())? {
            Line::Field(_) if headers.list.len() >= limits.header_count => {
                return Err(Fault::new(RejectReason::TooManyHeaders, progress.line_start));
            }
            Line::Field(header) => {
                progress.line_start = header.line_end as usize;
                headers.push(header);
            }
            Line::End(end) => return Ok(Some(end)),
            Line::Partial => return Ok(None),
        }
    }
}
