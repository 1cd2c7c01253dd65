//! One line: a sample, metadata, a comment or nothing.

use super::super::format::Format;
use super::super::metric_type::MetricType;
use super::cursor::Cursor;
use super::event::{Escaped, Label, Part};
use super::family::{Families, Membership, Metadata};
use super::number::{milliseconds, seconds, value};
use super::refusal::{
    BLANK, BUCKET_BOUND, CARRIAGE_RETURN, COMMENT, EMPTY_LINE, END, EXEMPLAR_LABELS,
    EXEMPLAR_LENGTH, EXEMPLAR_PLACE, Fault, HELP_ESCAPE, HELP_QUOTE, LABEL_END, METRIC_NAME,
    NAME_IN_BRACES, OPENMETRICS_TYPE, QUANTILE, Rule, SECONDS_TIME, STATE_LABEL, TEXT_TIME,
    TEXT_TYPE, UNIT, VALUE,
};

/// The most that names and values of an exemplar's labels may have in characters (OpenMetrics 1.0,
/// "Exemplars").
pub const EXEMPLAR_CHARACTERS_MAX: usize = 128;

/// What a line tells; labels are in the memory that was handed in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    Type {
        family: Escaped<'a>,
        kind: MetricType,
    },
    Help {
        family: Escaped<'a>,
        text: Escaped<'a>,
    },
    Unit {
        family: Escaped<'a>,
        unit: &'a str,
    },
    Sample {
        series: &'a str,
        name: Escaped<'a>,
        value: f64,
        time: Option<i64>,
        exemplar: Option<(f64, Option<i64>)>,
        membership: Membership<'a>,
    },
}

/// What a line is read with.
pub(super) struct Line<'p, 'a> {
    pub(super) format: Format,
    pub(super) labels_max: usize,
    pub(super) labels: &'p mut Vec<Label<'a>>,
    pub(super) exemplar_labels: &'p mut Vec<Label<'a>>,
    pub(super) families: &'p mut Families<'a>,
}

