//! Alarms in short: those of one name are one entry, the worst first. An outage of many servers is one
//! line then, and hides nothing that is worse.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tsdb::labels::Labels;

use crate::admin::status::{ALARMS_MAX, AlarmStatus, severity_rank};
use crate::observe::Alert;

/// The label that names an alarm.
const NAME: &str = "alertname";
/// The label that says how bad it is.
const SEVERITY: &str = "severity";
/// Labels that tell alarms of one name apart, the most telling first.
const TELLING: [&str; 7] =
    ["server", "instance", "service", "mountpoint", "device", "receiver", "job"];
/// Most of several alarms that are named.
const NAMED_MAX: usize = 3;

/// What fires, and how many alarms more there are than are told. `active` has the oldest first;
/// `unjudged` are the labels, external ones left out, of alarms whose rule cannot be evaluated now.
pub fn in_short(active: &[Arc<Alert>], unjudged: &[Labels]) -> (Vec<AlarmStatus>, u64) {
    let mut groups: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in active {
        groups.entry(label(alert, NAME)).or_default().push(alert);
    }
    let mut all: Vec<AlarmStatus> =
        groups.into_iter().filter_map(|(name, alerts)| status(name, &alerts, unjudged)).collect();
    all.sort_by_key(|status| (severity_rank(&status.severity), status.since));
    let further = all.iter().skip(ALARMS_MAX).map(|status| status.count).sum();
    all.truncate(ALARMS_MAX);
    (all, further)
}

fn label<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.labels.get(name).unwrap_or_default()
}

fn status(name: &str, alerts: &[&Alert], unjudged: &[Labels]) -> Option<AlarmStatus> {
    let oldest = alerts.first()?;
    // Of several that are as bad, this is the first.
    let worst = alerts.iter().min_by_key(|alert| severity_rank(label(alert, SEVERITY)))?;
    let summary = worst.annotations.get("summary").cloned().unwrap_or_default();
    let are_several = alerts.len() > 1;
    Some(AlarmStatus {
        name: name.to_owned(),
        count: alerts.len() as u64,
        severity: label(worst, SEVERITY).to_owned(),
        common: if are_several { common(alerts) } else { Vec::new() },
        about: if are_several { about(alerts, &summary) } else { Vec::new() },
        labels: pairs(worst, |name| ![NAME, SEVERITY].contains(&name)),
        summary,
        since: Timestamp::from_millisecond(oldest.starts_at).unwrap_or_default(),
        was_firing: alerts.iter().all(|alert| is_among(alert, unjudged)),
    })
}

/// Whether it is one of these, which lack the external labels.
fn is_among(alert: &Alert, all: &[Labels]) -> bool {
    all.iter().any(|one| one.iter().all(|(name, value)| alert.labels.get(name) == Some(value)))
}

/// The values that alarms have of a label, each once.
fn values<'a>(alerts: &[&'a Alert], name: &str) -> Vec<&'a str> {
    let mut values: Vec<&str> = alerts.iter().map(|alert| label(alert, name)).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Telling labels of which all have the same value.
fn common(alerts: &[&Alert]) -> Vec<String> {
    let pair = |name: &&str| match values(alerts, name)[..] {
        [value] if !value.is_empty() => Some(format!("{name}={value}")),
        _ => None,
    };
    TELLING.iter().filter_map(pair).collect()
}

/// What the first of several alarms are about: the value of a label that tells all apart, or else
/// everything in which they differ; nothing where a summary says what that is about.
fn about(alerts: &[&Alert], summary: &str) -> Vec<String> {
    let values = |name: &str| values(alerts, name);
    let telling = TELLING.iter().find(|name| {
        let values = values(name);
        values.len() == alerts.len() && !values.contains(&"")
    });
    match telling {
        Some(name) => values(name).into_iter().take(NAMED_MAX).map(str::to_owned).collect(),
        None if !summary.is_empty() => Vec::new(),
        None => {
            let named = alerts.iter().take(NAMED_MAX);
            named.map(|alert| pairs(alert, |name| values(name).len() > 1)).collect()
        }
    }
}

