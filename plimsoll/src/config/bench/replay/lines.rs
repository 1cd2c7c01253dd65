//! The lines of a recording: of a file, packed with gzip or not, or of standard input.
//!
//! A line is cut at [`LINE_BYTES`]. Who waits is told now and then how far reading is.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Result, Seek};
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::bufread::MultiGzDecoder;

/// Longest line that is read; what is longer is cut, and likely not a line of a log.
const LINE_BYTES: u64 = 64 * 1024;
/// Most times so much of one line that is passed over: 64 MiB; what has no lines has no end either.
const SKIPPED_MAX: usize = 1024;
/// How files begin that are packed with gzip (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What stands for standard input.
const STANDARD_INPUT: &str = "-";
/// How long nothing is told.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// The clock is read once for so many lines.
const LINES_A_LOOK: usize = 4096;

/// Tells a person something while a recording is read.
pub(in crate::config) type Tell = fn(&str);

/// What a recording is called in messages. `written` is its path as the user gave it.
pub(super) fn name(written: &Path) -> String {
    match written == Path::new(STANDARD_INPUT) {
        true => "standard input".to_owned(),
        false => written.display().to_string(),
    }
}

/// Lines that are being read.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    bytes: Vec<u8>,
    number: usize,
    progress: Progress,
}

impl Lines {
    /// The lines of a file, or of standard input where `written` is `-`. `silence` is the time
    /// between two tellings.
    pub(super) fn open(
        path: &Path,
        written: &Path,
        tell: Option<Tell>,
        silence: Duration,
    ) -> Result<Self> {
        let name = name(written);
        let (reader, file): (Box<dyn BufRead>, _) = match written == Path::new(STANDARD_INPUT) {
            true => (Box::new(BufReader::new(std::io::stdin())), None),
            false => {
                let file = File::open(path)?;
                let size = file.metadata()?.len();
                // It shares its place with the one that is read.
                let place = file.try_clone()?;
                (Box::new(BufReader::new(file)), Some((place, size)))
            }
        };
        let progress = Progress { name, tell, silence, told: Instant::now(), file };
        Ok(Self { reader: unpacked(reader)?, bytes: Vec::new(), number: 0, progress })
    }

    /// The next line with its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Cow<'_, str>)>> {
        self.bytes.clear();
        let read = (&mut self.reader).take(LINE_BYTES).read_until(b'\n', &mut self.bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == LINE_BYTES && self.bytes.last() != Some(&b'\n') {
            self.skip_line()?;
        }
        if self.number.is_multiple_of(LINES_A_LOOK) {
            self.progress.look(self.number);
        }
        let end = self.bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
        let line = self.bytes.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
        // Some programs mark the beginning of UTF-8.
        let line = match self.number {
            1 => line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line),
            _ => line,
        };
        Ok(Some((self.number, String::from_utf8_lossy(line))))
    }

    /// Passes over the rest of a line.
    fn skip_line(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        for _ in 0..SKIPPED_MAX {
            rest.clear();
            let read = (&mut self.reader).take(LINE_BYTES).read_until(b'\n', &mut rest)?;
            if read == 0 || rest.last() == Some(&b'\n') {
                return Ok(());
            }
        }
        Err(Error::other(format!("line {} has no end", self.number)))
    }
}

/// What is read, unpacked if it begins like something that was packed.
fn unpacked(mut reader: Box<dyn BufRead>) -> Result<Box<dyn BufRead>> {
    match reader.fill_buf()?.starts_with(&GZIP) {
        true => Ok(Box::new(BufReader::new(MultiGzDecoder::new(reader)))),
        false => Ok(reader),
    }
}

/// Says now and then how far reading is.
struct Progress {
    name: String,
    tell: Option<Tell>,
    silence: Duration,
    told: Instant,
    /// What is read, and its size in bytes.
    file: Option<(File, u64)>,
}

impl Progress {
    fn look(&mut self, lines: usize) {
        let Some(tell) = self.tell else { return };
        if self.told.elapsed() < self.silence {
            return;
        }
        self.told = Instant::now();
        let share = self.file.as_mut().and_then(|(file, size)| {
            let place = file.stream_position().ok()?;
            Some(format!(", {} %", (place * 100).checked_div(*size)?))
        });
        tell(&format!("reading {}: {lines} lines{}", self.name, share.unwrap_or_default()));
    }
}
