//! `plimsoll alarms`: what fires, and what is about to.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::admin::status::severity_rank;
use crate::admin::units::{self, plural};
use crate::admin::{Tried, api};

use super::arguments::alarms::AlarmsArguments;
use super::client::{Client, LOOK_TIMEOUT, TRY_TIMEOUT};
use super::commands::{CommandError, find, painter};
use super::table::{Align, Cell, Colour, Painter, Table, harmless};

/// Alert rules with their alarms, as Prometheus tells them.
const RULES: &str = "/prometheus/api/v1/rules?type=alert";
/// Alarms as Alertmanager tells them.
pub const TOLD: &str = "/alertmanager/api/v2/alerts";
/// The label that names the alarm.
pub const NAME: &str = "alertname";
/// The label that says how bad it is.
const SEVERITY: &str = "severity";

#[derive(Deserialize)]
struct Rules {
    data: Groups,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: String,
    query: String,
    /// How long the expression must have answers until it fires, in seconds.
    #[serde(default)]
    duration: f64,
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    alerts: Vec<Alarm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alarm {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    /// Since when the expression has answers.
    active_at: Timestamp,
}

/// By name.
pub type Labels = std::collections::BTreeMap<String, String>;

/// An alarm that fires, as Alertmanager tells it.
#[derive(Deserialize)]
pub struct Told {
    /// External ones included.
    pub labels: Labels,
    /// Since when it fires.
    #[serde(default, rename = "startsAt")]
    starts_at: Option<Timestamp>,
    /// Whether people are told.
    pub status: ToldStatus,
}

/// Why people are not told of an alarm.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldStatus {
    /// Ids of silences.
    #[serde(default)]
    pub silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
}

/// Names of all alert rules, and the labels of alarms that are pending.
pub fn rules_and_pending(client: &Client) -> Result<(Vec<String>, Vec<Labels>), CommandError> {
    let rules: Rules = client.ask("GET", RULES, LOOK_TIMEOUT)?;
    let (mut names, mut pending) = (Vec::new(), Vec::new());
    for rule in rules.data.groups.into_iter().flat_map(|group| group.rules) {
        names.push(rule.name);
        let waits = rule.alerts.into_iter().filter(|alarm| alarm.state == "pending");
        pending.extend(waits.map(|alarm| alarm.labels));
    }
    Ok((names, pending))
}

/// Shows what fires and what is about to.
pub fn alarms(arguments: &AlarmsArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    if let Some(receiver) = &arguments.receiver {
        let tried: Tried = client.ask("POST", &api::try_path(receiver), TRY_TIMEOUT)?;
        let (receiver, answer) = (harmless(&tried.receiver), harmless(&tried.answer));
        return Ok(writeln!(io::stdout(), "{receiver} took a test alarm: {answer}")?);
    }
    if arguments.json {
        let json: Value = client.ask("GET", RULES, LOOK_TIMEOUT)?;
        return Ok(writeln!(io::stdout(), "{json:#}")?);
    }
    let rules: Rules = client.ask("GET", RULES, LOOK_TIMEOUT)?;
    let told: Vec<Told> = client.ask("GET", TOLD, LOOK_TIMEOUT)?;
    let rules: Vec<Rule> = rules.data.groups.into_iter().flat_map(|group| group.rules).collect();
    let text = picture(&rules, &told, arguments.rules, Timestamp::now(), painter());
    io::stdout().write_all(text.as_bytes())?;
    match rules.iter().filter(|rule| rule.fails()).count() {
        0 => Ok(()),
        count => Err(CommandError::Blind { count }),
    }
}

impl Rule {
    /// Whether it cannot be evaluated, so that its alarms are of before.
    fn fails(&self) -> bool {
        self.health == "err"
    }

    fn is_quiet(&self) -> bool {
        self.alerts.is_empty() && !self.fails()
    }
}

/// An alarm as it is shown.
struct Row<'a> {
    alarm: &'a Alarm,
    standing: Standing,
    /// Since when it fires; or is pending, where it does not.
    since: Timestamp,
}

/// What people are told of an alarm; what needs a look comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Firing,
    Inhibited,
    Silenced,
    Pending,
    /// It was so when its rule could be evaluated last.
    Before,
}

