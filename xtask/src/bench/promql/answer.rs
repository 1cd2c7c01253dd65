//! Answers of the query API, read far enough to tell whether two are the same.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

/// How far two values may be apart, relative to the greater: sums are made in different orders.
const TOLERANCE: f64 = 1e-9;

/// What an answer says: series by labels with values by time (milliseconds), or a list of texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Series(BTreeMap<String, BTreeMap<i64, f64>>),
    Values(Vec<String>),
}

impl Answer {
    /// Reads an answer; one that tells of a failure is an error.
    pub(super) fn parse(body: &[u8]) -> anyhow::Result<Self> {
        let answer: Value = serde_json::from_slice(body).context("an answer is no JSON")?;
        if answer["status"] != "success" {
            bail!("the query failed: {}", answer["error"].as_str().unwrap_or("without a reason"));
        }
        let data = &answer["data"];
        if let Some(values) = data.as_array() {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            return Ok(Self::Values(texts.collect::<Option<_>>().context("a value is no text")?));
        }
        let mut all = BTreeMap::new();
        for series in data["result"].as_array().context("an answer has no series")? {
            // Each server has an order of its own.
            let metric = series["metric"].as_object().context("a series has no labels")?;
            let labels: BTreeMap<&String, &Value> = metric.iter().collect();
            let labels = serde_json::to_string(&labels).context("labels are no JSON")?;
            let points = match (series["values"].as_array(), &series["value"]) {
                (Some(points), _) => points.iter().map(point).collect(),
                (None, value) => point(value).map(|point| BTreeMap::from([point])),
            };
            let points = points.with_context(|| format!("{labels} has a point that is none"))?;
            all.insert(labels, points);
        }
        Ok(Self::Series(all))
    }

    /// How many series or values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Series(series) => series.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// The first thing in which another one differs, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let (own, others) = match (self, other) {
            (Self::Series(own), Self::Series(others)) => (own, others),
            (Self::Values(own), Self::Values(others)) => {
                let differs = || format!("{own:?} and {others:?}");
                return (own != others).then(differs);
            }
            _ => return Some("answers of different kinds".to_owned()),
        };
        if let Some(labels) = own.keys().find(|labels| !others.contains_key(*labels)) {
            return Some(format!("{labels} is only in the first"));
        }
        if let Some(labels) = others.keys().find(|labels| !own.contains_key(*labels)) {
            return Some(format!("{labels} is only in the second"));
        }
        own.iter().zip(others.values()).find_map(|((labels, own), other)| {
            own.keys().chain(other.keys()).find_map(|time| {
                let (own, other) = (own.get(time), other.get(time));
                let is_same = own.zip(other).is_some_and(|(a, b)| is_near(*a, *b));
                (!is_same).then(|| format!("{labels} at {time}: {own:?} and {other:?}"))
            })
        })
    }
}

fn point(value: &Value) -> Option<(i64, f64)> {
    let time = (value[0].as_f64()? * 1000.0).round() as i64;
    // Rust reads the infinities and NaN as Prometheus writes them.
    Some((time, value[1].as_str()?.parse().ok()?))
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::Answer;

    fn matrix(value: &str) -> Answer {
        let text = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[
                {{"metric":{{"b":"2","a":"1"}},"values":[[1.5,"{value}"],[16.5,"+Inf"]]}}]}}}}"#
        );
        Answer::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn answers_are_the_same_up_to_rounding() {
        let one = matrix("0.3");
        assert_eq!(one.len(), 1);
        assert_eq!(one.difference(&matrix("0.30000000000000004")), None);
        assert_eq!(matrix("NaN").difference(&matrix("NaN")), None);
        let difference = one.difference(&matrix("0.3001")).unwrap();
        assert!(difference.contains(r#"{"a":"1","b":"2"} at 1500"#), "{difference}");
        let none = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let none = Answer::parse(none.as_bytes()).unwrap();
        assert!(one.difference(&none).unwrap().contains("only in the first"));
        assert!(none.difference(&one).unwrap().contains("only in the second"));
    }

    #[test]
    fn instant_values_and_lists_are_read() {
        let instant = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{},"value":[2,"4"]}]}}"#;
        let instant = Answer::parse(instant.as_bytes()).unwrap();
        assert_eq!(instant.difference(&instant.clone()), None);
        let list = |text: &str| Answer::parse(text.as_bytes()).unwrap();
        let one = list(r#"{"status":"success","data":["a","b"]}"#);
        assert_eq!(one.len(), 2);
        assert!(one.difference(&list(r#"{"status":"success","data":["a"]}"#)).is_some());
        assert!(one.difference(&instant).is_some());
    }

    #[test]
    fn failures_are_errors() {
        let failed = Answer::parse(br#"{"status":"error","error":"too many samples"}"#);
        assert!(failed.unwrap_err().to_string().contains("too many samples"));
        assert!(Answer::parse(b"<html>").is_err());
    }
}
