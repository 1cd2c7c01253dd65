//! Samples that are made the same way every time, for both sides of the comparison.
//!
//! Times never lie on a whole second, apart from those of `aligned` and `edge`: queries are asked at
//! whole seconds, so that it does not matter which end of a range is open.

use std::fmt::Write;

use tsdb::labels::{Labels, NAME};
use tsdb::promql::Memory;

use super::random::Random;

/// The first time of all samples, seconds since 1970; a multiple of 100.
pub const START: i64 = 1_700_000_000;
/// How long samples last, seconds.
pub const LENGTH: i64 = 7_200;
/// From one sample of a series to the next, milliseconds.
const INTERVAL: i64 = 15_000;

/// All series with their samples.
#[derive(Default)]
pub struct Data {
    series: Vec<(Labels, Vec<(i64, f64)>)>,
    random: Random,
}

impl Data {
    pub fn new() -> Self {
        let mut data = Self::default();
        data.counters();
        data.gauges();
        data.histograms();
        data.joins();
        data.odd();
        data.edges();
        data
    }

    /// The same samples for the evaluator.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::new();
        for (labels, samples) in &self.series {
            for (time, value) in samples {
                memory.append(labels, *time, *value);
            }
        }
        memory
    }

    /// The same samples as text of OpenMetrics.
    pub fn open_metrics(&self) -> String {
        let mut text = String::new();
        for (labels, samples) in &self.series {
            let others = labels.iter().filter(|(name, _)| *name != NAME);
            let others: Vec<_> = others.map(|(name, value)| format!("{name}={value:?}")).collect();
            let series = format!("{}{{{}}}", labels.name(), others.join(","));
            for (time, value) in samples {
                let value = match value {
                    value if value.is_nan() => "NaN".to_owned(),
                    value if value.is_infinite() && *value > 0.0 => "+Inf".to_owned(),
                    value if value.is_infinite() => "-Inf".to_owned(),
                    value => format!("{value:?}"),
                };
                let (seconds, rest) = (time.div_euclid(1_000), time.rem_euclid(1_000));
                writeln!(text, "{series} {value} {seconds}.{rest:03}").expect("memory");
            }
        }
        text.push_str("# EOF\n");
        text
    }

    /// Adds a series whose values are told by their place; places without one are gaps.
    fn add(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        mut value: impl FnMut(&mut Random, i64) -> Option<f64>,
    ) {
        let pairs = labels.iter().copied().chain([(NAME, name)]);
        // Differs from series to series, and is never a whole second.
        let phase = 137 + (self.series.len() as i64 * 71) % 800 + INTERVAL / 3;
        let samples = (0..LENGTH * 1_000 / INTERVAL)
            .filter_map(|place| {
                let value = value(&mut self.random, place)?;
                Some((START * 1_000 + place * INTERVAL + phase, value))
            })
            .collect();
        self.series.push((Labels::from_pairs(pairs), samples));
    }

    fn counters(&mut self) {
        for job in ["api", "web"] {
            for instance in ["a:1", "b:2", "c:3"] {
                for code in ["200", "404", "500"] {
                    let mut sum = self.random.below(100_000) as f64 + 10_000.0;
                    let labels = [("job", job), ("instance", instance), ("code", code)];
                    // The last instance is started anew twice.
                    let resets = if instance == "c:3" { vec![97, 301] } else { vec![] };
                    self.add("requests_total", &labels, |random, place| {
                        sum += random.below(50) as f64;
                        if resets.contains(&place) {
                            sum = random.below(5) as f64;
                        }
                        Some(sum)
                    });
                }
            }
        }
        for job in ["api", "web"] {
            let mut sum = 50_000.0;
            self.add("bytes_total", &[("job", job)], |random, place| {
                sum += random.fraction() * 1e6;
                // Gaps shorter and longer than the lookback.
                (!(100..108).contains(&place) && !(200..250).contains(&place)).then_some(sum)
            });
        }
    }

    fn gauges(&mut self) {
        for (room, floor) in [("hall", "1"), ("attic", "3"), ("cellar", ""), ("bath", "2")] {
            let mut level = 20.0;
            self.add(
                "temperature_celsius",
                &[("room", room), ("floor", floor)],
                |random, place| {
                    level += random.fraction() - 0.5;
                    let gap = room == "bath" && (60..66).contains(&(place % 120));
                    (!gap).then_some(level)
                },
            );
        }
        for job in ["api", "web"] {
            for instance in ["a:1", "b:2", "c:3"] {
                self.add("queue_length", &[("job", job), ("instance", instance)], |random, _| {
                    Some(random.below(12) as f64)
                });
            }
        }
        // One ends where the other begins.
        self.add("relay_first", &[("track", "x")], |_, place| (place < 240).then_some(1.5));
        self.add("relay_second", &[("track", "x")], |_, place| (place >= 265).then_some(2.5));
    }

    fn histograms(&mut self) {
        for job in ["api", "web"] {
            for instance in ["a:1", "b:2"] {
                let mut random = Random(self.random.below(u64::MAX));
                let steps: Vec<[f64; 5]> = (0..LENGTH * 1_000 / INTERVAL)
                    .scan([0.0; 5], |sums, place| {
                        if place > 0 {
                            let mut count = 0.0;
                            for sum in sums.iter_mut() {
                                count += random.below(9) as f64;
                                *sum += count;
                            }
                        }
                        Some(*sums)
                    })
                    .collect();
                for (bucket, bound) in ["0.05", "0.1", "0.5", "2.5", "+Inf"].iter().enumerate() {
                    let labels = [("job", job), ("instance", instance), ("le", bound)];
                    self.add("latency_seconds_bucket", &labels, |_, place| {
                        Some(steps[place as usize][bucket])
                    });
                }
                let labels = [("job", job), ("instance", instance)];
                self.add("latency_seconds_count", &labels, |_, place| {
                    Some(steps[place as usize][4])
                });
                self.add("latency_seconds_sum", &labels, |_, place| {
                    Some(steps[place as usize][4] * 0.3)
                });
            }
        }
    }

    /// Series to be matched with others.
    fn joins(&mut self) {
        for (job, instance, version) in [
            ("api", "a:1", "1.2"),
            ("api", "b:2", "1.3"),
            ("web", "a:1", "1.2"),
            ("web", "c:3", "9"),
        ] {
            let labels = [("job", job), ("instance", instance), ("version", version)];
            self.add("build_info", &labels, |_, _| Some(1.0));
        }
        for (job, weight) in [("api", 2.0), ("web", 0.5), ("none", 7.0)] {
            self.add("weight", &[("job", job)], |_, _| Some(weight));
        }
    }

    fn odd(&mut self) {
        let values: [(&str, &[f64]); 6] = [
            ("nan", &[f64::NAN]),
            ("infinite", &[f64::INFINITY]),
            ("minus", &[f64::NEG_INFINITY]),
            ("mixed", &[1.0, f64::NAN, 3.0, f64::INFINITY, -2.0]),
            ("zero", &[0.0, -0.0]),
            ("extreme", &[1e-300, 1e300, -1e300]),
        ];
        for (kind, values) in values {
            self.add("odd", &[("kind", kind)], |_, place| {
                Some(values[place as usize % values.len()])
            });
        }
        // Values that come and go, and must leave no trace in windows that slide over them.
        for (kind, odd) in [
            ("nan", f64::NAN),
            ("infinite", f64::INFINITY),
            ("minus", f64::NEG_INFINITY),
            ("huge", 1e120),
            ("large", 1e18),
            ("tiny", 1e-300),
        ] {
            let mut sum = 1_000.0;
            self.add("spiky_total", &[("kind", kind)], |random, place| {
                sum += random.fraction();
                Some(if place % 37 == 20 || place % 37 == 22 { odd } else { sum })
            });
        }
        self.add("text", &[("line", "a\nb"), ("quote", "say \"hi\" \\ ä")], |_, _| Some(1.0));
    }

    /// Where Prometheus 2 and 3 differ.
    fn edges(&mut self) {
        let whole = |from: i64, to: i64, value: fn(i64) -> f64| {
            (from..=to)
                .step_by(10)
                .map(|time| ((START + time) * 1_000, value(time)))
                .collect::<Vec<_>>()
        };
        let named = |name: &str| Labels::from_pairs([(NAME, name)]);
        self.series.push((named("aligned"), whole(0, 3_600, |time| time as f64)));
        self.series.push((named("edge"), whole(1_000, 1_000, |_| 1.0)));
        // Began 40s after zero, at this pace, but is seen late in a range.
        self.series.push((
            named("late_total"),
            [(1_000, 40.0), (1_060, 100.0)].map(|(at, v)| ((START + at) * 1_000, v)).into(),
        ));
        // Begin at zero: one goes on at its pace, the other stays where its first step leads.
        let counter = |values: [f64; 6]| {
            let minutes = values.into_iter().zip(0..);
            minutes
                .map(|(value, minute)| ((START + 1_000 + minute * 60) * 1_000, value))
                .collect::<Vec<_>>()
        };
        let begun = counter([0.0, 60.0, 120.0, 180.0, 240.0, 300.0]);
        self.series.push((named("begun_total"), begun));
        self.series.push((named("stepped_total"), counter([0.0, 10.0, 10.0, 10.0, 10.0, 10.0])));
        for (place, value) in [1e100, 1.0, -1e100, 1.0].into_iter().enumerate() {
            let labels = Labels::from_pairs([(NAME, "far".to_owned()), ("n", place.to_string())]);
            self.series.push((labels, vec![((START + 1_000) * 1_000, value)]));
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self(0x5eed)
    }
}
