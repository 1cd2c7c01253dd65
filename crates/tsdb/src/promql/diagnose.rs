//! Where a text stops being a query, and what was expected there.
//!
//! The parser tells no places, and of most texts no more than that they are none of its language.
//! This walks over the grammar of Prometheus (`generated_parser.y`) and stops at the first token that
//! cannot be where it is, in Prometheus' words. Types are not checked here: of what the parser may
//! find wrong with an expression that is well-formed, the walk only [remarks](Remark) the place.
//!
//! It is asked only after a text has been refused, and never judges one that has not. What it does
//! not understand is left to the words of the parser. Invariants: no token is looked at but forwards,
//! and recursion ends at [`DEPTH_MAX`].

mod modifier;
mod token;

use token::{Foreign, Kind, Token, tokens};

/// Parentheses and signs around one term. What [`screen`](super::screen) lets pass is flatter.
const DEPTH_MAX: usize = 256;

/// What is wrong, and where in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub message: String,
    pub position: usize,
}

/// Line and column, both from 1, of a place in the text of a query, as Prometheus counts them: columns
/// in bytes. `None` within a character or behind the text.
pub fn line_and_column(text: &str, position: usize) -> Option<(usize, usize)> {
    let before = text.get(..position)?;
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some((before.matches('\n').count() + 1, line.len() + 1))
}

/// What is known of a text that was refused.
pub(super) struct Diagnosis {
    /// The first token out of place.
    pub fault: Option<Fault>,
    remarks: Vec<Remark>,
}

impl Diagnosis {
    /// Where that is which another has found wrong and told of in `message`.
    pub fn place_of(&self, message: &str) -> Option<usize> {
        let mut fitting = self.remarks.iter().filter(|remark| message.contains(&remark.words));
        let first = fitting.next()?;
        // Of several arguments of one call, it is not known which is meant.
        match fitting.next().is_some_and(|second| second.whole == first.whole) {
            true => Some(first.whole),
            false => Some(first.position),
        }
    }
}

/// Where something is that may be found wrong.
struct Remark {
    /// What the message says if it is.
    words: String,
    position: usize,
    /// The start of what it is a part of.
    whole: usize,
}

/// What an expression evaluates to, as far as that can be told without a list of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Scalar,
    Text,
    Vector,
    /// A vector of which a range may be taken.
    Selector,
    Range,
}

impl Value {
    fn described(self) -> &'static str {
        match self {
            Value::Scalar => "scalar",
            Value::Text => "string",
            Value::Vector | Value::Selector => "instant vector",
            Value::Range => "range vector",
        }
    }
}

/// Why the walk ends early: at a fault, or because it goes too deep.
type Stopped = Option<Fault>;
type Walked<T> = Result<T, Stopped>;

/// Looks for the first fault of a text.
pub(super) fn diagnose(text: &str) -> Diagnosis {
    let tokens = tokens(text);
    let mut walk = Walk {
        text,
        tokens: &tokens,
        at: 0,
        open: Vec::new(),
        aggregations: 0,
        depth: 0,
        remarks: Vec::new(),
    };
    let fault = walk.query().err().flatten();
    Diagnosis { fault, remarks: walk.remarks }
}

struct Walk<'t> {
    text: &'t str,
    /// The last is the end of the text.
    tokens: &'t [Token<'t>],
    at: usize,
    /// Where the parentheses are that are open.
    open: Vec<usize>,
    /// Aggregations that are open.
    aggregations: usize,
    depth: usize,
    remarks: Vec<Remark>,
}

impl<'t> Walk<'t> {
    fn query(&mut self) -> Walked<()> {
        let first = self.peek();
        if first.kind == Kind::End {
            let message = "no expression found in input".to_owned();
            return Err(Some(Fault { message, position: first.position }));
        }
        self.expression()?;
        match self.peek().kind {
            Kind::End => Ok(()),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn peek(&self) -> Token<'t> {
        self.ahead(0)
    }

    /// A token further on; behind the end is the end.
    fn ahead(&self, count: usize) -> Token<'t> {
        let end = Token { kind: Kind::End, text: "", position: 0 };
        let at = (self.at + count).min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).copied().unwrap_or(end)
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn took(&mut self, sign: &str) -> bool {
        let is = self.peek().is(sign);
        self.at += usize::from(is);
        is
    }

    fn remark(&mut self, words: impl Into<String>, position: usize, whole: usize) {
        self.remarks.push(Remark { words: words.into(), position, whole });
    }

