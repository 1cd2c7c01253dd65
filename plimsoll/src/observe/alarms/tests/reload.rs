//! Other groups while alarms fire.

use super::*;

#[tokio::test(start_paused = true)]
async fn groups_that_say_the_same_go_on_undisturbed() {
    let bench = Bench::new();
    let groups = || {
        let rules = vec![labelled(alert("Down", "up == 0", 15, 5), "a", "b"), record("copy", "up")];
        vec![group("a", rules), group("b", vec![record("double", "up * 2")])]
    };
    let alarms = bench.start(groups());
    bench.set("up", &[("job", "web")], 0.0);
    next(&alarms).await;
    let before = lives(&alarms.running);
    let mut other = groups();
    other.reverse();
    other.insert(1, group("c", vec![record("triple", "up * 3")]));
    alarms.apply(other, external());
    let after = lives(&alarms.running);
    assert!(Arc::ptr_eq(&before[0], &after[2]) && Arc::ptr_eq(&before[1], &after[0]));
    next(&alarms).await;
    let names: Vec<_> = alarms.groups().into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["b", "c", "a"]);
    counted(&alarms);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_changes_keeps_its_alarms_by_name_and_labels() {
    let bench = Bench::new();
    let alarms = bench.start(vec![group("a", vec![alert("Down", "up == 0", 20, 0)])]);
    bench.set("up", &[("job", "web")], 0.0);
    let begun = next(&alarms).await;
    let rules = vec![record("new", "up"), alert("Down", "up < 1", 10, 0)];
    alarms.apply(vec![group("a", rules)], external());
    counted(&alarms);
    assert_eq!(alerts(&alarms, 1)[0].active_at, begun);
    next(&alarms).await;
    assert_eq!(bench.shown(begun), ["Down web 10.."]);
    let evaluations = r#"plimsoll_rule_evaluations_total{rule_group="rules.yml;a"} 3"#;
    assert!(figures(&alarms).contains(evaluations), "counters go on");

    // With another label it is another.
    let rule = labelled(alert("Down", "up < 1", 10, 0), "severity", "page");
    alarms.apply(vec![group("a", vec![rule])], external());
    assert_eq!(bench.shown(begun), ["Down web 10..11"]);
    assert_eq!(alerts(&alarms, 0).len(), 0);
    next(&alarms).await;
    assert!(!alerts(&alarms, 0)[0].firing);
    counted(&alarms);
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_gone_leave_nothing_behind() {
    let bench = Bench::new();
    let rules = || vec![alert("Down", "up == 0", 0, 0), record("copy", "up")];
    let alarms = bench.start(vec![group("a", rules()), group("b", vec![record("same", "up")])]);
    bench.set("up", &[("job", "web")], 0.0);
    let fired = next(&alarms).await;
    assert_eq!(bench.ask("{__name__=~'ALERTS.*|copy'}", fired).await.len(), 3);
    bench.told();
    alarms.apply(vec![group("b", vec![record("same", "up")])], external());
    let now = bench.now();
    let told = bench.told().concat();
    assert_eq!((told.len(), told[0].starts_at, told[0].ends_at), (1, fired, Some(now)));
    assert_eq!(bench.ask("{__name__=~'ALERTS.*|copy'}", now).await, [""; 0]);
    assert_eq!(bench.ask("same", now).await.len(), 1);
    counted(&alarms);
    next(&alarms).await;
    assert_eq!(bench.told(), [[]; 0]);
    alarms.apply(Vec::new(), external());
    assert_eq!(alarms.groups().len(), 0);
    assert_eq!(*alarms.hands.census(), hands::Census::default());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_renamed_records_on() {
    let bench = Bench::new();
    let alarms = bench.start(vec![group("a", vec![record("copy", "up")])]);
    bench.set("up", &[("job", "web")], 1.0);
    next(&alarms).await;
    alarms.apply(vec![group("other", vec![record("copy", "up")])], external());
    let at = next(&alarms).await;
    assert_eq!(bench.ask("copy", at).await, [r#"copy{job="web"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn other_labels_for_the_world_outside_end_what_was_known_there() {
    let bench = Bench::new();
    let rules = || vec![group("a", vec![alert("Down", "up == 0", 0, 0)])];
    let alarms = bench.start(rules());
    bench.set("up", &[("job", "web")], 0.0);
    let fired = next(&alarms).await;
    bench.told();
    let mut other = external();
    other.labels.insert("site".to_owned(), "south".to_owned());
    alarms.apply(rules(), other);
    let now = bench.now();
    next(&alarms).await;
    let told = bench.told().concat();
    let shown: Vec<_> =
        told.iter().map(|alert| (alert.labels.get("site"), alert.ends_at)).collect();
    assert_eq!(shown, [(Some("north"), Some(now)), (Some("south"), None)]);
    assert!(told.iter().all(|alert| alert.starts_at == fired));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_groups_change_neither_writes_nor_tells() {
    let bench = Bench::new();
    let rules = vec![record("copy", "up"), alert("Down", "up == 0", 0, 0)];
    let alarms = bench.start(vec![group("a", rules)]);
    bench.set("up", &[("job", "web")], 0.0);
    next(&alarms).await;
    bench.told();
    let live = lives(&alarms.running).remove(0);
    let at = bench.now();
    alarms.apply(Vec::new(), external());
    assert_eq!(bench.told().len(), 1, "it is over");
    alarms.hands.evaluate(&live, at + 1, 0).await;
    assert_eq!(bench.told(), [[]; 0]);
    assert_eq!(bench.ask("{__name__=~'ALERTS|copy'}", at + 1).await, [""; 0]);
}
