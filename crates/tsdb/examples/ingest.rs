//! Ingests what 10 000 series of 50 instances measure in six hours, every 15 seconds, and prints what it
//! cost: CPU, bytes on the disk, memory; then reads all of it back.
//!
//! `cargo run --release -p tsdb --example ingest -- [series] [hours] [jitter in ms]`
//!
//! The mix, of each 20 series: 2 constant, 2 flags and small numbers that change seldom, 3 counters of
//! requests with random increments, 6 buckets of histograms, 1 sum of seconds with a long fraction (as
//! a sum of floats has), 2 gauges with one to three decimals, 2 of bytes in pages, 1 counter of bytes,
//! 1 noisy float.

#[path = "../tests/prometheus/random.rs"]
mod random;

use std::time::Instant;

use random::Random;
use tsdb::labels::Labels;
use tsdb::sample::Samples;
use tsdb::source::{Condition, Matcher, Source};
use tsdb::store::{Append, Options, Store};

const INSTANCES: usize = 50;
const INTERVAL: i64 = 15_000;
const START: i64 = 1_700_006_400_000;

/// A whole number from none up to below a limit.
fn below(random: &mut Random, limit: u64) -> f64 {
    random.below(limit) as f64
}

fn next_value(kind: usize, place: usize, last: f64, random: &mut Random) -> f64 {
    match kind {
        0 | 1 => (place % 7) as f64,
        2 => f64::from(u8::from(below(random, 400) > 0.0)),
        3 => {
            if below(random, 20) == 0.0 {
                below(random, 12)
            } else {
                last
            }
        }
        4..=6 => last + below(random, 60 * (1 + place as u64 % 9)),
        // Buckets fill at rates of their own.
        7..=12 => last + below(random, [1, 2, 3, 8, 30, 120][kind - 7]),
        13 => last + random.fraction() * 2.0,
        14 => ((last * 10.0).round() + below(random, 21) - 10.0) / 10.0,
        15 => (40_000.0 + below(random, 4000)) / [100.0, 1000.0][place % 2],
        16 | 17 => (last / 4096.0 + below(random, 41) - 20.0).max(1000.0) * 4096.0,
        18 => last + below(random, 1_000_000),
        _ => random.fraction(),
    }
}

fn labels(place: usize, per_instance: usize) -> Labels {
    let instance = format!("10.0.0.{}:9100", place / per_instance);
    let kind = place % per_instance;
    let metric = format!("service_measurement_{}_total", kind % 40);
    let part = (kind / 40).to_string();
    Labels::from_pairs([
        ("__name__", metric.as_str()),
        ("instance", &instance),
        ("job", "web"),
        ("part", &part),
        ("zone", ["a", "b", "c"][place / per_instance % 3]),
    ])
}

fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kilobytes = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    kilobytes.parse::<f64>().unwrap_or_default() / 1024.0
}

/// Seconds of CPU of the process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
    (ticks(12).unwrap_or_default() + ticks(13).unwrap_or_default()) / 100.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument =
        |default: i64| arguments.next().map_or(Ok(default), |text| text.parse::<i64>());
    let (count, hours, jitter) = (argument(10_000)? as usize, argument(6)?, argument(0)? as u64);
    let folder = std::env::temp_dir().join(format!("ingest-{}", std::process::id()));
    let base_memory = status("VmRSS");
    let (store, _) = Store::open(&folder, Options::default(), START)?;
    ingest(&store, count, hours * 3_600_000 / INTERVAL, jitter)?;
    println!(
        "memory {:.1} MB, highest {:.1} MB, at start {base_memory:.1} MB",
        status("VmRSS"),
        status("VmHWM")
    );
    println!("{:?}", store.statistics());
    // All that is left goes into blocks.
    store.maintain(START + (hours + 3) * 3_600_000);
    store.maintain(START + (hours + 3) * 3_600_000);
    let statistics = store.statistics();
    println!(
        "{} blocks, {:.3} bytes a sample on the disk ({} samples in blocks, log {} bytes)",
        statistics.blocks,
        statistics.block_bytes as f64 / statistics.samples_in_blocks as f64,
        statistics.samples_in_blocks,
        statistics.log_bytes,
    );
    read_back(&store, hours)?;
    drop(store);
    let before = Instant::now();
    let (_, recovery) = Store::open(&folder, Options::default(), START)?;
    println!("opened in {:.0} ms: {recovery}", before.elapsed().as_secs_f64() * 1e3);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn ingest(
    store: &Store,
    count: usize,
    rounds: i64,
    jitter: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let per_instance = count.div_ceil(INSTANCES);
    let mut random = Random(42);
    let mut values: Vec<f64> = (0..count).map(|_| 1e6 + below(&mut random, 100_000)).collect();
    let handles = (0..count)
        .map(|place| store.series(&labels(place, per_instance)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut making = 0.0;
    let began = Instant::now();
    for round in 0..rounds {
        let before = Instant::now();
        for (place, value) in values.iter_mut().enumerate() {
            *value = next_value(place % per_instance % 20, place, *value, &mut random);
        }
        making += before.elapsed().as_secs_f64();
        let mut batch = Vec::with_capacity(per_instance);
        // A commit for each instance, as a scrape is one.
        for instance in 0..INSTANCES {
            let late = random.below(2 * jitter + 1) as i64 - jitter as i64;
            let time = START + round * INTERVAL + late;
            batch.clear();
            batch.extend(
                (instance * per_instance..count.min((instance + 1) * per_instance))
                    .map(|place| Append { series: &handles[place], time, value: values[place] }),
            );
            let committed = store.commit(&batch);
            assert_eq!(committed.accepted, batch.len() as u64);
        }
        store.maintain(START + round * INTERVAL);
    }
    let samples = count as f64 * rounds as f64;
    let cpu = cpu() - making;
    println!(
        "{samples} samples in {:.2} s; CPU {cpu:.2} s: {:.0} ns a sample, {:.0} samples a second and \
         core (with the log, flushes and blocks; making the samples not counted)",
        began.elapsed().as_secs_f64(),
        cpu / samples * 1e9,
        samples / cpu
    );
    Ok(())
}

fn read_back(store: &Store, hours: i64) -> Result<(), Box<dyn std::error::Error>> {
    let all = Matcher { name: "job".into(), condition: Condition::Equal("web".into()) };
    for (name, from, to) in [
        ("all", START - 1000, START + hours * 3_600_000),
        ("five minutes", START + 3_600_000, START + 3_900_000),
    ] {
        let before = Instant::now();
        let chosen = store.select(std::slice::from_ref(&all), from, to)?;
        let selected = before.elapsed();
        let (mut samples, mut count, mut sum) = (Samples::default(), 0, 0.0);
        for series in &chosen {
            samples.clear();
            series.read(from, to, &mut samples)?;
            count += samples.len();
            sum += samples.values.last().copied().unwrap_or_default();
        }
        println!(
            "{name}: {} series selected in {:.1} ms, {count} samples read in {:.1} ms (sum {sum:e})",
            chosen.len(),
            selected.as_secs_f64() * 1e3,
            (before.elapsed() - selected).as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
