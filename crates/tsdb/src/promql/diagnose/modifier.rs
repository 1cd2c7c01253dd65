//! What stands around operands: matchers, ranges, offsets, times and groupings.

use super::token::{Kind, Token};
use super::{Value, Walk, Walked};

impl<'t> Walk<'t> {
    /// Ranges, offsets and times behind a term that starts at `start`.
    pub(super) fn modifiers(&mut self, term: Value, start: usize) -> Walked<Value> {
        let mut value = term;
        let (mut has_offset, mut has_time) = (false, false);
        loop {
            let token = self.peek();
            if token.is("[") {
                self.at += 1;
                value = self.range(value, token, has_offset || has_time)?;
                (has_offset, has_time) = (false, false);
            } else if token.is_word("offset") {
                self.at += 1;
                if has_offset {
                    self.remark("offset may not be set multiple times", token.position, start);
                }
                self.remark("offset modifier must be preceded by", token.position, start);
                self.offset()?;
                has_offset = true;
            } else if token.is("@") {
                self.at += 1;
                if has_time {
                    let words = "@ <timestamp> may not be set multiple times";
                    self.remark(words, token.position, start);
                }
                self.remark("@ modifier must be preceded by", token.position, start);
                self.time()?;
                has_time = true;
            } else {
                return Ok(value);
            }
        }
    }

    /// A range, or that of a subquery, whose bracket `open` has been taken.
    fn range(&mut self, value: Value, open: Token<'t>, is_shifted: bool) -> Walked<Value> {
        const PLACE: &str = "subquery or range selector";
        let at = open.position;
        if value != Value::Selector {
            self.remark("ranges only allowed for vector selectors", at, at);
        }
        if value == Value::Range || value == Value::Scalar || value == Value::Text {
            self.remark("subquery is only allowed on", at, at);
            self.remark("in subquery, got", at, at);
        }
        if is_shifted {
            self.remark("modifiers allowed before range", at, at);
        }
        let length = self.peek().position;
        self.remark("duration must be greater than 0", length, length);
        self.duration(PLACE)?;
        let is_subquery = self.took(":");
        if is_subquery && !self.peek().is("]") {
            self.duration("subquery selector")?;
        }
        if self.took("]") {
            return Ok(Value::Range);
        }
        self.unclosed()?;
        Err(match is_subquery {
            true => self.unexpected("subquery selector", "\"]\""),
            false => self.unexpected(PLACE, "\":\" or \"]\""),
        })
    }

