//! Promises: what is recorded, when alarms come, and that the real promtool sees it alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::promql::Memory;

use super::promtool::{self, Case, Series};
use crate::config::model::observe::{LatencyObjective, Objective};
use crate::config::model::{Service, Source};
use crate::config::sample;
use crate::observe::rules::files::Read;
use crate::observe::rules::{Group, RuleKind, objectives};

const DAY: u64 = 86_400;

fn promising(slo: Objective) -> BTreeMap<String, Arc<Service>> {
    let mut service = sample::service("web", Source::Servers(Vec::new()), Duration::from_secs(1));
    service.slo = Some(slo);
    let quiet = sample::service("quiet", Source::Servers(Vec::new()), Duration::from_secs(1));
    BTreeMap::from([("quiet".to_owned(), Arc::new(quiet)), ("web".to_owned(), Arc::new(service))])
}

fn success(target: f64, window: u64) -> BTreeMap<String, Arc<Service>> {
    let window = Duration::from_secs(window);
    promising(Objective { success: Some(target), latency: None, window })
}

fn latency(milliseconds: u64) -> BTreeMap<String, Arc<Service>> {
    let below = Duration::from_millis(milliseconds);
    let latency = Some(LatencyObjective { quantile: 0.99, below });
    promising(Objective { success: None, latency, window: Duration::from_secs(30 * DAY) })
}

fn groups(text: &str) -> Vec<Group> {
    let mut read = Read::default();
    read.text("objectives", text, Duration::from_secs(15));
    assert!(read.errors.is_empty(), "{}\n{text}", super::super::RuleErrors::new(read.errors, 0));
    read.groups
}

/// Evaluates recording rules each minute, in order.
fn record(groups: &[Group], memory: &mut Memory, minutes: u32) {
    for minute in 0..=minutes {
        let seconds = i64::from(minute) * 60;
        for rule in groups.iter().flat_map(|group| &group.rules) {
            if !matches!(rule.kind, RuleKind::Recording) {
                continue;
            }
            for (labels, value) in promtool::ask(memory, rule.query.text(), seconds) {
                let name = [("__name__", rule.name.as_str())];
                let own = rule.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let labels = Labels::from_pairs(labels.iter().chain(own).chain(name));
                memory.append(&labels, seconds * 1000, value);
            }
        }
    }
}

/// What is recorded after some minutes, and whether promtool sees the same alarms.
fn trial(
    services: &BTreeMap<String, Arc<Service>>,
    series: Series<'_>,
    minutes: u32,
) -> (Memory, Vec<String>) {
    let text = objectives::text(services);
    let groups = groups(&text);
    let mut memory = promtool::memory(series, 1);
    record(&groups, &mut memory, minutes);
    let fires = promtool::firing(&groups, "ErrorBudgetBurns", &memory, minutes);
    let windows = fires.iter().map(|(labels, _)| labels["long_window"].clone()).collect();
    let case = Case { series, interval: 1, at: minutes, alert: "ErrorBudgetBurns", fires };
    promtool::agree(&text, &[case]);
    (memory, windows)
}

fn value(memory: &Memory, query: &str, minutes: u32) -> Option<f64> {
    promtool::ask(memory, query, i64::from(minutes) * 60).first().map(|(_, value)| *value)
}

