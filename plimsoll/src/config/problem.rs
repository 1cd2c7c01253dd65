//! What is wrong with a configuration, told so that a person can put it right.
//!
//! A problem names the place (file, line, column, with the line itself and a caret), the key,
//! what was found, what is allowed and a remedy. All problems of a file are collected and shown
//! together, in the order of the file. Printing and exit codes are the caller's.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Bytes of the file a problem points at.
pub(crate) type Span = Range<usize>;

/// Most characters of a source line that are shown; longer lines are cut around the caret.
const EXCERPT_CHARACTERS: usize = 100;
/// Most characters of a found value that are shown.
const FOUND_CHARACTERS: usize = 60;
/// Most problems of a configuration that are told; the rest is counted. Whoever has more has one
/// mistake many times, or the wrong file.
pub(crate) const SHOWN_PROBLEMS: usize = 50;

/// A configuration text with its name.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file's name as the user gave it.
    pub(crate) name: String,
    /// The whole text.
    pub(crate) text: String,
    /// The first byte of every line, rising; the first is 0.
    line_starts: Vec<usize>,
}

impl Source {
    /// The text of the file `name`.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let (name, text) = (name.into(), text.into());
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Self { name, text, line_starts }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, index: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= index).max(1)
    }

    /// The place of `span`, with an excerpt.
    pub(crate) fn place(&self, span: &Span) -> Place {
        let start = floor(&self.text, span.start);
        let line = self.line(start);
        let line_start = self.line_starts[line - 1];
        let line_end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let column = self.text[line_start..start].chars().count() + 1;
        let end = floor(&self.text, span.end).clamp(start, line_end);
        let width = self.text[start..end].trim_end().chars().count().max(1);
        let shown = self.text[line_start..line_end].trim_end();
        let first = (column - 1).saturating_sub(EXCERPT_CHARACTERS / 2);
        let first = if shown.chars().count() <= EXCERPT_CHARACTERS { 0 } else { first };
        let excerpt: String =
            shown.chars().skip(first).take(EXCERPT_CHARACTERS).map(printable).collect();
        let offset = column - 1 - first;
        let width = width.min(EXCERPT_CHARACTERS.saturating_sub(offset).max(1));
        Place { file: self.name.clone(), line, column, excerpt, offset, width }
    }

    /// The text of `span` on one line, shortened.
    pub(crate) fn shown(&self, span: &Span) -> String {
        let (start, end) = (floor(&self.text, span.start), floor(&self.text, span.end));
        shorten(self.text[start..end.max(start)].trim())
    }
}

/// The nearest character border at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Control characters would disturb the terminal and the caret.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

/// `text` on one line, cut to [`FOUND_CHARACTERS`].
pub(crate) fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(FOUND_CHARACTERS).map(printable).collect();
    if text.chars().nth(FOUND_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name as the user gave it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line, or the part of a long one that surrounds the column.
    excerpt: String,
    /// Characters of the excerpt before the caret.
    offset: usize,
    /// Carets.
    width: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One problem: of a file, or of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where; `None` for problems of a whole file or of the command line.
    pub place: Option<Place>,
    /// The full key (`service.web.health.every`), an option (`--listen`), or empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was found.
    pub found: Option<String>,
    /// What is allowed.
    pub allowed: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// An earlier place that belongs to it, as in "first set in line 3".
    pub note: Option<String>,
}

