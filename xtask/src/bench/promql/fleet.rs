//! What the stores are given: figures of a fleet, the same ones in every run.
//!
//! Fifty instances of ten services are read every 15 seconds, each at a moment of its own, as scrapes
//! are. Each has 200 series: requests by method and code, histograms of durations, CPU by mode,
//! sizes, gauges, flags and constants, with increments that differ from series to series and rise
//! and fall together as a day's traffic does. No time is a whole second, so that it does not matter
//! which end of a range is open.

use fastrand::Rng;
use tsdb::labels::{Labels, NAME};

/// From one sample of a series to the next, milliseconds.
pub(super) const INTERVAL: i64 = 15_000;
/// Series of an instance.
pub(super) const SERIES_PER_INSTANCE: usize = 200;
/// Names of services; instances are shared out evenly.
const SERVICES: [&str; 10] = [
    "account", "basket", "catalog", "checkout", "gateway", "image", "login", "mail", "payment",
    "search",
];
/// Bounds of the histograms of requests and of queries, seconds.
const REQUEST_BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
const QUERY_BOUNDS: [&str; 10] =
    ["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "1", "+Inf"];
/// Bytes of a page, in which memory and disks are measured.
const PAGE: f64 = 4096.0;
/// Samples after which the traffic's rise and fall repeats: three hours.
const TRAFFIC_PERIOD: f64 = 720.0;

/// All instances.
pub(super) struct Fleet {
    pub(super) instances: Vec<Instance>,
}

/// One source of figures.
pub(super) struct Instance {
    /// When it is read within each interval, milliseconds.
    pub(super) phase: i64,
    pub(super) labels: Vec<Labels>,
    measures: Vec<Measure>,
    random: Rng,
}

/// How a figure, or several together, go on from one sample to the next.
enum Measure {
    /// Stays.
    Constant(f64),
    /// Jumps to a small number now and then.
    Seldom { value: f64, below: u32 },
    /// Grows by whole numbers around `mean`.
    Counter { value: f64, mean: f64 },
    /// Grows by hundredths around `mean` of them, as CPU times do.
    Hundredths { value: f64, mean: f64 },
    /// Wanders by steps of a unit.
    Gauge { value: f64, unit: f64, spread: i32 },
    /// Sinks by pages around `mean` of them.
    Sinking { pages: f64, mean: f64 },
    /// Has a long fraction and no memory.
    Noise { mean: f64 },
    /// Buckets, sum and count.
    Histogram { buckets: Vec<f64>, shares: Vec<f64>, sum: f64, mean: f64 },
}

impl Fleet {
    /// With so many instances.
    pub(super) fn new(instances: usize) -> Self {
        Self { instances: (0..instances).map(|place| Instance::new(place, instances)).collect() }
    }
}

impl Instance {
    fn new(place: usize, of: usize) -> Self {
        let service = SERVICES[place % SERVICES.len()];
        let name = format!("10.0.{}.{}:8080", place / 100, place % 100 + 1);
        let zone = ["eu-1a", "eu-1b", "eu-1c"][place % 3];
        let version = ["2.7.0", "2.7.1"][usize::from(place * 4 < of)];
        let mut made = Definitions {
            common: vec![
                ("job", service),
                ("service", service),
                ("instance", &name),
                ("zone", zone),
            ],
            random: Rng::with_seed(place as u64),
            labels: Vec::new(),
            measures: Vec::new(),
        };
        made.requests();
        made.process(version);
        made.machine();
        made.parts();
        let Definitions { random, labels, measures, .. } = made;
        // A round of reads takes the whole interval; 37 keeps every time off the whole seconds.
        let phase = place as i64 * INTERVAL / of as i64 / 100 * 100 + 37;
        Self { phase, labels, measures, random }
    }

    /// Appends the values of sample number `round`, in the order of the labels.
    pub(super) fn read(&mut self, round: usize, values: &mut Vec<f64>) {
        let traffic = 1.0 + 0.4 * (round as f64 / TRAFFIC_PERIOD * std::f64::consts::TAU).sin();
        for measure in &mut self.measures {
            measure.read(traffic, &mut self.random, values);
        }
    }
}

/// Series being listed.
struct Definitions<'a> {
    common: Vec<(&'a str, &'a str)>,
    random: Rng,
    labels: Vec<Labels>,
    measures: Vec<Measure>,
}

