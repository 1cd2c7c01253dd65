//! A command that gets Alertmanager's JSON on its standard input.
//!
//! It runs in a process group of its own, so that what it starts ends with it when its time is over
//! or Plimsoll stops. Of the environment it gets what programs need to run, and what the message is
//! about; nothing of Plimsoll's own, which may hold secrets. What fails is tried again: a command
//! has no way to say that it is of no use.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr};
use tokio::task::JoinHandle;

use super::super::message::{self, limited, on_one_line};
use super::{Failure, Message};

/// Bytes of standard error that are held: its end.
const ERRORS_BYTES_MAX: usize = 16 << 10;
/// Characters of its last line that are told.
const LINE_CHARACTERS_MAX: usize = 300;
/// After the command has ended, what it left on standard error is waited for no longer.
const ERRORS_WAIT: Duration = Duration::from_millis(500);
/// Variables of Plimsoll's environment that it gets.
const VARIABLES: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];
/// Bytes of a variable: systems bound the whole environment.
const VARIABLE_CHARACTERS_MAX: usize = 4096;

/// A command.
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
    external_url: String,
}

/// Kills the command's process group unless the command has ended.
struct Leash(Option<Pid>);

impl Leash {
    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // It may just have ended, which is as well.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Command {
    pub(super) fn new(
        words: &[String],
        timeout: Duration,
        external_url: &str,
    ) -> Result<Self, String> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| "it names no program".to_owned())?;
        Ok(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            timeout,
            external_url: external_url.to_owned(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let json = message::json(message, &self.external_url);
        let mut child = self.started(message).map_err(|error| {
            let program = &self.program;
            Failure::lasting(format!(
                "cannot start `{program}`: {error}; is it there, and executable?"
            ))
        })?;
        // The group's id is that of its first process, which is not reaped before `wait` returns.
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let mut leash = Leash(group);
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let feeding = async move {
            if let Some(mut stdin) = stdin {
                // Whoever does not want to read it need not.
                let _ = stdin.write_all(&json).await;
            }
        };
        let feeding = tokio::spawn(feeding);
        let errors = Errors::of(stderr);
        let ended = tokio::time::timeout(self.timeout, child.wait()).await;
        feeding.abort();
        let status = match ended {
            Ok(status) => status,
            Err(_) => {
                leash.kill();
                let _ = child.wait().await;
                let line = errors.said().await;
                let seconds = self.timeout.as_secs_f64();
                return Err(Failure::passing(format!("killed after {seconds} s{line}")));
            }
        };
        leash.0 = None;
        let line = errors.said().await;
        match status {
            Ok(status) if status.success() => Ok(format!("exit status 0{line}")),
            Ok(status) => Err(Failure::passing(format!("{}{line}", in_words(status)))),
            Err(error) => Err(Failure::passing(format!("it cannot be waited for: {error}"))),
        }
    }

    fn started(&self, message: &Message) -> std::io::Result<Child> {
        let firing = message.firing();
        let own = [
            ("PLIMSOLL_RECEIVER", message.receiver.clone()),
            ("PLIMSOLL_STATUS", message::status(message).to_owned()),
            ("PLIMSOLL_GROUP_KEY", message.group_key.clone()),
            ("PLIMSOLL_TITLE", message::title(message)),
            ("PLIMSOLL_FIRING", firing.to_string()),
            ("PLIMSOLL_RESOLVED", (message.alerts.len() - firing).to_string()),
            ("PLIMSOLL_EXTERNAL_URL", self.external_url.clone()),
        ];
        let inherited = VARIABLES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(inherited)
            .envs(own.map(|(name, value)| {
                (name, limited(&on_one_line(&value), VARIABLE_CHARACTERS_MAX))
            }))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }
}

/// The end of a command's standard error.
struct Errors {
    /// Written by the task that reads, read once the command has ended.
    held: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Errors {
    fn of(stderr: Option<ChildStderr>) -> Self {
        let held = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn(read(stderr, Arc::clone(&held)));
        Self { held, reading }
    }

    /// The last line, as the end of a sentence. A process that the command left behind may hold its
    /// standard error open for ever.
    async fn said(mut self) -> String {
        if tokio::time::timeout(ERRORS_WAIT, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&held);
        match text.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!(": {}", limited(&on_one_line(line), LINE_CHARACTERS_MAX)),
            None => String::new(),
        }
    }
}

async fn read(stderr: Option<ChildStderr>, held: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend_from_slice(&buffer[..count]);
        if held.len() > ERRORS_BYTES_MAX {
            let surplus = held.len() - ERRORS_BYTES_MAX;
            held.drain(..surplus);
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => Signal::try_from(signal).map_or_else(
            |_| format!("killed by signal {signal}"),
            |signal| format!("killed by {}", signal.as_str()),
        ),
        (None, None) => status.to_string(),
    }
}
