//! The real Prometheus beside the real program: it sends us samples, takes ours, and scrapes our
//! federation.

use std::process::Command;

use super::QUICK;
use super::program::Program;
use crate::harness::{self, Plimsoll};

#[test]
fn a_prometheus_writes_to_us_is_written_to_and_scrapes_our_federation() {
    let config = |more: &str| {
        let observe = format!(
            "{QUICK}remote_write_receiver = true\nexternal_labels = {{ site = \"here\" }}\n{more}"
        );
        harness::clinic(1, &observe)
    };
    let plimsoll = Plimsoll::up(&config(""));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    let admin = plimsoll.admin;
    let jobs = format!(
        "global: {{ scrape_interval: 1s }}
scrape_configs:
- job_name: agent
  static_configs: [{{ targets: ['{admin}'] }}]
- job_name: above
  honor_labels: true
  metrics_path: /prometheus/federate
  params: {{ 'match[]': ['plimsoll_start_time_seconds'] }}
  static_configs: [{{ targets: ['{admin}'] }}]
remote_write:
- url: http://{admin}/prometheus/api/v1/write
  queue_config: {{ batch_send_deadline: 1s }}
  write_relabel_configs: [{{ source_labels: [job], regex: agent, action: keep }}]
"
    );
    std::fs::write(&file, jobs).unwrap();
    let prometheus = Program::start(
        Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.enable-remote-write-receiver"),
        "Server is ready",
    );
    plimsoll.wait("what it scraped", || plimsoll.value("up{job=\"agent\"}") == Some(1.0));
    // The query's braces and quotes, as a URL has them.
    let has = |series: &str| {
        let answer = prometheus.get(&format!("/api/v1/query?query={}", super::encoded(series)));
        answer.contains("\"value\":[")
    };
    plimsoll.wait("our federation", || {
        has("plimsoll_start_time_seconds{job=\"plimsoll\", site=\"here\"}")
    });
    // What is sent on is all that comes in; a reload is enough.
    let keep = "{ source_labels = [\"job\"], regex = \"host\", action = \"keep\" }";
    plimsoll.write_config(&config(&format!(
        "remote_write = [{{ url = \"http://{}/api/v1/write\", relabel = [{keep}] }}]\n",
        prometheus.address
    )));
    let (code, _, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    plimsoll.wait("our samples", || has("node_memory_MemTotal_bytes{job=\"host\", site=\"here\"}"));
}
