//! Joins the results of several processes into those of the whole.
//!
//! Everything is a sum: counts add up, histograms add up (a percentile of the whole, not a mean of
//! percentiles), buckets of time add up where they cover the same time. Refused is what would give
//! figures of nothing that happened: the same run twice, runs of different plans or of the same part
//! of one, runs one after the other; all but the first can be forced.
//!
//! Invariant: the order of the files changes nothing but the order of names.

use std::time::Duration;

use thiserror::Error;

use super::figures;
use super::results::{Ended, GroupModel, Part, Results};
use super::tally::Tally;
use super::timeline::{BUCKETS_MAX, Bucket, Timeline};

/// Why results cannot be joined. Files are named.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MergeError {
    /// There is nothing to join.
    #[error("there are no results to join; name two files or more")]
    Nothing,
    /// A run would count twice.
    #[error("{first} and {second} hold the same run, which would count twice; name each run once")]
    Twice {
        /// A file.
        first: String,
        /// Another with the same.
        second: String,
    },
    /// They are not of one plan.
    #[error(
        "{first} and {second} are not parts of one run: {difference}; compare them instead (plimsoll \
         bench compare), or join them all the same with --force"
    )]
    Different {
        /// A file.
        first: String,
        /// One that does not go with it.
        second: String,
        /// What differs.
        difference: String,
    },
}

/// Joins results, each with its file's name; `force` joins those of different plans and times too.
///
/// # Errors
///
/// Where they do not belong together; never for a single one.
pub fn merge(parts: &[(String, Results)], force: bool) -> Result<Results, MergeError> {
    let Some(((first_name, first), others)) = parts.split_first() else {
        return Err(MergeError::Nothing);
    };
    for (index, (name, results)) in parts.iter().enumerate() {
        if let Some((twin, _)) = parts[..index].iter().find(|(_, other)| other == results) {
            return Err(MergeError::Twice { first: twin.clone(), second: name.clone() });
        }
    }
    for (name, results) in others {
        if let Some(difference) = difference(first, results).filter(|_| !force) {
            let (first, second) = (first_name.clone(), name.clone());
            return Err(MergeError::Different { first, second, difference });
        }
    }
    // From the earliest on: the others' buckets lie behind it.
    let mut ordered: Vec<&Results> = parts.iter().map(|(_, results)| results).collect();
    ordered.sort_by_key(|results| results.run.started_at);
    let mut whole = ordered[0].clone();
    for results in &ordered[1..] {
        absorb(&mut whole, results);
    }
    whole.run.name.clone_from(&first.run.name);
    whole.run.parts.sort_unstable();
    whole.bound_instances();
    Ok(whole)
}

/// What keeps two results from being parts of one run.
fn difference(first: &Results, second: &Results) -> Option<String> {
    let (one, other) = (&first.run, &second.run);
    if one.name != other.name {
        return Some(format!("one ran \"{}\", the other \"{}\"", one.name, other.name));
    }
    let of_plan = |groups: &[GroupModel]| -> Vec<GroupModel> {
        groups.iter().map(|group| GroupModel { processes: 0, ..group.clone() }).collect()
    };
    if of_plan(&one.groups) != of_plan(&other.groups) {
        let load = |results: &Results| -> String {
            let groups = &results.run.groups;
            groups.iter().map(|group| group.load.as_str()).collect::<Vec<_>>().join("; ")
        };
        return Some(format!(
            "one's load was \"{}\", the other's \"{}\"",
            load(first),
            load(second)
        ));
    }
    if let Some(difference) = difference_of_parts(&one.parts, &other.parts) {
        return Some(difference);
    }
    let gap =
        |earlier: &Results, later: &Results| since(earlier, later).checked_sub(earlier.run.elapsed);
    let (earlier, later) =
        if one.started_at <= other.started_at { (first, second) } else { (second, first) };
    gap(earlier, later)
        .map(|gap| format!("one had ended when the other began, {} later", figures::duration(gap)))
}