    /// The next token is out of place: where it is, and what should be there, if that is known.
    fn unexpected(&self, place: &str, expected: &str) -> Stopped {
        let token = self.peek();
        let fault = |message| Some(Fault { message, position: token.position });
        let first = token.text.chars().next().unwrap_or_default();
        match token.kind {
            Kind::End if place == "braces" => {
                return fault("unexpected end of input inside braces".to_owned());
            }
            Kind::End if let Some(open) = self.open.last() => {
                let place = line_and_column(self.text, *open).unwrap_or_default();
                let words = "unclosed left parenthesis, opened at";
                return fault(format!("{words} {}:{}", place.0, place.1));
            }
            Kind::Foreign(Foreign::Number) => {
                return fault(format!("bad number or duration syntax: \"{}\"", token.text));
            }
            Kind::Foreign(Foreign::Exclamation) => {
                return fault("unexpected character: '!', expected \"!=\" or \"!~\"".to_owned());
            }
            Kind::Foreign(Foreign::Character) => {
                let instead = match first {
                    '&' => ", the operator is \"and\"",
                    '|' => ", the operator is \"or\"",
                    '“' | '”' | '„' | '‘' | '’' => ", quotes are \" and '",
                    _ => "",
                };
                return fault(format!("unexpected character: '{first}'{instead}"));
            }
            Kind::Sign if token.text == ")" && self.open.is_empty() => {
                return fault("unexpected right parenthesis ')'".to_owned());
            }
            Kind::Sign if token.text == "]" && place.is_empty() => {
                return fault("unexpected right bracket ']'".to_owned());
            }
            Kind::Sign if token.text == "}" && place.is_empty() => {
                return fault("unexpected right brace '}'".to_owned());
            }
            _ => {}
        }
        let mut message = format!("unexpected {}", token.described());
        if !place.is_empty() {
            message.push_str(if place == "braces" { " in label matching" } else { " in " });
            message.push_str(if place == "braces" { "" } else { place });
        } else if self.aggregations > 0 {
            message.push_str(" in aggregation");
        }
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        let is_assignment =
            token.is("=") && place.is_empty() && before.is_some_and(|before| !before.is_operator());
        let expected = if is_assignment { "\"==\"" } else { expected };
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        fault(message)
    }

