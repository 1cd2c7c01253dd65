//! Plimsoll's own log: one plain line an event on standard error, the latest kept for status.
//!
//! On a terminal the time is that of the day, and levels have colours.
//!
//! Lines are rare (state changes, never requests), so they are written under a lock, at once.
//! A closed or full standard error never stops the program: failed writes are dropped.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The part that lines about Plimsoll as a whole are about.
pub const PROGRAM: &str = "plimsoll";
/// Lines kept in memory. Tests that run side by side read what they said themselves, however much
/// the others say.
const RECENT_MAX: usize = if cfg!(test) { 1_000_000 } else { 100 };

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
    /// The module or service that it is about.
    pub part: String,
    /// What happened.
    pub text: String,
}

/// The latest lines, oldest first. Held for a push or a copy only.
static RECENT: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

/// Whether standard error is a terminal that may be coloured.
static FOR_PEOPLE: LazyLock<bool> =
    LazyLock::new(|| may_colour() && std::io::stderr().is_terminal());

/// Whether nobody has asked for no colours (<https://no-color.org>). Whether a terminal would show
/// them is for the caller to see.
pub fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Level {
    /// Five columns wide.
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO ",
            Self::Warn => "WARN ",
            Self::Error => "ERROR",
        }
    }

    /// The SGR parameter (ECMA-48 §8.3.117).
    fn colour(self) -> &'static str {
        match self {
            Self::Info => "2",
            Self::Warn => "33",
            Self::Error => "31",
        }
    }
}

/// With the whole time in UTC, for machines and for later.
fn for_files(line: &Line) -> String {
    format!("{:.3} {} {}: {}", line.at, line.level.word(), line.part, line.text)
}

/// With the local time of day, and colours.
fn for_people(line: &Line) -> String {
    let time = line.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f");
    let (word, colour) = (line.level.word(), line.level.colour());
    format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{word}\x1b[0m {}: {}", line.part, line.text)
}

/// Writes a line about `part` (a module or service name).
fn line(level: Level, part: &str, text: impl Display) {
    let line = Line { at: Timestamp::now(), level, part: part.to_owned(), text: text.to_string() };
    let text = if *FOR_PEOPLE { for_people(&line) } else { for_files(&line) };
    let _ = writeln!(std::io::stderr().lock(), "{text}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_files_and_one_for_people() {
        let line = Line {
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            level: Level::Warn,
            part: "web".to_owned(),
            text: "web-1 exited with status 3".to_owned(),
        };
        let plain = "2026-01-02T03:04:05.678Z WARN  web: web-1 exited with status 3";
        assert_eq!(for_files(&line), plain);
        let coloured = for_people(&line);
        // The hour, and sometimes the minute, depend on the zone.
        let rest = ":05.678\x1b[0m \x1b[33mWARN \x1b[0m web: web-1 exited with status 3";
        assert!(coloured.ends_with(rest), "{coloured:?}");
    }
}
