//! Measurements at the greatest rate: processor time of a request, and what becomes of it.

use std::process::Command;
use std::time::Duration;

use super::lab::{Lab, Proxy, Watch, free_port};
use super::machine::Cores;
use super::process::Guarded;
use super::proxy::{Backend, Peer};
use super::response;
use super::results::{Metric, Sample};
use super::upstream::{Reply, SMALL};
use super::wrk::{Load, Report};

/// Load before a measurement: pools fill, caches warm, memory is mapped.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// Connections of the load unless the scenario is about their number.
pub(super) const CONNECTIONS: usize = 64;

/// How the names of Plimsoll's threads that serve traffic begin.
const WORKERS: &str = "worker-";

/// Turns of each of two proxies that are compared closely; even, so that each is first as often.
const TURNS: usize = 6;

/// Instances of the clinic in the scenario about scale.
pub(super) const INSTANCES: usize = 3;

/// A load of one kind of request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throughput {
    pub(super) reply: Reply,
    pub(super) connections: usize,
    pub(super) watch: Watch,
}

impl Throughput {
    /// Measures a proxy before this backend.
    pub(super) fn measure(
        &self,
        lab: &Lab,
        peer: Peer,
        backend: &Backend,
    ) -> anyhow::Result<Sample> {
        let backends = std::slice::from_ref(backend);
        let proxy = lab.start(peer, &[lab.cores.proxy], backends, self.watch)?;
        response::expect(proxy.port, self.reply.path, self.reply.bytes)?;
        lab.load(proxy.port, self.reply, self.connections, WARM_UP)?;
        let before = proxy.process.processor_time()?;
        let report = lab.load(proxy.port, self.reply, self.connections, lab.duration)?;
        let used = proxy.process.processor_time()?.saturating_sub(before);
        Ok(sample(&report, used))
    }
}

