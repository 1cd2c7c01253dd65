//! Why a body is refused: the place, what was found, what is expected, and the rule that says so.
//!
//! A rule knows the words of both formats' documents. Where they leave something open, it cites
//! what Prometheus does.

use std::fmt;

use thiserror::Error;

use super::super::format::Format;

/// Characters of the line that an error repeats.
const BEGINNING_CHARACTERS_MAX: usize = 80;

/// Characters of what was found that an error repeats.
const FOUND_CHARACTERS_MAX: usize = 30;

/// Characters that show nothing, or turn what others show around.
const INVISIBLE: [std::ops::RangeInclusive<char>; 4] = [
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
];

/// A body that is not what its format says, or too much.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {reason}; the line begins `{beginning}`")]
pub struct ParseError {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: usize,
    /// The first characters of the line; control characters are escaped.
    pub beginning: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The format says otherwise.
    Format {
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
        /// The document and what it says.
        rule: String,
    },
    /// There is more than the caller takes.
    Bound {
        /// Of what.
        bound: Bound,
        /// How many it takes.
        max: usize,
    },
}

/// What the caller of a parser bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Bytes of the body.
    BodyBytes,
    /// Bytes of one line.
    LineBytes,
    /// Samples of the body.
    Samples,
    /// Labels of one sample, the name not counted.
    Labels,
    /// Families of the body.
    Families,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found, expected, rule } => {
                write!(f, "found {found}, expected {expected} ({rule})")
            }
            Self::Bound { bound, max } => {
                let (what, remedy) = match bound {
                    Bound::BodyBytes => ("bytes in the body", "let the target expose less"),
                    Bound::LineBytes => {
                        ("bytes in a line", "let the target write shorter labels or help texts")
                    }
                    Bound::Samples => ("samples", "let the target expose fewer"),
                    Bound::Labels => ("labels in a sample", "let the target write fewer"),
                    Bound::Families => ("families", "let the target expose fewer"),
                };
                write!(f, "found more than {max} {what}, the most that is taken; {remedy}")
            }
        }
    }
}

/// What may stand at a place, and which sentence of each document says so.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) expected: &'static str,
    text: &'static str,
    openmetrics: &'static str,
}

/// A refusal on its way to the place that knows the line: the byte of the line, and what holds
/// there. Small enough to be returned in registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) rule: &'static Rule,
}

/// Not rules of a format, but bounds: they are known by their place. (Their words differ so that
/// they are never one.)
pub(super) static LABELS: Rule = Rule { expected: "fewer labels", text: "", openmetrics: "" };
pub(super) static FAMILIES: Rule = Rule { expected: "fewer families", text: "", openmetrics: "" };

impl ParseError {
    /// At a byte of a line.
    #[cold]
    pub(super) fn new(line: u64, text: &str, at: usize, reason: Reason) -> Self {
        let column = text.get(..at).map_or(at, |before| before.chars().count()) + 1;
        Self { line, column, beginning: shown(text, BEGINNING_CHARACTERS_MAX), reason }
    }
}

impl Rule {
    #[cold]
    pub(super) fn broken(&self, format: Format, line: &str, at: usize) -> Reason {
        let rest = line.get(at..).unwrap_or_default();
        let found = match rest.chars().next() {
            None => "the end of the line".to_owned(),
            Some('\r') => "a carriage return".to_owned(),
            Some(' ') => "a blank".to_owned(),
            Some('\t') => "a tab".to_owned(),
            Some(first) => {
                let is_word = |(at, c): (usize, char)| {
                    let after = rest.as_bytes().get(at + 1);
                    // `1,5` is one thing, `web,zone` are two.
                    let in_number = c == ',' && after.is_some_and(u8::is_ascii_digit);
                    c.is_alphanumeric() || "_:.+-".contains(c) || (at > 0 && in_number)
                };
                let end = rest.char_indices().find(|character| !is_word(*character));
                let end = end.map_or(rest.len(), |(at, _)| at).max(first.len_utf8());
                format!("`{}`", shown(&rest[..end], FOUND_CHARACTERS_MAX))
            }
        };
        let rule = match format {
            Format::Text => format!("text format 0.0.4: {}", self.text),
            Format::OpenMetrics => format!("OpenMetrics 1.0: {}", self.openmetrics),
        };
        Reason::Format { found, expected: self.expected, rule }
    }
}

