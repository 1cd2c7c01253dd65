//! Go's `fmt`: verbs, flags, widths and precisions, and what Go writes when they do not fit.
//!
//! Source: <https://pkg.go.dev/fmt>.

use tsdb::promql::number;

use super::OUTPUT_BYTES_MAX;
use super::text::{quote, quote_character};
use super::value::{Failure, Value, failed};

/// Widths and precisions beyond are none, as in Go.
const WIDTH_MAX: usize = 1_000_000;
/// Digits behind the point that are worth writing: an f64 has no more.
const PRECISION_MAX: usize = 1_100;

/// Between `%` and the verb.
#[derive(Debug, Default, Clone)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `printf`.
pub(super) fn format(pattern: &str, arguments: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let (mut used, mut reordered) = (0, false);
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut spec = Spec::default();
        rest = flags(rest, &mut spec);
        rest = index(rest, &mut used, &mut reordered);
        (rest, spec.width) = measure(rest, arguments, &mut used, &mut out, "%!(BADWIDTH)");
        if let Some(after) = rest.strip_prefix('.') {
            let found;
            (rest, found) = measure(after, arguments, &mut used, &mut out, "%!(BADPREC)");
            spec.precision = Some(found.unwrap_or_default());
        }
        rest = index(rest, &mut used, &mut reordered);
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
        } else if let Some(argument) = arguments.get(used) {
            used += 1;
            verb_of(verb, &spec, argument, &mut out);
        } else {
            out.push_str(&format!("%!{verb}(MISSING)"));
        }
        if out.len() > OUTPUT_BYTES_MAX {
            return failed(format!("printf: more than {OUTPUT_BYTES_MAX} bytes come of it"));
        }
    }
    if !rest.is_empty() && !rest.contains('%') {
        out.push_str(rest);
    }
    if !reordered && used < arguments.len() {
        let extra: Vec<String> = arguments[used..].iter().map(typed).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn flags<'p>(mut rest: &'p str, spec: &mut Spec) -> &'p str {
    loop {
        match rest.chars().next() {
            Some('-') => spec.minus = true,
            Some('+') => spec.plus = true,
            Some('#') => spec.sharp = true,
            Some(' ') => spec.space = true,
            Some('0') => spec.zero = true,
            _ => {
                // What is padded on the right is not padded with zeros.
                spec.zero &= !spec.minus;
                return rest;
            }
        }
        rest = &rest[1..];
    }
}

/// `[3]`: which argument is next, from 1.
fn index<'p>(rest: &'p str, used: &mut usize, reordered: &mut bool) -> &'p str {
    let Some((inner, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return rest;
    };
    match inner.parse::<usize>() {
        Ok(number) if number > 0 => {
            *used = number - 1;
            *reordered = true;
            after
        }
        _ => rest,
    }
}

/// A width or a precision: digits, or `*` for the next argument.
fn measure<'p>(
    rest: &'p str,
    arguments: &[Value],
    used: &mut usize,
    out: &mut String,
    bad: &str,
) -> (&'p str, Option<usize>) {
    if let Some(after) = rest.strip_prefix('*') {
        let given = match arguments.get(*used) {
            Some(Value::Integer(width)) => usize::try_from(*width).ok(),
            _ => None,
        };
        *used += 1;
        let given = given.filter(|given| *given <= WIDTH_MAX);
        if given.is_none() {
            out.push_str(bad);
        }
        return (after, given);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    (after, number.parse().ok().filter(|width| *width <= WIDTH_MAX))
}

fn typed(value: &Value) -> String {
    match value {
        Value::Nothing => "<nil>".to_owned(),
        other => format!("{}={}", other.type_name(), other.shown()),
    }
}

fn verb_of(verb: char, spec: &Spec, value: &Value, out: &mut String) {
    let text = match (verb, value) {
        ('T', _) => Some(value.type_name().to_owned()),
        ('v', Value::Float(float)) => Some(float_text('g', spec, *float)),
        ('v', Value::Integer(integer)) => Some(integer_text('d', spec, *integer)),
        ('v', Value::Text(text)) if spec.sharp => Some(quote(text)),
        ('v' | 's', Value::Nothing) if verb == 'v' => Some("<nil>".to_owned()),
        ('v', Value::Sample(_)) => Some(format!("&{}", value.shown())),
        ('v', _) => Some(value.shown()),
        ('s', Value::Text(text)) => Some(cut(text, spec.precision)),
        ('s', Value::Map(_) | Value::Time(_)) => Some(value.shown()),
        ('q', Value::Text(text)) if spec.sharp && !text.contains(['`', '\n']) => {
            Some(format!("`{text}`"))
        }
        ('q', Value::Text(text)) => Some(quote(&cut(text, spec.precision))),
        ('x' | 'X', Value::Text(text)) => {
            let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            Some(if verb == 'X' { hexadecimal.to_uppercase() } else { hexadecimal })
        }
        ('t', Value::Bool(value)) => Some(value.to_string()),
        ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'x' | 'X', Value::Float(float)) => {
            Some(float_text(verb, spec, *float))
        }
        ('d' | 'b' | 'o' | 'O' | 'x' | 'X' | 'c' | 'q' | 'U', Value::Integer(integer)) => {
            Some(integer_text(verb, spec, *integer))
        }
        _ => None,
    };
    let text = text.unwrap_or_else(|| format!("%!{verb}({})", typed(value)));
    pad(&text, verb, spec, value, out);
}

