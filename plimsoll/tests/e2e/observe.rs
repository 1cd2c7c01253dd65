//! Measuring, rules and alarms: what Prometheus and Alertmanager are installed for.

mod peers;
#[path = "../../src/testing/program.rs"]
mod program;
mod telling;

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::{self, Plimsoll};
use crate::http;
use crate::upstream::{Upstream, ok, service};

/// Figures every second, alarms told at once.
const QUICK: &str = "[observe]\nscrape = { every = \"1s\", timeout = \"1s\" }\n";

impl Plimsoll {
    /// The series of an instant query, by the text of their labels without the metric's name.
    pub fn ask(&self, expression: &str) -> Vec<(Value, f64)> {
        let body = format!("query={}", encoded(expression));
        let path = "/prometheus/api/v1/query";
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = http::request(self.admin, "POST", path, &form, body.as_bytes()).json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap().iter();
        series
            .map(|one| {
                let value = one["value"][1].as_str().unwrap().parse().unwrap();
                (one["metric"].clone(), value)
            })
            .collect()
    }

    /// The only value of an instant query; `None` without one.
    pub fn value(&self, expression: &str) -> Option<f64> {
        match &self.ask(expression)[..] {
            [] => None,
            [(_, value)] => Some(*value),
            more => panic!("{expression}: {more:?}"),
        }
    }

