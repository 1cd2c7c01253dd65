//! Results as runs have them, for tests: made up, the same each time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::load::results::{
    CheckCount, Connections, Ended, GroupModel, INSTANCES_MAX, OTHER_INSTANCES, Part, Results, Run,
    Tester,
};
use crate::load::tally::{Failure, Sample, Tally};
use crate::load::timeline::{Bucket, Timeline};

/// Requests a second of a run.
const RATE: u64 = 400;
/// Requests a second of a run that is longer than [`LONG_SECONDS`].
const LONG_RATE: u64 = 40;
/// What a long run is.
const LONG_SECONDS: u64 = 650;

/// A run of the open model in which nothing happened.
pub(super) fn empty() -> Results {
    Results {
        run: Run {
            name: "Storefront".to_owned(),
            source: "command line".to_owned(),
            command: "plimsoll bench http://127.0.0.1:9999/ --rate 400 --for 5m".to_owned(),
            groups: vec![GroupModel {
                name: "main".to_owned(),
                open: true,
                load: "400 requests a second, evenly spaced, for 5 min".to_owned(),
                processes: 1,
            }],
            started_at: Timestamp::from_second(1_790_000_000).unwrap(),
            elapsed: Duration::ZERO,
            ended: Ended::Finished,
            parts: vec![Part::WHOLE],
            machines: vec!["anvil".to_owned()],
            left_out: Vec::new(),
        },
        total: Tally::default(),
        labels: Vec::new(),
        transactions: Vec::new(),
        instances: BTreeMap::new(),
        unnamed: 0,
        checks: BTreeMap::new(),
        examples: BTreeMap::new(),
        connections: Connections::default(),
        timeline: Timeline::default(),
        tester: Tester { threads: 2, ..Tester::default() },
    }
}

/// A run of so many seconds on these instances and labels. From 40 % to 44 % of the time the service
/// stands still; the last instance is slower than the others; a few requests fail.
fn run(seconds: u64, instances: &[String], labels: &[&str]) -> Results {
    let mut random = fastrand::Rng::with_seed(7);
    let rate = if seconds > LONG_SECONDS { LONG_RATE } else { RATE };
    let mut results = empty();
    let stall = seconds as f64 * 0.4..seconds as f64 * 0.44;
    let mut by_label: Vec<Tally> = labels.iter().map(|_| Tally::default()).collect();
    let mut buckets: Vec<Bucket> = vec![Bucket::default(); seconds as usize + 1];
    for number in 0..seconds * rate {
        let due = number as f64 / rate as f64;
        let instance = random.usize(..instances.len());
        let label = (random.f64().powi(2) * labels.len() as f64) as usize;
        // Three uniform factors: a skewed hump; each seventh misses a cache.
        let skew = random.f64() * random.f64() + 0.4 * random.f64();
        let mut service = 0.002 + 0.008 * skew * (1.0 + label as f64);
        if random.u32(..7) == 0 {
            service += 0.03 + 0.03 * random.f64();
        }
        if instance > 0 && instance + 1 == instances.len() {
            service *= 1.8;
        }
        let began = if stall.contains(&due) { stall.end } else { due };
        let mut failure = None;
        let mut status = Some(200);
        if stall.contains(&due) && random.u32(..5) == 0 {
            (failure, status) = (Some(Failure::Status), Some(503));
        } else if random.u32(..4000) == 0 {
            (failure, status) = (Some(Failure::Closed), None);
        } else if random.u32(..9000) == 0 {
            (failure, status, service) = (Some(Failure::Timeout), None, 2.0);
        }
        let response = Duration::from_secs_f64(began + service - due);
        let sample = Sample {
            response_time: response,
            service_time: Duration::from_secs_f64(service),
            first_byte: status.map(|_| Duration::from_secs_f64(service * 0.9)),
            status,
            failure,
            bytes_sent: 120,
            bytes_received: if status.is_some() { 5200 } else { 0 },
        };
        results.total.record(&sample);
        by_label[label].record(&sample);
        buckets[due as usize].due += 1;
        let bucket = &mut buckets[((due + response.as_secs_f64()) as usize).min(seconds as usize)];
        bucket.requests += 1;
        bucket.errors += u64::from(failure.is_some());
        bucket.bytes_received += sample.bytes_received;
        if status.is_some() || failure == Some(Failure::Timeout) {
            bucket.response_time.record(response);
        }
        if status.is_some() {
            *bucket.instances.entry(instances[instance].clone()).or_default() += 1;
            results.instances.entry(instances[instance].clone()).or_default().record(&sample);
        }
        results.tester.scheduling_lag.record(Duration::from_micros(random.u64(5..120)));
    }
    for (second, bucket) in buckets.iter_mut().enumerate() {
        let still = stall.contains(&(second as f64));
        bucket.in_flight =
            if still { (second as f64 - stall.start) as u64 * rate + 300 } else { 6 };
        results.timeline.add(second as u64, bucket);
    }
    results.tester.due = seconds * rate;
    finished(&mut results, seconds, labels, by_label);
    results
}

