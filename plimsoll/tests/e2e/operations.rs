//! What an operator types: exact words for mistakes, tables and JSON for answers.

use std::process::Command;

use crate::harness::{self, Plimsoll, binary, output};
use crate::http;
use crate::upstream::{Upstream, service};

fn plimsoll(directory: &std::path::Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(binary());
    command.args(words).current_dir(directory).env("NO_COLOR", "1");
    output(command)
}

#[test]
fn check_says_what_is_good_and_what_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plimsoll.toml");
    std::fs::write(&file, "[service.web]\nservers = [\"127.0.0.1:1\"]\n").unwrap();
    let (code, out, errors) = plimsoll(directory.path(), &["check", "-c", "plimsoll.toml"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("plimsoll.toml is good"), "{out}");
    // Nothing listens there: worth a warning, not a refusal.
    assert!(format!("{out}{errors}").contains("127.0.0.1:1"), "{out}{errors}");

    std::fs::write(&file, "[service.web]\nservers = [\"127.0.0.1:1\"]\nbalanse = \"x\"\n").unwrap();
    let (code, _, errors) = plimsoll(directory.path(), &["check", "-c", "plimsoll.toml"]);
    assert_eq!(code, 2);
    for word in ["plimsoll.toml:3", "balanse", "did you mean", "balance"] {
        assert!(errors.contains(word), "{word}: {errors}");
    }
}

#[test]
fn mistakes_on_the_command_line_start_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["--admin", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    for (words, code, expected) in [
        (vec!["run", "-n", "0", "--", "true"], 2, "write a whole number from 1 to 1000"),
        (vec!["run"], 2, "COMMAND"),
        (vec!["up", "-c", "missing.toml"], 2, "missing.toml"),
        (
            [vec!["run"], free.to_vec(), vec!["--", "no-such-program-here"]].concat(),
            2,
            "no-such-program-here",
        ),
        (vec!["run", "--admin", "127.0.0.1:0", "--listen", &taken, "--", "true"], 2, &taken),
        (vec!["run", "--listen", "127.0.0.1:0", "--admin", &taken, "--", "true"], 2, &taken),
        (
            vec!["run", "--listen", "nonsense", "--admin", "127.0.0.1:0", "--", "true"],
            2,
            "nonsense",
        ),
        (vec!["status", "--admin", "127.0.0.1:1"], 1, "127.0.0.1:1"),
        (vec!["statsu"], 2, "status"),
    ] {
        let (got, _, errors) = plimsoll(directory.path(), &words);
        assert_eq!(got, code, "{words:?}: {errors}");
        assert!(errors.contains(expected), "{words:?}: {errors}");
        assert!(!errors.contains("panicked"), "{words:?}: {errors}");
    }
}