impl ConfigError {
    /// A problem with `key`; the rest is added by the methods below.
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: None,
            key: key.into(),
            message: message.into(),
            found: None,
            allowed: None,
            remedy: None,
            note: None,
        }
    }

    /// Says what was found.
    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// Says what is allowed.
    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Says what to do.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says what else belongs to it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says where.
    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    fn write(&self, formatter: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
        write!(formatter, "{word}: {}", self.message)?;
        let margin = self.place.as_ref().map_or(1, |place| place.line.to_string().len());
        let gutter = " ".repeat(margin);
        if let Some(place) = &self.place {
            write!(formatter, "\n{gutter}--> {place}\n{gutter} |")?;
            write!(formatter, "\n{} | {}", place.line, place.excerpt)?;
            let (blank, carets) = (" ".repeat(place.offset), "^".repeat(place.width));
            write!(formatter, "\n{gutter} | {blank}{carets}")?;
        }
        let key = (!self.key.is_empty()).then_some(&self.key);
        let parts = [
            ("key", key),
            ("found", self.found.as_ref()),
            ("allowed", self.allowed.as_ref()),
            ("note", self.note.as_ref()),
            ("remedy", self.remedy.as_ref()),
        ];
        for (name, text) in parts {
            if let Some(text) = text {
                let label = format!("{name}:");
                write!(formatter, "\n{gutter} = {label:<8} {text}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, "error")
    }
}

impl std::error::Error for ConfigError {}

/// Something that is likely not meant, but does not stop Plimsoll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub ConfigError);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(formatter, "warning")
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The problems, in the order of the file.
    pub errors: Vec<ConfigError>,
    /// Problems after these that are not told.
    pub further: usize,
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self::from(vec![error])
    }
}

impl From<Vec<ConfigError>> for ConfigErrors {
    fn from(mut errors: Vec<ConfigError>) -> Self {
        let further = errors.len().saturating_sub(SHOWN_PROBLEMS);
        errors.truncate(SHOWN_PROBLEMS);
        Self { errors, further }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(formatter, "{error}\n")?;
        }
        let shown = self.errors.len();
        match (shown + self.further, self.further) {
            (1, _) => write!(formatter, "1 error; nothing was changed or started"),
            (all, 0) => write!(formatter, "{all} errors; nothing was changed or started"),
            (all, further) => write!(
                formatter,
                "{all} errors, of which the first {shown} are shown and {further} are not; \
                 nothing was changed or started"
            ),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// The first problems of a text, by their place in it, and how many more there are: however many
/// are noted, [`SHOWN_PROBLEMS`] are kept.
#[derive(Debug, Default)]
pub(crate) struct FirstProblems {
    /// By first byte, then in the order in which they were noted.
    kept: BTreeMap<(usize, usize), (Option<Span>, ConfigError)>,
    noted: usize,
}

impl FirstProblems {
    /// Whether a problem at this byte would be among the first of those noted so far. If not, it
    /// need not be put into words.
    pub(crate) fn would_keep(&self, start: usize) -> bool {
        self.kept.len() < SHOWN_PROBLEMS
            || self.kept.last_key_value().is_some_and(|((last, _), _)| start < *last)
    }

    /// Notes a problem; one without a span belongs to the whole file and comes first.
    pub(crate) fn note(&mut self, span: Option<Span>, error: ConfigError) {
        let start = span.as_ref().map_or(0, |span| span.start);
        if self.would_keep(start) {
            self.kept.insert((start, self.noted), (span, error));
            if self.kept.len() > SHOWN_PROBLEMS {
                self.kept.pop_last();
            }
        }
        self.noted += 1;
    }

    /// Counts a problem that [`FirstProblems::would_keep`] does not keep.
    pub(crate) fn count(&mut self) {
        self.noted += 1;
    }

    /// The problems with their places in `source`, and how many more there are.
    pub(crate) fn placed(self, source: &Source) -> (Vec<ConfigError>, usize) {
        let further = self.noted - self.kept.len();
        let place = |(span, error): (Option<Span>, ConfigError)| {
            let place = span.map(|span| source.place(&span));
            error.at(place)
        };
        (self.kept.into_values().map(place).collect(), further)
    }
}

/// The name among `known` that `found` was likely meant to be.
pub(crate) fn nearest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let found = found.to_lowercase().replace('-', "_");
    let allowed = (found.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| {
            let plain = name.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&found, &plain), name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a`, `b` or `c`, each in back quotes.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    join_or(&quoted)
}

/// Parts joined by commas and a last "or".
pub(crate) fn join_or(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
