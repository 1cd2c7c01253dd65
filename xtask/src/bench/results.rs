//! What was measured: kept as JSON with everything needed to doubt it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::lab::Lab;
use super::machine::{self, Machine};
use super::proxy::Peer;
use super::render;
use super::scenario::{Aim, Scenario};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    /// Of the proxy for one request, user and system, in µs.
    ProcessorTime,
    /// The same with a TCP upstream, where `ProcessorTime` is with a Unix socket.
    ProcessorTimeTcp,
    /// `ProcessorTime` over `ProcessorTimeTcp`.
    ShareOfTcp,
    /// The same without keeping figures, where `ProcessorTime` is with.
    ProcessorTimeNone,
    /// Share of the processor time that threads other than those of the traffic took, in percent.
    BesideTraffic,
    /// The same without keeping figures.
    BesideTrafficNone,
    /// `BesideTraffic` less `BesideTrafficNone`.
    Figures,
    /// Answered requests per second.
    Rate,
    /// The rate with one instance, where `Rate` is with all.
    RateOfOne,
    /// `Rate` over `RateOfOne`.
    SpeedUp,
    /// Median latency in ms.
    P50,
    P99,
    P999,
    /// Bytes.
    MemoryPerConnection,
    /// MiB with all connections open.
    Memory,
    /// Requests that failed.
    Failures,
}

impl Metric {
    /// With its unit.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Metric::ProcessorTime => "CPU µs/request",
            Metric::ProcessorTimeTcp => "over TCP",
            Metric::ShareOfTcp => "socket/TCP",
            Metric::ProcessorTimeNone => "keeping none",
            Metric::BesideTraffic => "% beside traffic",
            Metric::BesideTrafficNone => "keeping none",
            Metric::Figures => "% for figures",
            Metric::Rate => "requests/s",
            Metric::RateOfOne => "with one",
            Metric::SpeedUp => "speed-up",
            Metric::P50 => "p50 ms",
            Metric::P99 => "p99 ms",
            Metric::P999 => "p99.9 ms",
            Metric::MemoryPerConnection => "bytes/connection",
            Metric::Memory => "private MiB",
            Metric::Failures => "failed",
        }
    }

    /// Digits after the point that mean something.
    pub(super) fn decimals(self) -> usize {
        match self {
            Metric::Rate | Metric::RateOfOne | Metric::MemoryPerConnection | Metric::Failures => 0,
            Metric::ProcessorTime
            | Metric::ProcessorTimeTcp
            | Metric::ProcessorTimeNone
            | Metric::Memory => 1,
            Metric::ShareOfTcp | Metric::SpeedUp => 2,
            Metric::BesideTraffic | Metric::BesideTrafficNone | Metric::Figures => 2,
            Metric::P50 | Metric::P99 | Metric::P999 => 3,
        }
    }
}

/// One measurement of one proxy.
pub(super) type Sample = BTreeMap<Metric, f64>;

/// A run with everything it depends on.
#[derive(Serialize)]
pub(super) struct Run {
    /// As it was typed.
    pub(super) command: String,
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) versions: BTreeMap<&'static str, String>,
    pub(super) rounds: u32,
    pub(super) seconds: u64,
    pub(super) scenarios: Vec<Outcome>,
}

/// What a scenario gave.
#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// Why it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
    pub(super) rounds: BTreeMap<Peer, Vec<Sample>>,
    pub(super) medians: BTreeMap<Peer, Sample>,
    /// Plimsoll's figures over each peer's: medians of the ratios of the rounds.
    pub(super) ratios: BTreeMap<Peer, Sample>,
    pub(super) aims: Vec<AimOutcome>,
}

/// Whether an aim was reached.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct AimOutcome {
    pub(super) aim: String,
    pub(super) measured: f64,
    pub(super) is_met: bool,
}

impl Run {
    pub(super) fn begin(
        lab: &Lab,
        rounds: u32,
        seconds: u64,
        proxies: &[Peer],
    ) -> anyhow::Result<Self> {
        let mut versions = BTreeMap::new();
        for peer in proxies {
            let output = peer.version_command(&lab.program(*peer)?).output();
            let output = output.with_context(|| format!("cannot run {}", peer.name()))?;
            // nginx prints its version as an error.
            let printed = [output.stdout, output.stderr].concat();
            let first = String::from_utf8_lossy(&printed).lines().next().unwrap_or("").to_owned();
            versions.insert(peer.name(), first);
        }
        let words: Vec<String> = std::env::args().skip(1).collect();
        Ok(Self {
            command: format!("cargo xtask {}", words.join(" ")),
            date: machine::date()?,
            machine: Machine::read(&lab.cores),
            versions,
            rounds,
            seconds,
            scenarios: Vec::new(),
        })
    }

