//! Times as Prometheus writes them in labels: `1m30s`, `500ms`.
//!
//! Source: `model.Duration` of `github.com/prometheus/common`.

use std::time::Duration;

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A time in words, to the millisecond.
pub(super) fn show(span: Duration) -> String {
    let mut rest = span.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let (milliseconds, whole) = (u128::from(milliseconds), rest / u128::from(milliseconds));
        // Years and weeks only where they say it all, as Prometheus does.
        let is_coarse = unit == "y" || unit == "w";
        if whole > 0 && (!is_coarse || rest.is_multiple_of(milliseconds)) {
            text.push_str(&format!("{whole}{unit}"));
            rest %= milliseconds;
        }
    }
    text
}

/// The reverse; `None` if it is none or larger than a century. Units come in falling order, each at
/// most once.
pub(super) fn parse(text: &str) -> Option<Duration> {
    const MAX: u64 = 100 * 365 * 86_400_000;
    let (mut rest, mut sum, mut units) = (text, 0_u64, UNITS.iter());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let word = &rest[digits..];
        let end = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
        let (_, milliseconds) = units.find(|(unit, _)| *unit == &word[..end])?;
        sum = number.checked_mul(*milliseconds)?.checked_add(sum).filter(|sum| *sum <= MAX)?;
        rest = &word[end..];
    }
    Some(Duration::from_millis(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_and_read_as_in_prometheus() {
        for (text, milliseconds) in [
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("20ms", 20),
            ("1h", 3_600_000),
            ("1d1ms", 86_400_001),
            ("2w", 14 * 86_400_000),
        ] {
            let span = Duration::from_millis(milliseconds);
            assert_eq!(show(span), text);
            assert_eq!(parse(text), Some(span), "{text}");
        }
        assert_eq!(show(Duration::ZERO), "0s");
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for text in ["", "15", "s", "1s1m", "1s1s", "1.5s", "-1s", "1 s", "99999999999999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("101y"), None);
    }
}
