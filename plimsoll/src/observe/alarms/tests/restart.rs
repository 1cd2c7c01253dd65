//! Stops, kills and damage.

use std::fs;

use super::*;

/// The file of alarms.
fn file(bench: &Bench) -> PathBuf {
    bench.folder.path().join(file::NAME)
}

fn rules() -> Vec<Group> {
    vec![group("a", vec![alert("Down", "up == 0", 60, 0)])]
}

/// Keeps the samples young.
async fn evaluate(bench: &Bench, alarms: &Alarms, times: usize, value: f64) -> i64 {
    let mut at = 0;
    for _ in 0..times {
        bench.set("up", &[("job", "web")], value);
        at = next(alarms).await;
    }
    at
}

#[tokio::test(start_paused = true)]
async fn a_pending_alarm_goes_on_where_it_was() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let begun = evaluate(&bench, &alarms, 4, 0.0).await - 3 * INTERVAL;
    alarms.stop().await;
    let alarms = bench.start(rules());
    assert_eq!(alerts(&alarms, 0)[0].active_at, begun);
    counted(&alarms);
    evaluate(&bench, &alarms, 2, 0.0).await;
    assert_eq!(bench.told(), [[]; 0]);
    evaluate(&bench, &alarms, 1, 0.0).await;
    assert_eq!(bench.shown(begun), ["Down web 60.."]);
}

#[tokio::test(start_paused = true)]
async fn a_firing_alarm_fires_on_though_there_are_no_samples_yet() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    bench.told();
    bench.set("up", &[("job", "web")], tsdb::sample::STALE);
    tokio::time::advance(Duration::from_secs(600)).await;
    let alarms = bench.start(rules());
    next(&alarms).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."]);
    assert_eq!(bench.ask("ALERTS{alertstate='firing'}", bench.now()).await.len(), 1);
    // Scraped again, and still down.
    evaluate(&bench, &alarms, 20, 0.0).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."; 20]);
}

#[tokio::test(start_paused = true)]
async fn a_firing_alarm_is_over_when_no_answer_comes_in_time() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    bench.told();
    let alarms = bench.start(rules());
    evaluate(&bench, &alarms, 11, 1.0).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."; 11]);
    let ended = evaluate(&bench, &alarms, 2, 1.0).await;
    let last = bench.shown(fired).pop().unwrap();
    assert!(last.starts_with("Down web 0..1"), "{last}");
    assert_eq!(bench.ask("{__name__=~'ALERTS.*'}", ended).await, [""; 0]);
    // And it is told of as over after another start as well.
    alarms.stop().await;
    let alarms = bench.start(rules());
    next(&alarms).await;
    assert_eq!(bench.shown(fired), [last]);
}

#[tokio::test(start_paused = true)]
async fn after_too_long_an_outage_alarms_are_over_and_told_of() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    bench.told();
    tokio::time::advance(Duration::from_secs(3_700)).await;
    let alarms = bench.start(rules());
    assert_eq!(alerts(&alarms, 0).len(), 0);
    let now = bench.now();
    next(&alarms).await;
    assert_eq!(bench.shown(fired), [format!("Down web 0..{}", (now - fired + 999) / 1000)]);
}

#[tokio::test(start_paused = true)]
async fn alarms_of_rules_that_are_gone_at_the_start_are_over() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    bench.told();
    let alarms = bench.start(Vec::new());
    assert_eq!(bench.shown(fired), ["Down web 0..1"]);
    assert_eq!(bench.ask("{__name__=~'ALERTS.*'}", bench.now()).await, [""; 0]);
    assert_eq!(*alarms.hands.census(), hands::Census::default());
}

#[tokio::test(start_paused = true)]
async fn a_kill_costs_nothing_that_is_older_than_a_moment() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    // The file is written within a second of a change, and once a minute to say that all goes on.
    evaluate(&bench, &alarms, 1, 0.0).await;
    let file::Found::Alarms(saved) = file::read(bench.folder.path()) else { panic!("a file") };
    let mut states = saved.rules.into_iter().flat_map(|rule| rule.alarms);
    assert!(
        states.any(|saved| matches!(saved.alarm().1.state, plan::State::Firing { .. })),
        "what has begun to fire is in it"
    );
    evaluate(&bench, &alarms, 11, 0.0).await;
    drop(alarms);
    let file::Found::Alarms(saved) = file::read(bench.folder.path()) else { panic!("a file") };
    assert!(bench.now() - saved.written <= 60_000, "{}", bench.now() - saved.written);
    // What a kill between writing and renaming leaves behind.
    fs::write(bench.folder.path().join("alarms.json.new"), "{\"form").unwrap();
    bench.told();
    let alarms = bench.start(rules());
    evaluate(&bench, &alarms, 1, 0.0).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."]);
    alarms.stop().await;
    assert!(!bench.folder.path().join("alarms.json.new").exists());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_costs_what_it_knew() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    let text = fs::read_to_string(file(&bench)).unwrap();
    for damaged in [&text[..text.len() / 2], "", "[]", "{\"format\":\"other\",\"version\":1}"] {
        fs::write(file(&bench), damaged).unwrap();
        let alarms = bench.start(rules());
        assert_eq!(alerts(&alarms, 0).len(), 0);
        let aside = bench.folder.path().join("alarms.json.damaged");
        assert_eq!(fs::read_to_string(&aside).unwrap(), damaged);
        let name = file(&bench).display().to_string();
        let told = log::recent().iter().filter(|line| line.text.contains(&name)).count();
        assert!(told >= 1, "it is told");
        bench.told();
        evaluate(&bench, &alarms, 1, 0.0).await;
        assert_eq!(bench.told(), [[]; 0], "it begins anew");
        alarms.stop().await;
        assert!(matches!(file::read(bench.folder.path()), file::Found::Alarms(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_gone_stops_nothing() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    fs::remove_dir_all(bench.folder.path()).unwrap();
    let fired = evaluate(&bench, &alarms, 7, 0.0).await;
    assert_eq!(bench.shown(fired), ["Down web 0.."]);
    let name = file(&bench).display().to_string();
    let told = log::recent().into_iter().filter(|line| line.text.contains(&name)).count();
    assert_eq!(told, 1, "it is told once");
    fs::create_dir(bench.folder.path()).unwrap();
    alarms.stop().await;
    assert!(file(&bench).exists());
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_nothing_is_evaluated_or_told() {
    let bench = Bench::new();
    let alarms = bench.start(rules());
    evaluate(&bench, &alarms, 7, 0.0).await;
    alarms.stop().await;
    bench.told();
    alarms.apply(Vec::new(), external());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.told(), [[]; 0]);
    assert_eq!(alerts(&alarms, 0).len(), 1, "they can still be seen");
}
