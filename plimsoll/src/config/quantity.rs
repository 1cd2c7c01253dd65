//! Numbers with a unit: durations, sizes and percentages, read from text and shown as text.
//!
//! A number without its unit is refused: `5` may be seconds to one reader and milliseconds to
//! another. What is shown reads back as the same value.

use std::time::Duration;

/// Why a text was refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it, where that can be said.
    pub(super) remedy: Option<String>,
}

impl Refusal {
    /// A refusal without a remedy of its own.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None }
    }

    /// Adds what to do.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

const DURATION_UNITS: [(&str, f64); 9] = [
    ("us", 1e-6),
    // The micro sign, and the Greek letter that looks like it.
    ("\u{b5}s", 1e-6),
    ("\u{3bc}s", 1e-6),
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("w", 7.0 * 86_400.0),
];
/// What people write for the units above.
const DURATION_SYNONYMS: [(&str, &[&str]); 7] = [
    ("us", &["usec", "usecs", "micro", "micros", "microsecond", "microseconds"]),
    ("ms", &["msec", "msecs", "milli", "millis", "millisecond", "milliseconds"]),
    ("s", &["sec", "secs", "second", "seconds"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("d", &["day", "days"]),
    ("w", &["wk", "wks", "week", "weeks"]),
];
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const SIZE_SYNONYMS: [(&str, &[&str]); 5] = [
    ("B", &["b", "byte", "bytes"]),
    ("KiB", &["k", "kb", "kib"]),
    ("MiB", &["m", "mb", "mib"]),
    ("GiB", &["g", "gb", "gib"]),
    ("TiB", &["t", "tb", "tib"]),
];
/// What people write for a year, which is not the same time each time.
const YEARS: [&str; 4] = ["y", "yr", "year", "years"];
/// Days from which on a duration is shown in days: 24 hours are more often meant as hours.
const DAYS_SHOWN: u128 = 2;
/// Longest number that is read; more digits than this mean nothing.
const NUMBER_BYTES: usize = 18;

/// The number and the unit of `text`; refuses what begins with no number.
fn split<'a>(text: &'a str, what: &str, example: &str) -> Result<(&'a str, &'a str), Refusal> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let valid = number.len() <= NUMBER_BYTES
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.matches('.').count() <= 1;
    if text.starts_with('-') {
        return Err(Refusal::new(format!("{what} cannot be negative")));
    }
    if !valid {
        let remedy = format!("write a number and its unit, as in \"{example}\"");
        return Err(Refusal::new(format!("this is not {what}")).remedy(remedy));
    }
    Ok((number, unit))
}

/// The refusal of a unit that is missing or unknown.
fn wrong_unit(number: &str, unit: &str, meant: &str, units: &str) -> Refusal {
    let remedy = format!("write \"{number}{meant}\"");
    match unit.trim() {
        "" => Refusal::new("the unit is missing").remedy(remedy),
        trimmed if trimmed == meant => {
            Refusal::new("there is a space before the unit").remedy(remedy)
        }
        trimmed => {
            Refusal::new(format!("`{trimmed}` is not a unit; the units are {units}")).remedy(remedy)
        }
    }
}

