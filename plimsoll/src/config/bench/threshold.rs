//! What must hold at the end of a run, as people write it: `p99<50ms,errors<0.1%`.
//!
//! `p99=50ms` is taken as people mean it: no more than that; for a rate, no less. A bound for one
//! label names it: `p99(Log in)<50ms`.

use super::super::problem::nearest;
use super::super::quantity::{self, Refusal};
use super::load;
use super::model::{Comparison, Label, Measure, Threshold};

/// What is measured besides quantiles, for messages.
const MEASURES: [&str; 4] = ["mean", "max", "errors", "rate"];
/// Most names that a message lists.
const NAMES_SHOWN: usize = 20;
/// Longest number of a quantile or a share that is read.
const NUMBER_BYTES: usize = 18;

/// A threshold whose label is not looked up yet.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Written {
    /// The threshold, of all requests.
    pub(in crate::config) threshold: Threshold,
    /// The label that it names.
    pub(in crate::config) label: Option<String>,
}

/// Reads several, with commas between them.
pub(in crate::config) fn thresholds(text: &str) -> Result<Vec<Written>, Refusal> {
    let mut written = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                written.push(threshold(&text[start..at])?);
                start = at + 1;
            }
            _ => {}
        }
    }
    written.push(threshold(&text[start..])?);
    Ok(written)
}

/// Reads one: `p99<50ms`, `p99(Log in)<=50ms`, `mean<20ms`, `max<1s`, `errors<0.1%`, `rate>=1000`.
pub(in crate::config) fn threshold(text: &str) -> Result<Written, Refusal> {
    let text = text.trim();
    let (subject, sign, bound) = split(text)?;
    let (name, label) = match subject.split_once('(') {
        None => (subject, None),
        Some((name, rest)) => match rest.trim_end().strip_suffix(')') {
            Some(label) => (name.trim(), Some(label.trim().to_owned())),
            None => {
                return Err(Refusal::new(format!("`{subject}` has no closing bracket"))
                    .remedy("write the name between brackets, as in \"p99(Log in)<50ms\""));
            }
        },
    };
    let measure = measure(name)?;
    let comparison = match (sign, measure) {
        ("<", _) => Comparison::Less,
        (">", _) => Comparison::Greater,
        (">=", _) | ("=" | "==", Measure::Rate) => Comparison::GreaterOrEqual,
        _ => Comparison::LessOrEqual,
    };
    let bound = self::bound(bound, measure)?;
    let threshold = Threshold { text: text.to_owned(), label: None, measure, comparison, bound };
    Ok(Written { threshold, label })
}

/// The threshold with its label looked up.
///
/// # Errors
/// When no label has that name.
pub(in crate::config) fn labelled(
    written: Written,
    labels: &[Label],
) -> Result<Threshold, Refusal> {
    let Some(name) = written.label else { return Ok(written.threshold) };
    let label = labels.iter().position(|label| label.name == name);
    if label.is_some() {
        return Ok(Threshold { label, ..written.threshold });
    }
    let refusal = Refusal::new(format!("no figures are kept under `{name}`"));
    let names = labels.iter().map(|label| label.name.as_str());
    Err(match nearest(&name, names.clone()) {
        Some(near) => refusal.remedy(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<&str> = names.take(NAMES_SHOWN).collect();
            refusal.remedy(format!("name one of: {}", names.join(", ")))
        }
    })
}

/// The parts before and after the sign, and the sign.
fn split(text: &str) -> Result<(&str, &str, &str), Refusal> {
    let refusal = || {
        Refusal::new(format!("`{text}` compares nothing"))
            .remedy("write a measure, a sign and a bound, as in \"p99<50ms\"")
    };
    // A label may hold signs.
    let after_label = text.rfind(')').unwrap_or(0);
    let rest = text.get(after_label..).unwrap_or_default();
    let start = rest.find(['<', '>', '=', '!', '≤', '≥']).ok_or_else(refusal)?;
    let rest = &rest[start..];
    let sign = ["<=", ">=", "==", "<", ">", "="]
        .into_iter()
        .find(|sign| rest.starts_with(sign))
        .ok_or_else(refusal)?;
    let (subject, bound) = (text[..after_label + start].trim(), rest[sign.len()..].trim());
    if subject.is_empty() || bound.is_empty() {
        return Err(refusal());
    }
    Ok((subject, sign, bound))
}

