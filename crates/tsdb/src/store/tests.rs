use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::labels::Labels;
use crate::sample::{STALE, Samples};
use crate::source::{Condition, Matcher, ReadError, Source};

mod ahead;
mod damage;

/// Ten seconds, so that blocks come quickly.
const WINDOW: i64 = 10_000;

fn options() -> Options {
    let block = Duration::from_millis(WINDOW as u64);
    Options { block, retention: Duration::from_secs(1_000_000), ..Options::default() }
}

fn open(folder: &TempDir, options: &Options) -> (Store, Recovery) {
    Store::open(folder.path(), options.clone(), 0).expect("a good folder")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn labels(metric: &str, instance: usize) -> Labels {
    Labels::from_pairs([("__name__", metric), ("instance", &format!("web-{instance}"))])
}

fn append(store: &Store, labels: &Labels, time: i64, value: f64) -> Committed {
    let series = store.series(labels).expect("few series");
    store.commit(&[Append { series: &series, time, value }])
}

fn read_all(store: &Store, from: i64, to: i64) -> Result<BTreeMap<Labels, Samples>, ReadError> {
    let mut all = BTreeMap::new();
    for series in store.select(&[], from, to)? {
        let mut samples = Samples::default();
        series.read(from, to, &mut samples)?;
        if !samples.is_empty() {
            assert!(all.insert(series.labels().clone(), samples).is_none(), "twice");
        }
    }
    Ok(all)
}

/// What a store must hold: bits of values by time.
type Model = BTreeMap<Labels, BTreeMap<i64, u64>>;

fn is_like(store: &Store, model: &Model, from: i64, to: i64) {
    let all = read_all(store, from, to).expect("nothing is damaged");
    let held: Model = all
        .into_iter()
        .map(|(labels, samples)| {
            assert!(samples.times.is_sorted_by(|a, b| a < b));
            let pairs = samples.times.into_iter().zip(samples.values);
            (labels, pairs.map(|(time, value)| (time, value.to_bits())).collect())
        })
        .collect();
    let wanted: Model = model
        .iter()
        .map(|(labels, samples)| {
            let inside = samples.iter().filter(|(time, _)| (from..=to).contains(*time));
            (labels.clone(), inside.map(|(time, bits)| (*time, *bits)).collect::<BTreeMap<_, _>>())
        })
        .filter(|(_, samples)| !samples.is_empty())
        .collect();
    assert_eq!(held, wanted, "between {from} and {to}");
}

#[derive(Debug, Clone)]
enum Step {
    /// Series, time after the last one of all, value.
    Append(usize, i64, f64),
    /// So many samples of all series at a regular interval.
    Run(i64, i64),
    Flush,
    /// So much later.
    Maintain(i64),
    Reopen,
    Read(i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1000i32..1000).prop_map(|number| f64::from(number) / 100.0),
        Just(STALE),
    ];
    prop_oneof![
        6 => (0usize..6, -3000i64..5000, value).prop_map(|(series, later, value)| {
            Step::Append(series, later, value)
        }),
        3 => (1i64..200, 1i64..400).prop_map(|(count, interval)| Step::Run(count, interval)),
        1 => Just(Step::Flush),
        3 => (0i64..40_000).prop_map(Step::Maintain),
        1 => Just(Step::Reopen),
        2 => (-1000i64..200_000, 0i64..100_000).prop_map(|(from, span)| Step::Read(from, from + span)),
    ]
}

