//! Texts with groups of a regular expression in them.
//!
//! The rules are those of Go's `regexp.Expand`, which Prometheus uses: `$name` takes as many
//! letters, digits and underscores as follow, so `$1x` is the group `1x`; `${1}x` ends it; `$$` is a
//! dollar; a group that is not there is empty; a dollar that begins nothing stands for itself.

use regex::{Captures, Regex};

/// A text, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    /// A text without groups.
    pub(super) fn plain(text: &str) -> Self {
        Self(if text.is_empty() { Vec::new() } else { vec![Piece::Text(text.to_owned())] })
    }

    /// A text with groups of `regex`.
    pub(super) fn new(text: &str, regex: &Regex) -> Self {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                plain.push('$');
                rest = after;
                continue;
            }
            let Some((name, after)) = group_name(rest) else {
                plain.push('$');
                continue;
            };
            rest = after;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.extend(group(name, regex).map(Piece::Group));
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Self(pieces)
    }

    /// The text, if there are no groups in it.
    pub(super) fn as_plain(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with what the groups matched.
    pub(super) fn expand(&self, groups: &Captures<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    out.push_str(groups.get(*group).map_or("", |found| found.as_str()));
                }
            }
        }
        out
    }
}

/// The name after a dollar, and what follows it.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let (inner, in_braces) = match text.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let rest = if in_braces { rest.strip_prefix('}')? } else { rest };
    (!name.is_empty()).then_some((name, rest))
}

/// The number of a group; `None` if there is none of that name.
fn group(name: &str, regex: &Regex) -> Option<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && (name == "0" || !name.starts_with('0')) {
        return name.parse().ok().filter(|number| *number < regex.captures_len());
    }
    regex.capture_names().position(|known| known == Some(name))
}
