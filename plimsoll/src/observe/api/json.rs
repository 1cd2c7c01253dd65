//! JSON of samples, written into bytes by hand: a dashboard's matrices are most of what is sent.
//!
//! Numbers are written as Prometheus writes them (`util/jsonutil`): times in seconds with three
//! digits after the point or none, values as texts in Go's shortest form.

use tsdb::labels::Labels;
use tsdb::promql::number;

/// Whole numbers below this have no fraction and no exponent, and are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Between these the shortest digits are written without an exponent both by Go and here.
const PLAIN: std::ops::Range<f64> = 1e-5..1e16;

/// Appends a time, milliseconds since 1970.
pub(super) fn push_time(out: &mut Vec<u8>, milliseconds: i64) {
    if milliseconds < 0 {
        out.push(b'-');
    }
    let milliseconds = milliseconds.unsigned_abs();
    push_integer(out, milliseconds / 1000);
    let rest = milliseconds % 1000;
    if rest != 0 {
        let digit = |value: u64| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }
}

/// Appends a value as a text: `"1.5"`.
pub(super) fn push_value(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    let magnitude = value.abs();
    if value.trunc() == value && magnitude < WHOLE_MAX {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        push_integer(out, magnitude as u64);
    } else if PLAIN.contains(&magnitude) {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    } else {
        out.extend_from_slice(number::json(value).as_bytes());
    }
    out.push(b'"');
}

/// Appends `[time,"value"]`.
pub(super) fn push_sample(out: &mut Vec<u8>, time: i64, value: f64) {
    out.push(b'[');
    push_time(out, time);
    out.push(b',');
    push_value(out, value);
    out.push(b']');
}

/// Appends `{"name":"value",…}`.
pub(super) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (place, (name, value)) in labels.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_text(out, name);
        out.push(b':');
        push_text(out, value);
    }
    out.push(b'}');
}

/// Appends a text in quotes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let (bytes, mut written) = (text.as_bytes(), 0);
    for (place, byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => {
                &[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
            }
            _ => continue,
        };
        out.extend_from_slice(&bytes[written..place]);
        out.extend_from_slice(escaped);
        written = place + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

fn push_integer(out: &mut Vec<u8>, mut value: u64) {
    /// Digits of the largest number.
    const DIGITS: usize = 20;
    let mut digits = [0; DIGITS];
    let mut place = DIGITS;
    loop {
        place -= 1;
        digits[place] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[place..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_have_three_digits_or_none() {
        for (time, expected) in [
            (0, "0"),
            (1, "0.001"),
            (1_700_000_000_000, "1700000000"),
            (1_700_000_000_050, "1700000000.050"),
            (-1, "-0.001"),
            (-1500, "-1.500"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(written(|out| push_time(out, time)), expected);
        }
    }

    #[test]
    fn values_are_written_as_the_slow_way_writes_them() {
        let odd = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            -2.5e-5,
            1e-5,
            9.99e-6,
            1e-6,
            9e-7,
            WHOLE_MAX - 1.0,
            WHOLE_MAX,
            1e16,
            1.5e16,
            1e20,
            1e21,
            1.5e300,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            123_456.789,
        ];
        // Every exponent there is, with bits that mean nothing.
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        let random = (0..20_000_u64).map(|place| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(place | 1);
            match place % 3 {
                0 => f64::from_bits(bits),
                1 => (bits >> 40) as f64 / 1000.0,
                _ => (bits >> 11) as f64 / (1_u64 << (place % 60)) as f64,
            }
        });
        for value in odd.into_iter().chain(random) {
            let (fast, slow) = (written(|out| push_value(out, value)), number::json(value));
            let fast = fast.trim_matches('"');
            // Of two shortest texts that are equally far from the value either may be taken.
            let is_tie = fast.len() == slow.len() && fast.parse() == Ok(value);
            assert!(fast == slow || is_tie, "{value:?} {fast} {slow}");
        }
    }

    #[test]
    fn texts_are_what_they_were() {
        for text in ["", "up", "a\"b\\c\nd\re\tf\u{0}\u{1f}g", "ä<>&\u{2028}", "\u{7f}"] {
            let json = written(|out| push_text(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{json}");
        }
    }
}
