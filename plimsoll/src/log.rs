//! Plimsoll's own log: one plain line an event on standard error, the latest kept for status.
//!
//! Lines are rare (state changes, never requests), so they are written under a lock, at once.
//! A closed or full standard error never stops the program: failed writes are dropped.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Lines kept in memory.
const RECENT_MAX: usize = 100;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something happened as it should.
    Info,
    /// Something needs a look; service goes on.
    Warn,
    /// Something failed.
    Error,
}

/// A line that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// The module, service or server that it is about.
    pub part: String,
    /// What happened.
    pub text: String,
}

/// The latest lines, oldest first. Held for a push or a copy only.
static RECENT: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

/// Writes a line about `part` (a module, service or server name).
fn line(level: Level, part: &str, text: impl Display) {
    let word = match level {
        Level::Info => "INFO ",
        Level::Warn => "WARN ",
        Level::Error => "ERROR",
    };
    let line = Line { at: Timestamp::now(), level, part: part.to_owned(), text: text.to_string() };
    let _ = writeln!(std::io::stderr().lock(), "{:.3} {word} {part}: {}", line.at, line.text);
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    if recent.len() == RECENT_MAX {
        recent.pop_front();
    }
    recent.push_back(line);
}

/// Something happened as it should.
pub fn info(part: &str, text: impl Display) {
    line(Level::Info, part, text);
}

/// Something needs a look; service goes on.
pub fn warn(part: &str, text: impl Display) {
    line(Level::Warn, part, text);
}

/// Something failed.
pub fn error(part: &str, text: impl Display) {
    line(Level::Error, part, text);
}

/// The latest lines, newest first.
pub fn recent() -> Vec<Line> {
    let recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    recent.iter().rev().cloned().collect()
}
