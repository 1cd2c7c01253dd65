//! Real processes under a real fleet: shell and Python scripts in temporary directories.
//!
//! Tests wait for a state on the fleet's own channel, or for a line that a process prints, never
//! for a time. That all processes of an instance are gone is seen by a named pipe that each of
//! them holds open: it ends with the last of them.

mod deaths;
mod entry;
mod orphans;
mod replacements;
mod starts;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::stat::Mode;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::output::tests::{Screen, screens};
use super::snapshot::Phase;
use super::*;
use crate::config::model::{
    Command as CommandLine, InstanceAddress, ProcessSpec, RestartPolicy, Source,
};
use crate::config::sample;

/// How long a test waits for anything, at most. Generous: machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// One instance of a command, with times that only a failing test reaches.
pub fn spec(command: CommandLine) -> ProcessSpec {
    ProcessSpec {
        command,
        instances: 1,
        environment: BTreeMap::new(),
        directory: None,
        user: None,
        connect: InstanceAddress::Port,
        first_port: None,
        start_timeout: PATIENCE,
        stop_timeout: PATIENCE,
        restart: RestartPolicy {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(20),
            reset_after: PATIENCE,
            crash_loop_after: 3,
        },
        max_memory_bytes: None,
        max_requests: None,
        log: None,
        weight: 1,
        max_conns: None,
    }
}

/// A text for the shell.
fn shell(text: &str) -> ProcessSpec {
    spec(CommandLine::Shell(text.to_owned()))
}

/// A configuration of nothing but these services.
fn config(services: &[(&str, &ProcessSpec)]) -> Config {
    let second = Duration::from_secs(1);
    let service = |(name, spec): &(&str, &ProcessSpec)| {
        sample::service(name, Source::Processes(Box::new((*spec).clone())), second)
    };
    sample::config(services.iter().map(service), second)
}

/// What the balancer of these tests thinks of an instance, beyond what the fleet publishes.
#[derive(Debug, Clone, Copy, Default)]
struct Opinion {
    in_flight: u32,
    requests_total: u64,
}

/// Stands in for the balancer: an instance is healthy once its main process has
/// printed `ready` and its own id.
#[derive(Clone, Default)]
struct Balancer {
    snapshot: Arc<Mutex<Option<watch::Receiver<Arc<FleetSnapshot>>>>>,
    opinions: Arc<Mutex<BTreeMap<String, Opinion>>>,
    out: Screen,
}

impl Balancer {
    fn traffic(&self) -> Traffic {
        let balancer = self.clone();
        Arc::new(move |service, name| {
            let receiver = balancer.snapshot.lock().unwrap();
            let snapshot = receiver.as_ref()?.borrow().clone();
            let mut instances = snapshot.services.get(service)?.iter();
            let instance = instances.find(|instance| instance.name == name)?;
            if !instance.is_served() {
                return None;
            }
            let line = format!("{name} | ready {}\n", instance.pid.unwrap_or_default());
            let ready = balancer.out.text().contains(&line);
            let opinion = balancer.opinions.lock().unwrap().get(name).copied().unwrap_or_default();
            Some(InstanceTraffic {
                healthy: ready && !instance.draining,
                draining: instance.draining,
                in_flight: opinion.in_flight,
                requests_total: opinion.requests_total,
            })
        })
    }

    fn set(&self, name: &str, in_flight: u32, requests_total: u64) {
        let opinion = Opinion { in_flight, requests_total };
        self.opinions.lock().unwrap().insert(name.to_owned(), opinion);
    }
}

/// A fleet with its balancer, and what its instances print.
struct Harness {
    fleet: Fleet,
    balancer: Balancer,
    changes: watch::Receiver<Arc<FleetSnapshot>>,
    out: Screen,
}

impl Harness {
    fn start(services: &[(&str, &ProcessSpec)]) -> Self {
        let (writers, out, _) = screens(false);
        let balancer = Balancer { out: out.clone(), ..Balancer::default() };
        let fleet = Fleet::start_with(&config(services), balancer.traffic(), writers);
        let changes = fleet.changes();
        *balancer.snapshot.lock().unwrap() = Some(changes.clone());
        Self { fleet, balancer, changes, out }
    }

    /// Waits until the instances of `web` are as wanted, and returns them.
    async fn until(&mut self, what: &str, wanted: impl Fn(&[Instance]) -> bool) -> Vec<Instance> {
        let web =
            |snapshot: &FleetSnapshot| snapshot.services.get("web").cloned().unwrap_or_default();
        let found = self.changes.wait_for(|snapshot| wanted(&web(snapshot)));
        if let Ok(Ok(snapshot)) = timeout(PATIENCE, found).await {
            return web(&snapshot);
        }
        panic!("never {what}: {:#?}\n{}", self.changes.borrow(), self.out.text());
    }

    async fn ready(&mut self, count: usize) -> Vec<Instance> {
        self.until("ready", |instances| {
            instances.len() == count && instances.iter().all(|one| one.phase == Phase::Ready)
        })
        .await
    }

    async fn stop(&self) -> StopReport {
        self.fleet.stop(Instant::now() + PATIENCE).await
    }
}

/// Names in order.
fn names(instances: &[Instance]) -> Vec<&str> {
    instances.iter().map(|instance| instance.name.as_str()).collect()
}

/// A named pipe that processes write to and hold open.
struct Pipe {
    lines: mpsc::UnboundedReceiver<String>,
    path: PathBuf,
}

impl Pipe {
    fn new(directory: &Path) -> Self {
        let path = directory.join("pipe");
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o622)).unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        let opened = path.clone();
        // Opening waits for the first writer.
        std::thread::spawn(move || {
            let file = std::fs::File::open(opened).unwrap();
            for line in BufReader::new(file).lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self { lines, path }
    }

    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.recv()).await.expect("a line or the end of the pipe")
    }

    /// Waits until no process holds it any more.
    async fn ended(&mut self) {
        while self.line().await.is_some() {}
    }
}