    fn duration(&mut self, place: &str) -> Walked<()> {
        if matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            self.at += 1;
            return Ok(());
        }
        self.unclosed()?;
        Err(self.unexpected(place, "number or duration"))
    }

    /// The end of the text within brackets.
    fn unclosed(&self) -> Walked<()> {
        let token = self.peek();
        if token.kind != Kind::End {
            return Ok(());
        }
        let message = "unclosed left bracket".to_owned();
        Err(Some(super::Fault { message, position: token.position }))
    }

    fn offset(&mut self) -> Walked<()> {
        let _ = self.took("+") || self.took("-");
        if matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("offset", "duration"))
    }

    fn time(&mut self) -> Walked<()> {
        if self.peek().is_any_word(&["start", "end"]) {
            self.at += 1;
            for sign in ["(", ")"] {
                if !self.took(sign) {
                    return Err(self.unexpected("@", &format!("\"{sign}\"")));
                }
            }
            return Ok(());
        }
        let _ = self.took("+") || self.took("-");
        if matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("@", "timestamp"))
    }

    /// `by (…)` or `without (…)`, if there is one.
    pub(super) fn grouped(&mut self) -> Walked<bool> {
        let is_grouped = self.peek().is_any_word(&["by", "without"]);
        if is_grouped {
            self.at += 1;
            self.grouping()?;
        }
        Ok(is_grouped)
    }

    /// Names of labels in parentheses.
    fn grouping(&mut self) -> Walked<()> {
        const PLACE: &str = "grouping opts";
        if !self.peek().is("(") {
            return Err(self.unexpected(PLACE, "\"(\""));
        }
        self.open();
        while !self.took(")") {
            let name = self.peek();
            if !matches!(name.kind, Kind::Word | Kind::Text) {
                return Err(self.unexpected(PLACE, "label"));
            }
            self.at += 1;
            self.escapes(name);
            if !self.took(",") && !self.peek().is(")") {
                return Err(self.unexpected(PLACE, "\",\" or \")\""));
            }
        }
        self.open.pop();
        Ok(())
    }

    /// What stands between an operator and its right side, whose left side starts at `start`;
    /// whether it is `bool`.
    pub(super) fn binary_modifiers(&mut self, operator: Token<'t>, start: usize) -> Walked<bool> {
        let token = self.peek();
        let to_bool = token.is_word("bool");
        if to_bool {
            self.at += 1;
            if !operator.is_comparison() {
                let words = "bool modifier can only be used on comparison operators";
                self.remark(words, token.position, token.position);
            }
        }
        let matching = self.peek();
        if matching.is_any_word(&["on", "ignoring"]) {
            self.at += 1;
            self.remark("vector matching only allowed between", matching.position, start);
            self.grouping()?;
            let group = self.peek();
            if group.is_any_word(&["group_left", "group_right"]) {
                self.at += 1;
                for words in ["no grouping allowed for", "must not occur in ON and GROUP"] {
                    self.remark(words, group.position, group.position);
                }
                self.included()?;
            }
        }
        while self.peek().is_any_word(&["fill", "fill_left", "fill_right"]) && self.ahead(1).is("(")
        {
            let fill = self.take();
            self.remark("filling in missing series", fill.position, fill.position);
            self.filling()?;
        }
        Ok(to_bool)
    }

    /// The labels of `group_left`, which may be left out.
    fn included(&mut self) -> Walked<()> {
        match self.peek() {
            next if next.is("(") => self.grouping(),
            next if next.kind == Kind::End => Err(self.unexpected("grouping opts", "\"(\"")),
            _ => Ok(()),
        }
    }

    fn filling(&mut self) -> Walked<()> {
        self.open();
        let _ = self.took("+") || self.took("-");
        if self.peek().kind != Kind::Number {
            return Err(self.unexpected("fill", "number"));
        }
        self.at += 1;
        self.close()
    }

    /// Matchers of labels in braces, of which the first is the next token.
    pub(super) fn matchers(&mut self, metric: Option<Token<'t>>) -> Walked<()> {
        self.at += 1;
        if let Some(metric) = metric {
            let words = format!("metric name must not be set twice: \"{}\"", metric.text);
            self.remark(words, metric.position, metric.position);
        }
        while !self.took("}") {
            let name = self.peek();
            let is_name = matches!(name.kind, Kind::Word | Kind::Text)
                || name.kind == Kind::Number && name.text.starts_with(|c: char| c.is_alphabetic());
            if !is_name {
                return Err(self.unexpected("braces", "identifier or \"}\""));
            }
            self.at += 1;
            self.escapes(name);
            let operator = self.peek();
            if operator.is_match() {
                self.at += 1;
                self.matched(operator)?;
            } else if name.kind != Kind::Text {
                return Err(self.unexpected("braces", "label matching operator"));
            }
            let next = self.peek();
            if next.is_word("or") {
                self.remark("unexpected \"or\" in label matching", next.position, next.position);
                self.at += 1;
            } else if !self.took(",") && !next.is("}") {
                return Err(self.unexpected("braces", "\",\" or \"}\""));
            }
        }
        Ok(())
    }

    /// The text that a label is compared with.
    fn matched(&mut self, operator: Token<'t>) -> Walked<()> {
        let text = self.peek();
        if text.kind != Kind::Text {
            return Err(self.unexpected("braces", "string"));
        }
        self.at += 1;
        self.escapes(text);
        let is_pattern = matches!(operator.text, "=~" | "!~");
        let pattern = text.text.trim_matches(['"', '\'', '`']);
        if is_pattern && crate::pattern::anchored(pattern).is_err() {
            for words in ["regex", "regular expression"] {
                self.remark(words, text.position, text.position);
            }
        }
        Ok(())
    }
}
