//! Prometheus, which also takes remote writes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::program::Program;
use super::{STARTS_MAX, free_port};

/// How long an answer may take; only a failure does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Prometheus.
pub struct Prometheus {
    program: Program,
    _folder: TempDir,
}

/// Whether it is installed; says so if not, unless it has to be.
pub fn is_installed() -> bool {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if ["prometheus", "promtool"].iter().all(|program| runs(program)) {
        return true;
    }
    let wanted = ["CI", "PLIMSOLL_TEST_ENV"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!wanted, "`prometheus` is not installed: run the tests by `cargo xtask test`");
    println!("skipped: `prometheus` is not installed; `cargo xtask test` installs it");
    false
}

impl Prometheus {
    /// Starts one with a config file, in which `{self}` is its own address, and with the samples of
    /// a text in OpenMetrics.
    pub fn start(config: &str, samples: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, data) = (folder.path().join("prometheus.yml"), folder.path().join("data"));
        if !samples.is_empty() {
            let text = folder.path().join("samples.txt");
            fs::write(&text, samples).unwrap();
            let made = Command::new("promtool")
                .args(["tsdb", "create-blocks-from", "openmetrics"])
                .args([&text, &data])
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "promtool refused the samples: {words}");
        }
        for _ in 0..STARTS_MAX {
            let address = format!("127.0.0.1:{}", free_port());
            fs::write(&file, config.replace("{self}", &address)).unwrap();
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .args(["--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver"])
                .arg(format!("--web.listen-address={address}"));
            if let Some(program) = Program::attempt(&mut command, "Server is ready") {
                return Self { program, _folder: folder };
            }
        }
        panic!("prometheus did not start on any of {STARTS_MAX} ports");
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.program.address
    }

    /// As [`Program::get`].
    pub fn get(&self, target: &str) -> String {
        self.program.get(target)
    }

    /// Asks `GET /path?query` or `POST /path form`; status and body.
    pub async fn ask(&self, request: &str) -> (u16, String) {
        let (method, rest) = request.split_once(' ').unwrap();
        let (uri, form) = rest.split_once(' ').unwrap_or((rest, ""));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client
            .request(method.parse().unwrap(), format!("http://{}{uri}", self.address()))
            .header("content-type", "application/x-www-form-urlencoded")
            .timeout(PATIENCE)
            .body(form.to_owned())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}
