//! What a query is asked with and what it answers: times, bounds, values, errors.

use std::fmt;

use thiserror::Error;

use crate::labels::Labels;
use crate::sample::Samples;
use crate::source::ReadError;

/// Values one query may hold at once, if nothing else is said: the default of Prometheus
/// (`--query.max-samples`). Eight bytes each, or sixteen with its time.
pub const SAMPLES_MAX: u64 = 50_000_000;
/// Samples one query may read, one series after the other, if nothing else is said: some seconds of
/// work.
pub const READ_MAX: u64 = 1_000_000_000;
/// Steps of a range query, if nothing else is said: what Prometheus allows a query over its API.
pub const STEPS_MAX: u32 = 11_000;
/// Series a query may hold in one intermediate result, if nothing else is said.
pub const SERIES_MAX: u32 = 1_000_000;
/// How far back an instant selector looks for a sample, if nothing else is said, milliseconds.
pub const LOOKBACK: i64 = 300_000;
/// Step of a subquery that names none, if nothing else is said, milliseconds.
pub const INTERVAL: i64 = 60_000;

/// Bounds and settings of one query.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Values that may be held at once. Samples are read series by series: those of one count.
    pub samples_max: u64,
    /// Samples that may be read from the source in all.
    pub read_max: u64,
    /// Steps of a range query; those of a subquery are counted among values held.
    pub steps_max: u32,
    /// Series of the result and of every intermediate one.
    pub series_max: u32,
    /// How far back an instant selector looks for a sample, milliseconds; more than none.
    pub lookback: i64,
    /// Step of a subquery that names none, milliseconds; more than none.
    pub interval: i64,
    /// Asked now and then; a query whose time is over ends with [`QueryError::Interrupted`].
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Default for Limits<'_> {
    fn default() -> Self {
        Self {
            samples_max: SAMPLES_MAX,
            read_max: READ_MAX,
            steps_max: STEPS_MAX,
            series_max: SERIES_MAX,
            lookback: LOOKBACK,
            interval: INTERVAL,
            interrupted: &|| false,
        }
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("samples_max", &self.samples_max)
            .field("read_max", &self.read_max)
            .field("steps_max", &self.steps_max)
            .field("series_max", &self.series_max)
            .field("lookback", &self.lookback)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// The times a query is evaluated at: `start`, `start + step`, … up to `end`. Milliseconds since
/// 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The first.
    pub start: i64,
    /// None is later.
    pub end: i64,
    /// From one to the next; more than none.
    pub step: i64,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the expression evaluates to.
    pub value: Value,
    /// What is probably wrong with the query or the data, in Prometheus' words (`PromQL warning: …`);
    /// sorted, each once.
    pub warnings: Vec<String>,
    /// What may be worth knowing (`PromQL info: …`); sorted, each once.
    pub infos: Vec<String>,
    /// Samples read from the source.
    pub samples_read: u64,
}

/// What an expression evaluates to. Times are milliseconds since 1970.
///
/// A range query answers with a matrix always: a scalar becomes a row without labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar {
        /// When it was asked for.
        time: i64,
        /// The number.
        value: f64,
    },
    /// One text.
    String {
        /// When it was asked for.
        time: i64,
        /// The text.
        value: String,
    },
    /// Series with one value each, in the order of the expression where it has one (`sort`, `topk`).
    Vector(Vec<Element>),
    /// Series with values at many times, sorted by labels.
    Matrix(Vec<Row>),
}

/// One series of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Which series.
    pub labels: Labels,
    /// When it was asked for, milliseconds since 1970.
    pub time: i64,
    /// Its value.
    pub value: f64,
}

/// One series of a range vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which series.
    pub labels: Labels,
    /// Its values; not empty, none stale.
    pub samples: Samples,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The text is no query.
    #[error("parse error: {message}")]
    Parse {
        /// What is wrong with it.
        message: String,
        /// Where, in bytes from the start of the text; `None` if that cannot be told.
        position: Option<usize>,
    },
    /// It would touch too much; the words name the bound and its value.
    #[error("{0}")]
    Limit(String),
    /// Its time was over.
    #[error("query timed out in expression evaluation")]
    Interrupted,
    /// The data do not allow an answer; in Prometheus' words.
    #[error("{0}")]
    Execution(String),
    /// The source failed.
    #[error("expanding series: {0}")]
    Read(#[from] ReadError),
}
