//! What the parts show of themselves, to the API and to the dashboard: plain copies of one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tsdb::exposition::MetricType;
use tsdb::labels::Labels;

/// How the configuration came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigurationView {
    /// When the one in force was loaded.
    pub loaded_at: Timestamp,
    /// Whether the last try to load another one succeeded; true if there was none.
    pub is_current: bool,
}

/// A target of scraping.
#[derive(Debug, Clone)]
pub struct TargetView {
    /// Its job.
    pub job: String,
    /// Labels of its series, after relabelling.
    pub labels: Labels,
    /// Labels before relabelling, `__address__` and the like included.
    pub discovered: Labels,
    /// What is asked; for what is not asked by HTTP, words such as `this host`.
    pub url: String,
    /// How it is.
    pub health: TargetHealth,
    /// Why it is down, in words.
    pub last_error: Option<String>,
    /// When it was asked last, milliseconds since 1970.
    pub last_at: Option<i64>,
    /// How long that took.
    pub last_took: Duration,
    /// Samples that were taken then, after relabelling.
    pub last_samples: u64,
    /// Time between two scrapes.
    pub every: Duration,
    /// Most time for one.
    pub timeout: Duration,
}

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetHealth {
    /// Not asked yet.
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// It failed.
    Down,
    /// It answers, and not with metrics; it is asked rarely, and `up` is not written.
    WithoutMetrics,
    /// Relabelling dropped it; it is never asked.
    Dropped,
}

/// What a target says of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataView {
    /// The metric family.
    pub family: String,
    /// Its type.
    pub kind: MetricType,
    /// Its help.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// Labels of a target that says so.
    pub target: Labels,
}

/// A group of rules.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub file: String,
    /// Time between two evaluations.
    pub interval: Duration,
    /// Most series or alarms of one rule; 0 is without bound.
    pub limit: usize,
    /// When it was evaluated last, milliseconds since 1970.
    pub evaluated_at: Option<i64>,
    /// How long that took.
    pub took: Duration,
    /// In the order of the file.
    pub rules: Vec<RuleView>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct RuleView {
    /// The metric or the alarm.
    pub name: String,
    /// Its expression.
    pub query: String,
    /// Its labels, templates not expanded.
    pub labels: BTreeMap<String, String>,
    /// What is true of alert rules only.
    pub alerting: Option<AlertingView>,
    /// How its last evaluation went.
    pub health: RuleHealth,
    /// When that was, milliseconds since 1970.
    pub evaluated_at: Option<i64>,
    /// How long it took.
    pub took: Duration,
}

/// How the last evaluation of a rule went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleHealth {
    /// There was none yet.
    Unknown,
    /// Well.
    Ok,
    /// It failed, and why.
    Failed(String),
}

/// An alert rule's own.
#[derive(Debug, Clone)]
pub struct AlertingView {
    /// How long the expression must have answers.
    pub hold: Duration,
    /// How long it fires on without.
    pub keep_firing: Duration,
    /// Templates.
    pub annotations: BTreeMap<String, String>,
    /// Its alarms, pending and firing.
    pub alerts: Vec<AlertView>,
}

/// A pending or firing alarm.
#[derive(Debug, Clone)]
pub struct AlertView {
    /// Its identity.
    pub labels: Labels,
    /// Expanded.
    pub annotations: BTreeMap<String, String>,
    /// Whether it fires; otherwise it is pending.
    pub firing: bool,
    /// Since when the expression has answers, milliseconds since 1970.
    pub active_at: i64,
    /// Since when it fires on without, milliseconds since 1970.
    pub keep_firing_since: Option<i64>,
    /// What the expression was last.
    pub value: f64,
}
