//! What every measurement uses: a folder, cores, the upstream, and a way to start a proxy.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::machine::Cores;
use super::process::Guarded;
use super::proxy::{Backend, Peer, Setup};
use super::upstream::{Reply, Upstream};
use super::wrk::{Load, Report};

/// The place of one run. Everything in it is ended and removed when it is dropped.
pub(super) struct Lab {
    // Fields are dropped in this order: first the server, then its folder.
    pub(super) upstream: Upstream,
    pub(super) folder: Folder,
    pub(super) cores: Cores,
    /// The measured build.
    pub(super) plimsoll: PathBuf,
    /// Of one measurement.
    pub(super) duration: Duration,
    /// Half of HAProxy's greatest rate, in requests per second, once it was measured.
    pub(super) half_rate: Option<f64>,
}

/// How a proxy is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// No metrics, no log; Plimsoll keeps figures of itself, because it does without being told.
    Usual,
    /// With an access log and metrics.
    Logged,
    /// Not at all: Plimsoll is told to keep no figures.
    Nothing,
}

impl Watch {
    fn name(self) -> &'static str {
        match self {
            Watch::Usual => "usual",
            Watch::Logged => "logged",
            Watch::Nothing => "nothing",
        }
    }
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) process: Guarded,
    pub(super) port: u16,
}

/// A temporary folder with a short name, because the path of a Unix socket has 107 bytes at most.
pub(super) struct Folder(PathBuf);

/// Where the folder of this process is, whether it exists or not.
pub(super) fn folder_of_this_run() -> PathBuf {
    std::env::temp_dir().join(format!("plimsoll-bench-{}", std::process::id()))
}

impl Folder {
    pub(super) fn new() -> anyhow::Result<Self> {
        let path = folder_of_this_run();
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Lab {
    pub(super) fn open(plimsoll: PathBuf, duration: Duration) -> anyhow::Result<Self> {
        let cores = Cores::share_out()?;
        let folder = Folder::new()?;
        let upstream = Upstream::start(folder.path(), &[cores.upstream])?;
        Ok(Self { upstream, folder, cores, plimsoll, duration, half_rate: None })
    }

    /// The program of a peer.
    pub(super) fn program(&self, peer: Peer) -> anyhow::Result<PathBuf> {
        if peer == Peer::Plimsoll { Ok(self.plimsoll.clone()) } else { peer.program() }
    }

    /// Starts a proxy on these cores.
    pub(super) fn start(
        &self,
        peer: Peer,
        cores: &[usize],
        backends: &[Backend],
        watch: Watch,
    ) -> anyhow::Result<Proxy> {
        let folder = self.folder.path().join(format!("{}-{}", peer.name(), watch.name()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let observed_at = if watch == Watch::Logged { Some(free_port()?) } else { None };
        let keeps_figures = watch != Watch::Nothing;
        let setup = Setup { folder: &folder, port, observed_at, keeps_figures, backends };
        let file = folder.join("config");
        fs::write(&file, peer.config(&setup))?;
        let command = peer.command(&self.program(peer)?, &setup, &file);
        let mut process = Guarded::start(peer.name(), &command, cores, &folder)?;
        process.wait_listening(port)?;
        Ok(Proxy { process, port })
    }

    /// Runs wrk against a port, on the load's cores, for as long as a measurement takes.
    pub(super) fn load(
        &self,
        port: u16,
        reply: Reply,
        connections: usize,
        duration: Duration,
    ) -> anyhow::Result<Report> {
        let path = reply.path;
        let load = Load { port, path, connections, duration, cores: &self.cores.load };
        load.run(self.folder.path())
    }
}

/// A port of 127.0.0.1 that nothing listened at a moment ago.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}
