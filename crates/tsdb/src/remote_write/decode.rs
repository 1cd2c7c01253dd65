//! Reading a request.
//!
//! The message is walked once; texts and samples are copied out into one piece each, in which series
//! are ranges. So a request takes little more memory than its message, whatever it holds.

use std::cmp::Ordering;

use thiserror::Error;

use super::METRIC_TYPES;
use super::protobuf::{Fields, Value, WireError};
use crate::exposition::MetricType;
use crate::labels::{Labels, NAME};

/// How much of a request is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the message after decompression, which are taken at once.
    pub message_bytes: usize,
    /// Series of a request.
    pub series: usize,
    /// Samples of a request.
    pub samples: usize,
    /// Labels of a series, with the name.
    pub labels: usize,
    /// Families whose metadata a request tells.
    pub metadata: usize,
}

impl Default for Limits {
    /// What Prometheus sends is hundred times smaller: 32 MiB, 100 000 series, 500 000 samples, 128
    /// labels, 20 000 families.
    fn default() -> Self {
        Self {
            message_bytes: 32 << 20,
            series: 100_000,
            samples: 500_000,
            labels: 128,
            metadata: 20_000,
        }
    }
}

/// A request that cannot be taken. All of them are the sender's (status 400), who must not send the
/// same again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RemoteWriteError {
    /// Not a snappy block.
    #[error(
        "the body is no snappy block ({0}); remote write sends `Content-Encoding: snappy` in the \
         block format, not the framed one"
    )]
    Snappy(String),
    /// More than is taken.
    #[error("the request has more than {max} {what}, the most that is taken; send less at once")]
    Bound {
        /// Of what.
        what: &'static str,
        /// How much is taken.
        max: usize,
    },
    /// A series is wrong.
    #[error("series {series} of the request (counted from 0): {source}")]
    Series {
        /// Its place.
        series: usize,
        /// What is wrong.
        source: SeriesError,
    },
    /// Not a protobuf message outside of series.
    #[error("the message is no WriteRequest of remote write 1.0: {0}")]
    Wire(#[from] WireError),
}

/// What is wrong with a series. Rules are those of the specification's "Labels" and "Ordering".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SeriesError {
    /// Not a protobuf message.
    #[error("it is no TimeSeries of remote write 1.0: {0}")]
    Wire(#[from] WireError),
    /// No `__name__`.
    #[error("it has no label `__name__`")]
    Nameless,
    /// A label without a name.
    #[error("a label has no name")]
    EmptyName,
    /// A label without a value.
    #[error("label `{0}` is empty; leave it out")]
    EmptyValue(String),
    /// A name twice.
    #[error("label `{0}` is there twice")]
    Duplicate(String),
    /// Not sorted.
    #[error("label `{name}` stands after `{before}`; labels are sorted by name")]
    Unsorted {
        /// The name.
        name: String,
        /// That of the label before.
        before: String,
    },
    /// Samples not in their order.
    #[error("a sample of {time} ms stands after one of {before} ms; samples are sorted by time")]
    Time {
        /// Milliseconds since 1970.
        time: i64,
        /// Of the sample before.
        before: i64,
    },
}

/// A request that was received and checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Names and values.
    text: String,
    /// Where each name and each value ends in `text`.
    ends: Vec<u32>,
    samples: Vec<(i64, f64)>,
    /// Where the labels of each series end in `ends`, and its samples in `samples`.
    series: Vec<(u32, u32)>,
    metadata: Vec<Metadata>,
    histograms: usize,
}

/// A series of a request.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    text: &'a str,
    /// Where its text begins.
    start: usize,
    ends: &'a [u32],
    /// Milliseconds since 1970 and values, by time that never falls; may be empty, because exemplars
    /// and histograms come alone.
    pub samples: &'a [(i64, f64)],
}

/// What a sender knows of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub family: String,
    /// What its samples mean.
    pub kind: MetricType,
    /// What it is, for people.
    pub help: String,
    /// Its unit.
    pub unit: String,
}

impl<'a> Series<'a> {
    /// Names, rising strictly, and values.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut start = self.start;
        self.ends.as_chunks::<2>().0.iter().map(move |[name, value]| {
            let (name, value) = (*name as usize, *value as usize);
            let pair = (&self.text[start..name], &self.text[name..value]);
            start = value;
            pair
        })
    }

    /// The identity of the series.
    pub fn to_labels(self) -> Labels {
        Labels::from_sorted(self.labels())
    }
}

impl Request {
    /// Of a body.
    ///
    /// # Errors
    /// When it is not what the specification says, or too much; see [`RemoteWriteError`].
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, RemoteWriteError> {
        let failed = |error: snap::Error| RemoteWriteError::Snappy(error.to_string());
        let bytes = snap::raw::decompress_len(body).map_err(failed)?;
        // Places in it are 32-bit numbers.
        let max = limits.message_bytes.min(u32::MAX as usize);
        if bytes > max {
            return Err(RemoteWriteError::Bound { what: "bytes after decompression", max });
        }
        let message = snap::raw::Decoder::new().decompress_vec(body).map_err(failed)?;
        Self::of_message(&message, limits)
    }

