//! A real Prometheus on the other side: it sends us samples, and it scrapes `/federate`.
//!
//! Without `prometheus` installed these tests say so and pass, unless `CI` or `PLIMSOLL_TEST_ENV` is
//! set.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc;

use super::*;

/// How often another port is tried when one was taken before Prometheus had it.
const PORTS_MAX: usize = 5;
/// How long anything may take; only a failure does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Prometheus; ends with this value.
pub(super) struct Peer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it is installed; says so if not.
pub(super) fn is_installed() -> bool {
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

impl Peer {
    /// Starts one with a config file, and with the samples of a text in OpenMetrics. `{self}` in the
    /// file is its own address.
    pub(super) fn start(config: &str, samples: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if !samples.is_empty() {
            let (text, blocks) = (folder.path().join("samples.txt"), folder.path().join("data"));
            fs::write(&text, samples).unwrap();
            let made = Command::new("promtool")
                .args(["tsdb", "create-blocks-from", "openmetrics"])
                .args([&text, &blocks])
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "promtool refused the samples: {words}");
        }
        for _ in 0..PORTS_MAX {
            let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let config = config.replace("{self}", &format!("127.0.0.1:{port}"));
            fs::write(folder.path().join("prometheus.yml"), config).unwrap();
            if let Some(child) = launch(folder.path(), port) {
                return Self { child, port, _folder: folder };
            }
        }
        panic!("prometheus did not start on any of {PORTS_MAX} ports");
    }

    /// Asks `GET /path?query` or `POST /path form`.
    pub(super) async fn ask(&self, request: &str) -> (u16, String) {
        let (method, rest) = request.split_once(' ').unwrap();
        let (uri, form) = rest.split_once(' ').unwrap_or((rest, ""));
        let url = format!("http://127.0.0.1:{}{uri}", self.port);
        let client = reqwest::Client::new();
        let response = client
            .request(method.parse().unwrap(), url)
            .header("content-type", "application/x-www-form-urlencoded")
            .timeout(PATIENCE)
            .body(form.to_owned())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
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
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    if !lines.by_ref().map_while(Result::ok).any(|line| line.contains("Server is ready")) {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    // What it says later is read too, lest it block.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some(child)
}

/// Serves a router; it ends with the runtime of the test.
async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// It scrapes itself and sends us what it finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_sends_us_its_samples() {
    if !is_installed() {
        return;
    }
    let (sender, mut arrived) = mpsc::unbounded_channel();
    let tap: Tap = Box::new(move |samples| {
        for sample in samples.iter().filter(|sample| sample.series.labels().name() == "up") {
            let _ = sender.send((sample.series.labels().clone(), sample.value));
        }
    });
    let fixture = Fixture::new(settings(), Options::default(), vec![tap]);
    let address = serve(Router::new().nest("/prometheus", fixture.router.clone())).await;
    let config = format!(
        "global:\n  scrape_interval: 1s\n  external_labels: {{from: agent}}\n\
         scrape_configs:\n- job_name: self\n  static_configs: [{{targets: ['{{self}}']}}]\n\
         remote_write:\n- url: http://{address}/prometheus/api/v1/write\n  \
         queue_config: {{batch_send_deadline: 1s}}\n"
    );
    let peer = tokio::task::spawn_blocking(move || Peer::start(&config, "")).await.unwrap();
    // The second scrape comes with another request than the first, or not; either way it comes.
    for _ in 0..2 {
        let up = tokio::time::timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap();
        let expected =
            format!("up{{from=\"agent\", instance=\"127.0.0.1:{}\", job=\"self\"}}", peer.port);
        assert_eq!((up.0.to_string(), up.1), (expected, 1.0));
    }
    let request = "GET /api/v1/query?query=count(%7Bfrom=%22agent%22%7D)";
    let (_, json) = fixture.json(request).await;
    let count: f64 = json["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!(count > 100.0, "a Prometheus has hundreds of series of its own: {json}");
}

/// It scrapes our `/federate`, as one that stands above others does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_our_federation() {
    if !is_installed() {
        return;
    }
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let time = now() - 5_000;
    fixture.append(&[("__name__", "temperature"), ("room", "ä\"\\")], time, 21.5);
    fixture.append(&[("__name__", "temperature"), ("instance", "x"), ("job", "own")], time, 1e9);
    let (sender, mut scraped) = mpsc::unbounded_channel();
    let router = fixture.router.clone().layer(axum::middleware::map_request(
        move |request: axum::extract::Request| {
            let _ = sender.send(());
            async move { request }
        },
    ));
    let address = serve(Router::new().nest("/prometheus", router)).await;
    let config = format!(
        "scrape_configs:\n- job_name: above\n  scrape_interval: 1s\n  honor_labels: true\n  \
         metrics_path: /prometheus/federate\n  params: {{'match[]': ['temperature']}}\n  \
         static_configs: [{{targets: ['{address}']}}]\n"
    );
    let peer = tokio::task::spawn_blocking(move || Peer::start(&config, "")).await.unwrap();
    // When it asks again, it has stored what it got the first time.
    for _ in 0..2 {
        tokio::time::timeout(PATIENCE, scraped.recv()).await.unwrap().unwrap();
    }
    let (_, text) = peer.ask("GET /api/v1/query?query=temperature[5m]").await;
    let json: Json = serde_json::from_str(&text).unwrap();
    let mut result = json["data"]["result"].as_array().unwrap().clone();
    result.sort_by_key(|series| series["metric"]["job"] != "above");
    let seconds = time as f64 / 1e3;
    assert_eq!(
        Json::Array(result),
        json!([
            {
                "metric": {
                    "__name__": "temperature", "job": "above", "room": "ä\"\\", "site": "a\"b",
                },
                "values": [[seconds, "21.5"]],
            },
            {
                "metric": {
                    "__name__": "temperature", "instance": "x", "job": "own", "site": "a\"b",
                },
                "values": [[seconds, "1000000000"]],
            },
        ])
    );
}

/// Asks by the client library that programs in Go use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_asks_us() {
    if !is_installed() {
        return;
    }
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let time = 1_700_000_000_000;
    fixture.append(&[("__name__", "up"), ("job", "web")], time, 1.0);
    fixture.append(&[("__name__", "up"), ("job", "web")], time + 15_000, 0.5);
    let address = serve(Router::new().nest("/prometheus", fixture.router.clone())).await;
    let url = format!("http://{address}/prometheus");
    for (words, expected) in [
        (
            vec!["instant", "--time=1700000020", &url, "up + 1"],
            "{job=\"web\"} => 1.5 @[1700000020]",
        ),
        (
            vec!["range", "--start=1700000000", "--end=1700000015", "--step=15s", &url, "up"],
            "up{job=\"web\"} =>\n1 @[1700000000]\n0.5 @[1700000015]",
        ),
        (
            vec!["series", "--match=up", "--start=1700000000", "--end=1700000015", &url],
            "{__name__=\"up\", job=\"web\"}",
        ),
        (vec!["labels", "--start=1700000000", "--end=1700000015", &url, "job"], "web"),
    ] {
        let mut command = Command::new("promtool");
        command.args(["query"]).args(&words);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), expected, "{words:?} {output:?}");
    }
}
