//! What changes the plan: what is worth keeping, and what bounds it.

use super::*;

const MINUTE: i64 = 60_000;

fn silence(id: &str, matchers: &[&str], starts_at: i64, ends_at: i64) -> Silence {
    Silence {
        id: id.to_owned(),
        matchers: matchers.iter().map(|text| Term::parse(text).unwrap()).collect(),
        starts_at,
        ends_at,
        updated_at: 0,
        created_by: "somebody".to_owned(),
        comment: String::new(),
    }
}

fn ended(alert: &Alert, at: i64) -> Alert {
    Alert { ends_at: Some(at), ..alert.clone() }
}

/// What is not worth keeping is not written; what is, is on the disk before a kill.
#[test]
fn each_change_is_worth_keeping_and_nothing_else_is() {
    let (_, mut plan) = for_ops();
    let mut before = plan.revision();
    let mut is_changed =
        |plan: &Plan| std::mem::replace(&mut before, plan.revision()) < plan.revision();
    let down = firing(&["Down"], 0);
    plan.offer(vec![down.clone()], 0);
    assert!(is_changed(&plan), "a new alarm");
    plan.offer(vec![down.clone()], 15_000);
    assert!(!is_changed(&plan), "the same alarm again");
    let worded = Alert { annotations: BTreeMap::from([("a".to_owned(), "b".to_owned())]), ..down };
    plan.offer(vec![worded.clone()], 16_000);
    assert!(is_changed(&plan), "other words");
    assert_eq!(plan.shown(16_000)[0].updated_at, 16_000);
    plan.due(20_000);
    is_changed(&plan);
    let messages = plan.due(30_000).0;
    assert!(!is_changed(&plan), "a message on its way");
    plan.delivered(&messages[0], false);
    assert!(!is_changed(&plan), "one that did not arrive");
    plan.delivered(&messages[0], true);
    assert!(is_changed(&plan), "one that arrived");
    let id = plan.silence(silence("", &["n=1"], 0, MINUTE), 1 << 100, 31_000).unwrap();
    assert!(is_changed(&plan), "a silence");
    plan.expire(&id, 32_000).unwrap();
    assert!(is_changed(&plan), "the end of a silence");
    assert_eq!(plan.silence_of(&id).unwrap().updated_at, 32_000);
    plan.offer(vec![ended(&worded, 40_000)], 40_000);
    assert!(is_changed(&plan), "the end of an alarm");
    plan.offer(vec![ended(&worded, 40_000)], 45_000);
    assert!(!is_changed(&plan), "the same end again");
    // All that there was is forgotten.
    for message in plan.due(10 * MINUTE).0 {
        plan.delivered(&message, true);
    }
    is_changed(&plan);
    plan.due(60 * MINUTE);
    assert!(is_changed(&plan), "an alarm is forgotten");
    plan.due(6 * 86_400_000);
    assert!(is_changed(&plan), "what was told, and the silence, are forgotten");
    plan.due(7 * 86_400_000);
    assert!(!is_changed(&plan), "there is nothing left");
}

#[test]
fn the_end_of_what_nobody_knew_is_nothing() {
    let (_, mut plan) = for_ops();
    plan.offer(vec![ended(&firing(&["Down"], 0), 5)], 5);
    assert_eq!((plan.alarms().count(), plan.group_count()), (0, 0));
}

/// A rule is believed for four of its evaluations; the time in which its alarm was over is none.
#[test]
fn a_pause_between_two_alarms_makes_nobody_more_patient() {
    let (_, mut plan) = for_ops();
    let down = firing(&["Down"], 0);
    for at in [0, MINUTE] {
        plan.offer(vec![down.clone()], at);
    }
    plan.offer(vec![ended(&down, 2 * MINUTE)], 2 * MINUTE);
    plan.offer(vec![firing(&["Down"], 14 * MINUTE)], 14 * MINUTE);
    assert_eq!(plan.shown(14 * MINUTE)[0].valid_until, 19 * MINUTE);
}

#[test]
fn a_silence_has_bounds_and_the_form_of_its_kind() {
    let (_, mut plan) = for_ops();
    let many: Vec<String> = (0..65).map(|number| format!("l{number}=x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let made = plan.silence(silence("", &many, 0, MINUTE), 1, 0);
    assert_eq!(made, Err(SilenceError::ManyMatchers));
    plan.silence(silence("", &many[1..], 0, MINUTE), 1 << 100, 0).unwrap();
    // RFC 9562: the version in the third part, the variant in the fourth.
    let id = plan.silence(silence("", &["a=b"], 1500, MINUTE), u128::MAX, 0).unwrap();
    assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    let id = plan.silence(silence("", &["a=b"], 1500, MINUTE), 0, 0).unwrap();
    assert_eq!(id, "00000000-0000-4000-8000-000000000000");
    // Once it holds, a client that knows whole seconds only can make it longer.
    let same = plan.silence(silence(&id, &["a=b"], 1000, 2 * MINUTE), 7, 2000).unwrap();
    assert_eq!(same, id);
    // One that is over is not taken up again; another begins.
    plan.expire(&id, 3000).unwrap();
    let again = plan.silence(silence(&id, &["a=b"], 1000, 2 * MINUTE), 8, 4000).unwrap();
    assert_ne!(again, id);
    assert_eq!(plan.silence_of(&id).unwrap().ends_at, 3000);
}

#[test]
fn while_a_message_is_on_its_way_the_group_waits_a_second() {
    let (_, mut plan) = for_ops();
    plan.offer(vec![firing(&["Down"], 0)], 0);
    let first = plan.due(30_000).0;
    plan.due(330_000);
    // However its delivery ends, the group is looked at again.
    assert!(plan.next_at() <= 331_000, "{}", plan.next_at());
    plan.delivered(&first[0], false);
    assert_eq!(plan.due(331_000).0.len(), 1);
}

#[test]
fn a_receiver_has_ten_seconds_however_short_the_interval() {
    let (mut notify, _) = for_ops();
    for (interval, deadline) in [(1, 10_000), (9_999, 10_000), (60_000, 60_000)] {
        notify.group_interval = Duration::from_millis(interval);
        let mut plan = Plan::new(&notify);
        plan.offer(vec![firing(&["Down"], -MINUTE)], 0);
        assert_eq!(plan.due(0).0[0].deadline, deadline);
    }
}

#[test]
fn matchers_are_read_as_people_write_them() {
    for (text, name, value, is_regex, is_equal) in [
        ("a=b", "a", "b", false, true),
        (" a = \"b c\" ", "a", "b c", false, true),
        ("a!=b", "a", "b", false, false),
        ("a=~b|c", "a", "b|c", true, true),
        ("a!~\"b\"", "a", "b", true, false),
        ("a=", "a", "", false, true),
        (r#"a="x\n\"\\y""#, "a", "x\n\"\\y", false, true),
        (r"a=~\d+", "a", r"\d+", true, true),
    ] {
        let term = Term::parse(text).unwrap();
        let found = (term.name.as_str(), term.value.as_str(), term.is_regex, term.is_equal);
        assert_eq!(found, (name, value, is_regex, is_equal), "{text}");
        assert_eq!(Term::parse(&term.to_string()), Ok(term));
    }
    for text in ["a", "=b", "1a=b", "a b=c", "a=~(", "a=\"b", "a=\"b\\\"", "a=b\"c", "a!b"] {
        Term::parse(text).expect_err(text);
    }
}