impl Row<'_> {
    fn label(&self, name: &str) -> &str {
        self.alarm.labels.get(name).map(String::as_str).unwrap_or_default()
    }

    fn state(&self) -> Cell {
        match self.standing {
            Standing::Firing => Cell::coloured(Colour::Red, "firing"),
            Standing::Inhibited => Cell::coloured(Colour::Dim, "inhibited"),
            Standing::Silenced => Cell::coloured(Colour::Dim, "silenced"),
            Standing::Pending => Cell::coloured(Colour::Yellow, "pending"),
            Standing::Before => Cell::coloured(Colour::Yellow, format!("was {}", self.alarm.state)),
        }
    }

    fn labels(&self) -> String {
        let others =
            self.alarm.labels.iter().filter(|(name, _)| ![NAME, SEVERITY].contains(&name.as_str()));
        others.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    fn summary(&self) -> String {
        let annotations = &self.alarm.annotations;
        let text = annotations.get("summary").or_else(|| annotations.get("description"));
        text.cloned().unwrap_or_default()
    }
}

/// What is told carries the external labels besides.
fn told_of<'a>(alarm: &Alarm, told: &'a [Told]) -> Option<&'a Told> {
    let is_told = |told: &&Told| {
        alarm.labels.iter().all(|(name, value)| told.labels.get(name) == Some(value))
    };
    told.iter().find(is_told)
}

/// Since when it fires, as everybody else is told; or is pending.
fn since(rule: &Rule, alarm: &Alarm, told: Option<&Told>) -> Timestamp {
    if alarm.state != "firing" {
        return alarm.active_at;
    }
    // Of one that nobody is told of, the time from which it may fire is near enough.
    let held = || SignedDuration::try_from_secs_f64(rule.duration).unwrap_or_default();
    let fires = || alarm.active_at.checked_add(held()).unwrap_or(alarm.active_at);
    told.and_then(|told| told.starts_at).unwrap_or_else(fires)
}

fn standing(rule: &Rule, alarm: &Alarm, told: Option<&Told>) -> Standing {
    if rule.fails() {
        return Standing::Before;
    }
    if alarm.state != "firing" {
        return Standing::Pending;
    }
    match told.map(|told| &told.status) {
        Some(status) if !status.silenced_by.is_empty() => Standing::Silenced,
        Some(status) if !status.inhibited_by.is_empty() => Standing::Inhibited,
        _ => Standing::Firing,
    }
}

/// A headline, the alarms, what is wrong with rules, and perhaps those that are quiet.
fn picture(rules: &[Rule], told: &[Told], all: bool, now: Timestamp, painter: Painter) -> String {
    let alarms = rules.iter().flat_map(|rule| rule.alerts.iter().map(move |alarm| (rule, alarm)));
    let row = |(rule, alarm)| {
        let told = told_of(alarm, told);
        Row { alarm, standing: standing(rule, alarm, told), since: since(rule, alarm, told) }
    };
    let mut rows: Vec<Row<'_>> = alarms.map(row).collect();
    rows.sort_by_key(|row| (row.standing, severity_rank(row.label(SEVERITY)), row.since));
    let mut out = headline(rules, &rows, painter);
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(&rows, now).render(painter));
    }
    for (why, names) in failures(rules) {
        let words = format!("Cannot be evaluated: {}: {why}", names.join(", "));
        out.push_str(&format!("\n{}\n", painter.paint(Some(Colour::Red), &words)));
    }
    if all {
        let mut table = Table::default();
        let quiet = || rules.iter().filter(|rule| rule.is_quiet());
        table.column("QUIET", Align::Left, quiet().map(|rule| Cell::plain(rule.name.clone())));
        table.column(
            "FIRES IF",
            Align::Text,
            quiet().map(|rule| Cell::plain(on_one_line(&rule.query))),
        );
        out.push('\n');
        out.push_str(&table.render(painter));
    }
    out
}

/// How many there are of each kind.
fn headline(rules: &[Rule], rows: &[Row<'_>], painter: Painter) -> String {
    let count = |standing| rows.iter().filter(|row| row.standing == standing).count();
    let firing = count(Standing::Firing);
    let colour =
        if firing > 0 || rules.iter().any(Rule::fails) { Colour::Red } else { Colour::Green };
    let mut facts = format!("{firing} firing, {} pending", count(Standing::Pending));
    for (standing, word) in [(Standing::Silenced, "silenced"), (Standing::Inhibited, "inhibited")] {
        if count(standing) > 0 {
            facts.push_str(&format!(", {} {word}", count(standing)));
        }
    }
    let failing = rules.iter().filter(|rule| rule.fails()).count();
    if failing > 0 {
        facts.push_str(&format!(", {} cannot be evaluated", plural(failing, "rule")));
    }
    let quiet = rules.iter().filter(|rule| rule.is_quiet()).count();
    format!("{}, {} quiet\n", painter.paint(Some(colour), &facts), plural(quiet, "rule"))
}

/// Rules that cannot be evaluated, by the reason: one that is away fails many.
fn failures(rules: &[Rule]) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.fails()) {
        match reasons.iter_mut().find(|(why, _)| *why == rule.last_error) {
            Some((_, names)) => names.push(&rule.name),
            None => reasons.push((&rule.last_error, vec![&rule.name])),
        }
    }
    reasons
}

