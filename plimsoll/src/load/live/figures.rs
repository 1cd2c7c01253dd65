//! Figures as the live view shows them: short, and of a width that changes little.

use std::time::Duration;

/// `62 034`
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 998/s`, `0.5/s`
pub fn rate(per_second: f64) -> String {
    if per_second < 9.95 {
        let text = format!("{per_second:.1}");
        return format!("{}/s", text.strip_suffix(".0").unwrap_or(&text));
    }
    format!("{}/s", count(per_second.round() as u64))
}

/// `85 µs`, `4.1 ms`, `1.2 s`; `–` for none.
pub fn latency(latency: Option<Duration>) -> String {
    let Some(latency) = latency else { return "–".to_owned() };
    let seconds = latency.as_secs_f64();
    let (value, unit) = match seconds {
        value if value < 0.000_999_5 => (value * 1e6, "µs"),
        value if value < 0.999_5 => (value * 1e3, "ms"),
        value => (value, "s"),
    };
    match value {
        0.0 => format!("0 {unit}"),
        value if value < 9.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// `0 %`, `0.02 %`, `12 %`
pub fn share(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.01 => "<0.01 %".to_owned(),
        percent if percent < 0.995 => format!("{percent:.2} %"),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// `29 s`, `12 min 3 s`, `3 h 12 min`
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(rate(0.5), "0.5/s");
        assert_eq!(rate(2.0), "2/s");
        assert_eq!(rate(1998.4), "1 998/s");
        assert_eq!(latency(None), "–");
        assert_eq!(latency(Some(Duration::ZERO)), "0 µs");
        assert_eq!(latency(Some(Duration::from_micros(85))), "85 µs");
        assert_eq!(latency(Some(Duration::from_micros(4123))), "4.1 ms");
        assert_eq!(latency(Some(Duration::from_millis(1234))), "1.2 s");
        assert_eq!(share(0.0), "0 %");
        assert_eq!(share(0.000_01), "<0.01 %");
        assert_eq!(share(0.0002), "0.02 %");
        assert_eq!(share(0.333), "33 %");
        assert_eq!(time(Duration::from_secs(29)), "29 s");
        assert_eq!(time(Duration::from_secs(123)), "2 min 3 s");
        assert_eq!(time(Duration::from_secs(11_521)), "3 h 12 min");
    }
}
