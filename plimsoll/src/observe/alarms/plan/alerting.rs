//! The alarms of one alert rule.
//!
//! As Prometheus 3 has it (`rules/alerting.go`): an answer of the expression begins an alarm that is
//! pending, and fires once it has lasted for the rule's `for`. An alarm whose expression has no
//! answer any more ends, when it fires after `keep_firing_for` at the earliest. One that has fired is
//! remembered for [`RETENTION`] after its end and told of, so that a message that is lost costs
//! nothing. While alarms are pending or firing they are series, [`ALERTS`] and [`ALERTS_FOR_STATE`].
//!
//! What differs: alarms that an exceeded limit clears are told of as ended rather than forgotten,
//! and alarms taken over from before a stop have a time in which having no answer means nothing.
//!
//! Invariants: labels identify an alarm; it has a time of firing unless it is pending, and a time of
//! its end if and only if it is over.

use std::collections::BTreeMap;

use tsdb::labels::{Labels, NAME};

use super::{Failure, Sample};

/// The series of pending and firing alarms, always 1.
const ALERTS: &str = "ALERTS";
/// The series of when they began, seconds since 1970.
const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// The label of [`ALERTS`] that says which.
const STATE: &str = "alertstate";

/// How long after its end an alarm is told of, milliseconds: `resolvedRetention` of Prometheus.
const RETENTION: i64 = 15 * 60 * 1000;
/// How long after a start it means nothing that alarms from before it have no answer, milliseconds:
/// eight scrapes at the usual interval, two of a target that is scraped once a minute.
const PROOF: i64 = 2 * 60 * 1000;

/// What a rule asks of its alarms, durations in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long the expression must have an answer before an alarm fires.
    pub hold: i64,
    /// How long it fires on without.
    pub keep_firing: i64,
    /// Most alarms of the rule; 0 is without bound.
    pub limit: usize,
    /// How many pending and firing alarms have room beside those of other rules.
    pub room: usize,
    /// How many there may be in all.
    pub max: usize,
    /// Whether so many are remembered in all that those which are over must go.
    pub is_crowded: bool,
}

/// One series of an expression's answer as an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Those of the series without its name, those of the rule, and `alertname`.
    pub labels: Labels,
    /// What people read, templates expanded.
    pub annotations: BTreeMap<String, String>,
    /// The series' value.
    pub value: f64,
}

/// How an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its expression has an answer, not for long enough.
    Pending,
    /// It fires.
    Firing {
        /// Since when.
        since: i64,
        /// Since when its expression has had no answer.
        unanswered: Option<i64>,
    },
    /// It has fired.
    Over {
        /// Since when it did.
        since: i64,
        /// When that ended.
        ended: i64,
    },
}

/// An alarm, its labels aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// What people read, as of the last answer.
    pub annotations: BTreeMap<String, String>,
    /// The value of the last answer.
    pub value: f64,
    /// Since when the expression has an answer.
    pub active: i64,
    /// How it is.
    pub state: State,
    /// When Plimsoll started, if it is from before that and has had no answer since.
    pub unproven_since: Option<i64>,
}

/// Alarms of a rule by their labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alarms(BTreeMap<Labels, Alarm>);

/// What an evaluation comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// What to record; series of the step before that are not among them have ended. Without
    /// meaning after a failure, which ends none.
    pub series: Vec<Sample>,
    /// Alarms that have begun or ceased to fire.
    pub changes: Vec<Change>,
    /// Whether there is any other alarm, or one that is otherwise, than before.
    pub is_changed: bool,
    /// Why the evaluation does not count.
    pub failure: Option<Failure>,
}

/// An alarm has begun or ceased to fire.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which.
    pub labels: Labels,
    /// How it is now.
    pub alarm: Alarm,
}

impl Alarm {
    /// Whether it is pending or firing.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Over { .. })
    }

    fn is_unproven(&self, at: i64) -> bool {
        self.unproven_since.is_some_and(|start| (at - start).abs() < PROOF)
    }

    /// Whether it stays without an answer.
    fn outlasts(&self, at: i64, terms: &Terms) -> bool {
        match self.state {
            State::Over { .. } => false,
            _ if self.is_unproven(at) => true,
            State::Pending => false,
            State::Firing { unanswered, .. } => {
                terms.keep_firing > 0 && at - unanswered.unwrap_or(at) < terms.keep_firing
            }
        }
    }

    /// There is no answer for it, and it does not outlast that. Whether it is remembered.
    fn end(&mut self, at: i64) -> bool {
        match self.state {
            State::Pending => false,
            State::Firing { since, .. } => {
                self.state = State::Over { since, ended: at };
                self.unproven_since = None;
                true
            }
            State::Over { ended, .. } => (at - ended).abs() <= RETENTION,
        }
    }

    /// There is an answer for it, or it outlasts that there is none.
    fn go_on(&mut self, is_raised: bool, at: i64, terms: &Terms) {
        let is_unproven = !is_raised && self.is_unproven(at);
        self.unproven_since = self.unproven_since.filter(|_| is_unproven);
        // The clock may have been set back; nothing waits until it is where it was.
        self.active = self.active.min(at);
        match &mut self.state {
            State::Pending if at - self.active >= terms.hold && !is_unproven => {
                self.state = State::Firing { since: at, unanswered: None };
            }
            State::Firing { unanswered, .. } if is_raised => *unanswered = None,
            State::Firing { unanswered, .. } if !is_unproven => {
                *unanswered = Some(unanswered.map_or(at, |since| since.min(at)));
            }
            _ => {}
        }
    }
}

