//! A group that is evaluated: what is configured of it, and how it is at the moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::store::Handle;

use super::plan::{Alarms, Identity, Schedule, State as AlarmState};
use crate::observe::rules::{Group, Rule, RuleKind};
use crate::observe::views::{AlertView, AlertingView, GroupView, RuleHealth, RuleView};

/// A group that is evaluated.
pub struct Live {
    /// As configured.
    pub group: Group,
    /// When it is due.
    pub schedule: Schedule,
    /// Written at each evaluation and when it is retired, read by views; held for no wait.
    state: Mutex<State>,
}

/// How a group is.
#[derive(Debug, Default)]
pub struct State {
    /// It is no longer evaluated, and what is under way changes nothing any more.
    pub is_retired: bool,
    /// In the order of the group's rules.
    pub rules: Vec<RuleState>,
    /// What is told of it.
    pub figures: Figures,
}

/// What is told of a group's evaluations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// For which time it was evaluated last.
    pub evaluated_at: Option<i64>,
    /// How long that took.
    pub took: Duration,
    /// Evaluations of rules.
    pub evaluations: u64,
    /// Those that failed.
    pub failures: u64,
    /// Evaluations of the group that did not take place.
    pub missed: u64,
}

/// How a rule is.
#[derive(Debug)]
pub struct RuleState {
    /// Those of an alert rule.
    pub alarms: Alarms,
    /// What its last evaluation recorded.
    pub series: HashMap<Labels, Handle>,
    /// How that went.
    pub health: RuleHealth,
    /// When that was.
    pub evaluated_at: Option<i64>,
    /// How long it took.
    pub took: Duration,
    /// Whether the log was told that it fails.
    pub is_told_of: bool,
    /// Why a template of it could not be expanded.
    pub bad_template: Option<String>,
}

impl Default for RuleState {
    fn default() -> Self {
        Self {
            alarms: Alarms::default(),
            series: HashMap::new(),
            health: RuleHealth::Unknown,
            evaluated_at: None,
            took: Duration::ZERO,
            is_told_of: false,
            bad_template: None,
        }
    }
}

impl Live {
    /// A group that goes on from states of its rules, of which there are as many.
    pub fn new(group: Group, rules: Vec<RuleState>, figures: Figures) -> Self {
        let schedule = Schedule::new(&group.file, &group.name, group.interval);
        let state = Mutex::new(State { is_retired: false, rules, figures });
        Self { group, schedule, state }
    }

    /// Its state, for a short time.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a group takes the place of this one.
    pub fn is_named(&self, group: &Group) -> bool {
        (&self.group.file, &self.group.name) == (&group.file, &group.name)
    }

    /// Whether a group says the same as this one.
    pub fn is_same(&self, group: &Group) -> bool {
        let own = &self.group;
        let head = |of: &Group| (of.interval, of.query_offset, of.limit);
        let rules = || own.rules.iter().zip(&group.rules);
        self.is_named(group)
            && head(own) == head(group)
            && own.rules.len() == group.rules.len()
            && rules().all(|(own, rule)| is_same(own, rule))
    }

    /// How it is.
    pub fn view(&self) -> GroupView {
        let state = self.state();
        let rules = self.group.rules.iter().zip(&state.rules);
        GroupView {
            name: self.group.name.clone(),
            file: self.group.file.clone(),
            interval: self.group.interval,
            limit: self.group.limit,
            evaluated_at: state.figures.evaluated_at,
            took: state.figures.took,
            rules: rules.map(|(rule, state)| rule_view(rule, state)).collect(),
        }
    }
}

/// What makes rules of a group the same as others.
pub fn identities(group: &Group) -> impl Iterator<Item = Identity<'_>> {
    group.rules.iter().map(|rule| Identity {
        file: &group.file,
        group: &group.name,
        name: &rule.name,
        labels: &rule.labels,
        is_alerting: matches!(rule.kind, RuleKind::Alerting(_)),
    })
}

fn is_same(one: &Rule, other: &Rule) -> bool {
    let kinds = match (&one.kind, &other.kind) {
        (RuleKind::Recording, RuleKind::Recording) => true,
        (RuleKind::Alerting(one), RuleKind::Alerting(other)) => {
            one.hold == other.hold
                && one.keep_firing == other.keep_firing
                && one.annotations == other.annotations
        }
        _ => false,
    };
    let head = |of: &Rule| (of.name.clone(), of.query.text().to_owned());
    kinds && head(one) == head(other) && one.labels == other.labels
}

fn rule_view(rule: &Rule, state: &RuleState) -> RuleView {
    let alerting = match &rule.kind {
        RuleKind::Recording => None,
        RuleKind::Alerting(alerting) => Some(AlertingView {
            hold: alerting.hold,
            keep_firing: alerting.keep_firing,
            annotations: alerting.annotations.clone(),
            alerts: alert_views(&state.alarms),
        }),
    };
    RuleView {
        name: rule.name.clone(),
        query: rule.query.text().to_owned(),
        labels: rule.labels.clone(),
        alerting,
        health: state.health.clone(),
        evaluated_at: state.evaluated_at,
        took: state.took,
    }
}

fn alert_views(alarms: &Alarms) -> Vec<AlertView> {
    let live = alarms.iter().filter(|(_, alarm)| alarm.is_live());
    live.map(|(labels, alarm)| AlertView {
        labels: labels.clone(),
        annotations: alarm.annotations.clone(),
        firing: alarm.state != AlarmState::Pending,
        active_at: alarm.active,
        keep_firing_since: match alarm.state {
            AlarmState::Firing { unanswered, .. } => unanswered,
            _ => None,
        },
        value: alarm.value,
    })
    .collect()
}
