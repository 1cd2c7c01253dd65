//! The JSON form of results, as types: what is written, what is read and the schema are made of them.
//!
//! The schema is derived from these very types, doc comments included, so that it cannot say
//! anything else than what is written. Adding, removing or changing a field is a new
//! [`VERSION`](super::VERSION).
//!
//! Left out: how the fields come from results (see `write`) and go back (see `read`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::tally::Failure;

/// Names of kinds of failures, for the schema.
fn failure_names() -> serde_json::Value {
    serde_json::json!({ "enum": Failure::ALL.map(Failure::name) })
}

/// What a run of `plimsoll bench` found out. Times are in seconds, sizes in bytes, shares from 0 to 1.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Results of plimsoll bench")]
pub(super) struct Document {
    /// Requests that ended, well or not, by the time that the run lasted.
    pub requests_per_second: f64,
    /// Requests that failed.
    pub errors: u64,
    /// Response time: in the open model from the time at which a request should have been sent, in
    /// the closed model from when it was sent, to the end of its answer.
    pub latency: Percentiles,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// How long the run lasted, to the end of the last request; exact to the nanosecond.
    pub duration_seconds: f64,
    /// The share of requests that failed.
    pub error_rate: f64,
    /// How the load came about: see `run.groups`.
    pub model: Model,
    /// Says what file this is.
    pub format: Format,
    /// The version of this form. Others differ in their fields.
    #[schemars(extend("const" = super::VERSION))]
    pub version: u32,
    /// What a person must know before believing the figures, the gravest first.
    pub warnings: Vec<WarningDocument>,
    /// What had to hold at the end.
    pub thresholds: Vec<ThresholdDocument>,
    /// What was run, when, and how it ended.
    pub run: RunDocument,
    /// Failed requests by kind.
    #[schemars(extend("propertyNames" = failure_names()))]
    pub failures: BTreeMap<String, u64>,
    /// An example of each kind of failure, in words.
    pub examples: BTreeMap<String, String>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes sent, heads included.
    pub bytes_sent: u64,
    /// Bytes received, heads included.
    pub bytes_received: u64,
    /// From the time at which a request was sent to the end of its answer.
    pub service_time: Percentiles,
    /// From the time at which a request was sent to the first byte of its answer.
    pub first_byte: Percentiles,
    /// The histograms that `latency`, `service_time` and `first_byte` are taken from.
    pub histograms: TallyHistograms,
    /// By label, in the plan's order; requests only.
    pub labels: Vec<LabelDocument>,
    /// Transactions by label: `requests` are rounds, `latency` is what they took.
    pub transactions: Vec<LabelDocument>,
    /// By instance, where answers told which it was.
    pub instances: BTreeMap<String, TallyDocument>,
    /// Answers that named no instance while others did.
    pub unnamed: u64,
    /// How often each check held.
    pub checks: BTreeMap<String, CheckDocument>,
    /// Connections made.
    pub connections: ConnectionsDocument,
    /// How the tester itself did.
    pub tester: TesterDocument,
    /// By time, in buckets of equal width from the start on.
    pub timeline: TimelineDocument,
}

/// `plimsoll-bench-results`, always.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) enum Format {
    /// Results of a run.
    #[serde(rename = "plimsoll-bench-results")]
    Results,
}

/// Seconds by percentile; null where nothing was measured.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Percentiles {
    pub mean: Option<f64>,
    pub min: Option<f64>,
    pub p50: Option<f64>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    #[serde(rename = "p99.9")]
    pub p99_9: Option<f64>,
    #[serde(rename = "p99.99")]
    pub p99_99: Option<f64>,
    pub max: Option<f64>,
}

/// How load came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Model {
    /// Iterations begin at given times, whatever became of earlier ones.
    Open,
    /// A number of users, each of which begins again when it has finished.
    Closed,
    /// Groups of both kinds.
    Mixed,
}

/// Something to know before believing the figures.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WarningDocument {
    /// A name that stays the same.
    pub kind: String,
    /// In words.
    pub text: String,
}

/// Something that had to hold at the end.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdDocument {
    /// As written: `p99<50ms`.
    pub text: String,
    /// Of which label; null for all requests.
    pub label: Option<String>,
    /// What is compared.
    pub measure: MeasureDocument,
    /// How.
    pub comparison: ComparisonDocument,
    /// With what: seconds, requests a second, or a share.
    pub bound: f64,
    /// What it was, in the same unit; null where nothing was measured.
    pub measured: Option<f64>,
    /// Whether it held.
    pub held: bool,
}

/// What a threshold bounds.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MeasureDocument {
    /// A quantile of the response time, from 0 to 1.
    Quantile(f64),
    /// The mean response time.
    Mean,
    /// The longest response time.
    Max,
    /// The share of failed requests.
    Errors,
    /// Requests a second.
    Rate,
}

/// How two numbers are compared.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) enum ComparisonDocument {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
}

/// What was run, when, and how it ended.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunDocument {
    /// The plan's name.
    pub name: String,
    /// The plan's file, or the command line's own words.
    pub source: String,
    /// The command as it was typed.
    pub command: String,
    /// When it began (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// How it ended.
    pub ended: EndedDocument,
    /// Which parts of the load these results are of, one for each process.
    pub parts: Vec<PartDocument>,
    /// The machines that made the load.
    pub machines: Vec<String>,
    /// What the plan's file asks for and was left out (`--skip-unsupported`), each with its place.
    pub left_out: Vec<String>,
    /// What ran at the same time.
    pub groups: Vec<GroupDocument>,
}

