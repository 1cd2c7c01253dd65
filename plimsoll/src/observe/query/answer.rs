//! Answers of Prometheus' HTTP API, read into what the own evaluator gives.
//!
//! The type of a result is told beside it, before or after; so the result is read by its shape: an
//! array of objects is a vector or a matrix, `[time, "text"]` is a scalar or a string.
//!
//! It leaves out native histograms: their series are skipped, with a warning.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use tsdb::labels::Labels;
use tsdb::promql::{Element, Outcome, Row, Value, number};
use tsdb::sample::Samples;

use super::TRUNCATED;
use super::lookup::{Found, What};

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

/// What is asked for: of queries an object, of listings an array.
#[derive(Debug)]
enum Data {
    Result(QueryResult),
    List(Vec<Item>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryResult {
    result_type: String,
    result: Vec<Item>,
}

/// What an array holds.
#[derive(Debug)]
enum Item {
    /// `{"metric": …, "value": …}`
    Series(Labels, Samples),
    /// `{"metric": …, "histogram": …}`
    Histogram,
    /// The labels themselves: a listing of series.
    Labels(Labels),
    Number(f64),
    Text(String),
}

/// Reads an answer, whether it is a success or a failure.
pub(super) fn read(body: &[u8]) -> Result<Answer, serde_json::Error> {
    serde_json::from_slice(body)
}

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unexpected {
    #[error("there is no `data`")]
    Empty,
    #[error("its `data` is of another shape")]
    Shape,
    #[error("a `resultType` of {0:?}")]
    Type(String),
}

impl Answer {
    /// The answer if it is a success; otherwise `errorType` and `error`.
    pub(super) fn checked(self) -> Result<Self, (String, String)> {
        if self.status == "success" {
            return Ok(self);
        }
        let kind = self.error_type.unwrap_or_else(|| "internal".to_owned());
        Err((kind, self.error.unwrap_or_else(|| "it does not say why".to_owned())))
    }

    /// That of a query.
    pub(super) fn into_outcome(mut self) -> Result<Outcome, Unexpected> {
        let QueryResult { result_type, result } = match self.data {
            Some(Data::Result(result)) => result,
            Some(Data::List(_)) => return Err(Unexpected::Shape),
            None => return Err(Unexpected::Empty),
        };
        let all = result.len();
        let value = match (&*result_type, &*result) {
            ("scalar", [Item::Number(time), Item::Text(text)]) => {
                let value = number::parse(text).ok_or(Unexpected::Shape)?;
                Value::Scalar { time: milliseconds(*time), value }
            }
            ("string", [Item::Number(time), Item::Text(text)]) => {
                Value::String { time: milliseconds(*time), value: text.clone() }
            }
            ("vector", _) => Value::Vector(elements(result)?),
            ("matrix", _) => Value::Matrix(rows(result)?),
            ("scalar" | "string", _) => return Err(Unexpected::Shape),
            _ => return Err(Unexpected::Type(result_type)),
        };
        let kept = match &value {
            Value::Vector(elements) => elements.len(),
            Value::Matrix(rows) => rows.len(),
            Value::Scalar { .. } | Value::String { .. } => all,
        };
        if kept < all {
            self.warnings.push(format!(
                "{} series with native histograms are left out of the answer",
                all - kept
            ));
        }
        Ok(Outcome { value, warnings: self.warnings, infos: self.infos, samples_read: 0 })
    }

    /// That of a listing.
    pub(super) fn into_found(mut self, what: &What, most: usize) -> Result<Found, Unexpected> {
        let items = match self.data {
            Some(Data::List(items)) => items,
            Some(Data::Result(_)) => return Err(Unexpected::Shape),
            None => return Err(Unexpected::Empty),
        };
        let (mut series, mut texts) = (BTreeSet::new(), BTreeSet::new());
        for item in items {
            match (what, item) {
                (What::Series, Item::Labels(labels)) => drop(series.insert(labels)),
                (What::Names | What::Values(_), Item::Text(text)) => drop(texts.insert(text)),
                _ => return Err(Unexpected::Shape),
            }
        }
        if series.len().max(texts.len()) > most && !self.warnings.iter().any(|w| w == TRUNCATED) {
            self.warnings.push(TRUNCATED.to_owned());
        }
        Ok(Found {
            series: series.into_iter().take(most).collect(),
            texts: texts.into_iter().take(most).collect(),
            warnings: self.warnings,
        })
    }
}

fn elements(items: Vec<Item>) -> Result<Vec<Element>, Unexpected> {
    let mut elements = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Series(labels, samples) => match (&*samples.times, &*samples.values) {
                ([time], [value]) => {
                    elements.push(Element { labels, time: *time, value: *value });
                }
                _ => return Err(Unexpected::Shape),
            },
            Item::Histogram => {}
            Item::Labels(_) | Item::Number(_) | Item::Text(_) => return Err(Unexpected::Shape),
        }
    }
    Ok(elements)
}

