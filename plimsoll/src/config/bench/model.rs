//! A bench plan, resolved: who arrives when, what each does, and what counts as good enough.
//!
//! Three texts become the same plan: the arguments of `plimsoll bench URL`, a TOML file and a
//! JMeter file. `load` runs it and knows none of them. Names of variables are resolved to slots, so
//! that running a plan looks nothing up by name.
//!
//! Invariants: there is at least one group and each has a request somewhere; every slot, feed and
//! label index is within its list; durations that matter are not zero.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json_path::JsonPath;

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

/// Who arrives when.
#[derive(Debug, Clone)]
pub enum Load {
    /// Iterations begin at given times, whatever became of earlier ones. Latency is counted from
    /// the time at which a request should have been sent.
    Open(Open),
    /// A given number of users, each of which begins again when it has finished.
    Closed(Closed),
}

/// The open model.
#[derive(Debug, Clone)]
pub struct Open {
    /// When iterations begin.
    pub arrivals: Arrivals,
    /// Most iterations under way at once, of all threads. Arrivals beyond wait for their turn, and
    /// their wait counts.
    pub in_flight_max: usize,
}

/// When iterations of the open model begin.
#[derive(Debug, Clone)]
pub enum Arrivals {
    /// At a rate that follows stages.
    Scheduled {
        /// One after the other; never empty. `from` and `to` are iterations a second.
        stages: Vec<Stage>,
        /// How arrivals lie within the rate.
        spacing: Spacing,
    },
    /// At recorded times after the start, rising.
    Recorded(Arc<[Duration]>),
}

/// A straight line from one level to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// The level at its beginning.
    pub from: f64,
    /// The level at its end.
    pub to: f64,
    /// How long it lasts; `Duration::MAX` for no end, in the last only.
    pub lasting: Duration,
}

/// How arrivals lie within a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// At equal distances.
    Even,
    /// As a Poisson process: independent of each other, as people are.
    Poisson,
}

/// The closed model.
#[derive(Debug, Clone)]
pub struct Closed {
    /// How many users there are, over time: user `k` (from 0) is there while the level exceeds `k`.
    pub stages: Vec<Stage>,
    /// Iterations of each user, after which it leaves.
    pub iterations_per_user: Option<u64>,
    /// Iterations of all users together.
    pub iterations: Option<u64>,
}

