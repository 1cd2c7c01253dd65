//! What is measured, and what is aimed at.

use super::idle;
use super::lab::{Lab, Watch};
use super::open_loop::OpenLoop;
use super::proxy::Peer;
use super::results::{Metric, Sample};
use super::throughput::{self, CONNECTIONS, Throughput, WARM_UP, milliseconds};
use super::upstream::{LARGE, MEDIUM, SMALL};

/// One question to all proxies.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    kind: Kind,
    pub(super) aims: &'static [Aim],
}

enum Kind {
    Throughput(Throughput),
    UnixSocket,
    Figures,
    Latency,
    Idle,
    Scale,
}

/// What Plimsoll should reach.
pub(super) enum Aim {
    /// At most this share of what a peer needs.
    AtMost(Metric, f64, Peer),
    /// At least this, whatever the peers do.
    AtLeast(Metric, f64),
    /// No more than this, whatever the peers do.
    Ceiling(Metric, f64),
}

/// Whether a scenario can be measured here.
pub(super) enum Readiness {
    /// With a remark about it.
    Ready(Option<String>),
    /// And why.
    Skipped(String),
}

use Aim::{AtLeast, AtMost, Ceiling};

const NO_WORSE: &[Aim] = &[AtMost(Metric::ProcessorTime, 1.0, Peer::Haproxy)];

/// All questions, in the order of the report.
pub(super) const SCENARIOS: [Scenario; 10] = [
    Scenario {
        name: "small",
        title: "100-byte replies, 64 connections",
        kind: Kind::Throughput(Throughput {
            reply: SMALL,
            connections: CONNECTIONS,
            watch: Watch::Usual,
        }),
        aims: &[
            AtMost(Metric::ProcessorTime, 0.90, Peer::Haproxy),
            AtMost(Metric::ProcessorTime, 0.75, Peer::Nginx),
        ],
    },
    Scenario {
        name: "observed",
        title: "100-byte replies, 64 connections, access log to a file and metrics on",
        kind: Kind::Throughput(Throughput {
            reply: SMALL,
            connections: CONNECTIONS,
            watch: Watch::Logged,
        }),
        aims: NO_WORSE,
    },
    Scenario {
        name: "figures",
        title: "100-byte replies, 64 connections: Plimsoll keeping figures of itself beside keeping none",
        kind: Kind::Figures,
        aims: &[Ceiling(Metric::Figures, 1.0)],
    },
    Scenario {
        name: "medium",
        title: "16 KB replies, 64 connections",
        kind: Kind::Throughput(Throughput {
            reply: MEDIUM,
            connections: CONNECTIONS,
            watch: Watch::Usual,
        }),
        aims: NO_WORSE,
    },
    Scenario {
        name: "large",
        title: "1 MB replies, 64 connections",
        kind: Kind::Throughput(Throughput {
            reply: LARGE,
            connections: CONNECTIONS,
            watch: Watch::Usual,
        }),
        aims: NO_WORSE,
    },
    Scenario {
        name: "connections",
        title: "100-byte replies, 1 000 connections",
        kind: Kind::Throughput(Throughput { reply: SMALL, connections: 1000, watch: Watch::Usual }),
        aims: NO_WORSE,
    },
    Scenario {
        name: "unix-socket",
        title: "100-byte replies, 64 connections, upstream at a Unix socket beside TCP",
        kind: Kind::UnixSocket,
        aims: NO_WORSE,
    },
    Scenario {
        name: "latency",
        title: "Latency at half of HAProxy's greatest rate (100-byte replies, constant rate)",
        kind: Kind::Latency,
        aims: &[AtMost(Metric::P99, 1.0, Peer::Haproxy)],
    },
    Scenario {
        name: "idle",
        title: "Memory of an idle kept-alive connection (5 000 after one request each)",
        kind: Kind::Idle,
        aims: &[AtMost(Metric::MemoryPerConnection, 1.0, Peer::Haproxy)],
    },
    Scenario {
        name: "scale",
        title: "3 instances of a service that computes, beside one",
        kind: Kind::Scale,
        aims: &[AtLeast(Metric::SpeedUp, 2.85)],
    },
];

impl Scenario {
    /// Whether it runs `plimsoll clinic` whichever proxy is measured.
    pub(super) fn uses_clinic(&self) -> bool {
        matches!(self.kind, Kind::Scale)
    }

