//! Writing the log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::chunk;
use super::super::disk::{self, Disk, TEMPORARY};
use super::super::index::Entry;
use super::super::wire::{put_text, put_varint, put_zigzag};
use super::{
    CHUNK, DEFINITION, END, HEAD_BYTES, MARK, MARK_BYTES, NEXT_SERIES, PAYLOAD_BYTES, SAME_TIME,
    SAMPLES, SEGMENT, SNAPSHOT, VERSION, WHOLE,
};
use crate::labels::Labels;
use crate::sample::Samples;

/// A segment is closed when its samples have taken so many bytes, and four times what its definitions
/// took: with very many series, these would otherwise be most of it.
const SEGMENT_BYTES: u64 = 32 * 1024 * 1024;
const DEFINITIONS_FACTOR: u64 = 4;

/// What a file begins with.
fn mark() -> [u8; MARK_BYTES] {
    let mut mark = [VERSION; MARK_BYTES];
    mark[..MARK.len()].copy_from_slice(MARK);
    mark
}

/// Records being put together.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    /// Where the open record begins.
    start: Option<usize>,
}

impl Records {
    fn open(&mut self, kind: u8) -> &mut Vec<u8> {
        self.start = Some(self.bytes.len());
        self.bytes.extend_from_slice(&[0; HEAD_BYTES]);
        self.bytes.push(kind);
        &mut self.bytes
    }

    fn close(&mut self) {
        let Some(start) = self.start.take() else { return };
        let payload = &self.bytes[start + HEAD_BYTES..];
        let (length, checksum) = (payload.len() as u32, crc32fast::hash(payload));
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.bytes[start + 4..start + HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }

    fn define(&mut self, id: u32, labels: &Labels) {
        let out = self.open(DEFINITION);
        put_varint(out, u64::from(id));
        put_varint(out, labels.len() as u64);
        for (name, value) in labels.iter() {
            put_text(out, name);
            put_text(out, value);
        }
        self.close();
    }
}

/// The log's end.
pub(in super::super) struct Log {
    disk: Arc<Disk>,
    folder: PathBuf,
    /// Number of the open segment, or of the last one.
    number: u64,
    file: Option<Arc<File>>,
    /// Bytes of the open segment, and those of them that are definitions.
    length: u64,
    definitions_length: u64,
    /// Segments with bytes that are not synced; the open one stays in here.
    unsynced: Vec<Arc<File>>,
    definitions: Records,
    samples: Records,
    last: (u32, i64),
    /// An error of writing; nothing more is written until it is cleared.
    is_broken: bool,
}

impl Log {
    /// A log whose segments up to `number` exist. The next one is made when there is something to log.
    pub(in super::super) fn new(disk: Arc<Disk>, folder: PathBuf, number: u64) -> Self {
        Self {
            disk,
            folder,
            number,
            file: None,
            length: 0,
            definitions_length: 0,
            unsynced: Vec::new(),
            definitions: Records::default(),
            samples: Records::default(),
            last: (0, 0),
            is_broken: false,
        }
    }

