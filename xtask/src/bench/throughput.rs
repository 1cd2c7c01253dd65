//! Measurements at the greatest rate: processor time of a request, and what becomes of it.

use std::process::Command;
use std::time::Duration;

use super::lab::{Lab, free_port};
use super::machine::Cores;
use super::process::Guarded;
use super::proxy::{Backend, Peer};
use super::response;
use super::results::{Metric, Sample};
use super::upstream::{Reply, SMALL};
use super::wrk::{Load, Report};

/// Load before a measurement: pools fill, caches warm, memory is mapped.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// Instances of the clinic in the scenario about scale.
pub(super) const INSTANCES: usize = 3;

/// A load of one kind of request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throughput {
    pub(super) reply: Reply,
    pub(super) connections: usize,
    /// With an access log and metrics.
    pub(super) is_observed: bool,
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
        let proxy = lab.start(peer, &[lab.cores.proxy], backends, self.is_observed)?;
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
    let load = Throughput { reply: SMALL, connections: 64, is_observed: false };
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
    let proxy = lab.start(peer, cores, backends, false)?;
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
