//! Is a server healthy, and why: the state machine of one server.
//!
//! A pure planner: results of checks and of real traffic come in with their time, transitions
//! with their reason come out. Four judgements are kept apart and the visible state is derived
//! from them, the first that applies:
//!
//! 1. its owner or an operator drains it: `draining`;
//! 2. its host name has no address, or active checks failed `fall` times in a row: `unhealthy`;
//! 3. real traffic failed too often: `ejected` for a time, then on probation;
//! 4. no check has succeeded yet: `starting`; otherwise `healthy`.
//!
//! So a passing check never shortens an ejection: checks that pass while traffic fails are what
//! ejection is for. But once checks have failed as well, the server was down, and it is back as
//! soon as they succeed again.
//!
//! Left out: `stopped` and the bookkeeping of figures are the roster's; when a check runs is
//! decided here ([`Health::next_check`]), running it is `probe`'s.

use std::collections::VecDeque;
use std::time::Duration;

use super::hash;
use super::server::ServerState;
use crate::config::model::{PassiveHealth, Service, Source};

/// Shortest time between the checks of a server that has never been healthy.
const QUICK_CHECK: Duration = Duration::from_millis(250);

/// Checks of a server that has never been healthy come after this part of the time that it has
/// been starting, within [`QUICK_CHECK`] and `every`: readiness is seen at most 5 % late.
const STARTING_CHECK_DIVISOR: u32 = 20;

/// Answers in a row that a server which has never been healthy may get wrong before it is told of
/// and checked less often: what it says is hardly going to change by waiting, and each check is a
/// line in its log.
const WRONG_ANSWERS: u32 = 4;

/// Doublings of the time between checks after which any interval has been reached.
const DOUBLINGS_MAX: u32 = 16;

/// Successes in a row after an ejection that end the probation: the next ejection is as short as
/// the first.
const PROBATION_SUCCESSES: u32 = 10;

/// Failures that are remembered at most, whatever `max_fails` says.
const FAILURES_MAX: usize = 1000;

/// What a service asks of the health of its servers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HealthPolicy {
    /// Active checks; without them a server is healthy until its traffic says otherwise.
    pub(crate) check: Option<CheckPolicy>,
    /// Ejection by failures of real traffic.
    pub(crate) passive: PassiveHealth,
}

/// How results of active checks are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CheckPolicy {
    /// Time between checks.
    pub(crate) every: Duration,
    /// Share by which the time varies at random, 0.0 to 0.5.
    pub(crate) jitter: f64,
    /// Successes in a row that make an unhealthy server healthy.
    pub(crate) rise: u32,
    /// Failures in a row that make a healthy server unhealthy.
    pub(crate) fall: u32,
    /// How long a new server may fail its checks and still be `starting`; `None` while its owner
    /// waits for it.
    pub(crate) patience: Option<Duration>,
}

impl HealthPolicy {
    /// What `service` asks. A server that something else runs is called unhealthy once checks at
    /// the configured interval would have said so; a process has its own `start_timeout`.
    pub(crate) fn of(service: &Service) -> Self {
        let waits = matches!(service.source, Source::Processes(_));
        let check = service.health.as_ref().map(|check| CheckPolicy {
            every: check.every,
            jitter: check.jitter,
            rise: check.rise.max(1),
            fall: check.fall.max(1),
            patience: (!waits).then(|| check.every.saturating_mul(check.fall)),
        });
        Self { check, passive: service.passive.clone() }
    }
}

/// A change of a server's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    /// Before.
    pub(crate) from: ServerState,
    /// After.
    pub(crate) to: ServerState,
    /// Why, for people.
    pub(crate) reason: String,
}

/// What is worth telling about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its state changed.
    Changed(Transition),
    /// It did not, but what spoke against the server no longer counts.
    Cleared(String),
    /// It has never been healthy, and answers, but not as its check expects: somebody should look.
    Mistaken(String),
}

/// Why an active check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckFailure {
    /// "cannot connect to 127.0.0.1:8001: connection refused", for people.
    pub(crate) text: String,
    /// The server answered, only not as expected, and did not ask for patience (503).
    pub(crate) mistaken: bool,
}