fn follow(steps: Vec<Step>) {
    let (folder, options) = (folder(), options());
    let (mut store, _) = open(&folder, &options);
    let mut model = Model::new();
    let (mut now, mut last) = (0, 0);
    for step in steps {
        match step {
            Step::Append(series, later, value) => {
                let (labels, time) = (labels("a", series), last + later);
                let committed = append(&store, &labels, time, value);
                let samples = model.entry(labels).or_default();
                let newest = samples.last_key_value().map(|(time, bits)| (*time, *bits));
                let is_before = committed.refused.before_blocks == 1;
                assert!(!is_before || time < now, "only what is past can be in blocks");
                if committed.accepted == 1 {
                    assert!(newest.is_none_or(|newest| newest.0 < time));
                    samples.insert(time, value.to_bits());
                    last = last.max(time);
                } else if !is_before {
                    let newest = newest.expect("refused without another");
                    assert!(time <= newest.0);
                    let is_repeated = newest == (time, value.to_bits());
                    let is_conflicting = newest.0 == time && !is_repeated;
                    let refused = committed.refused;
                    assert_eq!(committed.repeated, u64::from(is_repeated));
                    assert_eq!(refused.conflicting, u64::from(is_conflicting));
                    assert_eq!(refused.old, u64::from(time < newest.0));
                }
            }
            Step::Run(count, interval) => {
                for round in 0..count {
                    last += interval;
                    for series in 0..3 {
                        let labels = labels("b", series);
                        let value = (round * series as i64) as f64 / 4.0;
                        if append(&store, &labels, last, value).accepted == 1 {
                            let samples = model.entry(labels).or_default();
                            samples.insert(last, value.to_bits());
                        }
                    }
                }
            }
            Step::Flush => store.flush().expect("the disk is good"),
            Step::Maintain(later) => {
                now += later;
                let maintenance = store.maintain(now);
                assert_eq!(maintenance.notes, [] as [String; 0]);
                assert_eq!(store.trouble(), None);
            }
            Step::Reopen => {
                drop(store);
                let recovery;
                (store, recovery) = open(&folder, &options);
                assert_eq!(recovery.losses, [] as [String; 0]);
            }
            Step::Read(from, to) => is_like(&store, &model, from, to),
        }
    }
    is_like(&store, &model, i64::MIN, i64::MAX);
    let statistics = store.statistics();
    let count: usize = model.values().map(BTreeMap::len).sum();
    assert_eq!(statistics.samples_young + statistics.samples_in_blocks, count as u64);
    let oldest = model.values().filter_map(|samples| samples.first_key_value()).min();
    assert_eq!(statistics.oldest, oldest.map(|(time, _)| *time));
    drop(store);
    let (store, recovery) = open(&folder, &options);
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert_eq!(recovery.samples_from_log + recovery.samples_in_blocks, count as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_store_holds_what_was_accepted(steps in prop::collection::vec(step(), 1..60)) {
        follow(steps);
    }
}

/// A sample of every series each 100 ms, in `from..to`, with what the model must hold of it.
fn fill(store: &Store, series: usize, from: i64, to: i64) -> Model {
    let mut model = Model::new();
    let handles: Vec<_> =
        (0..series).map(|place| store.series(&labels("a", place)).expect("few series")).collect();
    for time in (from..to).step_by(100) {
        let values: Vec<_> = (0..series).map(|place| (time * place as i64) as f64 / 8.0).collect();
        let samples = handles.iter().zip(&values);
        let samples: Vec<_> =
            samples.map(|(series, value)| Append { series, time, value: *value }).collect();
        assert_eq!(store.commit(&samples).accepted, series as u64);
        for (place, value) in values.iter().enumerate() {
            model.entry(labels("a", place)).or_default().insert(time, value.to_bits());
        }
    }
    model
}

/// Maintains until there is nothing left to do; says what was done.
fn maintain_all(store: &Store, now: i64) -> Maintenance {
    let mut sum = Maintenance::default();
    loop {
        let done = store.maintain(now);
        sum.notes.extend(done.notes);
        sum.cut += done.cut;
        sum.merged += done.merged;
        sum.dropped += done.dropped;
        if done.cut + done.merged + done.dropped == 0 {
            return sum;
        }
    }
}

#[test]
fn blocks_are_cut_merged_and_dropped() {
    let folder = folder();
    let retention = Duration::from_millis(30 * 12 * WINDOW as u64);
    let options = Options { retention, ..options() };
    let (store, _) = open(&folder, &options);
    let model = fill(&store, 3, 0, 13 * WINDOW);
    assert_eq!(maintain_all(&store, WINDOW).cut, 0, "late samples may come");
    let done = maintain_all(&store, 14 * WINDOW);
    assert_eq!((done.cut, done.notes.len()), (13, 0));
    assert_eq!(done.merged, 4 + 4 + 4 + 3, "thrice four, and the three of them");
    let spans: Vec<_> = store.blocks().iter().map(|block| (block.start, block.end)).collect();
    assert_eq!(spans, [(0, 12 * WINDOW), (12 * WINDOW, 13 * WINDOW)]);
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert_eq!(store.statistics().series_young, 0);
    assert_eq!(fs::read_dir(store.blocks_folder()).expect("a folder").count(), 2);
    let done = maintain_all(&store, 42 * 12 * WINDOW);
    assert_eq!(done.dropped, 2);
    assert_eq!(store.statistics(), Statistics { log_bytes: 17, ..Statistics::default() });
    assert_eq!(fs::read_dir(store.blocks_folder()).expect("a folder").count(), 0);
}

#[test]
fn the_oldest_blocks_go_when_there_are_too_many_bytes() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    fill(&store, 3, 0, 3 * WINDOW);
    maintain_all(&store, 4 * WINDOW);
    let bytes = store.statistics().block_bytes;
    drop(store);
    let (store, _) = open(&folder, &Options { bytes_max: bytes - 1, ..options() });
    assert_eq!(maintain_all(&store, 4 * WINDOW).dropped, 1);
    assert_eq!(store.statistics().oldest, Some(WINDOW));
    let all = read_all(&store, i64::MIN, i64::MAX).expect("nothing is damaged");
    assert!(all.values().all(|samples| samples.times[0] == WINDOW));
}

