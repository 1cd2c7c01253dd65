//! A place in a line, and the tokens that formats have in common.

use memchr::memchr2;

use super::super::format::Format;
use super::event::{Escaped, Label};
use super::refusal::{
    BLANK, CLOSING_QUOTE, DUPLICATE_LABEL, EMPTY_NAME, EQUAL, ESCAPE, Fault, LABEL_END, LABEL_NAME,
    METRIC_NAME, OPENING_QUOTE, RESERVED_LABEL, Rule, TWO_NAMES,
};
use crate::labels::NAME;

/// A line without its line feed, and the byte that comes next.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    pub(super) line: &'a str,
    pub(super) at: usize,
    format: Format,
}

/// The byte starts or continues a name.
const LETTER: u8 = 1;
/// The byte continues a name.
const DIGIT: u8 = 2;
/// The byte belongs to a metric's name and to no label's.
const COLON: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LETTER,
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn new(line: &'a str, format: Format) -> Self {
        Self { line, at: 0, format }
    }

    /// The next byte; `None` at the end of the line.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Steps over a byte if it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over a text if it comes next.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        let is_next = self.line.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Steps over blanks and tabs, which mean nothing in the text format; OpenMetrics has none that
    /// do.
    #[inline]
    pub(super) fn blanks(&mut self) {
        if self.format == Format::Text {
            while let Some(b' ' | b'\t') = self.peek() {
                self.at += 1;
            }
        }
    }

    /// Steps over what separates two tokens.
    #[inline]
    pub(super) fn separator(&mut self) -> Result<(), Fault> {
        match (self.format, self.peek()) {
            (Format::OpenMetrics, Some(b' ')) => self.at += 1,
            (Format::Text, Some(b' ' | b'\t')) => self.blanks(),
            _ => return self.refuse(BLANK),
        }
        Ok(())
    }

    /// What follows up to a blank (text format: or a tab) or the end of the line.
    #[inline]
    pub(super) fn word(&mut self) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b' ' || (byte == b'\t' && self.format == Format::Text) {
                break;
            }
            self.at += 1;
        }
        &self.line[start..self.at]
    }

    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    #[cold]
    pub(super) fn refuse<T>(&self, rule: &'static Rule) -> Result<T, Fault> {
        Err(Fault::Rule(self.at, rule))
    }

    /// A name of these classes; empty if none comes next.
    #[inline]
    fn name(&mut self, first: u8, then: u8) -> &'a str {
        let start = self.at;
        let bytes = self.line.as_bytes();
        if bytes.get(start).is_some_and(|byte| CLASSES[usize::from(*byte)] & first != 0) {
            self.at += 1;
            while bytes.get(self.at).is_some_and(|byte| CLASSES[usize::from(*byte)] & then != 0) {
                self.at += 1;
            }
        }
        &self.line[start..self.at]
    }

    /// A metric's name without quotes.
    #[inline]
    pub(super) fn metric_name(&mut self) -> Result<Escaped<'a>, Fault> {
        let name = self.name(LETTER | COLON, LETTER | COLON | DIGIT);
        if name.is_empty() { self.refuse(METRIC_NAME) } else { Ok(Escaped::plain(name)) }
    }

    /// A name in quotes, whose opening quote comes next.
    pub(super) fn quoted_name(&mut self) -> Result<Escaped<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let name = self.quoted(start, Format::Text)?;
        if name.raw.is_empty() {
            return Err(Fault::Rule(start, EMPTY_NAME));
        }
        Ok(name)
    }

    /// What stands between an opening quote, already stepped over, and the closing one, stepped
    /// over too. `start` is the place of the opening one.
    #[inline]
    fn quoted(&mut self, start: usize, escapes: Format) -> Result<Escaped<'a>, Fault> {
        let bytes = self.line.as_bytes();
        let first = self.at;
        let mut is_escaped = false;
        loop {
            let Some(found) = memchr2(b'"', b'\\', &bytes[self.at..]) else {
                return Err(Fault::Rule(start, CLOSING_QUOTE));
            };
            self.at += found;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(Escaped { raw: &self.line[first..self.at - 1], is_escaped });
            }
            is_escaped = true;
            match (bytes.get(self.at + 1), escapes) {
                (None, _) => return Err(Fault::Rule(start, CLOSING_QUOTE)),
                (Some(b'n' | b'"' | b'\\'), _) | (_, Format::OpenMetrics) => self.at += 2,
                (_, Format::Text) => return self.refuse(ESCAPE),
            }
        }
    }

    /// Labels up to the closing brace, stepped over too. The opening one, and in braces that hold
    /// the metric's name that name with its comma, are already.
    #[inline]
    pub(super) fn labels(
        &mut self,
        labels: &mut Vec<Label<'a>>,
        labels_max: usize,
    ) -> Result<(), Fault> {
        self.blanks();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let start = self.at;
            let name = self.label_name()?;
            if name.raw == NAME {
                return Err(Fault::Rule(start, RESERVED_LABEL));
            }
            // Escapes are canonical in names, so that equal names are written equally.
            if labels.iter().any(|label| label.name.raw == name.raw) {
                return Err(Fault::Rule(start, DUPLICATE_LABEL));
            }
            if labels.len() == labels_max {
                return Err(Fault::Labels(start));
            }
            self.blanks();
            if !self.take(b'=') {
                let is_quoted = self.line.as_bytes()[start] == b'"';
                let is_alone = matches!(self.peek(), Some(b',' | b'}'));
                return self.refuse(if is_quoted && is_alone { TWO_NAMES } else { EQUAL });
            }
            self.blanks();
            let quote = self.at;
            if !self.take(b'"') {
                return self.refuse(OPENING_QUOTE);
            }
            let value = self.quoted(quote, self.format)?;
            labels.push(Label { name, value });
            self.blanks();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                _ => return self.refuse(LABEL_END),
            }
            self.blanks();
            // The text format allows a comma after the last label.
            if self.format == Format::Text && self.take(b'}') {
                return Ok(());
            }
        }
    }

    #[inline]
    fn label_name(&mut self) -> Result<Escaped<'a>, Fault> {
        if self.peek() == Some(b'"') {
            return self.quoted_name();
        }
        let name = self.name(LETTER, LETTER | DIGIT);
        if name.is_empty() { self.refuse(LABEL_NAME) } else { Ok(Escaped::plain(name)) }
    }
}
