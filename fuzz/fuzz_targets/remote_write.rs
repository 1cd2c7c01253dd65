//! Requests: what is accepted keeps its bounds and rules, and reads back when it is encoded again.
//!
//! The first byte says whether the rest is a body or a message to be compressed first, so that chance
//! gets past snappy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::remote_write::{Encoder, Limits, Request};

const LIMITS: Limits =
    Limits { message_bytes: 4096, series: 32, samples: 64, labels: 8, metadata: 8 };

fn check(request: &Request) {
    assert!(request.series().len() <= LIMITS.series);
    assert!(request.metadata().len() <= LIMITS.metadata);
    let samples: usize = request.series().map(|series| series.samples.len()).sum();
    assert_eq!(samples, request.samples_len());
    assert!(samples <= LIMITS.samples);
    for series in request.series() {
        let labels: Vec<_> = series.labels().collect();
        assert!(labels.len() <= LIMITS.labels);
        assert!(labels.is_sorted_by(|one, other| one.0 < other.0));
        assert!(labels.iter().all(|(name, value)| !name.is_empty() && !value.is_empty()));
        assert!(labels.iter().any(|(name, _)| *name == "__name__"));
        assert!(series.samples.is_sorted_by_key(|sample| sample.0));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let compressed;
    let body = if kind % 2 == 0 {
        compressed = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
        &compressed
    } else {
        bytes
    };
    let request = match Request::decode(body, &LIMITS) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    check(&request);
    let mut encoder = Encoder::new();
    for series in request.series() {
        encoder.series(&series.to_labels(), series.samples);
    }
    for family in request.metadata() {
        encoder.metadata(&family.family, family.kind, &family.help, &family.unit);
    }
    let again = Request::decode(&encoder.finish().unwrap(), &Limits::default()).unwrap();
    assert_eq!(again.metadata(), request.metadata());
    assert_eq!(again.series().len(), request.series().len());
    for (one, other) in again.series().zip(request.series()) {
        assert_eq!(one.to_labels(), other.to_labels());
        let bits = |samples: &[(i64, f64)]| -> Vec<_> {
            samples.iter().map(|(time, value)| (*time, value.to_bits())).collect()
        };
        assert_eq!(bits(one.samples), bits(other.samples));
    }
});
