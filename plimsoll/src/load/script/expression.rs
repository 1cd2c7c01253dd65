//! Expressions that are texts until they are rendered: `200 == 200 && "a" != "b"`.
//!
//! The part of JEXL and JavaScript that conditions of real plans are made of: comparisons (as signs
//! or words: `eq`, `ne`, `lt`…), `&&`, `||`, `!` (`and`, `or`, `not`), `=~` and `!~` with a regular
//! expression, arithmetic, brackets, texts in quotes, numbers, `true` and `false`. A word without
//! quotes is a text, because variables are filled in before the expression is read.
//!
//! Invariants: depth and length are bounded.
//! Left out: variables, methods and assignments of the scripting languages.

use std::borrow::Cow;

use regex::Regex;

use crate::config::bench::model::Comparison;

/// Most nested brackets and signs.
const DEPTH_MAX: usize = 64;

/// Compares as numbers if both are, else as texts.
pub(super) fn compare(left: &str, comparison: Comparison, right: &str) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (left, right) = (left.trim(), right.trim());
    // Whole numbers beyond 2^53 are told apart too.
    let order = match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => Some(left.cmp(&right)),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(left.cmp(right)),
        },
    };
    match comparison {
        Comparison::Equal => order == Some(Equal),
        Comparison::NotEqual => order != Some(Equal),
        Comparison::Less => order == Some(Less),
        Comparison::LessOrEqual => matches!(order, Some(Less | Equal)),
        Comparison::Greater => order == Some(Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
    }
}

/// A number as people write it; `nan`, `inf` and the like are texts.
fn number(text: &str) -> Option<f64> {
    let first = text.bytes().find(|byte| !b"+-.".contains(byte))?;
    if first.is_ascii_digit() { text.parse().ok() } else { None }
}

/// Whether an expression holds. The error says in words what is wrong with it.
pub(super) fn holds(text: &str) -> Result<bool, String> {
    let wrong = |why: String| format!("“{text}” is no condition: {why}");
    let tokens = tokens(text).map_err(&wrong)?;
    let mut reader = Reader { tokens: &tokens, depth: 0 };
    let value = reader.any().map_err(&wrong)?;
    match reader.tokens.first() {
        None => Ok(truth(&value)),
        Some(token) => Err(wrong(format!("“{}” is one too many", token.text()))),
    }
}

/// Whether a value counts as true.
fn truth(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

/// A part of an expression.
#[derive(Debug, PartialEq)]
enum Token<'t> {
    /// A sign, or a word that stands for one.
    Sign(&'static str),
    /// A text in quotes.
    Quoted(Cow<'t, str>),
    /// A number, or a word.
    Word(&'t str),
}

impl Token<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Sign(text) => text,
            Self::Quoted(text) => text,
            Self::Word(text) => text,
        }
    }
}

/// Signs, longer ones first where one begins as another.
const SIGNS: [&str; 18] = [
    "&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "<", ">", "!", "(", ")", "+", "-", "*", "/",
    "%",
];
/// Words that stand for signs.
const WORDS: [(&str, &str); 9] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("eq", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (token, after) = quoted(&rest[1..], first)?;
            tokens.push(Token::Quoted(token));
            rest = after;
        } else {
            let is_word = |letter: char| {
                letter.is_alphanumeric() || "_.:$@{}#,;?[]".contains(letter) || !letter.is_ascii()
            };
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("“{first}” means nothing there"));
            }
            let word = &rest[..end];
            tokens.push(match WORDS.into_iter().find(|(name, _)| *name == word) {
                Some((_, sign)) => Token::Sign(sign),
                None => Token::Word(word),
            });
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str, quote: char) -> Result<(Cow<'_, str>, &str), String> {
    let mut out = None::<String>;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            let after = &text[at + 1..];
            return Ok((out.map_or(Cow::Borrowed(&text[..at]), Cow::Owned), after));
        }
        if letter != '\\' {
            if let Some(out) = &mut out {
                out.push(letter);
            }
            continue;
        }
        let out = out.get_or_insert_with(|| text[..at].to_owned());
        match letters.next() {
            Some((_, 'n')) => out.push('\n'),
            Some((_, 't')) => out.push('\t'),
            Some((_, letter)) if letter == quote || letter == '\\' => out.push(letter),
            // Other escapes belong to a regular expression.
            Some((_, letter)) => out.extend(['\\', letter]),
            None => break,
        }
    }
    Err(format!("its {quote} stays open"))
}

