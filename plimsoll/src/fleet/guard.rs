//! The guard: a small process between Plimsoll and one instance that outlives Plimsoll's death
//! just long enough to take the instance with it.
//!
//! Plimsoll runs its own binary again as `plimsoll guard NAME … -- COMMAND`. The guard's standard
//! input is one end of a socket pair whose other end only Plimsoll holds, its standard output and
//! error are the pipes that capture the instance's. It starts the instance in a session of its
//! own, passes on the two orders `terminate` and `kill`, and reports what becomes of it.
//!
//! Invariants:
//! - When the socket closes, for whatever reason (kill -9 of Plimsoll included), everything below
//!   the guard is killed. A parent-death signal alone would cover only the direct child and is
//!   bound to the thread that started it.
//! - The guard is a child subreaper (prctl(2)): processes that daemonise or start sessions of
//!   their own become its children, so that they are found and killed too.
//! - The guard leaves only when nothing below it is left. Its end says that the instance's
//!   address, memory and files are free again.
//! - Should the guard itself be killed, the parent-death signal takes the instance's main process,
//!   and Plimsoll the rest (`orphans`).
//! - It blocks every signal: a TERM to the whole control group is the instance's to obey.
//!
//! Leaves out: who is restarted and when (the planner), and containers that a daemon elsewhere
//! runs on the instance's behalf.

mod arguments;
mod fork;

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, User, getpgid, initgroups, setgid, setsid, setuid};

pub use arguments::Arguments;

use super::process_table::ProcessTable;

/// The order to signal TERM to the instance's process group.
pub const ORDER_TERMINATE: u8 = b'T';
/// The order to kill everything below the guard.
pub const ORDER_KILL: u8 = b'K';
/// How long processes that an instance left behind when it died by itself may take to obey TERM.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);
/// Pause between two rounds of killing; grows to [`KILL_PAUSE_MAX`] for processes that the kernel
/// cannot end yet.
const KILL_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two rounds of killing.
const KILL_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Status with which a child leaves that could not become the instance.
const REFUSED_STATUS: i32 = 127;
/// The guard's name in ps and top. It does not hold the program's name, so that
/// `pkill -9 plimsoll` leaves the guards to do their work.
const NAME: &std::ffi::CStr = c"fleet-guard";

/// What the guard tells Plimsoll, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The command runs with this process id.
    Started(u32),
    /// The command could not be run; a sentence that says why.
    Refused(String),
    /// The main process ended with this status.
    Exited(i32),
    /// The main process was ended by this signal.
    Signalled(i32),
}

impl Report {
    /// The line that [`Report::parse`] reads.
    fn line(&self) -> String {
        match self {
            Self::Started(pid) => format!("started {pid}\n"),
            Self::Refused(why) => format!("refused {}\n", why.replace('\n', " ")),
            Self::Exited(status) => format!("exited {status}\n"),
            Self::Signalled(signal) => format!("signalled {signal}\n"),
        }
    }

    /// Reads a line without its end; `None` for anything else.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "started" => rest.parse().ok().map(Self::Started),
            "refused" => Some(Self::Refused(rest.to_owned())),
            "exited" => rest.parse().ok().map(Self::Exited),
            "signalled" => rest.parse().ok().map(Self::Signalled),
            _ => None,
        }
    }
}

