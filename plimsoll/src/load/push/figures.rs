//! What is pushed: the figures of a second as samples of Prometheus metrics.

use std::collections::BTreeMap;

use tsdb::exposition::{Exposition, Kind};

use crate::load::progress::Progress;
use crate::load::results::of_instance;
use crate::load::tally::{Failure, Latencies};

/// Quantiles that are told, and their labels.
const QUANTILES: [(f64, &str); 5] =
    [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (0.999, "0.999"), (1.0, "1")];

/// The metrics: name, kind, meaning. Samples refer to them by place.
const FAMILIES: [(&str, Kind, &str); 11] = [
    ("plimsoll_bench_requests_total", Kind::Counter, "Requests that ended, well or not."),
    ("plimsoll_bench_errors_total", Kind::Counter, "Requests that failed, by kind."),
    (
        "plimsoll_bench_response_seconds",
        Kind::Gauge,
        "Response times of the last second by quantile; 1 is the longest.",
    ),
    ("plimsoll_bench_in_flight", Kind::Gauge, "Requests under way."),
    ("plimsoll_bench_users", Kind::Gauge, "Users that are there."),
    (
        "plimsoll_bench_target_rate",
        Kind::Gauge,
        "Iterations that should begin each second, in the open model.",
    ),
    (
        "plimsoll_bench_lag_seconds",
        Kind::Gauge,
        "How late iterations began within the last second, 99th percentile: the tester's own limit.",
    ),
    ("plimsoll_bench_received_bytes_total", Kind::Counter, "Bytes received, heads included."),
    ("plimsoll_bench_answers_total", Kind::Counter, "Answers by the instance that gave them."),
    ("plimsoll_bench_elapsed_seconds", Kind::Gauge, "Time since the start of the run."),
    (
        "plimsoll_bench_planned_seconds",
        Kind::Gauge,
        "How long the run is meant to last; absent where only counts end it.",
    ),
];

/// The place of a metric in the list, and the figure's own label.
pub type SeriesName = (usize, Option<(&'static str, String)>);

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Place in the list of metrics.
    family: usize,
    /// Its own label, beside those of the receiver.
    label: Option<(&'static str, String)>,
    /// The figure.
    pub value: f64,
}

impl Sample {
    /// What it is a figure of.
    pub fn series(self) -> SeriesName {
        (self.family, self.label)
    }

    /// A figure of that.
    pub fn of((family, label): SeriesName, value: f64) -> Self {
        Self { family, label, value }
    }

    /// The metric's name.
    pub fn name(&self) -> &'static str {
        FAMILIES[self.family].0
    }

    /// Its own label.
    pub fn label(&self) -> Option<(&str, &str)> {
        self.label.as_ref().map(|(name, value)| (*name, value.as_str()))
    }
}

/// Makes samples of what is told of a run; adds up what is told by the second only.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    received: u64,
    instances: BTreeMap<String, u64>,
    /// The last second that was counted.
    counted: Option<u64>,
}

impl Figures {
    /// All figures as they are now.
    pub fn samples(&mut self, progress: &Progress) -> Vec<Sample> {
        let second = &progress.second;
        // The end repeats the last second.
        if self.counted.replace(progress.elapsed.as_secs()) != Some(progress.elapsed.as_secs()) {
            self.received += second.bytes_received;
            for (instance, answers) in &second.instances {
                *of_instance(&mut self.instances, instance) += answers;
            }
        }
        let mut samples = vec![plain(0, progress.total_requests as f64)];
        for failure in Failure::ALL {
            let count = progress.failures.get(&failure).copied().unwrap_or_default();
            let label = Some(("kind", failure.name().to_owned()));
            samples.push(Sample { family: 1, label, value: count as f64 });
        }
        samples.extend(quantiles(&second.response_time));
        samples.push(plain(3, second.in_flight as f64));
        samples.push(plain(4, second.users as f64));
        samples.extend(progress.target_rate.map(|rate| plain(5, rate)));
        samples.push(plain(6, progress.lag.as_secs_f64()));
        samples.push(plain(7, self.received as f64));
        samples.extend(self.instances.iter().map(|(instance, answers)| Sample {
            family: 8,
            label: Some(("served_by", instance.clone())),
            value: *answers as f64,
        }));
        samples.push(plain(9, progress.elapsed.as_secs_f64()));
        samples.extend(progress.planned.map(|planned| plain(10, planned.as_secs_f64())));
        samples
    }
}

fn plain(family: usize, value: f64) -> Sample {
    Sample { family, label: None, value }
}

/// Nothing answered is no latency of zero: Prometheus has NaN for it.
fn quantiles(latencies: &Latencies) -> impl Iterator<Item = Sample> {
    QUANTILES.into_iter().map(|(at, label)| Sample {
        family: 2,
        label: Some(("quantile", label.to_owned())),
        value: if latencies.count() == 0 { f64::NAN } else { latencies.quantile(at).as_secs_f64() },
    })
}

/// The samples as text, for a Pushgateway.
pub fn text(samples: &[Sample]) -> String {
    let mut exposition = Exposition::new();
    for sample in samples {
        let (name, kind, help) = FAMILIES[sample.family];
        let label = sample.label();
        exposition.family(name, kind, help).sample(label.as_slice(), sample.value);
    }
    exposition.finish()
}
