//! Answers of both sides in one form, and how they differ.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tsdb::labels::Labels;
use tsdb::promql::{self, Grid, Limits, Memory, Value};

/// Relative error up to which values are equal.
const ERROR_MAX: f64 = 1e-9;
/// What is closer to zero than this is zero: what remains of a difference of equal values.
const ZERO: f64 = 1e-12;

/// When a query is asked, seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// Labels by name.
type Key = BTreeMap<String, String>;

/// An answer, or that there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Failure(String),
    Text(String),
    Scalar(f64),
    /// In the order of the answer; times in milliseconds.
    Series(Vec<(Key, Vec<(i64, f64)>)>),
}

/// Ours.
pub fn ours(memory: &Memory, query: &str, when: When) -> Answer {
    let limits = Limits::default();
    let outcome = promql::parse(query).and_then(|query| match when {
        When::Instant(at) => promql::instant(&query, memory, at * 1_000, &limits),
        When::Range { start, end, step } => {
            let grid = Grid { start: start * 1_000, end: end * 1_000, step: step * 1_000 };
            promql::range(&query, memory, grid, &limits)
        }
    });
    match outcome.map(|outcome| outcome.value) {
        Err(error) => Answer::Failure(error.to_string()),
        Ok(Value::String { value, .. }) => Answer::Text(value),
        Ok(Value::Scalar { value, .. }) => Answer::Scalar(value),
        Ok(Value::Vector(elements)) => Answer::Series(
            elements
                .into_iter()
                .map(|element| (key(&element.labels), vec![(element.time, element.value)]))
                .collect(),
        ),
        Ok(Value::Matrix(rows)) => Answer::Series(
            rows.into_iter()
                .map(|row| {
                    let samples = row.samples.times.into_iter().zip(row.samples.values);
                    (key(&row.labels), samples.collect())
                })
                .collect(),
        ),
    }
}

fn key(labels: &Labels) -> Key {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// That of Prometheus.
pub fn theirs(json: &Json) -> Answer {
    if json["status"] != "success" {
        return Answer::Failure(json["error"].as_str().unwrap_or_default().to_owned());
    }
    let result = &json["data"]["result"];
    match json["data"]["resultType"].as_str() {
        Some("string") => Answer::Text(result[1].as_str().unwrap_or_default().to_owned()),
        Some("scalar") => Answer::Scalar(sample(result).1),
        _ => Answer::Series(result.as_array().expect("series").iter().map(series).collect()),
    }
}

fn series(json: &Json) -> (Key, Vec<(i64, f64)>) {
    let metric = json["metric"].as_object().expect("labels").iter();
    let key = metric
        .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    let samples = match json["values"].as_array() {
        Some(values) => values.iter().map(sample).collect(),
        None => vec![sample(&json["value"])],
    };
    (key, samples)
}

/// `[seconds, "value"]`
fn sample(json: &Json) -> (i64, f64) {
    let seconds = json[0].as_f64().expect("a time");
    let value = match json[1].as_str().expect("a value") {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().expect("a number"),
    };
    ((seconds * 1e3).round() as i64, value)
}

/// The first difference; none if the answers are equal. Failures are equal whatever their words.
pub fn difference(theirs: &Answer, ours: &Answer, ordered: bool) -> Option<String> {
    match (theirs, ours) {
        (Answer::Failure(_), Answer::Failure(_)) => None,
        (Answer::Text(theirs), Answer::Text(ours)) if theirs == ours => None,
        (Answer::Scalar(theirs), Answer::Scalar(ours)) if same(*theirs, *ours) => None,
        (Answer::Series(theirs), Answer::Series(ours)) => {
            let (mut theirs, mut ours) = (theirs.clone(), ours.clone());
            if !ordered {
                theirs.sort_by(|one, other| one.0.cmp(&other.0));
                ours.sort_by(|one, other| one.0.cmp(&other.0));
            }
            let count = theirs.len().max(ours.len());
            (0..count).find_map(|place| match (theirs.get(place), ours.get(place)) {
                (Some(theirs), Some(ours)) if theirs.0 == ours.0 => row(theirs, ours),
                (theirs, ours) => Some(format!("theirs {theirs:?}\n  ours {ours:?}")),
            })
        }
        _ => Some(format!("theirs {theirs:?}\n  ours {ours:?}")),
    }
}

/// The first sample of a series that differs.
fn row(theirs: &(Key, Vec<(i64, f64)>), ours: &(Key, Vec<(i64, f64)>)) -> Option<String> {
    let count = theirs.1.len().max(ours.1.len());
    (0..count).find_map(|place| match (theirs.1.get(place), ours.1.get(place)) {
        (Some(one), Some(other)) if one.0 == other.0 && same(one.1, other.1) => None,
        (one, other) => Some(format!("{:?}: theirs {one:?}, ours {other:?}", theirs.0)),
    })
}

/// Whether two values are equal, up to a small error; all NaN are alike.
pub fn same(one: f64, other: f64) -> bool {
    one == other
        || one.is_nan() && other.is_nan()
        || (one - other).abs() <= ERROR_MAX * one.abs().max(other.abs())
        || one.abs() < ZERO && other.abs() < ZERO
}
