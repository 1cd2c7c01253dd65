//! `plimsoll alarms`: what fires, and what is about to.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::units::{self, plural};
use crate::admin::{Tried, api};

use super::arguments::alarms::AlarmsArguments;
use super::client::{LOOK_TIMEOUT, TRY_TIMEOUT};
use super::commands::{CommandError, find, painter};
use super::table::{Align, Cell, Colour, Painter, Table, harmless};

/// Alert rules with their alarms, as Prometheus tells them.
const RULES: &str = "/prometheus/api/v1/rules?type=alert";
/// Alarms as Alertmanager tells them.
const TOLD: &str = "/alertmanager/api/v2/alerts";
/// The label that names the alarm.
pub const NAME: &str = "alertname";

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
    active_at: Timestamp,
}

type Labels = std::collections::BTreeMap<String, String>;

#[derive(Deserialize)]
struct Told {
    labels: Labels,
    status: ToldStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldStatus {
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
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
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A headline, the alarms, what is wrong with rules, and perhaps those that are quiet.
fn picture(rules: &[Rule], told: &[Told], all: bool, now: Timestamp, painter: Painter) -> String {
    let mut alarms: Vec<&Alarm> = rules.iter().flat_map(|rule| &rule.alerts).collect();
    alarms.sort_by_key(|alarm| (alarm.state != "firing", alarm.active_at));
    let firing = alarms.iter().filter(|alarm| alarm.state == "firing").count();
    let colour = if firing > 0 { Colour::Red } else { Colour::Green };
    let headline = format!("{firing} firing, {} pending", alarms.len() - firing);
    let quiet = rules.iter().filter(|rule| rule.alerts.is_empty()).count();
    let mut out =
        format!("{}, {} quiet\n", painter.paint(Some(colour), &headline), plural(quiet, "rule"));
    if !alarms.is_empty() {
        out.push('\n');
        out.push_str(&table(&alarms, told, now).render(painter));
    }
    for rule in rules.iter().filter(|rule| rule.health == "err") {
        let words = format!("{} cannot be evaluated: {}", rule.name, rule.last_error);
        out.push_str(&format!("\n{}\n", painter.paint(Some(Colour::Red), &words)));
    }
    if all {
        let mut table = Table::default();
        let quiet = || rules.iter().filter(|rule| rule.alerts.is_empty());
        table.column("QUIET", Align::Left, quiet().map(|rule| Cell::plain(rule.name.clone())));
        table.column(
            "FIRES IF",
            Align::Left,
            quiet().map(|rule| Cell::plain(on_one_line(&rule.query))),
        );
        out.push('\n');
        out.push_str(&table.render(painter));
    }
    out
}

/// An expression of several lines on one.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table(alarms: &[&Alarm], told: &[Told], now: Timestamp) -> Table {
    let state = |alarm: &&Alarm| {
        // What is told carries the external labels besides.
        let is_told = |told: &&Told| {
            alarm.labels.iter().all(|(name, value)| told.labels.get(name) == Some(value))
        };
        let of = told.iter().find(is_told);
        match of.map(|told| &told.status) {
            _ if alarm.state != "firing" => Cell::coloured(Colour::Yellow, alarm.state.clone()),
            Some(status) if !status.silenced_by.is_empty() => {
                Cell::coloured(Colour::Dim, "silenced")
            }
            Some(status) if !status.inhibited_by.is_empty() => {
                Cell::coloured(Colour::Dim, "inhibited")
            }
            _ => Cell::coloured(Colour::Red, "firing"),
        }
    };
    let since = |alarm: &&Alarm| {
        Cell::plain(units::age(now.duration_since(alarm.active_at).as_secs_f64().max(0.0)))
    };
    let name = |alarm: &&Alarm| Cell::plain(alarm.labels.get(NAME).cloned().unwrap_or_default());
    let labels = |alarm: &&Alarm| {
        let others = alarm.labels.iter().filter(|(name, _)| *name != NAME);
        Cell::plain(
            others.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "),
        )
    };
    let summary = |alarm: &&Alarm| {
        let annotations = &alarm.annotations;
        let text = annotations.get("summary").or_else(|| annotations.get("description"));
        Cell::plain(text.cloned().unwrap_or_default())
    };
    let mut table = Table::default();
    table.column("STATE", Align::Left, alarms.iter().map(state));
    table.column("SINCE", Align::Right, alarms.iter().map(since));
    table.column("ALARM", Align::Left, alarms.iter().map(name));
    table.column("LABELS", Align::Left, alarms.iter().map(labels));
    table.column("WHAT", Align::Left, alarms.iter().map(summary));
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Painter = Painter { colours: false };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn alarms_are_shown_worst_first() {
        let rules: Rules = serde_json::from_value(json!({"status": "success", "data": {"groups": [
            {"name": "g", "rules": [
                {"name": "Slow", "query": "p99 > 1", "health": "ok", "alerts": [
                    {"labels": {"alertname": "Slow", "service": "web"}, "annotations": {},
                     "state": "pending", "activeAt": "2026-01-01T00:09:00Z", "value": "2"}]},
                {"name": "Down", "query": "up == 0", "health": "ok", "alerts": [
                    {"labels": {"alertname": "Down", "service": "web"},
                     "annotations": {"summary": "web-1 is down"},
                     "state": "firing", "activeAt": "2026-01-01T00:05:00Z", "value": "0"},
                    {"labels": {"alertname": "Down", "service": "db"}, "annotations": {},
                     "state": "firing", "activeAt": "2026-01-01T00:06:00Z", "value": "0"}]},
                {"name": "Wrong", "query": "x", "health": "err", "lastError": "no", "alerts": []},
            ]},
        ]}}))
        .unwrap();
        let told: Vec<Told> = serde_json::from_value(json!([
            {"labels": {"alertname": "Down", "service": "db", "cluster": "eu"},
             "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": []}},
        ]))
        .unwrap();
        let rules: Vec<Rule> =
            rules.data.groups.into_iter().flat_map(|group| group.rules).collect();
        assert_eq!(
            picture(&rules, &told, true, at("2026-01-01T00:10:00Z"), PLAIN),
            "\
2 firing, 1 pending, 1 rule quiet

STATE     SINCE  ALARM  LABELS       WHAT
firing      5 m  Down   service=web  web-1 is down
silenced    4 m  Down   service=db   \n\
pending     1 m  Slow   service=web  \n
Wrong cannot be evaluated: no

QUIET  FIRES IF
Wrong  x
"
        );
        assert_eq!(
            picture(&[], &[], false, Timestamp::UNIX_EPOCH, PLAIN),
            "0 firing, 0 pending, 0 rules quiet\n"
        );
    }
}
