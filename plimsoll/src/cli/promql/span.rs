//! For which times a query asks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer::Times;
use crate::cli::arguments::promql::QueryArguments;

/// Values of a series that a span has unless `--step` says otherwise: what fits on a line.
const VALUES: u64 = 60;

/// Most times of a span that are shown.
const TIMES_MAX: f64 = 1e6;

/// For which times, written as the API takes them.
#[derive(Debug, PartialEq, Eq)]
pub enum Span {
    /// For one; `None` is now.
    At(Option<String>),
    /// For several.
    Over {
        /// The first.
        from: String,
        /// None is later.
        to: String,
        /// Seconds between two.
        step: String,
    },
}

impl Span {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// What is wrong with them, and what to write.
    pub fn new(arguments: &QueryArguments, now: Timestamp) -> Result<Self, String> {
        let step = arguments.step.as_deref().map(|text| duration("--step", text)).transpose()?;
        let (from, to) = match (&arguments.last, &arguments.from) {
            (Some(last), _) => {
                let length = duration("--last", last)?;
                let length = SignedDuration::try_from(length).map_err(|_| too_long("--last"))?;
                (now.checked_sub(length).map_err(|_| too_long("--last"))?, now)
            }
            (None, Some(from)) => {
                let to = arguments.to.as_deref().map(|text| time("--to", text)).transpose()?;
                (time("--from", from)?, to.unwrap_or(now))
            }
            (None, None) if step.is_some() => {
                return Err("--step says how far values of a span are apart; say which span by \
                            --last, or by --from and --to"
                    .to_owned());
            }
            (None, None) => {
                let at = arguments.at.as_deref().map(|text| time("--at", text)).transpose()?;
                return Ok(Self::At(at.map(seconds)));
            }
        };
        if to < from {
            return Err(format!("the span ends ({to}) before it begins ({from})"));
        }
        let length = (to.as_millisecond() - from.as_millisecond()).unsigned_abs();
        let step = step.unwrap_or(Duration::from_secs((length / 1000 / VALUES).max(1)));
        Ok(Self::Over {
            from: seconds(from),
            to: seconds(to),
            step: format!("{}", step.as_secs_f64()),
        })
    }
}

impl Span {
    /// The times of a span.
    pub fn times(&self) -> Option<Times> {
        let Self::Over { from, to, step } = self else { return None };
        let (first, end) = (from.parse::<f64>().ok()?, to.parse::<f64>().ok()?);
        let step = step.parse::<f64>().ok()?;
        // A server answers no more than eleven thousand.
        let count = ((end - first) / step).floor().clamp(0.0, TIMES_MAX) as usize + 1;
        Some(Times { first, step, count })
    }
}

fn seconds(at: Timestamp) -> String {
    let milliseconds = at.as_millisecond();
    format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

fn too_long(option: &str) -> String {
    format!("{option} reaches back beyond all time")
}

fn time(option: &str, text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let at = number.and_then(|number| Timestamp::from_millisecond((number * 1000.0) as i64).ok());
    at.ok_or_else(|| {
        format!("{option}: {text:?} is no time; write 2026-01-31T10:00:00Z, or seconds since 1970")
    })
}

/// A duration as PromQL writes it, or plain seconds.
fn duration(option: &str, text: &str) -> Result<Duration, String> {
    let milliseconds = tsdb::promql::duration::positive("the duration", text);
    let milliseconds = milliseconds.map_err(|wrong| format!("{option}: {wrong}"))?;
    Ok(Duration::from_millis(milliseconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn span(options: &str) -> Result<Span, String> {
        let line = format!("plimsoll promql query up {options}");
        let Command::Promql(arguments) = Arguments::parse_from(line.split_whitespace()).command
        else {
            panic!("not promql");
        };
        let crate::cli::arguments::promql::PromqlCommand::Query(arguments) = arguments.command
        else {
            panic!("not query");
        };
        Span::new(&arguments, Timestamp::from_second(7200).unwrap())
    }

    fn over(from: &str, to: &str, step: &str) -> Result<Span, String> {
        Ok(Span::Over { from: from.to_owned(), to: to.to_owned(), step: step.to_owned() })
    }

    #[test]
    fn spans_are_read() {
        assert_eq!(span(""), Ok(Span::At(None)));
        assert_eq!(span("--at 60"), Ok(Span::At(Some("60.000".to_owned()))));
        assert_eq!(span("--at 1970-01-01T00:01:00.5Z"), Ok(Span::At(Some("60.500".to_owned()))));
        assert_eq!(span("--last 1h"), over("3600.000", "7200.000", "60"));
        assert_eq!(span("--last 30s --step 250ms"), over("7170.000", "7200.000", "0.25"));
        assert_eq!(span("--from 0 --to 10"), over("0.000", "10.000", "1"));
        assert_eq!(span("--from 6600"), over("6600.000", "7200.000", "10"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (options, words) in [
            ("--at yesterday", "--at: \"yesterday\" is no time"),
            ("--last 1x", "--last: `1x` is no duration"),
            ("--last 0", "must be more than none"),
            ("--from 20 --to 10", "ends"),
            ("--step 1m", "say which span"),
        ] {
            let refused = span(options).unwrap_err();
            assert!(refused.contains(words), "{options}: {refused}");
        }
    }
}