/// `service=web server=web-1`
fn pairs(alert: &Alert, is_shown: impl Fn(&str) -> bool) -> String {
    let shown = alert.labels.iter().filter(|(name, _)| is_shown(name));
    shown.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(at: i64, labels: &[(&str, &str)]) -> Arc<Alert> {
        Arc::new(Alert {
            labels: Labels::from_pairs(labels.iter().copied()),
            annotations: BTreeMap::from([("summary".to_owned(), format!("began at {at}"))]),
            starts_at: at,
            ends_at: None,
            generator_url: String::new(),
        })
    }

    #[test]
    fn alarms_of_one_name_are_one_and_the_worst_comes_first() {
        let mut active = vec![
            alert(1, &[("alertname", "Slow"), ("severity", "warning"), ("service", "web")]),
            alert(2, &[("alertname", "Odd"), ("severity", "strange")]),
        ];
        for (at, server) in ["web-4", "web-1", "web-3", "web-2"].into_iter().enumerate() {
            let labels = [
                ("alertname", "Down"),
                ("severity", "critical"),
                ("service", "web"),
                ("server", server),
            ];
            active.push(alert(3 + at as i64, &labels));
        }
        let (short, further) = in_short(&active, &[]);
        assert_eq!(further, 0);
        let told: Vec<_> = short.iter().map(|it| (it.name.as_str(), it.count, it.what())).collect();
        assert_eq!(
            told,
            [
                ("Down", 4, "service=web: web-1, web-2, web-3, …".to_owned()),
                ("Slow", 1, "began at 1".to_owned()),
                ("Odd", 1, "began at 2".to_owned()),
            ]
        );
        assert_eq!(short[0].since.as_millisecond(), 3);
        assert_eq!(
            (short[0].severity.as_str(), short[1].severity.as_str()),
            ("critical", "warning")
        );
        assert_eq!(short[1].labels, "service=web");
    }

    #[test]
    fn what_has_no_telling_label_is_told_by_what_differs() {
        let of = |code| [("alertname", "Errors"), ("service", "web"), ("code", code)];
        let mute = |at, code| {
            let alert = alert(at, &of(code));
            Arc::new(Alert { annotations: BTreeMap::new(), ..Alert::clone(&alert) })
        };
        let (short, _) = in_short(&[mute(1, "500"), mute(2, "502")], &[]);
        assert_eq!(short[0].what(), "service=web: code=500, code=502");
        // A sentence says more than labels that differ.
        let (short, _) = in_short(&[alert(1, &of("500")), alert(2, &of("502"))], &[]);
        assert_eq!(short[0].what(), "service=web: began at 1 – and 1 more");
    }

    #[test]
    fn of_several_the_worst_is_told_and_what_its_sentence_says_is_not_told_twice() {
        let burns =
            |severity| [("alertname", "Burns"), ("service", "at 2"), ("severity", severity)];
        let (short, _) =
            in_short(&[alert(1, &burns("warning")), alert(2, &burns("critical"))], &[]);
        assert_eq!(short[0].what(), "began at 2 – and 1 more");
        assert_eq!((short[0].severity.as_str(), short[0].since.as_millisecond()), ("critical", 1));
    }

    #[test]
    fn what_cannot_be_judged_is_not_said_to_fire() {
        let of = |server| [("alertname", "Down"), ("server", server), ("cluster", "eu")];
        let active = [alert(1, &of("a")), alert(2, &of("b"))];
        let own = |server| Labels::from_pairs([("alertname", "Down"), ("server", server)]);
        let was_firing = |unjudged: &[Labels]| in_short(&active, unjudged).0[0].was_firing;
        assert!(was_firing(&[own("b"), own("a")]));
        assert!(!was_firing(&[own("a"), own("c")]), "one of them is known to fire");
        assert!(!was_firing(&[]));
    }

    #[test]
    fn what_has_no_place_is_counted() {
        let name = |at: i64| format!("Alarm{at:02}");
        let few = ALARMS_MAX as i64;
        let mut active: Vec<_> =
            (0..few).map(|at| alert(at, &[("alertname", &name(at))])).collect();
        assert_eq!(in_short(&active, &[]).1, 0);
        let last = name(few);
        active.push(alert(few, &[("alertname", &last), ("server", "a")]));
        active.push(alert(few, &[("alertname", &last), ("server", "b")]));
        let (short, further) = in_short(&active, &[]);
        assert_eq!((short.len(), further), (ALARMS_MAX, 2));
    }
}
