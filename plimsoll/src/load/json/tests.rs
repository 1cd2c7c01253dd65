use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::Value;

use crate::config::bench::model::{Comparison, Measure};

use super::super::fixtures;
use super::super::latencies::Latencies;
use super::super::timeline::BUCKETS_MAX;
use super::*;

fn outcomes(results: &Results) -> Vec<Outcome> {
    let measures = [
        (Measure::Quantile(0.99), Comparison::Less, 0.05),
        (Measure::Mean, Comparison::LessOrEqual, 0.02),
        (Measure::Max, Comparison::Greater, 3.0),
        (Measure::Errors, Comparison::GreaterOrEqual, 0.001),
        (Measure::Rate, Comparison::NotEqual, 1000.0),
        (Measure::Rate, Comparison::Equal, 1000.0),
    ];
    (measures.into_iter().enumerate())
        .map(|(index, (measure, comparison, bound))| {
            let text = format!("threshold {index}");
            let label = (index == 1).then(|| "GET /basket".to_owned());
            let (measured, held) = (None, false);
            Outcome { text, label, measure, comparison, bound, measured, held }.again(results)
        })
        .collect()
}

fn written() -> (Stored, String) {
    let results = fixtures::shop();
    let outcomes = outcomes(&results);
    let text = text(&results, &outcomes);
    (Stored { results, outcomes }, text)
}

#[test]
fn what_is_read_equals_what_was_written() {
    let (stored, text) = written();
    let read = read(&text, "shop.json").unwrap();
    assert!(read == stored, "what was read differs");
    let mut refused = fixtures::refused();
    refused.run.left_out = vec!["shop.jmx:12: JSR223Sampler is not supported".to_owned()];
    let again = super::read(&super::text(&refused, &[]), "refused.json").unwrap();
    assert!(again.results == refused);
}

