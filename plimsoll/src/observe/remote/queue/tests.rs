use std::time::Duration;

use tsdb::labels::{Labels, NAME};
use tsdb::relabel::{Rule, RuleText};
use tsdb::sample::{STALE, is_stale};

use super::*;

fn series(number: usize) -> Labels {
    Labels::from_pairs([(NAME, "m"), ("instance", &number.to_string())])
}

fn queue(samples_max: usize) -> Queue {
    Queue::new(samples_max, Relabelling::default())
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn times(queue: &mut Queue) -> Vec<i64> {
    let items = queue.send(usize::MAX);
    queue.sent(false);
    items.iter().map(|item| item.time).collect()
}

#[test]
fn the_oldest_are_given_up_and_counted() {
    let mut queue = queue(3);
    for time in 1..=5 {
        queue.push(&series(0), time, 1.0, at(time as u64));
    }
    assert_eq!(times(&mut queue), [3, 4, 5]);
    assert_eq!(queue.given_up, 2);
    let waiting = queue.waiting().unwrap();
    assert_eq!((waiting.samples, waiting.since), (3, at(3)));
}

#[test]
fn samples_of_a_clock_that_was_set_back_are_sent() {
    let mut queue = queue(9);
    let hour = 3_600_000;
    for time in [hour, hour - 5, hour - SET_BACK_MIN, 7, 6, 8, hour] {
        queue.push(&series(0), time, 1.0, at(0));
    }
    assert_eq!((times(&mut queue), queue.old), (vec![hour, 7, 8, hour], 3));
}

#[test]
fn what_is_being_sent_counts_as_sent_although_the_queue_has_outrun_it() {
    for (done, given_up, left) in [(true, 0, vec![4, 5]), (false, 2, vec![3, 4, 5])] {
        let mut queue = queue(3);
        (1..=3).for_each(|time| queue.push(&series(0), time, 1.0, at(0)));
        assert_eq!(queue.send(3).len(), 3);
        (4..=5).for_each(|time| queue.push(&series(0), time, 1.0, at(0)));
        queue.sent(done);
        assert_eq!(queue.given_up, given_up, "{done}");
        assert_eq!(times(&mut queue), left, "{done}");
    }
    // More than what is being sent is outrun.
    let mut queue = queue(3);
    (1..=3).for_each(|time| queue.push(&series(0), time, 1.0, at(0)));
    assert_eq!(queue.send(1).len(), 1);
    (4..=7).for_each(|time| queue.push(&series(0), time, 1.0, at(0)));
    queue.sent(true);
    assert_eq!((queue.given_up, times(&mut queue)), (3, vec![5, 6, 7]));
}

#[test]
fn times_of_a_series_rise() {
    let mut queue = queue(10);
    for (number, time) in [(0, 10), (1, 5), (0, 10), (0, 9), (0, 11), (1, 6)] {
        queue.push(&series(number), time, 1.0, at(0));
    }
    assert_eq!((times(&mut queue), queue.old), (vec![10, 5, 11, 6], 2));
}

#[test]
fn ends_of_series_are_kept_to_the_bit() {
    let mut queue = queue(10);
    queue.push(&series(0), 1, STALE, at(0));
    assert!(is_stale(queue.send(1)[0].value));
}

#[test]
fn labels_are_made_once_a_series_and_shared() {
    let drop = RuleText {
        source_labels: vec!["instance".to_owned()],
        regex: Some("7".to_owned()),
        action: Some("drop".to_owned()),
        ..RuleText::default()
    };
    let external = [("region", "eu"), ("instance", "outer")];
    let external = external.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let rules = vec![Rule::new(&drop).unwrap()];
    let mut queue = Queue::new(100, Relabelling { external, rules });
    for time in 1..=3 {
        queue.push(&series(7), time, 1.0, at(0));
        queue.push(&series(8), time, 1.0, at(0));
    }
    assert_eq!(queue.relabelled, 3);
    let items = queue.send(10);
    assert_eq!(items.len(), 3);
    // The series' own label wins.
    assert_eq!(items[0].labels.to_string(), r#"m{instance="8", region="eu"}"#);
    let text = |item: &Item| item.labels.iter().next().unwrap().0.as_ptr();
    assert!(items.iter().all(|item| text(item) == text(&items[0])));
    // Other rules hold from now on, for series that are known as well.
    queue.sent(true);
    queue.configure(100, Relabelling::default());
    queue.push(&series(7), 4, 1.0, at(0));
    assert_eq!(queue.send(10)[0].labels, series(7));
}

#[test]
fn a_smaller_bound_holds_at_once() {
    let mut queue = queue(10);
    (1..=10).for_each(|time| queue.push(&series(0), time, 1.0, at(0)));
    queue.configure(4, Relabelling::default());
    assert_eq!((times(&mut queue), queue.given_up), (vec![7, 8, 9, 10], 6));
}

#[test]
fn memory_is_bounded_whatever_comes() {
    assert!(size_of::<Item>() <= 32);
    let mut queue = queue(10_000);
    // Each series has one sample, one a second: after an hour it is forgotten.
    for second in 0..100_000 {
        queue.push(&series(second), second as i64 * 1000, 1.0, at(0));
    }
    assert_eq!(queue.items.len(), 10_000);
    assert!(queue.items.capacity() <= 16_384, "{}", queue.items.capacity());
    assert!(queue.known.len() <= 2 * 3601, "{}", queue.known.len());
    // Once it is sent, the memory is given back.
    queue.send(10_000);
    queue.sent(true);
    assert!(queue.items.capacity() < 100, "{}", queue.items.capacity());
}