/// Fills in the rest of a run.
fn finished(results: &mut Results, seconds: u64, labels: &[&str], by_label: Vec<Tally>) {
    results.run.elapsed = Duration::from_secs(seconds) + Duration::from_millis(180);
    results.labels = labels.iter().map(|label| (*label).to_owned()).zip(by_label).collect();
    let example = |text: &str| text.to_owned();
    results.examples = BTreeMap::from([
        (example("closed"), example("GET /: the connection was closed before the answer")),
        (example("status"), example("GET /cart: 503 Service Unavailable")),
        (example("timeout"), example("GET /search: no answer within 2 s")),
    ]);
    results.connections.opened = 64;
    for micros in 80..144 {
        results.connections.connect_time.record(Duration::from_micros(micros));
    }
    let tester = &mut results.tester;
    tester.processor_time = Duration::from_millis(seconds * 90);
    tester.thread_time =
        vec![Duration::from_millis(seconds * 50), Duration::from_millis(seconds * 40)];
    let cart = CheckCount { passed: 1200, failed: 3 };
    results.checks.insert("cart holds the item".to_owned(), cart);
}

fn named(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("web-{number}")).collect()
}

/// Three instances, three labels, a stall and a few errors.
pub(super) fn stalled(seconds: u64) -> Results {
    let mut results = run(seconds, &named(3), &["home", "search", "check out"]);
    let rounds = results.labels[0].1.clone();
    results.transactions.push(("visit".to_owned(), rounds));
    results
}

/// One instance, one label, the closed model.
pub(super) fn one_instance() -> Results {
    let mut results = run(30, &named(1), &["home"]);
    let group = &mut results.run.groups[0];
    (group.open, group.load) = (false, "64 users, as fast as answers come, for 30 s".to_owned());
    results.timeline.buckets.iter_mut().for_each(|bucket| bucket.users = 64);
    results
}

/// As many instances as are told apart, and others.
pub(super) fn many_instances() -> Results {
    let mut names = named(INSTANCES_MAX);
    names.push(OTHER_INSTANCES.to_owned());
    run(60, &names, &["home"])
}

/// Nobody was there.
pub(super) fn all_failed() -> Results {
    let mut results = empty();
    let sample = Sample {
        response_time: Duration::from_micros(90),
        service_time: Duration::from_micros(90),
        first_byte: None,
        status: None,
        failure: Some(Failure::Connect),
        bytes_sent: 0,
        bytes_received: 0,
    };
    for second in 0..20 {
        let mut bucket = Bucket { due: RATE, ..Bucket::default() };
        for _ in 0..RATE {
            results.total.record(&sample);
            bucket.requests += 1;
            bucket.errors += 1;
        }
        results.timeline.add(second, &bucket);
    }
    results.run.elapsed = Duration::from_secs(20);
    let example = "connection refused by 127.0.0.1:9999".to_owned();
    results.examples.insert("connect".to_owned(), example);
    results
}

/// A single request.
pub(super) fn one_request() -> Results {
    let mut results = empty();
    let sample = Sample {
        response_time: Duration::from_micros(1830),
        service_time: Duration::from_micros(1700),
        first_byte: Some(Duration::from_micros(1500)),
        status: Some(200),
        failure: None,
        bytes_sent: 90,
        bytes_received: 400,
    };
    results.total.record(&sample);
    let mut bucket = Bucket { requests: 1, due: 1, ..Bucket::default() };
    bucket.response_time.record(sample.response_time);
    results.timeline.add(0, &bucket);
    results.run.elapsed = Duration::from_micros(2100);
    results
}

/// What somebody could put into names to break a page.
pub(super) const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{0}\u{1b}[31m\u{202e}";

/// Hostile words wherever words come from outside.
pub(super) fn hostile() -> Results {
    let names = [HOSTILE.to_owned(), "]]>".to_owned(), "a".repeat(400)];
    let mut results = run(20, &names, &[HOSTILE, "{{7*7}}", &"word ".repeat(60)]);
    results.run.name = HOSTILE.to_owned();
    results.run.command = format!("plimsoll bench '{HOSTILE}'");
    results.run.source = HOSTILE.to_owned();
    results.run.groups[0].load = HOSTILE.to_owned();
    results.run.machines = vec![HOSTILE.to_owned()];
    results.examples.insert("status".to_owned(), HOSTILE.to_owned());
    results.checks.insert(HOSTILE.to_owned(), CheckCount { passed: 1, failed: 1 });
    results
}

/// One of each kind that is special, by name.
pub(super) fn all() -> Vec<(&'static str, Results)> {
    vec![
        ("stalled", stalled(300)),
        ("empty", empty()),
        ("all-failed", all_failed()),
        ("one-request", one_request()),
        ("one-instance", one_instance()),
        ("many-instances", many_instances()),
        ("hostile", hostile()),
    ]
}
