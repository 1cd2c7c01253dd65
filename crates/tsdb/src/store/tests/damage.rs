//! Files that are cut short or have flipped bits: never a panic, never a wrong value, and the loss is
//! that of the file.

use super::*;

fn files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) {
    for part in [BLOCKS_FOLDER, LOG_FOLDER] {
        let _ = fs::remove_dir_all(to.join(part));
        fs::create_dir_all(to.join(part)).expect("a folder");
        for path in files(&from.join(part)) {
            fs::copy(&path, to.join(part).join(path.file_name().expect("a name"))).expect("a copy");
        }
    }
}

/// Holds nothing that the model does not, and of the series `kept` everything in `from..=to`.
fn is_part_of(store: &Store, model: &Model) -> u64 {
    let mut count = 0;
    for series in store.select(&[], i64::MIN, i64::MAX).expect("it can be chosen") {
        let mut samples = Samples::default();
        // A damaged chunk is an error of reading, and what was read before it is right.
        let _ = series.read(i64::MIN, i64::MAX, &mut samples);
        for (time, value) in samples.times.iter().zip(&samples.values) {
            assert_eq!(
                model.get(series.labels()).and_then(|samples| samples.get(time)),
                Some(&value.to_bits()),
                "{} at {time}",
                series.labels()
            );
            count += 1;
        }
    }
    count
}

/// Two blocks, a snapshot and two segments.
fn sample_store(folder: &TempDir) -> Model {
    let (store, _) = open(folder, &options());
    let mut model = fill(&store, 3, 0, 2 * WINDOW + 1000);
    let mut more = |store: &Store, from, to| {
        for (labels, samples) in fill(store, 3, from, to) {
            model.entry(labels).or_default().extend(samples);
        }
    };
    assert_eq!(maintain_all(&store, 2 * WINDOW + WINDOW / 2).cut, 2);
    more(&store, 2 * WINDOW + 1000, 2 * WINDOW + 2000);
    drop(store);
    let (store, _) = open(folder, &options());
    more(&store, 2 * WINDOW + 2000, 2 * WINDOW + 3000);
    let names: Vec<_> = files(&store.log_folder())
        .iter()
        .filter_map(|path| path.extension().and_then(|name| name.to_str()).map(str::to_owned))
        .collect();
    assert_eq!(names, ["snapshot", "log", "log"]);
    model
}

#[test]
fn damaged_files_cost_themselves_only() {
    let (good, damaged) = (folder(), folder());
    let model = sample_store(&good);
    let all: u64 = model.values().map(|samples| samples.len() as u64).sum();
    let per_block = 3 * WINDOW as u64 / 100;
    for part in [BLOCKS_FOLDER, LOG_FOLDER] {
        for path in files(&good.path().join(part)) {
            let bytes = fs::read(&path).expect("a file");
            let name = damaged.path().join(part).join(path.file_name().expect("a name"));
            let step = (bytes.len() / 25).max(1);
            for place in (0..bytes.len()).step_by(step) {
                for cut in [false, true] {
                    copy(good.path(), damaged.path());
                    let mut bytes = bytes.clone();
                    if cut {
                        bytes.truncate(place);
                    } else {
                        bytes[place] ^= 1 << (place % 8);
                    }
                    fs::write(&name, &bytes).expect("a file");
                    let (store, recovery) = open(&damaged, &options());
                    let what = format!("{} at {place}, cut: {cut}: {recovery}", name.display());
                    let read = is_part_of(&store, &model);
                    let maintenance = store.maintain(2 * WINDOW + WINDOW / 2);
                    let told = !recovery.losses.is_empty() || !maintenance.notes.is_empty();
                    // A segment may end after any record.
                    let is_log_end = cut && name.extension().is_some_and(|ending| ending == "log");
                    assert!(told || read == all || is_log_end, "{what}: {read} of {all}");
                    // At most a block, or the samples that are in the log, are lost.
                    assert!(read >= all - per_block, "{what}");
                    // The next query is not disturbed any more.
                    read_all(&store, i64::MIN, i64::MAX).expect("it was set aside");
                    append(&store, &labels("a", 0), 3 * WINDOW, 1.0);
                    drop(store);
                    let (store, recovery) = open(&damaged, &options());
                    assert!(part == LOG_FOLDER || recovery.losses.is_empty(), "{recovery}");
                    let newest = store.statistics().newest;
                    assert_eq!(newest, Some(3 * WINDOW), "{what}");
                }
            }
        }
    }
}

