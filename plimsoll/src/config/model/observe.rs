//! What Plimsoll measures, keeps, judges and tells: the resolved `[observe]`.
//!
//! Invariants: every duration and size is within its stated bounds; URLs are absolute `http` or
//! `https`; names of receivers that routes use exist; matchers and relabelling rules are compiled.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tsdb::relabel::Rule;
use tsdb::source::Matcher;

/// Measuring, as configured.
#[derive(Debug, Clone)]
pub struct Observe {
    /// Where samples, states of alarms and silences are kept.
    pub directory: DataDirectory,
    /// Samples older than this are dropped. Default 31 days.
    pub retention: Duration,
    /// Most bytes of samples on the disk. Default 8 GiB.
    pub bytes_max: u64,
    /// Most series with young samples. Default 200 000.
    pub series_max: usize,
    /// Most bytes of young samples in memory. Default 512 MiB.
    pub memory_bytes_max: u64,
    /// Labels that everything gets that leaves for another system (remote write, `/federate`,
    /// alarms). Default none.
    pub external_labels: BTreeMap<String, String>,
    /// Time between two takes of Plimsoll's own figures. Default 1 s.
    pub own_every: Duration,
    /// What scrapes have in common.
    pub scrape: ScrapeDefaults,
    /// Listed targets, in the order of the file.
    pub jobs: Vec<ScrapeJob>,
    /// PostgreSQL servers whose figures are read.
    pub postgres: Vec<DatabaseTarget>,
    /// Redis or Valkey servers whose figures are read.
    pub redis: Vec<DatabaseTarget>,
    /// Bounds of queries.
    pub query: QueryBounds,
    /// A Prometheus (or what speaks its API) that answers queries instead of the own store.
    pub prometheus: Option<HttpEndpoint>,
    /// Where samples are sent as well.
    pub remote_write: Vec<RemoteWrite>,
    /// Whether other Plimsolls or agents may send samples by remote write. Default false.
    pub remote_write_receiver: bool,
    /// Recording and alert rules.
    pub rules: RuleSettings,
    /// Who is told of alarms, and when.
    pub notify: Notify,
}

/// Where the store lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDirectory {
    /// Named in the file; if it cannot be used, Plimsoll does not start.
    Named(PathBuf),
    /// Not named: `$STATE_DIRECTORY` (systemd) or `plimsoll-data` beside the config file. If it
    /// cannot be used, that is told and a temporary folder takes its place.
    Usual(PathBuf),
    /// A temporary folder, removed at the stop: there is no config file.
    Temporary,
}

/// What scrapes have in common unless a job says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeDefaults {
    /// Time between two scrapes of a target, 1 s to 1 h. Default 15 s.
    pub every: Duration,
    /// Most time for one, never more than `every`. Default 10 s.
    pub timeout: Duration,
    /// Bounds on what a target may send.
    pub limits: ScrapeLimits,
}

/// Bounds on what one target may send in one scrape. Beyond any of them the scrape fails whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeLimits {
    /// Bytes of a body, unpacked. Default 32 MiB.
    pub body_bytes: u64,
    /// Samples after relabelling. Default 50 000.
    pub samples: usize,
    /// Labels of a series. Default 64.
    pub labels: usize,
    /// Bytes of a label's name. Default 512.
    pub label_name_bytes: usize,
    /// Bytes of a label's value. Default 4096.
    pub label_value_bytes: usize,
}

/// Listed targets that are scraped alike.
#[derive(Debug, Clone)]
pub struct ScrapeJob {
    /// The `job` label; unique.
    pub name: String,
    /// What is scraped; at least one.
    pub targets: Vec<HttpEndpoint>,
    /// Labels of each series of these targets.
    pub labels: BTreeMap<String, String>,
    /// Time between two scrapes.
    pub every: Duration,
    /// Most time for one.
    pub timeout: Duration,
    /// Whether labels of the target win over those of the job (`job`, `instance`, `labels`).
    /// Default false: the target's are renamed `exported_…`.
    pub honor_labels: bool,
    /// Whether times that the target gives are kept. Default true.
    pub honor_timestamps: bool,
    /// Rules for a target's labels (`__address__`, `__scheme__`, `__metrics_path__`, `__param_…`,
    /// `job`, …) before it is scraped; a target that is dropped is not scraped.
    pub relabel: Vec<Rule>,
    /// Rules for each series that was scraped.
    pub metric_relabel: Vec<Rule>,
    /// Bounds on what a target may send.
    pub limits: ScrapeLimits,
}

