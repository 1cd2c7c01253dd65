//! What a query's text must pass before the parser sees it.
//!
//! The parser's tree is walked and dropped by recursion, so that a text of a thousand brackets or a
//! chain of ten thousand operators would overflow the stack; and it takes any number for a duration.
//! One pass over the text bounds both. The same pass rewrites what the parser reads otherwise than
//! Prometheus: raw strings (`` `\d+` ``), in which it would take a backslash for the start of an
//! escape sequence, and digits grouped as in `1_000`.
//!
//! Invariant: a text that passes yields a tree no deeper than [`NESTING_MAX`] and some.

use std::iter::Peekable;
use std::str::CharIndices;

use super::outcome::QueryError;

/// Length of a query, bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Operators, brackets and signs around one term. A chain `a + b + c` nests one in the other too.
pub const NESTING_MAX: usize = 128;
/// Longest duration, seconds: thirty thousand years.
pub(super) const DURATION_SECONDS_MAX: f64 = 1e12;

/// The text as the parser may have it.
///
/// # Errors
/// [`QueryError::Parse`] if it is too long, nested too deeply, or has a duration out of range.
pub(super) fn screen(text: &str) -> Result<String, QueryError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("query is {} bytes long, the bound is {TEXT_BYTES_MAX}", text.len());
        return Err(QueryError::Parse { message, position: None });
    }
    let mut screen = Screen {
        text,
        rest: text.char_indices().peekable(),
        screened: String::with_capacity(text.len()),
        levels: vec![Level::default()],
        duration_next: false,
    };
    while let Some((position, character)) = screen.rest.next() {
        screen.character(position, character)?;
    }
    Ok(screen.screened)
}

struct Screen<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
    screened: String,
    levels: Vec<Level>,
    /// The next number is a duration.
    duration_next: bool,
}

/// What is between a pair of parentheses.
#[derive(Default)]
struct Level {
    /// Operators since the last comma.
    operators: usize,
    /// The deepest nesting in it that has been closed.
    inner: usize,
}

impl Screen<'_> {
    fn character(&mut self, position: usize, character: char) -> Result<(), QueryError> {
        match character {
            '"' | '\'' => return self.string(position, character),
            '`' => return self.raw_string(position),
            '#' => return self.comment(),
            '{' => return self.matchers(),
            'a'..='z' | 'A'..='Z' | '_' | ':' | '0'..='9' | '.' => {
                return self.word(position, character);
            }
            '(' => self.levels.push(Level::default()),
            ')' => self.close(),
            ',' => {
                if let Some(level) = self.levels.last_mut() {
                    level.inner = level.inner.max(level.operators);
                    level.operators = 0;
                }
            }
            '[' => {
                self.operator();
                self.duration_next = true;
            }
            '+' | '-' | '*' | '/' | '%' | '^' | '=' | '!' | '<' | '>' | '~' | '@' => {
                self.operator();
            }
            _ => {}
        }
        self.screened.push(character);
        if self.depth() > NESTING_MAX {
            let message = format!("query is nested too deeply, the bound is {NESTING_MAX} levels");
            return Err(QueryError::Parse { message, position: Some(position) });
        }
        Ok(())
    }

    fn operator(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.operators += 1;
        }
    }

    fn close(&mut self) {
        // A parenthesis too many is for the parser to report.
        if self.levels.len() > 1
            && let Some(closed) = self.levels.pop()
            && let Some(outer) = self.levels.last_mut()
        {
            outer.inner = outer.inner.max(closed.operators + closed.inner + 1);
        }
    }

    fn depth(&self) -> usize {
        let open: usize = self.levels.iter().map(|level| level.operators + 1).sum();
        open + self.levels.iter().map(|level| level.inner).max().unwrap_or_default()
    }

    fn string(&mut self, position: usize, quote: char) -> Result<(), QueryError> {
        self.screened.push(quote);
        while let Some((_, character)) = self.rest.next() {
            self.screened.push(character);
            if character == quote {
                return Ok(());
            }
            if character == '\\'
                && let Some((_, escaped)) = self.rest.next()
            {
                self.screened.push(escaped);
            }
        }
        Err(unterminated("quoted string", position))
    }

    fn raw_string(&mut self, position: usize) -> Result<(), QueryError> {
        self.screened.push('"');
        for (_, character) in self.rest.by_ref() {
            match character {
                '`' => {
                    self.screened.push('"');
                    return Ok(());
                }
                '"' => self.screened.push_str("\\\""),
                '\\' => self.screened.push_str("\\\\"),
                '\n' => self.screened.push_str("\\n"),
                other => self.screened.push(other),
            }
        }
        Err(unterminated("raw string", position))
    }

    fn comment(&mut self) -> Result<(), QueryError> {
        for (_, character) in self.rest.by_ref() {
            if character == '\n' || character == '\r' {
                break;
            }
        }
        self.screened.push('\n');
        Ok(())
    }

    /// What is in braces does not nest.
    fn matchers(&mut self) -> Result<(), QueryError> {
        self.screened.push('{');
        while let Some((position, character)) = self.rest.next() {
            match character {
                '"' | '\'' => self.string(position, character)?,
                '`' => self.raw_string(position)?,
                '#' => self.comment()?,
                other => {
                    self.screened.push(other);
                    if other == '}' {
                        return Ok(());
                    }
                }
            }
        }
        // The parser says what is missing.
        Ok(())
    }

    fn word(&mut self, position: usize, first: char) -> Result<(), QueryError> {
        let mut end = position + first.len_utf8();
        while let Some((place, character)) =
            self.rest.next_if(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.'))
        {
            end = place + character.len_utf8();
            // An exponent's sign belongs to the number.
            if matches!(character, 'e' | 'E')
                && (first.is_ascii_digit() || first == '.')
                && let Some((place, sign)) = self.rest.next_if(|(_, c)| matches!(c, '+' | '-'))
            {
                end = place + sign.len_utf8();
            }
        }
        let word = &self.text[position..end];
        if first.is_ascii_digit() || first == '.' {
            self.digits(word);
        } else {
            self.screened.push_str(word);
        }
        if self.duration_next && !self.is_duration(word) {
            let message = format!("duration out of range: {word}");
            return Err(QueryError::Parse { message, position: Some(position) });
        }
        self.duration_next = self.text[..end].ends_with(':');
        if matches_keyword(word, &["offset"]) {
            self.duration_next = true;
            self.operator();
        } else if matches_keyword(word, &["and", "or", "unless", "atan2"]) {
            self.operator();
        }
        Ok(())
    }

    /// Digits may be grouped by single underscores, which the parser does not know.
    fn digits(&mut self, word: &str) {
        let is_hexadecimal = word.starts_with("0x") || word.starts_with("0X");
        let is_digit = |character: char| {
            if is_hexadecimal { character.is_ascii_hexdigit() } else { character.is_ascii_digit() }
        };
        let mut before = None;
        let mut rest = word.chars().peekable();
        while let Some(character) = rest.next() {
            let after_digit = before.is_some_and(|before| {
                is_digit(before) || is_hexadecimal && matches!(before, 'x' | 'X')
            });
            let groups =
                character == '_' && after_digit && rest.peek().copied().is_some_and(is_digit);
            if !groups {
                self.screened.push(character);
            }
            before = Some(character);
        }
    }

    /// Whether every number in it is one the parser can make a duration of; `[5m:1e9]` is one word.
    fn is_duration(&self, word: &str) -> bool {
        word.split(':').all(|part| match part.parse::<f64>() {
            Ok(seconds) => (0.0..=DURATION_SECONDS_MAX).contains(&seconds),
            // One with units is bounded by the parser.
            Err(_) => true,
        })
    }
}

