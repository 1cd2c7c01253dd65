//! Runs of both models: how much is asked, what is counted, how a run ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{bench, bench_in};
use crate::harness::{Plimsoll, binary, send_signal};
use crate::upstream::{Upstream, ok};

fn url(upstream: &Upstream) -> String {
    format!("http://{}/", upstream.address)
}

#[test]
fn a_closed_run_sends_as_many_requests_as_it_says() {
    let upstream = Upstream::text("hello");
    let said =
        bench(&[&url(&upstream), "--connections", "4", "--threads", "2", "--requests", "500"]);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/requests"), 500.0);
    assert_eq!(said.number("/errors"), 0.0);
    assert_eq!(said.result["statuses"], json!({"200": 500}));
    assert!(said.number("/requests_per_second") > 0.0);
    let latency = |name: &str| said.number(&format!("/latency/{name}"));
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99"), "{}", said.text());
    assert!(latency("p99") <= latency("max"));
    assert!(latency("mean") <= latency("max"));
    assert_eq!(upstream.seen().len(), 500);
    assert_eq!(said.number("/connections/opened"), 4.0);
    // One more asked before the run whether anybody is there.
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 5);
    assert!(said.out.contains("closed:"), "{}", said.text());
}

#[test]
fn an_open_run_sends_at_its_rate_over_all_threads() {
    let upstream = Upstream::text("hello");
    let words = ["--rate", "200", "--for", "2s", "--threads", "3"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/requests"), 400.0);
    assert_eq!(upstream.seen().len(), 400);
    assert!(said.out.contains("open:"), "{}", said.text());
}

#[test]
fn a_ramp_sends_what_lies_below_it() {
    let upstream = Upstream::text("hello");
    let said = bench(&[&url(&upstream), "--stages", "0..200/1s,200/1s,200..0/1s"]);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/requests"), 400.0);
}

#[test]
fn time_lost_to_a_stall_is_counted_from_when_requests_were_due() {
    // The first request holds all up: a server with one thread that is busy.
    let gate = Arc::new(Mutex::new(()));
    let first = AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| {
        let _held = gate.lock().unwrap();
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::park_timeout(std::time::Duration::from_millis(600));
        }
        ok("late")
    });
    let words = ["--rate", "100", "--for", "1s", "--connections", "1", "--threads", "1"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.number("/requests"), 100.0, "{}", said.text());
    // With one connection only the first is slow to serve, but half of all were late.
    assert!(said.number("/latency/p50") > 0.05, "{}", said.text());
    assert!(said.number("/service_time/p50") < said.number("/latency/p50"), "{}", said.text());
    assert!(said.out.contains("had to wait"), "{}", said.text());
}

#[test]
fn tells_which_instance_served_what() {
    let directory = tempfile::tempdir().unwrap();
    let command = format!("{} clinic", binary().display());
    let plimsoll = Plimsoll::run(directory, &["-n", "3", "--health", "/health/", "--", &command]);
    plimsoll.wait_healthy("web", 3);
    let said = bench(&[
        &format!("http://{}/", plimsoll.traffic),
        "--requests",
        "300",
        "--connections",
        "6",
    ]);
    assert_eq!(said.code, 0, "{}", said.text());
    let instances = said.result["instances"].as_object().unwrap();
    assert_eq!(instances.len(), 3, "{}", said.text());
    let total: u64 = instances.values().map(|one| one["requests"].as_u64().unwrap()).sum();
    assert_eq!(total, 300);
    for (name, one) in instances {
        assert!(name.starts_with("web-"), "{name}");
        assert!(one["requests"].as_u64().unwrap() > 50, "{name}: {one}");
        assert!(one["latency"]["p99"].as_f64().unwrap() > 0.0, "{name}: {one}");
    }
    assert!(said.out.contains("web-2"), "{}", said.text());
}

