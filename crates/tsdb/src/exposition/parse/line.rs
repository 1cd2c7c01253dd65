//! One line: a sample, or what begins with `#`, or nothing.

use super::super::format::Format;
use super::super::metric_type::MetricType;
use super::Limits;
use super::cursor::Cursor;
use super::event::{Escaped, ExemplarFigure, Part, Sample};
use super::family::Families;
use super::metadata::MetadataLine;
use super::number::{milliseconds, seconds, value};
use super::refusal::{
    BUCKET_BOUND, CARRIAGE_RETURN, EMPTY_LINE, END, EXEMPLAR_LABELS, EXEMPLAR_LENGTH,
    EXEMPLAR_PLACE, Fault, LABEL_END, NAME_IN_BRACES, QUANTILE, SECONDS_TIME, STATE_LABEL,
    TEXT_TIME, VALUE,
};

/// The most that names and values of an exemplar's labels may have in characters (OpenMetrics 1.0,
/// "Exemplars").
pub const EXEMPLAR_CHARACTERS_MAX: usize = 128;

/// What a line told. The rest is in the reader: events are too large to be handed from function to
/// function for each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing: it is a comment or empty.
    Nothing,
    /// A sample: [`LineReader::sample`].
    Sample,
    /// Metadata: [`LineReader::metadata`].
    Metadata,
}

/// Reads line after line.
#[derive(Debug)]
pub(super) struct LineReader<'a> {
    format: Format,
    labels_max: usize,
    pub(super) sample: Sample<'a>,
    pub(super) metadata: Option<MetadataLine<'a>>,
    pub(super) families: Families<'a>,
}

impl<'a> LineReader<'a> {
    /// For a body of so many bytes.
    pub(super) fn new(format: Format, limits: &Limits, body_bytes: usize) -> Self {
        Self {
            format,
            labels_max: limits.labels,
            sample: Sample::new(),
            metadata: None,
            families: Families::new(format, limits.families, body_bytes),
        }
    }

    /// Reads a line without its line feed.
    #[inline]
    pub(super) fn read(&mut self, text: &'a str) -> Result<Told, Fault> {
        let mut cursor = Cursor::new(text, self.format);
        cursor.blanks();
        match (cursor.peek(), self.format) {
            (Some(b'#'), Format::Text) => self.text_comment(cursor),
            (Some(b'#'), Format::OpenMetrics) => self.openmetrics_comment(cursor),
            (None, Format::Text) => Ok(Told::Nothing),
            (None, Format::OpenMetrics) => cursor.refuse(EMPTY_LINE),
            _ => self.sample(cursor),
        }
    }

    #[inline]
    fn sample(&mut self, mut cursor: Cursor<'a>) -> Result<Told, Fault> {
        let start = cursor.at;
        let is_like_last = self.families.last().is_some_and(|last| cursor.take_metric_name(last));
        if is_like_last {
            // Name and membership stay those of the sample before.
            self.labels_after_name(&mut cursor)?;
        } else {
            self.other_name(&mut cursor)?;
        }
        let series = &cursor.line[start..cursor.at];
        self.sample.series = series;
        // A brace ends the series itself.
        if self.format == Format::Text && series.ends_with('}') {
            cursor.blanks();
        } else {
            cursor.separator()?;
        }
        self.check_labels(start)?;
        self.sample.time = None;
        self.sample.exemplar = None;
        match self.format {
            Format::Text => self.text_end(&mut cursor)?,
            Format::OpenMetrics => {
                self.sample.value = number(&mut cursor)?;
                self.openmetrics_end(&mut cursor)?;
            }
        }
        Ok(Told::Sample)
    }

    /// Name and labels of a sample that is not of the same name as the one before.
    fn other_name(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let start = cursor.at;
        let is_quoted = cursor.take(b'{');
        let name = if is_quoted {
            self.braces_with_name(cursor)?
        } else {
            let name = cursor.metric_name_like(self.families.current())?;
            self.labels_after_name(cursor)?;
            name
        };
        let membership = self.families.sample(name.raw, is_quoted);
        self.sample.membership = membership.map_err(|rule| Fault { at: start, rule })?;
        self.sample.name = name;
        Ok(())
    }

