//! The tables of `[observe]`: what is measured, kept and judged. Who is told is in `notify`.
//!
//! Whatever is asked or told over HTTP is an endpoint: a URL, or a table with what lets Plimsoll in.

mod foreign;
mod notify;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use tsdb::relabel::Action;

use super::super::defaults;
use super::super::kind::{
    Either, False, Flag, Item, List, Map, Named, OneOf, TableOf, duration, integer, size, table,
};
use super::super::model::observe::{HttpEndpoint, LatencyObjective};
use super::super::reader::Reader;
use super::super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, doc_text, optional, raw_table,
    required, section, setting,
};
use super::bounds::{DAY, HOUR, KIB, MIB, SECOND, TIB, TIMEOUT};
use super::words::{ANY_TEXT, HEADER_VALUE, NAME_TEXT, PATH};
pub(in crate::config) use foreign::WORDS;
pub(in crate::config) use notify::{
    Command, Email, Inhibition, Notify, PagerDuty, Receiver, Route, Slack,
};
use words::{
    ACTION, BASIC, DATABASE_NAME, LATENCY, LINK, METRICS_PATH, POSTGRES_URL, REDIS_URL, RULE_FILE,
    SHARE, TARGET, URL, VERBATIM,
};

/// Bounds of the time between two looks at something, in milliseconds.
const EVERY: (u64, u64) = (SECOND, HOUR);

/// A URL, or a table with what else it takes.
pub(in crate::config) type RawEndpoint = OneOf<HttpEndpoint, Endpoint>;
type EndpointKind = Either<super::super::kind::Parsed<HttpEndpoint>, TableOf<Endpoint>>;
const ENDPOINT: EndpointKind = Either(URL, table::<Endpoint>());

/// `"user:password"`, or both apart.
pub(in crate::config) type RawBasic = OneOf<(String, String), Basic>;
const BASIC_KIND: Either<super::super::kind::Parsed<(String, String)>, TableOf<Basic>> =
    Either(BASIC, table::<Basic>());

raw_table! {
    /// What Plimsoll measures, keeps and judges, and whom it tells. All of it holds without a word
    /// about it; `observe = false` turns it off.
    Observe at "observe" {
        /// Where samples, states of alarms and silences are kept.
        directory: Option<PathBuf> = optional(
            PATH,
            "`$STATE_DIRECTORY` (set by systemd), or `plimsoll-data` beside the config file",
        ), r#""/var/lib/plimsoll""#;
        /// Samples older than this are dropped.
        retention: Duration =
            setting(duration(HOUR, 3653 * DAY), defaults::RETENTION), r#""31d""#;
        /// Most bytes of samples on the disk. Beyond it the oldest are dropped.
        max_size: u64 = setting(size(16 * MIB, 1024 * TIB), defaults::STORE_BYTES), r#""8GiB""#;
        /// Most series with young samples. Beyond it new ones are refused, and the worst offenders
        /// named.
        max_series: usize =
            setting(integer::<usize>(1000, 100_000_000), defaults::SERIES), "200000";
        /// Most bytes of young samples in memory.
        max_memory: u64 = setting(size(16 * MIB, TIB), defaults::STORE_MEMORY_BYTES), r#""512MiB""#;
        /// Time between two takes of Plimsoll's own figures.
        own_every: Duration =
            setting(duration(EVERY.0, EVERY.1), defaults::OWN_EVERY), r#""1s""#;
        /// Labels that everything gets that leaves for another system: by remote write, by
        /// `/prometheus/federate` and with alarms.
        external_labels: Vec<Named<String>> = setting(Map(ANY_TEXT), []), r#"{ cluster = "eu" }"#;
        /// A Prometheus, or what speaks its API, that answers queries and rules of files instead of
        /// the own store.
        prometheus: Option<RawEndpoint> = optional(ENDPOINT, "the own store"),
            r#""http://10.0.0.9:9090""#;
        /// Where samples are sent as well: URLs, or tables where one needs more.
        remote_write: Vec<Item<OneOf<HttpEndpoint, RemoteWrite>>> =
            setting(List(Either(URL, table::<RemoteWrite>())), []),
            r#"["https://metrics.example.com/api/v1/write"]"#;
        /// Whether other Plimsolls or agents may send samples by remote write, to
        /// `/prometheus/api/v1/write` of the admin server.
        remote_write_receiver: bool = setting(Flag, defaults::REMOTE_WRITE_RECEIVER), "true";
        /// Recording and alert rules: a list of files, or a table where more is to be said.
        rules: OneOf<Vec<Item<String>>, Rules> =
            setting(Either(List(RULE_FILE), table::<Rules>()), OneOf::First(Vec::new())),
            r#"["rules/*.yml"]"#;
        /// The link that alarms carry: where people reach the admin server.
        external_url: Option<String> = optional(LINK, "the admin server's own address"),
            r#""https://plimsoll.example.com""#;
        /// What scrapes have in common.
        scrape: Scrape = section::<Scrape>(), r#"{ every = "15s" }"#;
        /// Listed targets, each under `[[observe.job]]`. Instances of services need none: they
        /// are found by themselves.
        job: Vec<Item<Job>> = setting(List(table::<Job>()), []), "[[observe.job]]";
        /// PostgreSQL servers whose figures are read: URLs, or tables where one needs more.
        postgres: Vec<Item<OneOf<String, Postgres>>> =
            setting(List(Either(POSTGRES_URL, table::<Postgres>())), []),
            r#"["postgres://monitor:${PASSWORD}@10.0.0.5/app"]"#;
        /// Redis or Valkey servers whose figures are read: URLs, or tables where one needs more.
        redis: Vec<Item<OneOf<String, Redis>>> =
            setting(List(Either(REDIS_URL, table::<Redis>())), []),
            r#"["redis://10.0.0.6:6379"]"#;
        /// Bounds of queries.
        query: Query = section::<Query>(), r#"{ timeout = "30s" }"#;
        /// Who is told of alarms, and when.
        notify: Notify = section::<Notify>(), "[observe.notify]";
    }
}