/// What keeps parts of a load from belonging together.
fn difference_of_parts(one: &[Part], other: &[Part]) -> Option<String> {
    let ofs = [one, other].map(|parts| parts.first().map_or(1, |part| part.of));
    if ofs[0] != ofs[1] {
        return Some(format!(
            "one is of a load in {}, the other of one in {}",
            figures::plural(u64::from(ofs[0]), "part"),
            figures::plural(u64::from(ofs[1]), "part")
        ));
    }
    // Processes that each make the whole load may be as many as one likes.
    let twice = one.iter().find(|part| **part != Part::WHOLE && other.contains(part))?;
    Some(format!("both hold part {}/{} of the load", twice.index, twice.of))
}

/// From the beginning of one to that of a later one.
fn since(earlier: &Results, later: &Results) -> Duration {
    let span = later.run.started_at.duration_since(earlier.run.started_at);
    Duration::try_from(span).unwrap_or_default()
}

/// Adds `other`, which did not begin earlier.
fn absorb(whole: &mut Results, other: &Results) {
    let offset = since(whole, other);
    whole.run.elapsed = whole.run.elapsed.max(offset + other.run.elapsed);
    whole.run.parts.extend(&other.run.parts);
    for machine in &other.run.machines {
        if !whole.run.machines.contains(machine) {
            whole.run.machines.push(machine.clone());
        }
    }
    for text in &other.run.left_out {
        if !whole.run.left_out.contains(text) {
            whole.run.left_out.push(text.clone());
        }
    }
    for group in &other.run.groups {
        let is_it = |known: &&mut GroupModel| {
            (&known.name, known.open, &known.load) == (&group.name, group.open, &group.load)
        };
        match whole.run.groups.iter_mut().find(is_it) {
            Some(known) => known.processes += group.processes,
            None => whole.run.groups.push(group.clone()),
        }
    }
    if whole.run.ended == Ended::Finished {
        whole.run.ended = other.run.ended;
    }
    whole.total.absorb(&other.total);
    by_name(&mut whole.labels, &other.labels);
    by_name(&mut whole.transactions, &other.transactions);
    for (name, tally) in &other.instances {
        whole.instances.entry(name.clone()).or_default().absorb(tally);
    }
    whole.unnamed += other.unnamed;
    for (name, count) in &other.checks {
        let of = whole.checks.entry(name.clone()).or_default();
        of.passed += count.passed;
        of.failed += count.failed;
    }
    for (kind, words) in &other.examples {
        whole.examples.entry(kind.clone()).or_insert_with(|| words.clone());
    }
    let (connections, others) = (&mut whole.connections, &other.connections);
    connections.opened += others.opened;
    connections.failed += others.failed;
    connections.connect_time.absorb(&others.connect_time);
    connections.tls_time.absorb(&others.tls_time);
    let (tester, others) = (&mut whole.tester, &other.tester);
    tester.threads += others.threads;
    tester.processor_time += others.processor_time;
    tester.thread_time.extend(&others.thread_time);
    tester.scheduling_lag.absorb(&others.scheduling_lag);
    tester.due += others.due;
    tester.waited += others.waited;
    tester.unsent += others.unsent;
    tester.given_up += others.given_up;
    tester.exhausted += others.exhausted;
    overlay(&mut whole.timeline, &other.timeline, offset);
}

fn by_name(whole: &mut Vec<(String, Tally)>, other: &[(String, Tally)]) {
    for (name, tally) in other {
        match whole.iter_mut().find(|(known, _)| known == name) {
            Some((_, of)) => of.absorb(tally),
            None => whole.push((name.clone(), tally.clone())),
        }
    }
}