#[test]
fn what_was_left_half_done_is_removed() {
    let folder = folder();
    let model = sample_store(&folder);
    let blocks = folder.path().join(BLOCKS_FOLDER);
    fs::write(blocks.join("0-10000.block.tmp"), "half").expect("a file");
    fs::write(folder.path().join(LOG_FOLDER).join("00000009.snapshot.tmp"), "half")
        .expect("a file");
    // As if a merge had been killed before it removed what it merged.
    let saved: Vec<_> =
        files(&blocks).into_iter().map(|path| (fs::read(&path).expect("a file"), path)).collect();
    let (store, _) = open(&folder, &options());
    store.merge(&store.blocks()).expect("it can be merged");
    drop(store);
    let count = files(&blocks).len();
    assert_eq!(count, 1);
    for (bytes, path) in saved.iter().filter(|(_, path)| !path.ends_with("0-10000.block.tmp")) {
        fs::write(path, bytes).expect("a file");
    }
    let (store, recovery) = open(&folder, &options());
    assert_eq!((recovery.blocks, files(&blocks).len()), (1, 1));
    assert_eq!(recovery.losses, [] as [String; 0]);
    is_like(&store, &model, i64::MIN, i64::MAX);
}

#[test]
fn a_merged_block_that_is_damaged_gives_way_to_its_parts() {
    let folder = folder();
    let model = sample_store(&folder);
    let blocks = folder.path().join(BLOCKS_FOLDER);
    let saved: Vec<_> =
        files(&blocks).into_iter().map(|path| (fs::read(&path).expect("a file"), path)).collect();
    let (store, _) = open(&folder, &options());
    store.merge(&store.blocks()).expect("it can be merged");
    drop(store);
    let merged = blocks.join(block::file_name(0, 2 * WINDOW));
    let bytes = fs::read(&merged).expect("a file");
    fs::write(&merged, &bytes[..bytes.len() - 1]).expect("a file");
    for (bytes, path) in &saved {
        fs::write(path, bytes).expect("a file");
    }
    let (store, recovery) = open(&folder, &options());
    assert_eq!((recovery.blocks, recovery.losses.len()), (2, 1));
    assert!(recovery.losses[0].contains("0-20000.block is damaged"), "{recovery}");
    assert!(blocks.join("0-20000.block.damaged").exists());
    is_like(&store, &model, i64::MIN, i64::MAX);
}

#[test]
fn foreign_files_are_told_and_left() {
    let folder = folder();
    let model = sample_store(&folder);
    let blocks = folder.path().join(BLOCKS_FOLDER);
    fs::write(blocks.join("notes.txt"), "mine").expect("a file");
    fs::write(folder.path().join(LOG_FOLDER).join("notes.txt"), "mine").expect("a file");
    fs::rename(blocks.join("0-10000.block"), blocks.join("5-10000.block")).expect("a name");
    let (store, recovery) = open(&folder, &options());
    assert_eq!(recovery.losses.len(), 1);
    assert!(recovery.losses[0].contains("is not that of its span"), "{recovery}");
    assert!(blocks.join("notes.txt").exists());
    assert!(is_part_of(&store, &model) > 0);
}

/// The first file of the log of a store, and where its records begin.
fn snapshot(store: &TempDir) -> (PathBuf, Vec<u8>, Vec<usize>) {
    let path = files(&store.path().join(LOG_FOLDER)).remove(0);
    let bytes = fs::read(&path).expect("a file");
    let (mut ends, mut place) = (Vec::new(), 8);
    while place < bytes.len() {
        ends.push(place);
        let length = bytes[place..place + 4].try_into().expect("four bytes");
        place += 8 + u32::from_le_bytes(length) as usize;
    }
    assert_eq!(place, bytes.len());
    (path, bytes, ends)
}