    /// Writes `edge.json` and `edge.md`.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<[PathBuf; 2]> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let json = folder.join("edge.json");
        let table = folder.join("edge.md");
        fs::write(&json, serde_json::to_string_pretty(self)? + "\n")?;
        fs::write(&table, render::document(self))?;
        Ok([json, table])
    }
}

impl Outcome {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name,
            title: scenario.title,
            note: None,
            skipped: None,
            rounds: BTreeMap::new(),
            medians: BTreeMap::new(),
            ratios: BTreeMap::new(),
            aims: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, peer: Peer, sample: Sample) {
        self.rounds.entry(peer).or_default().push(sample);
    }

    /// Once all rounds are in.
    pub(super) fn conclude(&mut self, scenario: &Scenario) {
        for (peer, samples) in &self.rounds {
            self.medians.insert(*peer, medians(samples));
        }
        let Some(own) = self.rounds.get(&Peer::Plimsoll) else { return };
        for (peer, samples) in &self.rounds {
            if *peer != Peer::Plimsoll {
                let pairs: Vec<Sample> =
                    own.iter().zip(samples).map(|(own, other)| ratios(own, other)).collect();
                self.ratios.insert(*peer, medians(&pairs));
            }
        }
        for aim in scenario.aims {
            let measured = match aim {
                Aim::AtMost(metric, _, peer) => {
                    self.ratios.get(peer).and_then(|ratios| ratios.get(metric))
                }
                Aim::AtLeast(metric, _) | Aim::Ceiling(metric, _) => {
                    self.medians[&Peer::Plimsoll].get(metric)
                }
            };
            if let Some(measured) = measured.copied() {
                let is_met = match aim {
                    Aim::AtMost(_, share, _) => measured <= *share,
                    Aim::AtLeast(_, value) => measured >= *value,
                    Aim::Ceiling(_, value) => measured <= *value,
                };
                self.aims.push(AimOutcome { aim: aim.to_string(), measured, is_met });
            }
        }
    }
}

/// Each figure over the other's; those that are nothing to the other are left out.
fn ratios(own: &Sample, other: &Sample) -> Sample {
    let ratio = |(metric, value): (&Metric, &f64)| {
        let other = other.get(metric).copied().filter(|other| *other != 0.0)?;
        Some((*metric, value / other))
    };
    own.iter().filter_map(ratio).collect()
}

fn medians(samples: &[Sample]) -> Sample {
    let mut columns: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
    for (metric, value) in samples.iter().flatten() {
        columns.entry(*metric).or_default().push(*value);
    }
    columns.into_iter().map(|(metric, values)| (metric, median(values))).collect()
}

/// Of at least one value.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, Outcome, Peer, Sample, median};
    use crate::bench::scenario::SCENARIOS;

    fn sample(processor_time: f64) -> Sample {
        Sample::from([(Metric::ProcessorTime, processor_time), (Metric::Failures, 0.0)])
    }

    #[test]
    fn the_middle_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let mut outcome = Outcome::new(&SCENARIOS[0]);
        // The machine was twice as slow in the second round; the ratio does not see it.
        for (own, other) in [(8.0, 10.0), (16.0, 20.0), (8.0, 10.0)] {
            outcome.add(Peer::Plimsoll, sample(own));
            outcome.add(Peer::Haproxy, sample(other));
        }
        outcome.conclude(&SCENARIOS[0]);
        assert_eq!(outcome.medians[&Peer::Haproxy][&Metric::ProcessorTime], 10.0);
        let ratios = &outcome.ratios[&Peer::Haproxy];
        assert_eq!(ratios[&Metric::ProcessorTime], 0.8);
        assert!(!ratios.contains_key(&Metric::Failures), "nothing is no divisor");
        assert_eq!(outcome.aims.len(), 1, "the other aim is about a peer that was not measured");
        assert!(outcome.aims[0].is_met);
        assert_eq!(outcome.aims[0].aim, "CPU µs/request ≤ 0.90 of haproxy's");
    }
}
