//! Writing a block, series after series, in memory that does not grow with their samples.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::mem::take;
use std::path::{Path, PathBuf};

use super::super::chunk;
use super::super::disk::{self, Disk, TEMPORARY};
use super::super::wire::{put_text, put_varint, put_zigzag};
use super::{FOOTER_BYTES, MARK, SHARED_BYTES_MAX, file_name};
use crate::labels::Labels;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;
/// Shorter columns of times are not shared: to say where they are takes as much.
const SHARED_COLUMN_BYTES_MIN: usize = 16;
/// Different columns of times that are remembered, in case another chunk has them too.
const COLUMNS_SEEN_MAX: usize = 4096;

/// A chunk as it is in a file.
pub(in super::super) struct RawChunk<'a> {
    pub(in super::super) first: i64,
    pub(in super::super) last: i64,
    pub(in super::super) count: usize,
    pub(in super::super) times: &'a [u8],
    pub(in super::super) values: &'a [u8],
}

/// A block that is being written, under a temporary name.
pub(in super::super) struct BlockWriter<'a> {
    disk: &'a Disk,
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    start: i64,
    end: i64,
    buffer: Vec<u8>,
    written: u64,
    symbols: HashMap<Box<str>, u32>,
    symbols_section: Vec<u8>,
    series_section: Vec<u8>,
    times_section: Vec<u8>,
    /// Columns of times; the place of those that are shared.
    columns: HashMap<Box<[u8]>, Option<usize>>,
    last_labels: Labels,
    directory: Vec<u8>,
    payload: Vec<u8>,
    first: i64,
    last: i64,
    samples: u64,
    chunks: u64,
    series: u64,
}

impl<'a> BlockWriter<'a> {
    /// A block of `start..end` in a folder; a file of an earlier attempt is overwritten.
    pub(in super::super) fn create(
        disk: &'a Disk,
        folder: &Path,
        start: i64,
        end: i64,
    ) -> io::Result<Self> {
        let path = folder.join(file_name(start, end));
        let temporary = path.with_added_extension(TEMPORARY);
        disk::remove(&temporary)?;
        let file = disk.create(&temporary)?;
        Ok(Self {
            disk,
            file,
            temporary,
            path,
            start,
            end,
            buffer: MARK.to_vec(),
            written: 0,
            symbols: HashMap::new(),
            symbols_section: Vec::new(),
            series_section: Vec::new(),
            times_section: Vec::new(),
            columns: HashMap::new(),
            last_labels: Labels::empty(),
            directory: Vec::new(),
            payload: Vec::new(),
            first: i64::MAX,
            last: i64::MIN,
            samples: 0,
            chunks: 0,
            series: 0,
        })
    }

    /// Adds samples to the next series, as one or more chunks.
    pub(in super::super) fn samples(&mut self, times: &[i64], values: &[f64]) {
        let (mut times_bytes, mut values_bytes) = (Vec::new(), Vec::new());
        let parts = times.chunks(chunk::SAMPLES_MAX).zip(values.chunks(chunk::SAMPLES_MAX));
        for (times, values) in parts {
            times_bytes.clear();
            values_bytes.clear();
            chunk::encode_times(times, &mut times_bytes);
            chunk::encode_values(values, &mut values_bytes);
            self.chunk(&RawChunk {
                first: times[0],
                last: times[times.len() - 1],
                count: times.len(),
                times: &times_bytes,
                values: &values_bytes,
            });
        }
    }

    /// Adds a chunk to the next series.
    pub(in super::super) fn chunk(&mut self, chunk: &RawChunk<'_>) {
        put_zigzag(&mut self.directory, chunk.first.wrapping_sub(self.start));
        put_varint(&mut self.directory, chunk.last.wrapping_sub(chunk.first) as u64);
        put_varint(&mut self.directory, chunk.count as u64);
        let shared = self.shared(chunk.times);
        put_varint(&mut self.directory, shared.map_or(0, |place| place as u64 + 1));
        put_varint(&mut self.directory, chunk.times.len() as u64);
        put_varint(&mut self.directory, chunk.values.len() as u64);
        let start = self.payload.len();
        if shared.is_none() {
            self.payload.extend_from_slice(chunk.times);
        }
        self.payload.extend_from_slice(chunk.values);
        let checksum = crc32fast::hash(&self.payload[start..]);
        self.payload.extend_from_slice(&checksum.to_le_bytes());
        self.first = self.first.min(chunk.first);
        self.last = self.last.max(chunk.last);
        self.samples += chunk.count as u64;
        self.chunks += 1;
    }