    fn api(&self, path: &str) -> Value {
        http::get(self.admin, path).json()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn own_figures_and_those_of_instances_are_there() {
    let plimsoll = Plimsoll::up(&harness::clinic(2, QUICK));
    plimsoll.wait_healthy("web", 2);
    for _ in 0..10 {
        assert_eq!(plimsoll.get("/").status, 200);
    }
    plimsoll.wait("requests in the store", || {
        plimsoll.value("sum(plimsoll_service_requests_total{service=\"web\"})") >= Some(10.0)
    });
    // Found by themselves, and labelled.
    plimsoll.wait("instances", || plimsoll.value("sum(up{service=\"web\"})") == Some(2.0));
    let (labels, _) = plimsoll.ask("up{service=\"web\", instance=\"web-1\"}").remove(0);
    assert_eq!(labels["job"], "web");
    plimsoll.wait("the machine's figures", || {
        plimsoll.value("count(node_cpu_seconds_total) > 0").is_some()
            && plimsoll.value("process_resident_memory_bytes{job=\"plimsoll\"}").is_some()
    });
    let targets = plimsoll.api("/prometheus/api/v1/targets");
    let active = targets["data"]["activeTargets"].as_array().unwrap();
    assert!(active.iter().any(|one| one["labels"]["instance"] == "web-2"), "{targets}");
    // Some clients ask for the base before anything else.
    for base in ["/prometheus", "/prometheus/"] {
        assert_eq!(http::get(plimsoll.admin, base).status, 200, "{base}");
    }
    let names = plimsoll.api("/prometheus/api/v1/label/__name__/values");
    assert!(names.to_string().contains("plimsoll_server_up"), "{names}");

    let query = "sum(plimsoll_service_requests_total)";
    let (code, out, errors) = plimsoll.command(&["promql", "query", query]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.starts_with("SERIES") && out.contains("{}"), "{out}");
    let (code, out, errors) = plimsoll.command(&["promql", "query", query, "--last", "1m"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("VALUES"), "{out}");
    let url = format!("http://{}", plimsoll.admin);
    let mut command = std::process::Command::new(harness::binary());
    command.args(["promql", "query", "up", "--url", &url]);
    let (code, _, errors) = harness::output(command);
    assert_eq!(code, 1);
    assert!(errors.contains("below /prometheus: add that to --url"), "{errors}");
    let (code, _, errors) = plimsoll.command(&["promql", "query", "sum("]);
    assert_eq!(code, 2);
    assert!(errors.contains("parse error"), "{errors}");
}

#[test]
fn commands_say_that_nothing_is_measured_and_how_to_change_it() {
    let plimsoll = Plimsoll::up(&format!("observe = false\n{}", harness::clinic(1, "")));
    plimsoll.wait_healthy("web", 1);
    let commands: [&[&str]; 6] = [
        &["alarms"],
        &["alarms", "--json"],
        &["alarms", "--try", "people"],
        &["silence"],
        &["silence", "Down"],
        &["promql", "query", "up"],
    ];
    for command in commands {
        let (code, out, errors) = plimsoll.command(command);
        assert_eq!((code, out.as_str()), (1, ""), "{command:?}: {errors}");
        let is_told = errors.contains("nothing is measured here")
            && errors.contains("remedy: remove `observe = false`");
        assert!(is_told, "{command:?}: {errors}");
    }
}

#[test]
fn an_instance_that_goes_takes_its_series_along() {
    let plimsoll = Plimsoll::up(&harness::clinic(2, QUICK));
    plimsoll.wait_healthy("web", 2);
    plimsoll.wait("both", || plimsoll.value("count(up{service=\"web\"})") == Some(2.0));
    plimsoll.write_config(&harness::clinic(1, QUICK));
    let (code, _, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    // Marked stale, not only old: the lookback of five minutes would show it on.
    plimsoll.wait("one", || plimsoll.value("count(up{service=\"web\"})") == Some(1.0));
}

#[test]
fn figures_outlive_a_kill() {
    let mut plimsoll = Plimsoll::up(&harness::clinic(1, QUICK));
    plimsoll.wait_healthy("web", 1);
    plimsoll.wait("figures", || {
        plimsoll.value("count_over_time(plimsoll_start_time_seconds[5m])") >= Some(3.0)
    });
    let first = plimsoll.value("plimsoll_start_time_seconds").unwrap();
    plimsoll.signal(nix::sys::signal::Signal::SIGKILL);
    plimsoll.wait_exit();
    let directory = std::mem::replace(&mut plimsoll.directory, tempfile::tempdir().unwrap());
    drop(plimsoll);
    let again = Plimsoll::up_in(directory, &harness::clinic(1, QUICK), &[]);
    assert!(again.wait_log("in its log").contains("samples"));
    again.wait("figures of before", || {
        // The port of the admin server, and so the instance, is another one.
        let oldest = again.value("min(min_over_time(plimsoll_start_time_seconds[5m]))");
        oldest == Some(first) && again.value("max(plimsoll_start_time_seconds)") > Some(first)
    });
}

/// A receiver of webhooks and the messages that it got.
fn receiver() -> (Upstream, Arc<Mutex<Vec<Value>>>) {
    let messages: Arc<Mutex<Vec<Value>>> = Arc::default();
    let got = Arc::clone(&messages);
    let upstream = Upstream::answering(move |request| {
        got.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        ok("")
    });
    (upstream, messages)
}

#[test]
fn an_alarm_is_told_silenced_and_over() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "groups:\n- name: fleet\n  interval: 1s\n  rules:\n  - alert: Few\n    \
                 expr: sum by (service) (plimsoll_server_up) < 2\n    \
                 annotations:\n      summary: '{{ $labels.service }} has {{ $value }} of 2 servers'\n";
    std::fs::write(directory.path().join("fleet.yml"), rules).unwrap();
    let (upstream, messages) = receiver();
    let observe = format!(
        "[observe]\nrules = {{ files = [\"fleet.yml\"], built_in = false }}\n\
         [observe.notify]\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n\
         [observe.notify.receiver.people]\nwebhook = \"http://{}/\"\n",
        upstream.address
    );
    let plimsoll = Plimsoll::up_in(directory, &harness::clinic(2, &observe), &[]);
    plimsoll.wait_healthy("web", 2);
    let told = |status: &str| {
        let messages = messages.lock().unwrap();
        let of = |message: &&Value| {
            message["status"] == status && message["groupLabels"]["alertname"] == "Few"
        };
        messages.iter().filter(of).count()
    };
    let (code, out, errors) = plimsoll.command(&["alarms", "--try", "people"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.starts_with("people took a test alarm"), "{out}");
    let (code, _, errors) = plimsoll.command(&["alarms", "--try", "nobody"]);
    assert_eq!(code, 1);
    assert!(errors.contains("people"), "{errors}");
    // It starts with fewer than two, which may be told, and is over first.
    plimsoll.wait("both", || plimsoll.value("sum(plimsoll_server_up)") == Some(2.0));
    plimsoll.wait("quiet", || plimsoll.value("ALERTS{alertname=\"Few\"}").is_none());
    let before = told("firing");
    let over = told("resolved");
    let (code, ..) = plimsoll.command(&["drain", "web-2"]);
    assert_eq!(code, 0);
    plimsoll.wait("the alarm", || told("firing") > before);
    {
        let messages = messages.lock().unwrap();
        let last = messages.iter().rfind(|message| message["status"] == "firing").unwrap();
        assert_eq!(last["version"], "4");
        assert_eq!(last["alerts"][0]["annotations"]["summary"], "web has 1 of 2 servers");
    }
    let (code, out, errors) = plimsoll.command(&["alarms"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("1 firing") && out.contains("web has 1 of 2 servers"), "{out}");
    let (code, out, errors) = plimsoll.command(&["silence", "Few", "service=web", "--for", "5m"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("is silent for 5 m"), "{out}");
    assert!(out.contains("hushes 1 alarm that fires now:\n  Few{service=\"web\"}"), "{out}");
    let (code, out, _) = plimsoll.command(&["silence", "Fwe{service=\"api\"}"]);
    assert_eq!(code, 0);
    assert!(out.contains("no rule is named Fwe; did you mean Few?"), "{out}");
    let (_, out, _) = plimsoll.command(&["alarms"]);
    assert!(out.contains("silenced"), "{out}");
    let (_, out, _) = plimsoll.command(&["silence"]);
    let id = out.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let (code, out, errors) = plimsoll.command(&["silence", "--expire", &id]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("has ended"), "{out}");
    plimsoll.command(&["drain", "web-2", "--undo"]);
    plimsoll.wait("the end", || told("resolved") > over);
}

/// The names in a text that begin with `plimsoll_`.
fn own_names(text: &str) -> std::collections::BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let names = text.split(|character| !is_part(character));
    names.filter(|name| name.starts_with("plimsoll_")).map(str::to_owned).collect()
}

/// A rule over a figure that nobody delivers never fires and never fails.
#[test]
fn every_figure_that_built_in_rules_read_is_there_from_the_start() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let observe = format!(
        "max_conns = 100\nslo = {{ success = \"99.9%\", latency = \"p99 < 300ms\" }}\n\
         [observe]\nscrape = {{ every = \"1s\", timeout = \"1s\" }}\n\
         remote_write = [\"http://{gone}/write\"]\n\
         [observe.notify]\nalertmanager = [\"http://{gone}\"]\n\
         [observe.notify.receiver.people]\nwebhook = \"http://{gone}/\"\n"
    );
    let config = format!("access_log = \"access.log\"\n{}", harness::clinic(1, &observe));
    let plimsoll = Plimsoll::up(&config);
    plimsoll.wait_healthy("web", 1);
    let mut command = std::process::Command::new(harness::binary());
    command.args(["rules", "print", "-c", "plimsoll.toml"]);
    command.current_dir(plimsoll.directory.path());
    let (code, rules, errors) = harness::output(command);
    assert_eq!(code, 0, "{errors}");
    let mut wanted = own_names(&rules);
    assert!(wanted.len() > 30, "{wanted:?}");
    let recorded: Vec<_> = wanted.iter().filter(|name| name.starts_with("plimsoll_slo_")).collect();
    assert!(recorded.len() > 5, "{recorded:?}");
    for name in &recorded {
        assert!(rules.contains(&format!("record: {name}\n")), "{name}");
    }
    wanted.retain(|name| !name.starts_with("plimsoll_slo_"));
    plimsoll.wait("all figures", || {
        let page = http::get(plimsoll.admin, "/metrics").text();
        let families = own_names(&page);
        let missing: Vec<_> = wanted.difference(&families).collect();
        if !missing.is_empty() {
            eprintln!("missing: {missing:?}");
        }
        missing.is_empty()
    });
    // Each series that an alert takes an increase of is there before anything has happened.
    for series in [
        "plimsoll_service_errors_total{service=\"web\"}",
        "plimsoll_service_request_duration_seconds_count{service=\"web\"}",
        "plimsoll_service_request_duration_seconds_bucket{service=\"web\",le=\"0.3\"}",
        "plimsoll_notifications_failed_total{receiver=\"people\"}",
        "plimsoll_notification_forward_failed_total",
        "plimsoll_notification_forward_dropped_alerts_total",
        "plimsoll_rule_evaluation_failures_total{rule_group=\"built-in;host\"}",
        "plimsoll_rejected_requests_total{reason=\"unreachable\"}",
        "plimsoll_access_log_dropped_total{reason=\"write_failed\"}",
        "plimsoll_instance_restarts_total",
        "plimsoll_service_needs_total{to=\"backup\"}",
        "plimsoll_store_refused_samples_total{reason=\"memory_full\"}",
    ] {
        plimsoll.wait(series, || plimsoll.value(series) == Some(0.0));
    }
}

/// Killed while alarms fire, it tells nothing twice after the next start, and loses no end.
#[test]
fn alarms_outlive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "groups:\n- name: own\n  interval: 1s\n  rules:\n  - alert: Lasts\n    \
                 expr: vector(1)\n  - alert: Ends\n    \
                 expr: max by (service) (plimsoll_service_servers{state=\"healthy\"}) < 2\n";
    std::fs::write(directory.path().join("own.yml"), rules).unwrap();
    let (upstream, messages) = receiver();
    let config = |instances: usize| {
        let observe = format!(
            "[observe]\ndirectory = \"data\"\nscrape = {{ every = \"1s\", timeout = \"1s\" }}\n\
             rules = {{ files = [\"own.yml\"], built_in = false }}\n\
             [observe.notify]\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n\
             [observe.notify.receiver.people]\nwebhook = \"http://{}/\"\n",
            upstream.address
        );
        harness::clinic(instances, &observe)
    };
    let told = |name: &str, status: &str| {
        let messages = messages.lock().unwrap();
        let of = |message: &&Value| {
            message["status"] == status && message["groupLabels"]["alertname"] == name
        };
        messages.iter().filter(of).count()
    };
    let mut plimsoll = Plimsoll::up_in(directory, &config(1), &[]);
    plimsoll.wait("both", || told("Lasts", "firing") == 1 && told("Ends", "firing") == 1);
    let kept = plimsoll.directory.path().join("data/notify.json");
    plimsoll.wait("what was told is kept", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.matches("\"receiver\"").count() == 2)
    });
    plimsoll.signal(nix::sys::signal::Signal::SIGKILL);
    plimsoll.wait_exit();
    let directory = std::mem::replace(&mut plimsoll.directory, tempfile::tempdir().unwrap());
    drop(plimsoll);
    let again = Plimsoll::up_in(directory, &config(1), &[]);
    again.wait_healthy("web", 1);
    again.wait("some evaluations", || {
        let page = http::get(again.admin, "/metrics").text();
        let line = page.lines().find(|line| {
            line.starts_with("plimsoll_rule_evaluations_total") && line.contains(";own\"}")
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()) >= Some(10.0)
    });
    // With two instances, one of the alarms is over.
    again.write_config(&config(2));
    let (code, _, errors) = again.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    again.wait("the end", || told("Ends", "resolved") == 1);
    let counts = ["Lasts", "Ends"].map(|name| told(name, "firing"));
    assert_eq!((counts, told("Lasts", "resolved")), ([1, 1], 0));
}

#[test]
fn a_bad_rule_file_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("own.yml");
    let rules = |expression: &str| {
        format!("groups:\n- name: own\n  rules:\n  - record: own:one\n    expr: {expression}\n")
    };
    let observe = "[observe]\nrules = { files = [\"*.yml\"], every = \"1s\" }\n";
    std::fs::write(&file, rules("vector(1)")).unwrap();
    let plimsoll = Plimsoll::up_in(directory, &harness::clinic(1, observe), &[]);
    plimsoll.wait("what is recorded", || plimsoll.value("own:one") == Some(1.0));
    let loaded = || {
        let info = plimsoll.api("/prometheus/api/v1/status/runtimeinfo");
        (info["data"]["reloadConfigSuccess"].clone(), info["data"]["lastConfigTime"].clone())
    };
    let at_first = loaded();
    assert_eq!(at_first.0, true);
    std::fs::write(&file, rules("vector(")).unwrap();
    let (code, _, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("own.yml:5"), "{errors}");
    for words in [["check", "-c", "plimsoll.toml"], ["rules", "check", "own.yml"]] {
        let mut command = std::process::Command::new(harness::binary());
        command.args(words).current_dir(plimsoll.directory.path());
        let (code, _, errors) = harness::output(command);
        assert_eq!(code, 2, "{words:?}");
        assert!(errors.contains("own.yml:5"), "{words:?}: {errors}");
    }
    assert_eq!(loaded(), (Value::Bool(false), at_first.1.clone()));
    let rules_now = plimsoll.api("/prometheus/api/v1/rules?type=record");
    assert!(rules_now.to_string().contains("vector(1)"), "{rules_now}");
    std::fs::write(&file, rules("vector(2)")).unwrap();
    let (code, out, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    // Nothing but the rule file is another one.
    assert!(out.contains("own.yml changed"), "{out}");
    plimsoll.wait("the new rule", || plimsoll.value("own:one") == Some(2.0));
    let now = loaded();
    assert!(now.0 == true && now.1 != at_first.1, "{now:?}");
}

#[test]
fn a_bad_rule_file_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("own.yml"), "groups:\n- name: own\n  rule: []\n").unwrap();
    let observe = "[observe]\nrules = { files = [\"own.yml\"] }\n";
    let text = format!("listen = \"127.0.0.1:0\"\nadmin = false\n{}", harness::clinic(1, observe));
    std::fs::write(directory.path().join("plimsoll.toml"), text).unwrap();
    let mut command = std::process::Command::new(harness::binary());
    command.args(["up", "-c", "plimsoll.toml"]).current_dir(directory.path());
    let (code, _, errors) = harness::output(command);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("own.yml:3:3") && errors.contains("rules"), "{errors}");
}

