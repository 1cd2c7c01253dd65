//! The write-ahead log: what is only in memory, so that it can be read again.
//!
//! Segments are files of bounded size, `00000001.log` and so on. A segment is a mark and records:
//!
//! ```text
//! length of the payload (4 bytes), its CRC-32 (4 bytes), payload
//! payload: kind (1 byte) and
//!     definition: number of a series, number of labels, names and values
//!     samples:    for each: form (1 byte), number of the series and time relative to the sample
//!                 before, value
//!     chunk:      number of a series, a sealed chunk
//!     end:        of a snapshot, nothing more
//! ```
//!
//! After damage the next record is looked for byte by byte, so that it costs the records that it lies in
//! and, if these define series, the samples of those up to the end of the segment.
//!
//! Every segment defines the series that it has samples of, so damage in one costs nothing of others.
//! A snapshot, `00000012.snapshot`, holds the samples that were in memory when segment 12 had been
//! closed; it replaces all segments up to 12. It is complete, because it is renamed when it is.
//! What it holds may also be in later segments; samples rise, so reading them again changes nothing.
//! Its last record says that it is the last: damage could have cut it where a record ends. A segment
//! has none, because it is cut wherever the program was killed.
//!
//! Versions: 2 is written; 1, which is still read, had no record of the end.

mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub(super) use read::{Gaps, Record, SegmentEnd, read_segment};
pub(super) use write::{Log, SnapshotWriter};

/// The first bytes of a file; the version follows.
const MARK: &[u8; 7] = b"PLMWLOG";
/// The version that is written.
const VERSION: u8 = 2;
/// Bytes of mark and version.
const MARK_BYTES: usize = MARK.len() + 1;
/// The first version whose snapshots say where they end.
pub(super) const END_VERSION: u8 = 2;
/// Bytes of a record before its payload.
const HEAD_BYTES: usize = 8;
/// Payloads are closed when they reach this.
const PAYLOAD_BYTES: usize = 256 * 1024;
/// A longer payload is none: the rest of the longest sample, definition or chunk is far shorter.
const PAYLOAD_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// Kinds of records.
const DEFINITION: u8 = 1;
const SAMPLES: u8 = 2;
const CHUNK: u8 = 3;
const END: u8 = 4;
/// Bits of a sample's form: the series is the next one; the time is the same; the value is a whole
/// number.
const NEXT_SERIES: u8 = 1;
const SAME_TIME: u8 = 2;
const WHOLE: u8 = 4;
/// Endings of names.
const SEGMENT: &str = "log";
const SNAPSHOT: &str = "snapshot";

/// The files of a log.
#[derive(Default)]
pub(super) struct Files {
    /// Segments after the snapshot, by rising number.
    pub(super) segments: Vec<(u64, PathBuf)>,
    /// The last snapshot.
    pub(super) snapshot: Option<(u64, PathBuf)>,
    /// Files that the snapshot replaces.
    pub(super) obsolete: Vec<PathBuf>,
}

/// Lists the files of a log.
pub(super) fn files(folder: &Path) -> io::Result<Files> {
    let (mut files, mut snapshots) = (Files::default(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        let Some(number) = number else { continue };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(SEGMENT) => files.segments.push((number, path)),
            Some(SNAPSHOT) => snapshots.push((number, path)),
            _ => {}
        }
    }
    snapshots.sort();
    files.segments.sort();
    files.snapshot = snapshots.pop();
    files.obsolete = snapshots.into_iter().map(|(_, path)| path).collect();
    if let Some((covered, _)) = files.snapshot {
        let later = files.segments.partition_point(|(number, _)| *number <= covered);
        files.obsolete.extend(files.segments.drain(..later).map(|(_, path)| path));
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
