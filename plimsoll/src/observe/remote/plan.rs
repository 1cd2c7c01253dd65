//! When to send, and how long to rest after a failure: decisions from numbers and a time.
//!
//! A request goes out when there are enough samples for a full one, or when the oldest has waited long
//! enough. After a failure that may pass, the rest before the next attempt doubles, with chance in it,
//! so that many Plimsolls do not come back to a receiver at once; a receiver that says when to come
//! back is heard.
//!
//! An outage is told of once, and its end once. That samples are refused for good is told when it
//! begins, and then ever more rarely, with how many were meanwhile: a receiver may take some requests
//! and refuse others for days.

use std::time::Duration;

/// Most samples of one request.
pub(super) const BATCH_MAX: usize = 2000;
/// A sample is sent after this time though there are fewer.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);
/// Rest after a first failure; it doubles…
const REST_MIN: Duration = Duration::from_millis(500);
/// …up to this.
const REST_MAX: Duration = Duration::from_secs(30);
/// A receiver that asks for a longer rest is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Between two lines about refused samples; it doubles with each…
const REFUSAL_GAP_MIN: Duration = Duration::from_secs(60);
/// …up to this, and begins anew after as long without any.
const REFUSAL_GAP_MAX: Duration = Duration::from_secs(3600);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Send from the front of the queue.
    Send,
    /// There is too little for a request: until then, or until there is more.
    Collect(Duration),
    /// The receiver is in trouble: until then.
    Rest(Duration),
    /// Nothing waits.
    Idle,
    /// Nothing is left to do, or to hope for, before the end.
    End,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has the samples.
    Taken,
    /// It may take them later.
    Passing {
        /// In words.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// It says that they are wrong.
    Refused {
        /// In words.
        reason: String,
    },
}

/// What people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// It began to fail; samples wait.
    Away(String),
    /// It refuses samples; they are lost.
    Refuses {
        /// In words.
        reason: String,
        /// Requests that were refused since it was told last, this one included.
        requests: u64,
    },
    /// It takes samples again, after so long.
    Back(Duration),
}

/// What is waiting, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// How many samples.
    pub(super) samples: usize,
    /// Since when the oldest of them does.
    pub(super) since: Duration,
}

/// The course of sending to one receiver. Times are since any one start.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In a row.
    failures: u32,
    rest_until: Option<Duration>,
    /// Since when it fails.
    outage: Option<Duration>,
    told_away: bool,
    told_refuses: bool,
    refusals: Refusals,
}

/// When refusals are told.
#[derive(Debug, Default)]
struct Refusals {
    /// Requests since the last line.
    untold: u64,
    /// When the next line may be written.
    next: Duration,
    gap: Duration,
}

impl Refusals {
    /// How many requests to tell of, if any.
    fn news(&mut self, now: Duration) -> Option<u64> {
        self.untold += 1;
        if now < self.next {
            return None;
        }
        let is_new = now >= self.next + REFUSAL_GAP_MAX;
        self.gap = match is_new {
            true => REFUSAL_GAP_MIN,
            false => (self.gap * 2).clamp(REFUSAL_GAP_MIN, REFUSAL_GAP_MAX),
        };
        self.next = now + self.gap;
        Some(std::mem::take(&mut self.untold))
    }
}

impl Plan {
    /// What to do. Once it is `ending`, nothing is waited for, and the first failure is the last.
    pub(super) fn step(&self, waiting: Option<Waiting>, ending: bool, now: Duration) -> Step {
        let Some(waiting) = waiting else { return if ending { Step::End } else { Step::Idle } };
        if ending {
            return Step::Send;
        }
        if let Some(until) = self.rest_until.filter(|until| *until > now) {
            return Step::Rest(until);
        }
        let due = waiting.since + WAIT_MAX;
        if waiting.samples >= BATCH_MAX || due <= now { Step::Send } else { Step::Collect(due) }
    }

    /// Takes note of what became of a request; `chance` is from 0 to 1.
    pub(super) fn settled(
        &mut self,
        outcome: &Outcome,
        now: Duration,
        chance: f64,
    ) -> Option<Notice> {
        match outcome {
            Outcome::Taken => {
                // Nothing was told of an outage in which it refused, when such were told just before.
                let is_told = self.told_away || self.told_refuses;
                let since = self.outage.filter(|_| is_told);
                *self = Self { refusals: std::mem::take(&mut self.refusals), ..Self::default() };
                since.map(|since| Notice::Back(now.saturating_sub(since)))
            }
            Outcome::Passing { reason, retry_after } => {
                self.outage.get_or_insert(now);
                let rest = retry_after.map_or_else(
                    || rest(self.failures, chance),
                    // Never at once, whatever the receiver's clock says.
                    |asked| asked.clamp(REST_MIN, RETRY_AFTER_MAX),
                );
                self.failures = self.failures.saturating_add(1);
                self.rest_until = Some(now + rest);
                let is_new = !std::mem::replace(&mut self.told_away, true);
                is_new.then(|| Notice::Away(reason.clone()))
            }
            Outcome::Refused { reason } => {
                self.outage.get_or_insert(now);
                // It is there, and the next samples may be right.
                self.failures = 0;
                self.rest_until = None;
                let requests = self.refusals.news(now)?;
                self.told_refuses = true;
                Some(Notice::Refuses { reason: reason.clone(), requests })
            }
        }
    }
}

