//! A strict parser of both text formats: bytes in, samples and metadata out.
//!
//! A body is foreign and may be anything, so it is refused at its first mistake, with the place and
//! the rule: half of a body would look like series that ended. It is read in place. What comes out
//! are slices of the body, labels lie in memory of the parser that each sample uses again, and
//! nothing is allocated for a sample.
//!
//! Invariants:
//! - after a refusal nothing more comes out;
//! - bounds hold before memory is taken: of bytes, of a line, of labels, of samples, of families;
//! - what is accepted here is accepted by Prometheus, and means the same there, but for the three
//!   cases below.
//!
//! Stricter than Prometheus, which lets pass: escapes that the text format does not know, a line
//! feed inside a label's value, a missing comma between labels, a body that does not end in a line
//! feed, a second HELP or TYPE of a family, TYPE after samples, buckets without `le` and quantiles
//! without `quantile`, and a metric's name in quotes that is not the first in its braces; in
//! OpenMetrics also families in pieces, metadata after samples, quotes in help that are not escaped,
//! names without the suffix of their type, exemplars where they do not belong or that are too long,
//! and times beyond 64 bits.
//!
//! More lenient, because the document says so: blanks before a line are no part of a metric's name,
//! several blanks may stand before a type, and the character NUL, at which Prometheus ends a body or
//! stumbles, is one like any other in help, comments and label values.
//!
//! It leaves out what takes more than a line to see: duplicate series, the order of buckets and of
//! timestamps, whether a bucket `+Inf` is there, and the ranges of values.

mod cursor;
mod event;
mod family;
mod line;
mod metadata;
mod number;
mod refusal;

use memchr::memchr;

pub use event::{Escaped, Event, Exemplar, Label, Part, Sample};
pub use line::EXEMPLAR_CHARACTERS_MAX;
use line::{LineReader, Told};
use metadata::MetadataLine;
use refusal::{
    AFTER_EOF, CARRIAGE_RETURN, FAMILIES, Fault, LABELS, LINE_FEED, MISSING_EOF, Rule, UTF8,
};
pub use refusal::{Bound, ParseError, Reason};

use super::format::Format;

/// How much of a body is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body.
    pub body_bytes: usize,
    /// Bytes of one line, without its line feed.
    pub line_bytes: usize,
    /// Samples in all.
    pub samples: usize,
    /// Labels of one sample, the name not counted. Each is compared with those before it, so that a
    /// line costs up to the square of this.
    pub labels: usize,
    /// Families, with and without samples. Each takes about a hundred bytes while the body is read.
    pub families: usize,
}

impl Default for Limits {
    /// Far above what exporters send: 64 MiB, lines of 64 KiB, a million samples, 128 labels, 100 000
    /// families.
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            line_bytes: 64 << 10,
            samples: 1_000_000,
            labels: 128,
            families: 100_000,
        }
    }
}

/// A body being read.
///
/// ```
/// use tsdb::exposition::{Event, Format, Limits, Parser};
///
/// let body = b"# TYPE up gauge\nup{job=\"web\"} 1\n";
/// let mut parser = Parser::new(body, Format::Text, Limits::default())?;
/// while let Some(event) = parser.next_event()? {
///     if let Event::Sample(sample) = event {
///         assert_eq!((sample.series, sample.value), ("up{job=\"web\"}", 1.0));
///     }
/// }
/// # Ok::<(), tsdb::exposition::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Parser<'a> {
    body: &'a str,
    format: Format,
    limits: Limits,
    /// Where the next line begins.
    at: usize,
    /// The number of the line before.
    line: u64,
    samples: usize,
    reader: LineReader<'a>,
    /// The end or a mistake was reached.
    is_finished: bool,
}

impl<'a> Parser<'a> {
    /// Begins to read.
    ///
    /// # Errors
    /// When the body is too large or no UTF-8.
    pub fn new(body: &'a [u8], format: Format, limits: Limits) -> Result<Self, ParseError> {
        if body.len() > limits.body_bytes {
            let reason = Reason::Bound { bound: Bound::BodyBytes, max: limits.body_bytes };
            let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let first = &first[..first.len().min(limits.line_bytes)];
            return Err(ParseError::new(1, &String::from_utf8_lossy(first), 0, reason));
        }
        let text = std::str::from_utf8(body)
            .map_err(|error| not_utf8(body, error.valid_up_to(), format))?;
        Ok(Self {
            body: text,
            format,
            limits,
            at: 0,
            line: 0,
            samples: 0,
            reader: LineReader::new(format, &limits, body.len()),
            is_finished: false,
        })
    }

