//! Texts taken apart and put together.

use std::sync::Arc;

use crate::load::script::run::Shared;
use crate::load::script::user::User;

/// Most parts of a text that is split.
const PARTS_MAX: usize = 10_000;
/// What a part that is empty is called, as JMeter has it.
const MISSING: &str = "?";

/// Sets `name_1`, `name_2`…, `name_n` (how many there are) and `name` itself.
pub(super) fn split(text: &str, name: &str, delimiter: &str, user: &mut User, shared: &Shared) {
    let mut count = 0;
    for part in text.split(delimiter).take(PARTS_MAX) {
        count += 1;
        let part = if part.is_empty() { MISSING } else { part };
        user.set_named(&format!("{name}_{count}"), part.into(), shared);
    }
    user.unset_named(&format!("{name}_{}", count + 1), shared);
    user.set_named(&format!("{name}_n"), count.to_string().into(), shared);
    user.set_named(name, text.into(), shared);
}

/// Fills in the variables of a text that was not known before: `${name}` and `{{name}}`. Other
/// holes stay as they are.
pub(super) fn evaluate(text: &str, user: &User, shared: &Shared, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match hole(rest, user, shared) {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                // Both letters are a byte long.
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
}

/// The value of a hole at the beginning of a text, and what follows the hole.
fn hole<'t>(text: &'t str, user: &User, shared: &Shared) -> Option<(Arc<str>, &'t str)> {
    let (name, after) = match text.strip_prefix("${") {
        Some(rest) => rest.split_once('}')?,
        None => text.strip_prefix("{{")?.split_once("}}")?,
    };
    Some((user.get_named(name.trim(), shared)?.clone(), after))
}

/// A character by its number: `65`, `0x41`, `#41`, `0101` (Java's `Long.decode`).
pub(super) fn character(number: &str) -> Result<char, String> {
    let text = number.trim();
    let lower = text.to_ascii_lowercase();
    let parsed = match (lower.strip_prefix("0x"), lower.strip_prefix('#'), lower.strip_prefix('0'))
    {
        (Some(digits), ..) | (_, Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
        (.., Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        _ => lower.parse().ok(),
    };
    parsed.and_then(char::from_u32).ok_or_else(|| format!("“{text}” is the number of no character"))
}

/// Writes a text with its first letter in capitals.
pub(super) fn capitalize(text: &str, out: &mut String) {
    let mut letters = text.chars();
    if let Some(first) = letters.next() {
        out.extend(first.to_uppercase());
        out.push_str(letters.as_str());
    }
}
