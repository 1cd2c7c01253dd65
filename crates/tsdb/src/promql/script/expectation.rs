//! What a query is expected to answer, and the lines that say so.

use std::collections::HashSet;

use regex::Regex;

use super::number;
use super::series::{self, Notation};
use super::text::Cursor;
use crate::promql::Grid;
use crate::promql::duration;

/// What a query is expected to answer.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    /// The query fails, for each of these reasons; not at all if there is none.
    pub(super) fail: Vec<Words>,
    /// Warnings: each of these is among them and each of them is among these, unless there is none.
    pub(super) warn: Vec<Words>,
    /// Infos, likewise.
    pub(super) info: Vec<Words>,
    /// There is no warning.
    pub(super) no_warn: bool,
    /// There is no info.
    pub(super) no_info: bool,
    /// Series come in the order in which they are expected.
    pub(super) ordered: bool,
    pub(super) answer: Answer,
}

/// The value a query is expected to answer with.
#[derive(Debug)]
pub(super) enum Answer {
    /// Exactly these series.
    Series(Vec<Notation>),
    /// The instant query answers with a range vector of exactly these series, at these times.
    Matrix(Grid, Vec<Notation>),
    Scalar(f64),
    Text(String),
}

impl Default for Answer {
    fn default() -> Self {
        Self::Series(Vec::new())
    }
}

/// The words of an error, warning or info.
#[derive(Debug)]
pub(super) enum Words {
    Any,
    /// Exactly these.
    Message(String),
    /// Anywhere in them.
    Pattern(Regex),
}

impl Words {
    pub(super) fn accept(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(message) => message == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Message(message) => write!(f, "`{message}`"),
            Self::Pattern(pattern) => write!(f, "one that matches `{pattern}`"),
        }
    }
}

impl Expectation {
    /// Reads a line below an `eval`. `instant` says whether the query has one time.
    pub(super) fn add(
        &mut self,
        line: &str,
        instant: bool,
        budget: &mut usize,
    ) -> Result<(), String> {
        if let Some(rest) = words_after(line, &["expect", "range", "vector"]) {
            return self.range_vector(rest, instant);
        }
        if let Some(rest) = words_after(line, &["expect", "string"]) {
            return self.text(rest);
        }
        if let Some(rest) = words_after(line, &["expect"]) {
            return self.kind(rest, instant);
        }
        if !self.fail.is_empty() {
            if let Some(rest) = words_after(line, &["expected_fail_message"]) {
                self.fail.push(Words::Message(rest.to_owned()));
                return Ok(());
            }
            if let Some(rest) = words_after(line, &["expected_fail_regexp"]) {
                self.fail.push(pattern(rest)?);
                return Ok(());
            }
        }
        if let Some(value) = number::parse(line) {
            return self.scalar(value);
        }
        self.series(line, instant, budget)
    }

    fn range_vector(&mut self, rest: &str, instant: bool) -> Result<(), String> {
        let fields: Vec<_> = rest.split_whitespace().collect();
        let ["from", from, "to", to, "step", step] = fields[..] else {
            return Err("write `expect range vector from TIME to TIME step DURATION`".to_owned());
        };
        if !instant {
            return Err("`expect range vector` belongs to `eval instant`: \
                        below `eval range` give the series alone"
                .to_owned());
        }
        match &self.answer {
            Answer::Series(series) if series.is_empty() => {
                self.answer = Answer::Matrix(grid(from, to, step)?, Vec::new());
                Ok(())
            }
            _ => Err("`expect range vector` must stand before what is expected, once".to_owned()),
        }
    }

    fn text(&mut self, rest: &str) -> Result<(), String> {
        let mut cursor = Cursor::new(rest);
        let text = cursor.string()?;
        if !cursor.rest().trim().is_empty() {
            return Err(format!("nothing may follow the string, but `{}` does", cursor.excerpt()));
        }
        self.only(Answer::Text(text))
    }

    fn scalar(&mut self, value: f64) -> Result<(), String> {
        self.only(Answer::Scalar(value))
    }

