//! From a place in a YAML text to its place in the file.
//!
//! YAML folds lines, strips indentation and resolves escapes, so the two do not run alike. What
//! never changes is the order of what is no white space: the n-th such character of the value is
//! the n-th of the source. That holds for every style, and needs none of YAML's rules of folding.

use saphyr_parser::ScalarStyle;

use super::document::Scalar;
use crate::config::problem::Span;

/// Where the byte `offset` of `scalar`, which stands at `span` of `source`, stands in it.
pub(super) fn within(source: &str, span: &Span, scalar: &Scalar, offset: usize) -> Span {
    let Some(before) = scalar.text.get(..offset.min(scalar.text.len())) else {
        return span.clone();
    };
    let wanted = before.chars().filter(|character| !character.is_whitespace()).count();
    let Some(text) = source.get(span.clone()) else { return span.clone() };
    let mut last = span.clone();
    let inner = content(text, scalar.style);
    let mut characters = Characters { text: &text[inner.clone()], at: 0, style: scalar.style };
    let base = span.start + inner.start;
    let mut seen = 0;
    while let Some((place, visible)) = characters.next() {
        if !visible {
            continue;
        }
        last = base + place.start..base + place.end;
        if seen == wanted {
            return last;
        }
        seen += 1;
    }
    // It is at the end: behind the last character that counts.
    last.end..last.end
}

/// The bytes of a scalar's source that hold its text: without quotes and without the header of a
/// block.
fn content(text: &str, style: ScalarStyle) -> Span {
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if text.len() >= 2 => {
            1..text.len() - 1
        }
        ScalarStyle::Literal | ScalarStyle::Folded if text.starts_with(['|', '>']) => {
            text.find('\n').map_or(0, |end| end + 1)..text.len()
        }
        _ => 0..text.len(),
    }
}

struct Characters<'a> {
    text: &'a str,
    at: usize,
    style: ScalarStyle,
}

impl Characters<'_> {
    /// The bytes of the next character as written, and whether it is one that counts.
    fn next(&mut self) -> Option<(Span, bool)> {
        let rest = &self.text[self.at..];
        let mut characters = rest.chars();
        let first = characters.next()?;
        let (length, visible) = match (self.style, first, characters.next()) {
            (ScalarStyle::SingleQuoted, '\'', Some('\'')) => (2, true),
            (ScalarStyle::DoubleQuoted, '\\', Some(escape)) => {
                let digits = match escape {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                let visible = !matches!(
                    escape,
                    'n' | 't' | 'r' | ' ' | '\t' | '\n' | '\r' | '_' | 'f' | 'v' | 'N' | 'L' | 'P'
                );
                ((1 + escape.len_utf8() + digits).min(rest.len()), visible)
            }
            _ => (first.len_utf8(), !first.is_whitespace()),
        };
        let start = self.at;
        self.at = start + length;
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        Some((start..self.at, visible))
    }
}