fn matches_keyword(word: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn unterminated(what: &str, position: usize) -> QueryError {
    QueryError::Parse { message: format!("unterminated {what}"), position: Some(position) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_strings_become_quoted_ones() {
        let screened = screen(r#"a{b=~`\d"+`} or "\"`" # `"#).expect("passes");
        assert_eq!(screened, "a{b=~\"\\\\d\\\"+\"} or \"\\\"`\" \n");
    }

    #[test]
    fn digits_may_be_grouped() {
        assert_eq!(screen("1_000 + a_1{b_2='3_4'}").expect("passes"), "1000 + a_1{b_2='3_4'}");
        for refused in ["1_", "1__0", "1e_3", "1_.5", "1_m"] {
            assert_eq!(screen(refused).expect("for the parser to refuse"), refused);
        }
        assert_eq!(screen("0x_f_f").expect("passes"), "0xff");
    }

    #[test]
    fn nesting_and_chains_are_bounded() {
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(screen(&nested(100)).is_ok());
        assert!(screen(&nested(NESTING_MAX + 1)).is_err());
        assert!(screen(&format!("1{}", "+1".repeat(100))).is_ok());
        assert!(screen(&format!("1{}", "+1".repeat(NESTING_MAX + 1))).is_err());
        assert!(screen(&format!("a{}", " or a".repeat(NESTING_MAX + 1))).is_err());
        assert!(screen(&"-".repeat(NESTING_MAX + 1)).is_err());
        // Arguments stand beside each other.
        assert!(screen(&format!("f({})", "1+1,".repeat(1000))).is_ok());
        assert!(screen(&" ".repeat(TEXT_BYTES_MAX + 1)).is_err());
        let error = screen(&nested(NESTING_MAX + 1)).expect_err("too deep");
        assert!(error.to_string().contains("128"), "{error}");
    }

    #[test]
    fn durations_are_bounded() {
        for text in ["a[1e300]", "a[5m:1e300]", "a offset inf", "a offset -1e20", "a[ 1e99 : 5m]"] {
            assert!(screen(text).is_err(), "{text}");
        }
        for text in ["a[5m]", "a[300]", "a[5m:]", "a > 1e300", "a offset -5m", "a[5m:10] * 1e200"] {
            assert!(screen(text).is_ok(), "{text}");
        }
    }
}
