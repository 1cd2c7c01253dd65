//! The real Prometheus beside the real program: it sends us samples, takes ours, and scrapes our
//! federation.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::QUICK;
use super::program::Program;
use crate::harness::{self, Plimsoll};
use crate::http;

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

/// A real Prometheus with a series of its own.
fn outside(folder: &Path, address: &str) -> Program {
    let (file, rules) = (folder.join("prometheus.yml"), folder.join("rules.yml"));
    let text = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n";
    std::fs::write(&file, text).unwrap();
    let text = "groups: [{name: one, rules: [{record: 'outside:one', expr: vector(1)}]}]\n";
    std::fs::write(&rules, text).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"));
    Program::attempt(&mut command, "Server is ready").expect("it ended before it was ready")
}

/// Rules of files ask the outside one; what Plimsoll knows of itself is judged without it.
#[test]
fn an_outside_prometheus_that_goes_away_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let prometheus = outside(folder.path(), "127.0.0.1:0");
    let address = prometheus.address.clone();
    let directory = tempfile::tempdir().unwrap();
    // Plimsoll's own store has what the first of them misses.
    let rules = "groups:\n- name: own\n  interval: 1s\n  rules:\n  - alert: NotThere\n    \
                 expr: absent(plimsoll_start_time_seconds)\n  - alert: Never\n    \
                 expr: vector(1) > 2\n  - record: own:one\n    expr: vector(1)\n";
    std::fs::write(directory.path().join("own.yml"), rules).unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let observe = format!(
        "[observe]\nprometheus = \"http://{address}\"\n\
         scrape = {{ every = \"1s\", timeout = \"1s\" }}\n\
         rules = {{ files = [\"own.yml\"], every = \"1s\" }}\n\
         [[observe.job]]\nname = \"gone\"\ntargets = [\"http://{gone}/metrics\"]\n"
    );
    let plimsoll = Plimsoll::up_in(directory, &harness::clinic(1, &observe), &[]);
    let rules = || plimsoll.api("/prometheus/api/v1/rules")["data"]["groups"].clone();
    let all = |is_wanted: &dyn Fn(bool, &Value) -> bool| {
        let groups = rules();
        groups.as_array().unwrap().iter().all(|group| {
            let is_own = group["file"] == "built-in";
            group["rules"].as_array().unwrap().iter().all(|rule| is_wanted(is_own, rule))
        })
    };
    let state = |name: &str| {
        let groups = rules();
        let of = groups.as_array().unwrap().iter().flat_map(|group| {
            group["rules"].as_array().unwrap().iter().filter(|rule| rule["name"] == name)
        });
        of.map(|rule| rule["state"].as_str().unwrap().to_owned()).collect::<String>()
    };
    plimsoll.wait("its answers", || {
        state("NotThere") == "firing"
            && state("TargetDown") == "pending"
            && all(&|_, rule| rule["health"] == "ok")
    });
    let federate = "/prometheus/federate?match[]=outside:one";
    plimsoll.wait("what it federates", || {
        http::get(plimsoll.admin, federate).text().contains("\noutside:one")
    });
    let (code, out, errors) = plimsoll.command(&["alarms"]);
    assert_eq!((code, out.starts_with("1 firing, ")), (0, true), "{out}{errors}");

    drop(prometheus);
    plimsoll.wait("the outage", || {
        all(&|is_own, rule| rule["health"] == if is_own { "ok" } else { "err" })
            && state("RulesFail") == "pending"
    });
    assert!(all(&|is_own, rule| {
        is_own || rule["lastError"].as_str().is_some_and(|words| words.contains("cannot be asked"))
    }));
    assert_eq!(http::get(plimsoll.admin, federate).status, 503);
    let (code, out, errors) = plimsoll.command(&["alarms"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.starts_with("0 firing, ") && out.contains("2 rules cannot be evaluated"), "{out}");
    assert!(out.contains("was firing") && out.contains("NotThere, Never: Prometheus at"), "{out}");
    assert!(errors.contains("2 alert rules cannot be evaluated"), "{errors}");

    let _prometheus = outside(folder.path(), &address);
    plimsoll.wait("its answers again", || all(&|_, rule| rule["health"] == "ok"));
    let log = plimsoll.log();
    for (words, count) in [
        ("`observe.prometheus` gives no answers", 1),
        ("`observe.prometheus` answers again after", 1),
        ("own.yml fails", 0),
        ("is well again", 0),
    ] {
        assert_eq!(log.matches(words).count(), count, "{words}: {log}");
    }
    let (code, out, errors) = plimsoll.command(&["alarms"]);
    assert_eq!(code, 0, "{out}{errors}");
}