#[test]
fn a_folder_is_open_in_one_place() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let second = Store::open(folder.path(), options(), 0);
    let message = second.err().map(|error| error.to_string()).unwrap_or_default();
    let process = std::process::id();
    assert_eq!(
        message,
        format!(
            "the store in {} is open in another process ({process}); stop that one or use another folder",
            folder.path().display()
        )
    );
    drop(store);
    open(&folder, &options());
}

#[test]
fn too_many_series_are_refused_and_the_worst_named() {
    let folder = folder();
    let (store, _) = open(&folder, &Options { series_max: 5, ..options() });
    for instance in 0..4 {
        assert_eq!(append(&store, &labels("up", instance), 1000, 1.0).accepted, 1);
    }
    let known = store.series(&labels("load", 0)).expect("the fifth");
    let error = store.series(&labels("load", 1)).expect_err("the sixth");
    assert_eq!(
        error.to_string(),
        "no new series: there are 5 with young samples, which is the limit (most series: up (4 \
         series), load (1 series); most values: instance (4 values)); drop labels with many values \
         or raise the limit"
    );
    assert_eq!(store.offenders(1).metrics, [Offender { count: 4, name: "up".into() }]);
    // Idle series make room, and a handle is good for longer than its series.
    assert_eq!(maintain_all(&store, 2 * WINDOW).cut, 1);
    assert_eq!(store.statistics().series_young, 0);
    let sample = Append { series: &known, time: 2 * WINDOW, value: 1.0 };
    assert_eq!(store.commit(&[sample]).accepted, 1);
    for instance in 10..14 {
        append(&store, &labels("up", instance), 2 * WINDOW, 1.0);
    }
    let up = store.series(&labels("up", 1)).expect("it is in a block");
    let refused = store.commit(&[Append { series: &up, time: 2 * WINDOW, value: 1.0 }]).refused;
    assert_eq!(refused, Refused { too_many_series: 1, ..Refused::default() });
}

#[test]
fn many_short_lived_series_are_refused_too() {
    let folder = folder();
    let (store, _) = open(&folder, &Options { series_max: 1, ..options() });
    for round in 0..index::TOTAL_FACTOR {
        let time = round as i64 * WINDOW;
        assert_eq!(append(&store, &labels("up", round), time, 1.0).accepted, 1);
        maintain_all(&store, time + 2 * WINDOW);
    }
    let error = store.series(&labels("up", 99)).expect_err("the ninth");
    assert!(error.to_string().contains("over the whole retention"), "{error}");
}

#[test]
fn lists_are_of_the_time_and_of_bounded_length() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    append(&store, &labels("old", 1), 5, 1.0);
    maintain_all(&store, 2 * WINDOW);
    append(&store, &labels("new", 2), 3 * WINDOW, 1.0);
    let values = |from, to, most| store.label_values("__name__", &[], from, to, most);
    assert_eq!(values(0, i64::MAX, 9).items, ["new", "old"]);
    assert_eq!(values(0, 100, 9).items, ["old"]);
    assert_eq!(values(WINDOW, i64::MAX, 9).items, ["new"]);
    assert!(!values(0, i64::MAX, 2).is_truncated && values(0, i64::MAX, 1).is_truncated);
    let new = Matcher { name: "instance".into(), condition: Condition::Equal("web-2".into()) };
    let new = std::slice::from_ref(&new);
    assert_eq!(store.label_values("__name__", new, 0, i64::MAX, 9).items, ["new"]);
    assert_eq!(store.label_names(new, 0, i64::MAX, 9).items, ["__name__", "instance"]);
    assert_eq!(store.list_series(new, 0, i64::MAX, 9).items, [labels("new", 2)]);
    // Of a part the first are told, not those that came first.
    assert_eq!(values(0, i64::MAX, 1).items, ["new"]);
    assert_eq!(store.list_series(&[], 0, i64::MAX, 1).items, [labels("new", 2)]);
    assert!(store.list_series(&[], 0, i64::MAX, 1).is_truncated);
    let none = store.label_names(&[], 0, i64::MAX, 0);
    assert!(none.items.is_empty() && none.is_truncated);
}

