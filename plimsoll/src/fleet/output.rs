//! What instances print: captured line by line, kept, and passed on with the instance's name.
//!
//! Each instance has one [`Output`] over all its starts. Two tasks a process read its pipes; what
//! they read is kept in memory (a bounded tail for status and crash reports), written to the
//! terminal with the name before each line, and appended to a file where one is configured.
//!
//! Invariants:
//! - A line longer than [`LINE_MAX`] is cut and marked; memory never grows with what is printed.
//! - Each line reaches the terminal and the file whole, never mixed with another instance's.
//! - A terminal or disk that stands still delays an instance by at most the writers' patience.
//! - Only colours pass to the terminal: other control characters are shown, not obeyed.
//!
//! Leaves out: Plimsoll's own log.

pub mod lines;
pub mod rotation;
pub mod writer;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::model::InstanceLog;
use lines::{LineSplitter, clean};
use rotation::RotatingFile;
use writer::{Job, Writer};

/// Bytes of a line that are kept; the rest is dropped.
pub const LINE_MAX: usize = 16 * 1024;
/// Lines kept in memory for each instance.
const RECENT_LINES_MAX: usize = 100;
/// Bytes of lines kept in memory for each instance.
const RECENT_BYTES_MAX: usize = 64 * 1024;
/// Bytes read from a pipe at a time; the size of a pipe's buffer in the kernel.
const READ_SIZE: usize = 64 * 1024;
/// Colours of names, by number: SGR codes that are readable on light and dark.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// Which of a process's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Error,
}

/// Where all instances' output goes.
#[derive(Debug)]
pub struct Writers {
    /// Standard output and error.
    pub terminal: Writer,
    /// Files. A writer of its own, so that a terminal that stands still does not stop them.
    pub files: Writer,
    /// Whether names are coloured and colours pass.
    pub colours: bool,
}

/// One instance's output over all its starts.
#[derive(Debug)]
pub struct Output {
    prefix: String,
    file_name: String,
    writers: Arc<Writers>,
    /// Written by the two reading tasks, read for status and reports; held for a push or a copy.
    tail: Mutex<Tail>,
    /// Set at start and reload, read by the reading tasks.
    file: Mutex<Option<Arc<Mutex<RotatingFile>>>>,
}

#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Output {
    /// An instance that has not printed anything.
    pub fn new(name: &str, number: u32, writers: &Arc<Writers>) -> Self {
        let prefix = if writers.colours {
            let colour = COLOURS[number as usize % COLOURS.len()];
            format!("\x1b[{colour}m{name} |\x1b[0m ")
        } else {
            format!("{name} | ")
        };
        Self {
            prefix,
            file_name: format!("{name}.log"),
            writers: Arc::clone(writers),
            tail: Mutex::default(),
            file: Mutex::new(None),
        }
    }

    /// Changes the file; `None` for none. A file that stays the same stays open.
    pub fn set_log(&self, log: Option<&InstanceLog>) {
        let mut file = lock(&self.file);
        let wanted = log.map(|log| RotatingFile::new(log, &self.file_name));
        let same = match (&*file, &wanted) {
            (Some(now), Some(wanted)) => lock(now).is_like(wanted),
            (None, None) => true,
            _ => false,
        };
        if !same {
            *file = wanted.map(|wanted| Arc::new(Mutex::new(wanted)));
        }
    }

    /// At most the last `count` lines, oldest first, without colours.
    pub fn recent(&self, count: usize) -> Vec<String> {
        let tail = lock(&self.tail);
        tail.lines.iter().skip(tail.lines.len().saturating_sub(count)).cloned().collect()
    }

    /// Forgets the lines of the process before, so that a report shows only the present one's.
    pub fn clear_recent(&self) {
        *lock(&self.tail) = Tail::default();
    }

    /// Reads a pipe until it closes.
    pub async fn capture(&self, stream: Stream, mut pipe: impl AsyncRead + Unpin) {
        let mut splitter = LineSplitter::new(LINE_MAX);
        let mut buffer = vec![0; READ_SIZE];
        loop {
            // A pipe that fails is as good as closed.
            let count = pipe.read(&mut buffer).await.unwrap_or(0);
            let mut batch = Batch::default();
            if count == 0 {
                splitter.finish(|line| self.take(line, &mut batch));
                self.pass_on(stream, batch).await;
                return;
            }
            splitter.push(&buffer[..count], |line| self.take(line, &mut batch));
            self.pass_on(stream, batch).await;
        }
    }

    fn take(&self, line: &[u8], batch: &mut Batch) {
        let plain = clean(line, false);
        batch.terminal.extend_from_slice(self.prefix.as_bytes());
        if self.writers.colours {
            let coloured = clean(line, true);
            batch.terminal.extend_from_slice(coloured.as_bytes());
            if coloured.contains('\x1b') {
                batch.terminal.extend_from_slice(b"\x1b[0m");
            }
        } else {
            batch.terminal.extend_from_slice(plain.as_bytes());
        }
        batch.terminal.push(b'\n');
        batch.file.extend_from_slice(line);
        batch.file.push(b'\n');
        let mut tail = lock(&self.tail);
        tail.bytes += plain.len();
        tail.lines.push_back(plain);
        while tail.lines.len() > RECENT_LINES_MAX || tail.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = tail.lines.pop_front() else { break };
            tail.bytes -= oldest.len();
        }
    }

    async fn pass_on(&self, stream: Stream, batch: Batch) {
        if batch.file.is_empty() {
            return;
        }
        let file = lock(&self.file).clone();
        if let Some(file) = file {
            self.writers.files.push(Job::File { file, bytes: batch.file }).await;
        }
        self.writers.terminal.push(Job::Terminal { stream, bytes: batch.terminal }).await;
    }
}

/// The lines of one read, for each place they go to.
#[derive(Debug, Default)]
struct Batch {
    terminal: Vec<u8>,
    file: Vec<u8>,
}

/// No code panics while it holds these locks half-changed, so that a poisoned one is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub mod tests;
