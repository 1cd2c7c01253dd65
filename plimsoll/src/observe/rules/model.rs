//! Groups of rules, checked: expressions are parsed and templates are sound.

use std::collections::BTreeMap;
use std::time::Duration;

use tsdb::promql::Query;

/// Rules that are evaluated one after the other at one time.
#[derive(Debug, Clone)]
pub struct Group {
    /// Unique within its file.
    pub name: String,
    /// Where it comes from: the file's path, or `built-in`, or `objectives`.
    pub file: String,
    /// Time between two evaluations.
    pub interval: Duration,
    /// Evaluated this much in the past, milliseconds.
    pub query_offset: i64,
    /// Most series or alarms of one rule; 0 is without bound.
    pub limit: usize,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

impl Group {
    /// Whether it is Plimsoll's own, and of no file: its figures are those that Plimsoll measures.
    pub fn is_own(&self) -> bool {
        [super::BUILT_IN, super::OBJECTIVES].contains(&&*self.file)
    }
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The metric or the alarm that it is for.
    pub name: String,
    /// What is evaluated.
    pub query: Query,
    /// Added to what comes of it, those of the group included; templates in those of alarms.
    pub labels: BTreeMap<String, String>,
    /// What comes of it.
    pub kind: RuleKind,
}

/// What comes of a rule.
#[derive(Debug, Clone)]
pub enum RuleKind {
    /// Series of the rule's name.
    Recording,
    /// Alarms.
    Alerting(Alerting),
}

/// What an alert rule says besides; its name is the `alertname`.
#[derive(Debug, Clone, Default)]
pub struct Alerting {
    /// How long the expression must have answers before the alarm fires.
    pub hold: Duration,
    /// How long it fires on after the expression has none.
    pub keep_firing: Duration,
    /// Templates.
    pub annotations: BTreeMap<String, String>,
}