#[test]
fn a_snapshot_that_was_cut_where_a_record_ends_is_told() {
    let folder = folder();
    let model = sample_store(&folder);
    let (path, bytes, ends) = snapshot(&folder);
    assert_eq!(ends.len(), 7, "three series, a chunk each, and the end");
    for end in ends {
        fs::write(&path, &bytes[..end]).expect("a file");
        let (store, recovery) = open(&folder, &options());
        assert_eq!(recovery.losses.len(), 1, "{recovery}");
        assert!(recovery.losses[0].contains("cut off where a record ended"), "{recovery}");
        is_part_of(&store, &model);
    }
    fs::write(&path, [&bytes[..], b"more"].concat()).expect("a file");
    let (store, recovery) = open(&folder, &options());
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert!(recovery.losses[0].contains("the last 4 bytes"), "{recovery}");
}

#[test]
fn a_snapshot_of_the_first_version_is_read_and_its_doubt_is_told() {
    let folder = folder();
    let model = sample_store(&folder);
    let (path, mut bytes, ends) = snapshot(&folder);
    bytes.truncate(*ends.last().expect("some"));
    bytes[7] = 1;
    fs::write(&path, &bytes).expect("a file");
    let (store, recovery) = open(&folder, &options());
    is_like(&store, &model, i64::MIN, i64::MAX);
    assert!(recovery.losses[0].contains("an older version wrote it"), "{recovery}");
    drop(store);
    bytes[7] = 3;
    fs::write(&path, &bytes).expect("a file");
    let (store, recovery) = open(&folder, &options());
    assert!(recovery.losses[0].contains("a version that this program does not know"), "{recovery}");
    is_part_of(&store, &model);
}

#[test]
fn blocks_that_were_set_aside_count_and_leave_first() {
    let folder = folder();
    let model = sample_store(&folder);
    let blocks = folder.path().join(BLOCKS_FOLDER);
    let aside = |name: &str| blocks.join(name).with_added_extension(block::DAMAGED);
    for (name, bytes) in [("-20000--10000.block", 100), ("0-10000.block", 200), ("odd", 400)] {
        fs::write(aside(name), vec![0; bytes]).expect("a file");
    }
    let now = 2 * WINDOW + WINDOW / 2;
    let (store, _) = open(&folder, &options());
    assert_eq!(store.maintain(now).notes, [] as [String; 0]);
    assert_eq!(store.statistics().damaged_bytes, 700);
    let held = store.statistics();
    drop(store);
    // One is too old.
    let retention = Duration::from_millis((now - 5000) as u64);
    let (store, _) = open(&folder, &Options { retention, ..options() });
    let done = store.maintain(now);
    assert_eq!((done.dropped, done.notes.len(), store.statistics().damaged_bytes), (0, 1, 600));
    assert!(done.notes[0].contains("-20000--10000.block.damaged, which had been set aside"));
    drop(store);
    // They do not fit beside what can be read; that fits alone.
    let bytes_max = held.block_bytes + held.log_bytes + 500;
    let (store, _) = open(&folder, &Options { bytes_max, ..options() });
    store.maintain(now);
    assert_eq!(store.maintain(now).dropped, 0);
    assert_eq!(store.statistics().damaged_bytes, 400);
    assert!(aside("odd").exists() && !aside("0-10000.block").exists());
    is_like(&store, &model, i64::MIN, i64::MAX);
}

#[test]
fn damage_in_the_middle_of_the_log_costs_the_records_that_it_lies_in() {
    let folder = folder();
    let model = {
        let (store, _) = open(&folder, &options());
        fill(&store, 3, 0, 5000)
    };
    let (path, bytes, ends) = snapshot(&folder);
    let all: u64 = model.values().map(|samples| samples.len() as u64).sum();
    // In the length, in the checksum, and in the payload of a record of samples.
    for shift in [0, 1, 3, 4, 8, 9] {
        let mut bytes = bytes.clone();
        bytes[ends[20] + shift] ^= 0x15;
        fs::write(&path, &bytes).expect("a file");
        for _ in 0..2 {
            let (store, recovery) = open(&folder, &options());
            assert_eq!(recovery.losses.len(), 1, "{shift}: {recovery}");
            assert!(recovery.losses[0].contains("what follows them was read"), "{recovery}");
            let read = is_part_of(&store, &model);
            assert!((all - 3..all).contains(&read), "{shift}: {read} of {all}");
        }
    }
}