/// A URL with what it takes to be let in there.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpEndpoint {
    /// Absolute, `http` or `https`, without user and password.
    pub url: String,
    /// User and password for basic authentication.
    pub basic: Option<(String, String)>,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca: Option<PathBuf>,
    /// Whether any certificate is accepted. Default false.
    pub insecure: bool,
}

impl HttpEndpoint {
    /// A URL that lets everybody in.
    pub fn open(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            basic: None,
            bearer: None,
            headers: Vec::new(),
            ca: None,
            insecure: false,
        }
    }
}

impl std::fmt::Debug for HttpEndpoint {
    /// Without what must not be told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A database whose figures are read.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseTarget {
    /// The `instance` label. Default: host and port of the URL.
    pub name: String,
    /// `postgres://…` or `redis://…`, with user and password.
    pub url: String,
    /// Labels of each series.
    pub labels: BTreeMap<String, String>,
    /// Time between two looks.
    pub every: Duration,
    /// Most time for one.
    pub timeout: Duration,
}

impl std::fmt::Debug for DatabaseTarget {
    /// Without what must not be told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseTarget").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Bounds of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryBounds {
    /// Samples that one query may read and hold. Default 50 million.
    pub samples_max: u64,
    /// Most time for one. Default 2 min.
    pub timeout: Duration,
    /// Queries at once; more wait until their time is over. Default: one a core, at least 2.
    pub concurrency: usize,
    /// How far back the newest sample may lie, 1 s to 1 day. Default 5 min.
    pub lookback: Duration,
}

/// Another store that gets every sample (remote write 1.0).
#[derive(Debug, Clone)]
pub struct RemoteWrite {
    /// Name in metrics and messages. Default: host and port of the URL.
    pub name: String,
    /// Where.
    pub endpoint: HttpEndpoint,
    /// Most time for one request. Default 30 s.
    pub timeout: Duration,
    /// Samples that wait while the receiver is away; beyond it the oldest are given up, and
    /// counted. Default 500 000.
    pub queue_samples: usize,
    /// Rules for each series before it is sent.
    pub relabel: Vec<Rule>,
}

/// Recording and alert rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// Rule files in Prometheus' format; `*` and `?` in the last part of a path stand for any.
    pub files: Vec<PathBuf>,
    /// Whether the built-in alerts are evaluated. Default true.
    pub built_in: bool,
    /// Built-in alerts that are not wanted, by name.
    pub without: Vec<String>,
    /// Time between two evaluations of a group that does not say. Default 15 s.
    pub every: Duration,
    /// The link that alarms carry: where this Plimsoll's admin server is for people. Default: its
    /// own address.
    pub external_url: Option<String>,
}

/// Who is told of alarms, and when. Timers and their meaning are those of Alertmanager.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Alarms that agree in these labels are told of together. Default `alertname`, `service`;
    /// `...` stands for all labels.
    pub group_by: Vec<String>,
    /// Wait before a new group is told of, for more of it to come. Default 30 s.
    pub group_wait: Duration,
    /// Time between two messages of a group that has changed. Default 5 min.
    pub group_interval: Duration,
    /// Time after which a group that has not changed is told of again. Default 4 h.
    pub repeat_interval: Duration,
    /// Receivers by name.
    pub receivers: BTreeMap<String, Receiver>,
    /// Which receivers get what; the first that matches decides, unless it goes on. Without any
    /// that matches, all receivers are told.
    pub routes: Vec<NotifyRoute>,
    /// Which alarms hush which others.
    pub inhibit: Vec<Inhibition>,
    /// Alertmanagers that get every alarm (API v2); they group and route for themselves.
    pub alertmanagers: Vec<HttpEndpoint>,
}

