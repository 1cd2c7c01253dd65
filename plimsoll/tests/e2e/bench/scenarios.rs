//! Plans of several steps, in TOML and as JMeter saves them, against the clinic.

use serde_json::Value;

use super::bench_in;
use crate::harness::{Plimsoll, binary};
use crate::upstream::{Upstream, ok};

fn clinic(directory: tempfile::TempDir) -> Plimsoll {
    let command = format!("{} clinic", binary().display());
    let words = ["-n", "2", "--health", "/health/", "--", &command];
    let plimsoll = Plimsoll::run(directory, &words);
    plimsoll.wait_healthy("web", 2);
    plimsoll
}

#[test]
fn a_value_of_one_answer_is_used_in_the_next_request() {
    let plimsoll = clinic(tempfile::tempdir().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let rows = "unit,lower\nmmHg,60\n1/min,50\n";
    std::fs::write(directory.path().join("units.csv"), rows).unwrap();
    let plan = format!(
        r#"
name = "Clinic"
url = "http://{}"
connections = 2
requests = 30

[data.units]
file = "units.csv"

[[scenario]]
name = "record"

[[scenario.step]]
name = "create"
method = "POST"
path = "/variables/"
json = '{{"name": "{{{{uuid()}}}}", "unit": "{{{{unit}}}}", "lower": {{{{lower}}}}}}'
extract = {{ id = {{ json = "$.id" }} }}
check = {{ status = 201 }}

[[scenario.step]]
name = "read"
path = "/variables/{{{{id}}}}/"
check = {{ status = 200, contains = "{{{{unit}}}}" }}
"#,
        plimsoll.traffic
    );
    std::fs::write(directory.path().join("plan.toml"), plan).unwrap();
    let said = bench_in(directory.path(), &["-c", "plan.toml"]);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
    let labels: Vec<(&str, u64)> = said.result["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| (label["name"].as_str().unwrap(), label["requests"].as_u64().unwrap()))
        .collect();
    assert_eq!(labels, [("create", 15), ("read", 15)]);
    assert_eq!(plimsoll.get("/variables/?page_size=1").json()["count"], 15);
}

#[test]
fn cookies_and_weights() {
    let upstream = Upstream::answering(|request| {
        if request.path() == "/login" {
            return b"HTTP/1.1 200 OK\r\nSet-Cookie: session=s3cret; Path=/\r\nContent-Length: 0\r\n\r\n"
                .to_vec();
        }
        match request.header("cookie") {
            Some("session=s3cret") => ok("welcome"),
            _ => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let plan = format!(
        "url = \"http://{}\"\nconnections = 1\nrequests = 20\n\
         [[scenario]]\nname = \"visit\"\n\
         [[scenario.step]]\npath = \"/login\"\n\
         [[scenario.step]]\npath = \"/home\"\n",
        upstream.address
    );
    std::fs::write(directory.path().join("plan.toml"), plan).unwrap();
    let said = bench_in(directory.path(), &["-c", "plan.toml"]);
    assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
    assert_eq!(upstream.seen().iter().filter(|request| request.path() == "/home").count(), 10);
}

#[test]
fn a_list_is_gone_through_and_a_job_awaited() {
    let upstream = Upstream::answering(|request| match request.path() {
        "/list" => ok(r#"{"ids": [7, 8, 9], "state": "new"}"#),
        "/job" => ok(r#"{"state": "done"}"#),
        _ => ok("{}"),
    });
    let directory = tempfile::tempdir().unwrap();
    let plan = format!(
        r#"url = "http://{}"
connections = 1
requests = 1
[[scenario]]
[[scenario.step]]
path = "/list"
extract = {{ id = {{ json = "$.ids[*]", all = true }}, state = "$.state" }}
[[scenario.step]]
each = "id"
[[scenario.step.step]]
path = "/item/{{{{id}}}}/of/{{{{id_count}}}}"
[[scenario.step.step]]
when = "{{{{id}}}} > 8"
path = "/last/{{{{id}}}}"
[[scenario.step]]
path = "/job"
repeat = 5
when = "{{{{state}}}} != 'done'"
extract = {{ state = "$.state" }}
[[scenario.step]]
when = "failed"
path = "/never"
"#,
        upstream.address
    );
    std::fs::write(directory.path().join("plan.toml"), plan).unwrap();
    let said = bench_in(directory.path(), &["-c", "plan.toml"]);
    assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
    let seen = upstream.seen();
    let paths: Vec<&str> = seen.iter().map(|request| request.path()).collect();
    let expected = ["/list", "/item/7/of/3", "/item/8/of/3", "/item/9/of/3", "/last/9", "/job"];
    assert_eq!(paths, expected);
}

/// A JMeter plan: two users, three loops of a transaction with two samplers, data from a file, an
/// extractor, an assertion, a condition.
#[test]
fn a_jmeter_plan_runs_as_it_is() {
    let upstream = Upstream::answering(|request| {
        ok(&format!("{{\"token\": \"t-{}\"}}", request.path().len()))
    });
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("users.csv"), "ann\nbob\n").unwrap();
    let plan = include_str!("plan.jmx")
        .replace("@HOST@", &upstream.address.ip().to_string())
        .replace("@PORT@", &upstream.address.port().to_string());
    std::fs::write(directory.path().join("plan.jmx"), plan).unwrap();
    let said = bench_in(directory.path(), &["plan.jmx", "--set", "greeting=hello"]);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
    assert_eq!(said.number("/requests"), 12.0);
    let transactions = &said.result["transactions"];
    assert_eq!(transactions[0]["name"], Value::from("Visit"), "{transactions:#}");
    assert_eq!(transactions[0]["requests"], 6, "{transactions:#}");
    let seen = upstream.seen();
    let logins = seen.iter().filter(|request| request.path().starts_with("/login"));
    let mut names: Vec<&str> = logins.map(|request| request.path()).collect();
    names.sort_unstable();
    assert_eq!(names[..3], ["/login?user=ann&greeting=hello"; 3], "{names:?}");
    assert_eq!(names[3..], ["/login?user=bob&greeting=hello"; 3], "{names:?}");
    let homes: Vec<_> = seen.iter().filter(|request| request.path() == "/home").collect();
    assert_eq!(homes.len(), 6);
    assert!(homes.iter().all(|home| home.header("x-token") == Some("t-30")), "{homes:?}");
}
