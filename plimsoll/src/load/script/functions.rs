//! The functions of templates, with JMeter's meaning where they are JMeter's.
//!
//! Invariants: a result's length is bounded; random ones follow from the user's seed.
//! Left out: how their names and arguments are parsed and counted (see `config::bench`).

pub(super) mod date;
pub(super) mod encode;
mod text;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::run::Shared;
use super::user::{User, entry};
use super::{expression, template};
use crate::config::bench::model::{Call, Function, RANDOM_TEXT_MAX};

/// What random texts are made of where the plan does not say.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Calls a function and writes its result behind what is in `out`.
pub(super) fn write(
    call: &Call,
    user: &mut User,
    shared: &Shared,
    out: &mut String,
) -> Result<(), String> {
    let begin = out.len();
    let mut arguments = Arguments { call, user, shared };
    dispatch(call.function, &mut arguments, out)?;
    if let Some(slot) = call.store {
        user.set(slot, out[begin..].into());
    }
    Ok(())
}

/// A call's arguments, rendered when they are asked for.
struct Arguments<'a> {
    call: &'a Call,
    user: &'a mut User,
    shared: &'a Shared,
}

impl<'a> Arguments<'a> {
    fn count(&self) -> usize {
        self.call.arguments.len()
    }

    /// The argument, rendered; empty if it was left out.
    fn text(&mut self, index: usize) -> Result<Cow<'a, str>, String> {
        match self.call.arguments.get(index) {
            Some(argument) => template::text(argument, self.user, self.shared),
            None => Ok(Cow::Borrowed("")),
        }
    }

    /// The argument, if it was given and is not empty.
    fn given(&mut self, index: usize) -> Result<Option<Cow<'a, str>>, String> {
        Ok(Some(self.text(index)?).filter(|text| !text.is_empty()))
    }

    fn whole(&mut self, index: usize) -> Result<i64, String> {
        let text = self.text(index)?;
        let name = self.name();
        text.trim().parse().map_err(|_| format!("{name}: “{text}” is no whole number"))
    }

    /// The function, for messages.
    fn name(&self) -> String {
        format!("{:?}", self.call.function)
    }
}

fn dispatch(function: Function, of: &mut Arguments, out: &mut String) -> Result<(), String> {
    match function {
        Function::RandomInt => random_int(of, out)?,
        Function::RandomText => random_text(of, out)?,
        Function::Pick => {
            let picked = of.user.random.usize(0..of.count().max(1));
            out.push_str(&of.text(picked)?);
        }
        Function::Uuid => uuid(of.user.random.u128(..), out),
        Function::Counter => {
            let id = of.call.id;
            let count = if of.text(0)?.trim().eq_ignore_ascii_case("true") {
                let count = entry(&mut of.user.kept.counters, id);
                *count += 1;
                *count
            } else {
                of.shared.count(id)
            };
            push(count, out);
        }
        Function::Time => {
            let format = of.text(0)?;
            out.push_str(&date::time(of.user.wall(of.shared), &format, zone(of))?);
        }
        Function::TimeShift => {
            let (format, date, shift) = (of.text(0)?, of.text(1)?, of.text(2)?);
            let now = of.user.wall(of.shared);
            out.push_str(&date::shifted(now, &format, &date, &shift, zone(of))?);
        }
        Function::User => push(of.user.number, out),
        Function::Group => {
            let group = of.shared.plan().groups.get(of.user.group);
            out.push_str(group.map_or("", |group| &group.name));
        }
        Function::Iteration => push(of.user.iteration, out),
        Function::Sum => {
            let mut sum = 0i64;
            for index in 0..of.count() {
                let term = of.whole(index)?;
                sum = sum.checked_add(term).ok_or("Sum: the sum does not fit 64 bits")?;
            }
            push(sum, out);
        }
        Function::Machine => out.push_str(&of.shared.surroundings().machine),
        Function::Holds => {
            let holds = expression::holds(&of.text(0)?)?;
            out.push_str(if holds { "true" } else { "false" });
        }
        Function::VariableByName | Function::Split | Function::Evaluate | Function::Environment => {
            by_name(function, of, out)?
        }
        _ => of_text(function, of, out)?,
    }
    Ok(())
}

