//! Numbers of a script: read as Go reads them, written as PromQL writes them.

use std::fmt;

use crate::sample::is_stale;

/// Relative error up to which values are equal.
const ERROR_MAX: f64 = 1e-6;

/// Reads a whole text as a number: `1`, `-2.5e3`, `0x1f`, `NaN`, `+Inf`.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        // A sign before NaN is refused by Go, but read by PromQL as an operator.
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        let valid = hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
        return u64::from_str_radix(hexadecimal, 16)
            .ok()
            .filter(|_| valid)
            .map(|value| sign * value as f64);
    }
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-');
    let starts = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    (starts && lower.bytes().all(plain))
        .then(|| lower.parse::<f64>().ok())
        .flatten()
        .map(|value| sign * value)
}

/// Whether two values are the same for a script: up to a relative error, all NaN alike, and the stale
/// marker like nothing but itself.
pub(super) fn same(one: f64, other: f64) -> bool {
    if is_stale(one) || is_stale(other) {
        return is_stale(one) && is_stale(other);
    }
    if one.is_nan() && other.is_nan() || one == other {
        return true;
    }
    let sum = one.abs() + other.abs();
    let difference = (one - other).abs();
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < ERROR_MAX * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < ERROR_MAX
}

/// A value as it stands in a script.
pub(super) struct Number(pub(super) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if is_stale(value) {
            f.write_str("stale")
        } else if value.is_nan() {
            f.write_str("NaN")
        } else if value.is_infinite() {
            f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
        } else {
            let text = format!("{value:?}");
            f.write_str(text.strip_suffix(".0").unwrap_or(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::STALE;

    #[test]
    fn numbers_are_read() {
        for (text, wanted) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("-2.5e3", -2500.0),
            (".5", 0.5),
            ("1e-3", 0.001),
            ("0x1F", 31.0),
            ("-inf", f64::NEG_INFINITY),
            ("+Inf", f64::INFINITY),
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
        for text in ["", "+", "-", "a", "1a", "0x", "0x+1", "1 2", "--1", "e5", "1e", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_the_same_up_to_a_relative_error() {
        assert!(same(1e9, 1e9 + 1.0));
        assert!(!same(1.0, 1.000_01));
        assert!(!same(0.0, 1e-300));
        assert!(same(0.0, -0.0));
        assert!(same(f64::NAN, -f64::NAN));
        assert!(!same(f64::NAN, STALE) && same(STALE, STALE));
        assert!(same(f64::INFINITY, f64::INFINITY) && !same(f64::INFINITY, f64::NEG_INFINITY));
        assert!(!same(f64::INFINITY, f64::MAX) && same(f64::MAX, f64::MAX));
    }

    #[test]
    fn values_are_written_as_in_a_script() {
        let texts =
            [1.0, -0.5, 1e300, f64::NAN, f64::INFINITY, STALE].map(|v| Number(v).to_string());
        assert_eq!(texts, ["1", "-0.5", "1e300", "NaN", "+Inf", "stale"]);
    }
}
