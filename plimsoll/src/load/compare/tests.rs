//! Data with known differences, and with none.

use super::super::fixtures;
use super::bootstrap::block_length;
use super::series::Slot;
use super::*;

/// A service whose seconds resemble their neighbours: each second's latencies are scaled by a level
/// that drifts (an autoregressive process), as queues and collectors of garbage make it.
fn service(seed: u64, seconds: usize, scale: f64, errors: f64) -> Series {
    let mut random = fastrand::Rng::with_seed(seed);
    let bell = |random: &mut fastrand::Rng| (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let mut level = 0.0;
    let slots = (0..seconds)
        .map(|_| {
            level = 0.5 * level + 0.03 * bell(&mut random);
            let mut latencies: Vec<f64> =
                (0..40).map(|_| scale * 0.01 * (level + 0.4 * bell(&mut random)).exp()).collect();
            latencies.sort_by(f64::total_cmp);
            let mut slot = Slot { seconds: 1.0, requests: 40, ..Slot::default() };
            slot.errors = (0..40).filter(|_| random.f64() < errors).count() as u64;
            latencies.into_iter().for_each(|latency| slot.add(latency, 1));
            slot
        })
        .collect();
    Series { slots }
}

fn differences(a: &Series, b: &Series, seed: u64) -> Vec<Difference> {
    let options = Options { seed, practical: 0.0, ..Options::default() };
    verdict::differences(a, b, &options, true, 80)
}

fn verdict_of(differences: &[Difference]) -> Verdict {
    verdict::verdict(differences)
}

#[test]
fn without_a_difference_few_are_claimed() {
    let pairs = 200;
    let mut claimed = 0;
    for pair in 0..pairs {
        let (a, b) = (service(2 * pair, 60, 1.0, 0.01), service(2 * pair + 1, 60, 1.0, 0.01));
        let verdict = verdict_of(&differences(&a, &b, pair));
        claimed +=
            usize::from(matches!(verdict, Verdict::Better | Verdict::Worse | Verdict::Mixed));
    }
    println!("{claimed} of {pairs} claimed");
    assert!(
        claimed <= 14,
        "{claimed} of {pairs} claimed, although no change is too small to matter"
    );
}

#[test]
fn a_tenth_more_is_found_and_measured() {
    let pairs = 60;
    let (mut found, mut covered) = (0, 0);
    for pair in 0..pairs {
        let (a, b) = (service(900 + 2 * pair, 60, 1.0, 0.0), service(901 + 2 * pair, 60, 1.1, 0.0));
        let differences = differences(&a, &b, pair);
        found += usize::from(verdict_of(&differences) == Verdict::Worse);
        let p99 = differences.iter().find(|of| of.measured == Measured::P99).unwrap();
        covered += usize::from(p99.low <= 0.1 && 0.1 <= p99.high);
        assert_eq!(differences.len(), 5, "errors, of which there are none, are not tested");
    }
    println!("{found} found, {covered} covered of {pairs}");
    assert!(found >= 57, "{found} of {pairs} found");
    assert!(covered >= 54, "{covered} of {pairs} intervals hold the truth");
}

#[test]
fn more_failures_are_found() {
    let (a, b) = (service(1, 60, 1.0, 0.002), service(2, 60, 1.0, 0.02));
    let differences = differences(&a, &b, 1);
    let errors = differences.iter().find(|of| of.measured == Measured::Errors).unwrap();
    assert_eq!(errors.finding, Finding::Worse);
    assert!(errors.low < 0.018 && 0.018 < errors.high, "{errors:?}");
    // A run without any can still be compared.
    let none = service(3, 60, 1.0, 0.0);
    let differences = self::differences(&none, &b, 1);
    let errors = differences.iter().find(|of| of.measured == Measured::Errors).unwrap();
    assert!(errors.finding == Finding::Worse && errors.a == 0.0, "{errors:?}");
}

#[test]
fn the_same_seed_gives_the_same_words() {
    let (a, b) = (fixtures::run_of_shop(1), fixtures::run_of_shop(2));
    let compare = || compare(("a.json", &a), ("b.json", &b), &Options::default());
    assert_eq!(compare(), compare());
    assert_eq!(compare().text(false), compare().text(false));
}

#[test]
fn blocks_grow_with_the_run() {
    assert_eq!([10, 60, 240].map(block_length), [3, 5, 9]);
}

/// A run of the shop in which everything takes `scale` times as long.
fn scaled_shop(seed: u64, scale: f64) -> Results {
    let mut results = fixtures::run_of_shop(seed);
    for bucket in &mut results.timeline.buckets {
        let old = std::mem::take(&mut bucket.response_time);
        for (latency, count) in old.sizes() {
            (0..count).for_each(|_| bucket.response_time.record(latency.mul_f64(scale)));
        }
    }
    // Without the stall: one second of thirty is no tail that could be compared.
    results.timeline.buckets[20] = results.timeline.buckets[19].clone();
    results
}

fn check(name: &str, text: &str) {
    let path = format!("{}/src/load/compare/{name}.golden", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name}.golden differs from:\n{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "a line of {widest} characters");
}

#[test]
fn a_slower_run_reads_so() {
    let (a, b) = (scaled_shop(1, 1.0), scaled_shop(2, 1.12));
    let found = compare(("before.json", &a), ("after.json", &b), &Options::default());
    assert_eq!(found.verdict, Verdict::Worse);
    assert_eq!((found.exit_code(true), found.exit_code(false)), (99, 0));
    check("slower", &found.text(false));
    let turned = compare(("after.json", &b), ("before.json", &a), &Options::default());
    assert_eq!((turned.verdict, turned.exit_code(true)), (Verdict::Better, 0));
    assert!(turned.words.starts_with("b is faster: p99 -"), "{}", turned.words);
}

#[test]
fn no_difference_says_what_could_have_been_seen() {
    let (mut a, b) = (scaled_shop(1, 1.0), scaled_shop(3, 1.0));
    a.run.groups[0].load = "900 requests a second, evenly spaced, for 30 s".to_owned();
    a.labels.pop();
    a.tester.thread_time[0] = Duration::from_secs(29);
    let found = compare(("before.json", &a), ("after.json", &b), &Options::default());
    assert_eq!((found.verdict, found.exit_code(true)), (Verdict::Unclear, 0));
    check("unclear", &found.text(false));
}

#[test]
fn a_run_and_itself_are_the_same_where_there_is_enough() {
    let mut a = scaled_shop(1, 1.0);
    a.timeline.buckets.iter_mut().for_each(|bucket| bucket.errors = 0);
    let options = Options { practical: 0.2, ..Options::default() };
    let found = compare(("a.json", &a), ("b.json", &a), &options);
    assert_eq!(found.verdict, Verdict::Same, "{}", found.text(false));
    assert!(found.words.contains("within ±20 %"), "{}", found.words);
}

#[test]
fn a_short_run_says_how_long_is_needed() {
    let (mut a, b) = (fixtures::shop(), fixtures::run_of_shop(2));
    a.timeline.buckets.truncate(8);
    a.run.elapsed = Duration::from_secs(8);
    let found = compare(("a.json", &a), ("b.json", &b), &Options::default());
    assert_eq!((found.verdict, found.exit_code(true)), (Verdict::TooShort, 1));
    assert_eq!(
        found.words,
        "Too short to compare: the shorter run lasted 8 s, and at least 10 s are needed; a minute is a \
         good beginning."
    );
    let options = Options { warm_up: Some(Duration::from_secs(3)), ..Options::default() };
    let found = compare(("a.json", &a), ("b.json", &b), &options);
    assert!(
        found.words.contains(": 5 s of the shorter run are left without its first 3 s, and"),
        "{}",
        found.words
    );
}

#[test]
fn what_is_told_of_the_warm_up_is_what_was_left_out() {
    let mut a = scaled_shop(1, 1.0);
    a.timeline.halve();
    assert_eq!(a.timeline.width, Duration::from_secs(2));
    let compared = |millis| {
        let warm_up = Some(Duration::from_millis(millis));
        compare(("a", &a), ("b", &a), &Options { warm_up, ..Options::default() }).a
    };
    // A bucket is left out as a whole.
    let side = compared(2_500);
    assert_eq!((side.warm_up_seconds, side.skipped), (4.0, 2));
    assert!((side.compared_seconds - 26.0).abs() < 0.1, "{}", side.compared_seconds);
    assert!(side.words().ends_with("compared 26 s, without its first 4 s"), "{}", side.words());
    assert_eq!(compared(0).left_out(), None);
}

#[test]
fn its_json_holds_every_figure() {
    let (a, b) = (scaled_shop(1, 1.0), scaled_shop(2, 1.12));
    let found = compare(("before.json", &a), ("after.json", &b), &Options::default());
    let value: serde_json::Value = serde_json::from_str(&found.json()).unwrap();
    assert_eq!(value["verdict"], "worse");
    assert_eq!(value["a"]["file"], "before.json");
    let names: Vec<&str> = (value["differences"].as_array().unwrap().iter())
        .map(|difference| difference["measured"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["mean", "p50", "p90", "p99", "rate", "errors"]);
    assert_eq!(value["differences"][1]["finding"], "worse");
    assert!(value["differences"][1]["low"].as_f64().unwrap() > 0.08);
}
