//! What `bench promql` found, for people.

use std::collections::BTreeMap;

use super::measure::{Ingest, Measured};
use super::server::{Disk, Peer};
use super::{QueryOutcome, Run};
use crate::bench::process::Memory;
use crate::bench::render::table;
use crate::bench::results::median;

/// Most bytes that a sample may take in a block.
const SAMPLE_BYTES_AIM: f64 = 1.3;
/// Most processor time of a query, of Prometheus'.
const QUERY_SHARE_AIM: f64 = 0.5;

const NOTES: &str = "
- Samples/CPU second: all samples over user and system time of the server's process, from the first request
  until the server is at rest (below 5 % of a core for 5 s, blocks made), so that work put off is counted.
  *When found* counts until the last samples are found by a query.
- Bytes a sample: Prometheus' are those of a snapshot by its admin API, which puts the young samples into a
  block too; VictoriaMetrics' are all its files after a flush; Plimsoll's are those of its blocks, over the
  samples in their span. *Log* is what protects young samples from a crash (Prometheus: `wal` and
  `chunks_head`). *All* is everything on the disk before the snapshot. Files count as `du` counts them.
- Memory: `VmRSS`, and of it `RssAnon` (without mirrored files: Prometheus and VictoriaMetrics map theirs,
  Plimsoll reads them); the highest is `VmHWM` after the queries.
- Queries: HTTP with JSON over a kept connection, not compressed; mean processor time and median wall time of
  the repetitions in a round, and the median of the rounds. Ratios are medians of the rounds' ratios.
  VictoriaMetrics' cache of answers is off. It defines `rate` and the like differently (it takes the sample
  before the window too), so its answers are not compared.
";

/// The whole file `promql.md`.
pub(super) fn document(run: &Run) -> String {
    let machine = &run.machine;
    let mut text = String::from("# Plimsoll's store beside Prometheus and VictoriaMetrics\n\n");
    text.push_str("Written by the command below; `../README.md` tells how to read it.\n\n");
    text.push_str(&format!(
        "    {}\n\n{}, revision {}. Linux {}, {}, load average {} before.\nServers on cores {:?}, \
         this program on the first. {} rounds of queries.\n",
        run.command,
        run.date,
        run.revision,
        machine.kernel,
        machine.processor,
        machine.load_average,
        &machine.cores.all()[1..],
        run.rounds,
    ));
    for (peer, version) in &run.versions {
        text.push_str(&format!("- {}: {version}\n", peer.name()));
    }
    text.push_str(&format!(
        "\n{} series, {} samples, sent in {:.0} MB.\n",
        run.series,
        run.samples,
        run.sent_bytes as f64 / 1e6
    ));
    text.push_str(&ingest(run));
    text.push_str(&disk(run));
    text.push_str(&memory(run));
    text.push_str(&queries(run));
    text.push_str(&answers(run));
    text.push_str("\n## Notes\n");
    text.push_str(NOTES);
    text
}

/// A column: its heading, digits after the point, and its values.
type Column<T> = (&'static str, usize, fn(&T, &Run) -> f64);

/// A table with a row for each server, and one for each ratio of Plimsoll's to another's.
fn comparison<T>(all: &BTreeMap<Peer, T>, columns: &[Column<T>], run: &Run) -> String {
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(columns.iter().map(|column| column.0.to_owned()));
    for (peer, one) in all {
        let mut row = vec![peer.name().to_owned()];
        row.extend(columns.iter().map(|(_, digits, of)| format!("{:.*}", *digits, of(one, run))));
        rows.push(row);
    }
    if let Some(own) = all.get(&Peer::Plimsoll) {
        for (peer, other) in all.iter().filter(|(peer, _)| **peer != Peer::Plimsoll) {
            let mut row = vec![format!("plimsoll / {}", peer.name())];
            row.extend(columns.iter().map(|(_, _, of)| shown(of(own, run) / of(other, run))));
            rows.push(row);
        }
    }
    table(&rows)
}

/// A ratio; where there is nothing to compare with, a dash.
fn shown(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.2}") } else { "–".to_owned() }
}

fn samples_per_second(ingest: &Ingest, run: &Run) -> f64 {
    run.samples as f64 / ingest.processor_seconds_at_rest
}

fn ingest(run: &Run) -> String {
    let columns: [Column<Ingest>; 4] = [
        ("samples/CPU second", 0, samples_per_second),
        ("when found", 0, |one, run| run.samples as f64 / one.processor_seconds),
        ("samples/s", 0, |one, run| run.samples as f64 / one.wall_seconds),
        ("% of a core at rest", 1, |one, _| one.idle_share * 100.0),
    ];
    let table = comparison(&run.ingest, &columns, run);
    let aim = aim(
        &run.ingest,
        "samples for each second of processor time ≥ Prometheus'",
        |own, other| {
            let ratio = samples_per_second(own, run) / samples_per_second(other, run);
            (ratio, ratio >= 1.0)
        },
    );
    format!("\n## Taking samples in\n\n{table}{aim}")
}

