//! One running process of an instance: its guard, the orders to it and what it reports.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingStream;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::guard::{Arguments, ORDER_KILL, ORDER_TERMINATE, Report};
use super::orphans;
use super::output::{Output, Stream};
use crate::log;

/// The own program, also when its file was replaced or removed since.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// How long the last output is waited for after the guard has left. By then every writer of the
/// pipes is gone; only a slow terminal can hold their readers.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(3);
/// Set for other programs by whoever started Plimsoll; meant for Plimsoll alone.
const PRIVATE_VARIABLES: [&str; 8] = [
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "PLIMSOLL_TOKEN",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
];

/// Everything that a process is started with.
#[derive(Debug)]
pub struct Launch {
    pub arguments: Arguments,
    /// Added to Plimsoll's own environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Taken out of Plimsoll's own environment.
    pub unset: Vec<&'static str>,
}

/// Which process of which instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId {
    pub service: Arc<str>,
    pub number: u32,
    /// Counts all starts of the fleet, so that news of a former process is not taken for the
    /// present one's.
    pub start: u64,
}

/// What became of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its command runs with this process id.
    Running(u32),
    /// Its main process ended; how, in words.
    Ended(String),
    /// Nothing of it is left, and all it printed was read.
    Gone,
}

/// The owner's hold on a process. Dropping it kills the process and all below it.
#[derive(Debug)]
pub struct Process {
    orders: OwnedWriteHalf,
    /// The guard's process id; the instance's processes are below it.
    pub guard: u32,
}

impl Process {
    /// Starts a guard with its command. News comes through `news` until [`News::Gone`].
    ///
    /// # Errors
    /// When the guard cannot be started: no memory, processes or descriptors.
    pub fn start(
        launch: &Launch,
        id: ProcessId,
        output: Arc<Output>,
        news: mpsc::Sender<(ProcessId, News)>,
    ) -> io::Result<Self> {
        let (own, theirs) = BlockingStream::pair()?;
        own.set_nonblocking(true)?;
        let mut command = Command::new(OWN_PROGRAM);
        command
            .arg0("plimsoll")
            .arg("guard")
            .args(launch.arguments.words())
            .envs(launch.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal is Plimsoll's to answer.
            .process_group(0);
        for name in PRIVATE_VARIABLES.iter().chain(&launch.unset) {
            command.env_remove(name);
        }
        let guard = orphans::spawn_guard(&mut command, id.start)?;
        let (reports, orders) = UnixStream::from_std(own)?.into_split();
        // Spawned and not waited for yet, so that it has an id.
        let pid = guard.id().unwrap_or_default();
        tokio::spawn(follow(guard, reports, id, output, news));
        Ok(Self { orders, guard: pid })
    }

    /// TERM to the instance's process group.
    pub fn terminate(&self) {
        self.order(ORDER_TERMINATE);
    }

    /// KILL to everything below the guard.
    pub fn kill(&self) {
        self.order(ORDER_KILL);
    }

    /// A few bytes in all, far less than the socket's buffer. An order that fails finds no guard.
    fn order(&self, order: u8) {
        let _ = self.orders.try_write(&[order]);
    }
}

/// Passes on what a guard reports, until it is gone and its output was read.
async fn follow(
    mut guard: Child,
    reports: OwnedReadHalf,
    id: ProcessId,
    output: Arc<Output>,
    news: mpsc::Sender<(ProcessId, News)>,
) {
    let readers = read_output(&mut guard, &output);
    // The owner may have ended, when nobody wants the news any more.
    let tell = async |what: News| {
        let _ = news.send((id.clone(), what)).await;
    };
    let mut lines = BufReader::new(reports).lines();
    let mut main = None;
    let mut ended = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let end = match Report::parse(&line) {
            Some(Report::Started(pid)) => {
                main = Some(pid);
                tell(News::Running(pid)).await;
                continue;
            }
            Some(Report::Refused(why)) => why,
            Some(Report::Exited(status)) => describe_status(status),
            Some(Report::Signalled(signal)) => describe_signal(signal),
            None => continue,
        };
        ended = true;
        tell(News::Ended(end)).await;
    }
    let status = guard.wait().await;
    orphans::forget_guard(id.start);
    let lost = !status.as_ref().is_ok_and(ExitStatus::success);
    if lost && let Some(pid) = main.and_then(|pid| i32::try_from(pid).ok()) {
        // The kernel kills the main process with its guard, but not its children.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    if !ended {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tell(News::Ended(format!("lost its guard ({status})"))).await;
    }
    if lost {
        let left = orphans::sweep().await;
        if left > 0 {
            let service: &str = &id.service;
            log::warn(service, format_args!("processes that even KILL does not end: {left}"));
        }
    }
    for mut reader in readers {
        if timeout(OUTPUT_PATIENCE, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    tell(News::Gone).await;
}

fn read_output(guard: &mut Child, output: &Arc<Output>) -> Vec<JoinHandle<()>> {
    let mut readers = Vec::new();
    if let Some(pipe) = guard.stdout.take() {
        let output = Arc::clone(output);
        readers.push(tokio::spawn(async move { output.capture(Stream::Out, pipe).await }));
    }
    if let Some(pipe) = guard.stderr.take() {
        let output = Arc::clone(output);
        readers.push(tokio::spawn(async move { output.capture(Stream::Error, pipe).await }));
    }
    readers
}

/// An exit status in words, with the meaning that shells give it.
fn describe_status(status: i32) -> String {
    let meaning = match status {
        126 => " (command not executable)",
        127 => " (command not found)",
        _ => "",
    };
    format!("exited with status {status}{meaning}")
}

/// A signal in words.
fn describe_signal(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "was killed by SIGKILL".to_owned(),
        Ok(signal) => format!("was ended by {}", signal.as_str()),
        Err(_) => format!("was ended by signal {signal}"),
    }
}