raw_table! {
    /// What lets Plimsoll in at a URL. At most one of `basic` and `bearer` is given. User and
    /// password may stand in the URL too: `https://user:password@host/`.
    Endpoint at "endpoint" {
        /// Where: `http` or `https`.
        url: Option<HttpEndpoint> = required(URL), r#""https://10.0.0.1:9090""#;
        /// User and password: `"user:password"`, or a table.
        basic: Option<RawBasic> = optional(BASIC_KIND, "none"), r#""monitor:${PASSWORD}""#;
        /// A token, sent as `Authorization: Bearer`.
        bearer: Option<String> = optional(words::BEARER, "none"), r#""${TOKEN}""#;
        /// Further headers.
        headers: Vec<Named<String>> = setting(Map(HEADER_VALUE), []), r#"{ X-Scope-OrgID = "web" }"#;
        /// A file of certificates (PEM) that are trusted besides those of the system: of issuers, or
        /// the server's own.
        ca: Option<PathBuf> = optional(PATH, "those of the system"), r#""ca.pem""#;
        /// Whether any certificate is accepted, so that nobody knows who is there.
        insecure: bool = setting(Flag, defaults::INSECURE), "true";
    }
}

raw_table! {
    /// User and password apart, where one of them holds a colon.
    Basic at "basic" {
        /// The user.
        user: Option<String> = required(NAME_TEXT), r#""monitor""#;
        /// The password.
        password: Option<String> = required(words::PASSWORD), r#""${PASSWORD}""#;
    }
}

