//! When a run begins: testers on several machines are given the same time.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The longest wait that is taken for meant.
const WAIT_HOURS: i64 = 24;

/// Reads `--start-at`: a time of today (or, if it has passed, tomorrow) in the zone of this
/// machine, or a whole timestamp.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub(super) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => next(text, now, zone).ok_or_else(|| {
            format!(
                "--start-at: {text:?} is not a time; write a time of day as 14:30:00, or \
                 2026-01-02T14:30:00Z"
            )
        })?,
    };
    if at < now {
        return Err(format!("--start-at: {text} has passed; it is {now:.0} now"));
    }
    if at > now + WAIT_HOURS.hours() {
        return Err(format!("--start-at: {text} is more than {WAIT_HOURS} hours away"));
    }
    Ok(at)
}

/// The next time it is `text` o'clock.
fn next(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let time: Time = text.parse().ok()?;
    let today = now.to_zoned(zone.clone()).date();
    let at = |date: jiff::civil::Date| {
        Some(date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp())
    };
    match at(today)? {
        passed if passed < now => at(today.tomorrow().ok()?),
        to_come => Some(to_come),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        parse(text, now, &TimeZone::fixed(jiff::tz::offset(1))).map(|at| at.to_string())
    }

    #[test]
    fn a_time_of_day_is_the_next_one_of_this_machine() {
        assert_eq!(at("14:30:00").unwrap(), "2026-03-01T13:30:00Z");
        assert_eq!(at("13:00:01").unwrap(), "2026-03-01T12:00:01Z");
        assert_eq!(at("14:30").unwrap(), "2026-03-01T13:30:00Z");
        assert_eq!(at("09:00:00").unwrap(), "2026-03-02T08:00:00Z");
    }

    #[test]
    fn a_timestamp_is_taken_as_it_is() {
        assert_eq!(at("2026-03-01T12:00:05Z").unwrap(), "2026-03-01T12:00:05Z");
        assert_eq!(at("2026-03-01T13:00:05+01:00").unwrap(), "2026-03-01T12:00:05Z");
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        assert!(at("soon").unwrap_err().contains("write a time of day as 14:30:00"));
        assert!(at("2026-03-01T11:59:59Z").unwrap_err().contains("has passed"));
        assert!(at("2026-03-05T00:00:00Z").unwrap_err().contains("24 hours"));
    }
}