/// What a user does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends a request and reads the answer.
    Request(Box<Request>),
    /// Sends a WebSocket message and awaits what is to come back.
    Message(Box<Message>),
    /// Waits.
    Pause(Pause),
    /// Waits as long as keeps the group's rate of this step at or below a bound.
    Pace(Pace),
    /// Sets a variable.
    Set(Slot, Template),
    /// Takes the next row of a feed.
    Feed(FeedIndex),
    /// Does the steps several times.
    Repeat {
        /// How often, a whole number once rendered; `None` for ever.
        times: Option<Template>,
        /// Receives the number of the round, from 0.
        counter: Option<Slot>,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Does the steps as long as a condition holds.
    While {
        /// Asked before each round.
        condition: Condition,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Does the steps if a condition holds.
    If {
        /// Asked once.
        condition: Condition,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does one of several lists of steps, picked at random by weight.
    Choose(Vec<Choice>),
    /// Does the next of several lists of steps each time, in turn for each user.
    Interleave {
        /// Which interleaving this is, from 0 in each plan.
        id: usize,
        /// The lists.
        of: Vec<Vec<Step>>,
    },
    /// Does the steps only now and then, or only so often.
    Share {
        /// Which share this is, from 0 in each plan.
        id: usize,
        /// How often.
        bound: ShareBound,
        /// Whether each user counts for itself.
        per_user: bool,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does the steps once for each user, in its first iteration.
    Once {
        /// Which of these this is, from 0 in each plan.
        id: usize,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does the steps and measures them together.
    Transaction {
        /// A label of kind transaction.
        label: LabelIndex,
        /// Whether pauses count.
        with_pauses: bool,
        /// What is measured.
        steps: Vec<Step>,
    },
}

/// One of several ways.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its share is this by the sum of all; at least one is above 0.
    pub weight: f64,
    /// What is done.
    pub steps: Vec<Step>,
}

/// How often a share is done.
#[derive(Debug, Clone, PartialEq)]
pub enum ShareBound {
    /// In this percentage of the rounds, spread evenly.
    Percent(f64),
    /// This often in all.
    Times(u64),
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

/// A text with holes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template(pub Vec<Piece>);

impl Template {
    /// A text without holes.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The text, if there are no holes.
    pub fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// The value of a variable; unset, the text beside it (JMeter shows `${name}`).
    Variable(Slot, String),
    /// What a function returns.
    Call(Box<Call>),
}

/// A call of a function within a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// Its arguments; their number was checked.
    pub arguments: Vec<Template>,
    /// The variable that receives the result too.
    pub store: Option<Slot>,
    /// Distinguishes calls that keep a count, from 0 in each plan.
    pub id: usize,
}

/// The functions of templates. TOML plans call them `{{name(…)}}`, JMeter plans `${__name(…)}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `random_int(from, to)`, both included; `__Random`.
    RandomInt,
    /// `random_text(length, characters?)`; `__RandomString`.
    RandomText,
    /// `pick(a, b, …)`: one of its arguments.
    Pick,
    /// `uuid()`: a random UUID (RFC 9562, version 4); `__UUID`.
    Uuid,
    /// `counter(per_user?)`: 1, 2, 3…, of all users or, with `TRUE`, of each; `__counter`.
    Counter,
    /// `time(format?)`: now; milliseconds since 1970 without a format. Formats are Java's
    /// (`yyyy-MM-dd HH:mm:ss`), `/1000` gives seconds; `__time`.
    Time,
    /// `time_shift(format, date?, shift?)`; `__timeShift`, shifts as in `P1DT2H`.
    TimeShift,
    /// `user()`: the number of the user, from 1; `__threadNum`.
    User,
    /// `group()`: the name of the group; `__threadGroupName`.
    Group,
    /// `iteration()`: of this user, from 1.
    Iteration,
    /// `sum(a, b, …)` of whole numbers; `__intSum`, `__longSum`.
    Sum,
    /// `url_encode(text)` as form data; `__urlencode`.
    UrlEncode,
    /// `url_decode(text)`; `__urldecode`.
    UrlDecode,
    /// `html_escape(text)`; `__escapeHtml`.
    HtmlEscape,
    /// `html_unescape(text)`; `__unescapeHtml`.
    HtmlUnescape,
    /// `base64(text)`; `__base64Encode`.
    Base64Encode,
    /// `base64_decode(text)`; `__base64Decode`.
    Base64Decode,
    /// `upper(text)`; `__uppercase`, `__changeCase(…, UPPER)`.
    Upper,
    /// `lower(text)`; `__lowercase`.
    Lower,
    /// `capitalize(text)`; `__changeCase(…, CAPITALIZE)`.
    Capitalize,
    /// `substring(text, from, to)`; `__substring`.
    Substring,
    /// `length(text)` in characters.
    Length,
    /// `variable(name, default?)`: by a name that is itself rendered; `__V`.
    VariableByName,
    /// `char(65, 0x42, …)`; `__char`.
    Char,
    /// `split(text, name, delimiter?)` sets `name_1`, `name_2`… and `name_n`; `__split`.
    Split,
    /// `evaluate(text)`: once more, as a template; `__eval`, `__evalVar`.
    Evaluate,
    /// `environment(name, default?)`; `__env`.
    Environment,
    /// `machine()`: the host's name; `__machineName`.
    Machine,
    /// `holds(condition)`: `true` or `false`; `__jexl3` where it is no more than a comparison.
    Holds,
}

/// Something that holds or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The text is `true`, in any case.
    True(Template),
    /// Two texts compared: as numbers if both are, else as texts.
    Compare(Template, Comparison, Template),
    /// The template matches a regular expression as a whole.
    Matches(Template, Pattern),
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The user's last request succeeded.
    LastSucceeded,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A regular expression that compares by its text.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A request over HTTP.
#[derive(Debug, Clone)]
pub struct Request {
    /// What its figures are kept under.
    pub label: LabelIndex,
    /// As sent, in capitals.
    pub method: Template,
    /// Absolute: `http://…`, `https://…`.
    pub url: Template,
    /// In the order in which they are sent, besides those that framing needs.
    pub headers: Vec<(String, Template)>,
    /// What is sent.
    pub body: RequestBody,
    /// Most time from sending to the end of the answer; that of [`HttpSettings`] without.
    pub timeout: Option<Duration>,
    /// Most redirects that are followed; 0 for none. Each hop is a request under the same label.
    pub redirects_max: u32,
    /// What is taken from the answer.
    pub extract: Vec<Extraction>,
    /// What the answer must be. Empty: a status below 400.
    pub checks: Vec<Check>,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// A text; its `Content-Type` is among the headers.
    Text(Template),
    /// A file as it is.
    File(Arc<[u8]>),
    /// Name and value of each field, sent as `application/x-www-form-urlencoded`.
    Form(Vec<(Template, Template)>),
    /// Fields sent as `multipart/form-data`.
    Multipart(Vec<MultipartField>),
}

/// A field of a multipart body.
#[derive(Debug, Clone)]
pub struct MultipartField {
    /// Its name.
    pub name: Template,
    /// Its `Content-Type`, if it is to say one.
    pub content_type: Option<String>,
    /// Text or file.
    pub content: MultipartContent,
}

/// What a multipart field holds.
#[derive(Debug, Clone)]
pub enum MultipartContent {
    /// A text.
    Text(Template),
    /// A file with its name.
    File(String, Arc<[u8]>),
}

/// A message on the user's WebSocket connection to a URL, which the first message opens.
#[derive(Debug, Clone)]
pub struct Message {
    /// What its figures are kept under.
    pub label: LabelIndex,
    /// Absolute: `ws://…`, `wss://…`.
    pub url: Template,
    /// Sent with the request that opens the connection.
    pub headers: Vec<(String, Template)>,
    /// What is sent; `None` only waits.
    pub send: Option<Template>,
    /// Whether it goes as binary data.
    pub binary: bool,
    /// Messages that must come back, the last of which is checked.
    pub replies: u32,
    /// Passes over messages until one matches, which then counts as a reply.
    pub until: Option<Pattern>,
    /// Most time until the last reply.
    pub timeout: Option<Duration>,
    /// What is taken from the last reply.
    pub extract: Vec<Extraction>,
    /// What the last reply must be.
    pub checks: Vec<Check>,
}

/// A wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Pause {
    /// This long; milliseconds once rendered.
    Constant(Template),
    /// Evenly between two.
    Uniform {
        /// At least; milliseconds once rendered.
        from: Template,
        /// At most; milliseconds once rendered.
        to: Template,
    },
    /// Around a mean; never below zero. Milliseconds once rendered.
    Gaussian {
        /// The middle.
        mean: Template,
        /// The standard deviation.
        deviation: Template,
    },
    /// An offset and a Poisson-distributed wait. Milliseconds once rendered.
    Poisson {
        /// At least.
        offset: Template,
        /// The mean of what is added.
        lambda: Template,
    },
}

/// A bound on how often users pass, as JMeter's constant throughput timer.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Which of these this is, from 0 in each plan.
    pub id: usize,
    /// Passes a minute, once rendered.
    pub per_minute: Template,
    /// Whose passes count together.
    pub scope: PaceScope,
}

