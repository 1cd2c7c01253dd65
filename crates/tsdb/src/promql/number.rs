//! Numbers as Prometheus writes them: the shortest digits that read back as the same number, in the
//! three layouts of Go's `strconv.FormatFloat`.

/// Without an exponent (`'f'`): in label values and expressions.
pub fn plain(value: f64) -> String {
    if let Some(word) = special(value) {
        return word.to_owned();
    }
    // Rust writes the shortest digits that read back, never with an exponent.
    value.to_string()
}

/// With an exponent for the very small and the very large: in answers of the API.
pub fn json(value: f64) -> String {
    // json-iterator's bounds, which Prometheus' API uses.
    const SMALL: f64 = 1e-6;
    const LARGE: f64 = 1e21;
    let magnitude = value.abs();
    if magnitude.is_finite() && value != 0.0 && !(SMALL..LARGE).contains(&magnitude) {
        return exponent(value);
    }
    plain(value)
}

/// With an exponent from a million up and below a ten-thousandth (`'g'`): in messages.
pub fn general(value: f64) -> String {
    const SMALL: f64 = 1e-4;
    const LARGE: f64 = 1e6;
    let magnitude = value.abs();
    if magnitude.is_finite() && value != 0.0 && !(SMALL..LARGE).contains(&magnitude) {
        return exponent(value);
    }
    plain(value)
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// Go writes the exponent's sign and at least two of its digits.
fn exponent(value: f64) -> String {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Reads a number as Go's `strconv.ParseFloat` does: what a bucket's bound is written in.
pub fn parse(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        "nan" => Some(f64::NAN),
        lower => lower.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let cases = [
            (1.0, "1", "1", "1"),
            (0.1, "0.1", "0.1", "0.1"),
            (-0.0, "-0", "-0", "-0"),
            (1e6, "1000000", "1000000", "1e+06"),
            (123_456.5, "123456.5", "123456.5", "123456.5"),
            (1e21, "1000000000000000000000", "1e+21", "1e+21"),
            (1.5e-7, "0.00000015", "1.5e-07", "1.5e-07"),
            (f64::NAN, "NaN", "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf", "-Inf"),
        ];
        for (value, in_label, in_json, in_message) in cases {
            assert_eq!(plain(value), in_label);
            assert_eq!(json(value), in_json);
            assert_eq!(general(value), in_message);
        }
    }

    #[test]
    fn bounds_of_buckets_are_read_as_go_reads_them() {
        assert_eq!(parse("+Inf"), Some(f64::INFINITY));
        assert_eq!(parse("2.5e-1"), Some(0.25));
        assert_eq!(parse(""), None);
        assert_eq!(parse("1 "), None);
    }
}
