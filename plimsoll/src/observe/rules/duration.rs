//! Durations as Prometheus writes them: `5m`, `1h30m`, `1d`, `0`.
//!
//! Source: `model.ParseDuration` of <https://github.com/prometheus/common>.

use std::time::Duration;

use tsdb::promql::duration::UNITS;

/// The longest, milliseconds: what fits in a signed number of nanoseconds, as in Prometheus.
const LONGEST: u64 = i64::MAX as u64 / 1_000_000;

/// What is allowed, for messages.
pub(super) const ALLOWED: &str =
    "whole numbers with units, the larger first, as in 30s, 5m, 1h30m or 1d";

/// Reads a duration.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || format!("`{text}` is not a duration");
    let (mut rest, mut units, mut sum) = (text, UNITS.iter(), 0_u64);
    if rest.is_empty() {
        return Err("a duration cannot be empty".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(wrong());
        }
        let (_, milliseconds) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        sum = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(milliseconds.unsigned_abs()))
            .and_then(|amount| sum.checked_add(amount))
            .filter(|sum| *sum <= LONGEST)
            .ok_or_else(|| format!("`{text}` is longer than 292 years"))?;
        rest = after;
    }
    Ok(Duration::from_millis(sum))
}

/// Writes a duration in days and less: nobody counts 4w2d.
pub(super) fn show(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in UNITS.iter().skip(2) {
        let count = rest / u128::from(milliseconds.unsigned_abs());
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            rest %= u128::from(milliseconds.unsigned_abs());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("100ms", 100),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "5 m",
            "m",
            "30m1h",
            "5m5m",
            "-5m",
            "1.5h",
            "5M",
            "5µs",
            "293y",
            "99999999999999999999y",
            "5m ",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (text, shown) in [
            ("30d", "30d"),
            ("3600s", "1h"),
            ("90m", "1h30m"),
            ("7d", "7d"),
            ("4w", "28d"),
            ("0", "0s"),
            ("1y", "365d"),
            ("1500ms", "1s500ms"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(show(duration), shown);
            assert_eq!(parse(&show(duration)), Ok(duration));
        }
    }
}
