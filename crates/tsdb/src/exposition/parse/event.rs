//! What a parser tells: samples and metadata, as slices of the body.

use std::borrow::Cow;

use super::super::metric_type::MetricType;
use super::cursor::LabelBuffer;
use super::family::Membership;
use crate::labels::{Labels, NAME};

/// One line of a body. `'a` is the body, `'p` the parser, whose memory holds a sample until its next
/// step: it is used again for each, because copying it took as long as reading it.
#[derive(Debug, Clone, Copy)]
pub enum Event<'p, 'a> {
    /// `# TYPE`
    Type {
        /// The name of the family.
        family: Escaped<'a>,
        /// What its samples mean.
        kind: MetricType,
    },
    /// `# HELP`
    Help {
        /// The name of the family.
        family: Escaped<'a>,
        /// What it is, for people.
        text: Escaped<'a>,
    },
    /// `# UNIT`, of OpenMetrics alone.
    Unit {
        /// The name of the family.
        family: Escaped<'a>,
        /// The unit, in which the family's name ends; may be empty.
        unit: &'a str,
    },
    /// A sample.
    Sample(&'p Sample<'a>),
}

/// A value of a series.
#[derive(Debug)]
pub struct Sample<'a> {
    /// Name and labels exactly as written. Equal text is the same series, so that who keeps the
    /// series of the last body by this text needs not look at the labels; other text may be the
    /// same series too (blanks, order, escapes).
    pub series: &'a str,
    /// The metric's name.
    pub name: Escaped<'a>,
    /// The figure. A NaN is never [`crate::sample::STALE`].
    pub value: f64,
    /// Milliseconds since 1970; `None` means the time of the scrape.
    pub time: Option<i64>,
    pub(super) membership: Membership<'a>,
    pub(super) labels: LabelBuffer<'a>,
    pub(super) exemplar: Option<ExemplarFigure>,
    pub(super) exemplar_labels: LabelBuffer<'a>,
}

/// An exemplar without its labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExemplarFigure {
    pub(super) value: f64,
    pub(super) time: Option<i64>,
}

/// What a sample is in its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value itself: of a gauge, a counter, a quantile, a state, facts.
    Value,
    /// Observations up to the label `le`.
    Bucket,
    /// The sum of all observations.
    Sum,
    /// Their number.
    Count,
    /// When the series began, in seconds since 1970 (OpenMetrics' `_created`). Not a figure of the
    /// metric: Prometheus stores it as a series of its own.
    Created,
}

/// A trace, or the like, that belongs to a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'p, 'a> {
    /// Its labels, at most [`super::EXEMPLAR_CHARACTERS_MAX`] characters in all.
    pub labels: &'p [Label<'a>],
    /// What was observed.
    pub value: f64,
    /// Milliseconds since 1970.
    pub time: Option<i64>,
}

/// A label as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// Its name.
    pub name: Escaped<'a>,
    /// Its value.
    pub value: Escaped<'a>,
}

/// A piece of the body in which backslashes may stand before other characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a> {
    /// As written, without quotes.
    pub raw: &'a str,
    /// Whether there is a backslash in it.
    pub is_escaped: bool,
}

impl<'a> Escaped<'a> {
    pub(super) fn plain(raw: &'a str) -> Self {
        Self { raw, is_escaped: false }
    }

    /// What is meant: `\\`, `\n` and `\"` for a backslash, a line feed and a quote. A backslash
    /// before anything else, which OpenMetrics allows, means itself.
    #[inline]
    pub fn text(self) -> Cow<'a, str> {
        if self.is_escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let meant = match rest.as_bytes().first() {
            Some(b'n') => '\n',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            _ => {
                text.push('\\');
                continue;
            }
        };
        text.push(meant);
        rest = &rest[1..];
    }
    text.push_str(rest);
    text
}

impl<'a> Sample<'a> {
    /// None yet.
    pub(super) fn new() -> Self {
        let membership = Membership { family: "", kind: MetricType::Unknown, part: Part::Value };
        Self {
            series: "",
            name: Escaped::plain(""),
            value: 0.0,
            time: None,
            membership,
            labels: LabelBuffer::default(),
            exemplar: None,
            exemplar_labels: LabelBuffer::default(),
        }
    }

    /// The labels but the name, in the order in which they are written, each name once. Values may be
    /// empty.
    #[inline]
    pub fn labels(&self) -> &[Label<'a>] {
        &self.labels.labels
    }

    /// An example of what was counted.
    #[inline]
    pub fn exemplar(&self) -> Option<Exemplar<'_, 'a>> {
        let labels = &self.exemplar_labels.labels;
        self.exemplar.map(|figure| Exemplar { labels, value: figure.value, time: figure.time })
    }

    /// The family that it belongs to: the name without the suffix of its part. Backslashes stay.
    #[inline]
    pub fn family(&self) -> &'a str {
        self.membership.family
    }

    /// The type of the family, as far as the body has told.
    #[inline]
    pub fn kind(&self) -> MetricType {
        self.membership.kind
    }

    /// What it is in its family.
    #[inline]
    pub fn part(&self) -> Part {
        self.membership.part
    }

    /// The identity of the series, name included.
    pub fn to_labels(&self) -> Labels {
        let first = self.labels().first().is_none_or(|label| NAME < label.name.raw);
        let is_sorted = self.labels().is_sorted_by_key(|label| label.name.raw);
        let is_escaped = |label: &Label<'_>| label.name.is_escaped || label.value.is_escaped;
        if first && is_sorted && !self.name.is_escaped && !self.labels().iter().any(is_escaped) {
            let others = self.labels().iter().map(|label| (label.name.raw, label.value.raw));
            return Labels::from_sorted(std::iter::once((NAME, self.name.raw)).chain(others));
        }
        let name = (Cow::Borrowed(NAME), self.name.text());
        let others = self.labels().iter().map(|label| (label.name.text(), label.value.text()));
        Labels::from_pairs(std::iter::once(name).chain(others))
    }
}
