//! Numbers for people, as Prometheus has them.
//!
//! Source: `template/template.go` of Prometheus.

use jiff::Timestamp;

use super::format::general;
use super::value::{Failure, failed, show_time};

/// Significant digits.
const DIGITS: usize = 4;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

fn digits(value: f64) -> String {
    general(value, DIGITS)
}

/// With a prefix of thousands.
pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return digits(value);
    }
    if value.abs() >= 1.0 {
        let (value, prefix) = scaled(value, &LARGE, 1000.0);
        return digits(value) + prefix;
    }
    let (value, prefix) = small(value);
    digits(value) + prefix
}

/// With a prefix of 1024s.
pub(super) fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return digits(value);
    }
    let (value, prefix) = scaled(value, &BINARY, 1024.0);
    digits(value) + prefix
}

fn scaled(mut value: f64, prefixes: &[&'static str], base: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn small(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

/// Seconds as days, hours, minutes and seconds.
pub(super) fn duration(value: f64) -> String {
    if !value.is_finite() {
        return digits(value);
    }
    if value == 0.0 {
        return digits(value) + "s";
    }
    if value.abs() < 1.0 {
        let (value, prefix) = small(value);
        return format!("{}{prefix}s", digits(value));
    }
    let (sign, value) = if value < 0.0 { ("-", -value) } else { ("", value) };
    let whole = value as i64;
    let (seconds, minutes) = (whole % 60, whole / 60 % 60);
    let (hours, days) = (whole / 3600 % 24, whole / 86_400);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", digits(value))
    }
}

/// A share as a percentage.
pub(super) fn percentage(value: f64) -> String {
    digits(value * 100.0) + "%"
}

/// Seconds since 1970 as a time in UTC.
pub(super) fn timestamp(value: f64) -> Result<String, Failure> {
    if !value.is_finite() {
        return Ok(digits(value));
    }
    time(value).map(show_time)
}

/// Seconds since 1970; to the millisecond, as Prometheus' times are.
pub(super) fn time(value: f64) -> Result<Timestamp, Failure> {
    let nanoseconds = value * 1e9;
    if nanoseconds.is_finite() && nanoseconds.abs() < i64::MAX as f64 {
        // Within an i64: just asked. Division of the integer rounds as Go's does.
        let milliseconds = nanoseconds as i64 / 1_000_000;
        if let Ok(time) = Timestamp::from_millisecond(milliseconds) {
            return Ok(time);
        }
    }
    failed(format!("{} is too far from 1970 to be a time", digits(value)))
}
