//! What alarms are worth that were written to a file before a stop.
//!
//! Prometheus knows of them by its series only, and so begins firing alarms anew, and pending ones
//! whose `for` is below ten minutes. Here the alarms themselves were kept, and all go on:
//! - a firing alarm fires on, from when it did; a pending one stays so; one that is over is told of
//!   for the rest of its time;
//! - for two minutes after the start that there is no answer means nothing, because targets have yet
//!   to be scraped. Until then an alarm stays as it was, and no pending one fires unless its
//!   expression has an answer;
//! - time in which Plimsoll was down counts as holding if it is no longer than [`BRIDGED`], the time
//!   over which queries bridge gaps of samples as well; longer ones do not count at all, as in
//!   Prometheus;
//! - after more than [`TOLERANCE`] nothing is known: pending alarms are forgotten, firing ones are
//!   over, and told of as such. Prometheus has the same bound (`--rules.alert.for-outage-tolerance`).

use super::{Alarm, State};

/// The longest time that counts as holding although nobody looked, milliseconds.
const BRIDGED: i64 = 5 * 60 * 1000;
/// The longest after which alarms go on, milliseconds.
const TOLERANCE: i64 = 60 * 60 * 1000;

/// How an alarm goes on that was so at `written`. `None` if it is forgotten.
pub fn restore(mut alarm: Alarm, written: i64, now: i64) -> Option<Alarm> {
    // The clock may have been set back.
    let written = written.min(now);
    alarm.active = alarm.active.min(written);
    let outage = now - written;
    let is_known = outage <= TOLERANCE;
    match &mut alarm.state {
        State::Pending if is_known => {
            if outage > BRIDGED {
                alarm.active += outage;
            }
            alarm.unproven_since = Some(now);
        }
        State::Pending => return None,
        State::Firing { since, .. } if !is_known => {
            alarm.state = State::Over { since: (*since).min(written), ended: now };
        }
        State::Firing { since, unanswered } => {
            *since = (*since).min(written);
            *unanswered = unanswered.map(|since| since.min(written));
            // One that had no answer before the stop either waits for none.
            alarm.unproven_since = unanswered.is_none().then_some(now);
        }
        State::Over { since, ended } => {
            (*since, *ended) = ((*since).min(written), (*ended).min(written));
        }
    }
    Some(alarm)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn alarm(active: i64, state: State) -> Alarm {
        Alarm { annotations: BTreeMap::new(), value: 1.0, active, state, unproven_since: None }
    }

    /// Written at 100 min, started again after an outage. Since when it is active, how it is, whether
    /// it needs proof.
    fn after(outage: i64, state: State) -> Option<(i64, State, bool)> {
        let now = (100 + outage) * MINUTE;
        let alarm = restore(alarm(90 * MINUTE, state), 100 * MINUTE, now)?;
        Some((alarm.active / MINUTE, alarm.state, alarm.unproven_since == Some(now)))
    }

    #[test]
    fn pending_alarms_go_on_and_long_outages_do_not_count() {
        let pending = State::Pending;
        assert_eq!(after(0, pending), Some((90, pending, true)));
        assert_eq!(after(5, pending), Some((90, pending, true)));
        assert_eq!(after(6, pending), Some((96, pending, true)));
        assert_eq!(after(60, pending), Some((150, pending, true)));
        assert_eq!(after(61, pending), None);
    }

    #[test]
    fn firing_alarms_fire_on_unless_the_outage_was_too_long() {
        let firing = State::Firing { since: 95 * MINUTE, unanswered: None };
        assert_eq!(after(60, firing), Some((90, firing, true)));
        let over = State::Over { since: 95 * MINUTE, ended: 161 * MINUTE };
        assert_eq!(after(61, firing), Some((90, over, false)));
        let kept = State::Firing { since: 95 * MINUTE, unanswered: Some(99 * MINUTE) };
        assert_eq!(after(1, kept), Some((90, kept, false)));
    }

    #[test]
    fn alarms_that_are_over_stay_so() {
        let over = State::Over { since: 92 * MINUTE, ended: 98 * MINUTE };
        assert_eq!(after(1, over), Some((90, over, false)));
        assert_eq!(after(90, over), Some((90, over, false)));
    }

    #[test]
    fn nothing_lies_in_the_future_of_a_clock_that_was_set_back() {
        let back = after(-50, State::Firing { since: 95 * MINUTE, unanswered: None });
        let state = State::Firing { since: 50 * MINUTE, unanswered: None };
        assert_eq!(back, Some((50, state, true)));
    }
}