/// An expression of several lines on one.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table(rows: &[Row<'_>], now: Timestamp) -> Table {
    let age = |row: &Row<'_>| {
        let seconds = now.duration_since(row.since).as_secs_f64().max(0.0);
        Cell::plain(units::duration(seconds))
    };
    let mut table = Table::default();
    table.column("STATE", Align::Left, rows.iter().map(Row::state));
    table.column("FOR", Align::Right, rows.iter().map(age));
    if rows.iter().any(|row| !row.label(SEVERITY).is_empty()) {
        let cell = |row: &Row<'_>| Cell::plain(row.label(SEVERITY));
        table.column("SEVERITY", Align::Left, rows.iter().map(cell));
    }
    table.column("ALARM", Align::Left, rows.iter().map(|row| Cell::plain(row.label(NAME))));
    table.below(rows.iter().map(Row::summary));
    table.column("LABELS", Align::Text, rows.iter().map(|row| Cell::plain(row.labels())));
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Painter = Painter::PLAIN;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn alarms_are_shown_worst_first() {
        let rules: Rules = serde_json::from_value(json!({"status": "success", "data": {"groups": [
            {"name": "g", "rules": [
                {"name": "Slow", "query": "p99 > 1", "health": "ok", "duration": 30, "alerts": [
                    {"labels": {"alertname": "Slow", "service": "web"}, "annotations": {},
                     "state": "pending", "activeAt": "2026-01-01T00:09:00Z", "value": "2"}]},
                {"name": "Down", "query": "up == 0", "health": "ok", "duration": 60, "alerts": [
                    {"labels": {"alertname": "Down", "service": "web", "severity": "warning"},
                     "annotations": {"summary": "web-1 is down"},
                     "state": "firing", "activeAt": "2026-01-01T00:05:00Z", "value": "0"},
                    {"labels": {"alertname": "Down", "service": "db"}, "annotations": {},
                     "state": "firing", "activeAt": "2026-01-01T00:06:00Z", "value": "0"},
                    {"labels": {"alertname": "Down", "service": "api", "severity": "critical"},
                     "annotations": {"description": "api is down"},
                     "state": "firing", "activeAt": "2026-01-01T00:06:48Z", "value": "0"}]},
                {"name": "Quiet", "query": "y", "health": "ok", "alerts": []},
                {"name": "Wrong", "query": "x", "health": "err", "lastError": "no", "alerts": []},
                {"name": "Old", "query": "z", "health": "err", "lastError": "no", "alerts": [
                    {"labels": {"alertname": "Old"}, "annotations": {},
                     "state": "firing", "activeAt": "2026-01-01T00:01:00Z", "value": "0"}]},
                {"name": "Other", "query": "z", "health": "err", "lastError": "why", "alerts": []},
            ]},
        ]}}))
        .unwrap();
        let told: Vec<Told> = serde_json::from_value(json!([
            {"labels": {"alertname": "Down", "service": "db", "cluster": "eu"},
             "startsAt": "2026-01-01T00:07:05Z",
             "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": []}},
        ]))
        .unwrap();
        let rules: Vec<Rule> =
            rules.data.groups.into_iter().flat_map(|group| group.rules).collect();
        assert_eq!(
            picture(&rules, &told, true, at("2026-01-01T00:10:00Z"), PLAIN),
            "\
2 firing, 1 pending, 1 silenced, 3 rules cannot be evaluated, 1 rule quiet

STATE            FOR  SEVERITY  ALARM  LABELS
firing      2 m 12 s  critical  Down   service=api
                                api is down
firing       4 m 0 s  warning   Down   service=web
                                web-1 is down
silenced    2 m 55 s            Down   service=db
pending      1 m 0 s            Slow   service=web
was firing   9 m 0 s            Old

Cannot be evaluated: Wrong, Old: no

Cannot be evaluated: Other: why

QUIET  FIRES IF
Quiet  y
"
        );
        assert_eq!(
            picture(&[], &[], false, Timestamp::UNIX_EPOCH, PLAIN),
            "0 firing, 0 pending, 0 rules quiet\n"
        );
    }
}
