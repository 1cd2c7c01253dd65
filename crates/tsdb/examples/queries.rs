//! Measures how long dashboard queries take: 10 000 series over 6 hours at 15 s, in memory.
//!
//! `cargo run --release -p tsdb --example queries [SERIES] [QUERY…]`

use std::time::{Duration, Instant};

use tsdb::labels::Labels;
use tsdb::promql::{self, Grid, Limits, Memory, Value};

const INTERVAL: i64 = 15_000;
const HOURS: i64 = 6;
const STEP: i64 = 60_000;
const ROUNDS: usize = 5;
/// Buckets of each histogram; the rest of the series are counters.
const BOUNDS: [&str; 10] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

const QUERIES: [&str; 12] = [
    "sum by (job) (rate(requests_total[5m]))",
    "sum(rate(requests_total[1m]))",
    "sum by (instance) (rate(requests_total{code=~\"5..\"}[5m])) / sum by (instance) (rate(requests_total[5m]))",
    "histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
    "avg by (job) (memory_bytes)",
    "topk(5, sum by (instance) (rate(requests_total[5m])))",
    "max_over_time(memory_bytes[1h])",
    "avg_over_time(memory_bytes[10m])",
    "memory_bytes / 1024 / 1024 > 100",
    "count(requests_total)",
    "quantile by (job) (0.9, memory_bytes)",
    "max_over_time(sum by (job) (rate(requests_total[1m]))[10m:1m])",
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let series: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let asked: Vec<String> = arguments.collect();
    let memory = filled(series);
    println!("{} series, {} samples each", memory.len(), HOURS * 3_600_000 / INTERVAL);
    let queries = QUERIES.iter().map(|text| (*text).to_owned());
    for text in if asked.is_empty() { queries.collect() } else { asked } {
        let query = match promql::parse(&text) {
            Ok(query) => query,
            Err(error) => {
                println!("{error}: {text}");
                continue;
            }
        };
        let grid = Grid { start: 0, end: HOURS * 3_600_000, step: STEP };
        let mut best = Duration::MAX;
        let mut answer = String::new();
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let outcome = promql::range(&query, &memory, grid, &Limits::default());
            best = best.min(begin.elapsed());
            answer = match outcome {
                Ok(outcome) => match outcome.value {
                    Value::Matrix(rows) => {
                        format!("{} series, {} read", rows.len(), outcome.samples_read)
                    }
                    _ => "no matrix".to_owned(),
                },
                Err(error) => error.to_string(),
            };
        }
        println!("{:>9.1} ms  {text}  ({answer})", best.as_secs_f64() * 1e3);
    }
}

/// Half counters of requests, a quarter gauges, a quarter buckets.
fn filled(series: usize) -> Memory {
    let mut memory = Memory::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for number in 0..series {
        let job = format!("job-{}", number % 10);
        let kind = number % 4;
        let instance = format!("10.0.{}.{}:9100", number / 4 / 100 % 20, number / 4 % 100);
        let path = format!("/api/{}", number / 8000);
        let labels = match kind {
            0 | 1 => {
                let code = ["200", "404", "500", "503"][number / 4 % 4];
                let method = ["GET", "POST"][kind];
                Labels::from_pairs([
                    ("__name__", "requests_total"),
                    ("job", &job),
                    ("instance", &instance),
                    ("code", code),
                    ("method", method),
                    ("path", &path),
                ])
            }
            2 => Labels::from_pairs([
                ("__name__", "memory_bytes"),
                ("job", &job),
                ("instance", &instance),
                ("path", &path),
            ]),
            _ => {
                let histogram = number / 4 / BOUNDS.len();
                Labels::from_pairs([
                    ("__name__", "latency_seconds_bucket"),
                    ("job", &format!("job-{}", histogram % 10)),
                    ("instance", &format!("10.1.0.{histogram}:9100")),
                    ("le", BOUNDS[number / 4 % BOUNDS.len()]),
                ])
            }
        };
        let mut value = 0.0;
        for sample in 0..=HOURS * 3_600_000 / INTERVAL {
            value = match kind {
                2 => 1e8 + (next() % 100_000_000) as f64,
                3 => value + ((number / 4 % BOUNDS.len()) as u64 * 3 + next() % 3) as f64,
                _ => value + (next() % 50) as f64,
            };
            memory.append(&labels, sample * INTERVAL, value);
        }
    }
    memory
}
