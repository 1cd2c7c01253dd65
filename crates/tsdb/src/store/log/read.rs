//! Reading the log.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::super::wire::{Corrupt, Reader};
use super::{
    CHUNK, DEFINITION, END, HEAD_BYTES, MARK, MARK_BYTES, NEXT_SERIES, PAYLOAD_BYTES_MAX,
    SAME_TIME, SAMPLES, VERSION, WHOLE,
};
use crate::labels::Labels;

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
}

/// Reads a segment or snapshot up to its end or to the first damage.
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
    let (mut good, mut payload) = (0, Vec::new());
    let (mut version, mut is_ended) = (0, false);
    let why = loop {
        if good == length {
            break None;
        }
        if is_ended {
            break Some(Corrupt("there is more after its end"));
        }
        let next = match good {
            0 => read_mark(&mut input).map(|read| read.map(|found| version = found)),
            _ => next_record(&mut input, &mut payload),
        };
        match next {
            Ok(Ok(())) => {}
            Ok(Err(corrupt)) => break Some(corrupt),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break Some(Corrupt("it ends in the middle of a record"));
            }
            Err(error) => return Err(error),
        }
        if good == 0 {
            good = MARK_BYTES as u64;
            continue;
        }
        is_ended = payload == [END];
        // The checksum is right, so this fails only for what another program wrote.
        if !is_ended && let Err(corrupt) = visit_payload(&payload, &mut visit) {
            break Some(corrupt);
        }
        good += (HEAD_BYTES + payload.len()) as u64;
    };
    Ok(SegmentEnd { good, bad: length.saturating_sub(good), why, version, is_ended })
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