#[test]
fn the_instance_may_be_named_by_a_field_of_the_body() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| {
        let name = if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(4) { "a" } else { "b" };
        ok(&json!({"host": {"name": name}}).to_string())
    });
    let words = ["--requests", "100", "--connections", "1", "--served-by", "json:$.host.name"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.result["instances"]["a"]["requests"], 25, "{}", said.text());
    assert_eq!(said.result["instances"]["b"]["requests"], 75, "{}", said.text());
}

#[test]
fn a_run_where_everything_fails_says_so_first() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let said = bench(&[&url(&upstream), "--requests", "50", "--connections", "2"]);
    assert_eq!(said.code, 1, "{}", said.text());
    let first = said.out.lines().find(|line| !line.trim().is_empty()).unwrap();
    assert!(first.contains("Nothing succeeded") || first.contains("failed"), "{}", said.text());
    assert_eq!(said.result["failures"]["status"], 50);
}

#[test]
fn a_missed_threshold_gives_99() {
    let upstream = Upstream::text("hello");
    let words = ["--requests", "50", "--connections", "1", "--threshold"];
    let missed = bench(&[&[&*url(&upstream)], &words[..], &["p99<1ms,rate>1000000"]].concat());
    assert_eq!(missed.code, 99, "{}", missed.text());
    assert!(missed.out.contains("rate>1000000"), "{}", missed.text());
    let held = bench(&[&[&*url(&upstream)], &words[..], &["errors<1%"]].concat());
    assert_eq!(held.code, 0, "{}", held.text());
}

/// Lets a test wait until the server has seen something.
#[derive(Default)]
struct Seen {
    count: Mutex<usize>,
    grown: Condvar,
}

