use std::fmt::Write as _;

use super::*;
use crate::exposition::{Exposition, Kind, MetricType};

mod promtool;
mod properties;

/// A case of a file: its line, the format, the body, the lines expected.
struct Case {
    line: usize,
    format: Format,
    body: Vec<u8>,
    expected: String,
}

fn cases(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (place, line) in file.lines().enumerate() {
        if let Some(expected) = line.strip_prefix("    ") {
            let case = cases.last_mut().unwrap();
            writeln!(case.expected, "{expected}").unwrap();
        } else if !line.is_empty() && !line.starts_with('#') {
            let (format, body) = line.split_once(' ').unwrap();
            let format = match format {
                "text" => Format::Text,
                "openmetrics" => Format::OpenMetrics,
                _ => panic!("line {}: {format}", place + 1),
            };
            let (body, expected) = (bytes(body), String::new());
            cases.push(Case { line: place + 1, format, body, expected });
        }
    }
    cases
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let meant = match rest[0] {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = std::str::from_utf8(&rest[1..3]).unwrap();
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).unwrap()
            }
            other => panic!("\\{}", other as char),
        };
        bytes.push(meant);
        rest = &rest[1..];
    }
    bytes
}

/// Every event on a line, or the refusal.
fn read(body: &[u8], format: Format, limits: Limits) -> Result<String, ParseError> {
    let mut out = String::new();
    let mut parser = Parser::new(body, format, limits)?;
    loop {
        match parser.next_event() {
            Ok(Some(event)) => describe(&mut out, event),
            Ok(None) => return Ok(out),
            Err(error) => {
                assert!(matches!(parser.next_event(), Ok(None)), "nothing follows a refusal");
                return Err(error);
            }
        }
    }
}

fn describe(out: &mut String, event: Event<'_, '_>) {
    let result = match event {
        Event::Type { family, kind } => writeln!(out, "type {} {}", family.text(), kind.as_str()),
        Event::Help { family, text } => writeln!(out, "help {} {:?}", family.text(), text.text()),
        Event::Unit { family, unit } => writeln!(out, "unit {} {unit:?}", family.text()),
        Event::Sample(sample) => {
            let time = sample.time.map(|time| format!(" at {time}")).unwrap_or_default();
            let place = format!("{} {:?}", sample.kind().as_str(), sample.part()).to_lowercase();
            write!(
                out,
                "`{}` {} {:?}{time} ({place} of {})",
                sample.series,
                sample.to_labels(),
                sample.value,
                sample.family()
            )
            .unwrap();
            if let Some(exemplar) = sample.exemplar() {
                write!(out, " exemplar").unwrap();
                for label in exemplar.labels {
                    write!(out, " {}={:?}", label.name.text(), label.value.text()).unwrap();
                }
                write!(out, " {:?} {:?}", exemplar.value, exemplar.time).unwrap();
            }
            writeln!(out)
        }
    };
    result.unwrap();
}

