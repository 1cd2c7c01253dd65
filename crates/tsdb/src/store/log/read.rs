//! Reading the log.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::wire::{Corrupt, Reader};
use super::{
    CHUNK, DEFINITION, END, HEAD_BYTES, MARK, MARK_BYTES, NEXT_SERIES, PAYLOAD_BYTES,
    PAYLOAD_BYTES_MAX, SAME_TIME, SAMPLES, VERSION, WHOLE,
};
use crate::labels::Labels;

/// After damage the next record is looked for in so many bytes…
const SEARCH_BYTES_MAX: u64 = 64 << 20;
/// …and only this many bytes are summed for it: bytes that look like records cost time.
const SEARCH_SUMMED_MAX: usize = 1 << 30;
/// A record that is looked for is no longer; those that are written are shorter by far.
const SEARCHED_PAYLOAD_MAX: u32 = 4 * PAYLOAD_BYTES as u32;
/// Damaged places of a file that are gone past.
const GAPS_MAX: usize = 16;

/// What a record says.
pub(in super::super) enum Record<'a> {
    /// From here on the number means this series.
    Definition(u64, Labels),
    Sample(u64, i64, f64),
    Chunk(u64, &'a [u8]),
}

/// Where reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SegmentEnd {
    /// Bytes up to the end of the last good record.
    pub(in super::super) good: u64,
    /// Bytes after that.
    pub(in super::super) bad: u64,
    /// What was wrong with the first of them.
    pub(in super::super) why: Option<Corrupt>,
    /// The version that the file was written by; 0 if that was not told.
    pub(in super::super) version: u8,
    /// Whether the record of the end was met.
    pub(in super::super) is_ended: bool,
    /// What was gone past before that.
    pub(in super::super) gaps: Gaps,
}

/// Bytes that are no records, with records after them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Gaps {
    /// Places.
    pub(in super::super) count: usize,
    /// Bytes of all of them.
    pub(in super::super) bytes: u64,
    /// What was wrong with the first.
    pub(in super::super) why: Option<Corrupt>,
}

/// Reads a segment or snapshot to its end, past damage if there are records after it.
///
/// # Errors
/// When the file cannot be read.
pub(in super::super) fn read_segment(
    path: &Path,
    mut visit: impl FnMut(Record<'_>),
) -> io::Result<SegmentEnd> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut input = BufReader::with_capacity(256 * 1024, file);
    let mut payload = Vec::new();
    let mut end = SegmentEnd {
        good: 0,
        bad: 0,
        why: None,
        version: 0,
        is_ended: false,
        gaps: Gaps::default(),
    };
    while end.good < length {
        if end.is_ended {
            end.why = Some(Corrupt("there is more after its end"));
            break;
        }
        let next = match end.good {
            0 => read_mark(&mut input).map(|read| read.map(|found| end.version = found)),
            _ => next_record(&mut input, &mut payload),
        };
        let corrupt = match next {
            Ok(Ok(())) if end.good == 0 => {
                end.good = MARK_BYTES as u64;
                continue;
            }
            Ok(Ok(())) => {
                end.is_ended = payload == [END];
                // The checksum is right, so this fails only for what another program wrote.
                match end.is_ended {
                    true => None,
                    false => visit_payload(&payload, &mut visit).err(),
                }
            }
            Ok(Err(corrupt)) => Some(corrupt),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Some(Corrupt("it ends in the middle of a record"))
            }
            Err(error) => return Err(error),
        };
        let Some(corrupt) = corrupt else {
            end.good += (HEAD_BYTES + payload.len()) as u64;
            continue;
        };
        // Without its mark nothing says that it is a log.
        let is_searched = end.good > 0 && end.gaps.count < GAPS_MAX;
        let found = if is_searched { search(&mut input, end.good + 1)? } else { None };
        let Some(found) = found else {
            end.why = Some(corrupt);
            break;
        };
        end.gaps.count += 1;
        end.gaps.bytes += found - end.good;
        end.gaps.why.get_or_insert(corrupt);
        end.good = found;
    }
    end.bad = length.saturating_sub(end.good);
    Ok(end)
}