/// Runs a guard to its end. `arguments` are those after the word `guard`.
///
/// Not meant to be called by hand: without the socket as standard input it ends at once.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("plimsoll guard: {error}; Plimsoll starts guards itself");
            return ExitCode::from(2);
        }
    };
    match Guard::new(arguments).and_then(Guard::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plimsoll guard: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Guard {
    arguments: Arguments,
    control: UnixStream,
    child_ended: SignalFd,
    /// The instance's main process, until it was waited for.
    main: Option<Pid>,
    /// The same as `main`, for good: the id of its process group.
    group: Pid,
    /// Plimsoll is gone.
    orphaned: bool,
    /// The instance was told to stop.
    terminating: bool,
    /// From when on everything that is left is killed.
    kill_from: Option<Instant>,
}

impl Guard {
    fn new(arguments: Arguments) -> io::Result<Self> {
        prctl::set_name(NAME)?;
        prctl::set_child_subreaper(true)?;
        SigSet::all().thread_block()?;
        let mut child_signal = SigSet::empty();
        child_signal.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let child_ended = SignalFd::with_flags(&child_signal, flags)?;
        let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        control.set_nonblocking(true)?;
        let guard = Self {
            arguments,
            control,
            child_ended,
            main: None,
            group: Pid::from_raw(0),
            orphaned: false,
            terminating: false,
            kill_from: None,
        };
        Ok(guard)
    }

    fn run(mut self) -> io::Result<()> {
        match self.start_instance() {
            Ok(pid) => {
                self.main = Some(pid);
                self.group = pid;
                self.report(&Report::Started(pid.as_raw().unsigned_abs()));
            }
            Err(why) => self.report(&Report::Refused(why)),
        }
        let mut pause = KILL_PAUSE;
        while self.wait_for_children() {
            let now = Instant::now();
            let mut timeout = None;
            if let Some(kill_from) = self.kill_from {
                if now >= kill_from {
                    self.kill_everything();
                    timeout = Some(pause);
                    pause = (pause * 2).min(KILL_PAUSE_MAX);
                } else {
                    timeout = Some(kill_from - now);
                }
            }
            self.wait_for_events(timeout)?;
        }
        self.clear_socket();
        Ok(())
    }

    /// Forks and executes the command. The error pipe closes by itself when exec succeeds.
    fn start_instance(&self) -> Result<Pid, String> {
        let (mut read, write) =
            io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
        let guard = std::process::id();
        let pid = fork::in_child(|| {
            let Err(why) = become_instance(&self.arguments, guard);
            // A failed write leaves the empty text, which is reported below.
            let _ = (&write).write_all(format!("!{why}").as_bytes());
            REFUSED_STATUS
        })
        .map_err(|error| format!("cannot start a process: {}", error.desc()))?;
        drop(write);
        let mut why = String::new();
        let read = read.read_to_string(&mut why);
        match (read, why.strip_prefix('!')) {
            (Ok(_), None) => Ok(pid),
            (Ok(_), Some(why)) => Err(why.to_owned()),
            (Err(error), _) => Err(format!("cannot learn whether the command runs: {error}")),
        }
    }

    /// Tells Plimsoll. When it is gone, the closed socket says so on the next turn of the loop.
    fn report(&mut self, report: &Report) {
        let _ = self.control.write_all(report.line().as_bytes());
    }

    /// Waits for every child that has ended. False when there are no children left.
    fn wait_for_children(&mut self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) if Some(pid) == self.main => {
                    self.main_ended(&Report::Exited(status));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if Some(pid) == self.main => {
                    self.main_ended(&Report::Signalled(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return true,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// What an instance that died by itself leaves behind must not keep its address: it is told
    /// to stop, then killed. What stops because it was told to may finish its work, until Plimsoll
    /// orders otherwise; only what is not in its process group has not been told yet.
    fn main_ended(&mut self, report: &Report) {
        self.main = None;
        self.report(report);
        if self.terminating {
            self.signal_where(Signal::SIGTERM, |pid| getpgid(Some(pid)) != Ok(self.group));
        } else {
            self.signal_everything(Signal::SIGTERM);
            self.kill_no_later_than(Instant::now() + LEFTOVER_GRACE);
        }
    }

    fn wait_for_events(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = match timeout {
            // Rounded up, so that the loop does not spin in the last millisecond.
            Some(timeout) => PollTimeout::try_from(timeout + Duration::from_millis(1))
                .unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        let mut descriptors = vec![PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN)];
        if !self.orphaned {
            descriptors.push(PollFd::new(self.control.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        // The children are waited for in any case; the signal has only to be taken.
        while let Ok(Some(_)) = self.child_ended.read_signal() {}
        self.take_orders();
        Ok(())
    }

    fn take_orders(&mut self) {
        let mut orders = [0; 16];
        while !self.orphaned {
            match self.control.read(&mut orders) {
                Ok(0) => self.orphan(),
                Ok(count) => orders[..count].iter().for_each(|order| self.obey(*order)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.orphan(),
            }
        }
    }

    fn orphan(&mut self) {
        self.orphaned = true;
        self.obey(ORDER_KILL);
    }

    fn obey(&mut self, order: u8) {
        self.terminating = true;
        match order {
            ORDER_TERMINATE if self.main.is_some() => {
                let _ = killpg(self.group, Signal::SIGTERM);
            }
            ORDER_TERMINATE => self.signal_everything(Signal::SIGTERM),
            _ => self.kill_no_later_than(Instant::now()),
        }
    }

    fn kill_no_later_than(&mut self, time: Instant) {
        self.kill_from = Some(self.kill_from.map_or(time, |before| before.min(time)));
    }

    /// Everything is stopped first: a process that forks faster than it is found cannot escape.
    fn kill_everything(&self) {
        self.signal_everything(Signal::SIGSTOP);
        self.signal_everything(Signal::SIGKILL);
    }

    fn signal_everything(&self, signal: Signal) {
        self.signal_where(signal, |_| true);
    }

    fn signal_where(&self, signal: Signal, wanted: impl Fn(Pid) -> bool) {
        // Without /proc the process group is all that is known.
        let Ok(table) = ProcessTable::read() else {
            let _ = killpg(self.group, signal);
            return;
        };
        for process in table.descendants(std::process::id() as i32) {
            let pid = Pid::from_raw(process.pid);
            if wanted(pid) {
                // Failing means that it is gone, or dies with its setuid program's own rights.
                let _ = kill(pid, signal);
            }
        }
    }

    /// Removes the instance's socket; when Plimsoll cannot do it, also the directory, once the
    /// last guard leaves it.
    fn clear_socket(&self) {
        if let Some(socket) = &self.arguments.socket {
            let _ = std::fs::remove_file(socket);
            if let Some(directory) = socket.parent().filter(|_| self.orphaned) {
                let _ = std::fs::remove_dir(directory);
            }
        }
    }
}

/// Turns this process into the instance, or says why not.
fn become_instance(arguments: &Arguments, guard: u32) -> Result<Infallible, String> {
    setsid().map_err(|error| format!("cannot start a session: {}", error.desc()))?;
    if let Some(user) = &arguments.user {
        become_user(user)?;
    }
    // After the change of user, which would disarm it.
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|error| format!("cannot arm the parent-death signal: {}", error.desc()))?;
    if parent_id() != guard {
        return Err("its guard died".to_owned());
    }
    if let Some(directory) = &arguments.directory {
        std::env::set_current_dir(directory).map_err(|error| {
            format!("cannot enter the working directory {}: {error}", directory.display())
        })?;
    }
    let (program, words) = arguments.command.split_first().ok_or("the command is empty")?;
    // Last, so that no signal ends this process before it can say what failed.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| format!("cannot unblock signals: {}", error.desc()))?;
    let error = Command::new(program).args(words).stdin(Stdio::null()).exec();
    let hint = match error.kind() {
        // execve(2): a script or program that is there may name another that is not.
        io::ErrorKind::NotFound => " (the command, or the interpreter that its first line names)",
        _ => "",
    };
    Err(format!("cannot run {}: {error}{hint}", program.display()))
}

fn become_user(name: &str) -> Result<(), String> {
    let user = User::from_name(name)
        .map_err(|error| format!("cannot look up user {name}: {}", error.desc()))?
        .ok_or_else(|| format!("there is no user {name} on this machine"))?;
    let text = CString::new(name).map_err(|_| format!("user name {name:?} holds a NUL"))?;
    let denied = |error: Errno| {
        format!("cannot become user {name}: {} (Plimsoll must run as root for that)", error.desc())
    };
    initgroups(&text, user.gid).map_err(denied)?;
    setgid(user.gid).map_err(denied)?;
    setuid(user.uid).map_err(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_back() {
        for report in [
            Report::Started(12),
            Report::Refused("cannot run x: No such file".to_owned()),
            Report::Exited(3),
            Report::Signalled(9),
        ] {
            assert_eq!(Report::parse(report.line().trim_end()), Some(report));
        }
        assert_eq!(Report::Refused("a\nb".to_owned()).line(), "refused a b\n");
        for line in ["", "started", "started x", "exited ", "hello 1"] {
            assert_eq!(Report::parse(line), None, "{line:?}");
        }
    }
}