fn measure(name: &str) -> Result<Measure, Refusal> {
    let plain = name.to_lowercase();
    match plain.as_str() {
        "mean" | "avg" | "average" => return Ok(Measure::Mean),
        "max" => return Ok(Measure::Max),
        "median" => return Ok(Measure::Quantile(0.5)),
        "errors" | "error_rate" => return Ok(Measure::Errors),
        "rate" | "rps" | "requests_per_second" => return Ok(Measure::Rate),
        _ => {}
    }
    if let Some(digits) = plain.strip_prefix('p')
        && let Some(percent) = decimal(digits)
    {
        if percent < 100.0 {
            return Ok(Measure::Quantile(percent / 100.0));
        }
        return Err(Refusal::new(format!("`{name}` is beyond every request"))
            .remedy("write max for the longest, or p99.9"));
    }
    let refusal = Refusal::new(format!("`{name}` is not measured"));
    Err(match nearest(&plain, MEASURES) {
        Some(near) => refusal.remedy(format!("did you mean {near}?")),
        None => refusal.remedy("write one of p50 to p99.99, mean, max, errors or rate"),
    })
}

/// A number of digits with at most one point.
fn decimal(text: &str) -> Option<f64> {
    let valid = text.len() <= NUMBER_BYTES
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if valid { text.parse().ok() } else { None }
}

/// The bound in the measure's base unit.
fn bound(text: &str, measure: Measure) -> Result<f64, Refusal> {
    match measure {
        Measure::Quantile(_) | Measure::Mean | Measure::Max => {
            let is_bare = decimal(text).is_some();
            let duration = quantity::duration(text).map_err(|refusal| match is_bare {
                true => refusal.remedy(format!("write the unit too, as in \"{text}ms\"")),
                false => refusal,
            })?;
            Ok(duration.as_secs_f64())
        }
        Measure::Rate => load::rate(text),
        Measure::Errors => {
            let share = match text.strip_suffix('%') {
                Some(percent) => decimal(percent.trim()).map(|percent| percent / 100.0),
                None => decimal(text).filter(|share| *share == 0.0),
            };
            share.filter(|share| *share <= 1.0).ok_or_else(|| {
                Refusal::new(format!("`{text}` is not a share of the requests"))
                    .remedy("write a percentage, as in \"errors<0.1%\"")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        let cases = [
            ("p99<50ms", Measure::Quantile(0.99), Less, 0.05),
            ("p99=50ms", Measure::Quantile(0.99), LessOrEqual, 0.05),
            ("P99.9 <= 1s", Measure::Quantile(0.999), LessOrEqual, 1.0),
            ("median<5ms", Measure::Quantile(0.5), Less, 0.005),
            ("mean<20ms", Measure::Mean, Less, 0.02),
            ("p99<250us", Measure::Quantile(0.99), Less, 0.00025),
            ("p50=40µs", Measure::Quantile(0.5), LessOrEqual, 0.000_04),
            ("max<1s", Measure::Max, Less, 1.0),
            ("errors=0.1%", Measure::Errors, LessOrEqual, 0.001),
            ("errors=0", Measure::Errors, LessOrEqual, 0.0),
            ("rate=1000", Measure::Rate, GreaterOrEqual, 1000.0),
            ("rps > 60/min", Measure::Rate, Greater, 1.0),
        ];
        for (text, measure, comparison, bound) in cases {
            let read = threshold(text).unwrap().threshold;
            let close = (read.bound - bound).abs() < 1e-12;
            assert!(close && read.comparison == comparison, "{text}: {read:?}");
            match (read.measure, measure) {
                (Measure::Quantile(a), Measure::Quantile(b)) => assert!((a - b).abs() < 1e-12),
                (a, b) => assert_eq!(a, b, "{text}"),
            }
        }
        assert_eq!(thresholds("p99<50ms,errors<0.1%").unwrap().len(), 2);
    }

    #[test]
    fn a_label_may_hold_anything() {
        let read = thresholds("p99(a, b<=c)<50ms,max(x)<1s").unwrap();
        let labels: Vec<_> = read.iter().map(|written| written.label.as_deref()).collect();
        assert_eq!(labels, [Some("a, b<=c"), Some("x")]);
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        for text in [
            "",
            "p99",
            "p99<",
            "<50ms",
            "p99<50",
            "p100<1s",
            "p99!=5ms",
            "errors<200%",
            "errors<5",
            "p99(a<5ms",
            "latency<5ms",
            "é<5ms",
            "pé<5ms",
            "rate=0",
        ] {
            assert!(thresholds(text).is_err(), "{text}");
        }
        let remedy = threshold("error<1%").unwrap_err().remedy;
        assert_eq!(remedy.as_deref(), Some("did you mean errors?"));
    }
}
