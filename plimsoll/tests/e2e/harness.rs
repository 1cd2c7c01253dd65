//! Runs the real binary on free ports in a directory of its own, and talks to it.
//!
//! Nothing here sleeps to synchronise: waiting means polling a condition until it holds, with a
//! generous bound after which the test fails and shows Plimsoll's log.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::http;

/// After so long a condition counts as never going to hold.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plimsoll"))
}

/// A running Plimsoll, killed with all it started when dropped.
pub struct Plimsoll {
    child: Child,
    log: Arc<Log>,
    /// Where it runs; removed at the end.
    pub directory: tempfile::TempDir,
    /// The first listening address.
    pub traffic: SocketAddr,
    /// The admin server.
    pub admin: SocketAddr,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                log.lines.lock().unwrap().push(text);
                log.grown.notify_all();
                line.clear();
            }
            log.lines.lock().unwrap().push(END.to_owned());
            log.grown.notify_all();
        });
    }

    fn wait<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock().unwrap();
        let mut seen = 0;
        loop {
            for line in &lines[seen..] {
                if let Some(found) = find(line) {
                    return found;
                }
                assert!(line != END, "ended before {what}; its log:\n{}", lines.join("\n"));
            }
            seen = lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what}; its log:\n{}", lines.join("\n"));
            lines = self.grown.wait_timeout(lines, left).unwrap().0;
        }
    }
}

const END: &str = "(end of output)";

impl Plimsoll {
    /// `plimsoll up` with this config, to which listening and admin addresses are added.
    pub fn up(config: &str) -> Self {
        Self::up_in(tempfile::tempdir().unwrap(), config, &[])
    }

    /// The same in a directory that holds files already, with more environment.
    pub fn up_in(directory: tempfile::TempDir, config: &str, environment: &[(&str, &str)]) -> Self {
        write_config(directory.path(), config);
        let mut command = Command::new(binary());
        command.args(["up", "-c", "plimsoll.toml"]);
        for (name, value) in environment {
            command.env(name, value);
        }
        Self::start(directory, command)
    }

    /// `plimsoll run` with these words after the addresses.
    pub fn run(directory: tempfile::TempDir, words: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(words);
        Self::start(directory, command)
    }

    /// Starts `command`, which must be Plimsoll with port 0 for both servers.
    pub fn start(directory: tempfile::TempDir, mut command: Command) -> Self {
        command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Log::default());
        // Only the log's own stream decides when Plimsoll has ended.
        log.follow(child.stderr.take().unwrap());
        log_output(&log, child.stdout.take().unwrap());
        let after = |line: &str, mark: &str| -> Option<SocketAddr> {
            let (_, rest) = line.split_once(mark)?;
            let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:[]abcdef".contains(c)));
            rest[..end.unwrap_or(rest.len())].parse().ok()
        };
        let admin = log.wait("admin address", |line| after(line, "status and metrics on http://"));
        let traffic = log.wait("traffic address", |line| after(line, "serving on http://"));
        Self { child, log, directory, traffic, admin }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line that holds `text`, from the start of the log.
    pub fn wait_log(&self, text: &str) -> String {
        self.log.wait(&format!("log line with {text:?}"), |line| {
            line.contains(text).then(|| line.to_owned())
        })
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// A GET through the balancer.
    pub fn get(&self, path: &str) -> http::Response {
        http::get(self.traffic, path)
    }

    /// `/api/status`.
    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&http::get(self.admin, "/api/status").text()).unwrap()
    }

    /// Servers of a service with their states.
    pub fn states(&self, service: &str) -> Vec<(String, String)> {
        let status = self.status();
        let services = status["services"].as_array().unwrap();
        let service = services.iter().find(|entry| entry["name"] == service).unwrap();
        let servers = service["servers"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        servers.map(|server| (text(&server["name"]), text(&server["state"]))).collect()
    }

    /// Waits until this many servers of a service are healthy, and no other is there.
    pub fn wait_healthy(&self, service: &str, count: usize) {
        self.wait(&format!("{count} healthy servers of {service}"), || {
            let states = self.states(service);
            let healthy = states.iter().filter(|(_, state)| state == "healthy").count();
            healthy == count && states.len() == count
        });
    }

    /// Waits until the condition holds.
    pub fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(
                Instant::now() < deadline,
                "no {what}; status:\n{:#}\nlog:\n{}",
                self.status(),
                self.log()
            );
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The value of a metric's first sample that holds all of `labels`, 0 where there is none.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = http::get(self.admin, "/metrics").text();
        text.lines()
            .filter(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                    && labels.iter().all(|label| line.contains(label))
            })
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum()
    }

    /// Replaces the config file; nothing is applied yet.
    pub fn write_config(&self, config: &str) {
        write_config(self.directory.path(), config);
    }

    /// A client command (`status`, `reload`, …) against it: exit code, output, errors.
    pub fn command(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(binary());
        command.args(words).args(["--admin", &self.admin.to_string()]);
        command.current_dir(self.directory.path());
        output(command)
    }

    /// Sends a signal to Plimsoll itself.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        send_signal(self.pid(), signal);
    }

    /// SIGTERM, then waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.wait_exit()
    }

    /// Waits for the end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end; its log:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Process ids of the instances of a service.
    pub fn instance_pids(&self, service: &str) -> Vec<u32> {
        let status = self.status();
        let services = status["services"].as_array().unwrap();
        let service = services.iter().find(|entry| entry["name"] == service).unwrap();
        let servers = service["servers"].as_array().unwrap().iter();
        servers
            .filter_map(|server| server["instance"]["pid"].as_u64())
            .map(|pid| pid as u32)
            .collect()
    }
}

impl Drop for Plimsoll {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What it went through is what a failed test is asked for first.
            println!("its log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_output(log: &Arc<Log>, stream: impl Read + Send + 'static) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            log.lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            log.grown.notify_all();
        }
    });
}

fn write_config(directory: &Path, config: &str) {
    let mut text = String::from("listen = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n");
    let _ = write!(text, "{config}");
    std::fs::write(directory.join("plimsoll.toml"), text).unwrap();
}

/// Runs a command to its end: exit code, output, errors.
pub fn output(mut command: Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Sends a signal to a process that a test started.
pub fn send_signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// Whether a process is there and not a zombie.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Polls until the condition holds.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A config with one service of clinic instances.
pub fn clinic(instances: usize, more: &str) -> String {
    format!(
        "[service.web]\nrun = [{binary:?}, \"clinic\"]\ninstances = {instances}\n\
         health = {{ path = \"/health/\", every = \"1s\", timeout = \"1s\" }}\n{more}\n",
        binary = binary()
    )
}

/// Where `cargo xtask test` put the Python and Node servers.
pub fn peers() -> PathBuf {
    std::env::var_os("PLIMSOLL_TEST_ENV").map(PathBuf::from).expect(
        "PLIMSOLL_TEST_ENV names no directory with the peers: run the tests by `cargo xtask test`",
    )
}
