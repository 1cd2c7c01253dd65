//! A real Prometheus with samples of ours, asked over HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How often another port is tried when one was taken before Prometheus had it.
const PORTS_MAX: usize = 5;
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running Prometheus; ends with this value.
pub struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `prometheus` and `promtool` are installed.
pub fn is_installed() -> bool {
    ["prometheus", "promtool"].iter().all(|program| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

impl Server {
    /// Starts one whose store holds the samples of a text in OpenMetrics.
    pub fn start(open_metrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (samples, blocks) = (folder.path().join("samples.txt"), folder.path().join("data"));
        fs::write(&samples, open_metrics).expect("samples written");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&samples, &blocks])
            .output()
            .expect("promtool runs");
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "promtool refused the samples: {words}");
        fs::write(folder.path().join("prometheus.yml"), "{}\n").expect("a config written");
        for _ in 0..PORTS_MAX {
            let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let port = free.local_addr().expect("its number").port();
            drop(free);
            if let Some(child) = launch(folder.path(), port) {
                return Self { child, port, _folder: folder };
            }
        }
        panic!("prometheus did not start on any of {PORTS_MAX} ports");
    }

    /// Asks a path below `/api/v1/` with form fields; the whole answer, of success or failure.
    pub fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let body: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let body = body.join("&");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("prometheus listens");
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a timeout");
        // HTTP/1.0, so that the answer ends with the connection and is not chunked.
        write!(
            stream,
            "POST /api/v1/{path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, json) = answer.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
    }
}

/// Starts the program and waits until it says that it serves; `None` if it ended before.
fn launch(folder: &Path, port: u16) -> Option<Child> {
    let mut child = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg("--storage.tsdb.retention.time=100y")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("prometheus runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("Server is ready"));
    if !ready {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    // What it says later is read too, lest it block.
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some(child)
}

/// A value of a form field.
fn escaped(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(byte as char);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
