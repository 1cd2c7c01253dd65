//! Files that are damaged: real ones with parts cut out, doubled, swapped for others or for any bytes.
//! Whatever they say, they are read or refused, never met with a panic, and what is told is bounded.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::jmx::{self, JmxOptions};
use super::super::replay;
use super::super::{BenchOptions, from_options};
use super::root;
use crate::config::problem::SHOWN_PROBLEMS;

/// One thing that happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize, usize),
    Double(usize, usize),
    Insert(usize, Vec<u8>),
    Swap(usize, usize, usize),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let place = 0_usize..30_000;
    let length = 1_usize..300;
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..8),
        prop::sample::select(vec![
            "${",
            "}",
            "{{",
            "}}",
            "-1",
            "1e300",
            "99999999999999999999",
            "\u{feff}",
            "\r\n",
            "\"",
            "<hashTree>",
            "</hashTree>",
            "<stringProp>",
            "&#0;",
            "&x;",
            "[[",
            "]",
            "=",
            "\0",
            "NaN",
            "${__P(",
            "${__jexl3(",
            "<![CDATA[",
            "<!--",
            "<!DOCTYPE a>",
            "[21/Nov/2026:03:13:13 +0100]",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let one = prop_oneof![
        (place.clone(), length.clone()).prop_map(|(at, length)| Damage::Cut(at, length)),
        (place.clone(), length.clone()).prop_map(|(at, length)| Damage::Double(at, length)),
        (place.clone(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place.clone(), place, length)
            .prop_map(|(from, to, length)| Damage::Swap(from, to, length)),
    ];
    prop::collection::vec(one, 1..5)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let size = bytes.len();
        let part = |at: usize, length: usize| {
            let at = at % size.max(1);
            at.min(size)..(at + length).min(size)
        };
        match damage {
            Damage::Cut(at, length) => drop(bytes.drain(part(*at, *length))),
            Damage::Double(at, length) => {
                let range = part(*at, *length);
                let (end, doubled) = (range.end, bytes[range].to_vec());
                bytes.splice(end..end, doubled);
            }
            Damage::Insert(at, inserted) => {
                let start = part(*at, 0).start;
                bytes.splice(start..start, inserted.iter().copied());
            }
            Damage::Swap(from, to, length) => {
                let other = bytes[part(*from, *length)].to_vec();
                bytes.splice(part(*to, *length), other);
            }
        }
    }
    bytes
}

/// Files of a directory that end so.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    files
}

/// The damaged bytes as a file beside the data that plans name, so that those are found.
fn written(bytes: &[u8], name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn read_jmx(path: &Path, skip_unsupported: bool) {
    let options = JmxOptions { skip_unsupported, ..JmxOptions::default() };
    match jmx::load(path, &options) {
        Ok(loaded) => assert!(loaded.warnings.len() <= SHOWN_PROBLEMS + 1),
        Err(errors) => assert!(!errors.errors.is_empty() && errors.errors.len() <= SHOWN_PROBLEMS),
    }
}

fn read_recording(bytes: &[u8]) {
    let (_directory, path) = written(bytes, "log");
    if let Ok(recording) = replay::read(&path, Path::new("log"), None) {
        let with_targets = recording.has_targets();
        if let Ok(replay) = recording.replay(1.0, with_targets) {
            assert!(replay.times.is_sorted());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_damaged_jmeter_plan_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        damages in damages(),
        skip in any::<bool>(),
    ) {
        let path = which.get(&files("tests/jmx", "jmx")).clone();
        let bytes = damaged(std::fs::read(path).unwrap(), &damages);
        let (_directory, path) = written(&bytes, "plan.jmx");
        read_jmx(&path, skip);
    }

    #[test]
    fn any_bytes_as_a_jmeter_plan(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_directory, path) = written(&bytes, "plan.jmx");
        read_jmx(&path, false);
    }

    #[test]
    fn a_damaged_plan_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        damages in damages(),
    ) {
        let mut plans = files("../examples/bench", "toml");
        plans.extend(files("tests/fixtures/bench", "toml"));
        let bytes = damaged(std::fs::read(which.get(&plans)).unwrap(), &damages);
        let (_directory, path) = written(&bytes, "plan.toml");
        let options = BenchOptions { plan: Some(path), ..BenchOptions::default() };
        if let Err(errors) = from_options(&options) {
            prop_assert!(!errors.errors.is_empty());
        }
    }

    #[test]
    fn a_damaged_recording_is_read_or_refused(damages in damages()) {
        let log = std::fs::read(root("tests/fixtures/bench/access.log")).unwrap();
        read_recording(&damaged(log, &damages));
    }

    #[test]
    fn any_bytes_as_a_recording(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_recording(&bytes);
    }

    /// The rows of data, too, under any delimiter.
    #[test]
    fn any_bytes_as_rows(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        delimiter in "[,;|\\\\t]",
    ) {
        let (directory, path) = written(&bytes, "plan.csv");
        let plan = format!(
            "url = \"http://a\"\n[data.rows]\nfile = {:?}\ndelimiter = {delimiter:?}\n",
            path.file_name().unwrap()
        );
        let path = directory.path().join("plan.toml");
        std::fs::write(&path, plan).unwrap();
        let options = BenchOptions { plan: Some(path), ..BenchOptions::default() };
        if let Err(errors) = from_options(&options) {
            prop_assert!(errors.errors.iter().all(|error| error.remedy.is_some()), "{}", errors);
        }
    }
}