    /// Whether nothing is written because of an error.
    pub(in super::super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Puts a sample to those that [`commit`](Self::commit) writes.
    pub(in super::super) fn sample(&mut self, entry: &Entry, time: i64, value: f64) {
        if self.is_broken {
            return;
        }
        let segment = self.number + u64::from(self.file.is_none());
        if entry.defined_in.swap(segment, Ordering::Relaxed) != segment {
            self.definitions.define(entry.id, &entry.labels);
        }
        if self.samples.start.is_none() {
            self.samples.open(SAMPLES);
            self.last = (0, 0);
        }
        let (last_id, last_time) = self.last;
        self.last = (entry.id, time);
        let is_next = entry.id == last_id.wrapping_add(1);
        let whole = value as i64;
        let is_whole =
            (whole as f64).to_bits() == value.to_bits() && whole.unsigned_abs() < 1 << 48;
        let form = [(is_next, NEXT_SERIES), (time == last_time, SAME_TIME), (is_whole, WHOLE)];
        let out = &mut self.samples.bytes;
        out.push(form.iter().filter(|(is_so, _)| *is_so).fold(0, |form, (_, bit)| form | bit));
        if !is_next {
            put_zigzag(out, i64::from(entry.id) - i64::from(last_id));
        }
        if time != last_time {
            put_zigzag(out, time.wrapping_sub(last_time));
        }
        if is_whole {
            put_zigzag(out, whole);
        } else {
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        if out.len() - self.samples.start.unwrap_or(0) >= PAYLOAD_BYTES {
            self.samples.close();
        }
    }

    /// Writes what was put, definitions first.
    ///
    /// # Errors
    /// When it cannot be written; the log is broken then, and what was put is forgotten.
    pub(in super::super) fn commit(&mut self) -> io::Result<()> {
        self.samples.close();
        let written = self.write();
        self.definitions.bytes.clear();
        self.samples.bytes.clear();
        // A commit of all series must not keep its memory for ever.
        self.definitions.bytes.shrink_to(PAYLOAD_BYTES);
        self.samples.bytes.shrink_to(4 * PAYLOAD_BYTES);
        if written.is_err() {
            self.is_broken = true;
            // The next segment is a new one. What was written of this record is cut off; should that
            // fail too, reading stops there.
            match self.file.take() {
                Some(file) => drop(file.set_len(self.length)),
                // Series count as defined in the segment that could not be made.
                None => self.number += 1,
            }
        }
        written
    }

    fn write(&mut self) -> io::Result<()> {
        if self.is_broken || self.samples.bytes.is_empty() {
            return Ok(());
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.start_segment()?,
        };
        for records in [&self.definitions, &self.samples] {
            if !records.bytes.is_empty() {
                self.disk.write(&file, &records.bytes)?;
            }
        }
        self.definitions_length += self.definitions.bytes.len() as u64;
        self.length += (self.definitions.bytes.len() + self.samples.bytes.len()) as u64;
        if self.length > SEGMENT_BYTES + DEFINITIONS_FACTOR * self.definitions_length {
            self.file = None;
        }
        Ok(())
    }

    fn start_segment(&mut self) -> io::Result<Arc<File>> {
        let path = self.folder.join(format!("{:08}.{SEGMENT}", self.number + 1));
        let file = Arc::new(self.disk.create(&path)?);
        self.number += 1;
        (self.length, self.definitions_length) = (MARK_BYTES as u64, 0);
        // Known before the first write, so that a failure of it cuts the right file.
        self.file = Some(file.clone());
        self.unsynced.push(file.clone());
        self.disk.write(&file, &mark())?;
        disk::sync_folder(&path)?;
        Ok(file)
    }

    /// The files that have to be synced; the caller does so without holding the log.
    pub(in super::super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        let files = std::mem::take(&mut self.unsynced);
        self.unsynced.extend(self.file.clone());
        files
    }

    /// Closes the segment; says the last number, which a snapshot made from now on covers. Writing
    /// begins anew even after an error.
    pub(in super::super) fn rotate(&mut self) -> u64 {
        self.file = None;
        self.is_broken = false;
        self.number
    }
}

/// A snapshot that is being written.
pub(in super::super) struct SnapshotWriter<'a> {
    disk: &'a Disk,
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    records: Records,
}

impl<'a> SnapshotWriter<'a> {
    /// A snapshot that replaces the segments up to `covered`.
    pub(in super::super) fn create(
        disk: &'a Disk,
        folder: &Path,
        covered: u64,
    ) -> io::Result<Self> {
        let path = folder.join(format!("{covered:08}.{SNAPSHOT}"));
        let temporary = path.with_added_extension(TEMPORARY);
        disk::remove(&temporary)?;
        let file = disk.create(&temporary)?;
        let records = Records { bytes: mark().to_vec(), start: None };
        Ok(Self { disk, file, temporary, path, records })
    }

    /// Adds a series.
    pub(in super::super) fn series(&mut self, entry: &Entry, samples: &Samples) -> io::Result<()> {
        self.records.define(entry.id, &entry.labels);
        let parts = samples.times.chunks(chunk::SAMPLES_MAX);
        for (times, values) in parts.zip(samples.values.chunks(chunk::SAMPLES_MAX)) {
            let out = self.records.open(CHUNK);
            put_varint(out, u64::from(entry.id));
            chunk::encode(times, values, out);
            self.records.close();
        }
        if self.records.bytes.len() >= PAYLOAD_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        self.disk.write(&self.file, &self.records.bytes)?;
        self.records.bytes.clear();
        Ok(())
    }

    /// Completes it and gives it its name.
    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        self.records.open(END);
        self.records.close();
        self.write()?;
        self.disk.sync(&self.file)?;
        self.disk.publish(&self.temporary, &self.path)
    }
}

impl Drop for SnapshotWriter<'_> {
    /// What was not finished leaves nothing behind; after `finish` there is no such file.
    fn drop(&mut self) {
        let _ = disk::remove(&self.temporary);
    }
}
