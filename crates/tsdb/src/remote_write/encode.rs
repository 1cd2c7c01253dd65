//! Making a request.

use thiserror::Error;

use super::METRIC_TYPES;
use super::protobuf::{field_bytes, put_double, put_integer, put_length, put_text, varint_bytes};
use crate::exposition::MetricType;
use crate::labels::Labels;

/// A request being made: series after series, each once.
///
/// ```
/// use tsdb::labels::Labels;
/// use tsdb::remote_write::{Encoder, Limits, Request};
///
/// let up = Labels::from_pairs([("__name__", "up"), ("job", "web")]);
/// let mut encoder = Encoder::new();
/// encoder.series(&up, &[(1_763_690_000_000, 1.0)]);
/// let body = encoder.finish()?;
/// let request = Request::decode(&body, &Limits::default())?;
/// assert_eq!(request.series().next().map(|series| series.to_labels()), Some(up));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    message: Vec<u8>,
}

/// More than a snappy block holds: 4 GiB.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{bytes} bytes do not fit into one remote-write request; send fewer samples at once")]
pub struct TooLarge {
    /// What the message takes.
    pub bytes: usize,
}

impl Encoder {
    /// An empty request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series with its samples: milliseconds since 1970, rising, and values
    /// ([`crate::sample::STALE`] says that it ended).
    pub fn series(&mut self, labels: &Labels, samples: &[(i64, f64)]) {
        let label_bytes = |(name, value): (&str, &str)| text_bytes(name) + text_bytes(value);
        let size: usize = labels
            .iter()
            .map(|label| field_bytes(label_bytes(label)))
            .chain(samples.iter().map(|sample| field_bytes(sample_bytes(*sample))))
            .sum();
        let out = &mut self.message;
        put_length(out, 1, size);
        for (name, value) in labels.iter() {
            put_length(out, 1, label_bytes((name, value)));
            put_text(out, 1, name);
            put_text(out, 2, value);
        }
        for (time, value) in samples {
            put_length(out, 2, sample_bytes((*time, *value)));
            put_double(out, 1, *value);
            put_integer(out, 2, *time);
        }
    }

    /// Adds what is known of a family. Prometheus sends it apart from samples, and rarely.
    pub fn metadata(&mut self, family: &str, kind: MetricType, help: &str, unit: &str) {
        let number = METRIC_TYPES.iter().position(|known| *known == kind).unwrap_or(0);
        // Numbers of types are below 128 and take a byte.
        let kind_bytes = if number == 0 { 0 } else { 2 };
        let size = kind_bytes + text_bytes(family) + text_bytes(help) + text_bytes(unit);
        let out = &mut self.message;
        put_length(out, 3, size);
        put_integer(out, 1, number as i64);
        put_text(out, 2, family);
        put_text(out, 4, help);
        put_text(out, 5, unit);
    }

    /// Bytes of the message so far, not compressed: to send it before it is too large.
    pub fn message_bytes(&self) -> usize {
        self.message.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    /// The body of the request.
    ///
    /// # Errors
    /// When it does not fit into one.
    pub fn finish(self) -> Result<Vec<u8>, TooLarge> {
        // What snappy refuses is size alone.
        snap::raw::Encoder::new()
            .compress_vec(&self.message)
            .map_err(|_| TooLarge { bytes: self.message.len() })
    }
}

/// Bytes of a text's field, which is left out if empty.
fn text_bytes(text: &str) -> usize {
    if text.is_empty() { 0 } else { field_bytes(text.len()) }
}

fn sample_bytes((time, value): (i64, f64)) -> usize {
    let value_bytes = if value.to_bits() == 0 { 0 } else { 9 };
    let time_bytes = if time == 0 { 0 } else { 1 + varint_bytes(time as u64) };
    value_bytes + time_bytes
}
