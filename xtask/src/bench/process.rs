//! Measured processes: started on cores of their own, watched through /proc, and ended.
//!
//! None outlives the benchmark: each is ended by its guard, by the signal thread when a person
//! stops the run, and by the kernel (`setpriv --pdeathsig`) if this program is killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::unistd::{Pid, SysconfVar, sysconf};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a server may take to accept its first connection.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// How long a process may take to end after TERM.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// From TERM to KILL for all processes when a person stops the run.
const END_TIME: Duration = Duration::from_millis(500);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Bytes of a failed process's output that are shown.
const SHOWN_OUTPUT_BYTES: u64 = 4000;

/// Process ids of what runs. Written by guards, read by the signal thread.
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// A running process, with all its children, ended when dropped.
pub(super) struct Guarded {
    child: Child,
    name: String,
    output: PathBuf,
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// User and system.
    pub(super) processor_time: Duration,
    /// Most that was resident.
    pub(super) peak_memory_bytes: u64,
}

/// Memory of a process that is resident, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Memory {
    /// All of it.
    pub(super) resident_bytes: u64,
    /// Without what only mirrors files.
    pub(super) anonymous_bytes: u64,
    /// The most that was resident so far.
    pub(super) peak_bytes: u64,
}

impl Memory {
    /// Reads proc_pid_status(5); a line that is not there is 0.
    fn of_status(text: &str) -> Self {
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kilobytes.unwrap_or_default() * 1024
        };
        Self {
            resident_bytes: bytes("VmRSS"),
            anonymous_bytes: bytes("RssAnon"),
            peak_bytes: bytes("VmHWM"),
        }
    }
}

impl Guarded {
    /// Starts the command on these cores. What it prints goes to `NAME.out` in `folder`.
    pub(super) fn start(
        name: &str,
        command: &Command,
        cores: &[usize],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let output = folder.join(format!("{name}.out"));
        let file = fs::File::create(&output)
            .with_context(|| format!("cannot write {}", output.display()))?;
        let mut pinned = pinned(command, cores);
        pinned.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
        let child = pinned.spawn().with_context(|| format!("cannot start {name}"))?;
        running().push(child.id().cast_signed());
        Ok(Self { child, name: name.to_owned(), output })
    }

    /// Waits until the process accepts connections at this port of 127.0.0.1.
    pub(super) fn wait_listening(&mut self, port: u16) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < START_PATIENCE {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}): {}", self.name, self.printed());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        bail!("{} does not listen at port {port}: {}", self.name, self.printed());
    }

    /// Waits for the end of a process that ends by itself, and returns what it printed.
    pub(super) fn finish(mut self) -> anyhow::Result<String> {
        let status = self.child.wait()?;
        let printed = fs::read_to_string(&self.output).unwrap_or_default();
        if !status.success() {
            bail!("{} failed ({status}): {}", self.name, self.printed());
        }
        Ok(printed)
    }

    /// As [`Guarded::finish`], with what the process took. No other process that this one started may
    /// end meanwhile.
    pub(super) fn finish_with_usage(mut self) -> anyhow::Result<(String, Usage)> {
        let before = ended_children()?;
        let mut peak_memory_bytes = 0;
        while self.child.try_wait()?.is_none() {
            peak_memory_bytes = peak_memory_bytes.max(self.memory().peak_bytes);
            std::thread::sleep(POLL_INTERVAL);
        }
        let processor_time = ended_children()?.saturating_sub(before);
        Ok((self.finish()?, Usage { processor_time, peak_memory_bytes }))
    }

    /// Memory of the process without its children; nothing once it has ended.
    pub(super) fn memory(&self) -> Memory {
        let file = format!("/proc/{}/status", self.child.id());
        Memory::of_status(&fs::read_to_string(file).unwrap_or_default())
    }

    /// Processor time of the process and all its children so far, user and system.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")? as f64;
        let ticks: u64 = family(self.child.id()).iter().map(|stat| stat.ticks).sum();
        Ok(Duration::from_secs_f64(ticks as f64 / per_second))
    }

    /// Processor time of the threads of the process so far, by name; threads that have ended are left
    /// out, and those of one name are added up. Read from `/proc/PID/task/TID/schedstat`.
    pub(super) fn threads(&self) -> anyhow::Result<BTreeMap<String, Duration>> {
        let folder = format!("/proc/{}/task", self.child.id());
        let mut threads = BTreeMap::<String, Duration>::new();
        for task in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            let task = task?.path();
            // One that has ended meanwhile has no files any more.
            let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
            let Ok(times) = fs::read_to_string(task.join("schedstat")) else { continue };
            let nanoseconds = times.split(' ').next().and_then(|first| first.parse().ok());
            let used = Duration::from_nanos(nanoseconds.context("schedstat cannot be read")?);
            *threads.entry(name.trim().to_owned()).or_default() += used;
        }
        Ok(threads)
    }

    /// Memory that only this process and its children have, in bytes.
    pub(super) fn private_memory_bytes(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for stat in family(self.child.id()) {
            let file = format!("/proc/{}/smaps_rollup", stat.pid);
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
            bytes += private_bytes(&text);
        }
        Ok(bytes)
    }

    fn printed(&self) -> String {
        let mut text = String::new();
        if let Ok(file) = fs::File::open(&self.output) {
            let _ = file.take(SHOWN_OUTPUT_BYTES).read_to_string(&mut text);
        }
        text.trim().to_owned()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let pid = self.child.id().cast_signed();
        running().retain(|running| *running != pid);
        // A process that has been waited for is gone, and its number may be another's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < STOP_PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of all processes that this one started and that have ended.
fn ended_children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let duration = |time: TimeVal| {
        Duration::from_secs(time.tv_sec().unsigned_abs())
            + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn running() -> std::sync::MutexGuard<'static, Vec<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command on these cores, ended by the kernel when this process dies. Both wrappers replace
/// themselves, so the child's id is the command's.
fn pinned(command: &Command, cores: &[usize]) -> Command {
    let list: Vec<String> = cores.iter().map(ToString::to_string).collect();
    let mut pinned = Command::new("setpriv");
    pinned.args(["--pdeathsig", "TERM", "taskset", "--cpu-list", &list.join(",")]);
    pinned.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            pinned.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// From now on INT, TERM and HUP end every measured process, remove `folder` and end this process.
pub(super) fn end_all_on_signals(folder: PathBuf) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch signals")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        // The lock is kept, so that no guard ends a process and frees its number meanwhile.
        let pids = running();
        for (signal, time) in [(Signal::SIGTERM, END_TIME), (Signal::SIGKILL, Duration::ZERO)] {
            for pid in pids.iter() {
                let _ = kill(Pid::from_raw(*pid), signal);
            }
            std::thread::sleep(time);
        }
        let _ = fs::remove_dir_all(&folder);
        eprintln!("stopped");
        std::process::exit(130);
    });
    Ok(())
}

