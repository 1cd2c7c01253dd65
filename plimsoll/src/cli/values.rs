//! Option values with a form of their own.

use std::time::Duration;

use super::arguments::Latency;

/// Longest artificial latency.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// A probability: `0.25` or `25%`.
pub fn chance(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    match value {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a chance is a number from 0 to 1, or from 0% to 100%".to_owned()),
    }
}

/// A time or a range of times: `50ms`, `10ms..50ms`.
pub fn latency(text: &str) -> Result<Latency, String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (duration(least)?, duration(most)?);
    if least > most {
        return Err("the first time of a range is the shorter one, as in 10ms..50ms".to_owned());
    }
    if most > LATENCY_MAX {
        return Err("the longest latency is 60s".to_owned());
    }
    Ok(Latency { least, most })
}

/// `0`, `20ms`, `1.5s`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write a number and its unit: 20ms, 1.5s");
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 0.001)
    } else {
        (text.strip_suffix('s').ok_or_else(wrong)?, 1.0)
    };
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    let number = Some(number).filter(|number| number.chars().all(plain)).ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances() {
        for (text, expected) in [("0", 0.0), ("0.25", 0.25), ("25%", 0.25), ("1", 1.0)] {
            assert_eq!(chance(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "1.1", "-0.1", "101%", "NaN", "often"] {
            assert!(chance(text).is_err(), "{text}");
        }
    }

    #[test]
    fn latencies() {
        let milliseconds = |least, most| Latency {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        };
        for (text, least, most) in [
            ("0", 0, 0),
            ("0ms", 0, 0),
            ("50ms", 50, 50),
            ("1.5s", 1500, 1500),
            ("10ms..50ms", 10, 50),
            ("0..1s", 0, 1000),
        ] {
            assert_eq!(latency(text), Ok(milliseconds(least, most)), "{text}");
        }
        for text in ["", "50", "ms", "-1ms", "1e3ms", "50ms..10ms", "61s", "1m", "..", "NaNs"] {
            assert!(latency(text).is_err(), "{text}");
        }
    }
}