impl From<String> for CheckFailure {
    fn from(text: String) -> Self {
        Self { text, mistaken: false }
    }
}

/// What active checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// Nothing yet.
    Unknown,
    Up,
    Down,
}

/// Whether the host name of the server has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Resolution {
    /// It has one, or needs none.
    Known,
    /// Not asked yet.
    Pending,
    /// It never had one.
    Failed(String),
}

#[derive(Debug, Clone)]
struct Ejection {
    until: Duration,
    reason: String,
}

/// The health of one server. All times are on one clock of the caller's.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    policy: HealthPolicy,
    state: ServerState,
    reason: String,
    since: Duration,
    added: Duration,
    checked: Checked,
    /// Results in a row of the kind that could change `checked`.
    streak: u32,
    /// What the last result that counted said.
    check_reason: String,
    passed: u64,
    /// Mistaken answers in a row, while no check has passed.
    mistakes: u32,
    resolution: Resolution,
    /// Times of failures of real traffic, oldest first, within the window.
    failures: VecDeque<Duration>,
    ejection: Option<Ejection>,
    /// Ejections without a probation passed in between.
    ejections_in_a_row: u32,
    /// Successes in a row since the last ejection ended.
    probation: Option<u32>,
    /// Ejections in all.
    ejections: u64,
    drained_by_owner: bool,
    drained_by_operator: bool,
}

impl Health {
    /// A server that is new at `now`. One with a host name `resolves` first.
    pub(crate) fn new(policy: HealthPolicy, resolves: bool, now: Duration) -> Self {
        let mut health = Self {
            policy,
            state: ServerState::Starting,
            reason: String::new(),
            since: now,
            added: now,
            checked: Checked::Unknown,
            streak: 0,
            check_reason: "waiting for its first check".to_owned(),
            passed: 0,
            mistakes: 0,
            resolution: if resolves { Resolution::Pending } else { Resolution::Known },
            failures: VecDeque::new(),
            ejection: None,
            ejections_in_a_row: 0,
            probation: None,
            ejections: 0,
            drained_by_owner: false,
            drained_by_operator: false,
        };
        health.settle(now, "no health check is configured");
        health
    }

    /// Its state.
    pub(crate) fn state(&self) -> ServerState {
        self.state
    }

    /// Why it is in this state, for people.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Since when it is in this state.
    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// How often it was ejected.
    pub(crate) fn ejections(&self) -> u64 {
        self.ejections
    }

    /// Whether it was ejected and has not proved itself since.
    pub(crate) fn on_probation(&self) -> bool {
        self.probation.is_some()
    }

    /// Takes over a changed configuration. A server that gets traffic keeps it: checks that were
    /// not asked for before must fail before they count.
    pub(crate) fn configure(&mut self, policy: HealthPolicy, now: Duration) -> Option<Event> {
        if policy == self.policy {
            return None;
        }
        match (&self.policy.check, &policy.check) {
            (_, None) => (self.checked, self.streak) = (Checked::Unknown, 0),
            (None, Some(_)) if self.resolution == Resolution::Known => {
                (self.checked, self.streak) = (Checked::Up, 0);
            }
            _ => {}
        }
        if policy.passive.max_fails == 0 {
            (self.ejection, self.probation, self.ejections_in_a_row) = (None, None, 0);
            self.failures.clear();
        }
        self.policy = policy;
        self.settle(now, "the health checks were reconfigured")
    }

