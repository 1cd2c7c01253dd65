//! JMeter's texts with `${name}` and `${__function(arguments)}`, taken apart.
//!
//! The rules are those of JMeter's own `FunctionParser`, odd as they are: a backslash before `$`,
//! `,` or `\` is an escape in arguments and in texts that have a reference, and an ordinary
//! character in texts that have none. An argument ends at a comma or at the parenthesis that
//! closes it, but not within `${…}`.

use std::iter::Peekable;
use std::str::Chars;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is.
    Text(String),
    /// `${name}`, which is a variable or a function without arguments.
    Reference(String),
    /// `${__name(…)}` with its arguments, each to be taken apart by [`argument`].
    Call(String, Vec<String>),
    /// `${` without its end, and what follows.
    Unfinished(String),
}

/// Takes a setting's text apart.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let parts = argument(text);
    if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        return if text.is_empty() { Vec::new() } else { vec![Part::Text(text.to_owned())] };
    }
    parts
}

/// Takes a function's argument apart, in which escapes always count.
pub(super) fn argument(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('$' | ',' | '\\')) => plain.push(escaped),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            '$' if characters.peek() == Some(&'{') => {
                characters.next();
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(reference(&mut characters));
            }
            other => plain.push(other),
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

/// What follows `${`.
fn reference(characters: &mut Peekable<Chars<'_>>) -> Part {
    let mut name = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            '}' => return Part::Reference(name),
            // A variable's name may hold a parenthesis; a function's cannot.
            '(' if name.starts_with("__") => {
                let Some(arguments) = arguments(characters) else {
                    return Part::Unfinished(format!("${{{name}("));
                };
                return match characters.next() {
                    Some('}') => Part::Call(name, arguments),
                    _ => Part::Unfinished(format!("${{{name}({})", arguments.join(","))),
                };
            }
            other => name.push(other),
        }
    }
    Part::Unfinished(format!("${{{name}"))
}

/// What follows the parenthesis of a function; `None` where it is not closed.
fn arguments(characters: &mut Peekable<Chars<'_>>) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut current = String::new();
    let (mut references, mut parentheses) = (0_usize, 0_usize);
    let mut previous = ' ';
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                current.push('\\');
                current.extend(characters.next());
                previous = ' ';
                continue;
            }
            ',' if references == 0 => {
                arguments.push(std::mem::take(&mut current));
                previous = ',';
                continue;
            }
            ')' if references == 0 && parentheses == 0 => {
                if !(current.is_empty() && arguments.is_empty()) {
                    arguments.push(current);
                }
                return Some(arguments);
            }
            '{' if previous == '$' => references += 1,
            '}' if references > 0 => references -= 1,
            ')' if references == 0 => parentheses -= 1,
            '(' if references == 0 => parentheses += 1,
            _ => {}
        }
        current.push(character);
        previous = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn call(name: &str, arguments: &[&str]) -> Part {
        Part::Call(name.to_owned(), arguments.iter().map(|each| (*each).to_owned()).collect())
    }

    #[test]
    fn texts_are_taken_apart_as_jmeter_does() {
        let name = |name: &str| Part::Reference(name.to_owned());
        assert_eq!(parts("a${b}c"), [text("a"), name("b"), text("c")]);
        assert_eq!(parts(r"\d+ costs \$5"), [text(r"\d+ costs \$5")]);
        assert_eq!(parts(r"\d+ \$5 ${x}"), [text(r"\d+ $5 "), name("x")]);
        assert_eq!(parts(r"\${x} ${y}"), [text("${x} "), name("y")]);
        assert_eq!(argument(r"a\,b\\"), [text(r"a,b\")]);
        assert_eq!(parts("${__UUID}"), [name("__UUID")]);
        assert_eq!(parts("${__UUID()}"), [call("__UUID", &[])]);
        assert_eq!(parts("${__P(a,)}"), [call("__P", &["a", ""])]);
        assert_eq!(parts("${__f(${g(1,2)},(x),b)}"), [call("__f", &["${g(1,2)}", "(x)", "b"])]);
        assert_eq!(parts("${__f(a\\,b)}"), [call("__f", &["a\\,b"])]);
        assert_eq!(parts("$x {y} $"), [text("$x {y} $")]);
        assert_eq!(parts("a ${b"), [text("a "), Part::Unfinished("${b".to_owned())]);
        assert_eq!(parts("$${a}"), [text("$"), name("a")]);
    }
}
