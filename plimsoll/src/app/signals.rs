//! The signals that Plimsoll obeys.
//!
//! TERM and INT stop it. HUP applies the config file again. Without a file there is nothing to
//! apply, and HUP is what it was made for: the terminal is gone, and what was started in it goes
//! too. Who wants it to stay says so by nohup(1), which leaves HUP ignored.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from when this is made.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    ends_with_terminal: bool,
}

/// What a signal means.
pub(super) enum Told {
    /// Stop; the signal's name. Said again, it is meant.
    Stop(&'static str),
    /// Stop, for nobody is there any more. A shell and the kernel may both say so.
    HungUp,
    /// Read the config file again.
    Reload,
}

impl Signals {
    /// `has_file` says whether there is a config file to read again.
    pub(super) fn new(has_file: bool) -> io::Result<Self> {
        // To be asked before a handler takes the place of what was inherited.
        let ends_with_terminal = !has_file && !is_ignored(SignalKind::hangup());
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            ends_with_terminal,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hangup.recv() => {
                if self.ends_with_terminal { Told::HungUp } else { Told::Reload }
            }
        }
    }
}

/// Whether this process was started with the signal ignored.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1 (proc_pid_status(5)).
    mask.unwrap_or_default() >> (signal.as_raw_value() - 1) & 1 == 1
}