/// A part of the load: what one process makes (`--part 0/2`); the 0th of 1 is the whole.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartDocument {
    /// From 0, below `of`.
    pub index: u32,
    /// How many there are.
    #[schemars(range(min = 1))]
    pub of: u32,
}

/// How a run ended.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndedDocument {
    /// As planned.
    Finished,
    /// By Ctrl-C or a signal.
    Interrupted,
    /// Because the plan says so after a failure.
    Stopped,
}

/// How a group's load came about.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupDocument {
    /// The group's name.
    pub name: String,
    /// `open` or `closed`.
    pub model: Model,
    /// Of the whole plan, in words.
    pub load: String,
    /// How many processes made it or a part of it.
    pub processes: u32,
}

/// Two forms of the same counts: with a name for lists, whose order says something, and without one
/// for maps. Serde's `flatten` would do neither: it lets unknown fields pass and reads no numbers as
/// keys.
macro_rules! tallies {
    ($($(#[$about:meta])* $field:ident: $kind:ty,)*) => {
        /// What is counted of some of the requests.
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct TallyDocument {
            $($(#[$about])* pub $field: $kind,)*
        }

        /// A name and what is counted under it.
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct LabelDocument {
            /// The label's name.
            pub name: String,
            $($(#[$about])* pub $field: $kind,)*
        }

        impl LabelDocument {
            /// What is counted, under that name.
            pub(super) fn of(name: String, tally: TallyDocument) -> Self {
                let TallyDocument { $($field,)* } = tally;
                Self { name, $($field,)* }
            }

            /// The name, and what is counted under it.
            pub(super) fn apart(self) -> (String, TallyDocument) {
                let Self { name, $($field,)* } = self;
                (name, TallyDocument { $($field,)* })
            }
        }
    };
}

tallies! {
    /// Requests that ended, well or not.
    requests: u64,
    /// Those by the time that the run lasted.
    requests_per_second: f64,
    /// Requests that failed.
    errors: u64,
    /// The share of them.
    error_rate: f64,
    /// Failed requests by kind.
    #[schemars(extend("propertyNames" = failure_names()))]
    failures: BTreeMap<String, u64>,
    /// Answers by status.
    statuses: BTreeMap<u16, u64>,
    /// Bytes sent, heads included.
    bytes_sent: u64,
    /// Bytes received, heads included.
    bytes_received: u64,
    /// Response time.
    latency: Percentiles,
    /// From the time at which a request was sent to the end of its answer.
    service_time: Percentiles,
    /// From the time at which a request was sent to the first byte of its answer.
    first_byte: Percentiles,
    /// The histograms that these are taken from.
    histograms: TallyHistograms,
}

/// Histograms of nanoseconds: HdrHistogram V2, compressed, in Base64; null of none.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TallyHistograms {
    pub response_time: Option<String>,
    pub service_time: Option<String>,
    pub first_byte: Option<String>,
}

/// How often a check held.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckDocument {
    pub passed: u64,
    pub failed: u64,
}

/// Connections made.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionsDocument {
    /// How many were opened.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Until TCP (or the Unix socket) was connected.
    pub connect_time: Percentiles,
    /// The TLS handshake after it.
    pub tls_time: Percentiles,
    /// The histograms that these are taken from.
    pub histograms: ConnectionHistograms,
}

/// Histograms of nanoseconds: HdrHistogram V2, compressed, in Base64; null of none.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionHistograms {
    pub connect_time: Option<String>,
    pub tls_time: Option<String>,
}

/// How the tester itself did.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TesterDocument {
    /// Event loops.
    pub threads: u32,
    /// Processor time of the process over the run, user and system.
    pub processor_seconds: f64,
    /// Processor time of each event loop.
    pub thread_seconds: Vec<f64>,
    /// From the time at which an iteration should have begun to the time at which the tester came to
    /// it; open model only.
    pub scheduling_lag: Percentiles,
    /// The histogram of it: HdrHistogram V2, compressed, in Base64; null of none.
    pub scheduling_lag_histogram: Option<String>,
    /// Iterations that should have begun, in the open model.
    pub due: u64,
    /// Those that had to wait because as many as may be were under way.
    pub waited: u64,
    /// Those that never began: the run ended first.
    pub unsent: u64,
    /// Those that were given up under way: the run was broken off, and they had not ended a few
    /// seconds later.
    pub given_up: u64,
    /// Connection attempts that failed for want of ports or descriptors at the tester.
    pub exhausted: u64,
}

/// The figures by time. Every list has one entry for each bucket.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimelineDocument {
    /// How long a bucket is: a power of two.
    #[schemars(range(min = 1))]
    pub bucket_seconds: u64,
    /// Requests that ended.
    pub requests: Vec<u64>,
    /// Failed ones.
    pub errors: Vec<u64>,
    /// Iterations that should have begun, in the open model.
    pub due: Vec<u64>,
    /// Bytes received.
    pub bytes_received: Vec<u64>,
    /// Requests under way at the bucket's end.
    pub in_flight: Vec<u64>,
    /// Users that were there at the bucket's end.
    pub users: Vec<u64>,
    /// Response time.
    pub latency: LatencySeries,
    /// Answers by instance.
    pub instances: BTreeMap<String, Vec<u64>>,
    /// The histograms that `latency` is taken from: HdrHistogram V2, compressed, in Base64; null of
    /// none.
    pub histograms: Vec<Option<String>>,
}

/// Seconds by percentile for each bucket; null where nothing was measured.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LatencySeries {
    pub mean: Vec<Option<f64>>,
    pub p50: Vec<Option<f64>>,
    pub p90: Vec<Option<f64>>,
    pub p99: Vec<Option<f64>>,
    pub max: Vec<Option<f64>>,
}
