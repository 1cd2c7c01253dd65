use super::*;

/// Lines are `TIME: add|remove|ended|rest NAME …` or `TIME: due => what`, in milliseconds.
fn run(script: &str) {
    let mut plan = Plan::default();
    let number = |text: &str| text.parse::<u64>().unwrap();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (time, step) = line.split_once(": ").unwrap();
        let now: i64 = time.parse().unwrap();
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["add", id, every, hash] => {
                plan.set(number(id), Duration::from_millis(number(every)), number(hash), now);
            }
            ["remove", id] => plan.remove(number(id)),
            ["ended", id] => plan.ended(number(id), None, now),
            ["rest", id, rest] => {
                plan.ended(number(id), Some(Duration::from_millis(number(rest))), now);
            }
            ["next", expected] => {
                let next = plan.next().map_or("none".to_owned(), |next| next.to_string());
                assert_eq!(next, expected, "{line}");
            }
            ["due", "=>", ..] => {
                let told: Vec<String> = plan.due(now).iter().map(told).collect();
                assert_eq!(told.join(" "), words[2..].join(" "), "{line}");
            }
            _ => panic!("{line}"),
        }
    }
}

fn told(due: &Due) -> String {
    let skip = if due.decision == Decision::Skip { "skip" } else { "" };
    let missed = if due.missed > 0 { format!("+{}", due.missed) } else { String::new() };
    format!("{}@{}{skip}{missed}", due.id, due.tick)
}

#[test]
fn targets_have_ticks_of_their_own() {
    run("0: add 1 1000 300
         0: add 2 1000 1700
         0: add 3 5000 4999
         0: next 300
         299: due =>
         300: due => 1@300
         310: ended 1
         705: due => 2@700
         710: ended 2
         1299: due =>
         1301: due => 1@1300
         5000: ended 1
         5000: next 1700");
}

#[test]
fn a_slow_target_is_skipped_and_never_piles_up() {
    run("0: add 1 1000 0
         1000: due => 1@1000
         2000: due => 1@2000skip
         3000: due => 1@3000skip
         3500: ended 1
         4000: due => 1@4000");
}

#[test]
fn ticks_that_nobody_saw_are_counted() {
    run("0: add 1 1000 0
         1000: due => 1@1000
         1001: ended 1
         7400: due => 1@7000+5
         7400: ended 1
         7400: next 8000");
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_anything() {
    run("100000: add 1 1000 0
         101000: due => 1@101000
         101001: ended 1
         50000: due =>
         50000: next 51000
         51000: due => 1@51000");
}

#[test]
fn who_has_nothing_to_tell_rests() {
    run("0: add 1 1000 0
         1000: due => 1@1000
         1100: rest 1 10000
         1100: next 12000
         5000: add 1 1000 0
         5000: next 12000
         12000: due => 1@12000");
}

#[test]
fn another_interval_moves_the_ticks_and_the_same_does_not() {
    run("0: add 1 1000 100
         100: due => 1@100
         200: add 1 1000 100
         200: next 1100
         200: add 1 5000 100
         200: next 5100
         5100: due => 1@5100skip
         5200: ended 1
         5200: remove 1
         5200: next none
         5300: ended 1
         9999: due =>");
}

#[test]
fn samples_get_the_time_of_the_tick_unless_it_is_long_ago() {
    let every = Duration::from_secs(15);
    assert_eq!(stamp(15_000, 15_000, every), 15_000);
    assert_eq!(stamp(15_000, 15_150, every), 15_000);
    assert_eq!(stamp(15_000, 15_151, every), 15_151);
    // The clock was set back in between.
    assert_eq!(stamp(15_000, 14_999, every), 14_999);
}

#[test]
fn a_fleet_is_spread_over_the_interval() {
    let mut plan = Plan::default();
    for id in 0..1500 {
        let hash = hash(&["host", &format!("{{instance=\"web-{id}\"}}"), "http://h/metrics"]);
        plan.set(id, Duration::from_secs(15), hash, 0);
    }
    // A hundred in each second; a spread that is chance leaves six times its deviation at most.
    for second in 1..=15 {
        let due = plan.due(second * 1000).len();
        assert!((40..160).contains(&due), "{due} in second {second}");
    }
}
