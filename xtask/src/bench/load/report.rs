//! What `bench load` found, for people.

use super::testers::Sample;
use super::{Comparison, Run};
use crate::bench::render::table;
use crate::bench::results::median;

/// How far a reported percentile may be from the truth.
const TRUTH_TOLERANCE: f64 = 0.01;
/// How far the rate of the open model may be from what was asked for.
const RATE_TOLERANCE: f64 = 0.001;
/// The longest scheduling lag at the 99th percentile, in seconds.
const LAG_MAX: f64 = 0.001;

/// The whole file `load.md`.
pub(super) fn document(run: &Run) -> String {
    let machine = &run.machine;
    let mut text = String::from("# `plimsoll bench` beside wrk and h2load\n\n");
    text.push_str("Written by the command below; `../README.md` tells how to read it.\n\n");
    text.push_str(&format!(
        "    {}\n\n{}. Linux {}, {}, load average {} before.\nTester on the first core, server on \
         the others. {} rounds of {} s.\n",
        run.command,
        run.date,
        machine.kernel,
        machine.processor,
        machine.load_average,
        run.rounds,
        run.seconds
    ));
    for (name, version) in &run.versions {
        text.push_str(&format!("- {name}: {version}\n"));
    }
    text.push_str(&comparison(&run.closed));
    text.push_str(&comparison(&run.http2));
    text.push_str(&open(run));
    text.push_str(&memory(run));
    for truth in &run.truths {
        text.push_str(&format!("\n## {}\n\n    {}\n\n", truth.title, truth.command));
        let mut rows = vec![cells(&["ms", "truth", "reported", "off by"])];
        for percentile in &truth.percentiles {
            rows.push(vec![
                percentile.name.to_owned(),
                format!("{:.2}", percentile.truth * 1e3),
                format!("{:.2}", percentile.reported * 1e3),
                format!("{:.2} %", percentile.error() * 100.0),
            ]);
        }
        text.push_str(&table(&rows));
        let worst = truth.percentiles.iter().map(|one| one.error()).fold(0.0, f64::max);
        text.push_str(&format!(
            "\n{} requests. Aim: within 1 % of the truth: {}.\n",
            truth.requests,
            verdict(worst <= TRUTH_TOLERANCE)
        ));
    }
    text
}

/// A column's heading and what is in it.
type Column<'a> = (&'a str, &'a dyn Fn(&Sample) -> f64);

fn comparison(comparison: &Comparison) -> String {
    let [own, other] = &comparison.commands;
    let mut text = format!("\n## {}\n\n    {own}\n    {other}\n\n", comparison.title);
    let rate = |sample: &Sample| sample.requests_per_second;
    let each = |sample: &Sample| sample.requests_per_processor_second();
    let p50 = |sample: &Sample| sample.latency.map_or(f64::NAN, |latency| latency.p50 * 1e6);
    let p99 = |sample: &Sample| sample.latency.map_or(f64::NAN, |latency| latency.p99 * 1e6);
    let failures = |sample: &Sample| sample.failures as f64;
    let columns: [Column<'_>; 5] = [
        ("requests/s", &rate),
        ("requests/CPU second", &each),
        ("p50 µs", &p50),
        ("p99 µs", &p99),
        ("failures", &failures),
    ];
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(columns.iter().map(|column| column.0.to_owned()));
    for (name, samples) in
        [("plimsoll", &comparison.own_rounds), (comparison.other, &comparison.other_rounds)]
    {
        let mut row = vec![name.to_owned()];
        row.extend(
            columns.iter().map(|column| number(median(samples.iter().map(column.1).collect()))),
        );
        rows.push(row);
    }
    let mut row = vec![format!("plimsoll / {}", comparison.other)];
    for column in &columns[..4] {
        row.push(format!("{:.2}", ratio(comparison, column.1)));
    }
    row.push(String::new());
    rows.push(row);
    text.push_str(&table(&rows).replace("NaN", "  –"));
    if !comparison.is_aim {
        return text;
    }
    let reached = ratio(comparison, &each);
    text.push_str(&format!(
        "\nAim: requests for each second of processor time ≥ {}'s: {} ({reached:.2}).\n",
        comparison.other,
        verdict(reached >= 1.0)
    ));
    text
}

fn open(run: &Run) -> String {
    let open = &run.open;
    let off = median(open.achieved.iter().map(|share| (share - 1.0).abs()).collect());
    let lag = median(open.lag_p99.clone());
    format!(
        "\n## Open model at half of the closed model's rate\n\n    {}\n\nAsked for {:.0} requests/s. \
         Median of the rounds: off by {:.4} % (aim: 0.1 %: {}), scheduling lag p99 {:.0} µs (aim: \
         below 1 ms: {}), {:.0} % of a core.\n",
        open.command,
        open.rate,
        off * 100.0,
        verdict(off <= RATE_TOLERANCE),
        lag * 1e6,
        verdict(lag < LAG_MAX),
        median(open.utilization.clone()) * 100.0
    )
}

fn memory(run: &Run) -> String {
    let memory = &run.memory;
    let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    format!(
        "\n## Memory\n\nMost that was resident (`VmHWM`): {:.1} MB in a run of {} s, {:.1} MB in one \
         of {} s.\n",
        megabytes(memory.short_bytes),
        memory.short_seconds,
        megabytes(memory.long_bytes),
        memory.long_seconds
    )
}

/// The median of the rounds' ratios.
fn ratio(comparison: &Comparison, of: &dyn Fn(&Sample) -> f64) -> f64 {
    let pairs = comparison.own_rounds.iter().zip(&comparison.other_rounds);
    median(pairs.map(|(own, other)| of(own) / of(other)).collect())
}

fn number(value: f64) -> String {
    format!("{value:.0}")
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

fn cells(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}
