//! Where a text stops being a query.
//!
//! The parser says no more than that it is none. This looks for the usual reason: operands and
//! operators must alternate. It is asked only after the parser has refused, and what it does not
//! understand it does not judge.

/// What is wrong, and where in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub message: String,
    pub position: usize,
}

/// Where in an expression the next token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// At its start, or after an operator.
    Operand,
    /// At the start of a call's arguments, of which there may be none.
    OperandOrClose,
    /// After an operand.
    Operator,
}

/// The first token that cannot be where it is; `None` if none is found.
pub(super) fn find(text: &str) -> Option<Fault> {
    let mut rest = Tokens { text, position: 0 };
    let mut expected = Expected::Operand;
    let mut before = "";
    while let Some((position, token)) = rest.next() {
        let unexpected =
            |what: &str| Some(Fault { message: format!("unexpected {what}{token:?}"), position });
        let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
        let lower = token.to_ascii_lowercase();
        match lower.as_str() {
            // Modifiers have a grammar of their own.
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" | "offset"
            | "@" | "bool" | "fill" | "fill_left" | "fill_right" => return modified(token, rest),
            "(" if expected == Expected::Operator && !is_name(before) => return unexpected(""),
            "(" => {
                expected = if expected == Expected::Operator {
                    Expected::OperandOrClose
                } else {
                    Expected::Operand
                };
            }
            ")" if expected == Expected::Operand => return unexpected(""),
            ")" => expected = Expected::Operator,
            "," if expected != Expected::Operator => return unexpected(""),
            "," => expected = Expected::Operand,
            "{" | "[" if expected == Expected::Operator || lower == "{" => {
                rest.skip_to(if lower == "{" { '}' } else { ']' });
                expected = Expected::Operator;
            }
            "+" | "-" => expected = Expected::Operand,
            "and" | "or" | "unless" | "atan2" if expected == Expected::Operator => {
                expected = Expected::Operand;
            }
            _ if is_operator(token) => {
                if expected != Expected::Operator {
                    return unexpected("");
                }
                expected = Expected::Operand;
            }
            _ if expected == Expected::Operator => {
                return unexpected(if is_word { "identifier " } else { "" });
            }
            _ => expected = Expected::Operator,
        }
        before = token;
    }
    if expected == Expected::Operator {
        return None;
    }
    Some(Fault { message: "unexpected end of input".to_owned(), position: text.len() })
}

/// What a modifier's grammar is not asked for: that something must follow.
fn modified(modifier: &str, mut rest: Tokens<'_>) -> Option<Fault> {
    let position = rest.text.len();
    let message = format!("unexpected end of input after {modifier:?}");
    rest.next().is_none().then_some(Fault { message, position })
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn is_operator(token: &str) -> bool {
    matches!(
        token,
        "*" | "/" | "%" | "^" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "=" | "=~" | "!~"
    )
}

struct Tokens<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Tokens<'t> {
    /// A word, a number, a string, an operator, or one other character.
    fn next(&mut self) -> Option<(usize, &'t str)> {
        let mut trimmed = self.text[self.position..].trim_start();
        while trimmed.starts_with('#') {
            let end = trimmed.find('\n').unwrap_or(trimmed.len());
            trimmed = trimmed[end..].trim_start();
        }
        self.position = self.text.len() - trimmed.len();
        let first = trimmed.chars().next()?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
        let length = if is_part(first) {
            trimmed.find(|c| !is_part(c)).unwrap_or(trimmed.len())
        } else if matches!(first, '"' | '\'' | '`') {
            string_length(trimmed, first)
        } else if is_operator(trimmed.get(..2).unwrap_or_default()) {
            2
        } else {
            first.len_utf8()
        };
        let position = self.position;
        self.position += length;
        Some((position, &trimmed[..length]))
    }

    fn skip_to(&mut self, close: char) {
        while let Some((_, token)) = self.next() {
            if token.starts_with(close) {
                return;
            }
        }
    }
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, character) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' && quote != '`' {
            escaped = true;
        } else if character == quote {
            return place + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_out_of_place_is_named() {
        for (text, message, position) in [
            ("a b", "unexpected identifier \"b\"", 2),
            ("a +", "unexpected end of input", 3),
            ("1 + * 2", "unexpected \"*\"", 4),
            ("sum(a,)", "unexpected \")\"", 6),
            ("()", "unexpected \")\"", 1),
            ("a{b=\"c\"} 5", "unexpected \"5\"", 9),
            ("a = 5 6", "unexpected \"6\"", 6),
            ("# only this", "unexpected end of input", 11),
            ("a 'x'", "unexpected \"'x'\"", 2),
            ("(a)(b)", "unexpected \"(\"", 3),
            ("sum(a) by", "unexpected end of input after \"by\"", 9),
            ("a + on ", "unexpected end of input after \"on\"", 7),
        ] {
            let fault = Fault { message: message.to_owned(), position };
            assert_eq!(find(text), Some(fault), "{text}");
        }
    }

    #[test]
    fn what_is_a_query_has_no_fault() {
        for text in [
            "a",
            "time()",
            "sum(rate(a{b=~\"x|y\"}[5m])) / 2",
            "-a + +b",
            "a and b or c unless d",
            "\"text\"",
            "a[5m:1m]",
            "{a=\"b\"}",
            "(a) # end",
            "f(a, \"x\", 'y', `\\d`)",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
