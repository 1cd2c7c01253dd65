//! A store in a process that is killed at any moment, and on a disk that is full.
//!
//! The writing process is this test program, started again with a variable that names its folder.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::sample::Samples;
use tsdb::source::Source;
use tsdb::store::{Append, Handle, Options, Store};

const FOLDER: &str = "TSDB_TEST_FOLDER";
const SERIES: usize = 20;
const INTERVAL: i64 = 100;
/// Commits between flushes.
const FLUSH_ROUNDS: i64 = 7;
const KILLS: u64 = 40;

fn options() -> Options {
    // Seconds, so that blocks are cut and merged all the time.
    let (block, retention) = (Duration::from_secs(5), Duration::from_secs(1_000_000));
    Options { block, retention, ..Options::default() }
}

/// What a series has at a time, known without asking anybody.
fn value(place: usize, time: i64) -> f64 {
    match place % 3 {
        0 => (time / INTERVAL * place as i64) as f64,
        1 => ((time / INTERVAL) % 1000) as f64 / 100.0,
        _ => ((time + place as i64) as f64).sin(),
    }
}

fn handles(store: &Store) -> Vec<Handle> {
    let labels = |place: usize| Labels::from_pairs([("place", place.to_string())]);
    (0..SERIES).map(|place| store.series(&labels(place)).expect("few series")).collect()
}

/// Writes until it is killed; says on its output which time is flushed.
#[test]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (store, _) = Store::open(Path::new(&folder), options(), 0).expect("a good folder");
    let handles = handles(&store);
    let mut time = store.statistics().newest.map_or(0, |newest| newest + INTERVAL);
    loop {
        for _ in 0..FLUSH_ROUNDS {
            let samples: Vec<_> = handles
                .iter()
                .enumerate()
                .map(|(place, series)| Append { series, time, value: value(place, time) })
                .collect();
            assert!(store.commit(&samples).is_logged);
            time += INTERVAL;
        }
        store.flush().expect("the disk is good");
        println!("flushed {}", time - INTERVAL);
        assert_eq!(store.maintain(time).notes, [] as [String; 0]);
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "writer", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started")
}

/// Checks that all samples up to `flushed` are there, and no wrong ones after it.
fn check(store: &Store, flushed: i64) {
    let all = store.select(&[], i64::MIN, i64::MAX).expect("nothing is damaged");
    assert_eq!(all.len(), SERIES);
    for series in all {
        let place: usize =
            series.labels().get("place").and_then(|place| place.parse().ok()).expect("it");
        let mut samples = Samples::default();
        series.read(i64::MIN, i64::MAX, &mut samples).expect("nothing is damaged");
        assert!(samples.times.last().is_some_and(|last| *last >= flushed), "{flushed} is missing");
        for (rank, (time, held)) in samples.times.iter().zip(&samples.values).enumerate() {
            assert_eq!(*time, rank as i64 * INTERVAL, "series {place}");
            assert_eq!(held.to_bits(), value(place, *time).to_bits(), "series {place} at {time}");
        }
    }
}

#[test]
fn what_was_flushed_survives_kills_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut flushed = -1;
    let mut random = 42u64;
    for _ in 0..KILLS {
        let mut child = start(folder.path());
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut told = 0;
        for line in lines.by_ref().map_while(Result::ok) {
            // The harness writes the test's name before the first line.
            let Some((_, time)) = line.rsplit_once("flushed ") else { continue };
            flushed = time.parse().expect("a time");
            told += 1;
            if told > random >> 58 {
                break;
            }
        }
        // Not at a line's end only: it goes on until the signal comes.
        std::thread::sleep(Duration::from_micros(random >> 40 & 0xfff));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        for line in lines.map_while(Result::ok) {
            let time = line.rsplit_once("flushed ").and_then(|(_, time)| time.parse().ok());
            flushed = time.unwrap_or(flushed);
        }
        assert!(flushed >= 0, "the writer did not begin");
        let (store, recovery) = Store::open(folder.path(), options(), 0).expect("a good folder");
        assert!(recovery.losses.iter().all(|loss| loss.contains("were cut off")), "{recovery}");
        check(&store, flushed);
    }
}
