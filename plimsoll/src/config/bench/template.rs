//! Texts with holes, `{{name}}` and `{{function(…)}}`, into the plan's templates.
//!
//! Within a hole stands the name of a variable or a call of a function whose arguments are texts in
//! quotes, numbers, variables or further calls: `{{pick('a', upper(name))}}`. `{{id = uuid()}}` keeps
//! the result in a variable too. `{{{{` stands for `{{` itself.
//!
//! A name must be known to the [`Builder`] before a template that uses it is read: what nothing
//! ever sets is a mistake.

use std::collections::BTreeSet;

use super::super::problem::{join_or, nearest};
use super::super::quantity::Refusal;
use super::builder::Builder;
use super::functions::{self, FUNCTIONS, Named, arity};
use super::model::{Call, Function, Piece, Slot, Template};

/// Deepest nesting of calls.
const DEPTH_MAX: usize = 16;
/// Most names that a message lists.
const NAMES_SHOWN: usize = 20;

/// What templates use of a plan.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct Uses {
    /// The variables whose values they need.
    pub(in crate::config) slots: BTreeSet<Slot>,
    /// Whether names are made up while the plan runs, so that any variable may be needed.
    pub(in crate::config) any: bool,
}

/// Reads `text`; notes in `uses` what it needs.
///
/// # Errors
/// What is wrong with the first hole that is not right.
pub(in crate::config) fn parse(
    text: &str,
    builder: &mut Builder,
    uses: &mut Uses,
) -> Result<Template, Refusal> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        plain.push_str(before);
        if let Some(after) = after.strip_prefix("{{") {
            plain.push_str("{{");
            rest = after;
            continue;
        }
        let mut hole = Hole { text: after, at: 0, builder, uses };
        let piece = hole.read()?;
        let end = hole.at;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = &after[end..];
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(Template(pieces))
}

/// Checks the name of a variable: letters, digits and `_`, not first a digit.
pub(in crate::config) fn variable_name(name: &str) -> Result<(), Refusal> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let is_name =
        name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(inner);
    match is_name {
        true => Ok(()),
        false => Err(Refusal::new(format!("`{name}` cannot be the name of a variable"))
            .remedy("use letters, digits, `_` and `-`, and begin with a letter")),
    }
}

/// A hole that is being read: from after its `{{` to after its `}}`.
struct Hole<'a> {
    text: &'a str,
    at: usize,
    builder: &'a mut Builder,
    uses: &'a mut Uses,
}