/// Half of it is certain.
fn rest(failures: u32, chance: f64) -> Duration {
    let doubled = REST_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(REST_MAX);
    doubled.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn waiting(samples: usize, since: u64) -> Option<Waiting> {
        Some(Waiting { samples, since: at(since) })
    }

    fn away(retry_after: Option<u64>) -> Outcome {
        let retry_after = retry_after.map(Duration::from_secs);
        Outcome::Passing { reason: "connection refused".to_owned(), retry_after }
    }

    #[test]
    fn a_request_goes_when_it_is_full_or_old() {
        let plan = Plan::default();
        assert_eq!(plan.step(None, false, at(0)), Step::Idle);
        assert_eq!(plan.step(waiting(1999, 100), false, at(200)), Step::Collect(at(5100)));
        assert_eq!(plan.step(waiting(1999, 100), false, at(5100)), Step::Send);
        assert_eq!(plan.step(waiting(2000, 100), false, at(100)), Step::Send);
    }

    #[test]
    fn rests_double_up_to_a_bound_and_begin_anew_after_success() {
        let mut plan = Plan::default();
        let mut now = at(0);
        for expected in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            plan.settled(&away(None), now, 1.0);
            let until = now + at(expected);
            assert_eq!(plan.step(waiting(9999, 0), false, now), Step::Rest(until));
            now = until;
            assert_eq!(plan.step(waiting(9999, 0), false, now), Step::Send);
        }
        plan.settled(&Outcome::Taken, now, 1.0);
        plan.settled(&away(None), now, 0.0);
        assert_eq!(plan.step(waiting(9999, 0), false, now), Step::Rest(now + at(250)));
    }

    #[test]
    fn a_receiver_that_says_when_is_heard_within_bounds() {
        for (asked, rest) in [(7, 7000), (0, 500), (86_400, 300_000)] {
            let mut plan = Plan::default();
            plan.settled(&away(Some(asked)), at(0), 1.0);
            assert_eq!(plan.step(waiting(1, 0), false, at(0)), Step::Rest(at(rest)), "{asked}");
        }
    }

    #[test]
    fn the_end_waits_for_nothing() {
        let mut plan = Plan::default();
        plan.settled(&away(Some(60)), at(0), 1.0);
        assert_eq!(plan.step(waiting(1, 0), true, at(1)), Step::Send);
        assert_eq!(plan.step(None, true, at(1)), Step::End);
    }

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let mut plan = Plan::default();
        let refused = Outcome::Refused { reason: "out of order".to_owned() };
        assert_eq!(plan.settled(&Outcome::Taken, at(0), 1.0), None);
        let notice = plan.settled(&away(None), at(1000), 1.0);
        assert_eq!(notice, Some(Notice::Away("connection refused".to_owned())));
        assert_eq!(plan.settled(&away(None), at(2000), 1.0), None);
        let notice = plan.settled(&refused, at(3000), 1.0);
        let reason = "out of order".to_owned();
        assert_eq!(notice, Some(Notice::Refuses { reason, requests: 1 }));
        assert_eq!(plan.settled(&refused, at(4000), 1.0), None);
        // What is wrong with these samples says nothing about the next.
        assert_eq!(plan.step(waiting(2000, 0), false, at(4000)), Step::Send);
        assert_eq!(plan.settled(&Outcome::Taken, at(9000), 1.0), Some(Notice::Back(at(8000))));
        assert_eq!(plan.settled(&Outcome::Taken, at(9500), 1.0), None);
        assert!(plan.settled(&away(None), at(9900), 1.0).is_some());
    }

    #[test]
    fn refusals_among_answers_that_are_good_are_told_rarely_with_a_count() {
        let (mut plan, mut told, mut back) = (Plan::default(), Vec::new(), 0);
        let refused = Outcome::Refused { reason: "too old".to_owned() };
        // Ten hours of it, every ten seconds.
        for second in (0..36_000).step_by(10) {
            let now = Duration::from_secs(second);
            if let Some(Notice::Refuses { requests, .. }) = plan.settled(&refused, now, 1.0) {
                told.push((second, requests));
            }
            let later = now + at(5000);
            back += usize::from(plan.settled(&Outcome::Taken, later, 1.0).is_some());
        }
        let first = [(0, 1), (60, 6), (180, 12), (420, 24), (900, 48), (1860, 96), (3780, 192)];
        assert_eq!(told[..7], first);
        assert!(
            told.len() == 15 && told[7..].iter().all(|(_, requests)| *requests == 360),
            "{told:?}"
        );
        assert_eq!(back, told.len());
        // After an hour without, the next is news again.
        assert!(plan.settled(&refused, Duration::from_secs(43_200), 1.0).is_some());
        assert_eq!(plan.settled(&refused, Duration::from_secs(43_201), 1.0), None);
        assert!(plan.settled(&refused, Duration::from_secs(43_260), 1.0).is_some());
    }
}
