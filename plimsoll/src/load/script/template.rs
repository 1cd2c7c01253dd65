//! Templates made into texts.
//!
//! Invariants: rendering a template without holes copies nothing ([`text`]) or once ([`write`]).
//! Left out: what functions do (see `functions`), how templates are parsed (see `config::bench`).

use std::borrow::Cow;

use super::functions;
use super::run::Shared;
use super::user::User;
use crate::config::bench::model::{Piece, Template};

/// Renders behind what is in `out`. The error says in words what could not be done.
pub(super) fn write(
    template: &Template,
    user: &mut User,
    shared: &Shared,
    out: &mut String,
) -> Result<(), String> {
    for piece in &template.0 {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable(slot, unset) => match user.get(*slot) {
                Some(value) => out.push_str(value),
                None => out.push_str(unset),
            },
            Piece::Call(call) => functions::write(call, user, shared, out)?,
        }
    }
    Ok(())
}

/// Renders.
pub(super) fn render(
    template: &Template,
    user: &mut User,
    shared: &Shared,
) -> Result<String, String> {
    let mut out = String::new();
    write(template, user, shared, &mut out)?;
    Ok(out)
}

/// Renders, borrowing a template that has no holes.
pub(super) fn text<'t>(
    template: &'t Template,
    user: &mut User,
    shared: &Shared,
) -> Result<Cow<'t, str>, String> {
    match template.constant() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => render(template, user, shared).map(Cow::Owned),
    }
}

/// Renders a number.
pub(super) fn number(template: &Template, user: &mut User, shared: &Shared) -> Result<f64, String> {
    let text = text(template, user, shared)?;
    text.trim().parse().map_err(|_| format!("“{text}” is no number"))
}
