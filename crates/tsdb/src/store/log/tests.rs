use std::sync::Arc;

use super::*;
use crate::labels::Labels;
use crate::sample::STALE;
use crate::store::disk::Disk;
use crate::store::index::Index;

/// Series, time and bits of the value.
type Logged = Vec<(u64, i64, u64)>;

fn read_back(path: &Path) -> (Logged, Vec<(u64, Labels)>, SegmentEnd) {
    let (mut samples, mut definitions) = (Vec::new(), Vec::new());
    let end = read_segment(path, |record| match record {
        Record::Sample(id, time, value) => samples.push((id, time, value.to_bits())),
        Record::Definition(id, labels) => definitions.push((id, labels)),
        Record::Chunk(..) => {}
    });
    (samples, definitions, end.expect("it can be read"))
}

#[test]
fn samples_come_back_with_their_series_in_each_segment() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut index = Index::new();
    let entries: Vec<_> = (0..5)
        .map(|place| {
            index.intern(&Labels::from_pairs([("place", place.to_string())])).expect("few")
        })
        .collect();
    let mut log = Log::new(Arc::new(Disk::default()), folder.path().to_owned(), 6);
    let values =
        [0.0, -0.0, 1.5, STALE, -3.0, 1e300, f64::INFINITY, -9.3e18, 281_474_976_710_656.0];
    let mut wanted = Vec::new();
    for (place, value) in values.into_iter().cycle().take(100).enumerate() {
        let entry = &entries[place * 3 % 5];
        let time = i64::MIN + (place as i64 / 5) * (i64::MAX / 20);
        log.sample(entry, time, value);
        wanted.push((u64::from(entry.id), time, value.to_bits()));
        if place % 10 == 9 {
            log.commit().expect("the disk is good");
        }
        if place == 49 {
            assert_eq!(log.rotate(), 7);
        }
    }
    let files = files(folder.path()).expect("a folder");
    let names: Vec<_> = files.segments.iter().map(|(number, _)| *number).collect();
    assert_eq!(names, [7, 8]);
    let (first, definitions, end) = read_back(&files.segments[0].1);
    assert_eq!((definitions.len(), end.why), (5, None));
    let (second, definitions, _) = read_back(&files.segments[1].1);
    assert_eq!(definitions.len(), 5);
    assert_eq!([first, second].concat(), wanted);
}

#[test]
fn after_a_failure_series_are_defined_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut index = Index::new();
    let entry = index.intern(&Labels::from_pairs([("a", "b")])).expect("few");
    let disk = Arc::new(Disk::default());
    let mut log = Log::new(disk.clone(), folder.path().to_owned(), 0);
    let fault = |number| disk.fault.store(number, std::sync::atomic::Ordering::SeqCst);
    fault(28);
    log.sample(&entry, 1, 1.0);
    assert!(log.commit().is_err() && log.is_broken());
    fault(0);
    log.rotate();
    for time in 2..4 {
        log.sample(&entry, time, 1.0);
        log.commit().expect("the disk is good");
    }
    // Half of this one gets to the file and is cut off again.
    fault(28);
    log.sample(&entry, 4, 0.5);
    assert!(log.commit().is_err());
    let files = files(folder.path()).expect("a folder");
    let (samples, definitions, end) = read_back(&files.segments[0].1);
    assert_eq!((samples.len(), definitions.len(), end.why), (2, 1, None));
}