fn cut(text: &str, precision: Option<usize>) -> String {
    text.chars().take(precision.unwrap_or(usize::MAX)).collect()
}

fn pad(text: &str, verb: char, spec: &Spec, value: &Value, out: &mut String) {
    let missing = spec.width.unwrap_or_default().saturating_sub(text.chars().count());
    let room = (OUTPUT_BYTES_MAX + 1).saturating_sub(out.len());
    let missing = missing.min(room);
    let number = matches!(value, Value::Integer(_) | Value::Float(_)) && verb != 'T';
    let finite = !matches!(value, Value::Float(value) if !value.is_finite());
    if spec.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if spec.zero && number && finite && !text.starts_with("%!") {
        let signs = text.len() - text.trim_start_matches(['+', '-', ' ']).len();
        out.push_str(&text[..signs]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(&text[signs..]);
    } else {
        let fill = if spec.zero && !number { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(fill, missing));
        out.push_str(text);
    }
}

fn signed(negative: bool, spec: &Spec, digits: &str) -> String {
    let sign = match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    format!("{sign}{digits}")
}

fn integer_text(verb: char, spec: &Spec, value: i64) -> String {
    let magnitude = value.unsigned_abs();
    let character = || u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
    let digits = match verb {
        'b' => format!("{}{magnitude:b}", if spec.sharp { "0b" } else { "" }),
        'o' => format!("{}{magnitude:o}", if spec.sharp { "0" } else { "" }),
        'O' => format!("0o{magnitude:o}"),
        'x' => format!("{}{magnitude:x}", if spec.sharp { "0x" } else { "" }),
        'X' => format!("{}{magnitude:X}", if spec.sharp { "0X" } else { "" }),
        'c' => return character().to_string(),
        'q' => return quote_character(character()),
        'U' => return format!("U+{magnitude:04X}"),
        _ => magnitude.to_string(),
    };
    let least = spec.precision.unwrap_or_default().min(OUTPUT_BYTES_MAX);
    signed(value < 0, spec, &format!("{digits:0>least$}"))
}

fn float_text(verb: char, spec: &Spec, value: f64) -> String {
    if !value.is_finite() {
        let word = if value.is_nan() { "NaN" } else { "Inf" };
        let negative = value == f64::NEG_INFINITY;
        // Go writes the plus of an infinity always with %v, and else as told.
        let plus = spec.plus || verb == 'g' && value == f64::INFINITY;
        return signed(negative, &Spec { plus, ..spec.clone() }, word);
    }
    let magnitude = value.abs();
    let precision = spec.precision.map(|precision| precision.min(PRECISION_MAX));
    let text = match verb {
        'e' | 'E' => exponent(magnitude, Some(precision.unwrap_or(6))),
        'f' | 'F' => format!("{magnitude:.*}", precision.unwrap_or(6)),
        'x' | 'X' => hexadecimal(magnitude),
        _ => match precision {
            Some(precision) => general(magnitude, precision),
            None => number::general(magnitude),
        },
    };
    let text = if verb.is_ascii_uppercase() { text.to_uppercase() } else { text };
    signed(value.is_sign_negative(), spec, &text)
}

/// `%.Ng`: so many significant digits, without zeros at the end.
pub(super) fn general(value: f64, precision: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return number::general(value);
    }
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let power: i32 = scientific.rsplit('e').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= precision as i32 {
        let (digits, _) = scientific.split_once('e').unwrap_or((&scientific, ""));
        return format!("{}{}", trim(digits), power_text(power));
    }
    // Not negative: the power is below the precision.
    let places = (precision as i32 - 1 - power).max(0) as usize;
    trim(&format!("{value:.places$}"))
}

fn exponent(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{digits}{}", power_text(power.parse().unwrap_or(0)))
}

fn power_text(power: i32) -> String {
    format!("e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// `%x`: a hexadecimal mantissa and a power of two.
fn hexadecimal(value: f64) -> String {
    if value == 0.0 {
        return "0x0p+00".to_owned();
    }
    let bits = value.to_bits();
    let (mut fraction, mut power) = (bits & ((1 << 52) - 1), (bits >> 52) as i32 - 1023);
    if power == -1023 {
        // Subnormal: shift until there is a leading one, as Go does.
        let shift = fraction.leading_zeros() as i32 - 11;
        fraction = (fraction << shift) & ((1 << 52) - 1);
        power = -1022 - shift;
    }
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x1{point}{digits}p{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}
