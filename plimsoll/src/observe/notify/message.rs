//! A message as its receivers get it: Alertmanager's JSON (version 4), and words for people.
//!
//! Source: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config> and
//! Alertmanager's `template.Data`.

use std::collections::BTreeMap;

use serde::Serialize;
use tsdb::labels::Labels;

use super::plan::{Message, identity};
use crate::observe::Alert;

/// What Go writes for no time.
const NO_TIME: &str = "0001-01-01T00:00:00Z";
/// Alarms that a text for people spells out; the others are counted.
const SPELT_OUT_MAX: usize = 20;
/// Characters of a value in a text for people.
const VALUE_CHARACTERS_MAX: usize = 1000;

/// A message in Alertmanager's form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    receiver: &'a str,
    status: &'static str,
    alerts: Vec<DocumentAlert<'a>>,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentAlert<'a> {
    status: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

/// The JSON of a message.
pub(super) fn json(message: &Message, external_url: &str) -> Vec<u8> {
    let document = Document {
        receiver: &message.receiver,
        status: status(message),
        alerts: message.alerts.iter().map(|alert| document_alert(alert)).collect(),
        group_labels: message.group_labels.iter().collect(),
        common_labels: common(message.alerts.iter().map(|alert| alert.labels.iter().collect())),
        common_annotations: common(message.alerts.iter().map(|alert| pairs(&alert.annotations))),
        external_url,
        version: "4",
        group_key: &message.group_key,
        truncated_alerts: 0,
    };
    serde_json::to_vec(&document).unwrap_or_default()
}

fn document_alert(alert: &Alert) -> DocumentAlert<'_> {
    DocumentAlert {
        status: if alert.ends_at.is_none() { "firing" } else { "resolved" },
        labels: alert.labels.iter().collect(),
        annotations: &alert.annotations,
        starts_at: as_go_writes_it(alert.starts_at),
        ends_at: alert.ends_at.map_or_else(|| NO_TIME.to_owned(), as_go_writes_it),
        generator_url: &alert.generator_url,
        fingerprint: format!("{:016x}", identity::fingerprint(&alert.labels)),
    }
}

/// `firing` as long as any alarm fires.
pub(super) fn status(message: &Message) -> &'static str {
    if message.firing() > 0 { "firing" } else { "resolved" }
}

/// A time as Alertmanager's messages have it: without zeros at the end of a fraction.
fn as_go_writes_it(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap_or_default().to_string()
}

/// A time as Alertmanager's API has it, of milliseconds since 1970.
pub(super) fn rfc3339(at: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    format!("{time:.3}")
}

fn pairs(of: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    of.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Pairs that all have.
fn common<'a>(
    mut all: impl Iterator<Item = BTreeMap<&'a str, &'a str>>,
) -> BTreeMap<&'a str, &'a str> {
    let mut common = all.next().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
}

/// One line that says it all: `[FIRING:2] HighErrorRate web (page)`.
pub(super) fn title(message: &Message) -> String {
    let status = match message.firing() {
        0 => "[RESOLVED]".to_owned(),
        firing => format!("[FIRING:{firing}]"),
    };
    let group: Vec<&str> = match message.group_labels.is_empty() {
        // Nothing is common but that they fire.
        true => vec!["alarms"],
        false => message.group_labels.iter().map(|(_, value)| value).collect(),
    };
    let shared = common(message.alerts.iter().map(|alert| alert.labels.iter().collect()));
    let others: Vec<&str> = shared
        .iter()
        .filter(|(name, _)| message.group_labels.get(name).is_none())
        .map(|(_, value)| *value)
        .collect();
    let mut title = format!("{status} {}", group.join(" "));
    if !others.is_empty() {
        title.push_str(&format!(" ({})", others.join(" ")));
    }
    on_one_line(&title)
}

/// A part of the message for people.
pub(super) struct Paragraph {
    /// Of one alarm: what it is.
    pub(super) title: String,
    /// Whether it fires.
    pub(super) fires: bool,
    /// What its annotations say: name and text.
    pub(super) annotations: Vec<(String, String)>,
    /// Its labels, those of the group left out.
    pub(super) labels: String,
    /// Since when, and until when.
    pub(super) times: String,
    /// A link to its expression; may be empty.
    pub(super) link: String,
}

/// The alarms in words, those that fire first, and how many are left out.
pub(super) fn paragraphs(message: &Message) -> (Vec<Paragraph>, usize) {
    let (firing, over): (Vec<_>, Vec<_>) =
        message.alerts.iter().partition(|alert| alert.ends_at.is_none());
    let all: Vec<Paragraph> = firing
        .into_iter()
        .chain(over)
        .take(SPELT_OUT_MAX)
        .map(|alert| paragraph(alert, &message.group_labels))
        .collect();
    let left_out = message.alerts.len() - all.len();
    (all, left_out)
}

fn paragraph(alert: &Alert, group: &Labels) -> Paragraph {
    let text = |name: &str| alert.annotations.get(name).map(|text| shortened(text));
    let name = alert.labels.get("alertname").unwrap_or("alarm");
    let title = text("summary").unwrap_or_else(|| shortened(name));
    let annotations = alert
        .annotations
        .iter()
        .filter(|(name, _)| *name != "summary")
        .map(|(name, text)| (name.clone(), shortened(text)))
        .collect();
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| group.get(name).is_none())
        .map(|(name, value)| format!("{name}={}", shortened(value)))
        .collect();
    let times = match alert.ends_at {
        None => format!("since {}", for_people(alert.starts_at)),
        Some(ended) => format!("{} to {}", for_people(alert.starts_at), for_people(ended)),
    };
    Paragraph {
        title: on_one_line(&title),
        fires: alert.ends_at.is_none(),
        annotations,
        labels: labels.join(", "),
        times,
        link: alert.generator_url.clone(),
    }
}

/// `2026-01-02 03:04:05 UTC`.
fn for_people(at: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Without what breaks lines or terminals.
pub(super) fn on_one_line(text: &str) -> String {
    let cleaned: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    cleaned.trim().to_owned()
}

fn shortened(text: &str) -> String {
    limited(text, VALUE_CHARACTERS_MAX)
}

/// At most `characters` of a text; one that is cut says so by its end.
pub(super) fn limited(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_alertmanager_writes_them() {
        for (at, message, interface) in [
            (1_767_323_045_000, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            (1_767_323_045_670, "2026-01-02T03:04:05.67Z", "2026-01-02T03:04:05.670Z"),
            (1_767_323_045_678, "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ] {
            assert_eq!((as_go_writes_it(at), rfc3339(at)), (message.into(), interface.into()));
        }
    }
}