/// Without a config file, too, and until the stop.
#[test]
fn a_run_is_measured_and_leaves_nothing_behind() {
    let (directory, folders) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = std::process::Command::new(harness::binary());
    command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--"]);
    command.arg(harness::binary()).arg("clinic").env("TMPDIR", folders.path());
    let mut plimsoll = Plimsoll::start(directory, command);
    plimsoll.wait("own figures", || plimsoll.value("plimsoll_start_time_seconds").is_some());
    let left = || std::fs::read_dir(folders.path()).unwrap().count();
    assert_eq!(left(), 1);
    assert!(plimsoll.stop().success());
    assert_eq!(left(), 0);
}

#[test]
fn queries_are_held_against_answers_that_are_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let text = |answer: u32| {
        format!("load 1m\n  up{{job=\"web\"}} 1 1\n\neval instant at 1m sum(up)\n  {{}} {answer}\n")
    };
    for (name, answer) in [("good.test", 1), ("bad.test", 2)] {
        std::fs::write(directory.path().join(name), text(answer)).unwrap();
    }
    std::fs::write(directory.path().join("odd.test"), "laod 1m\n").unwrap();
    for (files, code, totals) in [
        (&["good.test"][..], 0, "1 passed, 0 failed"),
        (&["good.test", "bad.test"], 1, "1 passed, 1 failed"),
        (&["bad.test", "odd.test"], 2, "0 passed, 1 failed, 1 line not understood"),
    ] {
        let mut command = std::process::Command::new(harness::binary());
        command.args(["promql", "test"]).args(files).current_dir(directory.path());
        let (found, out, errors) = harness::output(command);
        assert_eq!(found, code, "{out}{errors}");
        assert!(out.contains(totals), "{out}{errors}");
    }
}

