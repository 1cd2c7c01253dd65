//! Go's literals: texts with escapes, and numbers. And how Go quotes a text.

use super::lex::Token;

/// The text between quotes with its escapes resolved; `None` if one is none.
pub(super) fn unquote(inner: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let mut push = |character: char| {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        };
        if character != '\\' {
            push(character);
            continue;
        }
        let escape = characters.next()?;
        let mut digits = |count: usize, radix: u32| -> Option<u32> {
            let rest = characters.as_str();
            let digits = rest.get(..count)?;
            characters = rest.get(count..)?.chars();
            let all = digits.chars().all(|digit| digit.is_digit(radix));
            all.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
        };
        match escape {
            'a' => push('\x07'),
            'b' => push('\x08'),
            'f' => push('\x0c'),
            'n' => push('\n'),
            'r' => push('\r'),
            't' => push('\t'),
            'v' => push('\x0b'),
            '\\' => push('\\'),
            c if c == quote => push(c),
            'x' => bytes.push(digits(2, 16)? as u8),
            'u' => push(char::from_u32(digits(4, 16)?)?),
            'U' => push(char::from_u32(digits(8, 16)?)?),
            '0'..='7' => {
                let rest = digits(2, 8)?;
                bytes.push(
                    u8::try_from(u32::from(escape) - u32::from('0'))
                        .ok()?
                        .checked_mul(64)?
                        .checked_add(rest as u8)?,
                );
            }
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number as a template writes it: an integer unless it has a point or an exponent.
pub(super) fn number(text: &str) -> Option<Token> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let grouped = |text: &str| !text.contains("__") && !text.ends_with('_') && !text.is_empty();
    let radix = match lower.get(..2) {
        Some("0x") => Some(16),
        Some("0o") => Some(8),
        Some("0b") => Some(2),
        _ => None,
    };
    let sign = |value: i128| i64::try_from(if negative { -value } else { value }).ok();
    let integer = match radix {
        Some(radix) if grouped(&lower[2..]) => {
            i128::from_str_radix(&lower[2..].replace('_', ""), radix).ok()
        }
        Some(_) => None,
        None if !lower.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') => None,
        None if !grouped(&lower) || lower.starts_with('_') => None,
        // An old octal number.
        None if lower.len() > 1 && lower.starts_with('0') => {
            i128::from_str_radix(&lower.replace('_', ""), 8).ok()
        }
        None => lower.replace('_', "").parse().ok(),
    };
    if let Some(integer) = integer {
        return sign(integer).map(Token::Integer);
    }
    let plain = lower.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && lower.bytes().all(|byte| byte.is_ascii_digit() || b".e+-_".contains(&byte))
        && lower.contains(['.', 'e'])
        && radix.is_none()
        && grouped(&lower);
    let value: f64 = plain.then(|| lower.replace('_', "").parse().ok()).flatten()?;
    value.is_finite().then_some(Token::Float(if negative { -value } else { value }))
}

/// A text as Go's `%q` has it.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    text.chars().for_each(|character| escape(character, '"', &mut quoted));
    quoted.push('"');
    quoted
}

/// A character as Go's `%q` has it.
pub(super) fn quote_character(character: char) -> String {
    let mut quoted = String::from("'");
    escape(character, '\'', &mut quoted);
    quoted.push('\'');
    quoted
}

fn escape(character: char, quote: char, out: &mut String) {
    match character {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c == quote || c == '\\' => out.extend(['\\', c]),
        c if c.is_ascii() && c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
}
