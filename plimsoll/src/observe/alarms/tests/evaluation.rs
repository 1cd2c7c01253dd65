//! What an evaluation records, shows and tells.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_alarm_is_pending_then_fires_then_is_over() {
    let bench = Bench::new();
    let rule = labelled(alert("Down", "up == 0", 20, 0), "severity", "{{ $labels.job }}-page");
    let alarms = bench.start(vec![group("a", vec![rule])]);
    bench.set("up", &[("job", "web")], 0.0);
    bench.set("up", &[("job", "db")], 1.0);

    let begun = next(&alarms).await;
    assert_eq!(bench.told(), [[]; 0]);
    let pending = alerts(&alarms, 0);
    assert_eq!((pending.len(), pending[0].firing, pending[0].active_at), (1, false, begun));
    let labels = r#"alertname="Down", job="web", severity="web-page"}"#;
    assert_eq!(pending[0].labels.to_string(), format!("{{{labels}"));
    let state = format!("ALERTS_FOR_STATE{{{labels} {}", begun / 1000);
    let with = |state| labels.replace("alertname=\"Down\"", state);
    let series = format!("ALERTS{{{} 1", with(r#"alertname="Down", alertstate="pending""#));
    assert_eq!(bench.ask("{__name__=~'ALERTS.*'}", begun).await, [state.clone(), series]);

    next(&alarms).await;
    assert_eq!(bench.told(), [[]; 0]);
    let fired = next(&alarms).await;
    assert_eq!(fired, begun + 2 * INTERVAL);
    let told = bench.told();
    let summary = [("summary".to_owned(), "web is at 0".to_owned())];
    let url = "http://plimsoll.example:9900/prometheus/api/v1/query?query=up+%3D%3D+0";
    let expected = Alert {
        labels: Labels::from_pairs([
            ("alertname", "Down"),
            ("job", "web"),
            ("severity", "web-page"),
            ("site", "north"),
        ]),
        annotations: summary.into(),
        starts_at: fired,
        ends_at: None,
        generator_url: url.to_owned(),
    };
    assert_eq!(told, [[expected.clone()]]);
    assert!(alerts(&alarms, 0)[0].firing);
    let series = format!("ALERTS{{{} 1", with(r#"alertname="Down", alertstate="firing""#));
    assert_eq!(bench.ask("{__name__=~'ALERTS.*'}", fired).await, [state, series]);

    next(&alarms).await;
    assert_eq!(bench.told(), [[expected.clone()]], "it is told of at each evaluation");
    bench.set("up", &[("job", "web")], 1.0);
    let ended = next(&alarms).await;
    let over = Alert { ends_at: Some(ended), ..expected };
    assert_eq!(bench.told(), [[over.clone()]]);
    assert_eq!(alerts(&alarms, 0).len(), 0);
    assert_eq!(bench.ask("{__name__=~'ALERTS.*'}", ended).await, [""; 0]);

    let repeated = 15 * 60_000 / INTERVAL;
    for _ in 0..repeated {
        next(&alarms).await;
    }
    assert_eq!(bench.told(), vec![[over]; repeated as usize]);
    next(&alarms).await;
    assert_eq!(bench.told(), [[]; 0]);
    counted(&alarms);
}

#[tokio::test(start_paused = true)]
async fn rules_of_a_group_see_what_those_before_recorded() {
    let bench = Bench::new();
    let mut group = group(
        "a",
        vec![
            labelled(record("job:up:sum", "sum by (job) (up)"), "by", "rule"),
            record("all:up:sum", "sum(job:up:sum)"),
            alert("Few", "all:up:sum < 5", 0, 0),
            record("asked:time", "time()"),
        ],
    );
    group.query_offset = 3_000;
    let alarms = bench.start(vec![group]);
    bench.set("up", &[("job", "web"), ("instance", "1")], 1.0);
    bench.set("up", &[("job", "web"), ("instance", "2")], 1.0);
    bench.set("up", &[("job", "db")], 1.0);
    // The first one may look at a time before there were samples.
    next(&alarms).await;
    let at = next(&alarms).await - 3_000;
    let all = "{__name__=~'.*:sum|ALERTS'}";
    let expected = [
        r#"ALERTS{alertname="Few", alertstate="firing"} 1"#,
        "all:up:sum 3",
        r#"job:up:sum{by="rule", job="db"} 1"#,
        r#"job:up:sum{by="rule", job="web"} 2"#,
    ];
    assert_eq!(bench.ask(all, at).await, expected);
    let asked = format!("asked:time {}", at as f64 / 1e3);
    assert_eq!(bench.ask("asked:time", at).await, [asked]);

    // A series that is gone from the answer has ended.
    bench.set("up", &[("job", "db")], tsdb::sample::STALE);
    next(&alarms).await;
    let at = next(&alarms).await - 3_000;
    assert_eq!(bench.ask("job:up:sum", at).await, [r#"job:up:sum{by="rule", job="web"} 2"#]);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_fails_ends_nothing_and_says_why() {
    let bench = Bench::new();
    let rules = vec![
        record("sum", "a * on (job) group_left () b"),
        alert("Down", "a * on (job) group_left () b", 0, 0),
        record("well", "a"),
    ];
    let alarms = bench.start(vec![group("a", rules)]);
    bench.set("a", &[("job", "web")], 2.0);
    bench.set("b", &[("job", "web")], 3.0);
    next(&alarms).await;
    assert_eq!(view(&alarms, 0).health, RuleHealth::Ok);
    assert_eq!(bench.told().len(), 1);

    // Two on the side of one.
    bench.set("b", &[("job", "web"), ("twice", "1")], 3.0);
    let at = next(&alarms).await;
    let RuleHealth::Failed(words) = view(&alarms, 0).health else { panic!("it fails") };
    assert!(words.contains("many-to-many matching not allowed"), "{words}");
    assert_eq!(view(&alarms, 2).health, RuleHealth::Ok, "the others go on");
    assert_eq!(bench.ask("sum", at).await, [r#"sum{job="web"} 6"#], "no end is recorded");
    assert_eq!(bench.ask("ALERTS", at).await.len(), 1);
    assert_eq!(alerts(&alarms, 1).len(), 1);
    assert_eq!(bench.told().concat()[0].ends_at, None, "and the alarm is still told of");
    let text = figures(&alarms);
    let group = r#"{rule_group="rules.yml;a"}"#;
    for line in [
        format!("plimsoll_rule_evaluations_total{group} 6\n"),
        format!("plimsoll_rule_evaluation_failures_total{group} 2\n"),
        format!("plimsoll_rule_group_failing_rules{group} 2\n"),
        format!("plimsoll_rule_group_iterations_missed_total{group} 0\n"),
        format!("plimsoll_rule_group_last_duration_seconds{group} "),
        format!(
            "plimsoll_rule_group_last_evaluation_timestamp_seconds{group} {}\n",
            at as f64 / 1e3
        ),
        "plimsoll_alerts{alertstate=\"pending\"} 0\n".to_owned(),
        "plimsoll_alerts{alertstate=\"firing\"} 1\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }

    bench.set("b", &[("job", "web"), ("twice", "1")], tsdb::sample::STALE);
    next(&alarms).await;
    assert_eq!(view(&alarms, 0).health, RuleHealth::Ok);
    let text = figures(&alarms);
    assert!(text.contains(&format!("plimsoll_rule_group_failing_rules{group} 0\n")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_groups_limit_a_rule_fails_and_its_alarms_are_over() {
    let bench = Bench::new();
    let rules = vec![record("copy", "up"), alert("Down", "up == 0", 0, 0)];
    let alarms = bench.start(vec![Group { limit: 1, ..group("a", rules) }]);
    bench.set("up", &[("job", "web")], 0.0);
    let fired = next(&alarms).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."]);
    bench.set("up", &[("job", "db")], 0.0);
    let at = next(&alarms).await;
    let health = |words: &str| {
        let limit = "and its group has `limit: 1`; all of them are discarded: aggregate, or raise \
                     the limit";
        RuleHealth::Failed(format!("it yields {words}, {limit}"))
    };
    assert_eq!(view(&alarms, 0).health, health("2 series"));
    assert_eq!(view(&alarms, 1).health, health("2 alarms"));
    assert_eq!(bench.shown(fired), ["Down web 0..10"]);
    assert_eq!(alerts(&alarms, 1).len(), 0);
    // As Prometheus: an error writes no end of series.
    assert_eq!(bench.ask("copy", at).await, [r#"copy{job="web"} 0"#]);
    counted(&alarms);
}

#[tokio::test(start_paused = true)]
async fn templates_may_ask_and_fail() {
    let bench = Bench::new();
    let mut asks = labelled(alert("Asks", "up == 0", 0, 0), "site", "its own");
    let RuleKind::Alerting(alerting) = &mut asks.kind else { panic!("it is one") };
    let mut annotate = |name: &str, text: &str| {
        alerting.annotations.insert(name.to_owned(), text.to_owned());
    };
    annotate("other", "the other is {{ query `limit` | first | value }}");
    annotate("none", "none is {{ query `absent_metric` | first | value }}");
    let alarms = bench.start(vec![group("a", vec![asks])]);
    bench.set("up", &[("job", "web")], 0.0);
    bench.set("limit", &[], 7.0);
    next(&alarms).await;
    let told = bench.told().concat().remove(0);
    assert_eq!(told.labels.get("site"), Some("its own"), "an external label gives way");
    let annotations = told.annotations;
    assert_eq!(annotations["other"], "the other is 7");
    let none = &annotations["none"];
    assert!(none.starts_with("<error expanding template: "), "{none}");
    assert_eq!(view(&alarms, 0).health, RuleHealth::Ok);
    let told = log::recent().into_iter().find(|line| line.text.contains("of rule Asks"));
    assert!(told.is_some_and(|line| line.part == "alarms"));
}

#[tokio::test(start_paused = true)]
async fn evaluations_that_are_missed_are_counted_and_not_caught_up() {
    let bench = Bench::new();
    let alarms = bench.start(vec![group("a", vec![record("copy", "up")])]);
    bench.set("up", &[], 1.0);
    let first = next(&alarms).await;
    tokio::time::advance(Duration::from_secs(35)).await;
    let second = next(&alarms).await;
    assert_eq!((second - first) / INTERVAL, 3);
    let text = figures(&alarms);
    let missed = r#"plimsoll_rule_group_iterations_missed_total{rule_group="rules.yml;a"} 2"#;
    assert!(text.contains(missed), "{text}");
    assert!(text.contains(r#"plimsoll_rule_evaluations_total{rule_group="rules.yml;a"} 2"#));
    assert_eq!(bench.ask("count_over_time(copy[10m])", second).await, ["{} 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_series_that_another_has_written_is_refused_in_words() {
    let bench = Bench::new();
    let rules = vec![record("copy", "up"), record("copy", "up + 1")];
    let alarms = bench.start(vec![group("a", rules)]);
    bench.set("up", &[], 1.0);
    next(&alarms).await;
    assert_eq!(view(&alarms, 0).health, RuleHealth::Ok);
    let words = "1 of its 1 samples are not recorded: another rule or a target has written the \
                 same series at the same time";
    assert_eq!(view(&alarms, 1).health, RuleHealth::Failed(words.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn there_is_a_bound_on_alarms_in_all() {
    let bench = Bench::new();
    let rules = vec![alert("One", "up == 0", 0, 0), alert("Two", "up == 0", 0, 0)];
    let alarms = bench.start(vec![group("a", rules)]);
    // As if other rules had all but one of them.
    alarms.hands.census().live = hands::ALARMS_MAX - 1;
    bench.set("up", &[("job", "web")], 0.0);
    next(&alarms).await;
    assert_eq!((alerts(&alarms, 0).len(), alerts(&alarms, 1).len()), (1, 0));
    let RuleHealth::Failed(words) = view(&alarms, 1).health else { panic!("it fails") };
    let expected = "it yields 1 alarms, and there is room for 0 besides those of other rules \
                    (20000 in all); its alarms stay as they were";
    assert!(words.starts_with(expected), "{words}");
}