/// Whose passes count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceScope {
    /// Each user for itself.
    User,
    /// All users of the group.
    Group,
    /// All users of the plan.
    Plan,
}

/// A value taken from an answer into a variable.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// The variable.
    pub into: Slot,
    /// Where it comes from.
    pub from: Source,
    /// What to take.
    pub what: Finder,
    /// Which match, from 1; 0 for any at random; -1 for all, as `name_1`, `name_2`… and
    /// `name_matchNr`.
    pub number: i32,
    /// The variable's value where nothing matches. Without it, the request fails.
    pub default: Option<Template>,
    /// Sets `name_g0`, `name_g1`… too, as JMeter's extractor does: the slot of each group, and of
    /// `name_matchNr`, where the plan uses them.
    pub groups: Vec<(usize, Slot)>,
    /// The slots of `name_matchNr` and of `name_1`, `name_2`… as far as the plan uses them.
    pub all: AllMatches,
}

/// Where all matches go.
#[derive(Debug, Clone, Default)]
pub struct AllMatches {
    /// `name_matchNr`.
    pub count: Option<Slot>,
    /// `name_1`, `name_2`…: the number and the slot.
    pub each: Vec<(usize, Slot)>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The body.
    Body,
    /// A header's value.
    Header(String),
    /// All header lines.
    Headers,
    /// The status as text.
    Status,
    /// The reason phrase.
    Reason,
    /// The URL that was asked last.
    Url,
}

/// How a value is found.
#[derive(Debug, Clone)]
pub enum Finder {
    /// The whole part.
    Whole,
    /// By a regular expression; the text is rendered with `$1$`, `$2$`… as its groups.
    Regex(Pattern, String),
    /// By a JSON path (RFC 9535).
    Json(JsonPath),
    /// What lies between two texts, as JMeter's boundary extractor.
    Between(String, String),
}

/// What must be true of an answer.
#[derive(Debug, Clone)]
pub struct Check {
    /// Shown where it fails.
    pub name: String,
    /// What is looked at.
    pub of: Source,
    /// What must be found there first; [`Finder::Whole`] mostly.
    pub what: Finder,
    /// What must be true of it.
    pub test: Test,
    /// Turned round.
    pub not: bool,
}

/// What must be true of a text.
#[derive(Debug, Clone)]
pub enum Test {
    /// Something was found.
    Exists,
    /// It is this, as text.
    Equals(Template),
    /// It contains this.
    Contains(Template),
    /// A match is found within.
    Finds(Pattern),
    /// It matches as a whole.
    Matches(Pattern),
    /// It is a whole number in one of these ranges, both ends included: `200-299`.
    Within(Vec<(u64, u64)>),
    /// The answer took no longer.
    Faster(Duration),
    /// The body's size compares so with this many bytes.
    Size(Comparison, u64),
    /// One of these tests is passed.
    Any(Vec<Test>),
}

/// How connections are made and used.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Which HTTP.
    pub version: HttpVersion,
    /// Whether connections are used again.
    pub keep_alive: bool,
    /// Requests at once on an HTTP/2 connection.
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