/// Adds a timeline that begins `offset` later, to the nearest bucket. The wider buckets win.
fn overlay(whole: &mut Timeline, other: &Timeline, offset: Duration) {
    let mut other = other.clone();
    let shift = loop {
        while whole.width < other.width {
            whole.halve();
        }
        while other.width < whole.width {
            other.halve();
        }
        let shift = (offset.as_secs_f64() / whole.width.as_secs_f64()).round() as usize;
        if shift + other.buckets.len() <= BUCKETS_MAX {
            break shift;
        }
        whole.halve();
    };
    let length = shift + other.buckets.len();
    if whole.buckets.len() < length {
        whole.buckets.resize_with(length, Bucket::default);
    }
    for (bucket, later) in whole.buckets[shift..].iter_mut().zip(&other.buckets) {
        bucket.absorb(later);
        bucket.in_flight += later.in_flight;
        bucket.users += later.users;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::super::results::{INSTANCES_MAX, OTHER_INSTANCES};
    use super::*;

    fn named(results: [Results; 2]) -> Vec<(String, Results)> {
        ["a.json", "b.json"].map(str::to_owned).into_iter().zip(results).collect()
    }

    /// Two halves of a run, the second begun later.
    fn parts(later: &str) -> [Results; 2] {
        let (first, mut second) = (fixtures::run_of_shop(1), fixtures::run_of_shop(2));
        second.run.started_at = later.parse().unwrap();
        second.run.machines = vec!["tester-2".to_owned()];
        second.labels.swap(0, 2);
        [first, second]
    }

    #[test]
    fn everything_adds_up() {
        let [first, second] = parts("2026-03-01T12:00:02.1Z");
        let whole = merge(&named([first.clone(), second.clone()]), false).unwrap();
        let mut total = first.total.clone();
        total.absorb(&second.total);
        assert!(whole.total == total);
        assert_eq!(whole.run.elapsed, second.run.elapsed + Duration::from_millis(2100));
        assert_eq!((whole.run.parts.len(), whole.tester.threads), (2, 4));
        assert_eq!(whole.run.machines, ["tester-1", "tester-2"]);
        let labels: Vec<&str> = whole.labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(labels, ["GET /", "GET /basket", "POST /order"]);
        assert_eq!(
            whole.labels[0].1.requests,
            first.labels[0].1.requests + second.labels[2].1.requests
        );
        let rounds = |results: &Results| results.transactions[0].1.requests;
        assert_eq!(rounds(&whole), rounds(&first) + rounds(&second));
        let lags = |results: &Results| results.tester.scheduling_lag.count();
        assert_eq!(lags(&whole), lags(&first) + lags(&second));
        assert_eq!(whole.connections.connect_time.count(), 96);
        assert_eq!(whole.unnamed, 6);
        assert_eq!(whole.checks["order has a number"].failed, 4);
        assert_eq!(whole.tester.due, 60_000);
        // The joined percentile is that of all requests, and differs from any mean of the two.
        let of = |results: &Results| results.instances["web-3"].response_time.clone();
        let mut joined = of(&first);
        joined.absorb(&of(&second));
        assert!(of(&whole) == joined);
    }

    #[test]
    fn times_are_aligned_by_the_clock() {
        let [first, second] = parts("2026-03-01T12:00:02.1Z");
        let whole = merge(&named([first.clone(), second.clone()]), false).unwrap();
        let buckets = &whole.timeline.buckets;
        assert_eq!(buckets.len(), 32);
        assert_eq!(buckets[1].requests, 1000);
        assert_eq!((buckets[2].requests, buckets[2].in_flight), (2000, 48));
        assert_eq!(buckets[31].requests, 1000);
        let mut expected = first.timeline.buckets[22].response_time.clone();
        expected.absorb(&second.timeline.buckets[20].response_time);
        assert!(buckets[22].response_time == expected);
        // Whichever file is named first.
        let turned = merge(&named([second, first]), false).unwrap();
        assert!(turned.timeline == whole.timeline && turned.total == whole.total);
    }

    #[test]
    fn a_wider_timeline_widens_the_other() {
        let [mut first, second] = parts("2026-03-01T12:00:04Z");
        first.timeline.halve();
        let whole = merge(&named([first, second]), false).unwrap();
        assert_eq!(
            (whole.timeline.width, whole.timeline.buckets.len()),
            (Duration::from_secs(2), 17)
        );
        assert_eq!(whole.timeline.buckets[2].requests, 4000);
        let sum: u64 = whole.timeline.buckets.iter().map(|bucket| bucket.requests).sum();
        assert_eq!(sum, 60_000);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let refused =
            |results: [Results; 2]| merge(&named(results), false).unwrap_err().to_string();
        let [first, second] = parts("2026-03-01T12:00:00Z");
        assert_eq!(
            refused([first.clone(), first.clone()]),
            "a.json and b.json hold the same run, which would count twice; name each run once"
        );
        assert!(merge(&named([first.clone(), first.clone()]), true).is_err(), "even by force");
        let mut other = second.clone();
        other.run.groups[0].load = "500 requests a second, evenly spaced, for 30 s".to_owned();
        assert_eq!(
            refused([first.clone(), other.clone()]),
            "a.json and b.json are not parts of one run: one's load was \"1 000 requests a second, \
             evenly spaced, for 30 s\", the other's \"500 requests a second, evenly spaced, for 30 \
             s\"; compare them instead (plimsoll bench compare), or join them all the same with --force"
        );
        assert_eq!(merge(&named([first.clone(), other]), true).unwrap().run.groups.len(), 2);
        let mut late = second.clone();
        late.run.started_at = "2026-03-01T12:02:30Z".parse().unwrap();
        let words = refused([late, first.clone()]);
        assert!(words.contains("one had ended when the other began, 2 m later"), "{words}");
        assert_eq!(merge(&[], false), Err(MergeError::Nothing));
        let single = merge(&[("a.json".to_owned(), first.clone())], false).unwrap();
        assert!(single == first);
    }

    #[test]
    fn a_part_that_was_cut_short_cuts_the_whole() {
        for (cut, place) in [(Ended::Interrupted, 0), (Ended::Stopped, 1)] {
            let mut parts = parts("2026-03-01T12:00:00Z");
            parts[place].run.ended = cut;
            assert_eq!(merge(&named(parts), false).unwrap().run.ended, cut);
        }
    }

    #[test]
    fn processes_that_make_the_whole_load_each_are_told_as_often() {
        let [first, second] = parts("2026-03-01T12:00:00Z");
        let load = "1 000 requests a second, evenly spaced, for 30 s";
        let whole = merge(&named([first.clone(), second.clone()]), false).unwrap();
        assert_eq!(whole.run.load(&whole.run.groups[0]), format!("2 times {load}"));
        let again = merge(&named([whole, first]), true).unwrap();
        assert_eq!(again.run.load(&again.run.groups[0]), format!("3 times {load}"));
        assert_eq!(again.run.missing(), None);
    }

    #[test]
    fn parts_of_a_load_are_joined_once_each() {
        let [mut first, mut second] = parts("2026-03-01T12:00:00Z");
        let refused =
            |one: &Results, other: &Results| merge(&named([one.clone(), other.clone()]), false);
        first.run.parts = vec![Part { index: 1, of: 3 }];
        let words = refused(&first, &second).unwrap_err().to_string();
        assert!(
            words.contains("one is of a load in 3 parts, the other of one in 1 part"),
            "{words}"
        );
        second.run.parts = vec![Part { index: 1, of: 3 }];
        let words = refused(&first, &second).unwrap_err().to_string();
        assert!(words.contains("both hold part 1/3 of the load"), "{words}");
        second.run.parts = vec![Part { index: 0, of: 3 }];
        let whole = refused(&first, &second).unwrap();
        assert_eq!(whole.run.parts, [0, 1].map(|index| Part { index, of: 3 }));
        assert_eq!(whole.run.missing(), Some((1, 3)));
        assert_eq!(whole.run.load(&whole.run.groups[0]), first.run.groups[0].load);
    }

    #[test]
    fn further_instances_count_together() {
        let [mut first, mut second] = parts("2026-03-01T12:00:00Z");
        let tally = Tally { requests: 3, ..Tally::default() };
        first.instances = (0..INSTANCES_MAX).map(|n| (format!("i-{n}"), tally.clone())).collect();
        second.instances = (0..9).map(|n| (format!("j-{n}"), tally.clone())).collect();
        let busy = Tally { requests: 4, ..Tally::default() };
        second.instances.insert("z".to_owned(), busy);
        for (results, letter) in [(&mut first, 'i'), (&mut second, 'j')] {
            for bucket in &mut results.timeline.buckets {
                bucket.instances = (0..9).map(|n| (format!("{letter}-{n}"), 1)).collect();
            }
        }
        let whole = merge(&named([first.clone(), second.clone()]), false).unwrap();
        assert_eq!(whole.instances.len(), INSTANCES_MAX + 1);
        assert_eq!(whole.instances["z"].requests, 4, "the busiest stay");
        assert_eq!(whole.instances[OTHER_INSTANCES].requests, 30);
        let seconds = &whole.timeline.buckets[3].instances;
        assert_eq!((seconds.len(), seconds[OTHER_INSTANCES]), (10, 9));
        let turned = merge(&named([second, first]), false).unwrap();
        assert!(turned.instances == whole.instances && turned.timeline == whole.timeline);
    }
}
