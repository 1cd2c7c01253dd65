//! The built-in alerts, as a rule file.
//!
//! They are about what every service has: servers, requests, the host, the databases, and Plimsoll
//! itself. An alert whose figures nobody delivers has no answers and so never fires; there is none
//! whose figures come neither from Plimsoll nor from the usual exporters.
//!
//! How urgent: `critical` wakes people, because requests fail or soon will; `warning` waits for the
//! morning. Each description ends with what to do first.
//!
//! Labels: figures of Plimsoll's instances have an `instance` label of their own, which scraping
//! renames to `exported_instance` where it adds one; templates take the one that is there. What
//! cannot be scraped is told of by `TargetDown`.

mod alerts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tsdb::promql::number;

use super::objectives;
use crate::config::model::Service;
use crate::config::problem::{ConfigError, nearest};

/// The name of the alerts that are made for services that promise a latency.
const LATENCY: &str = "ServiceLatencyAboveObjective";

/// An alert that is the same for all services.
struct Alert {
    name: &'static str,
    severity: &'static str,
    /// How long it must hold, as Prometheus writes it.
    hold: &'static str,
    expression: &'static str,
    summary: &'static str,
    description: &'static str,
}

/// Names of all built-in alerts, in the order of the text.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    alerts::GROUPS
        .iter()
        .flat_map(|(_, alerts)| alerts.iter().map(|alert| alert.name))
        .chain([LATENCY])
}

/// Refuses names of unwanted alerts that are none.
pub(super) fn refuse_unknown(without: &[String]) -> Vec<ConfigError> {
    let is_unknown = |name: &str| !names().any(|known| known == name);
    let unknown = without.iter().enumerate().filter(|(_, name)| is_unknown(name));
    unknown
        .map(|(place, name)| {
            let message = format!("there is no built-in alert `{name}`");
            let error = ConfigError::new(format!("observe.rules.without[{place}]"), message);
            match nearest(name, names()) {
                Some(near) => error.remedy(format!("did you mean `{near}`?")),
                None => error
                    .allowed(names().collect::<Vec<_>>().join(", "))
                    .remedy("remove it, or name one of those"),
            }
        })
        .collect()
}

/// The built-in alerts as a rule file, without those that are not wanted.
pub fn text(without: &[String], services: &BTreeMap<String, Arc<Service>>) -> String {
    let wanted = |name: &str| !without.iter().any(|unwanted| unwanted == name);
    let mut out = String::from("groups:\n");
    for (group, alerts) in alerts::GROUPS {
        let alerts: Vec<&Alert> = alerts.iter().filter(|alert| wanted(alert.name)).collect();
        if alerts.is_empty() {
            continue;
        }
        out.push_str(&format!("- name: {group}\n  rules:\n"));
        for alert in alerts {
            write(&mut out, alert);
        }
    }
    let promises: Vec<_> = services
        .iter()
        .filter_map(|(name, service)| Some((name, service.slo.as_ref()?.latency?)))
        .filter(|_| wanted(LATENCY))
        .collect();
    if !promises.is_empty() {
        out.push_str("- name: plimsoll latency\n  rules:\n");
    }
    for (service, latency) in promises {
        let slow = objectives::slow(service, latency, "5m");
        let _ = write!(
            out,
            "  - alert: {LATENCY}
    expr: |-
      {slow}
        / sum by (service) (rate(plimsoll_service_request_duration_seconds_count{{service=\"{service}\"}}[5m])) > {allowed}
    for: 10m
    labels:
      service: {service:?}
      severity: warning
    annotations:
      summary: 'Service {{{{ $labels.service }}}} is slower than it promises'
      description: |-
        For 10 minutes {{{{ $value | humanizePercentage }}}} of the requests to {{{{ $labels.service }}}} have taken longer than {below}; promised is that {promised}% take less. First: see whether one server is slower than the others (plimsoll_server_request_duration_seconds), then at the saturation of the host and the databases.
",
            allowed = number::plain(objectives::allowed(latency.quantile)),
            below = super::duration::show(latency.below),
            promised = objectives::percent(latency.quantile),
        );
    }
    // Without any group, an empty list.
    if out == "groups:\n" { "groups: []\n".to_owned() } else { out }
}

fn write(out: &mut String, alert: &Alert) {
    let Alert { name, severity, hold, expression, summary, description } = alert;
    let expression = expression.split('\n').map(str::trim).collect::<Vec<_>>().join("\n      ");
    let summary = summary.replace('\'', "''");
    // Writing to a text does not fail.
    let _ = write!(
        out,
        "  - alert: {name}
    expr: |-
      {expression}
    for: {hold}
    labels:
      severity: {severity}
    annotations:
      summary: '{summary}'
      description: |-
        {description}
"
    );
}
