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
use crate::observe::rules::{Group, RuleKind, built_in, objectives};

const DAY: u64 = 86_400;

fn promising(slo: Objective) -> BTreeMap<String, Arc<Service>> {
    let mut service = sample::service("web", Source::Servers(Vec::new()), Duration::from_secs(1));
    service.slo = Some(slo);
    let quiet = sample::service("quiet", Source::Servers(Vec::new()), Duration::from_secs(1));
    BTreeMap::from([("quiet".to_owned(), Arc::new(quiet)), ("web".to_owned(), Arc::new(service))])
}

/// Two services, with all that can be promised.
fn promising_twice(window: u64) -> BTreeMap<String, Arc<Service>> {
    let latency = Some(LatencyObjective { quantile: 0.99, below: Duration::from_millis(300) });
    let window = Duration::from_secs(window);
    let mut services = promising(Objective { success: Some(0.9999), latency, window });
    let mut other = Service::clone(&services["web"]);
    other.name = "other".to_owned();
    services.insert(other.name.clone(), Arc::new(other));
    services
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

/// Evaluates recording rules in order: each group as often as it says, or all every 15 s.
fn record(groups: &[Group], memory: &mut Memory, minutes: u32, often: Often) {
    for seconds in (0..=i64::from(minutes) * 60).step_by(15) {
        let is_due = |group: &&Group| match often {
            Often::AsSaid => (seconds as u64).is_multiple_of(group.interval.as_secs()),
            Often::AsPromtool => true,
        };
        for rule in groups.iter().filter(is_due).flat_map(|group| &group.rules) {
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

#[derive(Clone, Copy)]
enum Often {
    AsSaid,
    /// Whose tests evaluate every group alike.
    AsPromtool,
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
    record(&groups, &mut memory, minutes, Often::AsPromtool);
    let fires = promtool::firing(&groups, "ErrorBudgetBurns", &memory, minutes);
    let windows = fires.iter().map(|(labels, _)| labels["long_window"].clone()).collect();
    let case = Case { series, interval: 1, at: minutes, alert: "ErrorBudgetBurns", fires };
    promtool::agree(&text, "15s", &[case]);
    (memory, windows)
}

fn value(memory: &Memory, query: &str, minutes: u32) -> Option<f64> {
    promtool::ask(memory, query, i64::from(minutes) * 60).first().map(|(_, value)| *value)
}

const ERRORS: &str = r#"plimsoll_service_errors_total{service="web"}"#;
const COUNT: &str = r#"plimsoll_service_request_duration_seconds_count{service="web"}"#;

#[test]
fn the_faster_the_budget_burns_the_sooner_people_are_told() {
    let services = success(0.999, 30 * DAY);
    for (series, expected) in [
        // 2 % of requests fail: twenty times too many.
        (&[(ERRORS, "0+20x90"), (COUNT, "0+1000x90")][..], &["1h", "6h", "1d", "3d"][..]),
        // 0.5 %: five times.
        (&[(ERRORS, "0+5x90"), (COUNT, "0+1000x90")], &["1d", "3d"]),
        // 0.05 %: half of what is allowed.
        (&[(ERRORS, "0+1x90"), (COUNT, "0+2000x90")], &[]),
        // Failing requests of another service.
        (
            &[
                (r#"plimsoll_service_errors_total{service="quiet"}"#, "0+20x90"),
                (ERRORS, "0x90"),
                (COUNT, "0+980x90"),
            ],
            &[],
        ),
        // No traffic, and failures long ago.
        (&[(ERRORS, "20x90"), (COUNT, "1000x90")], &[]),
    ] {
        let (_, fired) = trial(&services, series, 75);
        assert_eq!(fired, expected, "{series:?}");
    }
}

/// However little is known: no alarm of any window.
#[test]
fn one_failure_among_few_requests_wakes_nobody() {
    let text = objectives::text(&success(0.999, 30 * DAY));
    let groups = groups(&text);
    let wakes = |requests: &str, failures: &str, minutes: u32| {
        let mut memory = promtool::memory(&[(COUNT, requests), (ERRORS, failures)], 1);
        record(&groups, &mut memory, minutes, Often::AsSaid);
        !promtool::firing(&groups, "ErrorBudgetBurns", &memory, minutes).is_empty()
    };
    // In the first minutes, and after some hours.
    for minutes in 1..12 {
        assert!(!wakes("0 1x20", "0 1x20", minutes), "after {minutes} minutes");
        assert!(!wakes("0x2 3x20", "0x2 1x20", minutes), "after {minutes} minutes");
    }
    for minutes in [81, 85, 90] {
        assert!(!wakes("0x40 5x38 6x40", "0x79 1x40", minutes), "after {minutes} minutes");
    }
    assert!(wakes("0 2x20", "0 2x20", 6));
    assert!(wakes("0x40 5x38 7x40", "0x77 1 2x40", 85));
    // Many at once need not wait.
    assert!(wakes("0 100x20", "0 50x20", 2));
}

#[test]
fn the_budget_is_told_of() {
    let services = success(0.999, 30 * DAY);
    let series: Series<'_> = &[(ERRORS, "0+1x90"), (COUNT, "0+2000x90")];
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
    let series: Series<'_> = &[(ERRORS, "0x90"), (COUNT, "7x90")];
    let (memory, fired) = trial(&success(0.999, 30 * DAY), series, 75);
    assert!(fired.is_empty());
    assert_eq!(value(&memory, "plimsoll_slo_error_ratio", 75), None);
    assert_eq!(value(&memory, "plimsoll_slo_errors_per_second", 75), Some(0.0));
}

/// A minute without traffic counts for nothing: ratios are of requests, not of minutes.
#[test]
fn long_windows_weigh_requests_alike() {
    // For an hour no failure among 10 a minute, then for 30 minutes all of 100 a minute fail.
    let series: Series<'_> = &[(COUNT, "0+10x59 600+100x60"), (ERRORS, "0x59 0+100x60")];
    let groups = groups(&objectives::text(&success(0.99, 30 * DAY)));
    let mut memory = promtool::memory(series, 1);
    record(&groups, &mut memory, 90, Often::AsSaid);
    let ratio = value(&memory, r#"plimsoll_slo_error_ratio{window="2h"}"#, 90).unwrap();
    let exact = 3000.0 / 3600.0;
    assert!((ratio - exact).abs() < 0.03, "{ratio}, of which exactly {exact}");
}

/// A bucket of the histogram.
fn up_to(le: &str) -> String {
    format!("plimsoll_service_request_duration_seconds_bucket{{service=\"web\",le=\"{le}\"}}")
}

#[test]
fn a_latency_is_measured_where_it_lies() {
    // Nine in ten take up to 250 ms, all but one in fifty up to 300 ms.
    let (low, promised, high) = (up_to("0.25"), up_to("0.3"), up_to("0.5"));
    let series: Series<'_> =
        &[(&low, "0+900x90"), (&promised, "0+980x90"), (&high, "0+1000x90"), (COUNT, "0+1000x90")];
    for (milliseconds, ratio, expected) in
        [(250, 0.1, &["6h", "1d", "3d"][..]), (300, 0.02, &["3d"]), (500, 0.0, &[])]
    {
        let (memory, fired) = trial(&latency(milliseconds), series, 75);
        let found = value(&memory, r#"plimsoll_slo_error_ratio{window="1h"}"#, 75).unwrap();
        assert!((found - ratio).abs() < 1e-9, "{milliseconds} ms: {found}");
        assert_eq!(fired, expected, "{milliseconds} ms");
    }
}

/// Of the time before it was promised, how many requests kept it is not known.
#[test]
fn another_promise_is_measured_from_then_on() {
    let bucket = up_to("0.3");
    let series: Series<'_> = &[(&bucket, "_x40 12345+999x90"), (COUNT, "0+1000x150")];
    let (memory, fired) = trial(&latency(300), series, 75);
    assert!(fired.is_empty(), "{fired:?}");
    for window in ["5m", "1h", "3d"] {
        let query = format!("plimsoll_slo_error_ratio{{window=\"{window}\"}}");
        let found = value(&memory, &query, 75).unwrap();
        assert!((found - 0.001).abs() < 1e-9, "{window}: {found}");
    }
    for (minutes, known) in [(43, false), (44, true)] {
        let query = r#"plimsoll_slo_error_ratio{window="5m"}"#;
        assert_eq!(value(&memory, query, minutes).is_some(), known, "{minutes}");
    }
}

#[test]
fn whole_seconds_are_found_in_both_spellings() {
    for (milliseconds, spellings) in [(1000, ["1", "1.0"]), (30_000, ["30", "30.0"])] {
        for le in spellings {
            let series: Series<'_> = &[(&up_to(le), "0+900x90"), (COUNT, "0+1000x90")];
            let (memory, _) = trial(&latency(milliseconds), series, 75);
            let found = value(&memory, r#"plimsoll_slo_error_ratio{window="5m"}"#, 75).unwrap();
            assert!((found - 0.1).abs() < 1e-9, "{found}");
        }
    }
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
    for window in [3600, 6 * 3600, DAY, 7 * DAY, 28 * DAY, 30 * DAY, 90 * DAY, 365 * DAY] {
        let services = promising_twice(window);
        let text = objectives::text(&services);
        let groups = groups(&text);
        assert!(promtool::takes_gladly(&text), "{text}");
        assert!(promtool::takes_gladly(&built_in::text(&[], &services)));
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