raw_table! {
    /// Another store that gets every sample, by remote write 1.0.
    RemoteWrite at "observe.remote_write" {
        /// Where: `http` or `https`.
        url: Option<HttpEndpoint> = required(URL), r#""https://metrics.example.com/api/v1/write""#;
        /// User and password: `"user:password"`, or a table.
        basic: Option<RawBasic> = optional(BASIC_KIND, "none"), r#""12345:${TOKEN}""#;
        /// A token, sent as `Authorization: Bearer`.
        bearer: Option<String> = optional(words::BEARER, "none"), r#""${TOKEN}""#;
        /// Further headers.
        headers: Vec<Named<String>> = setting(Map(HEADER_VALUE), []), r#"{ X-Scope-OrgID = "web" }"#;
        /// A file of certificates (PEM) that are trusted besides those of the system: of issuers, or
        /// the server's own.
        ca: Option<PathBuf> = optional(PATH, "those of the system"), r#""ca.pem""#;
        /// Whether any certificate is accepted, so that nobody knows who is there.
        insecure: bool = setting(Flag, defaults::INSECURE), "true";
        /// Its name in metrics and messages.
        name: Option<String> = optional(NAME_TEXT, "host and port of the URL"), r#""archive""#;
        /// Most time for one request.
        timeout: Duration =
            setting(duration(TIMEOUT.0, HOUR), defaults::REMOTE_WRITE_TIMEOUT), r#""30s""#;
        /// Samples that wait while it cannot be reached. Beyond it the oldest are given up, and
        /// counted.
        queue: usize =
            setting(integer::<usize>(1000, 100_000_000), defaults::REMOTE_WRITE_QUEUE), "500000";
        /// Rules for each series before it is sent.
        relabel: Vec<Item<Relabel>> = setting(List(table::<Relabel>()), []),
            r#"[{ source_labels = ["__name__"], regex = "go_.*", action = "drop" }]"#;
    }
}

raw_table! {
    /// Recording and alert rules, in files of Prometheus' format.
    Rules at "observe.rules" {
        /// Files. `*` and `?` in the last part of a path stand for any.
        files: Vec<Item<String>> = setting(List(RULE_FILE), []), r#"["rules/*.yml"]"#;
        /// Whether the built-in alerts are evaluated.
        built_in: bool = setting(Flag, defaults::BUILT_IN_RULES), "false";
        /// Built-in alerts that are not wanted, by name.
        without: Vec<Item<String>> = setting(List(NAME_TEXT), []), r#"["DiskAlmostFull"]"#;
        /// Time between two evaluations of a group that does not say.
        every: Duration =
            setting(duration(EVERY.0, 24 * HOUR), defaults::RULES_EVERY), r#""15s""#;
    }
}

raw_table! {
    /// What scrapes have in common, unless a job says otherwise. What goes beyond a bound fails the
    /// scrape whole.
    Scrape at "observe.scrape" {
        /// Time between two scrapes of a target.
        every: Duration =
            setting(duration(EVERY.0, EVERY.1), defaults::SCRAPE_EVERY), r#""15s""#;
        /// Most time for one; never more than `every`.
        timeout: Option<Duration> =
            optional(duration(10, HOUR), "`\"10s\"`, or `every` if that is less"), r#""10s""#;
        /// Most bytes that a target may send, unpacked.
        max_body: u64 = setting(size(KIB, 4 * 1024 * MIB), defaults::SCRAPE_BODY_BYTES), r#""32MiB""#;
        /// Most samples, after `metric_relabel`.
        max_samples: usize =
            setting(integer::<usize>(1, 10_000_000), defaults::SCRAPE_SAMPLES), "50000";
        /// Most labels of a series.
        max_labels: usize = setting(integer::<usize>(2, 1000), defaults::SCRAPE_LABELS), "64";
        /// Longest name of a label.
        max_label_name: u64 =
            setting(size(8, 64 * KIB), defaults::LABEL_NAME_BYTES as u64), r#""512B""#;
        /// Longest value of a label.
        max_label_value: u64 =
            setting(size(8, MIB), defaults::LABEL_VALUE_BYTES as u64), r#""4KiB""#;
    }
}