/// What /proc says of a process.
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

/// A process and all its descendants.
fn family(root: u32) -> Vec<Stat> {
    let mut all: Vec<Stat> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect();
    let mut family: Vec<Stat> = Vec::new();
    loop {
        let known: Vec<u32> = family.iter().map(|stat| stat.pid).chain([root]).collect();
        let is_member = |stat: &Stat| stat.pid == root || known.contains(&stat.parent);
        let (members, others): (Vec<Stat>, Vec<Stat>) = all.into_iter().partition(is_member);
        if members.is_empty() {
            return family;
        }
        family.extend(members);
        all = others;
    }
}

/// Reads a line of proc_pid_stat(5): parent is field 4, user and system time are 14 and 15.
fn stat(pid: u32, text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, parentheses and blanks included.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let parent = u32::try_from(number(4)?).ok()?;
    Some(Stat { pid, parent, ticks: number(14)? + number(15)? })
}

/// Sums the private lines of proc_pid_smaps(5), which are in kB.
fn private_bytes(smaps_rollup: &str) -> u64 {
    let is_private =
        |line: &&str| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:");
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    smaps_rollup.lines().filter(is_private).filter_map(kilobytes).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::bench::machine::available;

    use super::{Guarded, Memory, family, private_bytes, stat};

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 0 0 0 250 50 9 9 20 0 1 0 1 1 1";
        let stat = stat(7, line).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.ticks), (7, 3, 300));
    }

    #[test]
    fn private_memory_is_clean_and_dirty() {
        let text = "Rss: 900 kB\nPrivate_Clean: 10 kB\nPrivate_Dirty: 30 kB\nShared_Dirty: 5 kB\n";
        assert_eq!(private_bytes(text), 40 * 1024);
    }

    #[test]
    fn resident_memory_is_that_of_the_status() {
        let text = "Name:\tVmRSS\nVmHWM:\t  20 kB\nVmRSS:\t  10 kB\nRssAnon:\t   4 kB\n";
        let memory = Memory::of_status(text);
        let Memory { resident_bytes, anonymous_bytes, peak_bytes } = memory;
        assert_eq!([resident_bytes, anonymous_bytes, peak_bytes], [10_240, 4096, 20_480]);
    }

    #[test]
    fn a_process_is_measured_with_its_children_and_ended_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & echo ready; wait"]);
        let guarded =
            Guarded::start("shell", &shell, &available().unwrap(), folder.path()).unwrap();
        let pid = guarded.child.id();
        while guarded.printed() != "ready" {
            std::thread::yield_now();
        }
        assert_eq!(family(pid).len(), 2);
        assert!(guarded.private_memory_bytes().unwrap() > 0);
        guarded.processor_time().unwrap();
        let threads = guarded.threads().unwrap();
        let [(name, used)] = &threads.into_iter().collect::<Vec<_>>()[..] else { panic!("one") };
        assert_eq!(name, "sh");
        assert!(!used.is_zero());
        let child = family(pid).into_iter().find(|stat| stat.pid != pid).unwrap().pid;
        drop(guarded);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        // The shell's child is the test's own to end.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(child.cast_signed()),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}