#[test]
fn bad_targets_cost_themselves_only() {
    let page = |text: &str| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
        format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
    };
    let good = Upstream::answering(move |_| page("good 1\n"));
    let garbage = Upstream::answering(move |_| page("this is { no metric\n"));
    let silent = Upstream::start(|stream| {
        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
    });
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let job = |name: &str, address| {
        format!(
            "[[observe.job]]\nname = \"{name}\"\ntargets = [\"http://{address}/metrics\"]\n\
             every = \"1s\"\ntimeout = \"500ms\"\n"
        )
    };
    let jobs = [
        job("good", good.address),
        job("garbage", garbage.address),
        job("silent", silent.address),
        job("gone", gone),
    ];
    let web = Upstream::text("hello");
    let plimsoll = Plimsoll::up(&service(&[&web], &format!("[observe]\n{}", jobs.concat())));
    plimsoll.wait("a verdict on each", || {
        plimsoll.value("count(up{job=~\"good|garbage|silent|gone\"})") == Some(4.0)
            && plimsoll.value("sum(up{job=~\"garbage|silent|gone\"})") == Some(0.0)
            && plimsoll.value("good{job=\"good\"}") == Some(1.0)
    });
    let targets = plimsoll.api("/prometheus/api/v1/targets").to_string();
    for words in ["line 1", "no answer in", "connection refused"] {
        assert!(targets.contains(words), "{words}: {targets}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_or_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let web = Upstream::text("hello");
    let config = service(&[&web], "[observe]\ndirectory = \"file/data\"\n");
    let text = format!("listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{config}");
    std::fs::write(directory.path().join("plimsoll.toml"), text).unwrap();
    let mut command = std::process::Command::new(harness::binary());
    command.args(["up", "-c", "plimsoll.toml"]).current_dir(directory.path());
    let (code, _, errors) = harness::output(command);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("plimsoll.toml:") && errors.contains("file/data"), "{errors}");
}
