//! Blocks and samples that lie ahead of the clock.

use super::*;

const NOW: i64 = 10 * WINDOW + 5000;

fn names(folder: &TempDir) -> Vec<String> {
    let all = fs::read_dir(folder.path().join(BLOCKS_FOLDER)).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a file").file_name();
    let mut names: Vec<_> = all.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What is right up to `NOW`, then an hour of windows that a clock has dated ahead, all in blocks.
fn dated_ahead(folder: &TempDir) -> (Store, Model) {
    let (store, _) = open(folder, &options());
    let model = fill(&store, 3, 8 * WINDOW, NOW);
    fill(&store, 3, 100 * WINDOW, 102 * WINDOW);
    maintain_all(&store, 103 * WINDOW);
    (store, model)
}

#[test]
fn blocks_ahead_of_the_clock_are_set_aside_and_new_samples_go_in_at_once() {
    for is_restarted in [false, true] {
        let folder = folder();
        let (mut store, mut model) = dated_ahead(&folder);
        if is_restarted {
            drop(store);
            store = open(&folder, &options()).0;
        }
        assert_eq!(store.reach(), Some(102 * WINDOW));
        let other = labels("other", 1);
        assert_eq!(append(&store, &other, NOW + 1, 1.0).refused.before_blocks, 1);
        let done = store.retract(NOW);
        assert_eq!(done.notes.len(), done.blocks, "{done:?}");
        // Of the window of now all lies before it.
        assert!(!names(&folder).contains(&"80000-110000.block.ahead".to_owned()));
        assert!(done.blocks > 0 && done.notes[0].contains("lay ahead"), "{done:?}");
        assert!(store.reach().is_some_and(|reach| reach <= NOW + 1));
        // The window of now was cut already, and goes on.
        for (labels, later) in fill(&store, 1, NOW + 100, 12 * WINDOW) {
            model.entry(labels).or_default().extend(later);
        }
        is_like(&store, &model, i64::MIN, i64::MAX);
        maintain_all(&store, 13 * WINDOW);
        is_like(&store, &model, i64::MIN, i64::MAX);
        assert!(names(&folder).iter().any(|name| name.ends_with(".ahead")));
        drop(store);
        let (store, recovery) = open(&folder, &options());
        assert_eq!(recovery.losses, [] as [String; 0]);
        is_like(&store, &model, i64::MIN, i64::MAX);
        // Its time comes, and other samples were taken meanwhile.
        for time in [100 * WINDOW, 101 * WINDOW] {
            append(&store, &other, time, 1.0);
        }
        maintain_all(&store, 103 * WINDOW);
        assert!(names(&folder).iter().any(|name| name.ends_with(".ahead")));
    }
}

#[test]
fn history_comes_back_after_a_clock_that_was_behind() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let mut model = fill(&store, 3, 100 * WINDOW, 103 * WINDOW);
    maintain_all(&store, 104 * WINDOW);
    for (labels, later) in fill(&store, 2, 103 * WINDOW + 200, 103 * WINDOW + 500) {
        model.entry(labels).or_default().extend(later);
    }
    drop(store);
    let (store, _) = open(&folder, &options());
    let retracted = store.retract(5);
    assert_eq!((retracted.blocks, retracted.young), (3, 6));
    assert_eq!(store.statistics().series, 0);
    append(&store, &labels("young", 1), 6, 1.0);
    assert_eq!(store.maintain(7).notes, [] as [String; 0]);
    // The clock is right again: what it dated wrongly is cut, and what was there is back.
    let report = store.maintain(104 * WINDOW);
    assert_eq!((report.cut, report.notes.len()), (1, 4), "{report}");
    assert!(report.notes[0].contains("is there again"), "{report}");
    is_like(&store, &model, 100 * WINDOW, i64::MAX);
    assert_eq!(append(&store, &labels("young", 1), 102 * WINDOW, 1.0).refused.before_blocks, 1);
    assert!(names(&folder).iter().all(|name| name.ends_with(".block")), "{:?}", names(&folder));
}

