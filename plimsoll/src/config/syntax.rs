//! Text that is not TOML, said kindly.
//!
//! The parser's own words name what its grammar expected; people need what to write instead. Only
//! the first problem is told, since those after it are often its echoes; duplicate keys have no
//! echoes and are all told.

use toml::de::DeTable;

use super::problem::{ConfigError, ConfigErrors, Source, Span};
use super::quantity;

/// What the parser says about a key that is there twice.
const DUPLICATE: &str = "duplicate key";

/// The problems of a text that is not TOML.
pub(super) fn errors(source: &Source) -> ConfigErrors {
    let (_, errors) = DeTable::parse_recoverable(&source.text);
    let first_other = errors.iter().position(|error| error.message() != DUPLICATE);
    let told = errors.iter().enumerate().filter(|(index, error)| {
        error.message() == DUPLICATE || first_other.is_some_and(|first| first == *index)
    });
    let mut problems: Vec<(usize, ConfigError)> = told
        .map(|(_, error)| {
            let span = error.span().unwrap_or(0..0);
            (span.start, problem(source, error.message(), &span))
        })
        .collect();
    problems.sort_by_key(|(start, _)| *start);
    ConfigErrors { errors: problems.into_iter().map(|(_, error)| error).collect() }
}

fn problem(source: &Source, message: &str, span: &Span) -> ConfigError {
    let place = Some(source.place(span));
    if message == DUPLICATE {
        return duplicate(source, span).at(place);
    }
    let found = source.shown(span);
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let mut error = if what == "string values must be quoted" {
        unquoted(&found)
    } else if what == "unexpected key or value" {
        ConfigError::new("", "there is something after the value")
            .remedy("put each key on a line of its own; inside { } put commas between them")
    } else if what == "key with no value" {
        ConfigError::new("", "this key has no value").remedy("write KEY = VALUE")
    } else if what.starts_with("unclosed") || what.starts_with("invalid") {
        ConfigError::new("", format!("this is not TOML: {what}"))
    } else if what.starts_with("cannot extend value of type") {
        ConfigError::new("", "this key has a value already, and cannot be a table too")
            .remedy("remove one of the two")
    } else {
        ConfigError::new("", format!("this is not TOML: {what}"))
    };
    if let (Some(expected), None) = (expected, &error.remedy) {
        error = error.remedy(format!("expected {}", expected.replace(", ", " or ")));
    }
    if error.remedy.is_none() {
        error = error.remedy("see https://toml.io for how values are written");
    }
    if !found.is_empty() && error.found.is_none() {
        error = error.found(found);
    }
    error.at(place)
}

/// A value without quotes: a duration, a size, or a word.
fn unquoted(found: &str) -> ConfigError {
    if found.is_empty() {
        return ConfigError::new("", "the value is missing").remedy("write KEY = VALUE");
    }
    let quantity = quantity::duration(found).is_ok()
        || quantity::size(found).is_ok()
        || quantity::percent(found).is_ok();
    let what =
        if quantity { "a quantity with a unit stands in quotes" } else { "text stands in quotes" };
    let remedy = match found {
        "yes" | "on" | "True" | "TRUE" => "write true".to_owned(),
        "no" | "off" | "False" | "FALSE" | "none" | "null" | "nil" => "write false".to_owned(),
        other => format!("write \"{}\"", other.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    ConfigError::new("", what).remedy(remedy)
}

/// A key, or a `[section]`, that is there twice.
fn duplicate(source: &Source, span: &Span) -> ConfigError {
    let text = &source.text;
    let key = source.shown(span);
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let header = line.trim_start().starts_with('[');
    let (message, earlier, remedy) = if header {
        let header = line.split('#').next().unwrap_or_default().trim();
        let message = format!("the section {header} is there twice");
        (
            message,
            earlier_line(text, line_start, |line| same_header(line, header)),
            "put its keys under the first one",
        )
    } else {
        let message = format!("the key `{key}` is there twice");
        (message, earlier_key(text, line_start, span, &key), "remove one of them")
    };
    let error = ConfigError::new(key.clone(), message).remedy(remedy);
    match earlier {
        Some(line) => error.note(format!("first in line {line}")),
        None => error,
    }
}

fn same_header(line: &str, header: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    plain(line.split('#').next().unwrap_or_default()) == plain(header)
}

/// The number, from 1, of the last line before `end` that `wanted` accepts.
fn earlier_line(text: &str, end: usize, wanted: impl Fn(&str) -> bool) -> Option<usize> {
    let lines: Vec<&str> = text[..end].lines().collect();
    lines.iter().rposition(|line| wanted(line)).map(|index| index + 1)
}

/// The line of the same key earlier in the same line, or in the same section.
fn earlier_key(text: &str, line_start: usize, span: &Span, key: &str) -> Option<usize> {
    let number = text[..line_start].matches('\n').count() + 1;
    let sets = |part: &str| {
        let part = part.trim_start().trim_start_matches(['{', ',', ' ']);
        let rest = part.strip_prefix(key).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', '.']))
    };
    if text[line_start..span.start].split([',', '{']).any(sets) {
        return Some(number);
    }
    let lines: Vec<&str> = text[..line_start].lines().collect();
    let section = lines.iter().rposition(|line| line.trim_start().starts_with('[')).unwrap_or(0);
    let as_header = |line: &str| {
        let name = line.trim().trim_matches(['[', ']']);
        name == key || name.ends_with(&format!(".{key}"))
    };
    let in_section =
        lines[section..].iter().rposition(|line| sets(line)).map(|at| section + at + 1);
    in_section.or_else(|| lines.iter().rposition(|line| as_header(line)).map(|at| at + 1))
}
