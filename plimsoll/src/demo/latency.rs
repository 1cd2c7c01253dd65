//! Artificial latency: a fixed time or a uniform range.

use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Longest latency that can be asked for.
const MAX: Duration = Duration::from_secs(60);

/// A uniform distribution from `least` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    least: Duration,
    most: Duration,
}

impl Latency {
    /// A time from the range; `random` is uniform in 0.0 to 1.0.
    pub fn sample(self, random: f64) -> Duration {
        self.least + (self.most - self.least).mul_f64(random.clamp(0.0, 1.0))
    }
}

impl FromStr for Latency {
    type Err = String;

    /// `50ms`, `1.5s`, `10ms..50ms`, `0`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (duration(least)?, duration(most)?);
        if least > most {
            return Err(format!("{text:?} runs backwards; write the smaller time first"));
        }
        Ok(Self { least, most })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; write 50ms, 1.5s or 10ms..50ms");
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| wrong())? * unit;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= MAX => Ok(duration),
        _ => Err(format!("{text:?} is out of range; 0 to 60s are allowed")),
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = |duration: Duration| format!("{}ms", duration.as_secs_f64() * 1000.0);
        let text = if self.least == self.most {
            milliseconds(self.least)
        } else {
            format!("{}..{}", milliseconds(self.least), milliseconds(self.most))
        };
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ranges_are_read() {
        let latency: Latency = "10ms..1.5s".parse().unwrap();
        assert_eq!(latency.sample(0.0), Duration::from_millis(10));
        assert_eq!(latency.sample(1.0), Duration::from_millis(1500));
        assert_eq!("0".parse::<Latency>().unwrap(), Latency::default());
        for wrong in ["", "5", "5m", "-1s", "2s..1s", "61s", "NaNs", "infs"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }
}
