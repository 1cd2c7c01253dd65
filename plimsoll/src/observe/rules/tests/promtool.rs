//! The real `promtool`: what it makes of the same rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use tsdb::labels::Labels;
use tsdb::promql::{self, Limits, Memory, Value};

use crate::observe::rules::template::{self, Data};
use crate::observe::rules::{Group, RuleKind};

/// Series with their values, `START+STEPxCOUNT` or plain ones with spaces between.
pub(in crate::observe::rules) type Series<'a> = &'a [(&'a str, &'a str)];

/// One question to `promtool test rules`: which alarms fire after some time.
pub(in crate::observe::rules) struct Case<'a> {
    pub(in crate::observe::rules) series: Series<'a>,
    /// Minutes between two values, and between two evaluations.
    pub(in crate::observe::rules) interval: u32,
    /// Minutes.
    pub(in crate::observe::rules) at: u32,
    pub(in crate::observe::rules) alert: &'a str,
    /// Labels and annotations of what fires.
    pub(in crate::observe::rules) fires: Vec<(BTreeMap<String, String>, BTreeMap<String, String>)>,
}

/// Asks promtool, which evaluates so often (as in `1m`); panics with what it says if it sees it
/// otherwise.
pub(in crate::observe::rules) fn agree(rules: &str, every: &str, cases: &[Case<'_>]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    let mut test = format!(
        "rule_files: [{:?}]\nevaluation_interval: {every}\ntests:\n",
        file.display().to_string()
    );
    for case in cases {
        let _ = writeln!(test, "- interval: {}m", case.interval);
        test.push_str(
            "  external_labels: { region: eu }\n  external_url: 'http://plimsoll.example/x'\n",
        );
        test.push_str("  input_series:\n");
        for (series, values) in case.series {
            let _ = writeln!(test, "  - series: {}\n    values: '{values}'", quoted(series));
        }
        let _ = writeln!(
            test,
            "  alert_rule_test:\n  - eval_time: {}m\n    alertname: {}",
            case.at, case.alert
        );
        test.push_str("    exp_alerts:");
        test.push_str(if case.fires.is_empty() { " []\n" } else { "\n" });
        for (labels, annotations) in &case.fires {
            test.push_str("    - exp_labels: ");
            test.push_str(&mapping(labels));
            test.push_str("      exp_annotations: ");
            test.push_str(&mapping(annotations));
        }
    }
    let path = folder.path().join("test.yml");
    std::fs::write(&path, &test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Whether `promtool check rules` takes a file.
pub(in crate::observe::rules) fn takes(rules: &str) -> bool {
    check(rules, "--lint=none")
}

/// Whether it does and finds no two rules alike, either.
pub(in crate::observe::rules) fn takes_gladly(rules: &str) -> bool {
    check(rules, "--lint-fatal")
}

fn check(rules: &str, lint: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    let output =
        Command::new("promtool").args(["check", "rules", lint]).arg(&file).output().unwrap();
    output.status.success()
}

/// JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn mapping(map: &BTreeMap<String, String>) -> String {
    serde_json::to_string(map).unwrap() + "\n"
}

/// The samples that promtool makes of such series.
pub(in crate::observe::rules) fn memory(series: Series<'_>, interval: u32) -> Memory {
    let mut memory = Memory::new();
    for (text, values) in series {
        let query = promql::parse(text).unwrap();
        let pairs = query.matchers().unwrap().iter().map(|matcher| {
            let tsdb::source::Condition::Equal(value) = &matcher.condition else {
                panic!("{text}")
            };
            (matcher.name.clone(), value.clone())
        });
        let labels = Labels::from_pairs(pairs);
        for (place, value) in values.split_whitespace().flat_map(expanded).enumerate() {
            let time = place as i64 * i64::from(interval) * 60_000;
            if let Some(value) = value {
                memory.append(&labels, time, value);
            }
        }
    }
    memory
}

fn expanded(word: &str) -> Vec<Option<f64>> {
    if word == "_" {
        return vec![None];
    }
    if let Some(count) = word.strip_prefix("_x") {
        return vec![None; count.parse().unwrap()];
    }
    let Some((number, count)) = word.split_once('x') else {
        return vec![Some(word.parse().unwrap())];
    };
    let count: u32 = count.parse().unwrap();
    let sign = number[1..].find(['+', '-']).map(|at| at + 1);
    let (start, step) = sign.map_or((number, "0"), |at| number.split_at(at));
    let (start, step): (f64, f64) = (start.parse().unwrap(), step.parse().unwrap());
    (0..=count).map(|place| Some(start + step * f64::from(place))).collect()
}

/// What the expression answers at a time, seconds.
pub(in crate::observe::rules) fn ask(memory: &Memory, query: &str, at: i64) -> Vec<(Labels, f64)> {
    let query = promql::parse(query).unwrap();
    let outcome = promql::instant(&query, memory, at * 1000, &Limits::default()).unwrap();
    match outcome.value {
        Value::Vector(elements) => {
            elements.into_iter().map(|one| (one.labels, one.value)).collect()
        }
        Value::Scalar { value, .. } => vec![(Labels::empty(), value)],
        other => panic!("{other:?}"),
    }
}

/// What the alert of a name fires with at a time (minutes), `for` left aside: by our evaluator and
/// our templates.
pub(in crate::observe::rules) fn firing(
    groups: &[Group],
    alert: &str,
    memory: &Memory,
    at: u32,
) -> Vec<(BTreeMap<String, String>, BTreeMap<String, String>)> {
    let seconds = i64::from(at) * 60;
    let mut all = Vec::new();
    for rule in groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.name == alert) {
        let RuleKind::Alerting(alerting) = &rule.kind else { continue };
        for (labels, value) in ask(memory, rule.query.text(), seconds) {
            let mut named: BTreeMap<String, String> = labels
                .iter()
                .filter(|(name, _)| *name != "__name__")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let data = Data {
                labels: labels.clone(),
                value,
                external_labels: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
                external_url: "http://plimsoll.example/x".to_owned(),
                now: seconds * 1000,
            };
            let mut query = |text: &str| Ok(ask(memory, text, seconds));
            let mut expand = |text: &String| template::expand(text, &data, &mut query).unwrap();
            let annotations = alerting
                .annotations
                .iter()
                .map(|(name, text)| (name.clone(), expand(text)))
                .collect();
            for (name, text) in &rule.labels {
                named.insert(name.clone(), expand(text));
            }
            named.retain(|_, value| !value.is_empty());
            all.push((named, annotations));
        }
    }
    all
}

/// How many of the alerts `A0`, `A1`… have a text that promtool failed to expand.
pub(in crate::observe::rules) fn complaints(
    rules: &str,
    series: Series<'_>,
    count: usize,
) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    let mut test = format!(
        "rule_files: [{}]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n",
        quoted(&file.display().to_string())
    );
    for (series, values) in series {
        let _ = writeln!(test, "  - series: {}\n    values: '{values}'", quoted(series));
    }
    test.push_str("  alert_rule_test:\n");
    for place in 0..count {
        let _ = writeln!(test, "  - {{ eval_time: 5m, alertname: A{place}, exp_alerts: [] }}");
    }
    let path = folder.path().join("test.yml");
    std::fs::write(&path, &test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    said.matches("text=\"<error expanding template").count()
}
