//! Reading a block.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::chunk;
use super::super::head::trim;
use super::super::wire::{Corrupt, Reader};
use super::{BlockError, FOOTER_BYTES, MARK, RawChunk, SHARED_BYTES_MAX};
use crate::labels::Labels;
use crate::sample::Samples;

/// Bytes read of a record at first: all of most.
const FIRST_BYTES: usize = 8192;
/// Labels of one series; more are no series.
const LABELS_MAX: usize = 4096;

/// A block that is open.
pub(in super::super) struct Block {
    pub(in super::super) path: PathBuf,
    file: File,
    /// Bytes of the file.
    pub(in super::super) bytes: u64,
    /// The span, milliseconds; all samples lie in `start..end`.
    pub(in super::super) start: i64,
    pub(in super::super) end: i64,
    /// Times of the oldest and the newest sample.
    pub(in super::super) first: i64,
    pub(in super::super) last: i64,
    pub(in super::super) samples: u64,
    pub(in super::super) chunks: u64,
    times: Box<[u8]>,
    /// By rising number of the series.
    places: Vec<Place>,
    /// Set by a reader that met damage, read by maintenance.
    is_damaged: AtomicBool,
}

struct Place {
    id: u32,
    length: u32,
    offset: u64,
}

/// A chunk as its directory tells.
struct ChunkPlace {
    first: i64,
    last: i64,
    count: usize,
    /// In the shared times; `None`: before the values.
    shared: Option<usize>,
    times_length: usize,
    values_length: usize,
    /// In the record.
    offset: usize,
}

impl ChunkPlace {
    fn payload_length(&self) -> Option<usize> {
        let times = if self.shared.is_some() { 0 } else { self.times_length };
        times.checked_add(self.values_length)?.checked_add(4)
    }
}

