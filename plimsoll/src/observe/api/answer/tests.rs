//! Answers large and small, whole and packed.

use std::io::Read;

use serde_json::Value as Json;
use tsdb::sample::Samples;

use super::*;

fn matrix_of(rows: usize, samples: usize) -> Outcome {
    let row = |place: usize| Row {
        labels: Labels::from_pairs([("__name__", "m".to_owned()), ("n", place.to_string())]),
        samples: Samples {
            times: (0..samples as i64).map(|step| 1_700_000_000_123 + step * 15_000).collect(),
            values: (0..samples).map(|step| (place * step) as f64 / 7.0).collect(),
        },
    };
    Outcome {
        value: Value::Matrix((0..rows).map(row).collect()),
        warnings: vec!["w\"".to_owned()],
        infos: vec!["i".to_owned(), "j".to_owned()],
        samples_read: 0,
    }
}

async fn bytes(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

/// What the pieces say, read back.
fn check(json: &[u8], rows: usize, samples: usize) {
    let json: Json = serde_json::from_slice(json).unwrap();
    assert_eq!((&json["status"], &json["warnings"][0]), (&"success".into(), &"w\"".into()));
    assert_eq!(json["infos"], serde_json::json!(["i", "j"]));
    let result = json["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), rows);
    for (place, row) in result.iter().enumerate() {
        assert_eq!(row["metric"]["n"], place.to_string());
        let values = row["values"].as_array().unwrap();
        assert_eq!(values.len(), samples);
        for (step, value) in values.iter().enumerate() {
            let time = (1_700_000_000_123 + step as i64 * 15_000) as f64 / 1e3;
            assert_eq!(value[0].as_f64().unwrap(), time);
            let number: f64 = value[1].as_str().unwrap().parse().unwrap();
            assert_eq!(number, (place * step) as f64 / 7.0);
        }
    }
}

#[tokio::test]
async fn matrices_are_whole_however_many_pieces_they_take() {
    // Of nothing, of one piece, of several, of rows longer than a piece.
    for (rows, samples) in [(0, 0), (3, 0), (2, 10), (300, 20), (2, 9_000)] {
        let plain = outcome(Wanted { gzip: false }, matrix_of(rows, samples), ());
        check(&bytes(plain).await, rows, samples);
        let packed = outcome(Wanted { gzip: true }, matrix_of(rows, samples), ());
        let is_packed = packed.headers().get(header::CONTENT_ENCODING).is_some();
        let body = bytes(packed).await;
        assert_eq!(is_packed, rows * samples > 1000, "{rows} {samples}");
        let mut json = Vec::new();
        if is_packed {
            flate2::read::GzDecoder::new(&*body).read_to_end(&mut json).unwrap();
        } else {
            json = body.to_vec();
        }
        check(&json, rows, samples);
    }
}

#[tokio::test]
async fn vectors_scalars_and_strings() {
    let elements = (0..5_000).map(|place| Element {
        labels: Labels::from_pairs([("n", place.to_string())]),
        time: 1500,
        value: f64::from(place),
    });
    let of = |value| Outcome { value, warnings: vec![], infos: vec![], samples_read: 0 };
    let many = outcome(Wanted { gzip: false }, of(Value::Vector(elements.collect())), ());
    let json: Json = serde_json::from_slice(&bytes(many).await).unwrap();
    assert_eq!(json["data"]["result"].as_array().unwrap().len(), 5_000);
    assert_eq!(json["data"]["result"][4999]["value"], serde_json::json!([1.5, "4999"]));
    for (value, expected) in [
        (Value::Vector(vec![]), r#"vector","result":[]"#),
        (Value::Scalar { time: 1, value: f64::NAN }, r#"scalar","result":[0.001,"NaN"]"#),
        (Value::String { time: 0, value: "a\n".into() }, r#"string","result":[0,"a\n"]"#),
    ] {
        let body = bytes(outcome(Wanted { gzip: true }, of(value), ())).await;
        let expected = format!(r#"{{"status":"success","data":{{"resultType":"{expected}}}}}"#);
        assert_eq!(body, expected.as_bytes());
    }
}

#[test]
fn gzip_is_taken_by_those_who_say_so() {
    for (line, expected) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip; q=0.000", false),
        ("br", false),
        ("", false),
    ] {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, line.parse().unwrap())]);
        assert_eq!(takes_gzip(&headers), expected, "{line}");
    }
}