impl<'a> Line<'_, 'a> {
    /// Reads a line without its line feed. `None` if it tells nothing.
    #[inline]
    pub(super) fn read(mut self, text: &'a str) -> Result<Option<Found<'a>>, Fault> {
        let mut cursor = Cursor::new(text, self.format);
        cursor.blanks();
        match (cursor.peek(), self.format) {
            (Some(b'#'), Format::Text) => self.text_comment(cursor),
            (Some(b'#'), Format::OpenMetrics) => self.openmetrics_comment(cursor),
            (None, Format::Text) => Ok(None),
            (None, Format::OpenMetrics) => cursor.refuse(EMPTY_LINE),
            _ => self.sample(cursor).map(Some),
        }
    }

    #[inline]
    fn sample(&mut self, mut cursor: Cursor<'a>) -> Result<Found<'a>, Fault> {
        self.labels.clear();
        let start = cursor.at;
        let name = if cursor.take(b'{') {
            self.braces_with_name(&mut cursor)?
        } else {
            let name = cursor.metric_name()?;
            let end = cursor.at;
            cursor.blanks();
            if cursor.take(b'{') {
                cursor.labels(self.labels, self.labels_max)?;
            } else {
                cursor.at = end;
            }
            name
        };
        let series = &cursor.line[start..cursor.at];
        // A brace ends the series itself.
        if self.format == Format::Text && series.ends_with('}') {
            cursor.blanks();
        } else {
            cursor.separator()?;
        }
        let membership = self.families.sample(name.raw).map_err(|rule| Fault::Rule(start, rule))?;
        self.check_labels(start, membership)?;
        let value = number(&mut cursor)?;
        let (time, exemplar) = match self.format {
            Format::Text => (text_end(&mut cursor)?, None),
            Format::OpenMetrics => self.openmetrics_end(&mut cursor, name.raw, membership)?,
        };
        Ok(Found::Sample { series, name, value, time, exemplar, membership })
    }

    /// `{"name",label="value"}` after its brace.
    fn braces_with_name(&mut self, cursor: &mut Cursor<'a>) -> Result<Escaped<'a>, Fault> {
        cursor.blanks();
        if cursor.peek() != Some(b'"') {
            return cursor.refuse(NAME_IN_BRACES);
        }
        let start = cursor.at;
        let name = cursor.quoted_name()?;
        cursor.blanks();
        match cursor.peek() {
            Some(b',') => {
                cursor.at += 1;
                if self.format == Format::OpenMetrics && cursor.peek() == Some(b'}') {
                    return cursor.refuse(super::refusal::LABEL_NAME);
                }
                cursor.labels(self.labels, self.labels_max)?;
            }
            Some(b'}') => cursor.at += 1,
            Some(b'=') => return Err(Fault::Rule(start, NAME_IN_BRACES)),
            _ => return cursor.refuse(LABEL_END),
        }
        Ok(name)
    }

    /// The labels without which a sample of its kind means nothing.
    #[inline]
    fn check_labels(&self, at: usize, membership: Membership<'a>) -> Result<(), Fault> {
        let (name, rule) = match (membership.kind, membership.part) {
            (_, Part::Bucket) => ("le", BUCKET_BOUND),
            (MetricType::Summary, Part::Value) => ("quantile", QUANTILE),
            (MetricType::StateSet, Part::Value) => (membership.family, STATE_LABEL),
            _ => return Ok(()),
        };
        let found = self.labels.iter().find(|label| label.name.raw == name);
        let fits = found.is_some_and(|label| {
            membership.kind == MetricType::StateSet
                || value(label.value.raw).is_some_and(|bound| !bound.is_nan())
        });
        if fits { Ok(()) } else { Err(Fault::Rule(at, rule)) }
    }

    /// `[SP timestamp] [SP "#" SP "{" labels "}" SP number [SP timestamp]]`
    fn openmetrics_end(
        &mut self,
        cursor: &mut Cursor<'a>,
        name: &str,
        membership: Membership<'a>,
    ) -> Result<(Option<i64>, Option<(f64, Option<i64>)>), Fault> {
        if cursor.peek().is_none() {
            return Ok((None, None));
        }
        cursor.separator()?;
        let mut time = None;
        if cursor.peek() != Some(b'#') {
            time = Some(timestamp(cursor)?);
            if cursor.peek().is_none() {
                return Ok((time, None));
            }
            cursor.separator()?;
        }
        let start = cursor.at;
        if !cursor.take_text("# {") {
            return cursor.refuse(if time.is_some() { END } else { EXEMPLAR_LABELS });
        }
        let has_place = match membership.kind {
            MetricType::Counter => membership.part == Part::Value,
            MetricType::Histogram | MetricType::GaugeHistogram => membership.part == Part::Bucket,
            // Of a family without a type, names tell: as in Prometheus.
            MetricType::Unknown => name.ends_with("_total") || name.ends_with("_bucket"),
            _ => false,
        };
        if !has_place {
            return Err(Fault::Rule(start, EXEMPLAR_PLACE));
        }
        self.exemplar_labels.clear();
        cursor.labels(self.exemplar_labels, self.labels_max)?;
        let texts = self.exemplar_labels.iter().flat_map(|label| [label.name, label.value]);
        if texts.map(|text| text.text().chars().count()).sum::<usize>() > EXEMPLAR_CHARACTERS_MAX {
            return Err(Fault::Rule(start, EXEMPLAR_LENGTH));
        }
        cursor.separator()?;
        let value = number(cursor)?;
        let mut exemplar_time = None;
        if cursor.peek().is_some() {
            cursor.separator()?;
            exemplar_time = Some(timestamp(cursor)?);
        }
        end(cursor)?;
        Ok((time, Some((value, exemplar_time))))
    }

    /// A `#` in the text format: metadata if HELP or TYPE follow after blanks, else a comment.
    fn text_comment(&mut self, mut cursor: Cursor<'a>) -> Result<Option<Found<'a>>, Fault> {
        cursor.at += 1;
        let after = cursor.at;
        cursor.blanks();
        if cursor.at == after {
            return Ok(None);
        }
        let is_help = match cursor.word() {
            "HELP" => true,
            "TYPE" => false,
            _ => return Ok(None),
        };
        if cursor.peek().is_none() {
            return Ok(None);
        }
        cursor.blanks();
        let (start, family) = (cursor.at, family_name(&mut cursor)?);
        if cursor.peek().is_some() {
            cursor.separator()?;
        }
        let text_start = cursor.at;
        let text = cursor.rest();
        if is_help {
            self.note(start, family, Metadata::Help)?;
            let text = help(text, text_start, Format::Text)?;
            return Ok(Some(Found::Help { family, text }));
        }
        let Some(kind) = MetricType::of_text(text) else {
            return Err(type_fault(text, text_start, TEXT_TYPE));
        };
        self.note(start, family, Metadata::Type(kind))?;
        Ok(Some(Found::Type { family, kind }))
    }

    /// A `#` in OpenMetrics: metadata, or a mistake. `# EOF` was seen to before.
    fn openmetrics_comment(&mut self, mut cursor: Cursor<'a>) -> Result<Option<Found<'a>>, Fault> {
        let line =
            ["# TYPE ", "# HELP ", "# UNIT "].into_iter().find(|line| cursor.take_text(line));
        let Some(line) = line else { return cursor.refuse(COMMENT) };
        let (start, family) = (cursor.at, family_name(&mut cursor)?);
        if !cursor.take(b' ') {
            return cursor.refuse(BLANK);
        }
        let (text_start, text) = (cursor.at, cursor.rest());
        if let Some(before) = text.strip_suffix('\r') {
            return Err(Fault::Rule(text_start + before.len(), CARRIAGE_RETURN));
        }
        let found = match line {
            "# TYPE " => {
                let kind = MetricType::of_openmetrics(text)
                    .ok_or_else(|| type_fault(text, text_start, OPENMETRICS_TYPE))?;
                self.note(start, family, Metadata::Type(kind))?;
                Found::Type { family, kind }
            }
            "# HELP " => {
                self.note(start, family, Metadata::Help)?;
                Found::Help { family, text: help(text, text_start, Format::OpenMetrics)? }
            }
            _ => {
                let before = family.raw.strip_suffix(text);
                if !text.is_empty() && !before.is_some_and(|before| before.ends_with('_')) {
                    return Err(Fault::Rule(text_start, UNIT));
                }
                self.note(start, family, Metadata::Unit)?;
                Found::Unit { family, unit: text }
            }
        };
        Ok(Some(found))
    }

    fn note(&mut self, at: usize, family: Escaped<'a>, line: Metadata) -> Result<(), Fault> {
        self.families.metadata(family.raw, line).map_err(|rule| Fault::Rule(at, rule))
    }
}

/// At the place where a word stops being a type.
fn type_fault(text: &str, start: usize, rule: &'static Rule) -> Fault {
    let word = text.trim_end_matches([' ', '\t', '\r']);
    let is_known = MetricType::of_text(word).or(MetricType::of_openmetrics(word)).is_some();
    let at = if is_known && word.len() < text.len() { word.len() } else { 0 };
    Fault::Rule(start + at, rule)
}

fn family_name<'a>(cursor: &mut Cursor<'a>) -> Result<Escaped<'a>, Fault> {
    match cursor.peek() {
        Some(b'"') => cursor.quoted_name(),
        Some(_) => cursor.metric_name(),
        None => cursor.refuse(METRIC_NAME),
    }
}

#[inline]
fn number(cursor: &mut Cursor<'_>) -> Result<f64, Fault> {
    let start = cursor.at;
    value(cursor.word()).ok_or(Fault::Rule(start, VALUE)).map_err(|fault| line_end(cursor, fault))
}

fn timestamp(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let start = cursor.at;
    let time = seconds(cursor.word()).ok_or(Fault::Rule(start, SECONDS_TIME));
    time.map_err(|fault| line_end(cursor, fault))
}

/// The end of a line of the text format after its value.
#[inline]
fn text_end(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Fault> {
    cursor.blanks();
    if cursor.peek().is_none() {
        return Ok(None);
    }
    let start = cursor.at;
    let time = milliseconds(cursor.word()).ok_or(Fault::Rule(start, TEXT_TIME));
    let time = time.map_err(|fault| line_end(cursor, fault))?;
    cursor.blanks();
    end(cursor)?;
    Ok(Some(time))
}

fn end(cursor: &Cursor<'_>) -> Result<(), Fault> {
    if cursor.peek().is_none() { Ok(()) } else { cursor.refuse(END) }
}

/// A word that is wrong only because the line ends in a carriage return is refused for that.
#[cold]
fn line_end(cursor: &Cursor<'_>, fault: Fault) -> Fault {
    let is_last = cursor.peek().is_none() && cursor.line.ends_with('\r');
    if is_last { Fault::Rule(cursor.line.len() - 1, CARRIAGE_RETURN) } else { fault }
}

/// The text of a HELP line.
fn help(raw: &str, start: usize, format: Format) -> Result<Escaped<'_>, Fault> {
    let bytes = raw.as_bytes();
    let (mut at, mut is_escaped) = (0, false);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1), format) {
            (b'"', _, Format::OpenMetrics) => return Err(Fault::Rule(start + at, HELP_QUOTE)),
            (b'\\', Some(b'n' | b'\\'), _) | (b'\\', Some(_), Format::OpenMetrics) => {
                is_escaped = true;
                at += 2;
            }
            (b'\\', ..) => return Err(Fault::Rule(start + at, HELP_ESCAPE)),
            _ => at += 1,
        }
    }
    Ok(Escaped { raw, is_escaped })
}