/// Functions about variables, the environment's too, whose names only the run knows.
fn by_name(function: Function, of: &mut Arguments, out: &mut String) -> Result<(), String> {
    match function {
        Function::VariableByName => {
            let name = of.text(0)?;
            let value = of.user.get_named(&name, of.shared).cloned();
            match value {
                Some(value) => out.push_str(&value),
                // Without a default, the name itself, as JMeter has it.
                None if of.count() < 2 => out.push_str(&name),
                None => out.push_str(&of.text(1)?),
            }
        }
        Function::Split => {
            let (text, name, delimiter) = (of.text(0)?, of.text(1)?, of.given(2)?);
            text::split(&text, &name, delimiter.as_deref().unwrap_or(","), of.user, of.shared);
            out.push_str(&text);
        }
        Function::Evaluate => {
            let text = of.text(0)?;
            text::evaluate(&text, of.user, of.shared, out);
        }
        _ => {
            let name = of.text(0)?;
            match std::env::var(&*name) {
                Ok(value) => out.push_str(&value),
                Err(_) if of.count() < 2 => out.push_str(&name),
                Err(_) => out.push_str(&of.text(1)?),
            }
        }
    }
    Ok(())
}

/// Functions that make a text of a text.
fn of_text(function: Function, of: &mut Arguments, out: &mut String) -> Result<(), String> {
    if function == Function::Char {
        for index in 0..of.count() {
            out.push(text::character(&of.text(index)?)?);
        }
        return Ok(());
    }
    let text = of.text(0)?;
    match function {
        Function::UrlEncode => encode::form_encode(&text, out),
        Function::UrlDecode => out.push_str(&encode::form_decode(&text)),
        Function::HtmlEscape => encode::html_escape(&text, out),
        Function::HtmlUnescape => encode::html_unescape(&text, out),
        Function::Base64Encode => encode::base64(&text, out),
        Function::Base64Decode => out.push_str(&encode::base64_decode(&text)?),
        Function::Upper => out.push_str(&text.to_uppercase()),
        Function::Lower => out.push_str(&text.to_lowercase()),
        Function::Capitalize => text::capitalize(&text, out),
        Function::Substring => {
            let from = of.whole(1)?;
            let to = if of.given(2)?.is_some() { of.whole(2)? } else { i64::MAX };
            let from = usize::try_from(from).unwrap_or(0);
            let to = usize::try_from(to).unwrap_or(0);
            out.extend(text.chars().take(to).skip(from));
        }
        Function::Length => push(text.chars().count(), out),
        other => return Err(format!("{other:?} makes no text of a text")),
    }
    Ok(())
}

fn zone<'a>(of: &Arguments<'a>) -> &'a jiff::tz::TimeZone {
    &of.shared.surroundings().zone
}

fn push(number: impl std::fmt::Display, out: &mut String) {
    // Writing to a text cannot fail.
    let _ = write!(out, "{number}");
}

fn random_int(of: &mut Arguments, out: &mut String) -> Result<(), String> {
    let (from, to) = (of.whole(0)?, of.whole(1)?);
    if from > to {
        return Err(format!("{}: {from} to {to} is no range", of.name()));
    }
    push(of.user.random.i64(from..=to), out);
    Ok(())
}

fn random_text(of: &mut Arguments, out: &mut String) -> Result<(), String> {
    let length = of.whole(0)?;
    let length = u64::try_from(length).ok().filter(|length| *length <= RANDOM_TEXT_MAX);
    let Some(length) = length else {
        return Err(format!("{}: the length must be 0 to {RANDOM_TEXT_MAX}", of.name()));
    };
    let letters = of.given(1)?;
    let letters: Vec<char> = letters.as_deref().unwrap_or(LETTERS).chars().collect();
    for _ in 0..length {
        // Never empty: an empty argument counts as none.
        out.push(letters[of.user.random.usize(0..letters.len())]);
    }
    Ok(())
}

/// A random UUID (RFC 9562 §5.4).
fn uuid(random: u128, out: &mut String) {
    let bits = random & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    // Writing to a text cannot fail.
    let _ = write!(
        out,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff,
        bits & 0xffff_ffff_ffff
    );
}

#[cfg(test)]
mod tests;
