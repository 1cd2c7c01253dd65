//! How fast a body of the text format is read on one core: on one like node_exporter's, or on that
//! of a file.
//!
//!     cargo run --release -p tsdb --example exposition_speed [FILE | --print]
//!
//! `--print` writes the body out, to give it to another parser. Three ways are timed: every event
//! alone; with the series found by its text in a map, as a scraper does after its first body; and
//! with labels made of each series, as a scraper does with its first.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tsdb::exposition::{Event, Format, Limits, Parser};

/// How long each way is timed.
const ROUND: Duration = Duration::from_millis(25);

/// Rounds, of which the best counts: others on the machine only make a round slower.
const ROUNDS: usize = 80;

fn main() -> Result<(), Box<dyn Error>> {
    let body = match std::env::args().nth(1) {
        None => node_like(),
        Some(word) if word == "--print" => {
            print!("{}", node_like());
            return Ok(());
        }
        Some(path) => std::fs::read_to_string(path)?,
    };
    let series: HashMap<String, u64> = keys(&body)?.into_iter().zip(0..).collect();
    println!("{} bytes, {} series", body.len(), series.len());
    time("events", &body, |sample, _| sample.value.to_bits())?;
    time("series by text", &body, |sample, value| {
        series.get(sample.series).copied().unwrap_or(0) ^ value.to_bits()
    })?;
    time("labels", &body, |sample, _| sample.to_labels().text_bytes() as u64)
}

fn keys(body: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut keys = Vec::new();
    let mut parser = Parser::new(body.as_bytes(), Format::Text, Limits::default())?;
    while let Some(event) = parser.next_event()? {
        if let Event::Sample(sample) = event {
            keys.push(sample.series.to_owned());
        }
    }
    Ok(keys)
}

fn time(
    way: &str,
    body: &str,
    each: impl Fn(&tsdb::exposition::Sample<'_>, f64) -> u64,
) -> Result<(), Box<dyn Error>> {
    let (mut best, mut samples) = (Duration::MAX, 0_u64);
    for _ in 0..ROUNDS {
        let (started, mut bodies) = (Instant::now(), 0);
        while started.elapsed() < ROUND {
            samples = 0;
            let mut parser = Parser::new(body.as_bytes(), Format::Text, Limits::default())?;
            while let Some(event) = parser.next_event()? {
                if let Event::Sample(sample) = event {
                    black_box(each(sample, sample.value));
                    samples += 1;
                }
            }
            bodies += 1;
        }
        best = best.min(started.elapsed() / bodies);
    }
    let seconds = best.as_secs_f64();
    println!(
        "{way:>15}: {:7.1} MB/s, {:6.2} million samples/s",
        body.len() as f64 / seconds / 1e6,
        samples as f64 / seconds / 1e6,
    );
    Ok(())
}

/// About 2300 series in families such as node_exporter's on a machine of 16 cores.
fn node_like() -> String {
    let mut body = String::new();
    let mut family = |name: &str, kind: &str, series: &[String]| {
        let _ =
            writeln!(body, "# HELP {name} What the kernel tells of {}.", name.replace('_', " "));
        let _ = writeln!(body, "# TYPE {name} {kind}");
        for (place, labels) in series.iter().enumerate() {
            let value = match place % 4 {
                0 => "0".to_owned(),
                1 => format!("{}", place * 7919 + 12),
                2 => format!("{:.2}", place as f64 * 1234.567 + 0.07),
                _ => format!("{:e}", place as f64 * 98_765_432.1 + 1e9),
            };
            let _ = writeln!(body, "{name}{labels} {value}");
        }
    };
    let cores: Vec<String> = (0..16)
        .flat_map(|cpu| {
            ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"]
                .map(|mode| format!("{{cpu=\"{cpu}\",mode=\"{mode}\"}}"))
        })
        .collect();
    family("node_cpu_seconds_total", "counter", &cores);
    family("node_cpu_guest_seconds_total", "counter", &cores[..32]);
    let devices: Vec<String> = ["sda", "sdb", "nvme0n1", "dm-0", "dm-1"]
        .map(|name| format!("{{device=\"{name}\"}}"))
        .into();
    for name in ["reads", "read_bytes", "writes", "written_bytes", "io_time_seconds", "discards"] {
        for part in ["completed", "merged", "weighted"] {
            family(&format!("node_disk_{name}_{part}_total"), "counter", &devices);
        }
    }
    let mounts: Vec<String> = (0..12)
        .map(|place| {
            format!("{{device=\"/dev/mapper/vg-lv{place}\",fstype=\"ext4\",mountpoint=\"/srv/data/{place}\"}}")
        })
        .collect();
    for name in ["avail_bytes", "files", "files_free", "free_bytes", "readonly", "size_bytes"] {
        family(&format!("node_filesystem_{name}"), "gauge", &mounts);
    }
    let links: Vec<String> = ["lo", "eth0", "eth1", "docker0", "veth3f1c2a9"]
        .map(|name| format!("{{device=\"{name}\"}}"))
        .into();
    for direction in ["receive", "transmit"] {
        for name in ["bytes", "packets", "errs", "drop", "fifo", "compressed", "multicast", "frame"]
        {
            family(&format!("node_network_{direction}_{name}_total"), "counter", &links);
        }
    }
    for place in 0..250 {
        family(&format!("node_memory_Field{place}_bytes"), "gauge", &[String::new()]);
        family(&format!("node_vmstat_event_{place}"), "untyped", &[String::new()]);
    }
    let units: Vec<String> = (0..200)
        .flat_map(|unit| {
            ["activating", "active", "deactivating", "failed", "inactive"].map(|state| {
                format!("{{name=\"service-{unit}.service\",state=\"{state}\",type=\"simple\"}}")
            })
        })
        .collect();
    family("node_systemd_unit_state", "gauge", &units);
    let buckets: Vec<String> =
        ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf"]
            .map(|bound| format!("{{collector=\"cpu\",le=\"{bound}\"}}"))
            .into();
    family("node_scrape_collector_duration_seconds_bucket", "untyped", &buckets);
    body
}