impl<'a> Hole<'a> {
    fn read(&mut self) -> Result<Piece, Refusal> {
        self.skip_space();
        if self.rest().starts_with("}}") {
            return Err(Refusal::new("`{{}}` names nothing")
                .remedy("write a variable's name in it, or `{{{{` for the characters themselves"));
        }
        let name = self.name()?;
        self.skip_space();
        let piece = if self.takes('=') {
            self.skip_space();
            let function = self.name()?;
            self.skip_space();
            let store = Some(self.builder.slot(name));
            match self.call(function, 0)? {
                Piece::Call(call) => Piece::Call(Box::new(Call { store, ..*call })),
                other => other,
            }
        } else if self.rest().starts_with('(') {
            self.call(name, 0)?
        } else {
            self.variable(name)?
        };
        self.skip_space();
        if !self.rest().starts_with("}}") {
            return Err(self.unclosed());
        }
        self.at += 2;
        Ok(piece)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn takes(&mut self, character: char) -> bool {
        let is_next = self.rest().starts_with(character);
        if is_next {
            self.at += character.len_utf8();
        }
        is_next
    }

    /// What stands in the hole, for messages.
    fn shown(&self) -> String {
        let inside = self.text.split("}}").next().unwrap_or_default();
        let short: String = inside.chars().take(40).collect();
        format!("`{{{{{short}`")
    }

    fn unclosed(&self) -> Refusal {
        let shown = self.shown();
        let next: String = self.rest().chars().take(1).collect();
        let refusal = match next.as_str() {
            "" => Refusal::new(format!("{shown} has no closing `}}}}`")),
            next => Refusal::new(format!("{shown}: there is a `{next}` where `}}}}` belongs")),
        };
        refusal.remedy("write {{name}} or {{function(…)}}, or `{{{{` for the characters themselves")
    }

    /// A name: letters, digits, `_`, `-` and `.`, beginning with a letter or `_`.
    fn name(&mut self) -> Result<&'a str, Refusal> {
        let rest = self.rest();
        let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let end = rest.find(|c: char| !inner(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let refusal = Refusal::new(format!("{}: a name was expected", self.shown()));
            return Err(refusal.remedy(
                "write {{name}} or {{function(…)}}, or `{{{{` for the characters themselves",
            ));
        }
        self.at += end;
        Ok(name)
    }

    fn variable(&mut self, name: &str) -> Result<Piece, Refusal> {
        if let Some(slot) = self.builder.known_slot(name) {
            self.uses.slots.insert(slot);
            return Ok(Piece::Variable(slot, format!("{{{{{name}}}}}")));
        }
        if self.builder.has_unknown_names() {
            let slot = self.builder.slot(name);
            return Ok(Piece::Variable(slot, format!("{{{{{name}}}}}")));
        }
        let refusal = Refusal::new(format!("there is no variable `{name}`"));
        if FUNCTIONS.iter().any(|function| function.name == name) {
            return Err(refusal.remedy(format!("`{name}` is a function: write {{{{{name}()}}}}")));
        }
        if let Some(near) = nearest(name, self.builder.names()) {
            return Err(refusal.remedy(format!("did you mean `{near}`?")));
        }
        let mut names: Vec<String> =
            self.builder.names().take(NAMES_SHOWN).map(|name| format!("{{{{{name}}}}}")).collect();
        names.sort();
        Err(match names.is_empty() {
            true => refusal.remedy(format!("set it, or write `{{{{{{{{{name}` for the characters")),
            false => refusal.remedy(format!("set it, or use {}", join_or(&names))),
        })
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Piece, Refusal> {
        let Some(named) = FUNCTIONS.iter().find(|function| function.name == name) else {
            let refusal = Refusal::new(format!("there is no function `{name}`"));
            let names = FUNCTIONS.iter().map(|function| function.name);
            return Err(match nearest(name, names.clone()) {
                Some(near) => refusal.remedy(format!("did you mean `{near}`?")),
                None => {
                    let names: Vec<String> = names.map(str::to_owned).collect();
                    refusal.remedy(format!("the functions are {}", names.join(", ")))
                }
            });
        };
        if !self.takes('(') {
            return Err(Refusal::new(format!("`{name}` is called without brackets"))
                .remedy(format!("write {{{{{}}}}}", named.example)));
        }
        let arguments = self.arguments(named, depth)?;
        if !(named.least..=named.most).contains(&arguments.len()) {
            let message =
                format!("`{name}` takes {}, and here are {}", arity(named), arguments.len());
            return Err(
                Refusal::new(message).remedy(format!("write it as in {{{{{}}}}}", named.example))
            );
        }
        functions::verify(named, &arguments)?;
        self.uses.any |= named.function == Function::VariableByName;
        let (function, id) = (named.function, self.builder.call());
        Ok(Piece::Call(Box::new(Call { function, arguments, store: None, id })))
    }

    /// Arguments to the closing bracket, which is taken.
    fn arguments(&mut self, named: &Named, depth: usize) -> Result<Vec<Template>, Refusal> {
        if depth >= DEPTH_MAX {
            return Err(Refusal::new("these calls are nested too deeply")
                .remedy(format!("nest at most {DEPTH_MAX}")));
        }
        let mut arguments = Vec::new();
        self.skip_space();
        if self.takes(')') {
            return Ok(arguments);
        }
        loop {
            self.skip_space();
            arguments.push(self.argument(named, depth)?);
            self.skip_space();
            if self.takes(')') {
                return Ok(arguments);
            }
            if !self.takes(',') {
                return Err(Refusal::new(format!("{} has no closing bracket", self.shown()))
                    .remedy(format!("write it as in {{{{{}}}}}", named.example)));
            }
        }
    }

    fn argument(&mut self, named: &Named, depth: usize) -> Result<Template, Refusal> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let Some(end) = rest[1..].find(quote) else {
                    return Err(Refusal::new(format!("{}: a quote is not closed", self.shown()))
                        .remedy(format!("write it as in {{{{{}}}}}", named.example)));
                };
                self.at += end + 2;
                Ok(Template::text(&rest[1..=end]))
            }
            Some('0'..='9' | '-' | '+') => {
                let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
                let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
                self.at += end;
                Ok(Template::text(&rest[..end]))
            }
            _ => {
                let name = self.name()?;
                self.skip_space();
                let piece = match self.rest().starts_with('(') {
                    true => self.call(name, depth + 1)?,
                    false => self.variable(name).map_err(|refusal| unquoted(refusal, name))?,
                };
                Ok(Template(vec![piece]))
            }
        }
    }
}

/// An argument that is no variable may have been meant as a text.
fn unquoted(refusal: Refusal, name: &str) -> Refusal {
    let is_near = refusal.remedy.as_ref().is_some_and(|remedy| remedy.starts_with("did you mean"));
    match is_near {
        true => refusal,
        false => refusal.remedy(format!("put a text in quotes: '{name}'")),
    }
}

#[cfg(test)]
mod tests;