/// Goes to the first whole record that begins at `from` or later; says where.
fn search(input: &mut (impl Read + Seek), from: u64) -> io::Result<Option<u64>> {
    input.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    input.take(SEARCH_BYTES_MAX).read_to_end(&mut bytes)?;
    let Some(place) = record_in(&bytes) else { return Ok(None) };
    let found = from + place as u64;
    input.seek(SeekFrom::Start(found))?;
    Ok(Some(found))
}

/// Where the first whole record begins: records have no mark of their own, but a length, a checksum
/// and a kind that fit each other are no chance.
fn record_in(bytes: &[u8]) -> Option<usize> {
    let mut summed = 0;
    for place in 0..bytes.len() {
        let mut reader = Reader::new(&bytes[place..]);
        let (length, checksum) = (reader.u32().ok()?, reader.u32().ok()?);
        if length == 0 || length > SEARCHED_PAYLOAD_MAX {
            continue;
        }
        let Ok(payload) = reader.take(length as usize) else { continue };
        if !(DEFINITION..=END).contains(&payload[0]) {
            continue;
        }
        summed += payload.len();
        if summed > SEARCH_SUMMED_MAX {
            return None;
        }
        if crc32fast::hash(payload) == checksum {
            return Some(place);
        }
    }
    None
}

/// Reads the mark; says the version.
fn read_mark(input: &mut impl Read) -> io::Result<Result<u8, Corrupt>> {
    let mut head = [0; MARK_BYTES];
    input.read_exact(&mut head)?;
    let version = head[MARK.len()];
    Ok(match head.starts_with(MARK) {
        true if (1..=VERSION).contains(&version) => Ok(version),
        true => Err(Corrupt("it is of a version that this program does not know")),
        false => Err(Corrupt("it does not begin as a log")),
    })
}

/// Reads a record's payload.
fn next_record(input: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Result<(), Corrupt>> {
    let mut head = [0; HEAD_BYTES];
    input.read_exact(&mut head)?;
    let mut reader = Reader::new(&head);
    let (Ok(length), Ok(checksum)) = (reader.u32(), reader.u32()) else {
        return Ok(Err(Corrupt("it ends early")));
    };
    if length > PAYLOAD_BYTES_MAX {
        return Ok(Err(Corrupt("a record is impossibly long")));
    }
    payload.resize(length as usize, 0);
    input.read_exact(payload)?;
    let is_right = crc32fast::hash(payload) == checksum;
    Ok(if is_right { Ok(()) } else { Err(Corrupt("the checksum of a record is wrong")) })
}

fn visit_payload(payload: &[u8], visit: &mut impl FnMut(Record<'_>)) -> Result<(), Corrupt> {
    let mut reader = Reader::new(payload);
    match reader.u8()? {
        DEFINITION => {
            let id = reader.varint()?;
            let count = reader.length()?;
            let mut pairs = Vec::new();
            for _ in 0..count {
                pairs.push((reader.text()?, reader.text()?));
            }
            visit(Record::Definition(id, Labels::from_pairs(pairs)));
        }
        SAMPLES => {
            let (mut id, mut time) = (0u64, 0i64);
            while reader.left() > 0 {
                let form = reader.u8()?;
                let step = if form & NEXT_SERIES == 0 { reader.zigzag()? } else { 1 };
                id = id.wrapping_add_signed(step);
                if form & SAME_TIME == 0 {
                    time = time.wrapping_add(reader.zigzag()?);
                }
                let value = if form & WHOLE == 0 {
                    f64::from_bits(reader.u64()?)
                } else {
                    reader.zigzag()? as f64
                };
                visit(Record::Sample(id, time, value));
            }
        }
        CHUNK => {
            let id = reader.varint()?;
            visit(Record::Chunk(id, reader.take(reader.left())?));
        }
        _ => return Err(Corrupt("a record is of an unknown kind")),
    }
    Ok(())
}
