//! What a service promises about its speed: `p99 < 300ms`.

use std::time::Duration;

use super::super::model::observe::LatencyObjective;
use super::super::quantity::{Refusal, duration, hundredfold, hundredth, show_duration};

const EXAMPLE: &str = "write it as in \"p99 < 300ms\"";
/// What can be promised.
const BELOW: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3600));

/// Reads `p99 < 300ms` or `p99.9 < 1s`.
pub(in crate::config) fn latency(text: &str) -> Result<LatencyObjective, Refusal> {
    let Some((quantile, below)) = text.split_once('<') else {
        let refusal = Refusal::new("there is no `<` between the percentile and the time");
        return Err(match duration(text.trim()) {
            Ok(_) => refusal.remedy(format!("write \"p99 < {}\"", text.trim())),
            Err(_) => refusal.remedy(EXAMPLE),
        });
    };
    if let Some(below) = below.strip_prefix('=') {
        let refusal = Refusal::new("a promise is of times below a bound: `<`");
        return Err(match duration(below.trim()) {
            Ok(_) => refusal.remedy(format!("write \"{} < {}\"", quantile.trim(), below.trim())),
            Err(_) => refusal.remedy(EXAMPLE),
        });
    }
    let quantile = self::quantile(quantile.trim())?;
    let text = below.trim();
    let below = duration(text).map_err(|refusal| {
        // The rest of the objective is needed as well; a bare number is meant as milliseconds.
        let whole = format!("write \"p{} < ", hundredfold(quantile));
        let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let remedy = match refusal.remedy {
            _ if is_bare => format!("{whole}{text}ms\""),
            Some(remedy) if remedy.starts_with("write \"") => {
                remedy.replacen("write \"", &whole, 1)
            }
            _ => EXAMPLE.to_owned(),
        };
        Refusal::new(refusal.message).remedy(remedy)
    })?;
    if below < BELOW.0 || below > BELOW.1 {
        let (least, most) = (show_duration(BELOW.0), show_duration(BELOW.1));
        return Err(Refusal::new(format!("{} cannot be promised", show_duration(below)))
            .remedy(format!("write a time from {least} to {most}")));
    }
    Ok(LatencyObjective { quantile, below })
}

/// Reads `p99.9` as 0.999.
fn quantile(text: &str) -> Result<f64, Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not a percentile")).remedy(EXAMPLE);
    let Some(digits) = text.strip_prefix(['p', 'P']) else {
        let bare = text.trim_end_matches('%').trim();
        return Err(match hundredth(bare) {
            Some(share) if share > 0.0 && share < 1.0 => {
                Refusal::new("a percentile begins with `p`")
                    .remedy(format!("write \"p{bare} < …\""))
            }
            _ => refusal(),
        });
    };
    match hundredth(digits) {
        Some(share) if share > 0.0 && share < 1.0 => Ok(share),
        Some(share) if share >= 1.0 => Err(Refusal::new(format!(
            "`{text}` is no percentile: at most all requests are counted"
        ))
        .remedy("write less than p100, as in p99.9")),
        _ => Err(refusal()),
    }
}

/// An objective as the configuration writes it.
pub(in crate::config) fn show(objective: &LatencyObjective) -> String {
    format!("p{} < {}", hundredfold(objective.quantile), show_duration(objective.below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_and_shown() {
        for (text, quantile, milliseconds) in [
            ("p99 < 300ms", 0.99, 300),
            ("p50 < 10ms", 0.5, 10),
            ("p99.9 < 1500ms", 0.999, 1500),
            ("p99.99 < 2s", 0.9999, 2000),
        ] {
            let read = latency(text).unwrap();
            assert_eq!(
                read,
                LatencyObjective { quantile, below: Duration::from_millis(milliseconds) }
            );
            assert_eq!(show(&read), text);
        }
        assert!(latency("P99<1s").is_ok());
    }

    #[test]
    fn what_is_none_is_met_with_one() {
        for (text, remedy) in [
            ("300ms", "write \"p99 < 300ms\""),
            ("p99 <= 300ms", "write \"p99 < 300ms\""),
            ("99% < 300ms", "write \"p99 < …\""),
            ("p99 < 300", "write \"p99 < 300ms\""),
            ("p99 <= 300", EXAMPLE),
            ("p99 < 2sec", "write \"p99 < 2s\""),
            ("p100 < 1s", "write less than p100, as in p99.9"),
            ("px < 1s", EXAMPLE),
            ("p0 < 1s", EXAMPLE),
            ("p99 > 1s", EXAMPLE),
            ("p99 < fast", EXAMPLE),
            ("p99 < 0s", "write a time from 1ms to 1h"),
        ] {
            assert_eq!(latency(text).unwrap_err().remedy.as_deref(), Some(remedy), "{text}");
        }
    }
}
