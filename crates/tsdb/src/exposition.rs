//! What a target tells about itself: the text formats of Prometheus and OpenMetrics.
//!
//! [`Exposition`] writes the format that every scraper reads; [`Parser`] reads both formats, as
//! strictly as their documents are written; [`Format::of`] tells from a response's `Content-Type`
//! which of the two its body is in. The protobuf format is left out.

mod format;
mod metric_type;
mod parse;
mod write;

pub use format::{ACCEPT, Choice, Format, UnknownFormat};
pub use metric_type::MetricType;
pub use parse::{
    Bound, EXEMPLAR_CHARACTERS_MAX, Escaped, Event, Exemplar, Label, Limits, ParseError, Parser,
    Part, Reason, Sample,
};
pub use write::{CONTENT_TYPE, Exposition, Family, Kind};
