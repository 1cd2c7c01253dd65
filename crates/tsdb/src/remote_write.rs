//! Remote write 1.0: the messages by which agents and other Prometheuses push samples.
//!
//! A body is a protobuf message in a snappy block. Both ends are here: [`Request`] is one that was
//! received, [`Encoder`] makes one to send. What is received is foreign: sizes are checked before
//! memory is taken, and the whole message is checked before any of it is handed out, so that a
//! sender's mistake stores nothing.
//!
//! The message has five kinds of record with two to four fields each, so that it is read and written
//! here, field by field, rather than through structures of a protobuf library: those would be
//! allocated before any bound on series or samples could hold (a series takes two bytes in a message
//! and seventy in memory).
//!
//! It leaves out exemplars, which are skipped, native histograms, which are counted, and version 2.0
//! of the protocol.
//!
//! Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.

mod decode;
mod encode;
mod protobuf;

pub use decode::{Limits, Metadata, RemoteWriteError, Request, Series, SeriesError};
pub use encode::{Encoder, TooLarge};
pub use protobuf::WireError;

/// The value of `Content-Type` of a request.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// The value of `Content-Encoding` of a request.
pub const CONTENT_ENCODING: &str = "snappy";

/// The header that names the version, and its value.
pub const VERSION_HEADER: (&str, &str) = ("X-Prometheus-Remote-Write-Version", "0.1.0");

/// `MetricMetadata.MetricType` of `types.proto`, by its numbers.
const METRIC_TYPES: [crate::exposition::MetricType; 8] = {
    use crate::exposition::MetricType;
    [
        MetricType::Unknown,
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::GaugeHistogram,
        MetricType::Summary,
        MetricType::Info,
        MetricType::StateSet,
    ]
};

#[cfg(test)]
mod tests;
