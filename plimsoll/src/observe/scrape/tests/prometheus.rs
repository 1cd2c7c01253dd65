//! The same page scraped by a real Prometheus and by us: the same series come out.
//!
//! Without `prometheus` installed the test says so and passes, unless `CI` or `PLIMSOLL_TEST_ENV` is
//! set.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tsdb::labels::Labels;
use tsdb::relabel::{Rule, RuleText};

use super::*;
use crate::testing::prometheus::{Prometheus, is_installed};

/// Labels that collide, escapes, numbers of every kind, samples with their own time, a duplicate.
const PAGE: &str = r#"# HELP requests_total Requests \\ and so on.
# TYPE requests_total counter
requests_total{code="200",instance="own",exported_instance="e"} 1027
requests_total{code="500",job="their"} 3
# TYPE latency histogram
latency_bucket{le="0.1"} 1
latency_bucket{le="+Inf"} 4
latency_sum 2.5
latency_count 4
# TYPE rpc summary
rpc{quantile="0.5"} 0.2
rpc_sum 9
rpc_count 7
escaped{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
empty{a="",b="x"} 1
ends{v="+Inf"} +Inf
ends{v="-Inf"} -Inf
dropped_series{n="1"} 1
renamed{n="1"} 5
twice 1
twice 2
tiny 1e-300
minus -0.5
"#;

const CONFIG: &str = "
scrape_configs:
- job_name: plain
  scrape_interval: 1s
  static_configs: [{targets: ['ADDRESS'], labels: {zone: a}}]
- job_name: honored
  scrape_interval: 1s
  honor_labels: true
  metrics_path: /other
  params: {x: ['1', '2']}
  static_configs: [{targets: ['ADDRESS']}]
  relabel_configs:
  - {source_labels: [__address__, __metrics_path__], separator: '', target_label: instance}
  - {target_label: __param_x, replacement: '3'}
  metric_relabel_configs:
  - {source_labels: [__name__], regex: 'dropped_.*', action: drop}
  - {source_labels: [n], regex: '(.*)', target_label: number, replacement: 'n${1}'}
  - {regex: n, action: labeldrop}
";

fn rule(text: RuleText) -> Rule {
    Rule::new(&text).unwrap()
}

/// What [`CONFIG`] says.
fn jobs(address: &str) -> Vec<ScrapeJob> {
    let some = |text: &str| Some(text.to_owned());
    let mut plain = job("plain", &[format!("http://{address}")]);
    plain.labels.insert("zone".to_owned(), "a".to_owned());
    let mut honored = job("honored", &[format!("http://{address}/other?x=1&x=2")]);
    honored.honor_labels = true;
    honored.relabel = vec![
        rule(RuleText {
            source_labels: vec!["__address__".to_owned(), "__metrics_path__".to_owned()],
            separator: some(""),
            target_label: some("instance"),
            ..RuleText::default()
        }),
        rule(RuleText {
            target_label: some("__param_x"),
            replacement: some("3"),
            ..RuleText::default()
        }),
    ];
    honored.metric_relabel = vec![
        rule(RuleText {
            source_labels: vec!["__name__".to_owned()],
            regex: some("dropped_.*"),
            action: some("drop"),
            ..RuleText::default()
        }),
        rule(RuleText {
            source_labels: vec!["n".to_owned()],
            regex: some("(.*)"),
            target_label: some("number"),
            replacement: some("n${1}"),
            ..RuleText::default()
        }),
        rule(RuleText { regex: some("n"), action: some("labeldrop"), ..RuleText::default() }),
    ];
    for job in [&mut plain, &mut honored] {
        (job.every, job.timeout) = (Duration::from_secs(1), Duration::from_secs(1));
    }
    vec![plain, honored]
}

/// Series of both jobs with their values.
async fn series(server: &Prometheus) -> BTreeSet<String> {
    let query = "GET /api/v1/query?query=%7Bjob%3D~%22plain%7Chonored%7Ctheir%22%7D";
    let (_, text) = server.ask(query).await;
    let answer: Json = serde_json::from_str(&text).unwrap();
    let series = answer["data"]["result"].as_array().unwrap().iter().map(|series| {
        let labels = series["metric"].as_object().unwrap().iter();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap()));
        let value: f64 = series["value"][1].as_str().unwrap().parse().unwrap();
        told(&Labels::from_pairs(labels), value)
    });
    series.collect()
}

/// Durations differ, and how many series are new is told once only.
fn told(labels: &Labels, value: f64) -> String {
    match labels.name() {
        "scrape_duration_seconds" | "scrape_series_added" => labels.to_string(),
        _ => format!("{labels} {value}"),
    }
}

#[tokio::test]
async fn series_are_those_that_a_real_prometheus_makes() {
    if !is_installed() {
        return;
    }
    let (theirs, ours) = (
        Peer::new(&[("/metrics", page(PAGE)), ("/other?x=3&x=2", page(PAGE))]),
        Peer::new(&[("/metrics", page(PAGE)), ("/other?x=3&x=2", page(PAGE))]),
    );
    let address = theirs.listen().await.to_string();
    let own_address = ours.listen().await.to_string();
    let server = Prometheus::start(&CONFIG.replace("ADDRESS", &address), "");
    let world = World::start(&observe(jobs(&own_address)), &services(&[]));
    // Each was asked twice at least, and a second scrape begins after the first one was stored.
    theirs.asked(6).await;
    ours.asked(6).await;
    let found: BTreeSet<String> = {
        let query = promql::parse(r#"{job=~"plain|honored|their"}"#).unwrap();
        let limits = promql::Limits::default();
        let outcome = promql::instant(&query, &**world.storage.store(), now(), &limits).unwrap();
        let Value::Vector(elements) = outcome.value else { panic!("no vector") };
        let ours = elements.iter().map(|element| told(&element.labels, element.value));
        ours.map(|line| line.replace(&own_address, &address)).collect()
    };
    world.scraper.stop().await;
    let expected = series(&server).await;
    let missing: Vec<_> = expected.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}\nsurplus {surplus:#?}");
    assert!(found.len() > 40, "{found:#?}");
}