/// One way of telling people.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// By what means.
    pub means: Means,
    /// Whether it is told when an alarm is over. Default true.
    pub resolved: bool,
}

/// By what means people are told.
#[derive(Clone)]
pub enum Means {
    /// Alertmanager's webhook message, version 4, by POST.
    Webhook(HttpEndpoint),
    /// A Slack incoming webhook (or what takes its messages).
    Slack {
        /// The webhook's URL.
        endpoint: HttpEndpoint,
        /// Overrides the channel of the webhook.
        channel: Option<String>,
    },
    /// E-mail by SMTP.
    Email {
        /// Addresses; at least one.
        to: Vec<String>,
        /// Address of the sender.
        from: String,
        /// Host and port of the server that takes it.
        server: (String, u16),
        /// How the connection is secured.
        security: MailSecurity,
        /// User and password.
        login: Option<(String, String)>,
        /// Certificates (PEM) that are trusted besides those of the system.
        ca: Option<PathBuf>,
    },
    /// PagerDuty's Events API, version 2.
    PagerDuty {
        /// The integration's key.
        routing_key: String,
        /// Default `https://events.pagerduty.com/v2/enqueue`.
        endpoint: HttpEndpoint,
    },
    /// A command that gets the webhook's JSON on its standard input.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// It is killed after this time. Default 30 s.
        timeout: Duration,
    },
}

impl std::fmt::Debug for Means {
    /// Without what must not be told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Webhook(_) => "Webhook",
            Self::Slack { .. } => "Slack",
            Self::Email { .. } => "Email",
            Self::PagerDuty { .. } => "PagerDuty",
            Self::Command { .. } => "Command",
        })
    }
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// STARTTLS; a server without it is refused. Default.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None.
    Plain,
}

/// Which receivers get which alarms.
#[derive(Debug, Clone)]
pub struct NotifyRoute {
    /// All must hold; none matches every alarm.
    pub matchers: Vec<Matcher>,
    /// Names of receivers; none drops the alarm silently.
    pub receivers: Vec<String>,
    /// Whether later routes are asked as well. Default false.
    pub goes_on: bool,
    /// As in [`Notify`], which holds where this is `None`.
    pub group_by: Option<Vec<String>>,
    /// As in [`Notify`].
    pub group_wait: Option<Duration>,
    /// As in [`Notify`].
    pub group_interval: Option<Duration>,
    /// As in [`Notify`].
    pub repeat_interval: Option<Duration>,
}

/// While an alarm that `source` matches is firing, alarms that `target` matches and that agree with
/// it in all labels of `equal` are not told of.
#[derive(Debug, Clone)]
pub struct Inhibition {
    /// All must hold.
    pub source: Vec<Matcher>,
    /// All must hold.
    pub target: Vec<Matcher>,
    /// Labels that must be the same; absent counts as empty.
    pub equal: Vec<String>,
}

/// Where a service's instances tell their own figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceMetrics {
    /// `/metrics` is tried; an instance that answers with anything else than metrics is left alone
    /// and asked again after ten minutes, then ever more rarely, up to four hours. Default.
    Tried,
    /// At this path, and an instance without it is down (`up` is 0).
    At(String),
    /// Nowhere.
    Off,
}

/// What a service promises.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Share of requests that succeed (status below 500), above 0 and below 1.
    pub success: Option<f64>,
    /// How fast requests are.
    pub latency: Option<LatencyObjective>,
    /// Over this time, 1 hour to 1 year. Default 30 days.
    pub window: Duration,
}

/// `p99 < 300ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyObjective {
    /// 0.99: the share of requests that are faster.
    pub quantile: f64,
    /// Than this.
    pub below: Duration,
}