impl Definitions<'_> {
    fn label(&mut self, name: &str, own: &[(&str, &str)]) {
        let pairs = self.common.iter().chain(own).copied().chain([(NAME, name)]);
        self.labels.push(Labels::from_pairs(pairs));
    }

    fn add(&mut self, name: &str, own: &[(&str, &str)], measure: Measure) {
        self.label(name, own);
        self.measures.push(measure);
    }

    /// A mean of its own for each series, over two orders of magnitude.
    fn counter(&mut self, name: &str, own: &[(&str, &str)], mean: f64) {
        let mean = mean * 10f64.powf(2.0 * self.random.f64() - 1.0);
        let value = (mean * 1e4 * self.random.f64()).round();
        self.add(name, own, Measure::Counter { value, mean });
    }

    fn histogram(&mut self, name: &str, own: &[(&str, &str)], bounds: &[&str], mean: f64) {
        for bound in bounds {
            let own: Vec<_> = own.iter().copied().chain([("le", *bound)]).collect();
            self.label(&format!("{name}_bucket"), &own);
        }
        self.label(&format!("{name}_sum"), own);
        self.label(&format!("{name}_count"), own);
        let middle = 1.0 + self.random.f64() * bounds.len() as f64 / 2.0;
        let weights = (0..bounds.len()).map(|place| (-(place as f64 - middle).powi(2) / 4.0).exp());
        let weights: Vec<f64> = weights.collect();
        let all: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / all).collect();
        let mean = mean * (0.5 + self.random.f64());
        // They have been counting for a while: from the very first sample of a counter that starts at
        // nothing, Prometheus 2 and 3 extrapolate differently.
        let buckets: Vec<f64> = shares.iter().map(|share| (share * mean * 1e4).round()).collect();
        let sum = buckets.iter().sum::<f64>() * 0.05;
        self.measures.push(Measure::Histogram { buckets, shares, sum, mean });
    }

    /// 59 series.
    fn requests(&mut self) {
        self.add("up", &[], Measure::Constant(1.0));
        for method in ["GET", "POST", "PUT"] {
            for (code, mean) in
                [("200", 200.0), ("201", 20.0), ("404", 4.0), ("500", 0.6), ("503", 0.3)]
            {
                self.counter("http_requests_total", &[("method", method), ("code", code)], mean);
            }
            let own = [("method", method)];
            self.histogram("http_request_duration_seconds", &own, &REQUEST_BOUNDS, 150.0);
        }
        let gauge = Measure::Gauge { value: 12.0, unit: 1.0, spread: 3 };
        self.add("http_requests_in_flight", &[], gauge);
    }

    /// 13 series.
    fn process(&mut self, version: &str) {
        self.add("build_info", &[("version", version)], Measure::Constant(1.0));
        let cpu = Measure::Hundredths { value: 31_000.0, mean: 400.0 };
        self.add("process_cpu_seconds_total", &[], cpu);
        let started = 1_763_000_000.25 + f64::from(self.random.u32(0..9_000));
        for (name, value) in [
            ("process_start_time_seconds", started),
            ("process_max_fds", 65_536.0),
            ("process_virtual_memory_max_bytes", 1.844_674_407_370_955_2e19),
        ] {
            self.add(name, &[], Measure::Constant(value));
        }
        let resident = Measure::Gauge { value: 40_000.0 * PAGE, unit: PAGE, spread: 40 };
        self.add("process_resident_memory_bytes", &[], resident);
        let open = Measure::Gauge { value: 210.0, unit: 1.0, spread: 4 };
        self.add("process_open_fds", &[], open);
        self.add("process_threads", &[], Measure::Seldom { value: 17.0, below: 24 });
        for quantile in ["0", "0.25", "0.5", "0.75", "1"] {
            let own = [("quantile", quantile)];
            self.add("gc_duration_seconds", &own, Measure::Noise { mean: 4e-4 });
        }
    }

    /// 46 series.
    fn machine(&mut self) {
        for cpu in ["0", "1", "2", "3"] {
            let modes: [(&str, f64); 8] = [
                ("idle", 1_000.0),
                ("iowait", 3.0),
                ("irq", 0.0),
                ("nice", 0.02),
                ("softirq", 6.0),
                ("steal", 1.0),
                ("system", 90.0),
                ("user", 300.0),
            ];
            for (mode, mean) in modes {
                let value = (mean * 5_000.0).round();
                let own = [("cpu", cpu), ("mode", mode)];
                self.add("cpu_seconds_total", &own, Measure::Hundredths { value, mean });
            }
        }
        for (device, pages) in [("sda1", 8e6), ("sda2", 2e7), ("sdb1", 1e8)] {
            let own = [("device", device)];
            self.add("disk_size_bytes", &own, Measure::Constant(pages * PAGE));
            let free = Measure::Sinking { pages: pages / 3.0, mean: pages / 1e6 };
            self.add("disk_free_bytes", &own, free);
        }
        for device in ["eth0", "eth1"] {
            for direction in ["in", "out"] {
                let own = [("device", device), ("direction", direction)];
                self.counter("network_bytes_total", &own, 3e6);
            }
        }
        for sensor in ["board", "cpu", "disk", "intake"] {
            let warm = Measure::Gauge { value: 41.5, unit: 0.1, spread: 5 };
            self.add("temperature_celsius", &[("sensor", sensor)], warm);
        }
    }

    /// 82 series.
    fn parts(&mut self) {
        for query in ["account_by_id", "items_of_basket", "prices", "stock"] {
            let own = [("query", query)];
            self.histogram("db_query_duration_seconds", &own, &QUERY_BOUNDS, 60.0);
        }
        for cache in ["object", "page", "price", "session"] {
            self.counter("cache_requests_total", &[("cache", cache), ("result", "hit")], 90.0);
            self.counter("cache_requests_total", &[("cache", cache), ("result", "miss")], 9.0);
        }
        for queue in ["events", "mail", "reports", "thumbnails"] {
            self.add("queue_capacity", &[("queue", queue)], Measure::Constant(500.0));
            let length = Measure::Gauge { value: 20.0, unit: 1.0, spread: 9 };
            self.add("queue_length", &[("queue", queue)], length);
        }
        for place in 0..8 {
            let worker = place.to_string();
            let busy = Measure::Seldom { value: 1.0, below: 2 };
            self.add("worker_busy", &[("worker", &worker)], busy);
            let value = f64::from(u8::from(place % 3 == 0));
            self.add("feature_enabled", &[("feature", &worker)], Measure::Constant(value));
        }
        self.add("replication_lag_seconds", &[], Measure::Noise { mean: 0.02 });
        self.add("certificate_expiry_seconds", &[], Measure::Constant(1_790_000_000.0));
    }
}

