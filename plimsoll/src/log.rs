//! Plimsoll's own log: one plain line an event on standard error.
//!
//! Lines are rare (state changes, never requests), so they are written under a lock, at once.
//! A closed or full standard error never stops the program: failed writes are dropped.

use std::fmt::Display;
use std::io::Write;

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

/// Writes a line about `part` (a module, service or server name).
pub fn line(level: Level, part: &str, text: impl Display) {
    let level = match level {
        Level::Info => "INFO ",
        Level::Warn => "WARN ",
        Level::Error => "ERROR",
    };
    let now = jiff::Timestamp::now();
    let _ = writeln!(std::io::stderr().lock(), "{now:.3} {level} {part}: {text}");
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
