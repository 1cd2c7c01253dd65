//! Alarms in short: those of one name are one entry, the worst first. An outage of many servers is one
//! line then, and hides nothing that is worse.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

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

/// What fires, and how many alarms more there are than are told. `active` has the oldest first.
pub fn in_short(active: &[Arc<Alert>]) -> (Vec<AlarmStatus>, u64) {
    let mut groups: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in active {
        groups.entry(label(alert, NAME)).or_default().push(alert);
    }
    let mut all: Vec<AlarmStatus> =
        groups.into_iter().filter_map(|(name, alerts)| status(name, &alerts)).collect();
    all.sort_by_key(|status| (severity_rank(&status.severity), status.since));
    let further = all.iter().skip(ALARMS_MAX).map(|status| status.count).sum();
    all.truncate(ALARMS_MAX);
    (all, further)
}

fn label<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.labels.get(name).unwrap_or_default()
}

fn status(name: &str, alerts: &[&Alert]) -> Option<AlarmStatus> {
    let oldest = alerts.first()?;
    let severities = alerts.iter().map(|alert| label(alert, SEVERITY));
    Some(AlarmStatus {
        name: name.to_owned(),
        count: alerts.len() as u64,
        severity: severities.min_by_key(|it| severity_rank(it)).unwrap_or_default().to_owned(),
        about: if alerts.len() > 1 { about(alerts) } else { Vec::new() },
        labels: pairs(oldest, |name| ![NAME, SEVERITY].contains(&name)),
        summary: oldest.annotations.get("summary").cloned().unwrap_or_default(),
        since: Timestamp::from_millisecond(oldest.starts_at).unwrap_or_default(),
    })
}

/// What the first of several alarms are about: the value of a label that tells all apart, or else
/// everything in which they differ.
fn about(alerts: &[&Alert]) -> Vec<String> {
    let values = |name: &str| {
        let mut values: Vec<&str> = alerts.iter().map(|alert| label(alert, name)).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let telling = TELLING.iter().find(|name| {
        let values = values(name);
        values.len() == alerts.len() && !values.contains(&"")
    });
    match telling {
        Some(name) => values(name).into_iter().take(NAMED_MAX).map(str::to_owned).collect(),
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
    use tsdb::labels::Labels;

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
        let (short, further) = in_short(&active);
        assert_eq!(further, 0);
        let told: Vec<_> = short.iter().map(|it| (it.name.as_str(), it.count, it.what())).collect();
        assert_eq!(
            told,
            [
                ("Down", 4, "web-1, web-2, web-3, …".to_owned()),
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
        let (short, _) = in_short(&[alert(1, &of("500")), alert(2, &of("502"))]);
        assert_eq!(short[0].what(), "code=500, code=502");
    }

    #[test]
    fn what_has_no_place_is_counted() {
        let name = |at: i64| format!("Alarm{at:02}");
        let few = ALARMS_MAX as i64;
        let mut active: Vec<_> =
            (0..few).map(|at| alert(at, &[("alertname", &name(at))])).collect();
        assert_eq!(in_short(&active).1, 0);
        let last = name(few);
        active.push(alert(few, &[("alertname", &last), ("server", "a")]));
        active.push(alert(few, &[("alertname", &last), ("server", "b")]));
        let (short, further) = in_short(&active);
        assert_eq!((short.len(), further), (ALARMS_MAX, 2));
    }
}
