//! Reading the log.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::super::wire::{Corrupt, Reader};
use super::{
    CHUNK, DEFINITION, HEAD_BYTES, MARK, NEXT_SERIES, PAYLOAD_BYTES_MAX, SAME_TIME, SAMPLES, WHOLE,
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
    let why = loop {
        if good == length {
            break None;
        }
        match next_record(&mut input, good, &mut payload) {
            Ok(Ok(())) => {}
            Ok(Err(corrupt)) => break Some(corrupt),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break Some(Corrupt("it ends in the middle of a record"));
            }
            Err(error) => return Err(error),
        }
        if good == 0 {
            good = MARK.len() as u64;
            continue;
        }
        // The checksum is right, so this fails only for what another program wrote.
        if let Err(corrupt) = visit_payload(&payload, &mut visit) {
            break Some(corrupt);
        }
        good += (HEAD_BYTES + payload.len()) as u64;
    };
    Ok(SegmentEnd { good, bad: length.saturating_sub(good), why })
}

/// Reads the mark, at the start, or a record's payload.
fn next_record(
    input: &mut impl Read,
    place: u64,
    payload: &mut Vec<u8>,
) -> io::Result<Result<(), Corrupt>> {
    let mut head = [0; HEAD_BYTES];
    input.read_exact(&mut head)?;
    if place == 0 {
        return Ok(if &head == MARK { Ok(()) } else { Err(Corrupt("it does not begin as a log")) });
    }
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
