use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::exposition::MetricType;
use crate::labels::Labels;

/// The same messages by another's hand: `prometheus.WriteRequest` as prost reads and writes it.
mod witness {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<TimeSeries>,
        #[prost(message, repeated, tag = "3")]
        pub metadata: Vec<MetricMetadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(bytes = "vec", repeated, tag = "3")]
        pub exemplars: Vec<Vec<u8>>,
        #[prost(bytes = "vec", repeated, tag = "4")]
        pub histograms: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Label {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(double, tag = "1")]
        pub value: f64,
        #[prost(int64, tag = "2")]
        pub timestamp: i64,
    }

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct MetricMetadata {
        #[prost(int32, tag = "1")]
        pub kind: i32,
        #[prost(string, tag = "2")]
        pub family: String,
        #[prost(string, tag = "4")]
        pub help: String,
        #[prost(string, tag = "5")]
        pub unit: String,
    }
}

use witness::WriteRequest;

fn compressed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

fn decompressed(body: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(body).unwrap()
}

fn decode(message: &WriteRequest) -> Result<Request, RemoteWriteError> {
    Request::decode(&compressed(&message.encode_to_vec()), &Limits::default())
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> witness::TimeSeries {
    let label = |(name, value): &(&str, &str)| witness::Label {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    let sample =
        |(timestamp, value): &(i64, f64)| witness::Sample { timestamp: *timestamp, value: *value };
    witness::TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples.iter().map(sample).collect(),
        ..Default::default()
    }
}

fn request(timeseries: Vec<witness::TimeSeries>) -> WriteRequest {
    WriteRequest { timeseries, metadata: Vec::new() }
}

#[test]
fn a_request_is_read() {
    let mut up = series(&[("__name__", "up"), ("job", "web")], &[(-5, 1.0), (0, 0.0), (0, 2.5)]);
    up.exemplars = vec![vec![0x10, 1]];
    let mut down = series(&[("__name__", "down"), ("zöne", "é\n")], &[]);
    down.histograms = vec![vec![0x08, 1]; 2];
    let mut message = request(vec![up, down]);
    let (family, help, unit) = ("up_seconds".to_owned(), "Up.".to_owned(), "seconds".to_owned());
    message.metadata = vec![
        witness::MetricMetadata { kind: 2, family, help, unit },
        witness::MetricMetadata { kind: 99, ..Default::default() },
    ];
    let request = decode(&message).unwrap();
    let found: Vec<_> = request
        .series()
        .map(|series| (series.to_labels().to_string(), series.samples.to_vec()))
        .collect();
    assert_eq!(
        found,
        [
            ("up{job=\"web\"}".to_owned(), vec![(-5, 1.0), (0, 0.0), (0, 2.5)]),
            ("down{zöne=\"é\\n\"}".to_owned(), vec![]),
        ]
    );
    assert_eq!((request.samples_len(), request.histograms_len()), (3, 2));
    let kinds: Vec<_> = request.metadata().iter().map(|family| family.kind).collect();
    assert_eq!(kinds, [MetricType::Gauge, MetricType::Unknown]);
    assert_eq!(request.metadata()[0].unit, "seconds");
}

#[test]
fn a_stale_marker_stays_what_it_is() {
    let message = request(vec![series(&[("__name__", "up")], &[(1, crate::sample::STALE)])]);
    let request = decode(&message).unwrap();
    let value = request.series().next().unwrap().samples[0].1;
    assert!(crate::sample::is_stale(value));
}

#[test]
fn what_is_wrong_with_a_request_is_told() {
    let one = |labels: &[(&str, &str)], samples: &[(i64, f64)]| {
        let first = series(&[("__name__", "a")], &[(1, 1.0)]);
        decode(&request(vec![first, series(labels, samples)])).unwrap_err().to_string()
    };
    let series = "series 1 of the request (counted from 0): ";
    for (found, expected) in [
        (one(&[("a", "1")], &[]), "it has no label `__name__`"),
        (one(&[], &[(1, 1.0)]), "it has no label `__name__`"),
        (one(&[("", "1"), ("__name__", "a")], &[]), "a label has no name"),
        (one(&[("__name__", "a"), ("b", "")], &[]), "label `b` is empty; leave it out"),
        (one(&[("__name__", "a"), ("b", "1"), ("b", "1")], &[]), "label `b` is there twice"),
        (
            one(&[("__name__", "a"), ("c", "1"), ("b", "1")], &[]),
            "label `b` stands after `c`; labels are sorted by name",
        ),
        (
            one(&[("__name__", "a")], &[(5, 1.0), (4, 1.0)]),
            "a sample of 4 ms stands after one of 5 ms; samples are sorted by time",
        ),
    ] {
        assert_eq!(found, format!("{series}{expected}"));
    }
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let refusal = |message: &[u8]| {
        Request::decode(&compressed(message), &Limits::default()).unwrap_err().to_string()
    };
    let wire = "the message is no WriteRequest of remote write 1.0: ";
    let series = "series 0 of the request (counted from 0): it is no TimeSeries of remote write \
        1.0: ";
    for (message, expected) in [
        (&[0x0a, 0x05, 0x00][..], format!("{wire}the message ends within a field")),
        (&[0x0a, 0x80], format!("{wire}the message ends within a field")),
        (&[0x08, 0x01], format!("{wire}field 1 is not of the type that it has in version 1.0")),
        (&[0x00, 0x01], format!("{wire}a field has the number 0")),
        (&[0xff; 11], format!("{wire}a number has more than 64 bits")),
        (&[0x0b], format!("{wire}field 1 is of wire type 3, which no message of version 1.0 has")),
        (&[0x0a, 0x02, 0x08, 0x01], {
            format!("{series}field 1 is not of the type that it has in version 1.0")
        }),
        (&[0x0a, 0x05, 0x0a, 0x03, 0x0a, 0x01, 0xff], format!("{series}a text is not UTF-8")),
    ] {
        assert_eq!(refusal(message), expected, "{message:x?}");
    }
    let message = Request::decode(b"not snappy", &Limits::default()).unwrap_err().to_string();
    assert!(message.starts_with("the body is no snappy block (snappy: "), "{message}");
    assert!(Request::decode(b"", &Limits::default()).is_err());
    // An empty block is an empty message.
    assert_eq!(Request::decode(&compressed(b""), &Limits::default()), Ok(Request::default()));
}

#[test]
fn a_negative_zero_keeps_its_sign() {
    let mut encoder = Encoder::new();
    encoder.series(&Labels::from_pairs([("__name__", "a")]), &[(1, -0.0)]);
    let request = Request::decode(&encoder.finish().unwrap(), &Limits::default()).unwrap();
    assert!(request.series().next().unwrap().samples[0].1.is_sign_negative());
}

#[test]
fn unknown_fields_are_skipped() {
    // A varint, a fixed64, bytes and a fixed32 as field 15.
    let message = [
        0x78, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 0x01, 0xff, 0x7d, 1, 2, 3, 4, 0x0a, 0x0f,
        0x0a, 0x0d, 0x0a, 0x08, b'_', b'_', b'n', b'a', b'm', b'e', b'_', b'_', 0x12, 0x01, b'a',
    ];
    let request = Request::decode(&compressed(&message), &Limits::default()).unwrap();
    assert_eq!(request.series().next().unwrap().to_labels().to_string(), "a");
}

#[test]
fn bounds_hold_before_memory_is_taken() {
    let limits = Limits { message_bytes: 100, series: 2, samples: 3, labels: 2, metadata: 1 };
    let refusal = |message: &WriteRequest| match Request::decode(
        &compressed(&message.encode_to_vec()),
        &limits,
    ) {
        Err(RemoteWriteError::Bound { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let name = [("__name__", "a")];
    let empty = series(&name, &[]);
    assert_eq!(refusal(&request(vec![empty.clone(); 3])), "series");
    let many = series(&name, &[(1, 1.0), (2, 1.0)]);
    assert_eq!(refusal(&request(vec![many.clone(), many])), "samples");
    let labels = series(&[("__name__", "a"), ("b", "1"), ("c", "1")], &[]);
    assert_eq!(refusal(&request(vec![labels])), "labels in a series");
    let metadata = vec![witness::MetricMetadata::default(); 2];
    let message = WriteRequest { timeseries: Vec::new(), metadata };
    assert_eq!(refusal(&message), "families with metadata");
    let long = "x".repeat(100);
    let message = request(vec![series(&[("__name__", &long)], &[])]);
    assert_eq!(refusal(&message), "bytes after decompression");
    // The length alone says four gigabytes.
    let body = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    assert_eq!(
        Request::decode(&body, &limits).unwrap_err().to_string(),
        "the request has more than 100 bytes after decompression, the most that is taken; send less \
         at once"
    );
}

/// Labels that a series may have.
fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map("[a-z]{1,3}", ".{1,4}", 0..4).prop_map(|pairs| {
        Labels::from_pairs(
            pairs.iter().map(|(name, value)| (&**name, &**value)).chain([("__name__", "a")]),
        )
    })
}

fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((any::<i64>(), any::<f64>()), 0..4).prop_map(|mut samples| {
        samples.sort_by_key(|sample| sample.0);
        // The witness takes a negative zero for the default, and loses its sign.
        samples.iter().map(|(time, value)| (*time, value + 0.0)).collect()
    })
}

fn same(one: &[(i64, f64)], other: &[(i64, f64)]) -> bool {
    let bits = |samples: &[(i64, f64)]| -> Vec<_> {
        samples.iter().map(|(time, value)| (*time, value.to_bits())).collect()
    };
    bits(one) == bits(other)
}

proptest! {
    #[test]
    fn what_is_encoded_is_what_another_encodes_and_reads_back(
        all in prop::collection::vec((labels(), samples()), 0..4),
        families in prop::collection::vec(("[a-z]{0,3}", 0..8_usize, ".{0,4}", "[a-z]{0,3}"), 0..3),
    ) {
        let (mut encoder, mut message) = (Encoder::new(), WriteRequest::default());
        for (labels, samples) in &all {
            encoder.series(labels, samples);
            message.timeseries.push(series(&labels.iter().collect::<Vec<_>>(), samples));
        }
        for (family, kind, help, unit) in &families {
            encoder.metadata(family, METRIC_TYPES[*kind], help, unit);
            let (family, help, unit) = (family.clone(), help.clone(), unit.clone());
            message.metadata.push(witness::MetricMetadata { kind: *kind as i32, family, help, unit });
        }
        prop_assert_eq!(encoder.is_empty(), all.is_empty() && families.is_empty());
        let body = encoder.finish().unwrap();
        prop_assert_eq!(decompressed(&body), message.encode_to_vec());

        let request = Request::decode(&body, &Limits::default()).unwrap();
        prop_assert_eq!(request.series().len(), all.len());
        for (found, (labels, samples)) in request.series().zip(&all) {
            prop_assert_eq!(&found.to_labels(), labels);
            prop_assert!(same(found.samples, samples));
        }
        for (found, (family, kind, help, unit)) in request.metadata().iter().zip(&families) {
            prop_assert_eq!(&found.family, family);
            prop_assert_eq!((&found.help, &found.unit), (help, unit));
            prop_assert_eq!(found.kind, METRIC_TYPES[*kind]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let limits = Limits { message_bytes: 1000, ..Limits::default() };
        let _ = Request::decode(&bytes, &limits);
        let _ = Request::decode(&compressed(&bytes), &limits);
    }

    #[test]
    fn what_is_accepted_with_a_byte_changed_another_accepts(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut message = request(vec![
            series(&[("__name__", "up"), ("job", "web")], &[(1, 1.0), (2, 2.0)]),
            series(&[("__name__", "up"), ("job", "x")], &[]),
        ]).encode_to_vec();
        let place = place.index(message.len());
        message[place] = byte;
        if let Ok(found) = Request::decode(&compressed(&message), &Limits::default()) {
            let witness = WriteRequest::decode(&*message).unwrap();
            prop_assert_eq!(found.series().len(), witness.timeseries.len());
            for (found, witness) in found.series().zip(&witness.timeseries) {
                let pairs = witness.labels.iter().map(|label| (&*label.name, &*label.value));
                prop_assert!(found.labels().eq(pairs));
                prop_assert_eq!(found.samples.len(), witness.samples.len());
            }
        }
    }
}