impl Measure {
    fn read(&mut self, traffic: f64, random: &mut Rng, values: &mut Vec<f64>) {
        let around = |mean: f64, random: &mut Rng| (mean * (0.5 + random.f64())).round();
        match self {
            Self::Constant(value) => values.push(*value),
            Self::Seldom { value, below } => {
                if random.u32(0..100) == 0 {
                    *value = f64::from(random.u32(0..*below));
                }
                values.push(*value);
            }
            Self::Counter { value, mean } => {
                // Of less than one a round, most rounds have none.
                let mean = *mean * traffic;
                *value += around(mean.floor(), random);
                *value += f64::from(u8::from(random.f64() < mean.fract()));
                values.push(*value);
            }
            Self::Hundredths { value, mean } => {
                *value += around(*mean * traffic, random);
                values.push(*value / 100.0);
            }
            Self::Gauge { value, unit, spread } => {
                let step = f64::from(random.i32(-*spread..=*spread));
                let units = ((*value / *unit).round() + step).abs();
                // As printed: units that are no whole number have one decimal.
                *value = if *unit < 1.0 { units / 10.0 } else { units * *unit };
                values.push(*value);
            }
            Self::Sinking { pages, mean } => {
                *pages = (*pages - around(*mean * traffic, random)).max(0.0).round();
                values.push(*pages * PAGE);
            }
            Self::Noise { mean } => values.push(*mean * (0.2 + 2.0 * random.f64() * random.f64())),
            Self::Histogram { buckets, shares, sum, mean } => {
                for (bucket, share) in buckets.iter_mut().zip(shares) {
                    let new = around(*mean * *share * traffic, random);
                    *bucket += new;
                    *sum += new * random.f64() * 0.1;
                }
                let mut count = 0.0;
                values.extend(buckets.iter().map(|bucket| {
                    count += bucket;
                    count
                }));
                values.extend([*sum, count]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Fleet, INTERVAL, SERIES_PER_INSTANCE};

    #[test]
    fn every_series_is_there_once_and_is_the_same_in_every_run() {
        let (mut fleet, mut again) = (Fleet::new(50), Fleet::new(50));
        let mut all = BTreeSet::new();
        for (instance, same) in fleet.instances.iter_mut().zip(&mut again.instances) {
            assert_eq!(instance.labels.len(), SERIES_PER_INSTANCE);
            all.extend(instance.labels.iter().cloned());
            let (mut values, mut others) = (Vec::new(), Vec::new());
            for round in 0..3 {
                instance.read(round, &mut values);
                same.read(round, &mut others);
            }
            assert_eq!(values.len(), 3 * SERIES_PER_INSTANCE);
            assert_eq!(values, others);
            assert!(instance.phase % 1000 != 0 && (0..INTERVAL).contains(&instance.phase));
        }
        assert_eq!(all.len(), 50 * SERIES_PER_INSTANCE);
    }

    #[test]
    fn counters_never_sink_and_buckets_add_up() {
        let mut fleet = Fleet::new(1);
        let instance = &mut fleet.instances[0];
        let mut last = vec![0.0; SERIES_PER_INSTANCE];
        for round in 0..100 {
            let mut values = Vec::new();
            instance.read(round, &mut values);
            for (place, labels) in instance.labels.iter().enumerate() {
                let name = labels.name();
                if ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end)) {
                    assert!(values[place] >= last[place], "{labels}");
                }
                if labels.get("le").is_some_and(|bound| bound == "+Inf") {
                    assert_eq!(values[place], values[place + 2], "{labels} is the count");
                }
            }
            last = values;
        }
    }
}