impl Block {
    /// Opens a file; each series' labels are turned into its number by `intern`.
    pub(in super::super) fn open(
        path: &Path,
        mut intern: impl FnMut(&Labels) -> Option<u32>,
    ) -> Result<Self, BlockError> {
        let (io, damaged) = (BlockError::io(path), BlockError::damaged(path));
        let file = File::open(path).map_err(&io)?;
        let bytes = file.metadata().map_err(&io)?.len();
        let footer_offset = bytes
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| damaged(Corrupt("it is too short")))?;
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(&mut footer, footer_offset).map_err(&io)?;
        let sections = (|| {
            let (content, end) = footer.split_at(FOOTER_BYTES - 12);
            let (checksum, mark) = end.split_at(4);
            if mark != MARK || checksum != crc32fast::hash(content).to_le_bytes() {
                return Err(Corrupt("its footer is wrong"));
            }
            let mut reader = Reader::new(content);
            let mut sections = [(0, 0, 0); 3];
            for section in &mut sections {
                *section = (reader.u64()?, reader.u64()?, reader.u32()?);
                if section.0.checked_add(section.1).is_none_or(|end| end > footer_offset) {
                    return Err(Corrupt("a section lies outside"));
                }
            }
            let mut number = || reader.u64();
            let times = [number()? as i64, number()? as i64, number()? as i64, number()? as i64];
            Ok((sections, times, [number()?, number()?, number()?]))
        })();
        let (sections, [start, end, first, last], [samples, chunks, series]) =
            sections.map_err(&damaged)?;
        let section = |rank: usize| {
            let (offset, length, checksum) = sections[rank];
            let mut content = vec![0; length as usize];
            file.read_exact_at(&mut content, offset).map_err(&io)?;
            if crc32fast::hash(&content) == checksum {
                Ok(content)
            } else {
                Err(damaged(Corrupt("the checksum of a section is wrong")))
            }
        };
        let (times, symbols, list) = (section(0)?, section(1)?, section(2)?);
        if times.len() > SHARED_BYTES_MAX {
            return Err(damaged(Corrupt("it has too many shared times")));
        }
        let records_end = sections[0].0;
        let mut places = places(&symbols, &list, records_end, &mut intern).map_err(&damaged)?;
        if places.len() as u64 != series {
            return Err(damaged(Corrupt("the number of series is wrong")));
        }
        places.sort_unstable_by_key(|place| place.id);
        let times = times.into();
        let (path, is_damaged) = (path.to_owned(), AtomicBool::new(false));
        Ok(Self {
            path,
            file,
            bytes,
            start,
            end,
            first,
            last,
            samples,
            chunks,
            times,
            places,
            is_damaged,
        })
    }

    /// Numbers of its series, rising.
    pub(in super::super) fn ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.places.iter().map(|place| place.id)
    }

    fn place(&self, id: u32) -> Option<&Place> {
        let found = self.places.binary_search_by_key(&id, |place| place.id);
        found.ok().map(|rank| &self.places[rank])
    }

    /// Whether a series is in it.
    pub(in super::super) fn contains(&self, id: u32) -> bool {
        self.place(id).is_some()
    }

    /// Whether a reader met damage.
    pub(in super::super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Adds the samples of a series in `from..=to`.
    pub(in super::super) fn read(
        &self,
        id: u32,
        from: i64,
        to: i64,
        samples: &mut Samples,
    ) -> Result<(), BlockError> {
        self.visit(id, from, to, |chunk| {
            let (mut times, start) = (Reader::new(chunk.times), samples.len());
            chunk::decode_times(&mut times, chunk.first, chunk.count, &mut samples.times)?;
            let mut values = Reader::new(chunk.values);
            chunk::finish_until(&mut values, chunk.count, start, to, samples)?;
            trim(samples, start, from, to);
            Ok(())
        })
    }

    /// Hands on the chunks of a series that have samples in `from..=to`, in order.
    pub(in super::super) fn visit(
        &self,
        id: u32,
        from: i64,
        to: i64,
        mut visit: impl FnMut(&RawChunk<'_>) -> Result<(), Corrupt>,
    ) -> Result<(), BlockError> {
        let Some(place) = self.place(id) else { return Ok(()) };
        let visited = self.record(place, from, to, &mut visit);
        if let Err(BlockError::Damaged { .. }) = visited {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        visited
    }

    fn record(
        &self,
        place: &Place,
        from: i64,
        to: i64,
        visit: &mut impl FnMut(&RawChunk<'_>) -> Result<(), Corrupt>,
    ) -> Result<(), BlockError> {
        let damaged = BlockError::damaged(&self.path);
        let mut record = vec![0; FIRST_BYTES.min(place.length as usize)];
        self.read_at(&mut record, place.offset)?;
        // A record that ends early may be one whose directory is longer than what was read.
        let chunks = match self.directory(&record) {
            Err(_) if record.len() < place.length as usize => {
                record.resize(place.length as usize, 0);
                self.read_at(&mut record, place.offset)?;
                self.directory(&record)
            }
            chunks => chunks,
        };
        let chunks = chunks.map_err(&damaged)?;
        let first = chunks.partition_point(|chunk| chunk.last < from);
        let end = chunks.partition_point(|chunk| chunk.first <= to);
        let Some(wanted) = chunks.get(first..end) else { return Ok(()) };
        let (Some(start), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(()) };
        let length = last.payload_length().and_then(|length| length.checked_add(last.offset));
        let end = length
            .filter(|end| *end <= place.length as usize)
            .ok_or_else(|| damaged(Corrupt("a chunk lies outside of its record")))?;
        let mut base = 0;
        if end > record.len() {
            base = start.offset;
            record.resize(end - base, 0);
            self.read_at(&mut record, place.offset + base as u64)?;
        }
        for chunk in wanted {
            self.raw(chunk, &record[chunk.offset - base..])
                .and_then(|raw| visit(&raw))
                .map_err(&damaged)?;
        }
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), BlockError> {
        self.file.read_exact_at(bytes, offset).map_err(BlockError::io(&self.path))
    }

    /// The checked parts of a chunk that `bytes` begin with.
    fn raw<'a>(&'a self, chunk: &ChunkPlace, bytes: &'a [u8]) -> Result<RawChunk<'a>, Corrupt> {
        let mut reader = Reader::new(bytes);
        let inline = if chunk.shared.is_some() { 0 } else { chunk.times_length };
        let payload = reader.take(inline + chunk.values_length)?;
        if reader.u32()? != crc32fast::hash(payload) {
            return Err(Corrupt("the checksum of a chunk is wrong"));
        }
        let (inline, values) = payload.split_at(inline);
        let times = match chunk.shared {
            None => inline,
            Some(place) => place
                .checked_add(chunk.times_length)
                .and_then(|end| self.times.get(place..end))
                .ok_or(Corrupt("shared times lie outside"))?,
        };
        Ok(RawChunk { first: chunk.first, last: chunk.last, count: chunk.count, times, values })
    }

    fn directory(&self, record: &[u8]) -> Result<Vec<ChunkPlace>, Corrupt> {
        let mut reader = Reader::new(record);
        let length = reader.length()?;
        let directory = reader.take(length)?;
        if reader.u32()? != crc32fast::hash(directory) {
            return Err(Corrupt("the checksum of a directory is wrong"));
        }
        let mut offset = record.len() - reader.left();
        let mut reader = Reader::new(directory);
        let mut chunks = Vec::new();
        while reader.left() > 0 {
            let first = self.start.wrapping_add(reader.zigzag()?);
            let last = first.wrapping_add(reader.varint()? as i64);
            let count = chunk::count(&mut reader)?;
            let shared = reader.length()?.checked_sub(1);
            let (times_length, values_length) = (reader.length()?, reader.length()?);
            let chunk =
                ChunkPlace { first, last, count, shared, times_length, values_length, offset };
            let length = chunk.payload_length();
            offset = length
                .and_then(|length| offset.checked_add(length))
                .ok_or(Corrupt("a chunk is too long"))?;
            chunks.push(chunk);
        }
        Ok(chunks)
    }
}

/// Adds the samples of a chunk.
pub(in super::super) fn decode(chunk: &RawChunk<'_>, samples: &mut Samples) -> Result<(), Corrupt> {
    let mut times = Reader::new(chunk.times);
    chunk::decode_times(&mut times, chunk.first, chunk.count, &mut samples.times)?;
    let mut values = Reader::new(chunk.values);
    chunk::decode_values(&mut values, chunk.count, chunk.count, &mut samples.values)
}

/// Where each series' record is; the records lie one after the other.
fn places(
    symbols: &[u8],
    list: &[u8],
    records_end: u64,
    intern: &mut impl FnMut(&Labels) -> Option<u32>,
) -> Result<Vec<Place>, Corrupt> {
    let mut reader = Reader::new(symbols);
    let mut texts = Vec::new();
    while reader.left() > 0 {
        texts.push(reader.text()?);
    }
    let mut reader = Reader::new(list);
    let (mut offset, mut pairs, mut places) = (MARK.len() as u64, Vec::new(), Vec::new());
    while reader.left() > 0 {
        let same = reader.length()?;
        let others = reader.length()?;
        if same > pairs.len() || others > LABELS_MAX {
            return Err(Corrupt("a series has impossibly many labels"));
        }
        pairs.truncate(same);
        for _ in 0..others {
            let mut text =
                || texts.get(reader.length()?).copied().ok_or(Corrupt("there is no such symbol"));
            pairs.push((text()?, text()?));
        }
        if pairs.windows(2).any(|two| two[0].0 >= two[1].0) {
            return Err(Corrupt("labels are out of order"));
        }
        let length = reader.varint()?;
        let labels = Labels::from_sorted(pairs.iter().copied());
        let id = intern(&labels).ok_or(Corrupt("there are no numbers left for its series"))?;
        let end = offset.checked_add(length).filter(|end| *end <= records_end);
        let length = u32::try_from(length).map_err(|_| Corrupt("a record is too long"))?;
        places.push(Place { id, length, offset });
        offset = end.ok_or(Corrupt("a record lies outside"))?;
    }
    Ok(places)
}