#[test]
fn the_figures_stand_at_the_top() {
    let (stored, text) = written();
    let keys: Vec<&str> =
        text.lines().skip(1).take(5).map(|line| line.split('"').nth(1).unwrap()).collect();
    assert_eq!(keys, ["requests_per_second", "errors", "latency", "requests", "duration_seconds"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    let total = &stored.results.total;
    assert_eq!(value["errors"], total.errors());
    assert_eq!(value["latency"]["p99.9"], total.response_time.quantile(0.999).as_secs_f64());
    assert_eq!(value["latency"]["max"], total.response_time.max().as_secs_f64());
    let rate = value["requests_per_second"].as_f64().unwrap();
    assert!((rate - 30_000.0 / 30.004_123_457).abs() < 1e-6, "{rate}");
    assert_eq!(value["model"], "open");
    assert_eq!(value["statuses"]["200"], total.statuses[&200]);
    assert_eq!(value["warnings"][0]["kind"], "few_samples");
}

#[test]
fn nothing_measured_is_null_not_zero() {
    let text = text(&fixtures::refused(), &[]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["latency"]["p50"], Value::Null);
    assert_eq!(value["model"], "closed");
    assert_eq!(value["error_rate"], 1.0);
    assert_eq!(value["timeline"]["histograms"][0], Value::Null);
}

#[test]
fn a_run_of_any_length_stays_small() {
    let mut results = fixtures::shop();
    let buckets = results.timeline.buckets.clone();
    results.timeline.buckets = buckets.into_iter().cycle().take(BUCKETS_MAX).collect();
    let bytes = text(&results, &[]).len();
    assert!(bytes < 6_000_000, "{bytes} bytes");
}

#[test]
fn every_duration_comes_back_to_the_nanosecond() {
    let mut results = fixtures::refused();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..40 {
        // Up to 52 days: beyond, a double has no nanoseconds.
        let bits = 1 + random.u32(0..52);
        let nanos = random.u64(0..1 << bits);
        results.run.elapsed = std::time::Duration::from_nanos(nanos);
        let again = read(&text(&results, &[]), "refused.json").unwrap();
        assert_eq!(again.results.run.elapsed, results.run.elapsed);
    }
}

#[test]
fn other_files_are_refused_in_words() {
    let (_, text) = written();
    let refused = |text: &str| read(text, "a.json").unwrap_err().to_string();
    assert_eq!(
        refused("<html>"),
        "a.json is not a file of results: expected value at line 1 column 1; give a file that \
         plimsoll bench wrote with --json"
    );
    let foreign = "a.json is JSON, but not results of plimsoll bench; give a file that plimsoll \
                   bench wrote with --json";
    assert_eq!(refused("{\"requests\": 3}"), foreign);
    assert_eq!(refused("[1, 2]"), foreign);
    assert_eq!(refused("{\"version\": \"one\"}"), foreign);
    assert_eq!(
        refused(&text.replace("\"version\": 1", "\"version\": 2")),
        "a.json has version 2 of the form of results, and this plimsoll reads version 1; read it \
         with the plimsoll that wrote it, or with a newer one"
    );
    let cut = refused(&text[..text.len() / 2]);
    assert!(cut.starts_with("a.json is damaged: it ends too early (EOF"), "{cut}");
    let missing = refused(&text.replace("\"unnamed\"", "\"unknown\""));
    assert!(missing.starts_with("a.json is damaged: unknown field `unknown`"), "{missing}");
}

#[test]
fn damage_within_is_found_and_placed() {
    let (_, text) = written();
    let value: Value = serde_json::from_str(&text).unwrap();
    let after = |change: &dyn Fn(&mut Value)| {
        let mut value = value.clone();
        change(&mut value);
        read(&value.to_string(), "a.json").unwrap_err().to_string()
    };
    let errors = value["errors"].as_u64().unwrap();
    let of =
        |why: &str| format!("a.json is damaged: {why}; get it again from where it was written");
    assert_eq!(
        after(&|value| value["errors"] = (errors + 1).into()),
        of(&format!(
            "the total has 30000 requests and {} errors, which its failures by kind do not add up to",
            errors + 1
        ))
    );
    assert_eq!(
        after(&|value| value["labels"][1]["histograms"]["first_byte"] = "AAAA".into()),
        of("the histogram first_byte of labels, \"GET /basket\", is not a histogram: An i/o \
            operation failed: failed to fill whole buffer")
    );
    assert_eq!(
        after(&|value| value["timeline"]["histograms"][3] = "?".into()),
        of("timeline.histograms[3] is not Base64: Invalid symbol 63, offset 0.")
    );
    assert_eq!(
        after(&|value| value["run"]["started_at"] = "noon".into()).split(": ").nth(1).unwrap(),
        "run.started_at is \"noon\""
    );
    let uneven = after(&|value| {
        value["timeline"]["users"].as_array_mut().unwrap().pop();
    });
    assert!(uneven.contains("timeline has lists of different lengths"), "{uneven}");
    let negative = after(&|value| value["duration_seconds"] = (-1.0).into());
    assert!(negative.contains("duration_seconds is -1"), "{negative}");
}

#[test]
fn figures_that_no_run_can_have_are_refused_before_they_overflow() {
    let (_, text) = written();
    let value: Value = serde_json::from_str(&text).unwrap();
    let after = |pointer: &str, figure: Value| {
        let mut value = value.clone();
        *value.pointer_mut(pointer).unwrap() = figure;
        read(&value.to_string(), "a.json").unwrap_err().to_string()
    };
    for pointer in [
        "/requests",
        "/statuses/200",
        "/bytes_sent",
        "/labels/0/requests",
        "/instances/web-1/bytes_received",
        "/checks/order has a number/passed",
        "/connections/opened",
        "/tester/due",
        "/timeline/due/3",
        "/timeline/instances/web-1/0",
    ] {
        let words = after(pointer, u64::MAX.into());
        assert!(words.contains("more than any run can"), "{pointer}: {words}");
    }
    let words = after("/duration_seconds", 1e19.into());
    assert!(words.contains("longer than any run"), "{words}");
    let words = after("/timeline/bucket_seconds", (1u64 << 40).into());
    assert!(words.contains("buckets of 1099511627776 s"), "{words}");
    let words = after("/timeline/errors/3", 1_000_000.into());
    assert!(words.contains("in bucket 3"), "{words}");
    let words = after("/run/parts/0/index", 1.into());
    assert!(words.contains("run.parts has part 1 of 1"), "{words}");
}

#[test]
fn counts_of_a_histogram_that_overflow_are_refused() {
    let mut histogram = Latencies::default().histogram();
    for nanos in [10, 1000, 100_000] {
        histogram.saturating_record_n(nanos, i64::MAX as u64);
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    let words = encoding::decode(Some(&BASE64_STANDARD.encode(bytes))).unwrap_err();
    assert!(words.contains("more than any run can"), "{words}");
}

#[test]
fn labels_are_asked_as_instances_are() {
    let (stored, text) = written();
    let value: Value = serde_json::from_str(&text).unwrap();
    let (name, tally) = &stored.results.labels[1];
    assert_eq!(value["labels"][1]["name"], *name);
    assert_eq!(value["labels"][1]["requests"], tally.requests);
    assert_eq!(value["instances"]["web-1"]["errors"], stored.results.instances["web-1"].errors());
    let mut lacking = value;
    lacking["labels"][1].as_object_mut().unwrap().remove("requests");
    let words = read(&lacking.to_string(), "a.json").unwrap_err().to_string();
    assert!(words.contains("missing field `requests`"), "{words}");
}

#[test]
fn a_spoilt_histogram_never_panics() {
    let (stored, _) = written();
    let whole = encoding::Encoder::new().encode(&stored.results.total.response_time).unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let mut refused = 0;
    for _ in 0..200 {
        let mut text = whole.clone().into_bytes();
        let at = random.usize(0..text.len());
        text[at] = random.choice(b"ABCxyz019+/".iter().copied()).unwrap();
        let text = String::from_utf8(text).unwrap();
        refused += usize::from(encoding::decode(Some(&text)).is_err());
    }
    assert!(refused > 150, "{refused} of 200 refused");
}

/// The part of JSON Schema that the schema uses; another keyword fails the test.
fn breaches(schema: &Value, root: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let keywords = schema.as_object().unwrap();
    for (keyword, of) in keywords {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "items"
            | "patternProperties" | "properties" => {}
            "$ref" => {
                let path = of.as_str().unwrap().strip_prefix('#').unwrap();
                breaches(root.pointer(path).unwrap(), root, value, place, found);
                return;
            }
            "type" => {
                let is = |name: &str| match name {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("unknown type {other}"),
                };
                let names = of.as_array().cloned().unwrap_or_else(|| vec![of.clone()]);
                if !names.iter().any(|name| is(name.as_str().unwrap())) {
                    found.push(format!("{place}: {value} is not {of}"));
                }
            }
            "const" if value != of => found.push(format!("{place}: {value} is not {of}")),
            "enum" if !of.as_array().unwrap().contains(value) => {
                found.push(format!("{place}: {value} not in {of}"))
            }
            "const" | "enum" => {}
            "minimum" if value.as_f64().is_some_and(|number| number < of.as_f64().unwrap()) => {
                found.push(format!("{place}: {value} is below {of}"));
            }
            "maximum" if value.as_f64().is_some_and(|number| number > of.as_f64().unwrap()) => {
                found.push(format!("{place}: {value} is above {of}"));
            }
            "minimum" | "maximum" => {}
            "required" => {
                for key in of.as_array().unwrap() {
                    if value.get(key.as_str().unwrap()).is_none() {
                        found.push(format!("{place}: lacks {key}"));
                    }
                }
            }
            "propertyNames" => {
                for key in value.as_object().unwrap().keys() {
                    breaches(of, root, &key.as_str().into(), place, found);
                }
            }
            "oneOf" | "anyOf" => {
                let fits = of.as_array().unwrap().iter().filter(|of| {
                    let mut found = Vec::new();
                    breaches(of, root, value, place, &mut found);
                    found.is_empty()
                });
                let count = fits.count();
                if count == 0 || (keyword == "oneOf" && count > 1) {
                    found.push(format!("{place}: {value} fits {count} of {of}"));
                }
            }
            "additionalProperties" => {
                let patterns = schema.get("patternProperties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    let named = schema.get("properties").and_then(|properties| properties.get(key));
                    let matched = patterns
                        .into_iter()
                        .flatten()
                        .find(|(pattern, _)| regex::Regex::new(pattern).unwrap().is_match(key));
                    let place = format!("{place}.{key}");
                    match (named.or(matched.map(|(_, schema)| schema)), of) {
                        (Some(schema), _) => breaches(schema, root, value, &place, found),
                        (None, Value::Bool(false)) => found.push(format!("{place}: unknown")),
                        (None, schema) => breaches(schema, root, value, &place, found),
                    }
                }
            }
            other => panic!("the schema uses {other}, which this test does not know"),
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        breaches(&schema["items"], root, value, &format!("{place}[{index}]"), found);
    }
}

#[test]
fn the_schema_describes_what_is_written() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let check = |value: &Value| {
        let mut found = Vec::new();
        breaches(&schema, &schema, value, "$", &mut found);
        found
    };
    let (_, text) = written();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(check(&value), [""; 0]);
    let refused: Value = serde_json::from_str(&super::text(&fixtures::refused(), &[])).unwrap();
    assert_eq!(check(&refused), [""; 0]);
    // Every object is closed and complete: the schema allows nothing else and lacks nothing.
    for (pointer, key) in [
        ("", "extra"),
        ("/latency", "p42"),
        ("/run", "when"),
        ("/timeline", "rate"),
        ("/failures", "bad"),
        ("/labels/0", "extra"),
    ] {
        let mut value = value.clone();
        value.pointer_mut(pointer).unwrap()[key] = 1.into();
        assert_eq!(check(&value).len(), 1, "{pointer}/{key}");
    }
    for (pointer, key) in [("", "errors"), ("/latency", "p99.9"), ("/tester", "due")] {
        let mut value = value.clone();
        value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
        assert_eq!(check(&value).len(), 1, "{pointer}/{key}");
    }
}