#[test]
fn the_faster_the_budget_burns_the_sooner_people_are_told() {
    let services = success(0.999, 30 * DAY);
    for (series, expected) in [
        // 2 % of requests fail: twenty times too many.
        (
            &[
                (r#"plimsoll_service_requests_total{service="web",code="500"}"#, "0+20x90"),
                (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "0+980x90"),
            ],
            &["1h", "6h", "1d", "3d"][..],
        ),
        // 0.5 %: five times.
        (
            &[
                (r#"plimsoll_service_requests_total{service="web",code="500"}"#, "0+5x90"),
                (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "0+995x90"),
            ],
            &["1d", "3d"],
        ),
        // 0.05 %: half of what is allowed; and 404 is the client's fault.
        (
            &[
                (r#"plimsoll_service_requests_total{service="web",code="500"}"#, "0+1x90"),
                (r#"plimsoll_service_requests_total{service="web",code="404"}"#, "0+1999x90"),
            ],
            &[],
        ),
        // Failing requests of another service.
        (
            &[
                (r#"plimsoll_service_requests_total{service="quiet",code="500"}"#, "0+20x90"),
                (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "0+980x90"),
            ],
            &[],
        ),
        // No traffic, and failures long ago.
        (
            &[
                (r#"plimsoll_service_requests_total{service="web",code="500"}"#, "20x90"),
                (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "980x90"),
            ],
            &[],
        ),
    ] {
        let (_, fired) = trial(&services, series, 75);
        assert_eq!(fired, expected, "{series:?}");
    }
}

#[test]
fn one_failure_among_few_requests_wakes_nobody() {
    let groups = groups(&objectives::text(&success(0.999, 30 * DAY)));
    let few = (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "0x20 1x20 2x50");
    for (failures, wakes) in [("0x72 1x20", false), ("0x70 1 2x20", true)] {
        let failing = (r#"plimsoll_service_requests_total{service="web",code="500"}"#, failures);
        let mut memory = promtool::memory(&[few, failing], 1);
        record(&groups, &mut memory, 75);
        let fired = promtool::firing(&groups, "ErrorBudgetBurns", &memory, 75);
        // The windows that are longer than what is known take less.
        let hour = fired.iter().any(|(labels, _)| labels["long_window"] == "1h");
        assert_eq!(hour, wakes, "{failures}: {fired:?}");
    }
}

#[test]
fn the_budget_is_told_of() {
    let services = success(0.999, 30 * DAY);
    let series: Series<'_> = &[
        (r#"plimsoll_service_requests_total{service="web",code="500",method="GET"}"#, "0+1x90"),
        (r#"plimsoll_service_requests_total{service="web",code="200",method="GET"}"#, "0+1999x90"),
    ];
    let (memory, _) = trial(&services, series, 75);
    let near = |query: &str, expected: f64| {
        let found = value(&memory, query, 75).unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-9, "{query}: {found} is not {expected}");
    };
    near(r#"plimsoll_slo_objective_ratio{service="web",objective="success"}"#, 0.999);
    near("plimsoll_slo_window_seconds", 2_592_000.0);
    for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"] {
        near(&format!("plimsoll_slo_error_ratio{{window=\"{window}\"}}"), 0.0005);
    }
    near(r#"plimsoll_slo_burn_rate{window="1h"}"#, 0.5);
    near(r#"plimsoll_slo_error_budget_remaining_ratio"#, 0.5);
    near(r#"plimsoll_slo_requests_per_second{window="5m"}"#, 2000.0 / 60.0);
}

#[test]
fn without_traffic_there_is_no_ratio() {
    let series: Series<'_> =
        &[(r#"plimsoll_service_requests_total{service="web",code="200"}"#, "7x90")];
    let (memory, fired) = trial(&success(0.999, 30 * DAY), series, 75);
    assert!(fired.is_empty());
    assert_eq!(value(&memory, "plimsoll_slo_error_ratio", 75), None);
    assert_eq!(value(&memory, "plimsoll_slo_errors_per_second", 75), Some(0.0));
}

/// A minute without traffic counts for nothing: ratios are of requests, not of minutes.
#[test]
fn long_windows_weigh_requests_alike() {
    // For an hour no failure among 10 a minute, then for 30 minutes all of 100 a minute fail.
    let series: Series<'_> = &[
        (r#"plimsoll_service_requests_total{service="web",code="200"}"#, "0+10x60 600x60"),
        (r#"plimsoll_service_requests_total{service="web",code="500"}"#, "0x59 0+100x60"),
    ];
    let groups = groups(&objectives::text(&success(0.99, 30 * DAY)));
    let mut memory = promtool::memory(series, 1);
    record(&groups, &mut memory, 90);
    let ratio = value(&memory, r#"plimsoll_slo_error_ratio{window="2h"}"#, 90).unwrap();
    let exact = 3000.0 / 3600.0;
    assert!((ratio - exact).abs() < 0.03, "{ratio}, of which exactly {exact}");
}

const FAST: (&str, &str) =
    (r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.25"}"#, "0+900x90");
const SLOWER: (&str, &str) =
    (r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.5"}"#, "0+1000x90");
const COUNT: (&str, &str) =
    (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+1000x90");

#[test]
fn a_latency_between_two_bounds_is_interpolated() {
    // A tenth of requests takes between 250 and 500 ms; a fifth of those less than 300 ms.
    let (memory, fired) = trial(&latency(300), &[FAST, SLOWER, COUNT], 75);
    let found = value(&memory, r#"plimsoll_slo_error_ratio{window="1h"}"#, 75).unwrap();
    assert!((found - 0.08).abs() < 1e-9, "{found}");
    // Eight times too many.
    assert_eq!(fired, ["6h", "1d", "3d"]);
    let (_, fired) = trial(&latency(500), &[FAST, SLOWER, COUNT], 75);
    assert!(fired.is_empty());
}

#[test]
fn whole_seconds_are_found_in_both_spellings() {
    for le in ["1", "1.0"] {
        let bucket = format!(
            "plimsoll_service_request_duration_seconds_bucket{{service=\"web\",le=\"{le}\"}}"
        );
        let (memory, _) = trial(&latency(1000), &[(&bucket, "0+900x90"), COUNT], 75);
        let found = value(&memory, r#"plimsoll_slo_error_ratio{window="5m"}"#, 75).unwrap();
        assert!((found - 0.1).abs() < 1e-9, "{found}");
    }
}

#[test]
fn what_cannot_be_measured_exactly_is_said() {
    assert_eq!(objectives::warnings(&latency(250)), [""; 0]);
    assert_eq!(
        objectives::warnings(&latency(300)),
        [
            "service.web.slo.latency: 300ms lies between two bounds of the histogram, so the share of \
          slower requests is interpolated; it is exact at 250ms or 500ms"
        ]
    );
    assert!(objectives::warnings(&latency(20_000))[0].contains("ends at 10s"));
}

#[test]
fn windows_are_scaled_with_the_promise() {
    let windows = |days_as_seconds: u64| -> BTreeSet<String> {
        let text = objectives::text(&success(0.99, days_as_seconds));
        let groups = groups(&text);
        let rules = groups.iter().flat_map(|group| &group.rules);
        rules
            .filter(|rule| rule.name == "ErrorBudgetBurns")
            .map(|rule| format!("{}/{}", rule.labels["long_window"], rule.labels["short_window"]))
            .collect()
    };
    let set = |pairs: &[&str]| pairs.iter().map(|&pair| pair.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(windows(30 * DAY), set(&["1h/5m", "6h/30m", "1d/2h", "3d/6h"]));
    assert_eq!(windows(7 * DAY), set(&["14m/1m", "1h24m/7m", "5h36m/28m", "16h48m/1h24m"]));
    assert_eq!(windows(90 * DAY), set(&["3h/15m", "18h/1h30m", "3d/6h", "9d/18h"]));
    // The shortest promise, whose windows are as short as they may be.
    assert_eq!(windows(3600), set(&["5m/1m", "6m/1m"]));
    for window in [3600, DAY, 7 * DAY, 28 * DAY, 90 * DAY, 365 * DAY] {
        let text = objectives::text(&success(0.9999, window));
        let groups = groups(&text);
        assert!(promtool::takes(&text), "{text}");
        // Each series that a rule reads is one that a rule records.
        let recorded: BTreeSet<_> = groups
            .iter()
            .flat_map(|group| &group.rules)
            .filter_map(|rule| rule.labels.get("window"))
            .collect();
        for read in text.split("window=\"").skip(1) {
            let read = read.split('"').next().unwrap().to_owned();
            assert!(recorded.contains(&read), "{read} of {recorded:?}");
        }
    }
    assert_eq!(objectives::text(&BTreeMap::new()), "groups: []\n");
}
