//! Regular expressions as Prometheus means them: Go's syntax, anchored at both ends.
//!
//! Rust's crate reads nearly the same language, with two differences that change what matches: its
//! `\d`, `\w`, `\s` and `\b` know all of Unicode, and a dot leaves out line feeds (as it does in
//! Prometheus 2, but not in 3). Here the classes are ASCII's, which also compile to a hundredth of
//! the size, and a dot matches everything.
//!
//! Refused although Go takes them: `\Q…\E`, and braces that stand for themselves without a backslash.
//!
//! Source: <https://github.com/google/re2/wiki/Syntax>.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Bytes of memory that a compiled expression may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// An expression that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the regex `{pattern}` cannot be used: {reason}")]
pub struct PatternError {
    /// As written.
    pub pattern: String,
    /// Why not, perhaps in several lines.
    pub reason: String,
}

/// The expression that matches what the whole of a text is.
///
/// # Errors
/// When it is none, or takes too much memory.
pub fn anchored(pattern: &str) -> Result<Regex, PatternError> {
    let failed = |error: regex::Error| PatternError {
        pattern: pattern.to_owned(),
        reason: match error {
            regex::Error::CompiledTooBig(bytes) => {
                format!("it would take more than {bytes} bytes; match less with it")
            }
            other => other.to_string(),
        },
    };
    let build = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
    // Alone first, so that the error shows what was written, and so that `a)(b` is refused, which it
    // would not be between the parentheses of the anchors.
    if let Err(error @ regex::Error::Syntax(_)) = build(pattern) {
        return Err(failed(error));
    }
    build(&format!("^(?s:{})$", with_ascii_classes(pattern))).map_err(failed)
}

/// The pattern with Go's meaning of classes after a backslash. A class in brackets may hold another.
fn with_ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut characters, mut in_brackets) = (pattern.chars(), false);
    while let Some(character) = characters.next() {
        if character != '\\' {
            in_brackets = match character {
                '[' => true,
                ']' => false,
                _ => in_brackets,
            };
            out.push(character);
            continue;
        }
        let Some(escaped) = characters.next() else {
            out.push('\\');
            break;
        };
        match escaped {
            'd' => out.push_str("[0-9]"),
            'D' => out.push_str("[^0-9]"),
            's' => out.push_str(r"[\t\n\x0c\r ]"),
            'S' => out.push_str(r"[^\t\n\x0c\r ]"),
            'w' => out.push_str("[0-9A-Za-z_]"),
            'W' => out.push_str("[^0-9A-Za-z_]"),
            'b' if !in_brackets => out.push_str(r"(?-u:\b)"),
            other => out.extend(['\\', other]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_match_in_go() {
        for (pattern, text, matches) in [
            ("a|b", "a", true),
            ("a|b", "ab", false),
            ("", "", true),
            ("", "x", false),
            (".*", "a\nb", true),
            ("a.b", "a\nb", true),
            ("(?-s:a.b)", "a\nb", false),
            ("a", "a\n", false),
            (r"\d+", "12", true),
            (r"\d+", "١", false),
            (r"\w", "é", false),
            (r"\W", "é", true),
            (r"\S+", "é", true),
            (r"\s", "\u{a0}", false),
            (r"\s", "\u{b}", false),
            (r"[\d.]+", "1.2", true),
            (r"[^\d.]+", "1.2", false),
            (r"[^\d.]+", "é", true),
            (r"[\W]", "a", false),
            (r"a\b.*", "aé", true),
            (r"\\d", r"\d", true),
            (r"\[\d", "[1", true),
            (r"\pL", "é", true),
            (r"\p{Greek}", "é", false),
            ("(?i)é", "É", true),
            (r"a\.b\-c\/d\_e", "a.b-c/d_e", true),
            ("[[:alpha:]]+", "ab", true),
            (r"(\w{1,40})\.(\w{1,40})", "web-1.example", false),
        ] {
            assert_eq!(anchored(pattern).unwrap().is_match(text), matches, "{pattern} {text:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for pattern in ["a(b", "a)(b", "*", r"\", "{a}", r"\Qa\E", "[a", "(?!a)", r"(a)\1"] {
            let message = anchored(pattern).unwrap_err().to_string();
            let beginning = format!("the regex `{pattern}` cannot be used: regex parse error:");
            assert_eq!(message.lines().next(), Some(&*beginning));
        }
        assert_eq!(
            anchored("(a{1000}){1000}").unwrap_err().to_string(),
            "the regex `(a{1000}){1000}` cannot be used: it would take more than 1048576 bytes; \
             match less with it"
        );
    }
}