/// The unit that people mean by `unit`.
fn meant(unit: &str, synonyms: &[(&'static str, &[&str])]) -> Option<&'static str> {
    let unit = unit.trim().to_lowercase();
    synonyms
        .iter()
        .find(|(name, words)| name.to_lowercase() == unit || words.contains(&unit.as_str()))
        .map(|(name, _)| *name)
}

/// Reads `500us`, `200ms`, `5s`, `1.5m`, `1h`, `30d` or `2w`, or several of them, as in `1d12h`.
pub(super) fn duration(text: &str) -> Result<Duration, Refusal> {
    let (number, unit) = split(text, "a duration", "5s")?;
    if unit.contains(|c: char| c.is_ascii_digit()) {
        return compound(text).ok_or_else(|| {
            Refusal::new("the parts of this duration are not whole numbers with falling units")
                .remedy("write one number and its unit, or several as in \"1d12h\"")
        });
    }
    let Some((_, seconds)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
        let known = "us, ms, s, m, h, d and w";
        if let (true, Ok(years)) = (YEARS.contains(&unit.trim()), number.parse::<f64>()) {
            return Err(wrong_unit(&(years * 365.0).to_string(), unit, "d", known));
        }
        let meant = meant(unit, &DURATION_SYNONYMS).unwrap_or("s");
        return Err(wrong_unit(number, unit, meant, known));
    };
    let number: f64 = number.parse().map_err(|_| Refusal::new("this is not a number"))?;
    // Whole microseconds, so that what is shown reads back as the same value.
    let milliseconds = (number * seconds * 1000.0 * 1000.0).round() / 1000.0;
    Duration::try_from_secs_f64(milliseconds / 1000.0)
        .map_err(|_| Refusal::new("this is longer than can be measured"))
}

/// Reads whole numbers whose units fall, as Prometheus writes durations.
fn compound(text: &str) -> Option<Duration> {
    let (mut rest, mut before, mut total) = (text, f64::INFINITY, Duration::ZERO);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, seconds) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
        if *seconds >= before {
            return None;
        }
        let micros = (seconds * 1e6).round() as u64;
        let part = number.parse::<u64>().ok()?.checked_mul(micros)?;
        total = total.checked_add(Duration::from_micros(part))?;
        (rest, before) = (after, *seconds);
    }
    Some(total)
}

/// A duration as the configuration writes it.
pub(super) fn show_duration(duration: Duration) -> String {
    /// In milliseconds.
    const DAY: u128 = 86_400_000;
    let milliseconds = duration.as_millis();
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return format!("{}ms", duration.as_secs_f64() * 1000.0);
    }
    match milliseconds {
        0 => "0s".to_owned(),
        n if n.is_multiple_of(DAY) && n / DAY >= DAYS_SHOWN => format!("{}d", n / DAY),
        n if n.is_multiple_of(3_600_000) => format!("{}h", n / 3_600_000),
        n if n.is_multiple_of(60_000) => format!("{}m", n / 60_000),
        n if n.is_multiple_of(1000) => format!("{}s", n / 1000),
        n => format!("{n}ms"),
    }
}

/// Reads `512B`, `64KiB`, `10MiB` or `1.5GB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, Refusal> {
    let (number, unit) = split(text, "a size", "64KiB")?;
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = meant(unit, &SIZE_SYNONYMS).unwrap_or("KiB");
        return Err(wrong_unit(number, unit, meant, "B, KiB, MiB, GiB, TiB, kB, MB and GB"));
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(*bytes).ok_or_else(|| Refusal::new("this is too large"));
    }
    let number: f64 = number.parse().map_err(|_| Refusal::new("this is not a number"))?;
    Ok((number * *bytes as f64).round() as u64)
}

/// A size as the configuration writes it.
pub(super) fn show_size(bytes: u64) -> String {
    let unit = SIZE_UNITS[..5].iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if bytes > 0 => format!("{}{name}", bytes / unit),
        _ => format!("{bytes}B"),
    }
}

/// Reads `66%`.
pub(super) fn percent(text: &str) -> Result<u32, Refusal> {
    let Some(number) = text.strip_suffix('%') else {
        let refusal = Refusal::new("the percent sign is missing");
        let bare = text.trim();
        return Err(match bare.parse::<u32>() {
            Ok(number) => refusal.remedy(format!("write \"{number}%\"")),
            Err(_) => Refusal::new("this is not a percentage").remedy("write it as in \"66%\""),
        });
    };
    number.parse().map_err(|_| {
        Refusal::new("this is not a whole percentage").remedy("write it as in \"66%\"")
    })
}

/// Reads `99.9%` as 0.999: a share above nothing and below all.
pub(super) fn share(text: &str) -> Result<f64, Refusal> {
    let example = "write it as in \"99.9%\"";
    let number = text.strip_suffix('%').ok_or_else(|| {
        let refusal = Refusal::new("the percent sign is missing");
        match text.trim().parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => {
                refusal.remedy(format!("write \"{}\"", show_share(share)))
            }
            Ok(_) => refusal.remedy(format!("write \"{}%\"", text.trim())),
            Err(_) => Refusal::new("this is not a percentage").remedy(example),
        }
    })?;
    let share = hundredth(number)
        .ok_or_else(|| Refusal::new("this is not a percentage").remedy(example))?;
    if share <= 0.0 {
        return Err(Refusal::new("nothing at all is no promise").remedy(example));
    }
    if share >= 1.0 {
        let message =
            "all of it is more than anyone can promise: no failure would be left to spend";
        return Err(Refusal::new(message).remedy("write less than \"100%\", as in \"99.9%\""));
    }
    Ok(share)
}

/// A hundredth of a decimal number without a sign; 99.9 becomes the number that is written 0.999.
pub(super) fn hundredth(number: &str) -> Option<f64> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let ends = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit());
    if !digits || !ends || number.len() > NUMBER_BYTES {
        return None;
    }
    format!("{number}e-2").parse().ok()
}