fn sample_bytes(disk: &Disk, _: &Run) -> f64 {
    disk.block_bytes as f64 / disk.block_samples as f64
}

fn disk(run: &Run) -> String {
    let columns: [Column<Disk>; 4] = [
        ("bytes a sample", 3, sample_bytes),
        ("samples in blocks", 0, |one, _| one.block_samples as f64),
        ("log MB", 1, |one, _| one.log_bytes as f64 / 1e6),
        ("all MB", 1, |one, _| one.all_bytes as f64 / 1e6),
    ];
    let table = comparison(&run.disk, &columns, run);
    let aims = aim(&run.disk, "bytes a sample ≤ 1.3 and less than Prometheus'", |own, other| {
        let (own, other) = (sample_bytes(own, run), sample_bytes(other, run));
        (own, own <= SAMPLE_BYTES_AIM && own < other)
    });
    format!("\n## On the disk\n\n{table}{aims}")
}

fn memory(run: &Run) -> String {
    let at_rest: BTreeMap<Peer, (Memory, Memory)> = run
        .ingest
        .iter()
        .filter_map(|(peer, one)| Some((*peer, (one.memory, *run.memory_after.get(peer)?))))
        .collect();
    let columns: [Column<(Memory, Memory)>; 5] = [
        ("MB at rest", 1, |one, _| one.0.resident_bytes as f64 / 1e6),
        ("anonymous", 1, |one, _| one.0.anonymous_bytes as f64 / 1e6),
        ("after queries", 1, |one, _| one.1.resident_bytes as f64 / 1e6),
        ("anonymous", 1, |one, _| one.1.anonymous_bytes as f64 / 1e6),
        ("highest", 1, |one, _| one.1.peak_bytes as f64 / 1e6),
    ];
    let table = comparison(&at_rest, &columns, run);
    let aim = aim(&at_rest, "memory less than Prometheus', and the highest too", |own, other| {
        let ratio = own.1.resident_bytes as f64 / other.1.resident_bytes as f64;
        (ratio, ratio < 1.0 && own.1.peak_bytes < other.1.peak_bytes)
    });
    format!("\n## Memory\n\n{table}{aim}")
}

/// An aim that compares with Prometheus; nothing if either was not measured.
fn aim<T>(all: &BTreeMap<Peer, T>, text: &str, judge: impl Fn(&T, &T) -> (f64, bool)) -> String {
    let Some((own, other)) = all.get(&Peer::Plimsoll).zip(all.get(&Peer::Prometheus)) else {
        return String::new();
    };
    let (measured, is_met) = judge(own, other);
    format!("\nAim: {text}: {} ({measured:.2}).\n", verdict(is_met))
}

/// One figure of a measurement.
type Figure = fn(&Measured) -> f64;

fn queries(run: &Run) -> String {
    let mut text = String::from("\n## Queries\n");
    let processor: Figure = |one| one.processor_milliseconds;
    let wall: Figure = |one| one.wall_milliseconds;
    for (title, of) in [("CPU ms a query", processor), ("Wall ms, median", wall)] {
        text.push_str(&format!("\n{title}:\n\n{}", query_table(run, of)));
    }
    let ratios: Vec<(&str, f64)> = run
        .queries
        .iter()
        .filter_map(|query| {
            Some((query.title.as_str(), ratio(query, Peer::Prometheus, processor)?))
        })
        .collect();
    if ratios.is_empty() {
        return text;
    }
    let middle = median(ratios.iter().map(|one| one.1).collect());
    text.push_str(&format!(
        "\nAim: half of Prometheus' processor time (median of the queries): {} ({middle:.2}).\n",
        verdict(middle <= QUERY_SHARE_AIM)
    ));
    let worse: Vec<_> = ratios.iter().filter(|one| one.1 >= 1.0).map(|one| one.0).collect();
    text.push_str(&format!("\nAim: less in each: {}", verdict(worse.is_empty())));
    text.push_str(&match worse.is_empty() {
        true => ".\n".to_owned(),
        false => format!(" ({}).\n", worse.join("; ")),
    });
    text
}

fn query_table(run: &Run, of: Figure) -> String {
    let peers: Vec<Peer> = run.versions.keys().copied().collect();
    let others: Vec<Peer> = match peers.contains(&Peer::Plimsoll) {
        true => peers.iter().copied().filter(|peer| *peer != Peer::Plimsoll).collect(),
        false => Vec::new(),
    };
    let mut rows = vec![vec!["query".to_owned(), "span, step".to_owned()]];
    rows[0].extend(peers.iter().map(|peer| peer.name().to_owned()));
    rows[0].extend(others.iter().map(|peer| format!("/ {}", peer.name())));
    let mut sums = vec![0.0; peers.len()];
    for query in &run.queries {
        let mut row = vec![query.title.clone(), query.way.clone()];
        for (peer, sum) in peers.iter().zip(&mut sums) {
            let rounds = query.rounds.get(peer).into_iter().flatten();
            let value = median(rounds.map(of).collect());
            *sum += value;
            row.push(format!("{value:.2}"));
        }
        let ratios = others.iter().map(|peer| ratio(query, *peer, of).unwrap_or(f64::NAN));
        row.extend(ratios.map(shown));
        rows.push(row);
    }
    let mut row = vec!["sum".to_owned(), String::new()];
    row.extend(sums.iter().map(|sum| format!("{sum:.1}")));
    let own = sums.last().copied().unwrap_or(f64::NAN);
    row.extend(others.iter().zip(&sums).map(|(_, sum)| shown(own / sum)));
    rows.push(row);
    table(&rows)
}

