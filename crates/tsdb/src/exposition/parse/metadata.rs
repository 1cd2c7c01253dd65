//! Lines that begin with `#`: metadata, comments, and mistakes.

use memchr::{memchr, memchr2};

use super::super::format::Format;
use super::super::metric_type::MetricType;
use super::cursor::Cursor;
use super::event::Escaped;
use super::family::Metadata;
use super::line::{LineReader, Told};
use super::refusal::{
    BLANK, CARRIAGE_RETURN, COMMENT, Fault, HELP_ESCAPE, HELP_QUOTE, METRIC_NAME, OPENMETRICS_TYPE,
    Rule, TEXT_TYPE, UNIT,
};

/// A line of metadata.
#[derive(Debug, Clone, Copy)]
pub(super) enum MetadataLine<'a> {
    Type(Escaped<'a>, MetricType),
    Help(Escaped<'a>, Escaped<'a>),
    Unit(Escaped<'a>, &'a str),
}

impl<'a> LineReader<'a> {
    /// A `#` in the text format: metadata if HELP or TYPE follow after blanks, else a comment.
    pub(super) fn text_comment(&mut self, mut cursor: Cursor<'a>) -> Result<Told, Fault> {
        cursor.at += 1;
        let after = cursor.at;
        cursor.blanks();
        if cursor.at == after {
            return Ok(Told::Nothing);
        }
        let is_help = match cursor.word() {
            "HELP" => true,
            "TYPE" => false,
            _ => return Ok(Told::Nothing),
        };
        if cursor.peek().is_none() {
            return Ok(Told::Nothing);
        }
        cursor.blanks();
        let (start, is_quoted) = (cursor.at, cursor.peek() == Some(b'"'));
        let family = self.family_name(&mut cursor)?;
        if cursor.peek().is_some() {
            cursor.separator()?;
        }
        let text_start = cursor.at;
        let text = cursor.rest();
        if is_help {
            self.note(start, (family, is_quoted), Metadata::Help)?;
            let text = help(text, text_start, Format::Text)?;
            self.metadata = Some(MetadataLine::Help(family, text));
            return Ok(Told::Metadata);
        }
        let Some(kind) = MetricType::of_text(text) else {
            return Err(type_fault(text, text_start, TEXT_TYPE));
        };
        self.note(start, (family, is_quoted), Metadata::Type(kind))?;
        self.metadata = Some(MetadataLine::Type(family, kind));
        Ok(Told::Metadata)
    }

    /// A `#` in OpenMetrics: metadata, or a mistake. `# EOF` was seen to before.
    pub(super) fn openmetrics_comment(&mut self, mut cursor: Cursor<'a>) -> Result<Told, Fault> {
        let line =
            ["# TYPE ", "# HELP ", "# UNIT "].into_iter().find(|line| cursor.take_text(line));
        let Some(line) = line else { return cursor.refuse(COMMENT) };
        let (start, is_quoted) = (cursor.at, cursor.peek() == Some(b'"'));
        let family = self.family_name(&mut cursor)?;
        if !cursor.take(b' ') {
            return cursor.refuse(BLANK);
        }
        let (text_start, text) = (cursor.at, cursor.rest());
        if let Some(before) = text.strip_suffix('\r') {
            return Err(Fault { at: text_start + before.len(), rule: CARRIAGE_RETURN });
        }
        self.metadata = Some(match line {
            "# TYPE " => {
                let kind = MetricType::of_openmetrics(text)
                    .ok_or_else(|| type_fault(text, text_start, OPENMETRICS_TYPE))?;
                self.note(start, (family, is_quoted), Metadata::Type(kind))?;
                MetadataLine::Type(family, kind)
            }
            "# HELP " => {
                self.note(start, (family, is_quoted), Metadata::Help)?;
                MetadataLine::Help(family, help(text, text_start, Format::OpenMetrics)?)
            }
            _ => {
                let before = family.raw.strip_suffix(text);
                if !text.is_empty() && !before.is_some_and(|before| before.ends_with('_')) {
                    return Err(Fault { at: text_start, rule: UNIT });
                }
                self.note(start, (family, is_quoted), Metadata::Unit)?;
                MetadataLine::Unit(family, text)
            }
        });
        Ok(Told::Metadata)
    }

    fn family_name(&self, cursor: &mut Cursor<'a>) -> Result<Escaped<'a>, Fault> {
        match cursor.peek() {
            Some(b'"') => cursor.quoted_name(),
            Some(_) => cursor.metric_name_like(self.families.current()),
            None => cursor.refuse(METRIC_NAME),
        }
    }

    fn note(
        &mut self,
        at: usize,
        (family, is_quoted): (Escaped<'a>, bool),
        line: Metadata,
    ) -> Result<(), Fault> {
        self.families.metadata((family.raw, is_quoted), line).map_err(|rule| Fault { at, rule })
    }
}

/// At the place where a word stops being a type.
fn type_fault(text: &str, start: usize, rule: &'static Rule) -> Fault {
    let word = text.trim_end_matches([' ', '\t', '\r']);
    let is_known = MetricType::of_text(word).or(MetricType::of_openmetrics(word)).is_some();
    let at = if is_known && word.len() < text.len() { word.len() } else { 0 };
    Fault { at: start + at, rule }
}

/// The text of a HELP line.
fn help(raw: &str, start: usize, format: Format) -> Result<Escaped<'_>, Fault> {
    let bytes = raw.as_bytes();
    let (mut at, mut is_escaped) = (0, false);
    while let Some(found) = match format {
        Format::Text => memchr(b'\\', &bytes[at..]),
        Format::OpenMetrics => memchr2(b'\\', b'"', &bytes[at..]),
    } {
        at += found;
        match (bytes[at], bytes.get(at + 1), format) {
            (b'"', ..) => return Err(Fault { at: start + at, rule: HELP_QUOTE }),
            (_, Some(b'n' | b'\\'), _) | (_, Some(_), Format::OpenMetrics) => at += 2,
            _ => return Err(Fault { at: start + at, rule: HELP_ESCAPE }),
        }
        is_escaped = true;
    }
    Ok(Escaped { raw, is_escaped })
}
