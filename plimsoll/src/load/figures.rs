//! Figures of a run as people read them: `1 234/s`, `34.1 ms`, `3.1 %`, `119 998`.
//!
//! Three significant digits: two runs that differ by a percent must look different. Counts that
//! people add up are written out in full. What is unknown is [`NONE`], never a zero.

use std::borrow::Cow;
use std::time::Duration;

/// Rates are written out below this.
const RATE_IN_FULL_MAX: f64 = 99_999.5;

/// What stands for a figure that does not apply.
pub const NONE: &str = "–";

/// A count in full, in groups of three: `7`, `119 998`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Events a second: `0/s`, `0.34/s`, `950/s`, `12 345/s`, `123 k/s`. Rates that people set are written
/// out: whether one was held within a tenth of a percent must be seen.
pub fn rate(per_second: f64) -> String {
    match per_second {
        value if !value.is_finite() || value < 0.0 => NONE.to_owned(),
        0.0 => "0/s".to_owned(),
        value if value < 99.95 => format!("{}/s", short(value)),
        value if value < RATE_IN_FULL_MAX => format!("{}/s", count(value.round() as u64)),
        value => format!("{}/s", scaled(value, &["k", "M", "G"])),
    }
}

/// A time that something took: `85.2 µs`, `3.40 ms`, `1.20 s`. Zeros stay, so that columns align.
pub fn latency(value: Duration) -> String {
    latency_seconds(value.as_secs_f64())
}

/// The same of seconds.
pub fn latency_seconds(seconds: f64) -> String {
    match seconds {
        value if !value.is_finite() || value < 0.0 => NONE.to_owned(),
        0.0 => "0 ms".to_owned(),
        value if value < 0.999_5e-3 => format!("{} µs", digits(value * 1e6)),
        value if value < 0.999_5 => format!("{} ms", digits(value * 1e3)),
        value => format!("{} s", digits(value)),
    }
}

/// A share of one: `0 %`, `<0.001 %`, `3.1 %`, `100 %`. Only a whole is `100 %`.
pub fn share(share: f64) -> String {
    match share * 100.0 {
        value if !value.is_finite() || value < 0.0 => NONE.to_owned(),
        0.0 => "0 %".to_owned(),
        value if value < 0.001 => "<0.001 %".to_owned(),
        value if value < 100.0 && value > 99.9 => ">99.9 %".to_owned(),
        value => format!("{} %", short(value)),
    }
}

/// Bytes by powers of 1000: `512 B`, `1.2 kB`, `120 MB`.
pub fn bytes(bytes: f64) -> String {
    match bytes {
        value if !value.is_finite() || value < 0.0 => NONE.to_owned(),
        value if value < 999.5 => format!("{value:.0} B"),
        value => scaled(value, &["kB", "MB", "GB", "TB"]),
    }
}

/// How long a run lasts: `8.2 s`, `60 s`, `12 m 3 s`, `3 h 12 m`.
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    if seconds < 0.999_5 {
        return latency(value);
    }
    if seconds < 119.5 {
        return format!("{} s", short(seconds));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes, seconds) {
        (0, _, 0) => format!("{minutes} m"),
        (0, _, _) => format!("{minutes} m {seconds} s"),
        (_, 0, _) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} m"),
    }
}

/// A quantile's name: `p50`, `p99.9`.
pub fn percentile_name(quantile: f64) -> String {
    // Four decimals of a percent: more than any histogram here tells apart.
    let percent = format!("{:.4}", quantile * 100.0);
    format!("p{}", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// Foreign words as a terminal may show them: no control character (ECMA-48 §5) reaches it, so that
/// the name of a server cannot clear the screen, and none ends a line.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        return text.replace(char::is_control, "\u{fffd}").into();
    }
    text.into()
}

/// `1 request`, `12 345 requests`.
pub fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `value`, at least 1000 or so, in the largest unit that leaves it at 1 or more.
fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value / 1000.0;
    let mut unit = 0;
    // 999.5 would print as 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", short(value), units[unit])
}

/// Three significant digits from 1 on, two or so below.
fn digits(value: f64) -> String {
    let decimals = match value {
        value if value < 0.009_95 => 4,
        value if value < 0.099_5 => 3,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The same, zeros after the decimal point left out.
fn short(value: f64) -> String {
    let text = digits(value);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (is, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1000), "1 000"),
            (count(1_234_567), "1 234 567"),
            (rate(0.0), "0/s"),
            (rate(0.341), "0.34/s"),
            (rate(41.72), "41.7/s"),
            (rate(999.86), "1 000/s"),
            (rate(12_345.0), "12 345/s"),
            (rate(123_456.0), "123 k/s"),
            (rate(f64::NAN), "–"),
            (latency(Duration::ZERO), "0 ms"),
            (latency(Duration::from_nanos(85_230)), "85.2 µs"),
            (latency(Duration::from_nanos(999_900)), "1.00 ms"),
            (latency(Duration::from_micros(34_120)), "34.1 ms"),
            (latency(Duration::from_millis(1234)), "1.23 s"),
            (latency(Duration::from_secs(75)), "75.0 s"),
            (share(0.0), "0 %"),
            (share(0.000_001), "<0.001 %"),
            (share(0.000_042), "0.0042 %"),
            (share(0.031), "3.1 %"),
            (share(0.999_99), ">99.9 %"),
            (share(1.0), "100 %"),
            (bytes(512.0), "512 B"),
            (bytes(1_234.0), "1.23 kB"),
            (bytes(120_400_000.0), "120 MB"),
            (duration(Duration::from_millis(340)), "340 ms"),
            (duration(Duration::from_millis(60_004)), "60 s"),
            (duration(Duration::from_secs(723)), "12 m 3 s"),
            (duration(Duration::from_secs(7200)), "2 h"),
            (duration(Duration::from_secs(11_530)), "3 h 12 m"),
            (percentile_name(0.5), "p50"),
            (percentile_name(0.999), "p99.9"),
            (percentile_name(0.9999), "p99.99"),
            (plural(1, "request"), "1 request"),
            (plural(12_345, "request"), "12 345 requests"),
        ] {
            assert_eq!(is, expected);
        }
    }
}