    /// The next sample or line of metadata; `None` at the end.
    ///
    /// # Errors
    /// At the first line that the format does not allow, or that goes over a bound. After it there
    /// is nothing more.
    pub fn next_event(&mut self) -> Result<Option<Event<'_, 'a>>, ParseError> {
        let told = match self.advance() {
            Ok(told) => told,
            Err(error) => {
                self.is_finished = true;
                return Err(*error);
            }
        };
        Ok(match (told, self.reader.metadata) {
            (Told::Sample, _) => Some(Event::Sample(&self.reader.sample)),
            (Told::Metadata, Some(MetadataLine::Type(family, kind))) => {
                Some(Event::Type { family, kind })
            }
            (Told::Metadata, Some(MetadataLine::Help(family, text))) => {
                Some(Event::Help { family, text })
            }
            (Told::Metadata, Some(MetadataLine::Unit(family, unit))) => {
                Some(Event::Unit { family, unit })
            }
            (Told::Nothing, _) | (Told::Metadata, None) => None,
        })
    }

    /// Reads lines up to one that tells something; [`Told::Nothing`] at the end. Errors are boxed to
    /// be small where there is none.
    fn advance(&mut self) -> Result<Told, Box<ParseError>> {
        while !self.is_finished {
            self.line += 1;
            let rest = &self.body[self.at..];
            let Some(length) = memchr(b'\n', rest.as_bytes()) else {
                self.is_finished = true;
                return self.last_line(rest).map(|()| Told::Nothing).map_err(Box::new);
            };
            let text = &rest[..length];
            if text.len() > self.limits.line_bytes {
                return Err(Box::new(self.too_long(text)));
            }
            if self.format == Format::OpenMetrics && text == "# EOF" {
                self.is_finished = true;
                return self.end(&rest[text.len() + 1..]).map(|()| Told::Nothing).map_err(Box::new);
            }
            self.at += text.len() + 1;
            match self.reader.read(text) {
                Ok(Told::Nothing) => {}
                Ok(Told::Metadata) => return Ok(Told::Metadata),
                Ok(Told::Sample) => {
                    self.samples += 1;
                    if self.samples > self.limits.samples {
                        let max = self.limits.samples;
                        return Err(Box::new(self.over(text, 0, max, Bound::Samples)));
                    }
                    return Ok(Told::Sample);
                }
                Err(fault) => return Err(Box::new(self.error(text, fault))),
            }
        }
        Ok(Told::Nothing)
    }

    /// What follows the last line feed.
    fn last_line(&self, rest: &str) -> Result<(), ParseError> {
        match self.format {
            _ if rest.len() > self.limits.line_bytes => Err(self.too_long(rest)),
            Format::Text if rest.is_empty() => Ok(()),
            Format::OpenMetrics if rest == "# EOF" => Ok(()),
            Format::OpenMetrics if rest.is_empty() => Err(self.refusal("", 0, MISSING_EOF)),
            _ => Err(self.refusal(rest, rest.len(), LINE_FEED)),
        }
    }

    /// Nothing follows `# EOF` and its line feed.
    fn end(&mut self, rest: &str) -> Result<(), ParseError> {
        if rest.is_empty() {
            return Ok(());
        }
        self.line += 1;
        let next = rest.split('\n').next().unwrap_or_default();
        Err(self.refusal(next, 0, AFTER_EOF))
    }

    #[cold]
    fn error(&self, text: &str, fault: Fault) -> ParseError {
        let Fault { at, rule } = fault;
        if std::ptr::eq(rule, &LABELS) {
            return self.over(text, at, self.limits.labels, Bound::Labels);
        }
        if std::ptr::eq(rule, &FAMILIES) {
            return self.over(text, at, self.limits.families, Bound::Families);
        }
        // Whatever else is expected: lines that end in two characters are one mistake.
        if text.ends_with('\r') && at + 1 >= text.len() {
            return self.refusal(text, text.len() - 1, CARRIAGE_RETURN);
        }
        self.refusal(text, at, rule)
    }

    #[cold]
    fn refusal(&self, text: &str, at: usize, rule: &'static Rule) -> ParseError {
        ParseError::new(self.line, text, at, rule.broken(self.format, text, at))
    }

    #[cold]
    fn too_long(&self, text: &str) -> ParseError {
        let max = self.limits.line_bytes;
        self.over(text, text.floor_char_boundary(max), max, Bound::LineBytes)
    }

    #[cold]
    fn over(&self, text: &str, at: usize, max: usize, bound: Bound) -> ParseError {
        ParseError::new(self.line, text, at, Reason::Bound { bound, max })
    }
}

/// The refusal of bytes that are no characters, of which the first is at `at`.
#[cold]
fn not_utf8(body: &[u8], at: usize, format: Format) -> ParseError {
    let before = &body[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let text = String::from_utf8_lossy(&before[start..]);
    let mut reason = UTF8.broken(format, &text, text.len());
    if let Reason::Format { found, .. } = &mut reason {
        *found = format!("the byte 0x{:02x}", body[at]);
    }
    ParseError::new(line, &text, text.len(), reason)
}

#[cfg(test)]
mod tests;