struct Reader<'r, 't> {
    tokens: &'r [Token<'t>],
    depth: usize,
}

type Value<'t> = Cow<'t, str>;

impl<'t> Reader<'_, 't> {
    /// Takes the next token if it is one of these signs.
    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Sign(sign)) = self.tokens.first() else { return None };
        let sign = *signs.iter().find(|one| *one == sign)?;
        self.tokens = &self.tokens[1..];
        Some(sign)
    }

    fn any(&mut self) -> Result<Value<'t>, String> {
        let mut left = self.all()?;
        while self.sign(&["||"]).is_some() {
            let right = self.all()?;
            left = boolean(truth(&left) || truth(&right));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Value<'t>, String> {
        let mut left = self.comparison()?;
        while self.sign(&["&&"]).is_some() {
            let right = self.comparison()?;
            left = boolean(truth(&left) && truth(&right));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Value<'t>, String> {
        let left = self.sum()?;
        let signs = ["==", "!=", "<=", ">=", "<", ">", "=~", "!~"];
        let Some(sign) = self.sign(&signs) else { return Ok(left) };
        let right = self.sum()?;
        let comparison = match sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<=" => Comparison::LessOrEqual,
            ">=" => Comparison::GreaterOrEqual,
            "<" => Comparison::Less,
            ">" => Comparison::Greater,
            _ => {
                let anchored = Regex::new(&format!(r"\A(?:{right})\z"));
                let anchored =
                    anchored.map_err(|_| format!("“{right}” is no regular expression"))?;
                return Ok(boolean(anchored.is_match(&left) == (sign == "=~")));
            }
        };
        Ok(boolean(compare(&left, comparison, &right)))
    }

    fn sum(&mut self) -> Result<Value<'t>, String> {
        let mut left = self.product()?;
        while let Some(sign) = self.sign(&["+", "-"]) {
            let right = self.product()?;
            left = match (number(&left), number(&right), sign) {
                (Some(left), Some(right), "+") => (left + right).to_string().into(),
                (Some(left), Some(right), _) => (left - right).to_string().into(),
                // As in the languages that it comes from.
                (_, _, "+") => format!("{left}{right}").into(),
                // A word such as `a-b`.
                _ => format!("{left}-{right}").into(),
            };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Value<'t>, String> {
        let mut left = self.single()?;
        while let Some(sign) = self.sign(&["*", "/", "%"]) {
            let right = self.single()?;
            left = match (number(&left), number(&right), sign) {
                (Some(left), Some(right), "*") => (left * right).to_string().into(),
                (Some(left), Some(right), "%") => (left % right).to_string().into(),
                (Some(left), Some(right), _) => (left / right).to_string().into(),
                _ => format!("{left}{sign}{right}").into(),
            };
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Value<'t>, String> {
        if self.depth >= DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX}"));
        }
        self.depth += 1;
        let value = match self.sign(&["!", "-", "("]) {
            Some("!") => boolean(!truth(&self.single()?)),
            Some("-") => {
                let value = self.single()?;
                number(&value).map_or(format!("-{value}"), |number| (-number).to_string()).into()
            }
            Some(_) => {
                let value = self.any()?;
                self.sign(&[")"]).ok_or("its “(” stays open")?;
                value
            }
            None => match self.tokens.split_first() {
                Some((Token::Quoted(text), rest)) => {
                    self.tokens = rest;
                    text.clone()
                }
                Some((Token::Word(word), rest)) => {
                    self.tokens = rest;
                    Cow::Borrowed(*word)
                }
                Some((Token::Sign(sign), _)) => {
                    return Err(format!("a value is missing before “{sign}”"));
                }
                None => return Err("a value is missing at its end".to_owned()),
            },
        };
        self.depth -= 1;
        Ok(value)
    }
}

fn boolean(holds: bool) -> Cow<'static, str> {
    Cow::Borrowed(if holds { "true" } else { "false" })
}

#[cfg(test)]
mod tests;
