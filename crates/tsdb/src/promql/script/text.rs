//! A line of a script read from left to right: names, quoted strings, labels.
//!
//! Strings are those of PromQL, which are Go's: in `"` or `'` with escapes, in backticks without
//! (<https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals>).

use crate::labels::{Labels, NAME};

/// What of a line is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes a text if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes all characters that fulfil a condition.
    pub(super) fn take_while(&mut self, condition: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !condition(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes spaces; whether there were any.
    pub(super) fn skip_spaces(&mut self) -> bool {
        !self.take_while(char::is_whitespace).is_empty()
    }

    /// Reads `name{label="value"}`, where either part may be missing.
    pub(super) fn metric(&mut self) -> Result<Labels, String> {
        let name = self.name();
        let mut pairs = Vec::new();
        if !name.is_empty() {
            pairs.push((NAME.to_owned(), name.to_owned()));
        }
        let mut after = *self;
        after.skip_spaces();
        // Two braces begin a native histogram.
        if !after.rest.starts_with("{{") && after.take("{") {
            *self = after;
            self.label_set(&mut pairs)?;
        } else if name.is_empty() {
            return Err(format!(
                "a series is expected, e.g. `name{{label=\"value\"}} 1 2 3`, at `{}`",
                self.excerpt()
            ));
        }
        pairs.sort();
        match pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(twice) => Err(format!("the label `{}` stands twice: leave one", twice[0].0)),
            None => Ok(Labels::from_pairs(pairs)),
        }
    }

    /// What stands between braces, of which the first is read.
    fn label_set(&mut self, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
        loop {
            self.skip_spaces();
            if self.take("}") {
                return Ok(());
            }
            let quoted = self.rest.starts_with(['"', '\'', '`']);
            let name = if quoted { self.string()? } else { self.name().to_owned() };
            if name.is_empty() {
                return Err(format!("the name of a label is expected at `{}`", self.excerpt()));
            }
            self.skip_spaces();
            if self.take("=") {
                self.skip_spaces();
                let value = self.string()?;
                pairs.push((name, value));
            } else if quoted {
                // `{"name"}` is the metric's.
                pairs.push((NAME.to_owned(), name));
            } else {
                return Err(format!(
                    "`=` must follow the label `{name}`, a series has no matchers"
                ));
            }
            self.skip_spaces();
            if !self.take(",") && !self.rest.starts_with('}') {
                return Err(format!("`,` or `}}` is expected at `{}`", self.excerpt()));
            }
        }
    }

    fn name(&mut self) -> &'a str {
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    }

    /// Reads a quoted string.
    pub(super) fn string(&mut self) -> Result<String, String> {
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return Err(format!("a quoted string is expected at `{}`", self.excerpt()));
        };
        let start = *self;
        self.rest = &self.rest[1..];
        let mut bytes = Vec::new();
        loop {
            let plain = self.take_while(|c| c != quote && (c != '\\' || quote == '`'));
            bytes.extend_from_slice(plain.as_bytes());
            if self.rest.is_empty() {
                return Err(format!("`{quote}` is missing after `{}`", start.excerpt()));
            }
            let escaped = self.rest.starts_with('\\') && quote != '`';
            self.rest = &self.rest[1..];
            if !escaped {
                break;
            }
            self.escape(quote, &mut bytes)?;
        }
        String::from_utf8(bytes)
            .map_err(|_| format!("the string at `{}` is not UTF-8", start.excerpt()))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, quote: char, bytes: &mut Vec<u8>) -> Result<(), String> {
        let start = *self;
        let refuse = || {
            let shown: String = start.rest.chars().take(1).collect();
            format!("`\\{shown}` is no escape: write `\\\\` for a backslash")
        };
        let letter = self.rest.chars().next().ok_or_else(refuse)?;
        self.rest = &self.rest[letter.len_utf8()..];
        let simple = match letter {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            _ if letter == quote => quote as u8,
            'x' => self.code(2, 16).and_then(|code| u8::try_from(code).ok()).ok_or_else(refuse)?,
            '0'..='7' => {
                self.rest = start.rest;
                self.code(3, 8).and_then(|code| u8::try_from(code).ok()).ok_or_else(refuse)?
            }
            'u' | 'U' => {
                let digits = if letter == 'u' { 4 } else { 8 };
                let character =
                    self.code(digits, 16).and_then(char::from_u32).ok_or_else(refuse)?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(refuse()),
        };
        bytes.push(simple);
        Ok(())
    }

    /// A number of exactly so many digits.
    fn code(&mut self, digits: usize, radix: u32) -> Option<u32> {
        let text = self.rest.get(..digits).filter(|text| !text.starts_with('+'))?;
        self.rest = &self.rest[digits..];
        u32::from_str_radix(text, radix).ok()
    }

    /// The start of what is left, for messages.
    pub(super) fn excerpt(&self) -> String {
        /// Characters of a line that a message shows.
        const SHOWN_MAX: usize = 40;
        if self.rest.is_empty() {
            return "the end of the line".to_owned();
        }
        let mut shown: String = self.rest.chars().take(SHOWN_MAX).collect();
        if shown.len() < self.rest.len() {
            shown.push('…');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(line: &str) -> Result<String, String> {
        Cursor::new(line).metric().map(|labels| labels.to_string())
    }

    #[test]
    fn series_are_named_by_labels() {
        for (line, wanted) in [
            ("up", "up"),
            ("{}", "{}"),
            ("up{}", "up"),
            ("sum:up{b='2', a=\"1\",} 3", r#"sum:up{a="1", b="2"}"#),
            (r#"{"a b", "c d"="e"}"#, r#"a b{c d="e"}"#),
            (r#"{__name__="up"}"#, "up"),
            (r#"x{a="\"\\\t\u00e9\x41\102"}"#, "x{a=\"\\\"\\\\\\téAB\"}"),
            (r"x{a=`\n`}", "x{a=\"\\\\n\"}"),
        ] {
            assert_eq!(metric(line).as_deref(), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn broken_labels_are_refused() {
        for (line, part) in [
            ("", "the end of the line"),
            ("5", "a series is expected"),
            ("x{", "name of a label"),
            ("x{a}", "`=` must follow the label `a`"),
            ("x{a=~\"b\"}", "a quoted string is expected at `~"),
            ("x{a=\"b\" c=\"d\"}", "`,` or `}` is expected"),
            ("x{a=\"b}", "is missing after"),
            ("x{a=\"\\q\"}", "`\\q` is no escape"),
            ("x{a=\"\\xff\"}", "not UTF-8"),
            ("x{a=\"\\u+123\"}", "no escape"),
            ("x{a=\"\\é\"}", "no escape"),
            ("x{a=\"1\",a=\"2\"}", "stands twice"),
            ("x{__name__=\"y\"}", "stands twice"),
        ] {
            let message = metric(line).expect_err(line);
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