    /// Labels, if there are any.
    #[inline]
    fn labels_after_name(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let end = cursor.at;
        cursor.blanks();
        if cursor.take(b'{') {
            return cursor.labels(&mut self.sample.labels, self.labels_max);
        }
        cursor.at = end;
        self.sample.labels.labels.clear();
        Ok(())
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
                cursor.labels(&mut self.sample.labels, self.labels_max)?;
            }
            Some(b'}') => {
                cursor.at += 1;
                self.sample.labels.labels.clear();
            }
            Some(b'=') => return Err(Fault { at: start, rule: NAME_IN_BRACES }),
            _ => return cursor.refuse(LABEL_END),
        }
        Ok(name)
    }

    /// The labels without which a sample of its kind means nothing.
    #[inline]
    fn check_labels(&self, at: usize) -> Result<(), Fault> {
        let membership = &self.sample.membership;
        let (name, rule) = match (membership.kind, membership.part) {
            (_, Part::Bucket) => ("le", BUCKET_BOUND),
            (MetricType::Summary, Part::Value) => ("quantile", QUANTILE),
            (MetricType::StateSet, Part::Value) => (membership.family, STATE_LABEL),
            _ => return Ok(()),
        };
        let found = self.sample.labels().iter().find(|label| label.name.raw == name);
        let fits = found.is_some_and(|label| {
            membership.kind == MetricType::StateSet
                || value(label.value.raw).is_some_and(|bound| !bound.is_nan())
        });
        if fits { Ok(()) } else { Err(Fault { at, rule }) }
    }

    /// `value [timestamp]` of the text format.
    #[inline]
    fn text_end(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        // Mostly nothing follows the value.
        if let Some(value) = value(cursor.rest()) {
            self.sample.value = value;
            return Ok(());
        }
        self.sample.value = number(cursor)?;
        cursor.blanks();
        if cursor.peek().is_none() {
            return Ok(());
        }
        let start = cursor.at;
        let time = milliseconds(cursor.word()).ok_or(Fault { at: start, rule: TEXT_TIME });
        self.sample.time = Some(time.map_err(|fault| line_end(cursor, fault))?);
        cursor.blanks();
        end(cursor)
    }

    /// `[SP timestamp] [exemplar]`
    fn openmetrics_end(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        if cursor.peek().is_none() {
            return Ok(());
        }
        cursor.separator()?;
        if cursor.peek() != Some(b'#') {
            self.sample.time = Some(timestamp(cursor)?);
            if cursor.peek().is_none() {
                return Ok(());
            }
            cursor.separator()?;
        }
        let start = cursor.at;
        if !cursor.take_text("# {") {
            let has_time = self.sample.time.is_some();
            return cursor.refuse(if has_time { END } else { EXEMPLAR_LABELS });
        }
        if !has_exemplars(&self.sample) {
            return Err(Fault { at: start, rule: EXEMPLAR_PLACE });
        }
        self.exemplar(cursor, start)
    }

    /// `labels "}" SP number [SP timestamp]` up to the end of the line.
    fn exemplar(&mut self, cursor: &mut Cursor<'a>, start: usize) -> Result<(), Fault> {
        cursor.labels(&mut self.sample.exemplar_labels, self.labels_max)?;
        let labels = &self.sample.exemplar_labels.labels;
        let texts = labels.iter().flat_map(|label| [label.name, label.value]);
        if texts.map(|text| text.text().chars().count()).sum::<usize>() > EXEMPLAR_CHARACTERS_MAX {
            return Err(Fault { at: start, rule: EXEMPLAR_LENGTH });
        }
        cursor.separator()?;
        let value = number(cursor)?;
        let mut time = None;
        if cursor.peek().is_some() {
            cursor.separator()?;
            time = Some(timestamp(cursor)?);
        }
        end(cursor)?;
        self.sample.exemplar = Some(ExemplarFigure { value, time });
        Ok(())
    }
}

/// Whether a sample may have an exemplar. Of a family without a type, names tell, as in Prometheus.
fn has_exemplars(sample: &Sample<'_>) -> bool {
    let name = sample.name.raw;
    match (sample.kind(), sample.part()) {
        (MetricType::Counter, part) => part == Part::Value,
        (MetricType::Histogram | MetricType::GaugeHistogram, part) => part == Part::Bucket,
        (MetricType::Unknown, _) => name.ends_with("_total") || name.ends_with("_bucket"),
        _ => false,
    }
}

#[inline]
fn number(cursor: &mut Cursor<'_>) -> Result<f64, Fault> {
    let start = cursor.at;
    value(cursor.word())
        .ok_or(Fault { at: start, rule: VALUE })
        .map_err(|fault| line_end(cursor, fault))
}

fn timestamp(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let start = cursor.at;
    let time = seconds(cursor.word()).ok_or(Fault { at: start, rule: SECONDS_TIME });
    time.map_err(|fault| line_end(cursor, fault))
}

fn end(cursor: &Cursor<'_>) -> Result<(), Fault> {
    if cursor.peek().is_none() { Ok(()) } else { cursor.refuse(END) }
}

/// A word that is wrong only because the line ends in a carriage return is refused for that.
#[cold]
fn line_end(cursor: &Cursor<'_>, fault: Fault) -> Fault {
    let is_last = cursor.peek().is_none() && cursor.line.ends_with('\r');
    if is_last { Fault { at: cursor.line.len() - 1, rule: CARRIAGE_RETURN } } else { fault }
}