#[test]
fn ctrl_c_ends_with_the_results_so_far() {
    let seen = Arc::new(Seen::default());
    let told = Arc::clone(&seen);
    let upstream = Upstream::answering(move |_| {
        *told.count.lock().unwrap() += 1;
        told.grown.notify_all();
        ok("hello")
    });
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(binary());
    child.args(["bench", &url(&upstream), "--rate", "100", "--for", "10m"]);
    child.args(["--json", "result.json", "--report", "report.html"]);
    child.current_dir(directory.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = child.spawn().unwrap();
    let count = seen.count.lock().unwrap();
    drop(seen.grown.wait_while(count, |count| *count < 20).unwrap());
    send_signal(child.id(), Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let result = std::fs::read_to_string(directory.path().join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert!(result["requests"].as_u64().unwrap() >= 20, "{result:#}");
    assert_eq!(result["run"]["ended"], "interrupted");
    assert!(directory.path().join("report.html").exists());
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("interrupted") || out.contains("Interrupted"), "{out}");
}

#[test]
fn a_recorded_log_is_played_back() {
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let line = |second: u32, path: &str| {
        format!(
            "127.0.0.1 - - [21/Nov/2026:10:00:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 5 \
             \"-\" \"test\"\n"
        )
    };
    let log = [line(0, "/a"), line(0, "/b"), line(1, "/c"), line(2, "/a")].concat();
    std::fs::write(directory.path().join("access.log"), log).unwrap();
    let words = ["--replay", "access.log", "--speed", "10", "--threads", "1"];
    let said = bench_in(directory.path(), &[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/requests"), 4.0);
    let mut paths: Vec<String> =
        upstream.seen().iter().map(|request| request.path().to_owned()).collect();
    paths.sort();
    assert_eq!(paths, ["/a", "/a", "/b", "/c"]);
}

#[test]
fn think_time_keeps_users_from_asking() {
    let upstream = Upstream::text("hello");
    let words = ["--connections", "5", "--think", "10s", "--for", "1s", "--threads", "2"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.number("/requests"), 5.0, "{}", said.text());
}

#[test]
fn the_highest_rate_that_holds_is_found() {
    // One request at a time, 10 ms each: no more than 100 a second, which probes of a second can
    // exceed by a little before the queue shows.
    let gate = Mutex::new(());
    let upstream = Upstream::answering(move |_| {
        let _held = gate.lock().unwrap();
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        ok("slow")
    });
    let words = ["--find-limit", "--slo", "p80=200ms,errors=20%", "--for", "1s", "--threads", "1"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.code, 0, "{}", said.text());
    assert!(said.out.starts_with("The limit is"), "{}", said.text());
    let rate = said.number("/rate");
    assert!(rate > 40.0 && rate < 130.0, "{rate}: {}", said.text());
}

#[test]
fn a_search_that_finds_no_rate_has_failed() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let words = ["--find-limit", "--slo", "p99=1s,errors=1%", "--for", "100ms", "--threads", "1"];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.code, 1, "{}", said.text());
    assert!(said.result["rate"].is_null(), "{}", said.text());
}

#[test]
fn a_result_that_cannot_be_kept_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("results");
    std::fs::create_dir(&place).unwrap();
    let gone = place.clone();
    let upstream = Upstream::answering(move |_| {
        // Only the first finds it there.
        let _ = std::fs::remove_dir(&gone);
        ok("hello")
    });
    let report = place.join("report.html");
    let words = ["--requests", "5", "--report", report.to_str().unwrap()];
    let said = bench(&[&[&*url(&upstream)], &words[..]].concat());
    assert_eq!(said.code, 2, "{}", said.text());
    assert!(
        said.err.contains("cannot write") && said.err.contains("report.html"),
        "{}",
        said.text()
    );
    // What could be kept was.
    assert_eq!(said.number("/requests"), 5.0);
}

/// A run in the background whose standard error is read line by line.
fn begun(words: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = Command::new(binary());
    command.arg("bench").args(words).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let err = BufReader::new(child.stderr.take().unwrap());
    (child, err)
}

/// Reads until a line holds this.
fn read_until(err: &mut BufReader<std::process::ChildStderr>, part: &str) {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert_ne!(err.read_line(&mut line).unwrap(), 0, "it ended without {part:?}");
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let (asked, first) = std::sync::mpsc::channel();
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new((asked, never));
    let upstream = Upstream::answering(move |_| {
        // Ends with the test, not before.
        let held = held.lock().unwrap();
        held.0.send(()).unwrap();
        let _ = held.1.recv();
        ok("late")
    });
    let words = ["--connections", "1", "--for", "10m", "--timeout", "10m", "--plain"];
    let (mut child, mut err) = begun(&[&[&*url(&upstream)], &words[..]].concat());
    first.recv().unwrap();
    // Two that come together are one to the system: more are sent until it has ended.
    while child.try_wait().unwrap().is_none() {
        send_signal(child.id(), Signal::SIGINT);
        std::thread::yield_now();
    }
    read_until(&mut err, "ended at once");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_run_that_is_ended_before_its_start_says_so() {
    let upstream = Upstream::text("hello");
    // A minute before is gone by until tomorrow.
    let mut date = Command::new("date");
    date.args(["-d", "-1 minute", "+%H:%M:%S"]);
    let (_, start, _) = crate::harness::output(date);
    let address = url(&upstream);
    let (mut child, mut err) = begun(&[&address, "--start-at", start.trim(), "--plain"]);
    read_until(&mut err, "waiting until");
    send_signal(child.id(), Signal::SIGINT);
    read_until(&mut err, "stopped before the first request");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(upstream.seen().len(), 0);
}

/// `zcat access.log.*.gz | plimsoll bench URL --replay -`
#[test]
fn a_recording_may_come_from_standard_input() {
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let rows = directory.path().join("rows.csv");
    std::fs::write(&rows, "time,path\n0.00,/a\n0.01,/b\nnever,/c\n0.02,/d\n").unwrap();
    let mut command = Command::new(binary());
    command.args(["bench", &format!("http://{}/", upstream.address), "--replay", "-"]);
    command.stdin(std::fs::File::open(&rows).unwrap());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(err.contains("1 line of standard input cannot be read"), "{err}");
    assert!(err.contains("line 4, `never,/c`"), "{err}");
    let seen = upstream.seen();
    let mut paths: Vec<&str> = seen.iter().map(|request| request.path()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/a", "/b", "/d"]);
}
