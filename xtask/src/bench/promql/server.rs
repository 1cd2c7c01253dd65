//! The three servers: how each is started, given samples and asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;
use tsdb::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, VERSION_HEADER};
use ureq::Agent;

use super::batches::Span;
use super::disk;
use crate::bench::lab;
use crate::bench::process::Guarded;
use crate::command;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a server may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Answers are at most so long.
const ANSWER_BYTES_MAX: u64 = 1 << 30;
/// Between two looks at a server that is not ready.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Who is measured.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Peer {
    Prometheus,
    VictoriaMetrics,
    Plimsoll,
}

/// A running server.
pub(super) struct Server {
    pub(super) peer: Peer,
    pub(super) process: Guarded,
    /// Up to and with `/api/v1/`.
    base: String,
    /// Up to the port.
    origin: String,
    data: PathBuf,
    agent: Agent,
}

/// What a server has on the disk.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Disk {
    /// Bytes of what is compressed for good.
    pub(super) block_bytes: u64,
    /// Samples in it.
    pub(super) block_samples: u64,
    /// Bytes of what only protects young samples from a crash.
    pub(super) log_bytes: u64,
    /// Bytes of all that it has.
    pub(super) all_bytes: u64,
}

impl Peer {
    pub(super) const ALL: [Self; 3] = [Self::Prometheus, Self::VictoriaMetrics, Self::Plimsoll];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::VictoriaMetrics => "victoria-metrics",
            Self::Plimsoll => "plimsoll",
        }
    }

    /// The program; `plimsoll` is the build that is measured.
    fn program(self, plimsoll: &Path) -> anyhow::Result<PathBuf> {
        match self {
            Self::Plimsoll => Ok(plimsoll.to_owned()),
            peer => command::find(peer.name())
                .with_context(|| format!("{} is not installed", peer.name())),
        }
    }

    /// The first line of what it says of its version.
    pub(super) fn version(self, plimsoll: &Path) -> anyhow::Result<String> {
        let argument = if self == Self::VictoriaMetrics { "-version" } else { "--version" };
        let output = Command::new(self.program(plimsoll)?).arg(argument).output();
        let output = output.with_context(|| format!("cannot run {}", self.name()))?;
        // Some print it as an error.
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        let first = printed.lines().next().unwrap_or_default().trim();
        if !first.is_empty() {
            return Ok(first.to_owned());
        }
        // Debian's build of VictoriaMetrics does not know its version; its package does.
        let mut package = Command::new("dpkg-query");
        package.args(["--show", "--showformat=Debian ${Version}", self.name()]);
        Ok(command::output(&mut package).unwrap_or_else(|_| "of unknown version".to_owned()))
    }

    /// The command; it listens at `port` and keeps its samples in `data`.
    fn command(
        self,
        program: &Path,
        folder: &Path,
        data: &Path,
        port: u16,
    ) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        let data = data.display();
        match self {
            Self::Prometheus => {
                // It must have a file; without jobs it scrapes nothing.
                let file = folder.join("prometheus.yml");
                fs::write(&file, "global: {}\n")?;
                command
                    .arg(format!("--config.file={}", file.display()))
                    .arg(format!("--storage.tsdb.path={data}"))
                    .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                    .args(["--web.enable-remote-write-receiver", "--web.enable-admin-api"])
                    .args(["--storage.tsdb.retention.time=2d", "--log.level=warn"]);
            }
            Self::VictoriaMetrics => {
                command
                    .arg(format!("-storageDataPath={data}"))
                    .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                    // A query that is asked again would be answered from memory otherwise.
                    .args(["-search.disableCache", "-search.latencyOffset=0s"])
                    .args(["-retentionPeriod=2d", "-loggerLevel=WARN"]);
            }
            Self::Plimsoll => {
                let file = folder.join("plimsoll.toml");
                fs::write(&file, plimsoll_config(lab::free_port()?, port, &data.to_string()))?;
                command.args(["up", "--config"]).arg(file);
            }
        }
        Ok(command)
    }
}

/// A Plimsoll that balances nothing: it cannot do without a service, and asks this one for nothing. No
/// server listens at the port of `discard`.
fn plimsoll_config(port: u16, admin: u16, data: &str) -> String {
    format!(
        r#"listen = ["127.0.0.1:{port}"]
admin = "127.0.0.1:{admin}"
access_log = false

[observe]
directory = {data:?}
remote_write_receiver = true
retention = "2d"
max_series = 200000

[service.idle]
servers = [{{ at = "127.0.0.1:9" }}]
health = false
metrics = false
"#
    )
}

