//! A bench plan, resolved: who arrives when, what each does, and what counts as good enough.
//!
//! Three texts become the same plan: the arguments of `plimsoll bench URL`, a TOML file and a
//! JMeter file. `load` runs it and knows none of them. Names of variables are resolved to slots, so
//! that running a plan looks nothing up by name.
//!
//! Invariants: there is at least one group and each has a request somewhere; every slot, feed and
//! label index is within its list; durations that matter are not zero.

mod answer;
mod load;
mod step;
mod template;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json_path::JsonPath;

pub use answer::{AllMatches, Check, Extraction, Finder, GroupPart, Source, Test};
pub use load::{Arrivals, Closed, Load, Open, Spacing, Stage};
pub use step::{
    Choice, Message, MultipartContent, MultipartField, Pace, PaceScope, Pause, Request,
    RequestBody, ShareBound, Step,
};
pub use template::{
    Call, Comparison, Condition, Function, Pattern, Piece, RANDOM_TEXT_MAX, Template,
};

/// What `plimsoll bench` is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the report is headed with.
    pub name: String,
    /// The file, or the command line's own words.
    pub source: String,
    /// What runs at the same time. Most plans have one; JMeter plans one for each thread group.
    pub groups: Vec<Group>,
    /// Names that statistics are kept under; a step refers to its own by index.
    pub labels: Vec<Label>,
    /// Variables that templates use.
    pub variables: Vec<Variable>,
    /// Rows of data that users draw from.
    pub feeds: Vec<Feed>,
    /// How connections are made and used.
    pub http: HttpSettings,
    /// What tells which instance answered.
    pub served_by: Option<ServedBy>,
    /// What must hold at the end; where it does not, the exit code is 99.
    pub thresholds: Vec<Threshold>,
    /// Event loops; `None` for as many as there are cores to run on.
    pub threads: Option<usize>,
    /// Which part of the load this process makes.
    pub part: Part,
    /// Where random choices begin; the same seed repeats them. `None` for others each time.
    pub seed: Option<u64>,
    /// What a JMeter plan asks for and this one leaves out, each with its place, in words.
    pub left_out: Vec<String>,
}

/// The `index`-th of `of` processes that share a plan: it takes each `of`-th arrival, user and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 0, below `of`.
    pub index: u32,
    /// How many there are.
    pub of: NonZeroU32,
}

impl Part {
    /// The one process that makes the whole load.
    pub const WHOLE: Self = Self { index: 0, of: NonZeroU32::MIN };
}

/// A name that statistics are kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Shown.
    pub name: String,
    /// Requests make up the total; a transaction spans several and stands beside it.
    pub kind: LabelKind,
}

/// What a label counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    /// Single requests or messages.
    Request,
    /// Everything within a [`Step::Transaction`].
    Transaction,
}

/// Users or arrivals that do the same.
#[derive(Debug, Clone)]
pub struct Group {
    /// Shown.
    pub name: String,
    /// Who arrives when.
    pub load: Load,
    /// One iteration: what each arrival does once, and each user again and again.
    pub steps: Vec<Step>,
    /// Whether a user forgets cookies (and variables that it set) before each iteration.
    pub fresh_users: bool,
    /// What a user does with the cookies that it is given.
    pub cookies: Cookies,
    /// What a user does after a failed request, as JMeter has it.
    pub on_error: OnError,
}

/// What a user does with the cookies that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookies {
    /// Sends them back, as browsers do.
    #[default]
    Kept,
    /// Forgets them before each iteration, though not its variables.
    FreshEachIteration,
    /// Takes no notice of them: a JMeter plan without a cookie manager.
    Ignored,
}

/// What a user does after a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Goes on with the next step.
    #[default]
    Continue,
    /// Begins its next iteration.
    NextIteration,
    /// Leaves.
    StopUser,
    /// Ends the whole run.
    StopRun,
}

/// An index into [`Plan::variables`].
pub type Slot = usize;

/// An index into [`Plan::labels`].
pub type LabelIndex = usize;

/// An index into [`Plan::feeds`].
pub type FeedIndex = usize;

/// A value by name.
#[derive(Debug, Clone)]
pub struct Variable {
    /// As the plan calls it.
    pub name: String,
    /// What it is at a user's beginning; unset without.
    pub initial: Option<Template>,
}

/// Rows of data.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Which variable each column sets.
    pub columns: Vec<Slot>,
    /// The rows, each as long as `columns`; never empty.
    pub rows: Arc<[Box<[Arc<str>]>]>,
    /// Which row is next.
    pub order: FeedOrder,
    /// What happens after the last row.
    pub at_end: FeedEnd,
    /// Whether each user begins with the first row. Otherwise all share one place in the rows.
    pub per_user: bool,
}

/// Which row is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedOrder {
    /// The one after the last.
    InTurn,
    /// Any.
    Random,
}

/// What happens after the last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedEnd {
    /// The first again.
    Again,
    /// The user leaves.
    StopUser,
    /// The variables hold `<EOF>`, as JMeter has it.
    Mark,
}

/// How connections are made and used.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Which HTTP.
    pub version: HttpVersion,
    /// Whether connections are used again.
    pub keep_alive: bool,
    /// Requests at once on an HTTP/2 connection; at least 1, and 1 unless the version is
    /// [`HttpVersion::Http2`].
    pub streams: usize,
    /// Most time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Most time from sending to the end of the answer.
    pub timeout: Duration,
    /// Connects there, whatever the URL says; the URL gives `Host` and the rest.
    pub unix: Option<PathBuf>,
    /// TLS.
    pub tls: Tls,
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// What TLS agrees on; HTTP/1.1 without TLS.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS by prior knowledge (RFC 9113 §3.3).
    Http2,
}

/// How TLS is done.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Trusts these (PEM) instead of the system's.
    pub ca: Option<PathBuf>,
    /// Shows this certificate (PEM, chain).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// Asks for this name instead of the URL's host.
    pub server_name: Option<String>,
}

/// What tells which instance answered.
#[derive(Debug, Clone)]
pub enum ServedBy {
    /// A header's value.
    Header(String),
    /// A value in a JSON body.
    Json(JsonPath),
}

/// What must hold at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As written: `p99<50ms`.
    pub text: String,
    /// Of which label; all requests without.
    pub label: Option<LabelIndex>,
    /// What is compared.
    pub measure: Measure,
    /// How.
    pub comparison: Comparison,
    /// With what: seconds, requests a second, or a share (0.001 for 0.1 %).
    pub bound: f64,
}

/// What a threshold bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// A quantile of the response time: 0.99 for p99. Seconds.
    Quantile(f64),
    /// The mean response time. Seconds.
    Mean,
    /// The longest. Seconds.
    Max,
    /// Failed requests by all.
    Errors,
    /// Requests a second.
    Rate,
}
