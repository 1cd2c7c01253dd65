//! What is asked wrongly is told before the first request, with what to do about it.

use std::net::TcpListener;

use super::{bench, bench_in, tool};
use crate::upstream::Upstream;

fn refused(words: &[&str], said: &[&str]) {
    let run = bench(words);
    assert_eq!(run.code, 2, "{words:?}\n{}", run.text());
    for part in said {
        assert!(run.err.contains(part), "no {part:?} for {words:?} in\n{}", run.text());
    }
    assert!(run.result.is_null(), "a refused run wrote a result: {words:?}");
}

#[test]
fn a_host_that_is_not_there() {
    refused(&["http://no-such-host.invalid/"], &["no-such-host.invalid", "address"]);
}

#[test]
fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(&[&format!("http://{free}/")], &[&free.to_string(), "refused"]);
}

#[test]
fn options_that_cannot_be() {
    let upstream = Upstream::text("hello");
    let url = format!("http://{}/", upstream.address);
    refused(&[&url, "--rate", "fast"], &["--rate", "fast"]);
    refused(&[&url, "--rate", "100", "--for", "10"], &["--for", "10s"]);
    refused(&[&url, "--connections", "0"], &["--connections"]);
    refused(&[&url, "--stages", "0..500"], &["--stages", "0..500/"]);
    refused(&[&url, "--threshold", "p99<fast"], &["--threshold", "p99<fast"]);
    refused(&["ftp://127.0.0.1/"], &["ftp"]);
    refused(&[&url, "-H", "no colon"], &["no colon"]);
    refused(&[&url, "--part", "2/2"], &["--part", "2/2"]);
    refused(&["no-such-plan.toml"], &["no-such-plan.toml"]);
    refused(&["plans/nosuch.yaml"], &["plans/nosuch.yaml does not exist"]);
    refused(&[&url, "--rate", "-5"], &["--rate", "negative"]);
    refused(&[&url, "--rate", "5", "--think", "1s"], &["--think", "--connections"]);
    refused(&[], &["URL"]);
    assert_eq!(upstream.seen().len(), 0, "something was sent");
}

#[test]
fn a_place_for_results_that_cannot_be_is_told_before_the_first_request() {
    let upstream = Upstream::text("hello");
    let url = format!("http://{}/", upstream.address);
    refused(&[&url, "--requests", "5", "--report", "none/r.html"], &["--report", "none/r.html"]);
    let words = [&*url, "--requests", "5", "--junit", "result.json"];
    refused(&words, &["--junit", "--json is written to result.json"]);
    let search = [&*url, "--find-limit", "--slo", "p99"];
    refused(&search, &["--slo"]);
    assert_eq!(upstream.seen().len(), 0, "something was sent");
}

#[test]
fn a_plan_with_mistakes_shows_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let plan = "url = \"http://127.0.0.1:1\"\nrat = 5\n[[request]]\npath = \"/{{nmae}}\"\n\
                [variables]\nname = \"x\"\n";
    std::fs::write(directory.path().join("plan.toml"), plan).unwrap();
    let run = bench_in(directory.path(), &["-c", "plan.toml"]);
    assert_eq!(run.code, 2, "{}", run.text());
    for part in ["plan.toml:2:1", "did you mean `rate`?", "plan.toml:4:", "nmae", "`name`"] {
        assert!(run.err.contains(part), "no {part:?} in\n{}", run.text());
    }
}

#[test]
fn what_a_jmeter_plan_cannot_do_here_is_named_by_element_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::text("hello");
    let plan = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="5.0" jmeter="5.6">
  <hashTree>
    <TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="Plan" enabled="true"/>
    <hashTree>
      <ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="Users" enabled="true">
        <stringProp name="ThreadGroup.num_threads">2</stringProp>
        <stringProp name="ThreadGroup.ramp_time">0</stringProp>
        <elementProp name="ThreadGroup.main_controller" elementType="LoopController">
          <stringProp name="LoopController.loops">3</stringProp>
        </elementProp>
      </ThreadGroup>
      <hashTree>
        <JSR223PreProcessor guiclass="TestBeanGUI" testclass="JSR223PreProcessor" testname="Sign it" enabled="true">
          <stringProp name="script">vars.put("a", "b")</stringProp>
        </JSR223PreProcessor>
        <hashTree/>
        <HTTPSamplerProxy guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="Home" enabled="true">
          <stringProp name="HTTPSampler.domain">{}</stringProp>
          <stringProp name="HTTPSampler.port">{}</stringProp>
          <stringProp name="HTTPSampler.path">/home</stringProp>
          <stringProp name="HTTPSampler.method">GET</stringProp>
        </HTTPSamplerProxy>
        <hashTree/>
      </hashTree>
    </hashTree>
  </hashTree>
</jmeterTestPlan>
"#,
        upstream.address.ip(),
        upstream.address.port()
    );
    std::fs::write(directory.path().join("plan.jmx"), plan).unwrap();
    let run = bench_in(directory.path(), &["plan.jmx"]);
    assert_eq!(run.code, 2, "{}", run.text());
    for part in ["plan.jmx:14", "JSR223PreProcessor", "Sign it", "--skip-unsupported"] {
        assert!(run.err.contains(part), "no {part:?} in\n{}", run.text());
    }
    assert_eq!(upstream.seen().len(), 0);
    let words = ["plan.jmx", "--skip-unsupported", "--set", "usres=5"];
    let run = bench_in(directory.path(), &words);
    assert_eq!(run.code, 2, "{}", run.text());
    assert!(run.err.contains("never asks for the property `usres`"), "{}", run.text());
    let run = bench_in(directory.path(), &["plan.jmx", "--skip-unsupported"]);
    assert_eq!(run.code, 0, "{}", run.text());
    assert!(run.err.contains("Sign it"), "{}", run.text());
    assert_eq!(run.number("/requests"), 6.0);
    assert!(upstream.seen().iter().all(|request| request.path() == "/home"));
    let run = bench_in(directory.path(), &["plan.jmx", "--skip-unsupported", "--quiet"]);
    assert_eq!(run.code, 0, "{}", run.text());
    // What was left out is told in any case, and nothing else.
    let left_out =
        "warning: left out: plan.jmx:14: JSR223PreProcessor \"Sign it\" is not supported\n";
    assert_eq!(run.err, left_out);
}

#[test]
fn a_file_that_is_no_result_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.json"), "{\"hello\": 1}").unwrap();
    for words in [&["compare", "a.json", "a.json"][..], &["merge", "a.json", "none.json"]] {
        let (code, _, err) = tool(directory.path(), words);
        assert_eq!(code, 2, "{words:?}: {err}");
        assert!(err.contains("a.json"), "{words:?}: {err}");
    }
}
