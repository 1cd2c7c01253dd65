//! Memory of a connection that has made one request and now waits.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit};

use super::lab::{Lab, Watch};
use super::proxy::Peer;
use super::response;
use super::results::{Metric, Sample};
use super::upstream::SMALL;

/// Connections that are held open.
pub(super) const CONNECTIONS: usize = 5000;

/// Connections made and closed before, so that what is made once is not counted.
const WARM_UP_CONNECTIONS: usize = 100;

/// Time for a proxy to give memory back.
const SETTLE: Duration = Duration::from_secs(1);

/// Descriptors that a proxy may need; HAProxy counts two for each of its 8 000 connections.
const DESCRIPTORS_NEEDED: u64 = 16_200;

pub(super) fn measure(lab: &Lab, peer: Peer) -> anyhow::Result<Sample> {
    let backends = std::slice::from_ref(&lab.upstream.tcp);
    let proxy = lab.start(peer, &[lab.cores.proxy], backends, Watch::Usual)?;
    drop(open(proxy.port, WARM_UP_CONNECTIONS)?);
    std::thread::sleep(SETTLE);
    let before = proxy.process.private_memory_bytes()?;
    let connections = open(proxy.port, CONNECTIONS)?;
    std::thread::sleep(SETTLE);
    let after = proxy.process.private_memory_bytes()?;
    drop(connections);
    let grown = after as f64 - before as f64;
    Ok(Sample::from([
        (Metric::MemoryPerConnection, grown / CONNECTIONS as f64),
        (Metric::Memory, after as f64 / f64::from(1 << 20)),
    ]))
}

/// Opens connections one after the other and makes a request over each.
fn open(port: u16, count: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for number in 1..=count {
        let mut stream = TcpStream::connect(("127.0.0.1", port))
            .with_context(|| format!("connection {number} was refused"))?;
        let (status, _) = response::exchange(&mut stream, SMALL.path)
            .with_context(|| format!("on connection {number}"))?;
        if status != 200 {
            bail!("connection {number} was answered with {status}");
        }
        connections.push(stream);
    }
    Ok(connections)
}

/// Why it cannot be measured here, if so.
pub(super) fn too_few_descriptors() -> anyhow::Result<Option<String>> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok((limit < DESCRIPTORS_NEEDED).then(|| {
        format!(
            "{CONNECTIONS} connections need {DESCRIPTORS_NEEDED} descriptors, {limit} are allowed: \
             see `ulimit -n`"
        )
    }))
}
