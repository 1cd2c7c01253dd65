//! Figures as people read them: `1.2 k`, `34 ms`, `3.1 %`, `120 MB`, `3 h 12 m`.
//!
//! Two significant digits or so: enough to compare two lines, few enough to take in at a glance.
//! What is unknown is `–`, never a zero.

/// What stands for a figure that does not apply.
pub const NONE: &str = "–";

/// A count: `7`, `950`, `12.3 k`, `4.6 M`.
pub fn count(value: u64) -> String {
    if value < 1000 { value.to_string() } else { scaled(value as f64, 1000.0, &COUNT_UNITS) }
}

/// Events a second: `0/s`, `0.3/s`, `950/s`, `1.2 k/s`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        value if !value.is_finite() || value < 0.0 => NONE.to_owned(),
        0.0 => "0/s".to_owned(),
        value if value < 0.05 => "<0.1/s".to_owned(),
        value if value < 999.5 => format!("{}/s", short(value)),
        value => format!("{}/s", scaled(value, 1000.0, &COUNT_UNITS)),
    }
}

/// A time that something took: `85 µs`, `3.4 ms`, `34 ms`, `1.2 s`, `75 s`.
pub fn latency(seconds: Option<f64>) -> String {
    match seconds {
        Some(value) if value.is_finite() && value >= 0.0 => match value {
            0.0 => "0 ms".to_owned(),
            value if value < 0.000_999_5 => format!("{} µs", short(value * 1e6)),
            value if value < 0.999_5 => format!("{} ms", short(value * 1e3)),
            value => format!("{} s", short(value)),
        },
        _ => NONE.to_owned(),
    }
}

/// A share of one: `0 %`, `<0.1 %`, `3.1 %`, `100 %`.
pub fn share(share: Option<f64>) -> String {
    match share {
        Some(0.0) => "0 %".to_owned(),
        Some(value) if value > 0.0 && value < 0.000_5 => "<0.1 %".to_owned(),
        Some(value) if value.is_finite() && value > 0.0 => format!("{} %", short(value * 100.0)),
        _ => NONE.to_owned(),
    }
}

/// A percentage: `0 %`, `3.1 %`, `250 %`.
pub fn percent(percent: Option<f64>) -> String {
    share(percent.map(|percent| percent / 100.0))
}

/// Bytes by powers of 1000: `512 B`, `1.2 kB`, `120 MB`.
pub fn bytes(bytes: Option<u64>) -> String {
    match bytes {
        None => NONE.to_owned(),
        Some(value) if value < 1000 => format!("{value} B"),
        Some(value) => scaled(value as f64, 1000.0, &BYTE_UNITS),
    }
}

/// How long something lasts: `8 s`, `12 m 3 s`, `3 h 12 m`, `4 d 1 h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} m {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long ago something was, in one unit: `8 s`, `12 m`, `3 h`, `4 d`.
pub fn age(seconds: f64) -> String {
    let text = duration(seconds);
    text.match_indices(' ').nth(1).map_or(text.clone(), |(at, _)| text[..at].to_owned())
}

/// `1 server`, `3 servers`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

const COUNT_UNITS: [&str; 4] = ["k", "M", "G", "T"];
const BYTE_UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];

/// `value`, at least `step`, in the largest unit that leaves it at 1 or more.
fn scaled(value: f64, step: f64, units: &[&str; 4]) -> String {
    let mut value = value / step;
    let mut unit = 0;
    // 999.5 would print as 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    format!("{} {}", short(value), units[unit])
}

/// One decimal below 10 unless it is zero, none from there on.
fn short(value: f64) -> String {
    let text = if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (is, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1000), "1 k"),
            (count(12_345), "12 k"),
            (count(999_600), "1 M"),
            (count(4_560_000), "4.6 M"),
            (rate(0.0), "0/s"),
            (rate(0.01), "<0.1/s"),
            (rate(0.3), "0.3/s"),
            (rate(41.7), "42/s"),
            (rate(999.7), "1 k/s"),
            (rate(1234.0), "1.2 k/s"),
            (rate(f64::NAN), "–"),
            (latency(None), "–"),
            (latency(Some(0.0)), "0 ms"),
            (latency(Some(0.000_085)), "85 µs"),
            (latency(Some(0.000_999_9)), "1 ms"),
            (latency(Some(0.003_42)), "3.4 ms"),
            (latency(Some(0.034)), "34 ms"),
            (latency(Some(1.23)), "1.2 s"),
            (latency(Some(75.0)), "75 s"),
            (latency(Some(f64::INFINITY)), "–"),
            (share(None), "–"),
            (share(Some(0.0)), "0 %"),
            (share(Some(0.000_1)), "<0.1 %"),
            (share(Some(0.031)), "3.1 %"),
            (share(Some(0.314)), "31 %"),
            (share(Some(1.0)), "100 %"),
            (percent(Some(250.0)), "250 %"),
            (bytes(None), "–"),
            (bytes(Some(512)), "512 B"),
            (bytes(Some(1_200)), "1.2 kB"),
            (bytes(Some(120_400_000)), "120 MB"),
            (bytes(Some(u64::MAX)), "18446744 TB"),
            (duration(-3.0), "0 s"),
            (duration(59.9), "59 s"),
            (duration(723.0), "12 m 3 s"),
            (duration(11_530.0), "3 h 12 m"),
            (duration(349_200.0), "4 d 1 h"),
            (age(8.0), "8 s"),
            (age(723.0), "12 m"),
            (age(349_200.0), "4 d"),
            (plural(1, "server"), "1 server"),
            (plural(0, "server"), "0 servers"),
        ] {
            assert_eq!(is, expected);
        }
    }
}
