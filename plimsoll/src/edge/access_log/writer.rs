//! The access log's writer: takes lines to their file, on a thread of its own.
//!
//! Invariants: a failure ends nothing. Lines that could not be written are counted, the failure is
//! said once in [`TELL_PAUSE`] at most, and the next lines are tried as if nothing had been. A line
//! of which only a part was written is ended before the next one begins. A file that was removed is
//! made again; one that was renamed is written to until the log is reopened.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::config::model::LogTarget;

/// Least time between two lines in Plimsoll's own log about writing that fails.
const TELL_PAUSE: Duration = Duration::from_secs(60);

/// The part that these lines are about.
const PART: &str = "access log";

/// Lines that are missing in the log, by why.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// The writer could not keep up. Written by every worker, rarely.
    pub(super) queue_full: AtomicU64,
    /// The system would not take them. Written by the writer.
    pub(super) write_failed: AtomicU64,
}

impl Losses {
    /// Each reason as metrics name it, with its count.
    pub(crate) fn by_reason(&self) -> [(&'static str, u64); 2] {
        [
            ("queue_full", self.queue_full.load(Ordering::Relaxed)),
            ("write_failed", self.write_failed.load(Ordering::Relaxed)),
        ]
    }

    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, count)| count).sum()
    }
}

/// Where lines go.
pub(super) struct Writer {
    target: LogTarget,
    output: File,
    losses: Arc<Losses>,
    /// The last byte written was not the end of a line.
    torn: bool,
    /// When a failure was last said.
    told: Option<Instant>,
    /// Whether a failure was said, and not yet that it is over.
    failing: bool,
}

impl Writer {
    /// Opens the target.
    ///
    /// # Errors
    /// As `open(2)`.
    pub(super) fn open(target: LogTarget, losses: Arc<Losses>) -> io::Result<Self> {
        let output = open(&target)?;
        Ok(Self { target, output, losses, torn: false, told: None, failing: false })
    }

    /// Writes until nobody can hand over anything any more.
    /// `reopen` is set when the file is to be let go and opened again by name, and cleared then; no
    /// lines at all are sent to have it looked at.
    pub(super) fn run(mut self, batches: &Receiver<Vec<u8>>, reopen: &AtomicBool) {
        while let Ok(lines) = batches.recv() {
            if reopen.swap(false, Ordering::Relaxed) {
                let opened = self.reopen();
                self.tell(opened);
            }
            if !lines.is_empty() {
                self.write(&lines);
            }
        }
    }

    /// Writes whole lines, or counts them.
    fn write(&mut self, lines: &[u8]) {
        let mut written = 0;
        let result = self.write_from(lines, &mut written);
        if result.is_err() {
            let lost = memchr::memchr_iter(b'\n', &lines[written..]).count();
            self.losses.write_failed.fetch_add(lost as u64, Ordering::Relaxed);
        }
        self.tell(result);
    }

    fn write_from(&mut self, lines: &[u8], written: &mut usize) -> io::Result<()> {
        if matches!(self.target, LogTarget::File(_)) && self.output.metadata()?.nlink() == 0 {
            self.reopen()?;
        }
        if self.torn {
            self.output.write_all(b"\n")?;
            self.torn = false;
        }
        while *written < lines.len() {
            match self.output.write(&lines[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.torn = lines[*written - 1] != b'\n';
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.output = open(&self.target)?;
        self.torn = false;
        Ok(())
    }

    /// Says that writing fails or works again, unless that was said a moment ago.
    fn tell(&mut self, result: io::Result<()>) {
        let place = match &self.target {
            LogTarget::Stdout => "standard output".to_owned(),
            LogTarget::Stderr => "standard error".to_owned(),
            LogTarget::File(path) => path.display().to_string(),
        };
        let lost = self.losses.write_failed.load(Ordering::Relaxed);
        match result {
            Ok(()) if self.failing => {
                self.failing = false;
                let text = format!("writing to {place} works again; lines lost so far: {lost}");
                crate::log::info(PART, text);
            }
            Ok(()) => {}
            Err(error) => {
                if self.told.is_none_or(|told| told.elapsed() >= TELL_PAUSE) {
                    (self.told, self.failing) = (Some(Instant::now()), true);
                    let text = format!(
                        "cannot write to {place}: {error}; lines are dropped until it works again, so \
                         far: {lost}"
                    );
                    crate::log::error(PART, text);
                }
            }
        }
    }
}

/// Opens a target without a buffer in between: what a write took is written. A FIFO that nobody reads
/// is an error: waiting for its reader would hold up the start, or a reload.
fn open(target: &LogTarget) -> io::Result<File> {
    match target {
        LogTarget::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        LogTarget::Stderr => Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
        LogTarget::File(path) => {
            let nonblocking = OFlag::O_NONBLOCK.bits();
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .custom_flags(nonblocking)
                .open(path)?;
            // Writes do wait: a reader may be slower than a burst.
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
            Ok(file)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use super::*;

    fn writer(path: &Path) -> Writer {
        Writer::open(LogTarget::File(path.to_owned()), Arc::default()).unwrap()
    }

    fn lost(writer: &Writer) -> u64 {
        writer.losses.total()
    }

    #[test]
    fn a_fifo_without_a_reader_is_an_error_and_not_a_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = Writer::open(LogTarget::File(path), Arc::default()).map(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    }

    #[test]
    fn a_full_disk_costs_the_lines_and_nothing_else() {
        let mut writer = writer(Path::new("/dev/full"));
        writer.write(b"one\ntwo\n");
        assert!(writer.failing);
        let told = writer.told;
        writer.write(b"three\n");
        assert_eq!((lost(&writer), writer.told), (3, told), "said once, counted each time");
    }

    #[test]
    fn a_removed_file_is_made_again_as_soon_as_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("logs");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("access.log");
        let mut writer = writer(&path);
        writer.write(b"one\n");
        std::fs::remove_file(&path).unwrap();
        writer.write(b"two\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_dir_all(&folder).unwrap();
        writer.write(b"three\n");
        assert_eq!((lost(&writer), writer.failing), (1, true));
        std::fs::create_dir(&folder).unwrap();
        writer.write(b"four\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        assert_eq!((lost(&writer), writer.failing), (1, false));
    }

    #[test]
    fn a_line_that_was_written_in_part_does_not_spoil_the_next() {
        let (reader, pipe) = std::io::pipe().unwrap();
        let pipe = std::os::fd::OwnedFd::from(pipe);
        nix::fcntl::fcntl(&pipe, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
            .unwrap();
        let mut writer = writer(Path::new("/dev/null"));
        writer.output = File::from(pipe);
        // More than any pipe holds, in lines of an odd length.
        let lines = b"a line of 17 byte\n\n".repeat(100_000);
        writer.write(&lines);
        assert!(writer.torn);
        let lost = lost(&writer);
        let mut reader = File::from(std::os::fd::OwnedFd::from(reader));
        let mut seen = vec![0; 1 << 20];
        let count = reader.read(&mut seen).unwrap();
        writer.write(b"whole\n");
        drop(writer);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        let all = [&seen[..count], &rest].concat();
        assert!(all.ends_with(b"\nwhole\n"));
        let whole = memchr::memchr_iter(b'\n', &lines).count() as u64 - lost;
        // The torn line's end and the whole line.
        assert_eq!(memchr::memchr_iter(b'\n', &all).count() as u64, whole + 2);
    }
}
