//! Functions of dates: what a value, seconds since 1970, is in the calendar (UTC).

use super::column::{Column, Metric, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::outcome::{Grid, QueryError};
use super::plan::Node;
use crate::labels::Labels;

const DAY_SECONDS: i64 = 86_400;

/// A function of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CalendarFunction {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

impl CalendarFunction {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day_of_week" => Self::DayOfWeek,
            "day_of_month" => Self::DayOfMonth,
            "day_of_year" => Self::DayOfYear,
            "days_in_month" => Self::DaysInMonth,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    fn of(self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        // A value out of range becomes the nearest that is within; there is no calendar for either.
        let seconds = value as i64;
        let (day, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day_of_month) = civil(day);
        let part = match self {
            Self::Minute => second / 60 % 60,
            Self::Hour => second / 3600,
            // 1970 began on a Thursday.
            Self::DayOfWeek => (day + 4).rem_euclid(7),
            Self::DayOfMonth => day_of_month,
            Self::DayOfYear => day - days_before(year, 1) + 1,
            Self::DaysInMonth => {
                let (next_year, next_month) =
                    if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days_before(next_year, next_month) - days_before(year, month)
            }
            Self::Month => month,
            Self::Year => year,
        };
        part as f64
    }
}

/// Years in which the calendar repeats, and their days.
const ERA_YEARS: i64 = 400;
const ERA_DAYS: i64 = 146_097;
/// Days from the first of March of the year 0 to the first of January 1970.
const EPOCH_DAYS: i64 = 719_468;

/// Year, month and day of a day since 1970. The year begins in March, so that a leap day ends it
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + EPOCH_DAYS;
    let era = day.div_euclid(ERA_DAYS);
    let day = day.rem_euclid(ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, in_next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * ERA_YEARS + in_next_year, month, day_of_month)
}

/// Days from 1970 to the first of a month (`days_from_civil` of the same).
fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(ERA_YEARS);
    let year = year.rem_euclid(ERA_YEARS);
    let day_of_year = (153 * month + 2) / 5;
    era * ERA_DAYS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH_DAYS
}

/// Evaluates a call of such a function; without an argument it is of the step's own time.
pub(super) fn stream(
    evaluator: &Evaluator,
    function: CalendarFunction,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let Some(vector) = arguments.first() else {
        let values = grid.seconds().map(|seconds| function.of(seconds)).collect();
        return sink(Column { metric: Metric::of(Labels::empty()), values });
    };
    evaluator.stream_unnamed(vector, grid, sink, |column| {
        for value in column.values.iter_mut().filter(|value| !is_absent(**value)) {
            *value = function.of(*value);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        use CalendarFunction::*;
        // 2024-02-29 23:59:59 UTC, a Thursday.
        let leap = 1_709_251_199.0;
        let parts = [Minute, Hour, DayOfWeek, DayOfMonth, DayOfYear, DaysInMonth, Month, Year];
        let found = parts.map(|part| part.of(leap));
        assert_eq!(found, [59.0, 23.0, 4.0, 29.0, 60.0, 29.0, 2.0, 2024.0]);
        let epoch = parts.map(|part| part.of(0.0));
        assert_eq!(epoch, [0.0, 0.0, 4.0, 1.0, 1.0, 31.0, 1.0, 1970.0]);
        let before = parts.map(|part| part.of(-1.0));
        assert_eq!(before, [59.0, 23.0, 3.0, 31.0, 365.0, 31.0, 12.0, 1969.0]);
        // 2100 is no leap year: 2100-02-28.
        assert_eq!((DaysInMonth.of(4_107_456_000.0), DayOfMonth.of(4_107_456_000.0)), (28.0, 28.0));
        assert!(Year.of(f64::NAN).is_nan());
        assert!(Year.of(f64::MAX).is_finite());
    }
}
