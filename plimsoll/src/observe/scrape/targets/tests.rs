use tsdb::relabel::RuleText;

use super::super::span;
use super::listed::listed;
use super::*;
use crate::config::model::observe::{DataDirectory, InstanceMetrics, ScrapeJob};

fn limits() -> ScrapeLimits {
    ScrapeLimits {
        body_bytes: 1 << 20,
        samples: 100,
        labels: 20,
        label_name_bytes: 50,
        label_value_bytes: 100,
    }
}

fn rule(source: &str, regex: &str, target: &str, replacement: &str) -> Rule {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Rule::new(&RuleText {
        source_labels: some(source).into_iter().collect(),
        regex: some(regex),
        target_label: some(target),
        replacement: Some(replacement.to_owned()),
        ..RuleText::default()
    })
    .unwrap()
}

fn drops(source: &str, regex: &str) -> Rule {
    Rule::new(&RuleText {
        source_labels: vec![source.to_owned()],
        regex: Some(regex.to_owned()),
        action: Some("drop".to_owned()),
        ..RuleText::default()
    })
    .unwrap()
}

fn job(relabel: Vec<Rule>) -> ScrapeJob {
    ScrapeJob {
        name: "node".to_owned(),
        targets: Vec::new(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        every: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        honor_labels: false,
        honor_timestamps: true,
        relabel,
        metric_relabel: Vec::new(),
        limits: limits(),
    }
}

/// Labels, what is asked and how often, or why not.
fn told(wanted: &Wanted) -> String {
    match &wanted.fate {
        Fate::Asked => {
            let (every, timeout) = (span::show(wanted.every), span::show(wanted.timeout));
            format!("{} {} {every} {timeout}", wanted.labels, wanted.url())
        }
        Fate::Dropped => "dropped".to_owned(),
        Fate::Refused(reason) => reason.clone(),
    }
}

#[test]
fn a_url_becomes_labels_and_labels_a_url() {
    let usual = r#"{instance="h:9100", job="node", zone="a"}"#;
    for (url, relabel, expected) in [
        ("http://h:9100", vec![], format!("{usual} http://h:9100/metrics 15s 10s")),
        ("http://h:9100/", vec![], format!("{usual} http://h:9100/ 15s 10s")),
        (
            "https://h:9100/probe?module=x&target=a%20b&module=y",
            vec![],
            format!("{usual} https://h:9100/probe?module=x&target=a+b&module=y 15s 10s"),
        ),
        (
            "http://h:9100/probe?module=x&module=y",
            vec![rule("", "", "__param_module", "z"), rule("", "", "__param_new", "1")],
            format!("{usual} http://h:9100/probe?module=z&module=y&new=1 15s 10s"),
        ),
        // The blackbox exporter's way.
        (
            "http://site/",
            vec![
                rule("__address__", "", "__param_target", "$1"),
                rule("__param_target", "", "instance", "$1"),
                rule("", "", "__address__", "prober:9115"),
                rule("", "", "__metrics_path__", "/probe"),
            ],
            r#"{instance="site", job="node", zone="a"} http://prober:9115/probe?target=site 15s 10s"#
                .to_owned(),
        ),
        (
            "http://h:9100",
            vec![
                rule("", "", "__scheme__", "https"),
                rule("", "", "__scrape_interval__", "1m"),
                rule("", "", "__scrape_timeout__", "5s"),
                rule("", "", "job", "other"),
                rule("", "", "__tmp", "gone"),
                rule("", "", "zone", ""),
            ],
            r#"{instance="h:9100", job="other"} https://h:9100/metrics 1m 5s"#.to_owned(),
        ),
        ("http://h:9100", vec![drops("__address__", "h:.*")], "dropped".to_owned()),
        (
            "http://h:9100",
            vec![rule("", "", "__address__", "")],
            "not asked: it has no `__address__` after relabelling".to_owned(),
        ),
        (
            "http://h:9100",
            vec![rule("", "", "__address__", "user@h:1")],
            "not asked: `__address__` is `user@h:1`, no host and port".to_owned(),
        ),
        (
            "http://h:9100",
            vec![rule("", "", "__scheme__", "ftp")],
            "not asked: `__scheme__` is `ftp`, neither http nor https".to_owned(),
        ),
        (
            "http://h:9100",
            vec![rule("", "", "__scrape_interval__", "soon")],
            "not asked: `__scrape_interval__` is `soon`, not a time of at least 1s as in `15s`"
                .to_owned(),
        ),
        (
            "http://h:9100",
            vec![rule("", "", "__scrape_timeout__", "16s")],
            "not asked: `__scrape_timeout__` is 16s, more than `__scrape_interval__`, 15s"
                .to_owned(),
        ),
    ] {
        assert_eq!(told(&listed(&job(relabel), &HttpEndpoint::open(url))), expected, "{url}");
    }
}

#[test]
fn labels_before_relabelling_are_those_of_prometheus() {
    let wanted = listed(&job(Vec::new()), &HttpEndpoint::open("http://h:1/p?a=1&a=2"));
    let expected = r#"{__address__="h:1", __metrics_path__="/p", __param_a="1", __scheme__="http", __scrape_interval__="15s", __scrape_timeout__="10s", job="node", zone="a"}"#;
    assert_eq!(wanted.discovered.to_string(), expected);
}

#[test]
fn rules_are_compared_by_what_they_say() {
    let of = |rules: Vec<Rule>| Intake { metric_relabel: rules.into(), ..Intake::usual(limits()) };
    assert!(of(vec![drops("a", "b")]).is_same(&of(vec![drops("a", "b")])));
    assert!(!of(vec![drops("a", "b")]).is_same(&of(vec![drops("a", "c")])));
}

/// A listed URL of a job without rules.
pub(in super::super) fn wanted(endpoint: HttpEndpoint) -> Wanted {
    listed(&job(Vec::new()), &endpoint)
}

#[test]
fn there_are_no_more_targets_than_may_be() {
    let observe = crate::config::usual_observe(DataDirectory::Temporary);
    let metrics = Told { at: InstanceMetrics::Tried, host: None };
    let facts = Facts {
        observe: Arc::new(observe),
        metrics: [("web".to_owned(), metrics)].into(),
        own_instance: "here:9900".to_owned(),
        host: "here".to_owned(),
    };
    let at = Address::Unix("/run/web.sock".into());
    let server = |number: usize| InstanceAt {
        service: "web".to_owned(),
        instance: format!("web-{number}"),
        address: at.clone(),
    };
    let servers: Vec<InstanceAt> = (0..TARGETS_MAX).map(server).collect();
    let targets = all(&facts, &servers);
    let asked = targets.iter().filter(|target| target.fate == Fate::Asked).count();
    // Plimsoll itself and the machine come first.
    assert_eq!((targets.len(), asked), (TARGETS_MAX + 2, TARGETS_MAX));
    let last = targets.last().unwrap();
    assert_eq!(told(last), "not asked: there are more than 10000 targets");
}

#[test]
fn targets_that_nothing_tells_apart_are_named() {
    let job = |name: &str, urls: &[&str], relabel| ScrapeJob {
        name: name.to_owned(),
        targets: urls.iter().map(|url| HttpEndpoint::open(*url)).collect(),
        ..job(relabel)
    };
    let mut observe = crate::config::usual_observe(DataDirectory::Temporary);
    observe.jobs = vec![
        job("app", &["http://h:1/a", "http://h:1/b", "http://h:1/c", "http://h:2/a"], Vec::new()),
        // Another job is another label; the same twice is once; what is not asked spoils nothing.
        job("other", &["http://h:1/a"], Vec::new()),
        job("third", &["http://h:1/a"], vec![rule("", "", "job", "other")]),
        job("fourth", &["http://h:1/d"], vec![drops("job", "fourth")]),
        // A rule makes them one.
        job("fifth", &["http://h:5/", "http://h:6/"], vec![rule("", "", "instance", "x")]),
    ];
    let found = clashes(&named(&observe));
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    let rest = "so that each spoils the figures of the other; put them into jobs of different names, \
                or give each a label of its own by `relabel`";
    assert_eq!(
        words,
        [
            format!(
                "http://h:1/a of job app and http://h:1/b of job app (and 1 more) have the same \
                 labels, {{instance=\"h:1\", job=\"app\", zone=\"a\"}}, {rest}"
            ),
            format!(
                "http://h:5/ of job fifth and http://h:6/ of job fifth have the same \
                 labels, {{instance=\"x\", job=\"fifth\", zone=\"a\"}}, {rest}"
            ),
        ]
    );
    assert!(found.iter().all(|clash| clash.is_named));
}

#[test]
fn a_server_that_comes_to_clash_is_named_once() {
    let mut observe = crate::config::usual_observe(DataDirectory::Temporary);
    let labels = [("service".to_owned(), "web".to_owned())].into();
    let endpoint = HttpEndpoint::open("http://h:1/metrics");
    let name = "web".to_owned();
    observe.jobs = vec![ScrapeJob { name, targets: vec![endpoint], labels, ..job(Vec::new()) }];
    let metrics = Told { at: InstanceMetrics::Tried, host: None };
    let facts = Facts {
        observe: Arc::new(observe),
        metrics: [("web".to_owned(), metrics)].into(),
        own_instance: "here:9900".to_owned(),
        host: "here".to_owned(),
    };
    let server = |instance: &str| InstanceAt {
        service: "web".to_owned(),
        instance: instance.to_owned(),
        address: Address::Host("h".to_owned(), 7),
    };
    let mut state = super::super::state::State::new(facts);
    assert_eq!(state.renew(&[server("web-1")], 0), []);
    let [clash] = &state.renew(&[server("web-1"), server("h:1")], 0)[..] else { panic!() };
    let words = clash.to_string();
    assert!(words.starts_with("http://h:1/metrics of job web and http://h:7/metrics of job web"));
    assert_eq!(state.renew(&[server("h:1")], 0), []);
    assert_eq!(state.renew(&[], 0), []);
    assert_eq!(state.renew(&[server("h:1")], 0).len(), 1);
}