impl Server {
    /// Starts one on these cores, with a folder of its own below `folder`.
    pub(super) fn start(
        peer: Peer,
        plimsoll: &Path,
        cores: &[usize],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(peer.name());
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let port = lab::free_port()?;
        let command = peer.command(&peer.program(plimsoll)?, &folder, &data, port)?;
        let mut process = Guarded::start(peer.name(), &command, cores, &folder)?;
        process.wait_listening(port)?;
        let origin = format!("http://127.0.0.1:{port}");
        let prefix = if peer == Peer::Plimsoll { "/prometheus" } else { "" };
        let base = format!("{origin}{prefix}/api/v1/");
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE));
        let agent = configuration.build().new_agent();
        let server = Self { peer, process, base, origin, data, agent };
        server.wait_ready()?;
        Ok(server)
    }

    fn wait_ready(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        let ask = || self.ask("query", &[("query", "vector(1)".to_owned())]);
        loop {
            match ask() {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > START_PATIENCE => {
                    return Err(error.context(format!("{} is not ready", self.peer.name())));
                }
                Err(_) => std::thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// Sends a remote-write request.
    pub(super) fn push(&self, body: &[u8]) -> anyhow::Result<()> {
        let (version, value) = VERSION_HEADER;
        let request = self
            .agent
            .post(format!("{}write", self.base))
            .header("Content-Type", CONTENT_TYPE)
            .header("Content-Encoding", CONTENT_ENCODING)
            .header(version, value);
        let mut answer = request.send(body).context("cannot send samples")?;
        if !answer.status().is_success() {
            let told = answer.body_mut().read_to_string().unwrap_or_default();
            bail!("samples were refused with {}: {}", answer.status(), told.trim());
        }
        // Read to its end, so that the connection is used again.
        answer.body_mut().read_to_vec()?;
        Ok(())
    }

    /// Asks the query API; the whole body.
    pub(super) fn ask(
        &self,
        path: &str,
        parameters: &[(&'static str, String)],
    ) -> anyhow::Result<Vec<u8>> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let pairs = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let mut answer = request.query_pairs(pairs).call().context("cannot ask")?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body).trim());
        }
        Ok(body)
    }

    /// Whether it has made blocks of the samples that are old enough. VictoriaMetrics has parts
    /// from the first second on.
    pub(super) fn has_blocks(&self) -> anyhow::Result<bool> {
        let ending = match self.peer {
            Peer::VictoriaMetrics => return Ok(true),
            Peer::Prometheus => "meta.json",
            Peer::Plimsoll => ".block",
        };
        let files = disk::files(&self.data)?;
        Ok(files.iter().any(|(file, _)| file.to_string_lossy().ends_with(ending)))
    }

    /// What it has on the disk. Prometheus is made to write its young samples into blocks as well,
    /// for which it takes processor time and memory: to be asked last.
    pub(super) fn disk(&self, span: &Span) -> anyhow::Result<Disk> {
        let files = disk::files(&self.data)?;
        let all_bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let in_folders = |names: &[&str]| -> u64 {
            let is_in =
                |file: &Path| names.iter().any(|name| file.starts_with(self.data.join(name)));
            files.iter().filter(|(file, _)| is_in(file)).map(|(_, bytes)| bytes).sum()
        };
        let samples = span.samples();
        Ok(match self.peer {
            Peer::Prometheus => {
                let log_bytes = in_folders(&["wal", "chunks_head"]);
                let url = format!("{}admin/tsdb/snapshot", self.base);
                let mut answer = self.agent.post(url).send_empty()?;
                let told = answer.body_mut().read_to_string()?;
                if !answer.status().is_success() {
                    bail!("Prometheus made no snapshot: {}", told.trim());
                }
                let block_bytes = disk::bytes(&self.data.join("snapshots"))?;
                Disk { block_bytes, block_samples: samples, log_bytes, all_bytes }
            }
            Peer::VictoriaMetrics => {
                let url = format!("{}/internal/force_flush", self.origin);
                self.agent.get(url).call()?.body_mut().read_to_vec()?;
                let block_bytes = disk::bytes(&self.data)?;
                Disk { block_bytes, block_samples: samples, log_bytes: 0, all_bytes }
            }
            Peer::Plimsoll => {
                let (mut block_bytes, mut block_samples, mut log_bytes) = (0, 0, 0);
                for (file, bytes) in &files {
                    if let Some((start, end)) = disk::span_of_block(file) {
                        block_bytes += bytes;
                        block_samples += span.samples_in(start, end);
                    } else if file
                        .extension()
                        .is_some_and(|name| name == "log" || name == "snapshot")
                    {
                        log_bytes += bytes;
                    }
                }
                Disk { block_bytes, block_samples, log_bytes, all_bytes }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::plimsoll_config;

    #[test]
    fn the_store_is_told_where_to_be_and_what_to_take() {
        let config = plimsoll_config(1, 2, "/tmp/a \"b\"");
        for line in [
            "admin = \"127.0.0.1:2\"",
            r#"directory = "/tmp/a \"b\"""#,
            "remote_write_receiver = true",
        ] {
            assert!(config.lines().any(|own| own == line), "{line}");
        }
    }
}