fn rows(items: Vec<Item>) -> Result<Vec<Row>, Unexpected> {
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Series(labels, samples) => rows.push(Row { labels, samples }),
            Item::Histogram => {}
            Item::Labels(_) | Item::Number(_) | Item::Text(_) => return Err(Unexpected::Shape),
        }
    }
    Ok(rows)
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a result or a list")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                let inner = serde::de::value::MapAccessDeserializer::new(map);
                QueryResult::deserialize(inner).map(Data::Result)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Data, A::Error> {
                let inner = serde::de::value::SeqAccessDeserializer::new(seq);
                Vec::deserialize(inner).map(Data::List)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemReader)
    }
}

struct ItemReader;

impl<'de> Visitor<'de> for ItemReader {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, a time or a text")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
        Ok(Item::Number(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
        Ok(Item::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
        Ok(Item::Number(value as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Item, E> {
        Ok(Item::Text(value.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let (mut labels, mut samples, mut is_histogram) = (None, None, false);
        let mut texts: Vec<(String, String)> = Vec::new();
        // A label may be called as a field is: then its value is a text.
        while let Some(name) = map.next_key::<String>()? {
            match map.next_value::<Field>()? {
                Field::Text(text) => texts.push((name, text)),
                Field::Labels(found) => labels = Some(found),
                Field::Samples(found) if name.starts_with("value") => samples = Some(found),
                Field::Samples(_) => is_histogram = true,
            }
        }
        Ok(match (labels, samples) {
            (Some(labels), Some(samples)) => Item::Series(labels, samples),
            (Some(_), None) if is_histogram => Item::Histogram,
            (Some(labels), None) => Item::Series(labels, Samples::default()),
            (None, _) => Item::Labels(Labels::from_pairs(texts)),
        })
    }
}

/// A field of a series.
enum Field {
    Text(String),
    Labels(Labels),
    Samples(Samples),
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldReader)
    }
}

struct FieldReader;

impl<'de> Visitor<'de> for FieldReader {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels, samples or a text")
    }

    fn visit_str<E>(self, value: &str) -> Result<Field, E> {
        Ok(Field::Text(value.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Field::Labels(Labels::from_pairs(pairs)))
    }

    /// `[time, "value"]`, or an array of such.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        let mut samples = Samples::default();
        let mut time = None;
        while let Some(part) = seq.next_element::<Part>()? {
            match (part, time) {
                (Part::Number(seconds), _) => time = Some(milliseconds(seconds)),
                (Part::Text(text), Some(time)) => add(&mut samples, time, &text)?,
                (Part::Sample(time, text), _) => add(&mut samples, time, &text)?,
                // A histogram in place of a value is not looked into.
                (Part::Other, _) | (Part::Text(_), None) => {}
            }
        }
        Ok(Field::Samples(samples))
    }
}

fn add<E: serde::de::Error>(samples: &mut Samples, time: i64, text: &str) -> Result<(), E> {
    let value = number::parse(text)
        .ok_or_else(|| E::custom(format_args!("a sample of {text:?}, which is no number")))?;
    if samples.times.last().is_some_and(|last| *last >= time) {
        return Err(E::custom("samples that are not sorted by time"));
    }
    samples.push(time, value);
    Ok(())
}

/// Part of an array of samples.
enum Part {
    Number(f64),
    Text(String),
    Sample(i64, String),
    Other,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartReader)
    }
}

struct PartReader;

impl<'de> Visitor<'de> for PartReader {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Part, E> {
        Ok(Part::Number(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
        Ok(Part::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Part, E> {
        Ok(Part::Number(value as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Part, E> {
        Ok(Part::Text(value.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
        Ok(Part::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Part, A::Error> {
        let (mut time, mut value) = (None, None);
        while let Some(part) = seq.next_element::<Part>()? {
            match part {
                Part::Number(seconds) => time = Some(milliseconds(seconds)),
                Part::Text(text) => value = Some(text),
                Part::Sample(..) | Part::Other => {}
            }
        }
        Ok(match (time, value) {
            (Some(time), Some(value)) => Part::Sample(time, value),
            _ => Part::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Outcome {
        read(text.as_bytes()).unwrap().checked().unwrap().into_outcome().unwrap()
    }

    #[test]
    fn results_are_read_by_their_shape() {
        let answer = outcome(
            r#"{"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"__name__":"up","value":"x"},"value":[1700000000.5,"1"]},
                {"metric":{},"value":[1700000000.5,"-Inf"]}]},"warnings":["w"],"infos":["i"]}"#,
        );
        let Value::Vector(elements) = &answer.value else { panic!("{answer:?}") };
        assert_eq!(elements[0].labels.to_string(), r#"up{value="x"}"#);
        assert_eq!((elements[0].time, elements[0].value), (1_700_000_000_500, 1.0));
        assert_eq!(elements[1].value, f64::NEG_INFINITY);
        assert_eq!((&*answer.warnings[0], &*answer.infos[0]), ("w", "i"));

        let answer = outcome(
            r#"{"data":{"result":[{"metric":{"a":"b"},"values":[[1,"1e+21"],[2.25,"NaN"]]},
                {"metric":{},"histograms":[[1,{"count":"2"}]]}],"resultType":"matrix"},
                "status":"success"}"#,
        );
        let Value::Matrix(rows) = &answer.value else { panic!("{answer:?}") };
        assert_eq!((rows.len(), &*rows[0].samples.times), (1, &[1000, 2250][..]));
        assert!(rows[0].samples.values[0] == 1e21 && rows[0].samples.values[1].is_nan());
        assert!(answer.warnings[0].starts_with("1 series with native histograms"));

        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[3,"0.5"]}}"#;
        assert_eq!(outcome(scalar).value, Value::Scalar { time: 3000, value: 0.5 });
        let text = r#"{"status":"success","data":{"resultType":"string","result":[3,"0.5"]}}"#;
        assert_eq!(outcome(text).value, Value::String { time: 3000, value: "0.5".to_owned() });
    }

    #[test]
    fn listings_are_sorted_and_bounded() {
        let list = |text: &str, what: What, most| {
            read(text.as_bytes()).unwrap().checked().unwrap().into_found(&what, most).unwrap()
        };
        let found = list(r#"{"status":"success","data":["b","a"]}"#, What::Names, 1);
        assert_eq!((found.texts, found.warnings), (vec!["a".into()], vec![TRUNCATED.into()]));
        let series = r#"{"status":"success","data":[{"__name__":"up","metric":"m"},{}]}"#;
        let found = list(series, What::Series, 9);
        assert_eq!(found.series[1].to_string(), r#"up{metric="m"}"#);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in ["", "null", "[]", r#"{"data":[]}"#, r#"{"status":"success","data":7}"#] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        for text in [
            r#"{"status":"success"}"#,
            r#"{"status":"success","data":[]}"#,
            r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":["a"]}}"#,
        ] {
            assert!(read(text.as_bytes()).unwrap().into_outcome().is_err(), "{text}");
        }
        for second in ["1", "2"] {
            let unsorted = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":
                [{{"metric":{{}},"values":[[2,"1"],[{second},"1"]]}}]}}}}"#
            );
            assert!(read(unsorted.as_bytes()).unwrap_err().to_string().contains("not sorted"));
        }
        let refused = r#"{"status":"error","errorType":"bad_data","error":"no"}"#;
        let refused = read(refused.as_bytes()).unwrap().checked().unwrap_err();
        assert_eq!(refused, ("bad_data".to_owned(), "no".to_owned()));
    }
}