impl Alarms {
    /// Those that are known from elsewhere.
    pub fn of(alarms: impl IntoIterator<Item = (Labels, Alarm)>) -> Self {
        Self(alarms.into_iter().collect())
    }

    /// All of them by labels, those that are over included.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &Alarm)> {
        self.0.iter()
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many are pending or firing.
    pub fn live(&self) -> usize {
        self.0.values().filter(|alarm| alarm.is_live()).count()
    }

    /// Goes on by what the expression answers at a time.
    pub fn evaluate(&mut self, at: i64, raised: Vec<Raised>, terms: &Terms) -> Step {
        let mut fresh = BTreeMap::new();
        for one in raised {
            if let Some(other) = fresh.insert(one.labels.clone(), one) {
                return Step::failed(Failure::SameLabels { labels: other.labels });
            }
        }
        let outlasting = |(labels, alarm): &(&Labels, &Alarm)| {
            !fresh.contains_key(*labels) && alarm.outlasts(at, terms)
        };
        let count = fresh.len() + self.0.iter().filter(outlasting).count();
        if count > terms.room {
            let (room, max) = (terms.room, terms.max);
            return Step::failed(Failure::Full { count, room, max });
        }
        if terms.limit > 0 && count > terms.limit {
            let (what, limit) = ("alarms", terms.limit);
            let failure = Some(Failure::Limit { count, what, limit });
            let changes = self.end(at);
            return Step { changes, is_changed: true, failure, ..Step::default() };
        }
        if terms.is_crowded {
            self.0.retain(|_, alarm| alarm.is_live());
        }
        let is_grown = self.take(at, &fresh);
        let step = self.judge(at, &fresh, terms);
        Step { is_changed: is_grown || step.is_changed, ..step }
    }

    /// Ends all that are live. What has ceased to fire by that.
    pub fn end(&mut self, at: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        self.0.retain(|labels, alarm| {
            let was_live = alarm.is_live();
            let is_kept = alarm.end(at);
            if was_live && is_kept {
                changes.push(Change { labels: labels.clone(), alarm: alarm.clone() });
            }
            is_kept
        });
        changes
    }

    /// The series of all that are live, as they were recorded last.
    pub fn series(&self) -> impl Iterator<Item = Sample> {
        self.0.iter().filter(|(_, alarm)| alarm.is_live()).flat_map(|(labels, alarm)| {
            let with = |name: &str, state: Option<&str>| {
                let state = state.map(|state| (STATE, state));
                Labels::from_pairs(labels.iter().chain([(NAME, name)]).chain(state))
            };
            let state = if alarm.state == State::Pending { "pending" } else { "firing" };
            let since = alarm.active.div_euclid(1000) as f64;
            [
                Sample { labels: with(ALERTS, Some(state)), value: 1.0 },
                Sample { labels: with(ALERTS_FOR_STATE, None), value: since },
            ]
        })
    }

    /// New alarms for answers that have none, new values and texts for the others. Whether there are
    /// new ones.
    fn take(&mut self, at: i64, fresh: &BTreeMap<Labels, Raised>) -> bool {
        let mut is_grown = false;
        for (labels, one) in fresh {
            let (annotations, value) = (one.annotations.clone(), one.value);
            match self.0.get_mut(labels) {
                Some(alarm) if alarm.is_live() => {
                    (alarm.annotations, alarm.value) = (annotations, value);
                }
                _ => {
                    let (active, state, unproven_since) = (at, State::Pending, None);
                    let alarm = Alarm { annotations, value, active, state, unproven_since };
                    self.0.insert(labels.clone(), alarm);
                    is_grown = true;
                }
            }
        }
        is_grown
    }

    fn judge(&mut self, at: i64, fresh: &BTreeMap<Labels, Raised>, terms: &Terms) -> Step {
        let (mut changes, before) = (Vec::new(), self.0.len());
        self.0.retain(|labels, alarm| {
            let is_raised = fresh.contains_key(labels);
            let state = std::mem::discriminant(&alarm.state);
            let is_kept = if is_raised || alarm.outlasts(at, terms) {
                alarm.go_on(is_raised, at, terms);
                true
            } else {
                alarm.end(at)
            };
            if is_kept && state != std::mem::discriminant(&alarm.state) {
                changes.push(Change { labels: labels.clone(), alarm: alarm.clone() });
            }
            is_kept
        });
        let is_changed = !changes.is_empty() || self.0.len() < before;
        Step { series: self.series().collect(), changes, is_changed, failure: None }
    }
}

impl Step {
    fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
