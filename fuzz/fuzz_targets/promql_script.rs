//! Scripts of queries: no text panics, and every failure and refusal names a line of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::promql::{Limits, script};

fuzz_target!(|text: &str| {
    let limits = Limits { samples_max: 20_000, steps_max: 100, ..Limits::default() };
    let report = script::run("script", text, &limits);
    let lines = text.split('\n').count();
    let failed = report.failed.iter().map(|failure| failure.line);
    let refused = report.refused.iter().map(|refusal| refusal.line);
    for line in failed.chain(refused) {
        assert!((1..=lines).contains(&line), "{report}");
    }
    assert!(report.to_string().ends_with(&report.totals().to_string()));
});
