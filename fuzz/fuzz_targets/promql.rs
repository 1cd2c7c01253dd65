//! Queries: no text overflows the stack or panics, and what is parsed is evaluated or refused, at
//! one time as at the same step of a range.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tsdb::labels::Labels;
use tsdb::promql::{self, Grid, Limits, Memory};

const STEP: i64 = 15_000;

/// A few series of every kind: a counter that is reset, a gauge with gaps, buckets.
fn memory() -> &'static Memory {
    static MEMORY: OnceLock<Memory> = OnceLock::new();
    MEMORY.get_or_init(|| {
        let mut memory = Memory::new();
        for (name, label, value) in
            [("a", "x", 7), ("a", "y", 5), ("b", "x", 3), ("b_bucket", "1", 2), ("b_bucket", "+Inf", 4)]
        {
            let labels = Labels::from_pairs([("__name__", name), ("le", label), ("l", label)]);
            for step in (0..40).filter(|step| step % value != 1) {
                memory.append(&labels, step * STEP, (step * step % (11 * value)) as f64);
            }
        }
        memory
    })
}

fuzz_target!(|text: &str| {
    let Ok(query) = promql::parse(text) else { return };
    let limits = Limits { samples_max: 20_000, ..Limits::default() };
    let grid = Grid { start: 20 * STEP, end: 30 * STEP, step: STEP };
    let _ = promql::range(&query, memory(), grid, &limits);
    let _ = promql::instant(&query, memory(), 25 * STEP, &limits);
    let _ = query.pretty();
});
