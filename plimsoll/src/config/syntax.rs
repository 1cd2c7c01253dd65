//! Text that is not TOML, said kindly.
//!
//! The parser's own words name what its grammar expected; people need what to write instead. Of
//! several problems only the first is told, since the others are often its echoes; keys that are
//! there twice have no echoes and are all told.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::problem::{ConfigError, ConfigErrors, SHOWN_PROBLEMS, Source, Span};
use super::quantity;

/// What the parser says about a key that is there twice.
const DUPLICATE: &str = "duplicate key";

/// What the parser says, by its beginning; what to say instead; what to do.
const WORDS: [(&str, &str, &str); 13] = [
    ("invalid basic string", "this text has no closing quote", "close it with \""),
    ("invalid literal string", "this text has no closing quote", "close it with '"),
    ("invalid multi-line", "this text has no closing quotes", "close it with three quotes"),
    ("unclosed array", "this list has no closing bracket", "close it with ]"),
    (
        "missing comma between array elements",
        "this list has no closing bracket, or lacks a comma before this",
        "close the list with ], or put a comma between its values",
    ),
    ("unclosed table", "this [section] has no closing bracket", "close it with ]"),
    ("unclosed inline table", "this table has no closing brace", "close it with }"),
    ("missing comma", "a comma is missing before this", "put commas between the keys in { }"),
    (
        "invalid unquoted key",
        "this character cannot stand in a key without quotes",
        "put the key in quotes; without them it has letters, digits, `-` and `_`",
    ),
    (
        "missing escaped value",
        "`\\` in text needs a partner",
        "write \\\\ for the character itself, or put the text in 'single quotes'",
    ),
    (
        "unexpected key or value",
        "there is something after the value",
        "put each key on a line of its own",
    ),
    ("key with no value", "this key has no value", "write KEY = VALUE"),
    (
        "cannot extend value",
        "this key has a value already, and cannot be a table too",
        "remove one of the two",
    ),
];

/// The problems of a text that is not TOML. `section` is a header that such a file may have.
pub(super) fn errors(source: &Source, section: &str) -> ConfigErrors {
    let (_, errors) = DeTable::parse_recoverable(&source.text);
    let first_other = errors.iter().position(|error| error.message() != DUPLICATE);
    let told = errors.iter().enumerate().filter(|(index, error)| {
        error.message() == DUPLICATE || first_other.is_some_and(|first| first == *index)
    });
    let mut told: Vec<(Span, &str)> =
        told.map(|(_, error)| (error.span().unwrap_or(0..0), error.message())).collect();
    told.sort_by_key(|(span, _)| span.start);
    leave_out_echoes(source, &mut told);
    let shown = told.iter().take(SHOWN_PROBLEMS);
    let errors: Vec<ConfigError> =
        shown.map(|(span, message)| problem(source, message, span, section)).collect();
    ConfigErrors { further: told.len() - errors.len(), errors }
}

/// Of a `[section]` that is there twice, its keys may be so too: that goes without saying.
fn leave_out_echoes(source: &Source, told: &mut Vec<(Span, &str)>) {
    let headers: Vec<usize> = (1..)
        .zip(source.text.lines())
        .filter(|(_, line)| header(line).is_some())
        .map(|(line, _)| line)
        .collect();
    // The header of the section that each duplicate is in, or is itself.
    let section = |span: &Span| {
        let line = source.line(span.start);
        headers[..headers.partition_point(|header| *header <= line)].last().copied()
    };
    let twice: BTreeSet<usize> = told
        .iter()
        .filter(|(span, message)| {
            *message == DUPLICATE && section(span) == Some(source.line(span.start))
        })
        .map(|(span, _)| source.line(span.start))
        .collect();
    told.retain(|(span, message)| {
        let own = section(span);
        *message != DUPLICATE
            || own == Some(source.line(span.start))
            || own.is_none_or(|own| !twice.contains(&own))
    });
}

fn problem(source: &Source, message: &str, span: &Span, section: &str) -> ConfigError {
    let place = Some(source.place(span));
    if message == DUPLICATE {
        return duplicate(source, span).at(place);
    }
    let found = source.shown(span);
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let words = WORDS.iter().find(|(beginning, ..)| what.starts_with(beginning));
    let error = if what == "string values must be quoted" {
        unquoted(&found)
    } else if source.text.trim_start().starts_with('{') && span.start <= 1 {
        ConfigError::new("", "this looks like JSON; the configuration is TOML")
            .remedy(format!("write {section} on a line, and its keys as KEY = VALUE below it"))
    } else if let Some((_, message, remedy)) = words {
        ConfigError::new("", *message).remedy(*remedy)
    } else {
        let remedy = match expected {
            "" => "see https://toml.io for how values are written".to_owned(),
            "nothing" => "remove it".to_owned(),
            expected => format!("expected {expected}"),
        };
        ConfigError::new("", format!("this is not TOML: {what}")).remedy(remedy)
    };
    let error = if found.is_empty() { error } else { error.found(found) };
    error.at(place)
}