    fn only(&mut self, answer: Answer) -> Result<(), String> {
        match &self.answer {
            Answer::Series(series) if series.is_empty() => {
                self.answer = answer;
                Ok(())
            }
            _ => Err("a number or string is the whole answer: remove the other lines".to_owned()),
        }
    }

    fn series(&mut self, line: &str, instant: bool, budget: &mut usize) -> Result<(), String> {
        let notation = series::parse(line, budget)?;
        let series = match &mut self.answer {
            Answer::Series(series) => {
                let single = matches!(notation.values[..], [Some(_)]);
                if instant && !single {
                    return Err(format!(
                        "`{}` needs one value, an instant query answers with one a series",
                        notation.labels
                    ));
                }
                series
            }
            Answer::Matrix(_, series) => series,
            Answer::Scalar(_) | Answer::Text(_) => {
                return Err("a number or string is the whole answer: remove the series".to_owned());
            }
        };
        series.push(notation);
        Ok(())
    }

    /// Reads `fail`, `warn msg: …` and the like.
    fn kind(&mut self, rest: &str, instant: bool) -> Result<(), String> {
        let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim();
        let plain = || match rest {
            "" => Ok(true),
            _ => Err(format!("nothing may follow `expect {kind}`, but `{rest}` does")),
        };
        match kind {
            "fail" if self.fail.is_empty() => self.fail.push(words(rest)?),
            "fail" => return Err("`expect fail` stands twice: leave one".to_owned()),
            "warn" => self.warn.push(words(rest)?),
            "info" => self.info.push(words(rest)?),
            "no_warn" => self.no_warn = plain()?,
            "no_info" => self.no_info = plain()?,
            "ordered" if instant => self.ordered = plain()?,
            "ordered" => {
                return Err("`expect ordered` belongs to `eval instant`: \
                            the series of a range are sorted by labels"
                    .to_owned());
            }
            _ => {
                return Err(format!(
                    "`expect {kind}` is not known: write fail, warn, no_warn, info, no_info, \
                     ordered, string or range vector"
                ));
            }
        }
        Ok(())
    }

    /// Whether all lines together make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.no_warn && !self.warn.is_empty() {
            return Err("both `expect warn` and `expect no_warn` are given: leave one".to_owned());
        }
        if self.no_info && !self.info.is_empty() {
            return Err("both `expect info` and `expect no_info` are given: leave one".to_owned());
        }
        let nothing = matches!(&self.answer, Answer::Series(series) if series.is_empty());
        if let Answer::Series(series) | Answer::Matrix(_, series) = &self.answer {
            let mut known = HashSet::new();
            if let Some(twice) = series.iter().find(|series| !known.insert(&series.labels)) {
                return Err(format!("`{}` is expected twice: leave one", twice.labels));
            }
        }
        if !self.fail.is_empty() && !nothing {
            return Err("a query that is expected to fail has no answer: remove one".to_owned());
        }
        Ok(())
    }
}

/// Reads `from`, `to` and `step`.
pub(super) fn grid(from: &str, to: &str, step: &str) -> Result<Grid, String> {
    let start = duration::milliseconds(from)?;
    let end = duration::milliseconds(to)?;
    if end < start {
        return Err(format!("the end `{to}` is before the start `{from}`: swap them"));
    }
    Ok(Grid { start, end, step: duration::positive("the step", step)? })
}

/// Reads nothing, `msg: …` or `regex: …`.
fn words(text: &str) -> Result<Words, String> {
    if text.is_empty() {
        return Ok(Words::Any);
    }
    if let Some(message) = text.strip_prefix("msg:") {
        return Ok(Words::Message(message.trim().to_owned()));
    }
    match text.strip_prefix("regex:") {
        Some(expression) => pattern(expression.trim()),
        None => Err(format!("`msg:` or `regex:` is expected before `{text}`")),
    }
}

fn pattern(text: &str) -> Result<Words, String> {
    let pattern =
        Regex::new(text).map_err(|error| format!("`{text}` is no regular expression: {error}"))?;
    Ok(Words::Pattern(pattern))
}

/// What follows words at the start of a line.
fn words_after<'a>(line: &'a str, words: &[&str]) -> Option<&'a str> {
    words.iter().try_fold(line, |rest, word| {
        let rest = rest.strip_prefix(word)?;
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
    })
}