    /// Whether this proxy is asked.
    pub(super) fn is_for(&self, peer: Peer) -> bool {
        !matches!(self.kind, Kind::Figures) || peer == Peer::Plimsoll
    }

    /// Finds out whether it can be measured here and what has to be known before.
    pub(super) fn prepare(&self, lab: &mut Lab) -> anyhow::Result<Readiness> {
        let refusal = match self.kind {
            Kind::Scale => throughput::too_small_for_scale(&lab.cores),
            Kind::Idle => idle::too_few_descriptors()?,
            _ => None,
        };
        if let Some(why) = refusal {
            return Ok(Readiness::Skipped(why));
        }
        let Kind::Latency = self.kind else { return Ok(Readiness::Ready(None)) };
        let load = Throughput { reply: SMALL, connections: CONNECTIONS, watch: Watch::Usual };
        let peak = load.measure(lab, Peer::Haproxy, &lab.upstream.tcp)?[&Metric::Rate];
        lab.half_rate = Some(peak / 2.0);
        Ok(Readiness::Ready(Some(format!("Rate: {:.0} requests/s.", peak / 2.0))))
    }

    /// One measurement of one proxy.
    pub(super) fn measure(&self, lab: &Lab, peer: Peer) -> anyhow::Result<Sample> {
        match &self.kind {
            Kind::Throughput(load) => load.measure(lab, peer, &lab.upstream.tcp),
            Kind::UnixSocket => throughput::unix_socket(lab, peer),
            Kind::Figures => throughput::figures(lab),
            Kind::Latency => latency(lab, peer),
            Kind::Idle => idle::measure(lab, peer),
            Kind::Scale => throughput::scale(lab, peer),
        }
    }
}

fn latency(lab: &Lab, peer: Peer) -> anyhow::Result<Sample> {
    let backends = std::slice::from_ref(&lab.upstream.tcp);
    let proxy = lab.start(peer, &[lab.cores.proxy], backends, Watch::Usual)?;
    let load = OpenLoop {
        port: proxy.port,
        path: SMALL.path,
        rate: lab.half_rate.unwrap_or(1000.0),
        connections: CONNECTIONS,
        warm_up: WARM_UP,
        duration: lab.duration,
        cores: &lab.cores.load,
    };
    let before = proxy.process.processor_time()?;
    let report = load.run()?;
    let used = proxy.process.processor_time()?.saturating_sub(before);
    let answered = report.latencies.total();
    // The processor time includes the warm-up, so it is set against all requests.
    let share_recorded = load.duration.as_secs_f64() / (load.warm_up + load.duration).as_secs_f64();
    let requests = report.intended as f64 / share_recorded;
    let quantile = |share: f64| milliseconds(report.latencies.quantile(share));
    Ok(Sample::from([
        (Metric::ProcessorTime, used.as_secs_f64() * 1e6 / requests),
        (Metric::Rate, answered as f64 / load.duration.as_secs_f64()),
        (Metric::P50, quantile(0.5)),
        (Metric::P99, quantile(0.99)),
        (Metric::P999, quantile(0.999)),
        (Metric::Failures, report.failures as f64),
    ]))
}

impl std::fmt::Display for Aim {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AtMost(metric, share, peer) => {
                write!(out, "{} ≤ {share:.2} of {}'s", metric.heading(), peer.name())
            }
            AtLeast(metric, value) => write!(out, "{} ≥ {value:.2}", metric.heading()),
            Ceiling(metric, value) => write!(out, "{} ≤ {value:.2}", metric.heading()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Lab, Metric, Peer, SCENARIOS, Scenario};
    use crate::bench::scenario::Readiness;

    /// The whole way with a real proxy, for a second: what is measured must be there.
    #[test]
    fn every_peer_can_be_measured() {
        let mut lab = Lab::open("plimsoll".into(), Duration::from_secs(1)).unwrap();
        for (name, peer) in [("small", Peer::Nginx), ("observed", Peer::Haproxy)] {
            let scenario: &Scenario = SCENARIOS.iter().find(|one| one.name == name).unwrap();
            assert!(matches!(scenario.prepare(&mut lab).unwrap(), Readiness::Ready(None)));
            let sample = scenario.measure(&lab, peer).unwrap();
            assert!(sample[&Metric::Rate] > 1.0, "{name}: {sample:?}");
            assert!(sample[&Metric::ProcessorTime] > 0.0, "{name}: {sample:?}");
            assert_eq!(sample[&Metric::Failures], 0.0, "{name}: {sample:?}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
