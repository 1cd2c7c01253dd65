//! Conditions: the comparisons that JMeter's If and While controllers mostly hold, as JEXL and
//! JavaScript write them.
//!
//! `"${status}" == "200" && ${count} < 5`. Variables are put in as text before JMeter reads the
//! expression; here an operand is a template, quoted or not. What is more than comparisons joined
//! by `&&`, `||`, `!` and parentheses is refused with the reason, arithmetic excepted: that is
//! worked out of the text once it is rendered.

use regex::Regex;

use super::convert::{Converter, LAST_SAMPLE_OK, append};
use crate::config::bench::model::{Comparison, Condition, Function, Pattern, Piece, Template};

/// Deepest nesting of parentheses and negations.
const NESTING: usize = 24;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Compare(Comparison),
    Finds,
    FindsNot,
    /// `+`, `-`, `*`, `/` or `%`.
    Arithmetic,
    Operand(Template),
}

/// Something of the text: a character, or what stands for a value.
enum Item {
    Character(char),
    Hole(Piece),
}

/// An expression as a condition.
///
/// # Errors
/// Why it is no comparison.
pub(super) fn parse(
    converter: &mut Converter<'_>,
    expression: &Template,
) -> Result<Condition, String> {
    let tokens = tokens(converter, expression)?;
    if tokens.contains(&Token::Arithmetic) {
        let holds = converter.piece(Function::Holds, vec![expression.clone()], None);
        return Ok(Condition::True(holds));
    }
    let last_ok = converter.builder.known_slot(LAST_SAMPLE_OK);
    let mut parser = Parser { tokens: &tokens, next: 0, last_ok };
    let condition = parser.any(NESTING)?;
    if parser.next < tokens.len() {
        return Err("something follows the comparison".to_owned());
    }
    Ok(condition)
}

fn tokens(converter: &mut Converter<'_>, expression: &Template) -> Result<Vec<Token>, String> {
    let mut items = Vec::new();
    for piece in &expression.0 {
        match piece {
            Piece::Text(text) => items.extend(text.chars().map(Item::Character)),
            hole => items.push(Item::Hole(hole.clone())),
        }
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(item) = items.get(at) {
        let Item::Character(first) = item else {
            at = bare(converter, &items, at, &mut tokens)?;
            continue;
        };
        let second = match items.get(at + 1) {
            Some(Item::Character(second)) => *second,
            _ => ' ',
        };
        let (token, width) = match (*first, second) {
            (space, _) if space.is_whitespace() => {
                at += 1;
                continue;
            }
            ('"' | '\'', _) => {
                let (operand, after) = quoted(&items, at, *first)?;
                tokens.push(Token::Operand(operand));
                at = after;
                continue;
            }
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            ('&', '&') => (Token::And, 2),
            ('|', '|') => (Token::Or, 2),
            ('=', '~') => (Token::Finds, 2),
            ('!', '~') => (Token::FindsNot, 2),
            ('=', '=') => (Token::Compare(Comparison::Equal), equal_signs(&items, at, 3)),
            ('!', '=') => (Token::Compare(Comparison::NotEqual), equal_signs(&items, at, 3)),
            ('<', '=') => (Token::Compare(Comparison::LessOrEqual), 2),
            ('>', '=') => (Token::Compare(Comparison::GreaterOrEqual), 2),
            ('<', _) => (Token::Compare(Comparison::Less), 1),
            ('>', _) => (Token::Compare(Comparison::Greater), 1),
            ('!', _) => (Token::Not, 1),
            ('+' | '*' | '/' | '%', _) => (Token::Arithmetic, 1),
            ('-', _) if matches!(tokens.last(), Some(Token::Operand(_) | Token::Close)) => {
                (Token::Arithmetic, 1)
            }
            (letter, _) if is_bare(letter) => {
                at = bare(converter, &items, at, &mut tokens)?;
                continue;
            }
            (other, _) => return Err(format!("`{other}` is no part of a comparison")),
        };
        tokens.push(token);
        at += width;
    }
    Ok(tokens)
}

/// The width of `==` or `===`, `!=` or `!==`.
fn equal_signs(items: &[Item], at: usize, most: usize) -> usize {
    match items.get(at + 2) {
        Some(Item::Character('=')) => most,
        _ => 2,
    }
}

fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | ':')
}