/// A value without quotes: a duration, a size, or a word.
fn unquoted(found: &str) -> ConfigError {
    if found.is_empty() {
        return ConfigError::new("", "the value is missing").remedy("write KEY = VALUE");
    }
    let is_quantity = quantity::duration(found).is_ok()
        || quantity::size(found).is_ok()
        || quantity::percent(found).is_ok();
    let flag = match found {
        "yes" | "on" | "True" | "TRUE" => Some("true"),
        "no" | "off" | "False" | "FALSE" | "none" | "null" | "nil" => Some("false"),
        _ => None,
    };
    if let Some(flag) = flag {
        return ConfigError::new("", "this word is not a value").remedy(format!("write {flag}"));
    }
    let what =
        if is_quantity { "a number with a unit stands in quotes" } else { "text stands in quotes" };
    ConfigError::new("", what).remedy(format!("write {found:?}"))
}

/// A key, or a `[section]`, that is there twice.
fn duplicate(source: &Source, span: &Span) -> ConfigError {
    let text = &source.text;
    let name = source.shown(span);
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let before: Vec<&str> = text[..start].lines().collect();
    let (key, message, earlier, remedy) = match header(line) {
        Some(section) => {
            let twice = before.iter().rposition(|line| header(line).as_ref() == Some(&section));
            let message = format!("the section [{section}] is there twice");
            let remedy = "put its keys under the first one";
            match twice {
                Some(earlier) => (section, message, Some(earlier), remedy),
                None => {
                    let message = format!("`{name}` is set already, and cannot be a section too");
                    let remedy = "put everything into the one or the other";
                    let earlier = set_in_parent(&before, &section);
                    (section, message, earlier, remedy)
                }
            }
        }
        None => {
            let section = before.iter().rfind(|line| header(line).is_some());
            let section = section.and_then(|line| header(line)).unwrap_or_default();
            let inline = line.split([',', '{']).take_while(|part| !part.contains(&name)).count();
            let key = match section.as_str() {
                // A key within { } is named alone: its table's own key is on the line shown.
                _ if inline > 0 => name.clone(),
                "" => name.clone(),
                section => format!("{section}.{name}"),
            };
            let within = &text[start..span.start];
            let earlier = match within.split([',', '{']).any(|part| sets(part, &name)) {
                true => Some(before.len()),
                false => set_in_section(&before, before.len(), &name),
            };
            (key, format!("the key `{name}` is there twice"), earlier, "remove one of them")
        }
    };
    let error = ConfigError::new(key, message).remedy(remedy);
    match earlier {
        Some(index) => error.note(format!("first in line {}", index + 1)),
        None => error,
    }
}

/// The name of a section, if the line begins one.
fn header(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let name = line.strip_prefix('[')?.trim_end_matches(']').trim_start_matches('[');
    Some(name.chars().filter(|c| !c.is_whitespace()).collect())
}

/// The lines, from 1, that set the top-level `key` or are part of the section of that name. Made
/// for text that is not TOML, so it goes by how lines begin.
pub(super) fn lines_of<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = usize> + 'a {
    let mut section = String::new();
    text.lines().enumerate().filter_map(move |(index, line)| {
        if let Some(name) = header(line) {
            section = name;
        }
        let inside =
            section == key || section.strip_prefix(key).is_some_and(|it| it.starts_with('.'));
        (inside || (section.is_empty() && sets(line, key))).then_some(index + 1)
    })
}

/// Whether `part` of a line sets `key`.
fn sets(part: &str, key: &str) -> bool {
    let rest = part.trim_start().strip_prefix(key).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with(['=', '.']))
}

/// The last line before `end` that sets `key` in the same section.
fn set_in_section(lines: &[&str], end: usize, key: &str) -> Option<usize> {
    let start = lines[..end].iter().rposition(|line| header(line).is_some()).unwrap_or(0);
    lines[start..end].iter().rposition(|line| sets(line, key)).map(|index| start + index)
}

/// The line that sets the last part of `section` in the section above it.
fn set_in_parent(lines: &[&str], section: &str) -> Option<usize> {
    let (parent, key) = section.rsplit_once('.').unwrap_or(("", section));
    let start = match parent {
        "" => 0,
        parent => lines.iter().position(|line| header(line).as_deref() == Some(parent))? + 1,
    };
    let length = lines[start..].iter().take_while(|line| header(line).is_none()).count();
    set_in_section(&lines[start..start + length], length, key).map(|index| start + index)
}
