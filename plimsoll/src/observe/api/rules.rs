//! Rules, alarms, and where alarms are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tsdb::source::Matcher;

use super::App;
use super::answer::{self, LabelsObject, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use super::targets::time;
use crate::observe::query::matchers;
use crate::observe::views::{AlertView, AlertingView, GroupView, RuleHealth, RuleView};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Groups<'a> {
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    name: &'a str,
    file: &'a str,
    rules: Vec<Rule<'a>>,
    interval: f64,
    limit: usize,
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Rule<'a> {
    Alerting(Alerting<'a>),
    Recording(Recording<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alerting<'a> {
    state: &'static str,
    name: &'a str,
    query: &'a str,
    duration: f64,
    keep_firing_for: f64,
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    alerts: Vec<Alert<'a>>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    evaluation_time: f64,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recording<'a> {
    name: &'a str,
    query: &'a str,
    labels: &'a BTreeMap<String, String>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    evaluation_time: f64,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    labels: LabelsObject<'a>,
    annotations: &'a BTreeMap<String, String>,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

/// Which rules are wanted.
struct Choice<'a> {
    alerting: bool,
    recording: bool,
    names: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
    files: BTreeSet<&'a str>,
    /// Sets of matchers, of which the labels that a rule sets must fulfil one.
    labels: Vec<Vec<Matcher>>,
    without_alerts: bool,
    page: Page<'a>,
}

/// Which part of the groups is wanted.
struct Page<'a> {
    /// Most groups, at least one; `None` is all.
    most: Option<usize>,
    /// The first of them, as the page before named it; empty is the first of all.
    from: &'a str,
}

impl<'a> Page<'a> {
    fn of(parameters: &'a Parameters) -> Result<Self, Failure> {
        const MOST: &str = "group_limit";
        let (most, from) = (parameters.first(MOST), parameters.first(NEXT));
        if most.is_empty() {
            return match from {
                "" => Ok(Self { most: None, from }),
                _ => Err(Failure::parameter(
                    NEXT,
                    "group_limit needs to be present in order to paginate over the groups",
                )),
            };
        }
        let number: i64 = most.parse().map_err(|_| {
            let words = format!(
                "group_limit needs to be a valid number: strconv.ParseInt: parsing {most:?}: \
                 invalid syntax"
            );
            Failure::parameter(MOST, words)
        })?;
        match usize::try_from(number) {
            Ok(most @ 1..) => Ok(Self { most: Some(most), from }),
            _ => Err(Failure::parameter(MOST, "group_limit needs to be greater than 0")),
        }
    }

    /// The part of all groups, and what names the group after it.
    fn cut(&self, mut groups: Vec<Group<'a>>) -> Result<Groups<'a>, Failure> {
        if !self.from.is_empty() {
            let first = groups.iter().position(|group| token(group) == self.from);
            let Some(first) = first else {
                let words =
                    format!("invalid group_next_token '{}'. were rule groups changed?", self.from);
                return Err(Failure::parameter(NEXT, words));
            };
            groups.drain(..first);
        }
        let most = self.most.unwrap_or(usize::MAX);
        let group_next_token = groups.get(most).map(token);
        groups.truncate(most);
        Ok(Groups { groups, group_next_token })
    }
}

/// The parameter that says where a page begins.
const NEXT: &str = "group_next_token";

/// What names a group to clients that page.
fn token(group: &Group<'_>) -> String {
    // The hasher's keys are fixed.
    let mut hasher = DefaultHasher::new();
    (group.file, group.name).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl<'a> Choice<'a> {
    fn of(parameters: &'a Parameters) -> Result<Self, Failure> {
        let kind = parameters.first("type");
        let (alerting, recording) = match &*kind.to_lowercase() {
            "" => (true, true),
            "alert" => (true, false),
            "record" => (false, true),
            other => {
                let words = format!("not supported value {other:?}");
                return Err(Failure::parameter("type", words));
            }
        };
        let without_alerts = match parameters.first("exclude_alerts") {
            "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => false,
            "1" | "t" | "T" | "true" | "True" | "TRUE" => true,
            other => {
                let words = format!(
                    "error converting exclude_alerts: strconv.ParseBool: parsing {other:?}: invalid \
                     syntax"
                );
                return Err(Failure::parameter("exclude_alerts", words));
            }
        };
        let selectors = parameters.all("match[]").map(|selector| {
            let refused = |error| Failure::of_evaluation("match[]", selector, &error);
            matchers(selector).map_err(refused)
        });
        let labels = selectors.collect::<Result<_, _>>()?;
        Ok(Self {
            alerting,
            recording,
            names: parameters.all("rule_name[]").collect(),
            groups: parameters.all("rule_group[]").collect(),
            files: parameters.all("file[]").collect(),
            labels,
            without_alerts,
            page: Page::of(parameters)?,
        })
    }

    fn has_group(&self, group: &GroupView) -> bool {
        (self.groups.is_empty() || self.groups.contains(&*group.name))
            && (self.files.is_empty() || self.files.contains(&*group.file))
    }

    fn has_rule(&self, rule: &RuleView) -> bool {
        let wanted = if rule.alerting.is_some() { self.alerting } else { self.recording };
        let text = |name: &str| rule.labels.get(name).map_or("", |value| value);
        let fits = |set: &Vec<Matcher>| set.iter().all(|one| one.accepts(text(&one.name)));
        wanted
            && (self.names.is_empty() || self.names.contains(&*rule.name))
            && (self.labels.is_empty() || self.labels.iter().any(fits))
    }
}

/// `/api/v1/rules`
pub(super) async fn rules(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    answer::beside(move || page(wanted, &parameters, &(shared.parts.groups)())).await
}

fn page(wanted: Wanted, parameters: &Parameters, all: &[GroupView]) -> Result<Response, Failure> {
    let choice = Choice::of(parameters)?;
    let groups = all
        .iter()
        .filter(|group| choice.has_group(group))
        .map(|group| {
            let rules = group.rules.iter().filter(|rule| choice.has_rule(rule));
            Group {
                name: &group.name,
                file: &group.file,
                rules: rules.map(|rule| of_rule(rule, choice.without_alerts)).collect(),
                interval: group.interval.as_secs_f64(),
                limit: group.limit,
                evaluation_time: group.took.as_secs_f64(),
                last_evaluation: time(group.evaluated_at),
            }
        })
        // One that has none of the wanted rules is not told of.
        .filter(|group| !group.rules.is_empty())
        .collect();
    Ok(answer::of(wanted, choice.page.cut(groups)?))
}

fn of_rule(rule: &RuleView, without_alerts: bool) -> Rule<'_> {
    let (health, last_error) = match &rule.health {
        RuleHealth::Unknown => ("unknown", None),
        RuleHealth::Ok => ("ok", None),
        RuleHealth::Failed(words) => ("err", Some(&**words)),
    };
    let (name, query, labels) = (&*rule.name, &*rule.query, &rule.labels);
    let (evaluation_time, last_evaluation) = (rule.took.as_secs_f64(), time(rule.evaluated_at));
    let Some(alerting) = &rule.alerting else {
        let r#type = "recording";
        return Rule::Recording(Recording {
            name,
            query,
            labels,
            health,
            last_error,
            evaluation_time,
            last_evaluation,
            r#type,
        });
    };
    let alerts = alerting.alerts.iter().filter(|_| !without_alerts).map(of_alert);
    Rule::Alerting(Alerting {
        state: state(rule, alerting),
        name,
        query,
        duration: alerting.hold.as_secs_f64(),
        keep_firing_for: alerting.keep_firing.as_secs_f64(),
        labels,
        annotations: &alerting.annotations,
        alerts: alerts.collect(),
        health,
        last_error,
        evaluation_time,
        last_evaluation,
        r#type: "alerting",
    })
}

/// That of its worst alarm; `unknown` while it was never evaluated.
fn state(rule: &RuleView, alerting: &AlertingView) -> &'static str {
    if alerting.alerts.iter().any(|alert| alert.firing) {
        "firing"
    } else if !alerting.alerts.is_empty() {
        "pending"
    } else if rule.evaluated_at.is_none() {
        "unknown"
    } else {
        "inactive"
    }
}

fn of_alert(alert: &AlertView) -> Alert<'_> {
    Alert {
        labels: LabelsObject(&alert.labels),
        annotations: &alert.annotations,
        state: if alert.firing { "firing" } else { "pending" },
        active_at: time(Some(alert.active_at)),
        keep_firing_since: alert.keep_firing_since.map(|at| time(Some(at))),
        value: scientific(alert.value),
    }
}

/// With an exponent always, as Go's `FormatFloat(value, 'e', -1, 64)`.
fn scientific(value: f64) -> String {
    if !value.is_finite() {
        return tsdb::promql::number::plain(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

/// `/api/v1/alerts`
pub(super) async fn alerts(State(shared): App, wanted: Wanted) -> Result<Response, Failure> {
    #[derive(Serialize)]
    struct Alerts<'a> {
        alerts: Vec<Alert<'a>>,
    }
    answer::beside(move || {
        let groups = (shared.parts.groups)();
        let rules = groups.iter().flat_map(|group| &group.rules);
        let alerts = rules.filter_map(|rule| rule.alerting.as_ref()).flat_map(|rule| &rule.alerts);
        Ok(answer::of(wanted, Alerts { alerts: alerts.map(of_alert).collect() }))
    })
    .await
}

/// `/api/v1/alertmanagers`
pub(super) async fn alertmanagers(State(shared): App, wanted: Wanted) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Alertmanagers {
        active_alertmanagers: Vec<At>,
        dropped_alertmanagers: [(); 0],
    }
    #[derive(Serialize)]
    struct At {
        url: String,
    }
    let settings = (shared.parts.settings)();
    let active = settings.notify.alertmanagers.iter();
    let active_alertmanagers = active
        .map(|endpoint| At { url: format!("{}/api/v2/alerts", endpoint.url.trim_end_matches('/')) })
        .collect();
    answer::of(wanted, Alertmanagers { active_alertmanagers, dropped_alertmanagers: [] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_alarms_have_an_exponent() {
        for (value, expected) in [
            (1.0, "1e+00"),
            (0.0, "0e+00"),
            (-12.5, "-1.25e+01"),
            (0.001, "1e-03"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(scientific(value), expected);
        }
    }
}
