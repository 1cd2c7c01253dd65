//! A place in a line, and the tokens that formats have in common.

use super::super::format::Format;
use super::event::{Escaped, Label};
use super::refusal::{
    BLANK, CLOSING_QUOTE, DUPLICATE_LABEL, EMPTY_NAME, EQUAL, ESCAPE, Fault, LABEL_END, LABEL_NAME,
    LABELS, METRIC_NAME, OPENING_QUOTE, RESERVED_LABEL, Rule, TWO_NAMES,
};
use crate::labels::NAME;

/// The labels of the sample before, and then of this one. Samples of one family mostly have the same
/// names in the same order, which are then compared and not read again.
#[derive(Debug, Default)]
pub(super) struct LabelBuffer<'a> {
    pub(super) labels: Vec<Label<'a>>,
    /// Whether a name stands in quotes.
    has_quotes: bool,
}

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
        Err(Fault { at: self.at, rule })
    }

    /// A name of these classes; empty if none comes next.
    #[inline]
    fn name(&mut self, first: u8, then: u8) -> &'a str {
        let rest = &self.line.as_bytes()[self.at..];
        let class = |byte: &u8| CLASSES[usize::from(*byte)];
        let length = match rest.first() {
            Some(byte) if class(byte) & first != 0 => {
                rest.iter().position(|byte| class(byte) & then == 0).unwrap_or(rest.len())
            }
            _ => 0,
        };
        self.at += length;
        &self.line[self.at - length..self.at]
    }

    /// Steps over a metric's name if exactly this one comes next.
    #[inline]
    pub(super) fn take_metric_name(&mut self, name: &str) -> bool {
        let rest = &self.line.as_bytes()[self.at..];
        let ends = |byte: &u8| CLASSES[usize::from(*byte)] == 0;
        let is_next = rest.starts_with(name.as_bytes()) && rest.get(name.len()).is_none_or(ends);
        self.at += if is_next { name.len() } else { 0 };
        is_next
    }

    /// A metric's name without quotes, which may be this one.
    #[inline]
    pub(super) fn metric_name_like(&mut self, like: Option<&str>) -> Result<Escaped<'a>, Fault> {
        let start = self.at;
        if like.is_some_and(|like| self.take_metric_name(like)) {
            return Ok(Escaped::plain(&self.line[start..self.at]));
        }
        let name = self.name(LETTER | COLON, LETTER | COLON | DIGIT);
        if name.is_empty() { self.refuse(METRIC_NAME) } else { Ok(Escaped::plain(name)) }
    }

    /// A name in quotes, whose opening quote comes next.
    pub(super) fn quoted_name(&mut self) -> Result<Escaped<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let name = self.quoted(start, Format::Text)?;
        if name.raw.is_empty() {
            return Err(Fault { at: start, rule: EMPTY_NAME });
        }
        Ok(name)
    }

    /// What stands between an opening quote, already stepped over, and the closing one, stepped
    /// over too. `start` is the place of the opening one.
    #[inline]
    fn quoted(&mut self, start: usize, escapes: Format) -> Result<Escaped<'a>, Fault> {
        let rest = &self.line[self.at..];
        match quote_or_backslash(rest.as_bytes()) {
            Some(found) if rest.as_bytes()[found] == b'"' => {
                self.at += found + 1;
                Ok(Escaped::plain(&rest[..found]))
            }
            _ => self.quoted_with_escapes(start, escapes),
        }
    }

    #[cold]
    fn quoted_with_escapes(&mut self, start: usize, escapes: Format) -> Result<Escaped<'a>, Fault> {
        let bytes = self.line.as_bytes();
        let first = self.at;
        while let Some(found) = quote_or_backslash(&bytes[self.at..]) {
            self.at += found;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(Escaped { raw: &self.line[first..self.at - 1], is_escaped: true });
            }
            match (bytes.get(self.at + 1), escapes) {
                (None, _) => break,
                (Some(b'n' | b'"' | b'\\'), _) | (_, Format::OpenMetrics) => self.at += 2,
                (_, Format::Text) => return self.refuse(ESCAPE),
            }
        }
        Err(Fault { at: start, rule: CLOSING_QUOTE })
    }

    /// Labels up to the closing brace, stepped over too. The opening one, and in braces that hold
    /// the metric's name that name with its comma, are already.
    #[inline]
    pub(super) fn labels(
        &mut self,
        buffer: &mut LabelBuffer<'a>,
        labels_max: usize,
    ) -> Result<(), Fault> {
        let mut count = 0;
        // The labels before `count` are new; their names are those of the sample before.
        if !buffer.has_quotes {
            while let Some(label) = buffer.labels.get_mut(count) {
                if !self.take_label_name(label.name.raw) {
                    break;
                }
                label.value = self.quoted(self.at - 1, self.format)?;
                count += 1;
                if !self.take(b',') {
                    // Before these there may be blanks.
                    self.blanks();
                    if self.take(b'}') {
                        buffer.labels.truncate(count);
                        return Ok(());
                    }
                    if !self.take(b',') {
                        return self.refuse(LABEL_END);
                    }
                }
            }
        }
        buffer.labels.truncate(count);
        self.new_labels(buffer, labels_max)
    }

    /// Steps over a label's name with its `="` if exactly this comes next.
    #[inline]
    fn take_label_name(&mut self, name: &str) -> bool {
        let rest = &self.line.as_bytes()[self.at..];
        let end = name.len();
        let is_next = rest.starts_with(name.as_bytes()) && rest.get(end..end + 2) == Some(b"=\"");
        self.at += if is_next { end + 2 } else { 0 };
        is_next
    }

    /// The labels after those in the buffer, which end in a comma if there are any.
    fn new_labels(&mut self, buffer: &mut LabelBuffer<'a>, labels_max: usize) -> Result<(), Fault> {
        let labels = &mut buffer.labels;
        buffer.has_quotes = false;
        self.blanks();
        // The text format allows a comma after the last label.
        if (labels.is_empty() || self.format == Format::Text) && self.take(b'}') {
            return Ok(());
        }
        loop {
            let start = self.at;
            let name = self.label_name()?;
            buffer.has_quotes |= self.line.as_bytes()[start] == b'"';
            if name.raw == NAME {
                return Err(Fault { at: start, rule: RESERVED_LABEL });
            }
            // Escapes are canonical in names, so that equal names are written equally.
            if labels.iter().any(|label| label.name.raw == name.raw) {
                return Err(Fault { at: start, rule: DUPLICATE_LABEL });
            }
            if labels.len() == labels_max {
                return Err(Fault { at: start, rule: &LABELS });
            }
            self.blanks();
            if !self.take(b'=') {
                let is_alone = matches!(self.peek(), Some(b',' | b'}'));
                let is_name = is_alone && self.line.as_bytes()[start] == b'"';
                return self.refuse(if is_name { TWO_NAMES } else { EQUAL });
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

/// The place of the first quote or backslash. Most values are shorter than it takes to call a
/// vectorised search, so eight bytes at once are looked at in a word.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest high bit that is set marks the first byte that is zero (Mycroft 1987).
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(place * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + found)
}
