//! Tokens of a template: texts between actions, and what is in actions.

use super::Fault;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A token of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or the name of a function.
    Word(String),
    /// `.name`, without the dot.
    Field(String),
    /// `$name`, with the dollar.
    Variable(String),
    Dot,
    Text(String),
    Integer(i64),
    Float(f64),
    Pipe,
    Open,
    Close,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// A token, where it begins, and whether white space stands before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) position: usize,
    pub(super) spaced: bool,
}

/// What a template is made of.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action { tokens: Vec<Placed>, position: usize },
}

/// Cuts a template into pieces. White space is trimmed where `{{-` and `-}}` say so.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let (mut at, mut trims) = (0, false);
    loop {
        let rest = &text[at..];
        let open = rest.find(OPEN);
        let mut plain = &rest[..open.unwrap_or(rest.len())];
        if trims {
            plain = plain.trim_start_matches(is_space);
        }
        let Some(open) = open else {
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            return Ok(pieces);
        };
        let position = at + open;
        let mut inner = position + OPEN.len();
        if text[inner..].starts_with('-') && text[inner + 1..].starts_with(is_space) {
            plain = plain.trim_end_matches(is_space);
            inner += 1;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        let content =
            inner + text[inner..].len() - text[inner..].trim_start_matches(is_space).len();
        if text[content..].starts_with("/*") {
            (at, trims) = comment(text, position, content)?;
            continue;
        }
        let mut scan = Scan { text, at: inner, position };
        let mut tokens = Vec::new();
        loop {
            let before = scan.at;
            scan.skip_space();
            let spaced = scan.at > before;
            // A minus that trims has white space before it; otherwise it is a sign.
            if spaced && scan.rest().starts_with("-}}") {
                (at, trims) = (scan.at + 3, true);
                break;
            }
            if scan.rest().starts_with(CLOSE) {
                (at, trims) = (scan.at + CLOSE.len(), false);
                break;
            }
            tokens.push(scan.token(spaced)?);
        }
        pieces.push(Piece::Action { tokens, position });
    }
}

/// Behind a comment, which stands alone in its action.
fn comment(text: &str, position: usize, content: usize) -> Result<(usize, bool), Fault> {
    let Some(length) = text[content..].find("*/") else {
        return Err(Fault::new(position, "this comment does not end").remedy("add `*/}}`"));
    };
    let after = content + length + 2;
    let rest = &text[after..];
    if rest.starts_with(CLOSE) {
        return Ok((after + CLOSE.len(), false));
    }
    let trimmed = rest.trim_start_matches(is_space);
    if trimmed.len() < rest.len() && trimmed.starts_with("-}}") {
        return Ok((text.len() - trimmed.len() + 3, true));
    }
    Err(Fault::new(position, "a comment stands alone in its braces")
        .remedy("end it with `*/}}` or `*/ -}}`"))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Where the action begins.
    position: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn token(&mut self, spaced: bool) -> Result<Placed, Fault> {
        let position = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Err(Fault::new(self.position, "this `{{` is not closed").remedy("add `}}`"));
        };
        let second = rest.chars().nth(1);
        let token = match first {
            '|' => self.sign(1, Token::Pipe),
            '(' => self.sign(1, Token::Open),
            ')' => self.sign(1, Token::Close),
            ',' => self.sign(1, Token::Comma),
            '=' => self.sign(1, Token::Assign),
            ':' if second == Some('=') => self.sign(2, Token::Declare),
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '\'' => self.character()?,
            '$' => {
                self.at += 1;
                Token::Variable(format!("${}", self.word()))
            }
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                match self.word() {
                    "" => Token::Dot,
                    name => Token::Field(name.to_owned()),
                }
            }
            '+' | '-' | '.' | '0'..='9' => self.number()?,
            c if is_word(c) => Token::Word(self.word().to_owned()),
            '}' => {
                return Err(
                    Fault::new(position, "one `}` closes nothing here").remedy("write `}}`")
                );
            }
            other => {
                let message = format!("{other:?} does not belong here");
                return Err(Fault::new(position, message));
            }
        };
        Ok(Placed { token, position, spaced })
    }

    fn sign(&mut self, bytes: usize, token: Token) -> Token {
        self.at += bytes;
        token
    }

    fn quoted(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find_map(|(at, character)| {
            let ends = !escaped && matches!(character, '"' | '\n');
            escaped = !escaped && character == '\\';
            ends.then_some((at, character))
        });
        let Some((length, '"')) = end else {
            return Err(Fault::new(start, "this text is not closed").remedy("add `\"`"));
        };
        let inner = &self.rest()[1..length];
        self.at += length + 1;
        super::text::unquote(inner, '"').map(Token::Text).ok_or_else(|| {
            Fault::new(start, "this text has an escape that is none")
                .remedy("write `\\\\` for a backslash, or put the text in `back quotes`")
        })
    }

    fn raw(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let Some(length) = self.rest()[1..].find('`') else {
            return Err(Fault::new(start, "this text is not closed").remedy("add a back quote"));
        };
        let inner = &self.rest()[1..=length];
        self.at += length + 2;
        // As in Go, whose raw texts have no carriage returns.
        Ok(Token::Text(inner.replace('\r', "")))
    }

    fn character(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find_map(|(at, character)| {
            let ends = !escaped && matches!(character, '\'' | '\n');
            escaped = !escaped && character == '\\';
            ends.then_some(at)
        });
        let inner = end.map(|length| &self.rest()[1..length]);
        let text = inner.and_then(|inner| super::text::unquote(inner, '\''));
        let mut characters = text.iter().flat_map(|text| text.chars());
        let (Some(one), None, Some(length)) = (characters.next(), characters.next(), end) else {
            return Err(Fault::new(start, "single quotes hold one character")
                .remedy("put texts in \"double quotes\""));
        };
        self.at += length + 1;
        Ok(Token::Integer(i64::from(u32::from(one))))
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let rest = self.rest();
        let hexadecimal =
            rest.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
        let mut before = ' ';
        let length = rest
            .char_indices()
            .find(|(at, character)| {
                let exponent =
                    matches!(before, 'e' | 'E') && !hexadecimal || matches!(before, 'p' | 'P');
                let sign = matches!(character, '+' | '-') && (*at == 0 || exponent);
                before = *character;
                !(sign || *character == '.' || is_word(*character))
            })
            .map_or(rest.len(), |(at, _)| at);
        self.at += length;
        super::text::number(&rest[..length])
            .ok_or_else(|| Fault::new(start, format!("`{}` is not a number", &rest[..length])))
    }
}