    /// Where a column of times is shared: from its second occurrence on, if there is room.
    fn shared(&mut self, times: &[u8]) -> Option<usize> {
        if times.len() < SHARED_COLUMN_BYTES_MIN {
            return None;
        }
        if let Some(place) = self.columns.get_mut(times) {
            if place.is_none() && self.times_section.len() + times.len() <= SHARED_BYTES_MAX {
                *place = Some(self.times_section.len());
                self.times_section.extend_from_slice(times);
            }
            return *place;
        }
        if self.columns.len() < COLUMNS_SEEN_MAX {
            self.columns.insert(times.into(), None);
        }
        None
    }

    /// Ends a series, whose labels are above those of the ones before. One without chunks is left out.
    pub(in super::super) fn end_series(&mut self, labels: &Labels) -> io::Result<()> {
        if self.directory.is_empty() {
            return Ok(());
        }
        let start = self.buffer.len();
        put_varint(&mut self.buffer, self.directory.len() as u64);
        self.buffer.extend_from_slice(&self.directory);
        self.buffer.extend_from_slice(&crc32fast::hash(&self.directory).to_le_bytes());
        self.buffer.extend_from_slice(&self.payload);
        let length = self.buffer.len() - start;
        self.directory.clear();
        self.payload.clear();
        self.labels(labels);
        put_varint(&mut self.series_section, length as u64);
        self.series += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.write_buffer() } else { Ok(()) }
    }

    fn labels(&mut self, labels: &Labels) {
        let pairs = labels.iter().zip(self.last_labels.iter());
        let same = pairs.take_while(|(own, last)| own == last).count();
        put_varint(&mut self.series_section, same as u64);
        put_varint(&mut self.series_section, (labels.len() - same) as u64);
        for (name, value) in labels.iter().skip(same) {
            for text in [name, value] {
                let next = self.symbols.len() as u32;
                let symbol = self.symbols.get(text).copied().unwrap_or_else(|| {
                    put_text(&mut self.symbols_section, text);
                    self.symbols.insert(text.into(), next);
                    next
                });
                put_varint(&mut self.series_section, u64::from(symbol));
            }
        }
        self.last_labels = labels.clone();
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        self.disk.write(&self.file, &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Completes the file and gives it its name; `None` when there was no sample to write.
    pub(in super::super) fn finish(mut self) -> io::Result<Option<PathBuf>> {
        if self.series == 0 {
            disk::remove(&self.temporary)?;
            return Ok(None);
        }
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        let sections = [
            take(&mut self.times_section),
            take(&mut self.symbols_section),
            take(&mut self.series_section),
        ];
        for section in sections {
            let place = self.written + self.buffer.len() as u64;
            footer.extend_from_slice(&place.to_le_bytes());
            footer.extend_from_slice(&(section.len() as u64).to_le_bytes());
            footer.extend_from_slice(&crc32fast::hash(&section).to_le_bytes());
            self.buffer.extend_from_slice(&section);
        }
        for time in [self.start, self.end, self.first, self.last] {
            footer.extend_from_slice(&time.to_le_bytes());
        }
        for sum in [self.samples, self.chunks, self.series] {
            footer.extend_from_slice(&sum.to_le_bytes());
        }
        footer.extend_from_slice(&crc32fast::hash(&footer).to_le_bytes());
        footer.extend_from_slice(MARK);
        self.buffer.extend_from_slice(&footer);
        self.write_buffer()?;
        self.disk.sync(&self.file)?;
        self.disk.publish(&self.temporary, &self.path)?;
        Ok(Some(self.path.clone()))
    }
}

impl Drop for BlockWriter<'_> {
    /// What was not finished leaves nothing behind; after `finish` there is no such file.
    fn drop(&mut self) {
        let _ = disk::remove(&self.temporary);
    }
}