/// A share as the configuration writes it.
pub(super) fn show_share(share: f64) -> String {
    format!("{}%", hundredfold(share))
}

/// What [`hundredth`] was made of.
pub(super) fn hundredfold(share: f64) -> f64 {
    /// Parts of a percent that are kept.
    const PARTS: f64 = 1e9;
    (share * 100.0 * PARTS).round() / PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        let cases = [
            ("5s", 5_000, "5s"),
            ("200ms", 200, "200ms"),
            ("1.5s", 1_500, "1500ms"),
            ("90s", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
            ("1d", 86_400_000, "24h"),
            ("48h", 172_800_000, "2d"),
            ("2w", 1_209_600_000, "14d"),
            ("5000us", 5, "5ms"),
            ("1d12h", 129_600_000, "36h"),
            ("1w2d3h4m5s6ms", 788_645_006, "788645006ms"),
            ("1s500ms", 1_500, "1500ms"),
        ];
        for (text, milliseconds, shown) in cases {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(show_duration(read), shown);
            assert_eq!(duration(shown).unwrap(), read);
        }
    }

    #[test]
    fn microseconds_have_three_spellings() {
        for text in ["250us", "250\u{b5}s", "250\u{3bc}s", "0.25ms"] {
            let read = duration(text);
            assert_eq!(read, Ok(Duration::from_micros(250)), "{text}");
            assert_eq!(duration(&show_duration(Duration::from_micros(250))), read);
        }
    }

    #[test]
    fn a_wrong_unit_is_met_with_the_right_one() {
        let cases = [
            ("5", "write \"5s\""),
            ("5 s", "write \"5s\""),
            ("5sec", "write \"5s\""),
            ("5minutes", "write \"5m\""),
            ("5MS", "write \"5ms\""),
            ("5micros", "write \"5us\""),
            ("5x", "write \"5s\""),
            ("5days", "write \"5d\""),
            ("1y", "write \"365d\""),
            ("1.5 years", "write \"547.5d\""),
        ];
        for (text, remedy) in cases {
            assert_eq!(duration(text).unwrap_err().remedy.as_deref(), Some(remedy), "{text}");
        }
        for text in ["12h1d", "1d1d", "1.5h30m", "1h30", "1h 30m", "1y2d", "1h-5m"] {
            let remedy = duration(text).unwrap_err().remedy;
            assert!(remedy.is_some_and(|remedy| remedy.contains("1d12h")), "{text}");
        }
        for text in ["", "s", "1.", ".5s", "1..2s", "-5s", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_shown() {
        let cases = [
            ("0B", 0, "0B"),
            ("512B", 512, "512B"),
            ("64KiB", 65_536, "64KiB"),
            ("1.5MiB", 1_572_864, "1536KiB"),
            ("10MB", 10_000_000, "10000000B"),
            ("2GiB", 2 << 30, "2GiB"),
        ];
        for (text, bytes, shown) in cases {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
            assert_eq!(show_size(bytes), shown);
        }
        assert_eq!(size("64K").unwrap_err().remedy.as_deref(), Some("write \"64KiB\""));
        assert_eq!(size("10mb").unwrap_err().remedy.as_deref(), Some("write \"10MiB\""));
        assert!(size("99999999999999999GiB").is_err());
    }

    #[test]
    fn shares_are_read_and_shown() {
        for (text, value) in
            [("99.9%", 0.999), ("99.95%", 0.9995), ("99.999%", 0.99999), ("1%", 0.01)]
        {
            assert_eq!(share(text), Ok(value));
            assert_eq!(show_share(value), text);
        }
        let cases = [
            ("99.9", "write \"99.9%\""),
            ("0.999", "write \"99.9%\""),
            ("100%", "write less than \"100%\", as in \"99.9%\""),
            ("0%", "write it as in \"99.9%\""),
            ("-1%", "write it as in \"99.9%\""),
            ("9e1%", "write it as in \"99.9%\""),
            ("x", "write it as in \"99.9%\""),
        ];
        for (text, remedy) in cases {
            assert_eq!(share(text).unwrap_err().remedy.as_deref(), Some(remedy), "{text}");
        }
    }

    #[test]
    fn percentages_are_read() {
        assert_eq!(percent("66%"), Ok(66));
        assert_eq!(percent("66").unwrap_err().remedy.as_deref(), Some("write \"66%\""));
        assert!(percent("6.5%").is_err());
        assert!(percent("x%").is_err());
    }
}
