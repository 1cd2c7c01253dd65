//! Times and durations as people write them, in milliseconds: `5m`, `1h30m`, `250ms`, `-1m`, `90`.

/// The furthest time from 1970 that may be named, milliseconds: about ten thousand years.
pub const TIME_MAX: i64 = 316_000_000_000_000;

/// Units from the largest to the smallest, as they must follow one another, with milliseconds.
pub const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a time or duration: units in falling order
/// (<https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations>),
/// or seconds without a unit.
///
/// # Errors
/// What is wrong with the text, and what to write.
pub fn milliseconds(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let amount = seconds(digits).or_else(|| units(digits)).ok_or_else(|| {
        format!("`{text}` is no duration: write e.g. `30s`, `5m` or `1h30m`, larger units first")
    })?;
    if amount > TIME_MAX {
        return Err(format!("`{text}` is further from 1970 than ten thousand years"));
    }
    Ok(if negative { -amount } else { amount })
}

/// Reads a duration that is more than none; `what` is said if it is not.
///
/// # Errors
/// As [`milliseconds`].
pub fn positive(what: &str, text: &str) -> Result<i64, String> {
    let amount = milliseconds(text)?;
    if amount > 0 { Ok(amount) } else { Err(format!("{what} `{text}` must be more than none")) }
}

fn seconds(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // A float beyond the range of an integer becomes its largest, which is refused after.
    plain.then(|| text.parse::<f64>().ok()).flatten().map(|seconds| (seconds * 1e3).round() as i64)
}

fn units(text: &str) -> Option<i64> {
    let (mut rest, mut total, mut allowed) = (text, 0_i64, &UNITS[..]);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[digits..digits + letters];
        let place = allowed.iter().position(|(name, _)| *name == unit)?;
        let amount: i64 = rest[..digits].parse().ok()?;
        total = total.saturating_add(amount.saturating_mul(allowed[place].1));
        allowed = &allowed[place + 1..];
        rest = &rest[digits + letters..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_units_or_seconds() {
        for (text, wanted) in [
            ("0", 0),
            ("90", 90_000),
            ("1.5", 1_500),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("-1m", -60_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ] {
            assert_eq!(milliseconds(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "m", "5m1h", "5m5m", "1 m", "5q", "m5", ".", "-", "1.5m", "é"] {
            let result = milliseconds(text);
            assert!(result.is_err(), "{text}: {result:?}");
        }
        assert!(milliseconds("99999999999999999y").is_err());
        assert!(milliseconds("99999999999999999999999").is_err());
        assert!(positive("the step", "0s").is_err());
    }
}
