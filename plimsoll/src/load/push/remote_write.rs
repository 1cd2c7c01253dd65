//! Remote write 1.0: samples as a protobuf message in a snappy block.
//!
//! Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use thiserror::Error;

use super::figures::{Sample, SeriesName};

/// The value that says that a series ends (spec, "Stale markers").
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// `prometheus.WriteRequest`, its metadata left out.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// Each series once.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// `prometheus.TimeSeries`
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Sorted by name, `__name__` included.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Sorted by time.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<TimedValue>,
}

/// `prometheus.Label`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Label {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `prometheus.Sample`
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TimedValue {
    /// The figure.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// Samples of one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The figures.
    pub samples: Vec<Sample>,
}

/// Too much for a snappy block.
#[derive(Debug, Error)]
#[error("the figures do not fit into one message: {0}")]
pub struct TooLarge(#[from] snap::Error);

/// The body of a request that writes all these moments, which rise. `end`, milliseconds since 1970
/// and later than all of them, adds to each of their series, and to those that were `told` before,
/// that it is over.
///
/// # Errors
/// When there is too much for one message.
pub fn body(
    moments: &[Moment],
    common: &[(String, String)],
    told: &BTreeSet<SeriesName>,
    end: Option<i64>,
) -> Result<Vec<u8>, TooLarge> {
    let mut series: BTreeMap<Vec<Label>, Vec<TimedValue>> = BTreeMap::new();
    for moment in moments {
        for sample in &moment.samples {
            let value = TimedValue { value: sample.value, timestamp: moment.at };
            series.entry(labels(sample, common)).or_default().push(value);
        }
    }
    if let Some(timestamp) = end {
        for name in told {
            series.entry(labels(&Sample::of(name.clone(), STALE), common)).or_default();
        }
        let value = TimedValue { value: STALE, timestamp };
        series.values_mut().for_each(|samples| samples.push(value));
    }
    let timeseries =
        series.into_iter().map(|(labels, samples)| TimeSeries { labels, samples }).collect();
    let message = WriteRequest { timeseries }.encode_to_vec();
    Ok(snap::raw::Encoder::new().compress_vec(&message)?)
}

fn labels(sample: &Sample, common: &[(String, String)]) -> Vec<Label> {
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let mut labels = vec![label("__name__", sample.name())];
    labels.extend(sample.label().map(|(name, value)| label(name, value)));
    labels.extend(common.iter().map(|(name, value)| label(name, value)));
    labels.sort_unstable();
    labels
}
