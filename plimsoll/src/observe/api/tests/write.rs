//! Remote write in: what is stored, what is refused, and with which status.

use tsdb::exposition::Exposition;
use tsdb::remote_write::Encoder;

use super::*;

async fn send(fixture: &Fixture, body: Vec<u8>, lines: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method("POST").uri("/api/v1/write");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const LINES: [(&str, &str); 2] =
    [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];

#[tokio::test]
async fn what_fits_is_stored_and_the_rest_is_told() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let now = now();
    let of = |name: &str| Labels::from_pairs([("__name__", name), ("job", "agent")]);
    let body =
        |series: &[(&str, i64, f64)]| encoded(series.iter().map(|(n, t, v)| (of(n), *t, *v)));
    let first = body(&[("a", now - 2000, 1.0), ("b", now - 2000, 1.0)]);
    assert_eq!(send(&fixture, first.clone(), &LINES).await, (204, String::new()));
    // The same again is no mistake: a sender that got no answer sends it again.
    assert_eq!(send(&fixture, first, &LINES).await, (204, String::new()));
    let mixed = body(&[
        ("a", now - 3000, 1.0),
        ("b", now - 2000, 2.0),
        ("c", now - 1000, 3.0),
        ("d", now + 3_600_000, 4.0),
    ]);
    let (status, words) = send(&fixture, mixed, &LINES).await;
    assert_eq!(status, 400, "{words}");
    for part in [
        "3 of 4 samples are refused, the others are stored (",
        "1: out of order sample",
        "1: duplicate sample for timestamp",
        "1: too far ahead",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let mut exposition = Exposition::new();
    fixture.received.expose(&mut exposition);
    let text = exposition.finish();
    for line in [
        "plimsoll_remote_write_receiver_requests_total{code=\"204\"} 2\n",
        "plimsoll_remote_write_receiver_requests_total{code=\"400\"} 1\n",
        "plimsoll_remote_write_receiver_samples_total 3\n",
        "plimsoll_remote_write_receiver_refused_samples_total 3\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let (_, json) = fixture.json("GET /api/v1/query?query=c").await;
    assert_eq!(json["data"]["result"][0]["value"][1], "3");
}

#[tokio::test]
async fn what_has_no_place_is_told() {
    let full = Options { memory_bytes_max: 0, ..Options::default() };
    let fixture = Fixture::new(settings(), full, Vec::new());
    let series = Labels::from_pairs([("__name__", "a")]);
    let body = encoded([(series, now(), 1.0)].into_iter());
    let (status, words) = send(&fixture, body.clone(), &LINES).await;
    assert_eq!(status, 503, "{words}");
    assert!(words.contains("the memory for young samples is full"), "{words}");

    let few = Options { series_max: 0, ..Options::default() };
    let fixture = Fixture::new(settings(), few, Vec::new());
    let (status, words) = send(&fixture, body, &LINES).await;
    assert_eq!(status, 400, "{words}");
    assert!(words.contains("no new series: there are 0 with young samples"), "{words}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let body = encoded([(Labels::from_pairs([("__name__", "a")]), now(), 1.0)].into_iter());
    let v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    for (body, lines, status, expected) in [
        (body.clone(), vec![], 204, ""),
        (body.clone(), vec![("content-type", v2)], 415, "remote write 1.0"),
        (body.clone(), vec![("content-type", "text/plain")], 415, "text/plain"),
        (body.clone(), vec![("content-encoding", "gzip")], 415, "the encoding is gzip"),
        (b"junk".to_vec(), LINES.to_vec(), 400, "no snappy block"),
        (vec![0; (32 << 20) + 1], LINES.to_vec(), 413, "33554432 bytes"),
    ] {
        let (found, words) = send(&fixture, body, &lines).await;
        assert_eq!(found, status, "{words}");
        assert!(words.contains(expected), "{words}");
    }
    let off = Observe { remote_write_receiver: false, ..settings() };
    let fixture = Fixture::new(off, Options::default(), Vec::new());
    let (status, words) = send(&fixture, body, &LINES).await;
    assert_eq!(status, 404);
    assert!(words.contains("`remote_write_receiver = true` in [observe]"), "{words}");
}

fn encoded(series: impl Iterator<Item = (Labels, i64, f64)>) -> Vec<u8> {
    let mut encoder = Encoder::new();
    series.for_each(|(labels, time, value)| encoder.series(&labels, &[(time, value)]));
    encoder.finish().unwrap()
}
