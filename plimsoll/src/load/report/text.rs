//! Numbers as people read them, in plots and tables alike.
//!
//! Three significant digits, a unit that keeps them short, and a space that does not break between
//! number and unit.

/// Between a number and its unit, and between thousands.
const SPACE: char = '\u{a0}';

/// Three significant digits of a number below a thousand or so.
fn short(value: f64) -> String {
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// A latency in seconds: `12.3 ms`.
pub fn latency(seconds: f64) -> String {
    let (value, unit) = if seconds >= 0.9995 {
        (seconds, "s")
    } else if seconds >= 0.000_999_5 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "µs")
    };
    format!("{}{SPACE}{unit}", short(value))
}

/// A whole number with a space between thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(SPACE);
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate, without its unit: `1 998`, `12.5`.
pub fn rate(value: f64) -> String {
    if value >= 99.95 { count(value.round() as u64) } else { short(value.max(0.0)) }
}

/// A share in percent: `0.12 %`. What is not nothing and not all never looks like it.
pub fn share(value: f64) -> String {
    let percent = value * 100.0;
    if value > 0.0 && percent < 0.01 {
        return format!("<{SPACE}0.01{SPACE}%");
    }
    if value < 1.0 && percent > 99.99 {
        return format!(">{SPACE}99.99{SPACE}%");
    }
    let decimals = if value == 0.0 || value == 1.0 {
        0
    } else if !(1.0..=99.0).contains(&percent) {
        2
    } else {
        1
    };
    format!("{percent:.decimals$}{SPACE}%")
}

/// Bytes: `1.25 MB`.
pub fn bytes(value: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let value_float = value as f64;
    match units.into_iter().find(|(size, _)| value_float >= *size) {
        Some((size, unit)) => format!("{}{SPACE}{unit}", short(value_float / size)),
        None => format!("{value}{SPACE}B"),
    }
}

/// How long something lasted: `5 min 2 s`.
pub fn lasting(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if seconds < 9.995 {
        latency(seconds)
    } else if whole < 60 {
        format!("{seconds:.1}{SPACE}s")
    } else {
        let parts = [(hours, "h"), (minutes, "min"), (rest, "s")].into_iter();
        let parts = parts.filter(|(value, _)| *value > 0);
        parts.map(|(value, unit)| format!("{value}{SPACE}{unit}")).collect::<Vec<_>>().join(" ")
    }
}

/// A time since the start on an axis that reaches to `span` seconds: `2:30`, or `15 s` on short ones.
pub fn elapsed(seconds: f64, span: f64) -> String {
    if span < 1.0 {
        return format!("{}{SPACE}ms", trimmed(&format!("{:.3}", seconds * 1e3)));
    }
    if span < 10.0 {
        return format!("{}{SPACE}s", trimmed(&format!("{seconds:.3}")));
    }
    let whole = seconds.round() as u64;
    if span <= 120.0 {
        format!("{whole}{SPACE}s")
    } else if span < 3600.0 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
    }
}

/// The percentile that `1 / (1 - quantile)` is: `99.9 %` of 1000.
pub fn percentile(point: f64) -> String {
    // As many decimals as there are nines after the second.
    let decimals = ((point.max(1.0).log10() + 1e-9).floor() as usize).saturating_sub(2).min(8);
    let text =
        format!("{:.*}", decimals.max(usize::from(point > 100.0)) + 1, 100.0 - 100.0 / point);
    format!("{}{SPACE}%", trimmed(&text))
}

/// Without the zeros at the end of decimals.
pub fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// What orders names as people do: `web-2` before `web-10`.
pub fn natural_order(name: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    for character in name.chars() {
        let Some(part) = parts.last_mut() else { break };
        match character.to_digit(10) {
            // A part is a number and the text after it.
            Some(digit) if part.1.is_empty() => {
                part.0 = part.0.saturating_mul(10).saturating_add(u64::from(digit));
            }
            Some(digit) => parts.push((u64::from(digit), String::new())),
            None => part.1.push(character),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        text.replace(SPACE, " ")
    }

    #[test]
    fn numbers_are_short_and_carry_their_unit() {
        for (seconds, text) in [
            (0.0, "0.00 µs"),
            (0.000_000_5, "0.50 µs"),
            (0.000_123_4, "123 µs"),
            (0.000_999_9, "1.00 ms"),
            (0.001_234, "1.23 ms"),
            (0.012_34, "12.3 ms"),
            (0.999_9, "1.00 s"),
            (61.2, "61.2 s"),
        ] {
            assert_eq!(plain(latency(seconds)), text, "{seconds}");
        }
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1 000"), (12_345, "12 345"), (1_234_567, "1 234 567")]
        {
            assert_eq!(plain(count(value)), text);
        }
        for (value, text) in [(0.0, "0.00"), (12.34, "12.3"), (99.96, "100"), (1998.4, "1 998")] {
            assert_eq!(plain(rate(value)), text);
        }
        for (value, text) in [
            (0.0, "0 %"),
            (0.000_001, "< 0.01 %"),
            (0.001_2, "0.12 %"),
            (0.333_3, "33.3 %"),
            (0.995, "99.50 %"),
            (0.999_999, "> 99.99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(plain(share(value)), text, "{value}");
        }
        for (value, text) in [(0, "0 B"), (999, "999 B"), (1500, "1.50 kB"), (2_000_000, "2.00 MB")]
        {
            assert_eq!(plain(bytes(value)), text);
        }
        for (value, text) in [
            (0.25, "250 ms"),
            (12.34, "12.3 s"),
            (300.2, "5 min"),
            (302.0, "5 min 2 s"),
            (7325.0, "2 h 2 min 5 s"),
        ] {
            assert_eq!(plain(lasting(value)), text);
        }
    }

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let mut names =
            ["web-10", "web-2", "(others)", "web-1", "10.0.0.9:80", "10.0.0.10:80", "web"];
        names.sort_by_key(|name| natural_order(name));
        let expected =
            ["(others)", "web", "web-1", "web-2", "web-10", "10.0.0.9:80", "10.0.0.10:80"];
        assert_eq!(names, expected);
    }

    #[test]
    fn places_on_axes_are_as_long_as_the_axis_needs() {
        for (seconds, span, text) in [
            (0.000_5, 0.002, "0.5 ms"),
            (0.25, 1.0, "0.25 s"),
            (3.0, 9.0, "3 s"),
            (90.0, 100.0, "90 s"),
            (90.0, 300.0, "1:30"),
            (3690.0, 7200.0, "1:01:30"),
        ] {
            assert_eq!(plain(elapsed(seconds, span)), text);
        }
        for (point, text) in [
            (1.0, "0 %"),
            (2.0, "50 %"),
            (10.0, "90 %"),
            (100.0, "99 %"),
            (1000.0, "99.9 %"),
            (10_000.0, "99.99 %"),
            (1_000_000.0, "99.9999 %"),
        ] {
            assert_eq!(plain(percentile(point)), text);
        }
    }
}