/// Compares all cases of a file, and shows what it would have to hold.
fn compare(file: &str, found: impl Fn(&Case) -> String, cases_min: usize) {
    let cases = cases(file);
    assert!(cases.len() >= cases_min);
    let mut wrong = String::new();
    for case in &cases {
        let found = found(case);
        if found != case.expected {
            let source = file.lines().nth(case.line - 1).unwrap();
            writeln!(wrong, "{source}\n    {}", found.trim_end().replace('\n', "\n    ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{wrong}");
}

#[test]
fn accepted_bodies_are_read_as_their_format_says() {
    let found = |case: &Case| match read(&case.body, case.format, Limits::default()) {
        Ok(events) => events,
        Err(error) => format!("REFUSED {error}\n"),
    };
    compare(include_str!("tests/accepted.txt"), found, 20);
}

#[test]
fn refused_bodies_say_where_and_why() {
    let found = |case: &Case| match read(&case.body, case.format, Limits::default()) {
        Ok(events) => format!("ACCEPTED {events}"),
        Err(error) => format!("{error}\n"),
    };
    compare(include_str!("tests/refused.txt"), found, 100);
}

#[test]
fn bounds_hold() {
    let limits = Limits { body_bytes: 40, line_bytes: 20, samples: 2, labels: 1, families: 2 };
    let refusal = |body: &str| read(body.as_bytes(), Format::Text, limits).unwrap_err();
    for (body, bound, max, line) in [
        ("a 1\na 1\na 1\n", Bound::Samples, 2, 3),
        ("a{b=\"1\",c=\"1\"} 1\n", Bound::Labels, 1, 1),
        ("a{b=\"1\"} 1\na{b=\"1\",c=\"\"} 1\n", Bound::Labels, 1, 2),
        ("a 1\na{b=\"éééééééééééé\"} 1\n", Bound::LineBytes, 20, 2),
        ("# HELP a\na 1\n# HELP b\n# HELP c\n", Bound::Families, 2, 4),
        ("a 1\n# HELP b\nc 1\n", Bound::Families, 2, 3),
        ("# words words words words", Bound::LineBytes, 20, 1),
        ("# words\n# words\n# words\n# words\n# words\n\n", Bound::BodyBytes, 40, 1),
    ] {
        let error = refusal(body);
        assert_eq!(error.reason, Reason::Bound { bound, max }, "{body}");
        assert_eq!(error.line, line, "{body}");
    }
    assert_eq!(
        refusal("a 1\na 1\na 1\n").to_string(),
        "line 3, column 1: found more than 2 samples, the most that is taken; let the target expose \
         fewer; the line begins `a 1`"
    );
    for body in ["a{b=\"1\"} 1\na{b=\"2\"} 1\n", "# words words wo...\n"] {
        assert!(read(body.as_bytes(), Format::Text, limits).is_ok(), "{body}");
    }
}

#[test]
fn an_error_shows_the_beginning_of_its_line_harmlessly() {
    let body = format!("up{{job=\"{}\u{1b}[31m\"}} x\n", "é".repeat(20));
    let error = read(body.as_bytes(), Format::Text, Limits::default()).unwrap_err();
    assert_eq!(error.column, 37);
    assert_eq!(error.beginning, format!("up{{job=\"{}\\u{{1b}}[31m\"}} x", "é".repeat(20)));
    let body = format!("up{{job=\"{}\"}} x\n", "é".repeat(200));
    let error = read(body.as_bytes(), Format::Text, Limits::default()).unwrap_err();
    assert_eq!(error.beginning.chars().count(), 81);
}

#[test]
fn what_the_writer_writes_is_read() {
    let mut exposition = Exposition::new();
    exposition.family("a_total", Kind::Counter, "Odd\\ \n\"help\"").sample(&[("x", "\\\n\"")], 0.1);
    exposition.family("took_seconds", Kind::Histogram, "Took.").histogram(
        &[("x", "1")],
        &[(0.5, 1)],
        0.25,
        2,
    );
    let events = read(exposition.finish().as_bytes(), Format::Text, Limits::default()).unwrap();
    assert_eq!(
        events,
        r#"help a_total "Odd\\ \n\"help\""
type a_total counter
`a_total{x="\\\n\""}` a_total{x="\\\n\""} 0.1 (counter value of a_total)
help took_seconds "Took."
type took_seconds histogram
`took_seconds_bucket{x="1",le="0.5"}` took_seconds_bucket{le="0.5", x="1"} 1.0 (histogram bucket of took_seconds)
`took_seconds_bucket{x="1",le="+Inf"}` took_seconds_bucket{le="+Inf", x="1"} 2.0 (histogram bucket of took_seconds)
`took_seconds_sum{x="1"}` took_seconds_sum{x="1"} 0.25 (histogram sum of took_seconds)
`took_seconds_count{x="1"}` took_seconds_count{x="1"} 2.0 (histogram count of took_seconds)
"#
    );
}

#[test]
fn no_value_is_the_marker_of_staleness() {
    let mut parser = Parser::new(b"a NaN\n", Format::Text, Limits::default()).unwrap();
    let Ok(Some(Event::Sample(sample))) = parser.next_event() else { panic!("a sample") };
    assert!(sample.value.is_nan() && !crate::sample::is_stale(sample.value));
    assert_eq!(sample.kind(), MetricType::Unknown);
}