#[test]
fn status_is_a_table_and_json() {
    let plimsoll = Plimsoll::up(&harness::clinic(2, ""));
    plimsoll.wait_healthy("web", 2);
    for _ in 0..10 {
        assert_eq!(plimsoll.get("/").status, 200);
    }
    let (code, table, errors) = plimsoll.command(&["status"]);
    assert_eq!(code, 0, "{errors}");
    for word in ["web", "web-1", "web-2", "healthy"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    // Rates are taken once a second, and an instance's memory every two.
    plimsoll.wait("figures in the JSON", || {
        let (_, json, _) = plimsoll.command(&["status", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let service = &json["services"][0];
        service["requests_total"] == 10
            && service["latency_p99_seconds"].as_f64().is_some_and(|latency| latency > 0.0)
            && service["servers"][0]["instance"]["memory_bytes"]
                .as_u64()
                .is_some_and(|used| used > 0)
    });
}

#[test]
fn a_drained_server_gets_nothing_until_it_is_given_back() {
    let plimsoll = Plimsoll::up(&harness::clinic(2, ""));
    plimsoll.wait_healthy("web", 2);
    let (code, told, errors) = plimsoll.command(&["drain", "web-2"]);
    assert_eq!((code, told.contains("gets nothing new")), (0, true), "{told}{errors}");
    let (code, told, _) = plimsoll.command(&["drain", "web-2"]);
    assert_eq!(
        (code, told.as_str()),
        (0, "web/web-2 is already draining (0 requests in flight).\n")
    );
    for _ in 0..10 {
        assert_eq!(plimsoll.get("/").json()["instance"], "web-1");
    }
    assert!(plimsoll.states("web").contains(&("web-2".to_owned(), "draining".to_owned())));
    let (_, told, _) = plimsoll.command(&["drain", "web-2", "--undo"]);
    assert_eq!(told, "web/web-2 is given back to traffic.\n");
    let (_, told, _) = plimsoll.command(&["drain", "web-2", "--undo"]);
    assert_eq!(told, "web/web-2 was not draining; it is healthy.\n");
    plimsoll.wait_healthy("web", 2);
    let (code, _, errors) = plimsoll.command(&["drain", "web-9"]);
    assert_eq!(code, 1);
    assert!(errors.contains("web-9"), "{errors}");
}

#[test]
fn metrics_follow_the_scheme() {
    let server = Upstream::text("x");
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for _ in 0..3 {
        plimsoll.get("/");
    }
    // A request is counted once its answer is out, so the last one may come a moment later.
    for (name, labels) in [
        ("plimsoll_service_requests_total", &["service=\"web\"", "code=\"200\""][..]),
        ("plimsoll_service_request_duration_seconds_count", &["service=\"web\""]),
        ("plimsoll_server_requests_total", &["service=\"web\"", "code=\"200\""]),
        ("plimsoll_entrypoint_requests_total", &["method=\"GET\"", "code=\"200\""]),
    ] {
        plimsoll.wait(name, || plimsoll.metric(name, labels) == 3.0);
    }
    assert_eq!(plimsoll.metric("plimsoll_server_up", &["service=\"web\""]), 1.0);
    let text = http::get(plimsoll.admin, "/metrics").text();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        assert!(seen.insert(series.to_owned()), "{series} stands twice");
    }
}

#[test]
fn the_status_page_is_there_and_refuses_strangers() {
    let plimsoll = Plimsoll::up(&harness::clinic(1, ""));
    plimsoll.wait_healthy("web", 1);
    let page = http::get(plimsoll.admin, "/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("web-1"), "{}", page.text());
    // A page of another site, resolved to this address, is not let in.
    let host = [("Host", "evil.example")];
    assert_eq!(http::request(plimsoll.admin, "GET", "/api/status", &host, b"").status, 403);
    let cross = [("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(http::request(plimsoll.admin, "POST", "/api/reload", &cross, b"").status, 403);
}

#[test]
fn the_access_log_holds_a_line_a_request() {
    let server = Upstream::text("hello");
    let plimsoll = Plimsoll::up(&format!(
        "workers = 1\naccess_log = {{ to = \"access.log\", format = \"json\" }}\n{}\
         [[route]]\nservice = \"web\"\n[[route]]\npath = \"/quiet\"\nservice = \"web\"\naccess_log = false\n",
        service(&[&server], "")
    ));
    plimsoll.get("/loud?x=1");
    plimsoll.get("/quiet");
    plimsoll.get("/last");
    let read = || std::fs::read_to_string(plimsoll.directory.path().join("access.log"));
    harness::eventually("the last line", || read().is_ok_and(|text| text.contains("/last")));
    let text = read().unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["status"], 200);
    assert!(text.contains("/loud?x=1") && !text.contains("/quiet"), "{text}");
}

#[test]
fn an_access_log_that_cannot_be_written_is_said_and_counted_and_stops_nothing() {
    let server = Upstream::text("hello");
    let plimsoll = Plimsoll::up(&format!(
        "workers = 1\naccess_log = \"/dev/full\"\n{}",
        service(&[&server], "")
    ));
    for _ in 0..3 {
        assert_eq!(plimsoll.get("/").text(), "hello");
    }
    plimsoll.wait("three lines lost", || plimsoll.status()["access_log_lost_total"] == 3);
    let name = "plimsoll_access_log_dropped_total";
    assert_eq!(plimsoll.metric(name, &["reason=\"write_failed\""]), 3.0);
    assert_eq!(plimsoll.metric(name, &["reason=\"queue_full\""]), 0.0);
    let line = plimsoll.wait_log("cannot write to /dev/full: No space left on device");
    assert!(line.contains("ERROR access log: "), "{line}");
    // The right file from a reload on.
    plimsoll.write_config(&format!(
        "workers = 1\naccess_log = \"access.log\"\n{}",
        service(&[&server], "")
    ));
    assert_eq!(plimsoll.command(&["reload"]).0, 0);
    plimsoll.get("/found");
    let read = || std::fs::read_to_string(plimsoll.directory.path().join("access.log"));
    harness::eventually("the line", || read().is_ok_and(|text| text.contains("/found")));
}
