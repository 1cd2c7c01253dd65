//! Regular expressions as JMeter's plans write them, for the engine that Plimsoll uses.
//!
//! Both are Perl's in the main. What differs in notation is rewritten: braces and brackets that
//! stand for themselves, `\Q…\E`, `\<`, `\Z`. What the engine cannot do (looking ahead and behind,
//! references to groups) is refused by it, with its reason.

use regex::Regex;

use crate::config::bench::model::Pattern;

/// The expression.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn compile(text: &str) -> Result<Pattern, String> {
    let reason = |error: regex::Error| match error {
        regex::Error::Syntax(text) => {
            let last = text.lines().rfind(|line| line.trim_start().starts_with("error:"));
            last.unwrap_or("error: not understood").trim().trim_start_matches("error: ").to_owned()
        }
        other => other.to_string(),
    };
    Regex::new(&rewritten(text)).map(Pattern).map_err(reason)
}

/// Whether a text means itself as an expression.
pub(super) fn is_literal(text: &str) -> bool {
    !text.contains(['\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$'])
}

fn rewritten(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    let mut in_class = false;
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let next = characters.get(at + 1).copied();
        at += 1;
        match (character, next) {
            ('\\', Some('Q')) => {
                at += 1;
                let rest: String = characters[at..].iter().collect();
                let quoted = rest.split("\\E").next().unwrap_or_default();
                out.push_str(&regex::escape(quoted));
                at += quoted.chars().count() + 2;
            }
            ('\\', Some(plain @ ('<' | '>'))) => {
                out.push(plain);
                at += 1;
            }
            ('\\', Some('Z')) => {
                out.push_str("\\z");
                at += 1;
            }
            ('\\', Some(other)) => {
                out.extend(['\\', other]);
                at += 1;
            }
            ('[', _) if in_class => {
                out.push_str(if next == Some(':') { "[" } else { "\\[" });
                if next == Some(':') {
                    // `[:alpha:]` ends with a bracket that does not end the class.
                    while let Some(&inner) = characters.get(at) {
                        out.push(inner);
                        at += 1;
                        if inner == ']' {
                            break;
                        }
                    }
                }
            }
            ('[', _) => {
                in_class = true;
                out.push('[');
                // A bracket right after the beginning stands for itself.
                if characters.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                if characters.get(at) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            (']', _) => {
                in_class = false;
                out.push(']');
            }
            ('&' | '~', Some(twice)) if in_class && twice == character => {
                out.extend(['\\', character]);
            }
            ('{', _) if !in_class && !is_repetition(&characters[at..]) => out.push_str("\\{"),
            (other, _) => out.push(other),
        }
    }
    out
}

/// Whether what follows a brace is `3}`, `3,}` or `3,5}`.
fn is_repetition(after: &[char]) -> bool {
    let end = after.iter().position(|character| *character == '}');
    let inner = end.map_or(&[][..], |end| &after[..end]);
    inner.first().is_some_and(char::is_ascii_digit)
        && inner.iter().all(|character| character.is_ascii_digit() || *character == ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_that_differs_is_rewritten() {
        for (given, expected) in [
            (r#"{"id":(\d+)}"#, r#"\{"id":(\d+)}"#),
            (r"a{2,3}b{4}", r"a{2,3}b{4}"),
            (r"[a[b]", r"[a\[b]"),
            (r"[]x]", r"[\]x]"),
            (r"[[:alpha:]_]", r"[[:alpha:]_]"),
            (r"\<b\>", r"<b>"),
            (r"\Qa.b\Ec+", r"a\.bc+"),
            (r"end\Z", r"end\z"),
        ] {
            assert_eq!(rewritten(given), expected, "{given}");
            assert!(compile(given).is_ok(), "{given}");
        }
        assert!(compile(r#"name="t" value="(?i:.+?)""#).is_ok());
        let reason = compile("a(?=b)").unwrap_err();
        assert!(reason.contains("look-around"), "{reason}");
        assert_eq!(compile(r"(a)\1").unwrap_err(), "backreferences are not supported");
    }
}
