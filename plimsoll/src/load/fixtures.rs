//! Results as runs give them, for the tests of what is made of results.

use std::collections::BTreeMap;
use std::time::Duration;

use super::results::{CheckCount, Connections, Ended, GroupModel, Part, Results, Run, Tester};
use super::tally::{Failure, Latencies, Sample, Tally};
use super::timeline::{Bucket, Timeline};

/// How many requests a second [`shop`] has.
const RATE: u64 = 1000;
/// How long [`shop`] lasts.
const SECONDS: u64 = 30;

/// A shop with three instances, one of them slower, at 1 000 requests a second for 30 s: a stall at
/// the twentieth second, some timeouts and answers of 503.
pub fn shop() -> Results {
    run_of_shop(1)
}

/// The same with other chance.
pub fn run_of_shop(seed: u64) -> Results {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut results = empty_shop();
    for second in 0..SECONDS {
        let mut bucket = Bucket { due: RATE, users: 0, in_flight: 24, ..Bucket::default() };
        for _ in 0..RATE {
            let label = usize::from(random.u32(0..10) >= 7) + usize::from(random.u32(0..10) == 0);
            let instance = ["web-1", "web-2", "web-3"][random.usize(0..3)];
            let sample = sample(&mut random, label, instance, second);
            results.total.record(&sample);
            results.labels[label].1.record(&sample);
            bucket.requests += 1;
            bucket.errors += u64::from(sample.failure.is_some());
            bucket.bytes_received += sample.bytes_received;
            if sample.status.is_some() || sample.failure == Some(Failure::Timeout) {
                bucket.response_time.record(sample.response_time);
            }
            if sample.status.is_some() {
                *bucket.instances.entry(instance.to_owned()).or_default() += 1;
                results.instances.entry(instance.to_owned()).or_default().record(&sample);
            }
            let lag = Duration::from_nanos(20_000 + random.u64(0..60_000));
            results.tester.scheduling_lag.record(lag);
        }
        results.timeline.add(second, &bucket);
        let transaction = Duration::from_micros(40_000 + random.u64(0..20_000));
        let mut sample = sample(&mut random, 0, "web-1", 0);
        (sample.response_time, sample.service_time) = (transaction, transaction);
        results.transactions[0].1.record(&sample);
    }
    results
}

/// A closed run of a service that refuses every connection.
pub fn refused() -> Results {
    let mut results = empty_shop();
    let load = "64 users, each as fast as answers come, for 10 s".to_owned();
    results.run.groups =
        vec![GroupModel { name: "main".to_owned(), open: false, load, processes: 1 }];
    results.run.elapsed = Duration::from_secs(10);
    results.checks.clear();
    results.labels.truncate(1);
    results.transactions.clear();
    results.connections = Connections { failed: 5120, ..Connections::default() };
    results.tester = Tester { threads: 2, ..Tester::default() };
    let detail = "connection refused by 127.0.0.1:9999".to_owned();
    results.examples = BTreeMap::from([("connect".to_owned(), detail)]);
    let sample = Sample {
        response_time: Duration::ZERO,
        service_time: Duration::ZERO,
        first_byte: None,
        status: None,
        failure: Some(Failure::Connect),
        bytes_sent: 0,
        bytes_received: 0,
    };
    for second in 0..10 {
        let bucket = Bucket { requests: 512, errors: 512, users: 64, ..Bucket::default() };
        results.timeline.add(second, &bucket);
        for _ in 0..512 {
            results.total.record(&sample);
            results.labels[0].1.record(&sample);
        }
    }
    results
}

fn sample(random: &mut fastrand::Rng, label: usize, instance: &str, second: u64) -> Sample {
    // Log-normal by the sum of twelve even draws: most answers near the median, a long tail.
    let bell: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let median = [6.0, 11.0, 27.0][label] * if instance == "web-3" { 1.6 } else { 1.0 };
    let mut service = Duration::from_secs_f64(median / 1e3 * (0.35 * bell).exp());
    let stall = Duration::from_millis(if second == 20 { random.u64(100..400) } else { 0 });
    let failure = match random.u32(0..2000) {
        0 => Some(Failure::Timeout),
        1..=6 => Some(Failure::Status),
        7 => Some(Failure::Closed),
        _ => None,
    };
    if failure == Some(Failure::Timeout) {
        service = Duration::from_secs(2);
    }
    let status = match failure {
        None => Some(200),
        Some(Failure::Status) => Some(503),
        Some(_) => None,
    };
    Sample {
        response_time: service + stall + Duration::from_micros(random.u64(5..60)),
        service_time: service,
        first_byte: status.map(|_| service.mul_f64(0.9)),
        status,
        failure,
        bytes_sent: 142,
        bytes_received: status.map_or(0, |_| [1_830, 4_210, 912][label]),
    }
}

fn empty_shop() -> Results {
    let mut connect_time = Latencies::default();
    let mut tls_time = Latencies::default();
    for number in 0..48 {
        connect_time.record(Duration::from_micros(180 + number * 7));
        tls_time.record(Duration::from_micros(900 + number * 21));
    }
    let load = "1 000 requests a second, evenly spaced, for 30 s".to_owned();
    Results {
        run: Run {
            name: "shop".to_owned(),
            source: "shop.toml".to_owned(),
            command: "plimsoll bench -c shop.toml".to_owned(),
            groups: vec![GroupModel { name: "main".to_owned(), open: true, load, processes: 1 }],
            started_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            elapsed: Duration::from_nanos(30_004_123_457),
            ended: Ended::Finished,
            parts: vec![Part::WHOLE],
            machines: vec!["tester-1".to_owned()],
            left_out: Vec::new(),
        },
        total: Tally::default(),
        labels: ["GET /", "GET /basket", "POST /order"]
            .map(|name| (name.to_owned(), Tally::default()))
            .into(),
        transactions: vec![("checkout".to_owned(), Tally::default())],
        instances: BTreeMap::new(),
        unnamed: 3,
        checks: BTreeMap::from([
            ("basket is not empty".to_owned(), CheckCount { passed: 5912, failed: 0 }),
            ("order has a number".to_owned(), CheckCount { passed: 3001, failed: 2 }),
        ]),
        examples: BTreeMap::from([
            ("timeout".to_owned(), "GET /basket: no answer within 2 s".to_owned()),
            ("status".to_owned(), "POST /order: 503 Service Unavailable".to_owned()),
            ("closed".to_owned(), "GET /: closed by the server before an answer".to_owned()),
        ]),
        connections: Connections { opened: 48, failed: 0, connect_time, tls_time },
        timeline: Timeline::default(),
        tester: Tester {
            threads: 2,
            processor_time: Duration::from_millis(4_310),
            thread_time: vec![Duration::from_millis(2_160), Duration::from_millis(2_100)],
            due: RATE * SECONDS,
            ..Tester::default()
        },
    }
}
