//! Which time it is for upkeep, when the clock jumps.
//!
//! By the clock, old figures are dropped and blocks are closed. One that is set wrong for a minute
//! must not cost the figures of a year, so time goes on as before for a while after the clock went
//! ahead at once; a machine that slept looks the same, and waits for nothing. If the clock comes back
//! within that while, what was dated meanwhile lies ahead of all that comes, and would keep it out of
//! its series: it is to be retracted. A clock that is set back without having gone ahead is believed
//! at once: it was ahead since before the start, or for so long that it was believed.
//!
//! Times are milliseconds since 1970 by the clock, and a `Duration` since any one start by what
//! nobody sets.

use std::time::Duration;

/// The clock may differ by this from what was expected.
const LEAP_MIN: i64 = 10 * 60 * 1000;
/// After this the clock is believed.
const HOLD: Duration = Duration::from_secs(3600);

/// What is known of the clock.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// A time of the clock that was believed, and when that was.
    believed: Option<(i64, Duration)>,
    /// Since when the clock is ahead.
    ahead: Option<Duration>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    /// Upkeep goes by this time.
    pub(super) time: i64,
    /// Whether that is the clock's. Otherwise samples are dated by another one, which may be wrong.
    pub(super) is_clock: bool,
    /// What happened.
    pub(super) event: Option<Event>,
}

/// What happened to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It went ahead at once, by so many milliseconds.
    Ahead(i64),
    /// It came back: what was dated after now is to be retracted.
    Back,
    /// It stayed ahead, and is believed.
    Believed,
}

impl Plan {
    /// Looks at the clock.
    pub(super) fn judge(&mut self, clock: i64, since: Duration) -> Judged {
        let (before, at) = *self.believed.get_or_insert((clock, since));
        let passed = i64::try_from(since.saturating_sub(at).as_millis()).unwrap_or(i64::MAX);
        let expected = before.saturating_add(passed);
        let leap = clock.saturating_sub(expected);
        let (is_believed, event) = match self.ahead {
            None if leap > LEAP_MIN => (false, Some(Event::Ahead(leap))),
            None => (true, None),
            Some(_) if leap.abs() <= LEAP_MIN => (true, Some(Event::Back)),
            // It was wrong before, and is now: nobody knows which figures are of which time.
            Some(_) if leap < 0 => (true, None),
            Some(began) if since.saturating_sub(began) >= HOLD => (true, Some(Event::Believed)),
            Some(_) => (false, None),
        };
        if is_believed {
            self.believed = Some((clock, since));
            self.ahead = None;
            return Judged { time: clock, is_clock: true, event };
        }
        self.ahead.get_or_insert(since);
        Judged { time: expected, is_clock: false, event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Looks at seconds of what nobody sets, with what the clock says beyond them.
    fn judged(looks: &[(u64, i64)]) -> Vec<(i64, Option<Event>)> {
        let mut plan = Plan::default();
        let judge = |(seconds, beyond): &(u64, i64)| {
            let real = (*seconds as i64) * 1000;
            let judged = plan.judge(real + beyond, Duration::from_secs(*seconds));
            (judged.time - real, judged.event)
        };
        looks.iter().map(judge).collect()
    }

    #[test]
    fn a_clock_that_goes_ahead_is_believed_after_a_while() {
        let told = judged(&[
            (0, 0),
            (1, 9000),
            (2, 48 * HOUR),
            (3, 48 * HOUR),
            (3602, 48 * HOUR),
            (4000, 48 * HOUR),
        ]);
        let ahead = Some(Event::Ahead(48 * HOUR - 9000));
        let after = (48 * HOUR, Some(Event::Believed));
        // A step of seconds is nothing.
        assert_eq!(
            told,
            [(0, None), (9000, None), (9000, ahead), (9000, None), after, (48 * HOUR, None)]
        );
    }

    #[test]
    fn a_clock_that_comes_back_is_told_of() {
        let told = judged(&[(0, 0), (1, 48 * HOUR), (60, 1500), (61, 1500), (62, HOUR)]);
        let ahead = |by| Some(Event::Ahead(by));
        let expected = [
            (0, None),
            (0, ahead(48 * HOUR)),
            (1500, Some(Event::Back)),
            (1500, None),
            (1500, ahead(HOUR - 1500)),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed() {
        assert_eq!(judged(&[(0, 0), (1, -48 * HOUR)]), [(0, None), (-48 * HOUR, None)]);
        let told = judged(&[(0, 0), (1, HOUR), (2, -HOUR)]);
        assert_eq!(told[2], (-HOUR, None));
    }
}
