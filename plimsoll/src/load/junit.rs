//! Results as JUnit XML, which CI systems show: a test case for the run, one for each threshold and
//! one for each check.
//!
//! What fails here is what makes the exit code differ from 0: thresholds that did not hold, and a run
//! in which nothing succeeded. A check may fail now and then (how often it may is for a threshold to
//! say): its case says how often it did.
//!
//! The form is the one that Jenkins, GitLab and GitHub's reporters read: `testsuites`, `testsuite`,
//! `testcase`, `failure`.

use std::io;

use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::figures;
use super::results::Results;
use super::threshold::Outcome;
use super::warnings::{self, Warning};

/// A case and why it failed, if it did.
struct Case {
    class: &'static str,
    name: String,
    seconds: f64,
    failure: Option<String>,
    /// What there is to know of it.
    output: Option<String>,
}

/// The XML, ending with a line break.
pub fn text(results: &Results, outcomes: &[Outcome]) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Cannot fail: a vector takes whatever is written to it.
    let _ = write(&mut writer, results, &cases(results, outcomes));
    let mut text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    text.push('\n');
    text
}

fn cases(results: &Results, outcomes: &[Outcome]) -> Vec<Case> {
    let fatal = warnings::warnings(results).into_iter().find(|warning| warning.kind.is_fatal());
    let mut cases = vec![Case {
        class: "run",
        name: results.run.name.clone(),
        seconds: results.run.elapsed.as_secs_f64(),
        failure: fatal.map(|warning| warning.text),
        output: None,
    }];
    cases.extend(outcomes.iter().map(|outcome| Case {
        class: "threshold",
        name: match &outcome.label {
            Some(label) => format!("{label}: {}", outcome.text),
            None => outcome.text.clone(),
        },
        seconds: 0.0,
        failure: (!outcome.held).then(|| outcome.words()),
        output: None,
    }));
    cases.extend(results.checks.iter().map(|(name, count)| Case {
        class: "check",
        name: name.clone(),
        seconds: 0.0,
        failure: None,
        output: Some(format!(
            "{} passed, {} failed",
            figures::count(count.passed),
            figures::count(count.failed)
        )),
    }));
    cases
}

fn write(writer: &mut Writer<Vec<u8>>, results: &Results, cases: &[Case]) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests = cases.len().to_string();
    let failures = cases.iter().filter(|case| case.failure.is_some()).count().to_string();
    let seconds = format!("{:.3}", results.run.elapsed.as_secs_f64());
    let counts =
        [("tests", tests.as_str()), ("failures", failures.as_str()), ("time", seconds.as_str())];
    let began = results.run.started_at.to_string();
    let suite = [("name", valid(&results.run.name)), ("timestamp", began)];
    let warnings = warnings::warnings(results);
    writer
        .create_element("testsuites")
        .with_attribute(("name", "plimsoll bench"))
        .with_attributes(counts)
        .write_inner_content(|writer| {
            writer
                .create_element("testsuite")
                .with_attributes(suite.iter().map(|(key, value)| (*key, value.as_str())))
                .with_attributes(counts)
                .with_attribute(("errors", "0"))
                .write_inner_content(|writer| {
                    cases.iter().try_for_each(|of| case(writer, of))?;
                    output(writer, results, &warnings)
                })?;
            Ok(())
        })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let (name, seconds) = (valid(&case.name), format!("{:.3}", case.seconds));
    let class = format!("bench.{}", case.class);
    let element = writer.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", class.as_str()),
        ("time", seconds.as_str()),
    ]);
    if case.failure.is_none() && case.output.is_none() {
        return element.write_empty().map(drop);
    }
    let content = |writer: &mut Writer<Vec<u8>>| {
        if let Some(words) = &case.failure {
            let words = valid(words);
            let failure = writer.create_element("failure");
            failure.with_attribute(("message", words.as_str())).write_empty()?;
        }
        case.output.as_ref().map_or(Ok(()), |text| system_out(writer, text))
    };
    element.write_inner_content(content).map(drop)
}

/// What there is to know before believing the cases.
fn output(writer: &mut Writer<Vec<u8>>, results: &Results, warnings: &[Warning]) -> io::Result<()> {
    let total = &results.total;
    let times = &total.response_time;
    let mut text = format!(
        "{}, {} failed; response time {} at p50, {} at p99",
        figures::plural(total.requests, "request"),
        figures::count(total.errors()),
        figures::latency(times.quantile(0.5)),
        figures::latency(times.quantile(0.99)),
    );
    for warning in warnings {
        text.push('\n');
        text.push_str(&warning.text);
    }
    system_out(writer, &text)
}

fn system_out(writer: &mut Writer<Vec<u8>>, text: &str) -> io::Result<()> {
    let text = valid(text);
    let element = writer.create_element("system-out");
    element.write_text_content(BytesText::from_escaped(escape(text.as_str()))).map(drop)
}

/// Without control characters and the two others that XML 1.0 (§2.2) has no way to write.
fn valid(text: &str) -> String {
    let is_valid = |char: &char| match char {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => !char.is_control(),
    };
    text.chars().filter(is_valid).collect()
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use crate::config::bench::model::{Comparison, Measure};

    use super::super::fixtures;
    use super::*;

    #[test]
    fn thresholds_fail_where_they_did_not_hold_and_checks_say_how_often() {
        let mut results = fixtures::shop();
        results.run.name = "shop <\"&\u{7}\u{fffe}\u{ffff}>".to_owned();
        let broken = Outcome {
            text: "p99<50ms".to_owned(),
            label: Some("GET /basket".to_owned()),
            measure: Measure::Quantile(0.99),
            comparison: Comparison::Less,
            bound: 0.05,
            measured: None,
            held: false,
        };
        let held = Outcome { text: "p99<1s".to_owned(), bound: 1.0, ..broken.clone() };
        let text = text(&results, &[broken.again(&results), held.again(&results)]);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="plimsoll bench" tests="5" failures="1" time="30.004">
  <testsuite name="shop &lt;&quot;&amp;&gt;" timestamp="2026-03-01T12:00:00Z" tests="5" failures="1" time="30.004" errors="0">
    <testcase name="shop &lt;&quot;&amp;&gt;" classname="bench.run" time="30.004"/>
    <testcase name="GET /basket: p99&lt;50ms" classname="bench.threshold" time="0.000">
      <failure message="p99 of GET /basket was 331 ms"/>
    </testcase>
    <testcase name="GET /basket: p99&lt;1s" classname="bench.threshold" time="0.000"/>
    <testcase name="basket is not empty" classname="bench.check" time="0.000">
      <system-out>5 912 passed, 0 failed</system-out>
    </testcase>
    <testcase name="order has a number" classname="bench.check" time="0.000">
      <system-out>3 001 passed, 2 failed</system-out>
    </testcase>
    <system-out>30 000 requests, 99 failed; response time 8.97 ms at p50, 321 ms at p99
p99.99 rests on fewer than 10 of 29 989 requests: it may be chance. Measure longer.</system-out>
  </testsuite>
</testsuites>
"#;
        assert_eq!(text, expected);
        let mut reader = Reader::from_str(&text);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
    }

    #[test]
    fn a_run_in_which_everything_failed_is_a_failed_case() {
        let text = text(&fixtures::refused(), &[]);
        assert!(text.contains("failures=\"1\""), "{text}");
        assert!(text.contains("<failure message=\"Every one of 5 120 requests failed"), "{text}");
    }
}