#[test]
fn a_disk_that_fails_stops_writing_and_nothing_else() {
    // ENOSPC, EIO, EROFS.
    for number in [28, 5, 30] {
        let folder = folder();
        let options = Options { memory_bytes_max: 60_000, ..options() };
        let (store, _) = open(&folder, &options);
        let mut model = fill(&store, 3, 0, WINDOW / 2);
        store.disk.fault.store(number, Ordering::SeqCst);
        assert!(!append(&store, &labels("a", 0), WINDOW / 2, 1.0).is_logged);
        let trouble = store.trouble().expect("it must be told");
        assert!(trouble.contains(&format!("(os error {number})")), "{trouble}");
        model.entry(labels("a", 0)).or_default().insert(WINDOW / 2, 1f64.to_bits());
        // Blocks cannot be cut; samples stay in memory, up to its bound.
        let more = fill(&store, 3, WINDOW / 2 + 100, 2 * WINDOW);
        more.into_iter().for_each(|(labels, samples)| {
            model.entry(labels).or_default().extend(samples);
        });
        let maintenance = store.maintain(3 * WINDOW);
        assert!(maintenance.cut == 0 && !maintenance.notes.is_empty());
        is_like(&store, &model, i64::MIN, i64::MAX);
        let mut refused = 0;
        for time in 2 * WINDOW..3 * WINDOW {
            let mixed = (time as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let value = f64::from_bits((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9));
            let committed = append(&store, &labels("b", 0), time, value);
            refused += committed.refused.memory_full;
            if committed.accepted == 1 {
                model.entry(labels("b", 0)).or_default().insert(time, value.to_bits());
            }
        }
        let held = store.statistics().memory_bytes;
        assert!(refused > 0 && held < 80_000, "{refused} refused, {held} bytes held");
        assert_eq!(store.statistics().refused.memory_full, refused);
        // Too early to try again.
        store.disk.fault.store(0, Ordering::SeqCst);
        assert_eq!(store.maintain(3 * WINDOW + 1).cut, 0);
        let done = store.maintain(3 * WINDOW + 20_000);
        assert_eq!((done.cut, store.trouble()), (3, None));
        is_like(&store, &model, i64::MIN, i64::MAX);
        append(&store, &labels("c", 0), 6 * WINDOW, 1.0);
        model.entry(labels("c", 0)).or_default().insert(6 * WINDOW, 1f64.to_bits());
        drop(store);
        let (store, recovery) = open(&folder, &options);
        is_like(&store, &model, i64::MIN, i64::MAX);
        assert_eq!(recovery.losses, [] as [String; 0]);
    }
}

#[test]
fn what_came_while_the_disk_failed_is_logged_when_it_works_again() {
    let (folder, options) = (folder(), options());
    let (store, _) = open(&folder, &options);
    store.disk.fault.store(28, Ordering::SeqCst);
    let mut model = fill(&store, 3, 0, WINDOW / 4);
    assert!(store.flush().is_ok(), "there is nothing to flush");
    store.disk.fault.store(0, Ordering::SeqCst);
    store.maintain(WINDOW);
    assert_eq!(store.trouble(), None);
    fill(&store, 3, WINDOW / 4, WINDOW / 2).into_iter().for_each(|(labels, samples)| {
        model.entry(labels).or_default().extend(samples);
    });
    store.disk.fault.store(5, Ordering::SeqCst);
    assert!(store.flush().is_err() && store.trouble().is_some());
    store.disk.fault.store(0, Ordering::SeqCst);
    store.maintain(WINDOW + 20_000);
    assert_eq!(store.trouble(), None);
    drop(store);
    let (store, recovery) = open(&folder, &options);
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert_eq!(recovery.losses, [] as [String; 0]);
}

#[test]
fn samples_that_are_in_memory_and_in_a_block_are_read_once() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let model = fill(&store, 3, 0, 2 * WINDOW);
    store.write_block(WINDOW).expect("the disk is good");
    assert_eq!(store.statistics().blocks, 1);
    is_like(&store, &model, i64::MIN, i64::MAX);
    is_like(&store, &model, WINDOW / 2, 3 * WINDOW / 2);
}

