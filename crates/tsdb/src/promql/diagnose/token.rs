//! The tokens of a query, with their places.
//!
//! What cannot be a token is one too, with its reason: a text is read as far as it goes, and whoever
//! walks over the tokens meets the fault where it is.

/// What a token is, as far as the grammar tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and `_`: a name or a keyword.
    Word,
    /// A word with a colon in it: a metric's name and nothing else.
    Metric,
    Number,
    Duration,
    Text,
    /// An operator or a bracket.
    Sign,
    End,
    /// No token of the language.
    Foreign(Foreign),
}

/// Why something is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    Character,
    /// A `!` that nothing follows that makes it an operator.
    Exclamation,
    /// Neither a number nor a duration.
    Number,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
    /// Bytes from the start of the query.
    pub position: usize,
}

const AGGREGATORS: [&str; 14] = [
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
];
const WORD_OPERATORS: [&str; 4] = ["and", "or", "unless", "atan2"];
const KEYWORDS: [&str; 7] =
    ["offset", "by", "without", "on", "ignoring", "group_left", "group_right"];
/// Longest text of a token that a message repeats, characters.
const SHOWN_MAX: usize = 40;

impl Token<'_> {
    /// Whether it is this sign.
    pub fn is(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// Whether it is this keyword, in any case of letters.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_any_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    pub fn is_aggregator(&self) -> bool {
        self.is_any_word(&AGGREGATORS)
    }

    /// Whether two operands may stand around it.
    pub fn is_operator(&self) -> bool {
        self.is_any_word(&WORD_OPERATORS)
            || self.is_comparison()
            || self.kind == Kind::Sign && matches!(self.text, "+" | "-" | "*" | "/" | "%" | "^")
    }

    pub fn is_comparison(&self) -> bool {
        self.kind == Kind::Sign && matches!(self.text, "==" | "!=" | "<" | "<=" | ">" | ">=")
    }

    pub fn is_match(&self) -> bool {
        self.kind == Kind::Sign && matches!(self.text, "=" | "!=" | "=~" | "!~")
    }

    /// What Prometheus calls it.
    pub fn described(&self) -> String {
        let shown: String = self.text.chars().take(SHOWN_MAX).collect();
        match self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Number => format!("number \"{shown}\""),
            Kind::Duration => format!("duration \"{shown}\""),
            Kind::Text => format!("string {shown}"),
            Kind::Metric => format!("metric identifier \"{shown}\""),
            Kind::Word if self.is_aggregator() => format!("<aggr:{}>", shown.to_lowercase()),
            Kind::Word if self.is_operator() => format!("<op:{}>", shown.to_lowercase()),
            Kind::Word if self.is_any_word(&KEYWORDS) || self.is_word("bool") => {
                format!("<{}>", shown.to_lowercase())
            }
            Kind::Word => format!("identifier \"{shown}\""),
            Kind::Sign if self.is_operator() => format!("<op:{shown}>"),
            Kind::Sign | Kind::Foreign(_) => format!("\"{shown}\""),
        }
    }
}

/// The tokens of a text, its end the last. Within braces and brackets they are others.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut read = Vec::new();
    let mut position = 0;
    let mut in_brackets = false;
    while let Some(start) = skip(text, position) {
        let rest = &text[start..];
        let (kind, length) = next(rest, in_brackets);
        let token = Token { kind, text: &rest[..length], position: start };
        if token.is("[") || token.is("]") {
            in_brackets = token.is("[");
        }
        position = start + length;
        read.push(token);
    }
    read.push(Token { kind: Kind::End, text: "", position: text.trim_end().len() });
    read
}

/// Where the next token starts: behind white space and comments.
fn skip(text: &str, mut position: usize) -> Option<usize> {
    loop {
        let rest = text[position..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        position = text.len() - rest.len();
        if !rest.starts_with('#') {
            return (!rest.is_empty()).then_some(position);
        }
        position += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }
}

/// What `rest`, which is not empty, begins with, and its length in bytes: never 0.
fn next(rest: &str, in_brackets: bool) -> (Kind, usize) {
    const PAIRS: [&str; 6] = ["==", "!=", "<=", ">=", "=~", "!~"];
    let mut characters = rest.chars();
    let first = characters.next().unwrap_or_default();
    let second = characters.next();
    let is_digit = |c: char| c.is_ascii_digit();
    if is_digit(first) || first == '.' && second.is_some_and(is_digit) {
        return number(rest);
    }
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':' && !in_brackets;
    if is_start(first) {
        let length = rest.find(|c| !is_start(c) && !is_digit(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let kind = match word {
            _ if word.contains(':') => Kind::Metric,
            _ if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") => {
                Kind::Number
            }
            _ => Kind::Word,
        };
        return (kind, length);
    }
    if matches!(first, '"' | '\'' | '`') {
        return (Kind::Text, string_length(rest, first));
    }
    if PAIRS.iter().any(|pair| rest.starts_with(pair)) {
        return (Kind::Sign, 2);
    }
    match first {
        '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '@' | ',' | '(' | ')' | '[' | ']'
        | '{' | '}' | ':' => (Kind::Sign, 1),
        '!' => (Kind::Foreign(Foreign::Exclamation), 1),
        other => (Kind::Foreign(Foreign::Character), other.len_utf8().max(1)),
    }
}

fn number(rest: &str) -> (Kind, usize) {
    let mut length = 0;
    let mut before = ' ';
    let is_hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
    for character in rest.chars() {
        let is_sign =
            matches!(character, '+' | '-') && matches!(before, 'e' | 'E') && !is_hexadecimal;
        if !(character.is_ascii_alphanumeric() || matches!(character, '_' | '.') || is_sign) {
            break;
        }
        length += 1;
        before = character;
    }
    let text = &rest[..length];
    let digits = text.replace('_', "");
    let is_number = match digits.get(2..).filter(|_| is_hexadecimal) {
        Some(digits) => !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit()),
        None => digits.parse::<f64>().is_ok(),
    };
    let kind = match is_number {
        true => Kind::Number,
        // The parser takes what stands between digits in durations too.
        false if is_duration(&digits) => Kind::Duration,
        false => Kind::Foreign(Foreign::Number),
    };
    (kind, length)
}

/// Whether it is made of numbers with units; that the units must fall is not asked.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let known = ["ms", "s", "m", "h", "d", "w", "y"].iter();
        let Some(after) = known.filter_map(|known| unit.strip_prefix(known)).next() else {
            return false;
        };
        if unit.len() == rest.len() {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
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