raw_table! {
    /// Listed targets that are scraped alike.
    Job at "observe.job" {
        /// The `job` label of all their series.
        name: Option<String> = required(NAME_TEXT), r#""node""#;
        /// What is scraped: URLs, or host and port for `http://HOST:PORT/metrics`.
        targets: Option<Vec<Item<HttpEndpoint>>> = required(List(TARGET)),
            r#"["10.0.0.1:9100", "https://10.0.0.2/probe?module=dns"]"#;
        /// Labels of each series of these targets.
        labels: Vec<Named<String>> = setting(Map(ANY_TEXT), []), r#"{ room = "north" }"#;
        /// Time between two scrapes.
        every: Option<Duration> =
            optional(duration(EVERY.0, EVERY.1), "that of `observe.scrape`"), r#""1m""#;
        /// Most time for one; never more than `every`.
        timeout: Option<Duration> = optional(
            duration(10, HOUR),
            "that of `observe.scrape`, or `every` if that is less",
        ), r#""10s""#;
        /// Whether labels of the target win over those given here (`job`, `instance`, `labels`).
        /// If not, the target's are renamed to `exported_…`.
        honor_labels: bool = setting(Flag, defaults::HONOR_LABELS), "true";
        /// Whether times that the target gives with its samples are kept.
        honor_timestamps: bool = setting(Flag, defaults::HONOR_TIMESTAMPS), "false";
        /// Rules for a target's labels before it is scraped; one that is dropped is not scraped.
        relabel: Vec<Item<Relabel>> = setting(List(table::<Relabel>()), []),
            r#"[{ source_labels = ["__address__"], target_label = "instance" }]"#;
        /// Rules for each series that was scraped.
        metric_relabel: Vec<Item<Relabel>> = setting(List(table::<Relabel>()), []),
            r#"[{ source_labels = ["__name__"], regex = "go_.*", action = "drop" }]"#;
        /// User and password: `"user:password"`, or a table. They may stand in a target's URL too.
        basic: Option<RawBasic> = optional(BASIC_KIND, "none"), r#""monitor:${PASSWORD}""#;
        /// A token, sent as `Authorization: Bearer`.
        bearer: Option<String> = optional(words::BEARER, "none"), r#""${TOKEN}""#;
        /// Further headers.
        headers: Vec<Named<String>> = setting(Map(HEADER_VALUE), []), r#"{ X-Probe = "1" }"#;
        /// A file of certificates (PEM) that are trusted besides those of the system: of issuers, or
        /// the server's own.
        ca: Option<PathBuf> = optional(PATH, "those of the system"), r#""ca.pem""#;
        /// Whether any certificate is accepted, so that nobody knows who is there.
        insecure: bool = setting(Flag, defaults::INSECURE), "true";
        /// Most bytes that a target may send, unpacked.
        max_body: Option<u64> =
            optional(size(KIB, 4 * 1024 * MIB), "that of `observe.scrape`"), r#""32MiB""#;
        /// Most samples, after `metric_relabel`.
        max_samples: Option<usize> =
            optional(integer::<usize>(1, 10_000_000), "that of `observe.scrape`"), "50000";
        /// Most labels of a series.
        max_labels: Option<usize> =
            optional(integer::<usize>(2, 1000), "that of `observe.scrape`"), "64";
        /// Longest name of a label.
        max_label_name: Option<u64> =
            optional(size(8, 64 * KIB), "that of `observe.scrape`"), r#""512B""#;
        /// Longest value of a label.
        max_label_value: Option<u64> =
            optional(size(8, MIB), "that of `observe.scrape`"), r#""4KiB""#;
    }
}

raw_table! {
    /// A rule that keeps, drops or rewrites labels, as Prometheus has them. Rules are followed in
    /// their order. Environment variables are not replaced here: `${1}` is a group of `regex`.
    Relabel at "relabel" {
        /// Labels whose values are joined and matched.
        source_labels: Vec<Item<String>> = setting(List(VERBATIM), []), r#"["__address__"]"#;
        /// What stands between them.
        separator: Option<String> = optional(VERBATIM, "`\";\"`"), r#""/""#;
        /// What they are matched with, from end to end.
        regex: Option<String> = optional(VERBATIM, "`\"(.*)\"`"), r#""(.*):9100""#;
        /// With `hashmod`: what the hash is divided by.
        modulus: Option<u64> = optional(integer::<u64>(1, u32::MAX as u64), "none"), "8";
        /// The label that is written.
        target_label: Option<String> = optional(VERBATIM, "none"), r#""instance""#;
        /// What is written; `$1` and `${name}` are groups of `regex`.
        replacement: Option<String> = optional(VERBATIM, "`\"$1\"`"), r#""$1""#;
        /// What is done.
        action: Action = setting(ACTION, Action::Replace), r#""keep""#;
    }
}