    /// The result of an active check: what it saw, or what went wrong.
    pub(crate) fn check(
        &mut self,
        result: Result<&str, &CheckFailure>,
        now: Duration,
    ) -> Option<Event> {
        let policy = self.policy.check?;
        match result {
            Ok(saw) => {
                self.passed += 1;
                self.mistakes = 0;
                self.streak = if self.checked == Checked::Down { self.streak + 1 } else { 0 };
                let up = match self.checked {
                    // Nothing has failed yet that would have to be outweighed.
                    Checked::Unknown => true,
                    Checked::Down => self.streak >= policy.rise,
                    Checked::Up => false,
                };
                let reason = match (self.checked, self.streak) {
                    (Checked::Down, 1) => format!("{saw} again"),
                    (Checked::Down, streak) => format!("{saw}, {streak} times in a row"),
                    _ => saw.to_owned(),
                };
                if self.checked == Checked::Down {
                    let needed = policy.rise;
                    self.check_reason = format!("{saw}, {} of {needed} times needed", self.streak);
                }
                if up {
                    (self.checked, self.streak) = (Checked::Up, 0);
                }
                self.settle(now, &reason)
            }
            Err(CheckFailure { text: wrong, mistaken }) => {
                self.streak = match self.checked {
                    Checked::Down => 0,
                    _ => self.streak.saturating_add(1),
                };
                let patient = self.checked == Checked::Unknown
                    && policy.patience.is_none_or(|patience| now < self.added + patience);
                self.check_reason = match self.checked {
                    Checked::Down => format!("its checks still fail: {wrong}"),
                    Checked::Unknown => format!("no check has passed yet: {wrong}"),
                    Checked::Up if self.streak == 1 => wrong.clone(),
                    Checked::Up => {
                        format!("{} checks in a row failed, the last: {wrong}", self.streak)
                    }
                };
                let mistakes = if *mistaken { self.mistakes.saturating_add(1) } else { 0 };
                self.mistakes = if self.passed == 0 { mistakes } else { 0 };
                if self.checked != Checked::Down && self.streak >= policy.fall && !patient {
                    (self.checked, self.streak) = (Checked::Down, 0);
                    self.failures.clear();
                    if self.ejection.take().is_some() {
                        self.probation = Some(0);
                    }
                }
                let changed = self.settle(now, "");
                let mistaken = self.mistakes == WRONG_ANSWERS;
                changed.or_else(|| mistaken.then(|| Event::Mistaken(wrong.clone())))
            }
        }
    }

    /// Whether the host name of the server has an address. Once it had one, a failure to resolve
    /// it again changes nothing: name servers fail more often than addresses change, and checks
    /// and traffic tell whether the old one still works.
    pub(crate) fn resolved(&mut self, result: Result<(), &str>, now: Duration) -> Option<Event> {
        match result {
            Ok(()) => self.resolution = Resolution::Known,
            Err(_) if self.resolution == Resolution::Known => {}
            Err(wrong) => self.resolution = Resolution::Failed(wrong.to_owned()),
        }
        self.settle(now, "its host name has an address")
    }

    /// Real traffic failed.
    pub(crate) fn failure(&mut self, what: &str, now: Duration) -> Option<Event> {
        let PassiveHealth { max_fails, fail_window, eject_for, eject_max } = self.policy.passive;
        // Failures of requests that were on their way when it went out of service say nothing new.
        if max_fails == 0 || !matches!(self.state, ServerState::Healthy | ServerState::Draining) {
            return None;
        }
        if self.probation.is_some() {
            self.probation = Some(0);
        }
        self.failures.push_back(now);
        let max_fails = (max_fails as usize).min(FAILURES_MAX);
        while self.failures.len() > max_fails
            || self.failures.front().is_some_and(|at| now.saturating_sub(*at) > fail_window)
        {
            self.failures.pop_front();
        }
        if self.failures.len() < max_fails {
            return None;
        }
        let many = format!("{} within {}", count(max_fails as u32, "failure"), show(fail_window));
        self.failures.clear();
        self.ejections += 1;
        self.ejections_in_a_row = self.ejections_in_a_row.saturating_add(1);
        let time = eject_for.saturating_mul(self.ejections_in_a_row).min(eject_max);
        let reason = format!("{many}, the last: {what}; out for {}", show(time));
        self.ejection = Some(Ejection { until: now + time, reason });
        self.probation = None;
        self.settle(now, "")
    }

    /// Real traffic succeeded. Only worth calling while [`Health::on_probation`].
    pub(crate) fn success(&mut self) -> Option<Event> {
        let successes = self.probation? + 1;
        if successes < PROBATION_SUCCESSES {
            self.probation = Some(successes);
            return None;
        }
        (self.probation, self.ejections_in_a_row) = (None, 0);
        let successes = count(successes, "success");
        Some(Event::Cleared(format!("{successes} since its ejection; off probation")))
    }

