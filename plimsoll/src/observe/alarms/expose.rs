//! Figures of rules and alarms. As many series as there are groups, and two for alarms.

use std::sync::Arc;

use tsdb::exposition::{Exposition, Kind};

use super::live::{Figures, Live};
use super::plan::State;
use crate::observe::views::RuleHealth;

/// A family by its name, kind, help, and what it says of a group.
type GroupFamily = (&'static str, Kind, &'static str, fn(&Figures) -> Option<f64>);

const GROUP_FAMILIES: [GroupFamily; 5] = [
    ("plimsoll_rule_evaluations_total", Kind::Counter, "Evaluations of rules.", |of| {
        Some(of.evaluations as f64)
    }),
    (
        "plimsoll_rule_evaluation_failures_total",
        Kind::Counter,
        "Evaluations of rules that failed.",
        |of| Some(of.failures as f64),
    ),
    (
        "plimsoll_rule_group_iterations_missed_total",
        Kind::Counter,
        "Evaluations of groups that did not take place because one before them took too long.",
        |of| Some(of.missed as f64),
    ),
    (
        "plimsoll_rule_group_last_duration_seconds",
        Kind::Gauge,
        "How long the last evaluation of a group took.",
        |of| of.evaluated_at.map(|_| of.took.as_secs_f64()),
    ),
    (
        "plimsoll_rule_group_last_evaluation_timestamp_seconds",
        Kind::Gauge,
        "For which time a group was evaluated last.",
        |of| of.evaluated_at.map(|at| at as f64 / 1000.0),
    ),
];

/// Adds the figures of groups and of their alarms.
pub fn expose(exposition: &mut Exposition, lives: &[Arc<Live>]) {
    let (mut pending, mut firing) = (0, 0);
    for live in lives {
        // `file;name`, as in Prometheus.
        let group = format!("{};{}", live.group.file, live.group.name);
        let state = live.state();
        for (name, kind, help, figure) in GROUP_FAMILIES {
            if let Some(value) = figure(&state.figures) {
                exposition.family(name, kind, help).sample(&[("rule_group", &group)], value);
            }
        }
        let failing = state.rules.iter().filter(|of| matches!(of.health, RuleHealth::Failed(_)));
        exposition
            .family(
                "plimsoll_rule_group_failing_rules",
                Kind::Gauge,
                "Rules of a group whose last evaluation failed.",
            )
            .sample(&[("rule_group", &group)], failing.count() as f64);
        for (_, alarm) in state.rules.iter().flat_map(|rule| rule.alarms.iter()) {
            pending += usize::from(alarm.state == State::Pending);
            firing += usize::from(matches!(alarm.state, State::Firing { .. }));
        }
    }
    exposition
        .family("plimsoll_alerts", Kind::Gauge, "Alarms by how they are.")
        .sample(&[("alertstate", "pending")], pending as f64)
        .sample(&[("alertstate", "firing")], firing as f64);
}