/// What lies between two quotation marks, and the place after it.
fn quoted(items: &[Item], start: usize, mark: char) -> Result<(Template, usize), String> {
    let mut operand = Template::default();
    let mut at = start + 1;
    while let Some(item) = items.get(at) {
        at += 1;
        match item {
            Item::Character(end) if *end == mark => return Ok((operand, at)),
            Item::Character('\\') => match items.get(at) {
                Some(Item::Character(escaped)) => {
                    at += 1;
                    let kept = if *escaped == mark || *escaped == '\\' { "" } else { "\\" };
                    append(&mut operand, Template::text(format!("{kept}{escaped}")));
                }
                _ => append(&mut operand, Template::text("\\")),
            },
            Item::Character(other) => append(&mut operand, Template::text(other.to_string())),
            Item::Hole(piece) => append(&mut operand, Template(vec![piece.clone()])),
        }
    }
    Err(format!("a text that begins with {mark} has no end"))
}

/// A number, word or value without quotation marks.
fn bare(
    converter: &mut Converter<'_>,
    items: &[Item],
    start: usize,
    tokens: &mut Vec<Token>,
) -> Result<usize, String> {
    let mut operand = Template::default();
    let mut at = start;
    while let Some(item) = items.get(at) {
        match item {
            Item::Character(letter) if is_bare(*letter) => {
                append(&mut operand, Template::text(letter.to_string()));
            }
            Item::Hole(piece) => append(&mut operand, Template(vec![piece.clone()])),
            Item::Character(_) => break,
        }
        at += 1;
    }
    let token = match operand.constant() {
        None => Token::Operand(operand),
        Some("and") => Token::And,
        Some("or") => Token::Or,
        Some("not") => Token::Not,
        Some("eq") => Token::Compare(Comparison::Equal),
        Some("ne") => Token::Compare(Comparison::NotEqual),
        Some("lt") => Token::Compare(Comparison::Less),
        Some("le") => Token::Compare(Comparison::LessOrEqual),
        Some("gt") => Token::Compare(Comparison::Greater),
        Some("ge") => Token::Compare(Comparison::GreaterOrEqual),
        Some("vars.get") => {
            let (name, after) = name_argument(items, at)?;
            at = after;
            if name != LAST_SAMPLE_OK && converter.names.constants.contains_key(&name) {
                let value = converter.names.constants.get(&name).cloned().unwrap_or_default();
                Token::Operand(Template::text(value))
            } else {
                let slot = converter.builder.slot(&name);
                Token::Operand(Template(vec![Piece::Variable(slot, String::new())]))
            }
        }
        Some("props.get") => {
            let (name, after) = name_argument(items, at)?;
            at = after;
            let value = converter.options.properties.get(&name).cloned();
            Token::Operand(Template::text(value.unwrap_or_default()))
        }
        Some("true" | "false") => Token::Operand(operand),
        Some(text) if text.parse::<f64>().is_ok() => Token::Operand(operand),
        Some(other) => return Err(format!("`{other}` is no value")),
    };
    tokens.push(token);
    Ok(at)
}