#[test]
fn a_disk_that_fails_leaves_the_block_where_it_is() {
    let folder = folder();
    let (store, model) = dated_ahead(&folder);
    store.disk.fault.store(28, Ordering::SeqCst);
    let done = store.retract(9 * WINDOW);
    assert!(done.notes.iter().any(|note| note.contains("keeps new samples out")), "{done:?}");
    store.disk.fault.store(0, Ordering::SeqCst);
    assert!(store.retract(9 * WINDOW).blocks > 0);
    is_like(&store, &model, i64::MIN, 9 * WINDOW);
    drop(store);
    let (store, _) = open(&folder, &options());
    is_like(&store, &model, i64::MIN, 9 * WINDOW);
}

#[test]
fn a_clock_that_was_behind_for_a_moment_costs_the_spans_of_that_moment_only() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let mut model = fill(&store, 3, 96 * WINDOW, 108 * WINDOW);
    maintain_all(&store, 109 * WINDOW);
    assert_eq!(names(&folder), ["960000-1080000.block"], "they are merged");
    let (behind, end) = (100 * WINDOW + 500, 101 * WINDOW);
    assert_eq!(store.retract(behind).blocks, 1);
    is_like(&store, &model, i64::MIN, behind);
    for samples in model.values_mut() {
        samples.retain(|time, _| *time <= behind || *time >= end);
    }
    for (labels, wrong) in fill(&store, 3, behind + 100, behind + 400) {
        model.entry(labels).or_default().extend(wrong);
    }
    assert_eq!(store.maintain(behind + 400).notes, [] as [String; 0]);
    // The clock is right again.
    for (labels, later) in fill(&store, 3, 110 * WINDOW, 110 * WINDOW + 300) {
        model.entry(labels).or_default().extend(later);
    }
    let report = maintain_all(&store, 110 * WINDOW + 400);
    let told = format!("is there again with {} of its {} samples", 3 * 700, 3 * 1200);
    assert!(report.notes.len() == 1 && report.notes[0].ends_with(&told), "{report}");
    is_like(&store, &model, i64::MIN, i64::MAX);
    drop(store);
    let (store, recovery) = open(&folder, &options());
    assert_eq!(recovery.losses, [] as [String; 0]);
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert!(names(&folder).iter().all(|name| name.ends_with(".block")), "{:?}", names(&folder));
}

#[test]
fn what_cannot_be_taken_in_is_told_once_and_tried_again_at_the_next_start() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    fill(&store, 3, 96 * WINDOW, 108 * WINDOW);
    maintain_all(&store, 109 * WINDOW);
    store.retract(100 * WINDOW + 500);
    store.maintain(100 * WINDOW + 500);
    append(&store, &labels("a", 0), 100 * WINDOW + 600, 0.5);
    // What was dated wrongly is cut, before the time of the others has come.
    assert_eq!(maintain_all(&store, 102 * WINDOW).cut, 1);
    store.disk.fault.store(5, Ordering::SeqCst);
    let told = |now| {
        let notes = store.maintain(now).notes;
        notes.iter().filter(|note| note.contains("taken in again before a restart")).count()
    };
    assert_eq!((told(109 * WINDOW), told(110 * WINDOW)), (1, 0));
    drop(store);
    let (store, _) = open(&folder, &options());
    let report = store.maintain(110 * WINDOW);
    assert!(report.notes[0].contains("is there again with 2100 of"), "{report}");
}

#[test]
fn a_block_that_cannot_be_set_aside_stays_and_takes_nothing_along_at_the_next_start() {
    let folder = folder();
    let (store, _) = open(&folder, &options());
    let mut model = fill(&store, 3, 96 * WINDOW, 108 * WINDOW);
    maintain_all(&store, 109 * WINDOW);
    let now = 100 * WINDOW + 500;
    let taken = folder.path().join(BLOCKS_FOLDER).join("960000-1080000.block.ahead");
    fs::create_dir(&taken).expect("a folder");
    let done = store.retract(now);
    assert!(done.blocks == 0 && done.notes[0].contains("keeps new samples out"), "{done:?}");
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert_eq!(names(&folder), ["960000-1080000.block", "960000-1080000.block.ahead"]);
    fs::remove_dir(&taken).expect("an empty folder");
    assert_eq!(store.retract(now).blocks, 1);
    model.values_mut().for_each(|samples| samples.retain(|time, _| *time <= now));
    for (labels, later) in fill(&store, 3, now + 100, now + 500) {
        model.entry(labels).or_default().extend(later);
    }
    maintain_all(&store, 103 * WINDOW);
    drop(store);
    is_like(&open(&folder, &options()).0, &model, i64::MIN, i64::MAX);
}