#[test]
fn queries_miss_nothing_while_blocks_are_cut_and_merged() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let end = 60 * WINDOW;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) || rounds == 0 {
                rounds += 1;
                let until = store.statistics().newest.unwrap_or(-100);
                let all = read_all(&store, 0, until).expect("nothing is damaged");
                // The first series is committed first, so it has all samples that were told.
                let times = all.get(&labels("a", 0)).map(|samples| samples.times.as_slice());
                let wanted: Vec<_> = (0..=until).step_by(100).collect();
                assert_eq!(times.unwrap_or_default(), wanted);
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for start in (0..end).step_by(WINDOW as usize / 2) {
            fill(&store, 3, start, start + WINDOW / 2);
            assert_eq!(store.maintain(start + WINDOW / 2).notes, [] as [String; 0]);
        }
        done.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().expect("no reader fails"));
    });
    assert!(store.statistics().blocks > 3);
}

#[test]
fn blocks_wait_while_samples_come_that_were_held_up() {
    let folder = folder();
    let window = 400_000;
    let options = Options { block: Duration::from_millis(400_000), ..options() };
    let mut now = 10 * window;
    let (store, _) = Store::open(folder.path(), options.clone(), now).expect("a good folder");
    let mut model = Model::new();
    // What a sender kept over six spans, in the order of time, while upkeep goes on.
    for start in (0..6 * window).step_by(window as usize / 4) {
        model_of(&store, &mut model, start, start + window / 4);
        now += 500;
        assert_eq!(store.maintain(now).cut, 0);
    }
    assert_eq!(store.maintain(now + 29_999).cut, 0);
    assert_eq!(store.maintain(now + 30_000).cut, 6);
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert_eq!(store.statistics().refused, Refused::default());
    // One whose clock is wrong does not keep blocks from being written for ever.
    now += 60_000;
    let mut cut = 0;
    for step in 0..11 {
        let time = 6 * window + step * 1000;
        let accepted = append(&store, &labels("b", 0), time, 1.0).accepted;
        assert_eq!(accepted, u64::from(cut == 0), "{step}");
        cut += store.maintain(now + step * 5_000).cut;
    }
    assert_eq!(cut, 1);
}

fn model_of(store: &Store, model: &mut Model, from: i64, to: i64) {
    for (labels, samples) in fill(store, 2, from, to) {
        model.entry(labels).or_default().extend(samples);
    }
}

#[test]
fn senseless_options_are_refused() {
    let folder = folder();
    let options = Options { block: Duration::from_millis(1), ..Options::default() };
    assert!(matches!(Store::open(folder.path(), options, 0), Err(OpenError::Options(_))));
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    match Store::open(&file, Options::default(), 0) {
        Err(OpenError::Folder { source, .. }) => {
            assert_eq!(source.kind(), ErrorKind::NotADirectory)
        }
        _ => panic!("a file is no folder"),
    }
}

#[test]
fn figures_do_not_wait_for_upkeep() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let store = Arc::new(store);
    append(&store, &labels("up", 1), 1, 1.0);
    // As while a disk takes its time.
    let upkeep = lock(&store.upkeep);
    let (told, (tell, heard)) = (Arc::clone(&store), std::sync::mpsc::channel());
    let asking = std::thread::spawn(move || tell.send(told.statistics().series));
    assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Ok(1));
    drop(upkeep);
    asking.join().expect("no panic").expect("it is heard");
}

#[test]
fn samples_of_a_wrong_clock_are_forgotten_for_good() {
    let folder = folder();
    let (known, young) = (labels("known", 1), labels("young", 1));
    {
        let (store, _) = open(&folder, &options());
        for time in 1..=300 {
            append(&store, &known, time, 1.0);
        }
        let before = store.statistics();
        for time in [WINDOW * 100, WINDOW * 100 + 1] {
            append(&store, &known, time, 2.0);
            append(&store, &young, time, 2.0);
        }
        assert_eq!(append(&store, &known, 302, 1.0).refused.old, 1, "they keep others out");
        assert_eq!(store.reach(), Some(WINDOW * 100 + 1));
        let retracted = store.retract(250);
        assert_eq!((retracted.young, retracted.blocks, retracted.notes.len()), (54, 0, 1));
        let after = store.statistics();
        assert_eq!((after.newest, after.samples_young), (Some(250), 250));
        assert_eq!((after.series, after.series_young), (1, 1));
        assert!(after.memory_bytes <= before.memory_bytes, "{after:?}");
        assert_eq!(append(&store, &known, 302, 1.0).accepted, 1);
        assert_eq!(append(&store, &young, 302, 1.0).accepted, 1);
        // Killed: the log alone says what there is.
    }
    let (store, _) = open(&folder, &options());
    let all = read_all(&store, 0, i64::MAX).expect("nothing is damaged");
    assert_eq!(all[&known].times.last(), Some(&302));
    assert_eq!((all[&known].len(), all[&young].len()), (251, 1));
}