/// The tables of databases differ only in the form of the URL.
macro_rules! database {
    ($(#[doc = $doc:literal])+ $name:ident at $path:literal, $kind:expr, $example:literal) => {
        raw_table! {
            $(#[doc = $doc])+
            $name at $path {
                /// Where it is, with user and password.
                url: Option<String> = required($kind), $example;
                /// The `instance` label.
                name: Option<String> = optional(DATABASE_NAME, "host and port of the URL"), r#""main""#;
                /// Labels of each series.
                labels: Vec<Named<String>> = setting(Map(ANY_TEXT), []), r#"{ role = "primary" }"#;
                /// Time between two looks.
                every: Option<Duration> =
                    optional(duration(EVERY.0, EVERY.1), "that of `observe.scrape`"), r#""30s""#;
                /// Most time for one; never more than `every`.
                timeout: Option<Duration> = optional(
                    duration(10, HOUR),
                    "that of `observe.scrape`, or `every` if that is less",
                ), r#""5s""#;
            }
        }
    };
}

database! {
    /// A PostgreSQL server whose figures are read.
    Postgres at "observe.postgres", POSTGRES_URL, r#""postgres://monitor:${PASSWORD}@10.0.0.5/app""#
}
database! {
    /// A Redis or Valkey server whose figures are read.
    Redis at "observe.redis", REDIS_URL, r#""redis://10.0.0.6:6379""#
}

raw_table! {
    /// Bounds of queries. One that goes beyond is stopped, with a message that says which.
    Query at "observe.query" {
        /// Samples that one query may hold at once. It may read twenty times as many.
        max_samples: u64 =
            setting(integer::<u64>(1000, 100_000_000_000), defaults::QUERY_SAMPLES), "50000000";
        /// Most time for one.
        timeout: Duration =
            setting(duration(TIMEOUT.0, HOUR), defaults::QUERY_TIMEOUT), r#""30s""#;
        /// Queries at once; more wait until their time is over.
        concurrency: Option<usize> =
            optional(integer::<usize>(1, 1024), "one for each core, at least 2"), "8";
        /// How far back the newest sample of a series may lie.
        lookback: Duration =
            setting(duration(SECOND, DAY), defaults::LOOKBACK), r#""5m""#;
    }
}

raw_table! {
    /// What the service promises. It becomes alarms on how fast the error budget is spent, and
    /// series that say how much is left.
    Slo at "service.NAME.slo" {
        /// Share of requests that succeed: status below 500.
        success: Option<f64> = optional(SHARE, "none"), r#""99.9%""#;
        /// How fast requests are, as a percentile and a time.
        latency: Option<LatencyObjective> = optional(LATENCY, "none"), r#""p99 < 300ms""#;
        /// The time over which it is promised.
        window: Duration =
            setting(duration(HOUR, 366 * DAY), defaults::SLO_WINDOW), r#""30d""#;
    }
}

/// `false`, or the path of an instance's own figures.
pub(in crate::config) type RawMetrics = OneOf<(), String>;
/// How `service.NAME.metrics` is written.
pub(in crate::config) const METRICS: Either<False, super::super::kind::Parsed<String>> =
    Either(False, METRICS_PATH);

/// The tables of measuring, in the order of the reference.
pub(super) fn tables() -> Vec<TableDoc> {
    let mut tables = vec![
        Observe::doc(),
        Endpoint::doc(),
        Basic::doc(),
        Scrape::doc(),
        Job::doc(),
        Relabel::doc(),
        Postgres::doc(),
        Redis::doc(),
        RemoteWrite::doc(),
        Query::doc(),
        Rules::doc(),
    ];
    tables.extend(notify::tables());
    tables
}