    /// When [`Health::tick`] has something to do.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        self.ejection.as_ref().map(|ejection| ejection.until)
    }

    /// Ends an ejection whose time is over.
    pub(crate) fn tick(&mut self, now: Duration) -> Option<Event> {
        if self.ejection.as_ref()?.until > now {
            return None;
        }
        self.ejection = None;
        self.probation = Some(0);
        self.settle(now, "its ejection is over; on probation")
    }

    /// Whether its owner wants it to take nothing new.
    pub(crate) fn is_drained_by_owner(&self) -> bool {
        self.drained_by_owner
    }

    /// Its owner wants it to take nothing new, or no longer does.
    pub(crate) fn drain_by_owner(&mut self, draining: bool, now: Duration) -> Option<Event> {
        self.drained_by_owner = draining;
        self.settle(now, "it is not to be stopped after all")
    }

    /// An operator wants it to take nothing new, or no longer does.
    pub(crate) fn drain_by_operator(&mut self, draining: bool, now: Duration) -> Option<Event> {
        self.drained_by_operator = draining;
        self.settle(now, "given back to traffic by an operator")
    }

    /// Time from the start of one active check to the next; `None` without active checks.
    pub(crate) fn next_check(&self, now: Duration, random: u64) -> Option<Duration> {
        let CheckPolicy { every, jitter, .. } = self.policy.check?;
        if self.passed == 0 && self.checked != Checked::Up {
            let starting = now.saturating_sub(self.added) / STARTING_CHECK_DIVISOR;
            let doublings = (self.mistakes + 1).saturating_sub(WRONG_ANSWERS).min(DOUBLINGS_MAX);
            let mistaken = QUICK_CHECK * (1 << doublings);
            return Some(starting.max(mistaken).min(every));
        }
        let share = match self.passed {
            // Servers that start together are checked apart from then on.
            1 if jitter > 0.0 => 0.5 + hash::unit(random) / 2.0,
            _ => 1.0 + jitter * (2.0 * hash::unit(random) - 1.0),
        };
        Some(every.mul_f64(share.max(0.0)))
    }

    /// Derives the state from the judgements. `healthy_reason` is why it is healthy, if it is.
    fn settle(&mut self, now: Duration, healthy_reason: &str) -> Option<Event> {
        let (to, reason) = self.judge(healthy_reason);
        let from = self.state;
        // A healthy server keeps the reason that made it so; others tell the latest.
        if to != from || to != ServerState::Healthy || self.reason.is_empty() {
            self.reason.clone_from(&reason);
        }
        if to == from {
            return None;
        }
        (self.state, self.since) = (to, now);
        Some(Event::Changed(Transition { from, to, reason }))
    }

    fn judge<'a>(&'a self, healthy_reason: &'a str) -> (ServerState, String) {
        let unchecked = self.policy.check.is_some() && self.checked == Checked::Unknown;
        let (state, reason) = if self.drained_by_operator {
            (ServerState::Draining, "taken out of traffic by an operator")
        } else if self.drained_by_owner {
            (ServerState::Draining, "finishing its requests before it is stopped")
        } else if let Resolution::Failed(reason) = &self.resolution {
            (ServerState::Unhealthy, reason.as_str())
        } else if self.checked == Checked::Down {
            (ServerState::Unhealthy, self.check_reason.as_str())
        } else if let Some(ejection) = &self.ejection {
            (ServerState::Ejected, ejection.reason.as_str())
        } else if self.resolution == Resolution::Pending {
            (ServerState::Starting, "its host name is being resolved")
        } else if unchecked {
            (ServerState::Starting, self.check_reason.as_str())
        } else {
            (ServerState::Healthy, healthy_reason)
        };
        (state, reason.to_owned())
    }
}

/// "1 failure", "2 successes".
fn count(number: u32, what: &str) -> String {
    let ending = match number {
        1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {what}{ending}")
}

/// "2 s", "250 ms", "1.5 s".
pub(super) fn show(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{} ms", time.as_millis());
    }
    // Display of a float leaves out what is zero.
    format!("{} s", time.as_millis() as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