/// What wrk saw, with the processor time that the proxy used.
fn sample(report: &Report, used: Duration) -> Sample {
    Sample::from([
        (Metric::ProcessorTime, used.as_secs_f64() * 1e6 / report.requests as f64),
        (Metric::Rate, report.requests as f64 / report.duration.as_secs_f64()),
        (Metric::P50, milliseconds(report.p50)),
        (Metric::P99, milliseconds(report.p99)),
        (Metric::P999, milliseconds(report.p999)),
        (Metric::Failures, report.failures as f64),
    ])
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The same load over TCP and over a Unix socket to the upstream.
pub(super) fn unix_socket(lab: &Lab, peer: Peer) -> anyhow::Result<Sample> {
    let load = Throughput { reply: SMALL, connections: CONNECTIONS, watch: Watch::Usual };
    let tcp = load.measure(lab, peer, &lab.upstream.tcp)?;
    let unix = load.measure(lab, peer, &lab.upstream.unix)?;
    let share = unix[&Metric::ProcessorTime] / tcp[&Metric::ProcessorTime];
    Ok(Sample::from([
        (Metric::ProcessorTimeTcp, tcp[&Metric::ProcessorTime]),
        (Metric::ProcessorTime, unix[&Metric::ProcessorTime]),
        (Metric::ShareOfTcp, share),
        (Metric::Failures, tcp[&Metric::Failures] + unix[&Metric::Failures]),
    ]))
}

/// Plimsoll keeping figures of itself, and beside it on the same core one that keeps none. They take
/// turns of a measurement each, in the order A B B A. Even so, a hundredth drowns in what a machine does from
/// one minute to the next, so what counts is the time of the threads that do not serve traffic: figures
/// are kept there, and counted by the workers whether anybody keeps them or not.
pub(super) fn figures(lab: &Lab) -> anyhow::Result<Sample> {
    let backends = std::slice::from_ref(&lab.upstream.tcp);
    let start = |watch| lab.start(Peer::Plimsoll, &[lab.cores.proxy], backends, watch);
    let mut turns = [Turns::of(start(Watch::Usual)?), Turns::of(start(Watch::Nothing)?)];
    for turn in &mut turns {
        lab.load(turn.proxy.port, SMALL, CONNECTIONS, WARM_UP)?;
    }
    for pair in 0..TURNS {
        for place in 0..2 {
            turns[(pair + place) % 2].take(lab)?;
        }
    }
    let [keeping, none] = &turns;
    let percent = |turns: &Turns| 100.0 * turns.beside.as_secs_f64() / turns.used.as_secs_f64();
    Ok(Sample::from([
        (Metric::ProcessorTime, keeping.used.as_secs_f64() * 1e6 / keeping.requests as f64),
        (Metric::ProcessorTimeNone, none.used.as_secs_f64() * 1e6 / none.requests as f64),
        (Metric::BesideTraffic, percent(keeping)),
        (Metric::BesideTrafficNone, percent(none)),
        (Metric::Figures, percent(keeping) - percent(none)),
    ]))
}

/// What one of two proxies that take turns has used so far.
struct Turns {
    proxy: Proxy,
    used: Duration,
    /// Of it, by threads other than [`WORKERS`].
    beside: Duration,
    requests: u64,
}

impl Turns {
    fn of(proxy: Proxy) -> Self {
        Self { proxy, used: Duration::ZERO, beside: Duration::ZERO, requests: 0 }
    }

    fn take(&mut self, lab: &Lab) -> anyhow::Result<()> {
        let before = self.proxy.process.threads()?;
        let report = lab.load(self.proxy.port, SMALL, CONNECTIONS, lab.duration)?;
        for (name, used) in self.proxy.process.threads()? {
            let used = used.saturating_sub(before.get(&name).copied().unwrap_or_default());
            self.used += used;
            if !name.starts_with(WORKERS) {
                self.beside += used;
            }
        }
        self.requests += report.requests;
        Ok(())
    }
}

/// The rate of three instances of a service that computes, each on a core of its own, over the
/// rate of one. The proxy and the load share the core that is left: they have little to do.
pub(super) fn scale(lab: &Lab, peer: Peer) -> anyhow::Result<Sample> {
    let cores = lab.cores.all();
    let (instance_cores, rest) = cores.split_at(INSTANCES);
    let mut instances = Vec::new();
    let mut backends = Vec::new();
    for (index, core) in instance_cores.iter().enumerate() {
        let (instance, port) = start_instance(lab, index, *core)?;
        instances.push(instance);
        backends.push(Backend::Tcp(port));
    }
    let one = rate_of_load(lab, peer, rest, &backends[..1])?;
    let all = rate_of_load(lab, peer, rest, &backends)?;
    Ok(Sample::from([
        (Metric::RateOfOne, one.requests as f64 / one.duration.as_secs_f64()),
        (Metric::Rate, all.requests as f64 / all.duration.as_secs_f64()),
        (
            Metric::SpeedUp,
            (all.requests as f64 / all.duration.as_secs_f64())
                / (one.requests as f64 / one.duration.as_secs_f64()),
        ),
        (Metric::P99, milliseconds(all.p99)),
        (Metric::Failures, (one.failures + all.failures) as f64),
    ]))
}

fn start_instance(lab: &Lab, index: usize, core: usize) -> anyhow::Result<(Guarded, u16)> {
    let port = free_port()?;
    let name = format!("clinic-{}", index + 1);
    let mut command = Command::new(&lab.plimsoll);
    command.arg("clinic").env("PORT", port.to_string()).env("INSTANCE", &name);
    command.env("DATABASE_URL", lab.folder.path().join("clinic.db"));
    command.current_dir(lab.folder.path());
    let mut instance = Guarded::start(&name, &command, &[core], lab.folder.path())?;
    instance.wait_listening(port)?;
    Ok((instance, port))
}

fn rate_of_load(
    lab: &Lab,
    peer: Peer,
    cores: &[usize],
    backends: &[Backend],
) -> anyhow::Result<Report> {
    let proxy = lab.start(peer, cores, backends, Watch::Usual)?;
    let path = "/load?iterations=500000";
    let load = Load { port: proxy.port, path, connections: 24, duration: lab.duration, cores };
    load.run(lab.folder.path())
}

/// Why the scenario about scale cannot be measured here, if so.
pub(super) fn too_small_for_scale(cores: &Cores) -> Option<String> {
    let count = cores.all().len();
    (count <= INSTANCES).then(|| {
        format!(
            "{INSTANCES} instances and the proxy need {} cores, there are {count}",
            INSTANCES + 1
        )
    })
}