/// `("name")` and the place after it.
fn name_argument(items: &[Item], at: usize) -> Result<(String, usize), String> {
    let wrong = || "a name in quotation marks and parentheses is needed".to_owned();
    let (Some(Item::Character('(')), Some(Item::Character(mark @ ('"' | '\'')))) =
        (items.get(at), items.get(at + 1))
    else {
        return Err(wrong());
    };
    let (name, after) = quoted(items, at + 1, *mark)?;
    match (name.constant(), items.get(after)) {
        (Some(name), Some(Item::Character(')'))) => Ok((name.to_owned(), after + 1)),
        _ => Err(wrong()),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    last_ok: Option<usize>,
}

impl Parser<'_> {
    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.next) == Some(token);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self, nesting: usize) -> Result<Condition, String> {
        let mut conditions = vec![self.all(nesting)?];
        while self.take(&Token::Or) {
            conditions.push(self.all(nesting)?);
        }
        Ok(single(conditions, Condition::Any))
    }

    fn all(&mut self, nesting: usize) -> Result<Condition, String> {
        let mut conditions = vec![self.one(nesting)?];
        while self.take(&Token::And) {
            conditions.push(self.one(nesting)?);
        }
        Ok(single(conditions, Condition::All))
    }

    fn one(&mut self, nesting: usize) -> Result<Condition, String> {
        let nesting = nesting.checked_sub(1).ok_or("it is nested too deeply")?;
        if self.take(&Token::Not) {
            return Ok(Condition::Not(Box::new(self.one(nesting)?)));
        }
        if self.take(&Token::Open) {
            // A parenthesis holds a condition or, as in `("${a}") == "b"`, a value.
            if let Some(value) = self.value_in_parentheses() {
                return self.comparison(value);
            }
            let condition = self.any(nesting)?;
            if !self.take(&Token::Close) {
                return Err("a parenthesis is not closed".to_owned());
            }
            return Ok(condition);
        }
        let operand = self.operand()?;
        self.comparison(operand)
    }

    fn value_in_parentheses(&mut self) -> Option<Template> {
        let (Some(Token::Operand(value)), Some(Token::Close)) =
            (self.tokens.get(self.next), self.tokens.get(self.next + 1))
        else {
            return None;
        };
        self.next += 2;
        Some(value.clone())
    }

    fn operand(&mut self) -> Result<Template, String> {
        let found = self.tokens.get(self.next);
        self.next += 1;
        match found {
            Some(Token::Operand(operand)) => Ok(operand.clone()),
            Some(_) => Err("a value is missing".to_owned()),
            None => Err("it ends where a value is missing".to_owned()),
        }
    }

    /// What follows a value: a comparison with another, or nothing.
    fn comparison(&mut self, left: Template) -> Result<Condition, String> {
        match self.tokens.get(self.next) {
            Some(Token::Compare(comparison)) => {
                self.next += 1;
                let right = self.operand()?;
                Ok(self.compared(left, *comparison, right))
            }
            Some(token @ (Token::Finds | Token::FindsNot)) => {
                self.next += 1;
                let right = self.operand()?;
                let text = right.constant().ok_or("a regular expression must be constant")?;
                let regex = Regex::new(text).map_err(|error| error.to_string())?;
                let matches = Condition::Matches(left, Pattern(regex));
                let not = *token == Token::FindsNot;
                Ok(if not { Condition::Not(Box::new(matches)) } else { matches })
            }
            _ if self.is_last_ok(&left) => Ok(Condition::LastSucceeded),
            _ => Ok(Condition::True(left)),
        }
    }

    /// Comparisons of the last request's success with `true` or `false` are no comparisons.
    fn compared(&self, left: Template, comparison: Comparison, right: Template) -> Condition {
        let truth = match (self.is_last_ok(&left), self.is_last_ok(&right)) {
            (true, false) => right.constant(),
            (false, true) => left.constant(),
            _ => None,
        };
        let wanted = match (truth, comparison) {
            (Some("true"), Comparison::Equal) | (Some("false"), Comparison::NotEqual) => Some(true),
            (Some("false"), Comparison::Equal) | (Some("true"), Comparison::NotEqual) => {
                Some(false)
            }
            _ => None,
        };
        match wanted {
            Some(true) => Condition::LastSucceeded,
            Some(false) => Condition::Not(Box::new(Condition::LastSucceeded)),
            None => Condition::Compare(left, comparison, right),
        }
    }

    fn is_last_ok(&self, template: &Template) -> bool {
        matches!(&template.0[..], [Piece::Variable(slot, _)] if Some(*slot) == self.last_ok)
    }
}

/// The only condition, or all of them joined.
fn single(mut conditions: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.len() {
        1 => conditions.remove(0),
        _ => join(conditions),
    }
}