/// The first characters, without those that move a cursor.
fn shown(text: &str, characters_max: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == characters_max {
            shown.push('…');
            break;
        }
        if character.is_control() || INVISIBLE.iter().any(|range| range.contains(&character)) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

macro_rules! rules {
    ($($name:ident: $expected:literal, $text:literal, $openmetrics:literal;)*) => {
        $(pub(super) const $name: &Rule =
            &Rule { expected: $expected, text: $text, openmetrics: $openmetrics };)*
    };
}

rules! {
    UTF8: "UTF-8",
        "label values and help are `any sequence of UTF-8 characters`",
        "`UTF-8 MUST be used`";
    LINE_FEED: "a line feed: the body may be cut short",
        "`the last line must end with a line feed character`",
        "`line endings MUST be signalled with line feed`";
    CARRIAGE_RETURN: "a line feed alone",
        "`lines are separated by a line feed character`",
        "line endings `MUST NOT contain carriage returns`";
    METRIC_NAME: "a metric's name: a letter, `_` or `:`, then letters, digits, `_` and `:`",
        "names are those of Prometheus' data model, any other is quoted in braces",
        "ABNF metricname";
    NAME_IN_BRACES: "the metric's name in quotes, first in the braces",
        "without a name before its braces, a sample names its metric in quotes in them",
        "without a name before its braces, a sample names its metric in quotes in them";
    EMPTY_NAME: "a name of at least one character",
        "no name is empty",
        "no name is empty";
    TWO_NAMES: "`=` and the label's value: the metric is already named",
        "a sample names its metric once",
        "a sample names its metric once";
    LABEL_NAME: "a label's name (a letter or `_`, then letters, digits and `_`) or `}`",
        "label_name carries `the usual Prometheus expression language restrictions`",
        "ABNF label-name; no comma stands before `}`";
    RESERVED_LABEL: "another label: `__name__` is the metric's name",
        "the metric's name stands before the braces",
        "the metric's name stands before the braces";
    DUPLICATE_LABEL: "each label once",
        "a series has one value for each label",
        "`label names MUST be unique within a LabelSet`";
    EQUAL: "`=`",
        "metric_name [ `{` label_name `=` `\"` label_value `\"` … `}` ] value [ timestamp ]",
        "ABNF label";
    OPENING_QUOTE: "the label's value in double quotes",
        "metric_name [ `{` label_name `=` `\"` label_value `\"` … `}` ] value [ timestamp ]",
        "ABNF label";
    CLOSING_QUOTE: "`\"` at the end of what the line opened",
        "a line feed in a label's value is written `\\n`",
        "ABNF escaped-string: a line feed in a value is written `\\n`";
    ESCAPE: "`\\\\`, `\\\"` or `\\n`: a backslash is written `\\\\`",
        "in a label's value backslash, quote and line feed `have to be escaped as \\\\, \\\", and \\n`",
        "a quoted name knows these three";
    LABEL_END: "`,` or `}`",
        "metric_name [ `{` label_name `=` `\"` label_value `\"` { `,` … } [ `,` ] `}` ] value",
        "ABNF labels";
    BLANK: "a blank",
        "tokens `must be separated by at least one` blank or tab",
        "ABNF: exactly one blank stands between two tokens";
    VALUE: "a number, `+Inf`, `-Inf` or `NaN`",
        "value is `a float represented as required by Go's ParseFloat()`, and one that fits",
        "ABNF number, and one that fits a float";
    TEXT_TIME: "a timestamp in milliseconds since 1970 (digits alone), or the end of the line",
        "timestamp is `an int64 (milliseconds since epoch, …)`; Prometheus takes none below zero",
        "ABNF timestamp";
    SECONDS_TIME: "a timestamp in seconds since 1970",
        "timestamp is `an int64 (milliseconds since epoch, …)`",
        "ABNF timestamp, and one that 64 bits of milliseconds hold";
    END: "the end of the line",
        "a line is metric_name [labels] value [timestamp]",
        "a line is name [labels] value [timestamp] [exemplar]";
    EXEMPLAR_LABELS: "`# {` with the exemplar's labels",
        "no exemplars",
        "ABNF exemplar";
    EXEMPLAR_PLACE: "no exemplar here",
        "no exemplars",
        "only totals of counters and buckets of histograms have exemplars";
    EXEMPLAR_LENGTH: "at most 128 characters of names and values in an exemplar's labels",
        "no exemplars",
        "they `MUST NOT exceed 128 UTF-8 character code points`";
    COMMENT: "`# HELP `, `# TYPE `, `# UNIT ` or `# EOF`",
        "comments are allowed",
        "`you MUST NOT expose lines beginning with a #` but these";
    EMPTY_LINE: "a sample, metadata or `# EOF`",
        "empty lines are allowed",
        "ABNF exposition has no empty lines";
    TEXT_TYPE: "`counter`, `gauge`, `histogram`, `summary` or `untyped`",
        "the type is one of these, and nothing follows it",
        "see there";
    OPENMETRICS_TYPE: "a type: counter, gauge, histogram, gaugehistogram, summary, info, stateset \
        or unknown",
        "see there",
        "ABNF metric-type";
    HELP_ESCAPE: "`\\\\` or `\\n`: a backslash is written `\\\\`",
        "in help, backslash and line feed `have to be escaped as \\\\ and \\n`",
        "ABNF escaped-string";
    HELP_QUOTE: "`\\\"`: a quote in help is escaped",
        "a quote stands for itself",
        "ABNF escaped-string";
    UNIT: "the unit in which the family's name ends, after a `_`",
        "no units",
        "the unit `MUST be a suffix of the MetricFamily name separated by an underscore`";
    SECOND_LINE: "at most one such line for a family",
        "`only one` HELP and one TYPE line `may exist for any given metric name`",
        "`there MUST NOT be more than one of each type of metadata line`";
    TYPE_AFTER_SAMPLES: "metadata before the samples of its family",
        "`the TYPE line for a metric name must appear before the first sample`",
        "metadata stands before the samples";
    INTERLEAVED: "each family in one piece: this one has been before",
        "families may be in pieces",
        "ABNF metricset: the lines of a family follow each other";
    AFTER_EOF: "nothing after `# EOF`",
        "no EOF",
        "ABNF exposition";
    MISSING_EOF: "`# EOF`: the body may be cut short",
        "no EOF",
        "`expositions MUST end with EOF`";
    COUNTER_SUFFIX: "the family's name with `_total` or `_created`, because it is a counter (TYPE \
        names it without)",
        "a counter has its own name",
        "a counter's total `MUST have the suffix _total`";
    HISTOGRAM_SUFFIX: "the family's name with `_bucket`, `_sum` or `_count`, because it is a histogram",
        "a histogram has `_bucket`, `_sum` and `_count`",
        "a histogram has `_bucket`, `_sum`, `_count` and `_created`";
    GAUGE_HISTOGRAM_SUFFIX: "the family's name with `_bucket`, `_gsum` or `_gcount`",
        "see there",
        "a gaugehistogram has these";
    INFO_SUFFIX: "the family's name with `_info`, because its type is info",
        "see there",
        "an info `MUST have the suffix _info`";
    STATE_LABEL: "a label of the family's name, because its type is stateset",
        "see there",
        "each state is the value of a label with the family's name";
    BUCKET_BOUND: "a label `le` with a number, because this is a bucket",
        "each bucket has `a label {le=\"y\"}`",
        "a bucket's bound is the label `le`, a float";
    QUANTILE: "a label `quantile` with a number, because this is a summary",
        "each quantile has `a label {quantile=\"y\"}`",
        "a quantile's sample has the label `quantile`, a float";
}