/// Plimsoll's figure over another's: the median of the rounds' ratios.
fn ratio(query: &QueryOutcome, other: Peer, of: Figure) -> Option<f64> {
    let (own, other) = (query.rounds.get(&Peer::Plimsoll)?, query.rounds.get(&other)?);
    Some(median(own.iter().zip(other).map(|(own, other)| of(own) / of(other)).collect()))
}

fn answers(run: &Run) -> String {
    let both = [Peer::Plimsoll, Peer::Prometheus];
    if !both.iter().all(|peer| run.versions.contains_key(peer)) {
        return String::new();
    }
    let mut text = String::from("\n## Answers\n\n");
    let different: Vec<_> = run.queries.iter().filter(|query| query.difference.is_some()).collect();
    text.push_str(&format!(
        "{} of {} are Prometheus' up to 10⁻⁹ of each value.\n",
        run.queries.len() - different.len(),
        run.queries.len()
    ));
    for query in different {
        let what = query.difference.as_deref().unwrap_or_default();
        text.push_str(&format!("- **{}** differs: {what}\n", query.title));
    }
    text
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::document;
    use crate::bench::machine::{Cores, Machine};
    use crate::bench::process::Memory;
    use crate::bench::promql::measure::{Ingest, Measured};
    use crate::bench::promql::server::{Disk, Peer};
    use crate::bench::promql::{QueryOutcome, Run};

    /// Plimsoll's figures are `own` times Prometheus'.
    fn run(own: f64) -> Run {
        let each = |factor: f64| [(Peer::Prometheus, 1.0), (Peer::Plimsoll, factor)];
        let memory = |factor: f64| {
            let bytes = (factor * 1e8) as u64;
            Memory { resident_bytes: bytes, anonymous_bytes: bytes / 2, peak_bytes: 2 * bytes }
        };
        let ingest = |factor: f64| Ingest::new(20.0, 10.0 * factor, memory(factor));
        let disk = |factor: f64| {
            let block_bytes = (2e6 * factor) as u64;
            Disk { block_bytes, block_samples: 1_000_000, log_bytes: 0, all_bytes: block_bytes }
        };
        let measured = |factor: f64| Measured {
            processor_milliseconds: 8.0 * factor,
            wall_milliseconds: 9.0 * factor,
            repetitions: 2,
        };
        let query = QueryOutcome {
            title: "All".to_owned(),
            way: "instant".to_owned(),
            expression: "up".to_owned(),
            rounds: each(own).map(|(peer, factor)| (peer, vec![measured(factor)])).into(),
            answer_lengths: BTreeMap::new(),
            difference: (own > 1.0).then(|| "one is missing".to_owned()),
        };
        let cores = Cores { proxy: 0, upstream: 1, load: vec![2, 3] };
        Run {
            command: "cargo xtask bench promql".to_owned(),
            date: "today".to_owned(),
            revision: "abc".to_owned(),
            machine: Machine::read(&cores),
            versions: each(own).map(|(peer, _)| (peer, "1".to_owned())).into(),
            rounds: 1,
            series: 10,
            samples: 1_000_000,
            sent_bytes: 5_000_000,
            ingest: each(own).map(|(peer, factor)| (peer, ingest(factor))).into(),
            queries: vec![query],
            memory_after: each(own).map(|(peer, factor)| (peer, memory(factor))).into(),
            disk: each(own).map(|(peer, factor)| (peer, disk(factor))).into(),
        }
    }

    #[test]
    fn aims_are_judged_by_the_ratio_to_prometheus() {
        let text = document(&run(0.5));
        assert!(text.contains("| plimsoll / prometheus |               2.00 |"), "{text}");
        assert!(text.contains("(median of the queries): met (0.50)"), "{text}");
        assert!(text.contains("less in each: met."), "{text}");
        assert!(text.contains("1 of 1 are Prometheus'"), "{text}");
        assert!(!text.contains("missed"), "{text}");
        let text = document(&run(1.5));
        assert_eq!(text.matches("**missed**").count(), 5, "{text}");
        assert!(text.contains("less in each: **missed** (All)."), "{text}");
        assert!(text.contains("**All** differs: one is missing"), "{text}");
    }
}
