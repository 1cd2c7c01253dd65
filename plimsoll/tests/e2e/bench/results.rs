//! What is made of results: joined parts, comparisons, reports, and the job that spreads a run.

use std::path::Path;

use serde_json::Value;

use super::{bench_in, tool};
use crate::harness::output;
use crate::upstream::Upstream;

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_parts_of_a_spread_run_join_to_the_whole() {
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/", upstream.address);
    let parts = [("0/2", "0.json"), ("1/2", "1.json")].map(|(part, file)| {
        let mut command = std::process::Command::new(crate::harness::binary());
        command.args(["bench", &url, "--rate", "101", "--for", "2s", "--part", part]);
        command.args(["--json", file, "--threshold", "rate<80"]).current_dir(directory.path());
        std::thread::spawn(move || output(command))
    });
    for part in parts {
        let (code, out, err) = part.join().unwrap();
        assert_eq!(code, 0, "{out}{err}");
    }
    let words = ["merge", "0.json", "1.json", "--json", "whole.json", "--report", "whole.html"];
    let (code, out, err) = tool(directory.path(), &words);
    // Each part kept below what the whole does not.
    assert_eq!(code, 99, "{out}{err}");
    assert!(!out.contains("parts of the load"), "{out}");
    let parts = [read(&directory.path().join("0.json")), read(&directory.path().join("1.json"))];
    let whole = read(&directory.path().join("whole.json"));
    assert_eq!(whole["requests"], 202);
    let max = |value: &Value| value["latency"]["max"].as_f64().unwrap();
    assert_eq!(max(&whole), max(&parts[0]).max(max(&parts[1])));
    let (code, _, err) = tool(directory.path(), &["merge", "0.json", "0.json"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("0.json"), "{err}");
}

#[test]
fn results_too_short_to_compare_do_not_pass_for_equal() {
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/", upstream.address);
    bench_in(directory.path(), &[&url, "--rate", "200", "--for", "2s"]);
    let words = ["compare", "result.json", "result.json"];
    let (code, out, err) = tool(directory.path(), &words);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("Too short to compare"), "{out}{err}");
    let (code, ..) = tool(directory.path(), &[&words[..], &["--fail-if-worse"]].concat());
    assert_eq!(code, 1);
    let (_, json, _) = tool(directory.path(), &[&words[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verdict"], "too_short");
}

#[test]
fn reports_and_plots_need_nothing_else() {
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/", upstream.address);
    let words = [
        &*url,
        "--requests",
        "100",
        "--connections",
        "2",
        "--name",
        "</script><b>",
        "--report",
        "report.html",
        "--plots",
        "plots",
        "--junit",
        "junit.xml",
        "--threshold",
        "errors<1%",
    ];
    let said = bench_in(directory.path(), &words);
    assert_eq!(said.code, 0, "{}", said.text());
    let html = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(html.starts_with("<!doctype html>"), "{}", &html[..200]);
    assert!(!html.contains("</script><b>"), "a name became markup");
    for outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!html.contains(outside), "the report loads something by {outside}");
    }
    let plots = std::fs::read_dir(directory.path().join("plots")).unwrap();
    assert!(plots.count() >= 4);
    let junit = std::fs::read_to_string(directory.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<testcase") && junit.contains("errors&lt;1%"), "{junit}");

    std::fs::remove_file(directory.path().join("report.html")).unwrap();
    let (code, out, err) =
        tool(directory.path(), &["show", "result.json", "--report", "report.html"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(directory.path().join("report.html").exists());
}

/// Runs what the pods of the Kubernetes job run, two of them, with the plan of its own ConfigMap.
#[test]
fn the_indexed_job_asks_for_what_the_program_understands() {
    let job = include_str!("../../../../deploy/k8s/bench-job.yaml");
    let upstream = Upstream::text("hello");
    let directory = tempfile::tempdir().unwrap();
    let (_, plan) = job.split_once("plan.toml: |\n").unwrap();
    let plan: String = plan
        .lines()
        .take_while(|line| *line != "---")
        .fold(String::new(), |text, line| text + line.trim_start() + "\n");
    let plan = plan
        .replace("http://web", &format!("http://{}", upstream.address))
        .replace("rate = 10000", "rate = 100")
        .replace("2m", "1s");
    std::fs::write(directory.path().join("plan.toml"), plan).unwrap();
    let args: Vec<&str> = job
        .lines()
        .skip_while(|line| line.trim() != "args:")
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .collect();
    assert_eq!(args.len(), 5, "{args:?}");
    let start = utc_in(2);
    let mut results = Vec::new();
    for part in 0..2 {
        let fill = |arg: &&str| {
            arg.replace("/plan/plan.toml", "plan.toml")
                .replace("$(PART)", &part.to_string())
                .replace("$(PARTS)", "2")
                .replace("$(START_AT)", &start)
        };
        let mut command = std::process::Command::new(crate::harness::binary());
        command.arg("bench").args(args.iter().map(fill)).current_dir(directory.path());
        results.push(std::thread::spawn(move || output(command)));
    }
    let mut total = 0;
    for run in results {
        let (code, out, err) = run.join().unwrap();
        assert_eq!((code, &*err), (0, ""), "{out}");
        let result: Value = serde_json::from_str(&out).unwrap();
        assert!(result["run"]["started_at"].as_str().unwrap() >= &start[..19], "{result:#}");
        total += result["requests"].as_u64().unwrap();
    }
    assert_eq!(total, 100);
}

/// The time in so many seconds as RFC 3339 has it, from date(1).
fn utc_in(seconds: u32) -> String {
    let mut command = std::process::Command::new("date");
    command.args(["-u", "-d", &format!("+{seconds} seconds"), "+%Y-%m-%dT%H:%M:%SZ"]);
    output(command).1.trim().to_owned()
}
