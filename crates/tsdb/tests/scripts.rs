//! Runs every script of `tests/promql`: what PromQL must answer, by subject.

use std::fs;
use std::path::Path;

use tsdb::promql::Limits;
use tsdb::promql::script::{Totals, run};

/// Queries that the scripts hold at least: fewer mean that a script is not found or not read.
const QUERIES_MIN: usize = 1_000;

#[test]
fn every_script_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("a file of scripts").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    paths.sort();
    let (mut totals, mut wrong) = (Totals::default(), Vec::new());
    for path in &paths {
        let text = fs::read_to_string(path).expect("a script");
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
        let report = run(&name.display().to_string(), &text, &Limits::default());
        totals += report.totals();
        if !report.is_success() {
            wrong.push(report.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}\nin all {totals}", wrong.join("\n\n"));
    assert!(totals.passed >= QUERIES_MIN, "{} scripts hold {totals}", paths.len());
}
