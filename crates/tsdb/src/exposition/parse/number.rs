//! Numbers of the formats: values and timestamps.
//!
//! Values are what Go's `ParseFloat` takes, without hexadecimal digits and underscores, as in
//! Prometheus. Most values of a body have few digits, so that their decimal digits and their power
//! of ten are exact floats and one multiplication or division rounds correctly (Clinger 1990,
//! "How to read floating point numbers accurately"); the standard library reads the others.

/// Powers of ten that are exact floats.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Integers up to here are exact floats.
const EXACT_MAX: u64 = 1 << 53;

/// Digits that a `u64` holds, whichever they are.
const DIGITS_MAX: usize = 19;

/// A value. `None` if it is not a number, or too large for a float (which would silently become
/// infinite). Every NaN becomes the same one, which is not the marker of staleness.
#[inline]
pub(super) fn value(token: &str) -> Option<f64> {
    let bytes = token.as_bytes();
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let magnitude = match short_decimal(digits) {
        Some(magnitude) => magnitude,
        None => return other(token),
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Digits with at most one point and an exponent, few enough to be exact.
#[inline]
fn short_decimal(bytes: &[u8]) -> Option<f64> {
    let (mut mantissa, mut point, mut digits) = (0_u64, None, 0);
    let mut exponent = 0;
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                // May wrap for more digits than are taken below.
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            b'e' | b'E' => {
                exponent = short_exponent(&bytes[place + 1..])?;
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 || digits > DIGITS_MAX || mantissa > EXACT_MAX {
        return None;
    }
    let mantissa = mantissa as f64;
    let power = exponent - point.map_or(0, |point| (digits - point) as i32);
    let scale = *POWERS.get(power.unsigned_abs() as usize)?;
    Some(if power < 0 { mantissa / scale } else { mantissa * scale })
}

/// One or two digits with a sign.
fn short_exponent(bytes: &[u8]) -> Option<i32> {
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    let exponent = match digits {
        [one] => digit(one)?,
        [ten, one] => digit(ten)? * 10 + digit(one)?,
        _ => return None,
    };
    Some(if negative { -exponent } else { exponent })
}

#[cold]
fn other(token: &str) -> Option<f64> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(if token.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if token.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if !unsigned.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return None;
    }
    token.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A timestamp of the text format: milliseconds since 1970, digits alone.
#[inline]
pub(super) fn milliseconds(token: &str) -> Option<i64> {
    token.bytes().all(|byte| byte.is_ascii_digit()).then(|| token.parse().ok())?
}

/// A timestamp of OpenMetrics: seconds since 1970 with a fraction; in milliseconds, what is beyond
/// them cut off (as Prometheus does, but on the decimal digits, so that no rounding of floats moves
/// a time by a millisecond).
pub(super) fn seconds(token: &str) -> Option<i64> {
    plain_seconds(token).or_else(|| {
        let milliseconds = value(token)? * 1000.0;
        // The float of `i64::MAX` is one more than it.
        let fits = milliseconds >= i64::MIN as f64 && milliseconds < i64::MAX as f64;
        fits.then_some(milliseconds as i64)
    })
}

/// Digits, and perhaps a point with digits.
fn plain_seconds(token: &str) -> Option<i64> {
    let (whole, fraction) = token.split_once('.').unwrap_or((token, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut thousandths = 0_i64;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| byte - b'0');
        thousandths = thousandths * 10 + i64::from(digit);
    }
    whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_what_go_reads_without_its_extras() {
        for (text, expected) in [
            ("0", 0.0),
            ("+5", 5.0),
            ("-1.5", -1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e5", 1e5),
            ("1E-7", 1e-7),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("0.1", 0.1),
            ("1.7976931348623157e308", f64::MAX),
            ("4.9e-324", 4.9e-324),
            ("1e-400", 0.0),
            ("Inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INFINITY", f64::NEG_INFINITY),
        ] {
            assert_eq!(value(text).map(f64::to_bits), Some(f64::to_bits(expected)), "{text}");
        }
        assert!(value("-0").unwrap().is_sign_negative());
        for nan in ["NaN", "nan", "NAN"] {
            assert_eq!(value(nan).unwrap().to_bits(), f64::NAN.to_bits());
        }
        for text in [
            "", "+", "-", ".", "e5", "1e", "1e+", "1_0", "0x1p-2", "0xF", "1e400", "-1e400",
            "+NaN", "-nan", "infinit", "1.2.3", "--1", "+-1", "1,5", "1d", "١", "1f", "nan0",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_exact_milliseconds() {
        assert_eq!(milliseconds("1520879607789"), Some(1_520_879_607_789));
        assert_eq!(milliseconds("9223372036854775808"), None);
        for text in ["-1", "+1", "1.0", "", "1e3"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
        for (text, expected) in [
            ("1520879607.789", 1_520_879_607_789),
            ("1520879607.7899", 1_520_879_607_789),
            ("1", 1000),
            ("1.", 1000),
            ("0.0005", 0),
            (".5", 500),
            ("-1.5", -1500),
            ("1.5e9", 1_500_000_000_000),
            ("-0", 0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["NaN", "+Inf", "1e30", "9223372036854775.9", "99999999999999999999", "", "x"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_float_reads_back(bits in any::<u64>()) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            for text in [float.to_string(), format!("{float:e}"), format!("{float:.3}")] {
                let expected = text.parse::<f64>().unwrap();
                prop_assert_eq!(value(&text).map(f64::to_bits), Some(expected.to_bits()), "{}", text);
            }
        }

        #[test]
        fn short_decimals_are_those_of_the_standard_library(text in "[+-]?[0-9]{0,12}\\.?[0-9]{0,12}") {
            let expected = text.parse::<f64>().ok();
            prop_assert_eq!(value(&text).map(f64::to_bits), expected.map(f64::to_bits));
        }
    }
}