    /// Operands and the operators between them. What binds how closely does not matter here.
    fn expression(&mut self) -> Walked<Value> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(None);
        }
        let start = self.peek().position;
        let mut left = self.operand()?;
        let mut value = left;
        let mut place = start;
        while self.peek().is_operator() {
            let operator = self.take();
            let to_bool = self.binary_modifiers(operator, start)?;
            let right_place = self.peek().position;
            let right = self.operand()?;
            let sides = [(left, place), (right, right_place)];
            for (_, place) in
                sides.iter().filter(|(side, _)| matches!(side, Value::Text | Value::Range))
            {
                let words = "binary expression must contain only scalar and instant vector types";
                self.remark(words, *place, *place);
            }
            if operator.is_comparison()
                && !to_bool
                && sides.iter().all(|(side, _)| *side == Value::Scalar)
            {
                let words = "comparisons between scalars must use BOOL modifier";
                self.remark(words, operator.position, operator.position);
            }
            if operator.is_any_word(&["and", "or", "unless"])
                && sides.iter().any(|(side, _)| *side == Value::Scalar)
            {
                let name = operator.text.to_lowercase();
                let words = format!("set operator \"{name}\" not allowed");
                self.remark(words, operator.position, operator.position);
            }
            if value != Value::Scalar || right != Value::Scalar {
                value = Value::Vector;
            }
            (left, place) = (right, right_place);
        }
        self.depth -= 1;
        Ok(value)
    }

    /// A term with the signs before and the modifiers behind it.
    fn operand(&mut self) -> Walked<Value> {
        let start = self.peek();
        let mut is_signed = false;
        while self.peek().is("+") || self.peek().is("-") {
            self.at += 1;
            is_signed = true;
        }
        let place = self.peek().position;
        let term = self.term()?;
        let value = self.modifiers(term, place)?;
        if is_signed && matches!(value, Value::Text | Value::Range) {
            self.remark("unary expression only allowed", start.position, start.position);
        }
        // A sign makes of a selector what is none.
        Ok(if is_signed && value == Value::Selector { Value::Vector } else { value })
    }

    fn term(&mut self) -> Walked<Value> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.at += 1;
                Ok(Value::Scalar)
            }
            Kind::Text => {
                self.at += 1;
                self.escapes(token);
                Ok(Value::Text)
            }
            Kind::Sign if token.text == "(" => {
                self.open();
                let value = self.expression()?;
                self.close()?;
                Ok(if value == Value::Selector { Value::Vector } else { value })
            }
            Kind::Sign if token.text == "{" => {
                self.remark_selector(token.position);
                self.matchers(None)?;
                Ok(Value::Selector)
            }
            Kind::Metric => self.selector(),
            Kind::Word => self.named(token),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// What begins with a word: an aggregation, a call, or a selector.
    fn named(&mut self, name: Token<'t>) -> Walked<Value> {
        let next = self.ahead(1);
        let is_reserved = name.is_any_word(&[
            "on",
            "ignoring",
            "group_left",
            "group_right",
            "bool",
            "atan2",
            "smoothed",
            "anchored",
        ]);
        if is_reserved {
            return Err(self.unexpected("", ""));
        }
        if name.is_aggregator() && (next.is("(") || next.is_any_word(&["by", "without"])) {
            return self.aggregation(name);
        }
        // Keywords may name metrics, but no functions.
        let is_keyword = name.is_aggregator()
            || name.is_operator()
            || name.is_any_word(&["by", "without", "offset", "fill", "fill_left", "fill_right"]);
        if !is_keyword && next.is("(") {
            return self.call(name);
        }
        self.selector()
    }

    fn selector(&mut self) -> Walked<Value> {
        let name = self.take();
        if self.peek().is("{") {
            self.remark_selector(name.position);
            self.matchers(Some(name))?;
        }
        Ok(Value::Selector)
    }

    fn remark_selector(&mut self, start: usize) {
        self.remark("vector selector must contain at least one non-empty matcher", start, start);
    }

    fn call(&mut self, name: Token<'t>) -> Walked<Value> {
        self.at += 1;
        let quoted = format!("\"{}\"", name.text);
        self.remark(format!("function with name {quoted}"), name.position, name.position);
        self.remark(format!("function {quoted} is not"), name.position, name.position);
        let arguments = self.arguments()?;
        let count = arguments.len();
        self.remark(
            format!("argument(s) in call to {quoted}, got {count}"),
            name.position,
            name.position,
        );
        for (value, place) in arguments {
            let found = value.described();
            let words = format!("in call to function {quoted}, got {found}");
            self.remark(words, place, name.position);
        }
        Ok(match name.text {
            "scalar" | "time" | "pi" => Value::Scalar,
            _ => Value::Vector,
        })
    }

    fn aggregation(&mut self, name: Token<'t>) -> Walked<Value> {
        self.at += 1;
        self.aggregations += 1;
        let is_before = self.grouped()?;
        if !self.peek().is("(") {
            return Err(self.unexpected("", "\"(\""));
        }
        let arguments = self.arguments()?;
        self.aggregations -= 1;
        if !is_before {
            self.grouped()?;
        }
        self.remark_aggregation(name, &arguments);
        Ok(Value::Vector)
    }

    fn remark_aggregation(&mut self, name: Token<'t>, arguments: &[(Value, usize)]) {
        const WITH_PARAMETER: [&str; 6] =
            ["topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"];
        let count = arguments.len();
        for words in [
            "no arguments for aggregate expression".to_owned(),
            format!(
                "wrong number of arguments for aggregate expression provided, expected {}, got {count}",
                if name.is_any_word(&WITH_PARAMETER) { 2 } else { 1 }
            ),
        ] {
            self.remark(words, name.position, name.position);
        }
        let Some(((last, last_place), parameters)) = arguments.split_last() else { return };
        let wanted = if name.is_word("count_values") { "string" } else { "scalar" };
        let all = parameters.iter().map(|(value, place)| (*value, *place, wanted));
        for (value, place, wanted) in all.chain([(*last, *last_place, "instant vector")]) {
            let found = value.described();
            if found != wanted {
                let words =
                    format!("expected type {wanted} in aggregation expression, got {found}");
                self.remark(words, place, place);
            }
        }
    }

    /// What a call is given, with the places; the next token opens it.
    fn arguments(&mut self) -> Walked<Vec<(Value, usize)>> {
        let mut read = Vec::new();
        self.open();
        if self.took(")") {
            self.open.pop();
            return Ok(read);
        }
        loop {
            let place = self.peek().position;
            read.push((self.expression()?, place));
            let comma = self.peek();
            if !self.took(",") {
                self.close()?;
                return Ok(read);
            }
            if self.peek().is(")") {
                let message = "trailing commas not allowed in function call args".to_owned();
                return Err(Some(Fault { message, position: comma.position }));
            }
        }
    }

    /// Takes a parenthesis.
    fn open(&mut self) {
        let parenthesis = self.take();
        self.open.push(parenthesis.position);
    }

    /// The end of what a parenthesis has opened.
    fn close(&mut self) -> Walked<()> {
        if self.took(")") {
            self.open.pop();
            return Ok(());
        }
        // It is the commonest of all mistakes, and Prometheus' words alone do not help.
        let is_grouping = self.peek().is_any_word(&["by", "without"]) && self.aggregations > 0;
        Err(self.unexpected("", if is_grouping { "\")\" before it" } else { "" }))
    }

    /// Remarks an escape sequence that is none.
    fn escapes(&mut self, text: Token<'t>) {
        let quote = text.text.chars().next().unwrap_or_default();
        if quote == '`' {
            return;
        }
        let mut characters = text.text.char_indices();
        while let Some((place, character)) = characters.next() {
            if character == '\\'
                && let Some((_, escaped)) = characters.next()
                && escaped != quote
                && !"abfnrtv\\01234567xuU".contains(escaped)
            {
                let position = text.position + place;
                return self.remark("unknown escape sequence", position, position);
            }
        }
    }
}

#[cfg(test)]
mod tests;
