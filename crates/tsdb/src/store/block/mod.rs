//! A block: the samples of all series in one span of time, in one file that never changes.
//!
//! ```text
//! mark (8 bytes)
//! a record for each series, by rising labels:
//!     length of the directory (varint), directory, its CRC-32, the chunks' bytes
//!     directory, for each chunk: first time, span, samples, where its times are, bytes of its values
//!     chunk: its times, unless they are shared; its values; CRC-32 of both
//! shared times   columns of times that several chunks have: all series of one target are read at once
//! symbols        every name and value of a label, once
//! series         labels as symbols, without what the series before has too; length of the record
//! footer         place, length and CRC-32 of the three sections; span, sums; its CRC-32; mark
//! ```
//!
//! At open the sections and the footer are read and checked; records are read when they are asked for.
//! Of each series 16 bytes stay in memory. A name says the span: `START-END.block`, in milliseconds.

mod read;
mod write;

use std::path::{Path, PathBuf};

pub(super) use read::{Block, decode};
pub(super) use write::{BlockWriter, RawChunk};

use super::wire::Corrupt;

/// The first and the last bytes of a file; the last of them is the version.
const MARK: &[u8; 8] = b"PLMBLCK\x01";
/// Ending of the names of blocks.
pub(super) const EXTENSION: &str = "block";
/// Ending of the names of files that are set aside.
pub(super) const DAMAGED: &str = "damaged";
/// Ending of the names of files that lay ahead of the clock.
pub(super) const AHEAD: &str = "ahead";
/// Bytes of the footer: three sections of 20, seven numbers, a checksum, the mark.
const FOOTER_BYTES: usize = 3 * 20 + 7 * 8 + 4 + 8;
/// Shared times are all in memory, so there are at most so many bytes of them; others lie with their
/// chunks.
const SHARED_BYTES_MAX: usize = 256 * 1024;

/// A block cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlockError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: &'static str },
}

impl BlockError {
    fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    fn damaged(path: &Path) -> impl Fn(Corrupt) -> Self {
        move |corrupt| Self::Damaged { path: path.to_owned(), what: corrupt.0 }
    }
}

/// The name of a block's file.
pub(super) fn file_name(start: i64, end: i64) -> String {
    format!("{start}-{end}.{EXTENSION}")
}

/// The span that the name of a block's file tells, also of one that was set aside.
pub(super) fn span_in_name(path: &Path) -> Option<(i64, i64)> {
    let name = path.file_name()?.to_str()?;
    // A time before 1970 has a minus of its own.
    let dash = name.char_indices().skip(1).find(|(_, letter)| *letter == '-')?.0;
    let end = name.get(dash + 1..)?.split('.').next()?;
    Some((name.get(..dash)?.parse().ok()?, end.parse().ok()?))
}