    fn of_message(message: &[u8], limits: &Limits) -> Result<Self, RemoteWriteError> {
        let mut request = Self::default();
        let mut fields = Fields(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => request.add_series(value.bytes(field)?, limits)?,
                3 => {
                    if request.metadata.len() == limits.metadata {
                        let (what, max) = ("families with metadata", limits.metadata);
                        return Err(RemoteWriteError::Bound { what, max });
                    }
                    let metadata = metadata(value.bytes(field)?)?;
                    request.metadata.push(metadata);
                }
                // Fields of later versions mean nothing here, as everywhere in protobuf.
                _ => {}
            }
        }
        Ok(request)
    }

    /// The series in their order. The same may come twice.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_>> {
        let (mut first_end, mut first_sample) = (0_usize, 0_usize);
        self.series.iter().map(move |(end, sample)| {
            let (end, sample) = (*end as usize, *sample as usize);
            let start = first_end.checked_sub(1).map_or(0, |before| self.ends[before]);
            let series = Series {
                text: &self.text,
                start: start as usize,
                ends: &self.ends[first_end..end],
                samples: &self.samples[first_sample..sample],
            };
            (first_end, first_sample) = (end, sample);
            series
        })
    }

    /// Samples of all series.
    pub fn samples_len(&self) -> usize {
        self.samples.len()
    }

    /// What the sender tells of families.
    pub fn metadata(&self) -> &[Metadata] {
        &self.metadata
    }

    /// How many native histograms were left out: the sender should be told.
    pub fn histograms_len(&self) -> usize {
        self.histograms
    }

    fn add_series(&mut self, message: &[u8], limits: &Limits) -> Result<(), RemoteWriteError> {
        let place = self.series.len();
        if place == limits.series {
            return Err(RemoteWriteError::Bound { what: "series", max: limits.series });
        }
        let first_end = self.ends.len();
        let failed = |source: SeriesError| RemoteWriteError::Series { series: place, source };
        let mut fields = Fields(message);
        let (mut last_name, mut last_time, mut has_name) = ("", None, false);
        while let Some((field, value)) = fields.next().map_err(|error| failed(error.into()))? {
            match field {
                1 => {
                    if self.ends.len() - first_end == limits.labels * 2 {
                        let (what, max) = ("labels in a series", limits.labels);
                        return Err(RemoteWriteError::Bound { what, max });
                    }
                    last_name = self.add_label(last_name, value).map_err(failed)?;
                    has_name |= last_name == NAME;
                }
                2 => {
                    if self.samples.len() == limits.samples {
                        let (what, max) = ("samples", limits.samples);
                        return Err(RemoteWriteError::Bound { what, max });
                    }
                    let (time, value) = sample(value).map_err(|error| failed(error.into()))?;
                    if let Some(before) = last_time.filter(|before| *before > time) {
                        return Err(failed(SeriesError::Time { time, before }));
                    }
                    last_time = Some(time);
                    self.samples.push((time, value));
                }
                // Exemplars and native histograms are not looked into.
                3 | 4 => {
                    value.bytes(field).map_err(|error| failed(error.into()))?;
                    self.histograms += usize::from(field == 4);
                }
                _ => {}
            }
        }
        // Text and samples are bounded by the message, whose length is a 32-bit number.
        self.series.push((self.ends.len() as u32, self.samples.len() as u32));
        if has_name { Ok(()) } else { Err(failed(SeriesError::Nameless)) }
    }

    /// Checks a label against the name before and keeps it. Returns its name.
    fn add_label<'a>(&mut self, before: &str, value: Value<'a>) -> Result<&'a str, SeriesError> {
        let (mut name, mut text) = ("", "");
        let mut fields = Fields(value.bytes(1)?);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => name = value.text(field)?,
                2 => text = value.text(field)?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err(SeriesError::EmptyName);
        }
        if text.is_empty() {
            return Err(SeriesError::EmptyValue(name.to_owned()));
        }
        match name.cmp(before) {
            Ordering::Greater => {}
            Ordering::Equal => return Err(SeriesError::Duplicate(name.to_owned())),
            Ordering::Less => {
                let (name, before) = (name.to_owned(), before.to_owned());
                return Err(SeriesError::Unsorted { name, before });
            }
        }
        for part in [name, text] {
            self.text.push_str(part);
            self.ends.push(self.text.len() as u32);
        }
        Ok(name)
    }
}

/// `prometheus.Sample`
fn sample(value: Value<'_>) -> Result<(i64, f64), WireError> {
    let (mut time, mut figure) = (0, 0.0);
    let mut fields = Fields(value.bytes(2)?);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => figure = value.double(field)?,
            2 => time = value.integer(field)?,
            _ => {}
        }
    }
    Ok((time, figure))
}

/// `prometheus.MetricMetadata`
fn metadata(message: &[u8]) -> Result<Metadata, WireError> {
    let (mut kind, mut family, mut help, mut unit) = (0, "", "", "");
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => kind = value.integer(field)?,
            2 => family = value.text(field)?,
            4 => help = value.text(field)?,
            5 => unit = value.text(field)?,
            _ => {}
        }
    }
    // A type of a later version is one that nobody knows.
    let kind = usize::try_from(kind).ok().and_then(|kind| METRIC_TYPES.get(kind));
    Ok(Metadata {
        family: family.to_owned(),
        kind: kind.copied().unwrap_or_default(),
        help: help.to_owned(),
        unit: unit.to_owned(),
    })
}
