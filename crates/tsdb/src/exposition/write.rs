//! A writer of the Prometheus text exposition format, version 0.0.4.
//!
//! What is written can always be scraped, whatever the callers hand in. Invariants of the text:
//! - a family is declared once (`# HELP`, `# TYPE`), and all its samples follow it without a gap,
//!   however many parts of the program contributed to it and in whichever order;
//! - metric and label names are in the format's alphabet: any other character becomes `_`;
//! - a label name appears once in a sample, the first value wins;
//! - the buckets of a histogram rise, end in `+Inf`, and `+Inf` equals `_count`, even when its
//!   counters were read while others wrote them;
//! - a family used as two kinds is declared `untyped`, which is true of anything.
//!
//! It leaves out timestamps, exemplars and OpenMetrics, and does not look for duplicate series.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::HashMap;
use std::fmt::Write;

/// The value of `Content-Type` for the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the samples of a family mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, from zero at the start of the process. Its name ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts of observations by upper bound, with their sum.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A text being written: families in the order in which they were first named.
#[derive(Debug, Default)]
pub struct Exposition {
    families: Vec<FamilyText>,
    /// Place in `families` by name.
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct FamilyText {
    name: String,
    help: String,
    /// `None` once it was used as two kinds.
    kind: Option<Kind>,
    samples: String,
}

/// One family, to add samples to.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut FamilyText,
}

impl Exposition {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The family called `name`: declared now, or continued if it was named before (the first
    /// non-empty help text stays). Without samples it is not written.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) -> Family<'_> {
        let name = valid_name(name, true);
        let place = *self.places.entry(name.clone()).or_insert(self.families.len());
        if place == self.families.len() {
            let (kind, help) = (Some(kind), help.to_owned());
            self.families.push(FamilyText { name, help, kind, samples: String::new() });
        }
        let text = &mut self.families[place];
        if text.help.is_empty() {
            help.clone_into(&mut text.help);
        }
        text.use_as(|known| known == kind);
        Family { text }
    }

    /// The whole text; ends in a line feed unless it is empty.
    pub fn finish(self) -> String {
        let mut out = String::new();
        for family in self.families.iter().filter(|family| !family.samples.is_empty()) {
            if !family.help.is_empty() {
                out.push_str("# HELP ");
                out.push_str(&family.name);
                out.push(' ');
                push_escaped(&mut out, &family.help, false);
                out.push('\n');
            }
            out.push_str("# TYPE ");
            out.push_str(&family.name);
            out.push(' ');
            out.push_str(family.kind.map_or("untyped", Kind::as_str));
            out.push('\n');
            out.push_str(&family.samples);
        }
        out
    }
}

impl FamilyText {
    fn use_as(&mut self, fits: impl Fn(Kind) -> bool) {
        self.kind = self.kind.filter(|kind| fits(*kind));
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>, value: &str) {
        let out = &mut self.samples;
        out.push_str(&self.name);
        out.push_str(suffix);
        if !labels.is_empty() || bound.is_some() {
            out.push('{');
            push_labels(out, labels, bound);
            out.push('}');
        }
        out.push(' ');
        out.push_str(value);
        out.push('\n');
    }
}

impl Family<'_> {
    /// Adds one sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.text.use_as(|kind| kind != Kind::Histogram);
        self.text.line("", labels, None, &number(value));
        self
    }

    /// Adds one histogram: `buckets` are (upper bound, observations up to it), bounds rising;
    /// `+Inf` is added, so leave it out. A label `le` is dropped. `sum` is of all observed
    /// values in the unit that the name ends in, `count` the number of observations.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        sum: f64,
        count: u64,
    ) -> &mut Self {
        self.text.use_as(|kind| kind == Kind::Histogram);
        let labels: Vec<_> = labels.iter().copied().filter(|(name, _)| *name != "le").collect();
        let labels = labels.as_slice();
        let mut so_far = 0;
        for (bound, cumulative) in buckets.iter().filter(|(bound, _)| bound.is_finite()) {
            so_far = so_far.max(*cumulative);
            self.text.line("_bucket", labels, Some(*bound), &so_far.to_string());
        }
        let count = so_far.max(count).to_string();
        self.text.line("_bucket", labels, Some(f64::INFINITY), &count);
        self.text.line("_sum", labels, None, &number(sum));
        self.text.line("_count", labels, None, &count);
        self
    }
}

/// Writes `name="value"` pairs with commas between; `bound` comes last, as `le`.
fn push_labels(out: &mut String, labels: &[(&str, &str)], bound: Option<f64>) {
    let mut written: Vec<String> = Vec::with_capacity(labels.len());
    for (name, value) in labels {
        let name = valid_name(name, false);
        if written.contains(&name) {
            continue;
        }
        if !written.is_empty() {
            out.push(',');
        }
        out.push_str(&name);
        out.push_str("=\"");
        push_escaped(out, value, true);
        out.push('"');
        written.push(name);
    }
    if let Some(bound) = bound {
        if !written.is_empty() {
            out.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "le=\"{}\"", number(bound));
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, for metrics also colons; anything else becomes `_`.
fn valid_name(name: &str, colons: bool) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    let mut valid = String::with_capacity(name.len() + 1);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        valid.push('_');
    }
    valid.extend(name.chars().map(|c| if fits(c) { c } else { '_' }));
    valid
}

/// Help texts escape backslash and line feed, label values the double quote too.
fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

/// A float as Go's `ParseFloat` reads it back without loss.
fn number(value: f64) -> String {
    // Between these Rust's plain notation is short; beyond, it would write out every zero.
    const PLAIN: std::ops::Range<f64> = 1e-6..1e17;
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if value == 0.0 || PLAIN.contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests;
