//! A real Prometheus on the other side: it sends us samples, and it scrapes `/federate`.
//!
//! Without `prometheus` installed these tests say so and pass, unless `CI` or `PLIMSOLL_TEST_ENV` is
//! set.

use std::net::SocketAddr;
use std::process::Command;

use tokio::sync::mpsc;

use super::*;
use crate::testing::prometheus::{Prometheus, is_installed};

/// How long anything may take; only a failure does.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let peer = tokio::task::spawn_blocking(move || Prometheus::start(&config, "")).await.unwrap();
    // The second scrape comes with another request than the first, or not; either way it comes.
    for _ in 0..2 {
        let up = tokio::time::timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap();
        let expected =
            format!("up{{from=\"agent\", instance=\"{}\", job=\"self\"}}", peer.address());
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
    let peer = tokio::task::spawn_blocking(move || Prometheus::start(&config, "")).await.unwrap();
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
