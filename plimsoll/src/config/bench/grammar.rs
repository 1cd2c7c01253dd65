//! The tables of a plan file: every key with its meaning, type, bounds, default and an example.
//! Reading, the check for unknown keys, `docs/bench-plan.md` and the JSON Schema all follow from
//! these declarations; to add a key, declare it here and resolve it in `resolve`.
//!
//! What spans several keys (a rate beside stages, a variable that nothing sets) is said in
//! `resolve`.

mod foreign;
mod request;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use super::super::grammar::{ANY_TEXT, PATH};
use super::super::kind::{Choice, Flag, Item, List, Map, Named, duration, integer, table};
use super::super::reader::Reader;
use super::super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, Vocabulary, doc_text,
    optional, raw_table, required, section, setting,
};
use super::load::Users;
use super::model::{FeedEnd, FeedOrder, HttpVersion, OnError, Pause, ServedBy, Stage};
use super::settings;
use super::threshold::Written;
pub(in crate::config) use request::{Check, Extract, Multipart, Request, Scenario};
pub(in crate::config) use words::speed;
use words::{
    CONNECTIONS, DELIMITER, HEADER_TEXT, HTTP, LASTING, PAUSE, RATE, REQUESTS, SERVED_BY, SPEED,
    STAGES, TEXT, THRESHOLD,
};

/// Bounds of every timeout, in milliseconds.
const TIMEOUT: (u64, u64) = (1, 24 * 3600 * 1000);

/// What a user does after a failed request.
pub(in crate::config) const ON_ERROR: Choice<OnError> = Choice(&[
    ("continue", OnError::Continue, "goes on with the next step"),
    ("next-iteration", OnError::NextIteration, "begins again"),
    ("stop-user", OnError::StopUser, "leaves"),
    ("stop-run", OnError::StopRun, "ends the whole run"),
]);
/// Which row is next.
const ORDER: Choice<FeedOrder> = Choice(&[
    ("in-turn", FeedOrder::InTurn, "the one after the last"),
    ("random", FeedOrder::Random, "any"),
]);
/// What happens after the last row.
const AT_END: Choice<FeedEnd> = Choice(&[
    ("again", FeedEnd::Again, "the first again"),
    ("stop-user", FeedEnd::StopUser, "the user leaves"),
]);

raw_table! {
    /// What is done, by whom and when. These keys stand at the top, before the first `[section]`.
    Top at "" {
        /// What the report is headed with.
        name: Option<String> = optional(TEXT, "the name of the file"), r#""Clinic""#;
        /// Where requests go: the base of every `path`. It may end with a path of its own.
        url: Option<String> = optional(TEXT, "each request has a `url`"), r#""http://127.0.0.1:9999""#;
        /// Headers of every request. An empty text leaves out one that is sent otherwise.
        headers: Vec<Named<String>> = setting(Map(HEADER_TEXT), []), r#"{ Accept = "application/json" }"#;
        /// Iterations a second that begin by the clock, whatever became of earlier ones: the open
        /// model. An iteration is one request, or one scenario.
        rate: Option<f64> = optional(RATE, "`connections` say how much is asked"), "500";
        /// A rate that changes, instead of `rate`: levels a second, each with the time that it, or
        /// the way from the one to the other, takes.
        stages: Option<Vec<Stage>> = optional(STAGES, "no stages"), r#""0..500/30s,500/2m,500..0/30s""#;
        /// Arrivals at random around the rate (a Poisson process), as independent people make
        /// them, instead of equal distances.
        poisson: bool = setting(Flag, false), "true";
        /// Begins iterations when the lines of an access log (combined, common or JSON) or the rows
        /// of a CSV file say, counted from the first. The file may be packed with gzip; `"-"` is
        /// standard input.
        replay: Option<PathBuf> = optional(PATH, "nothing is replayed"), r#""access.log""#;
        /// How much faster than recorded a replay goes.
        speed: f64 = setting(SPEED, 1.0), "2";
        /// Connections, each with a user who begins again when it has finished: the closed model.
        /// May follow stages, `"0..64/30s,64/2m"`. Beside a rate, the most that are in use at once.
        /// With `streams`, each has as many users.
        connections: Option<Users> = optional(CONNECTIONS, "64, and 4096 beside a rate"), "64";
        /// Ends after about this many requests (closed model).
        requests: Option<u64> = optional(REQUESTS, "without bound"), "10000";
        /// How long the run lasts.
        r#for: Option<Duration> = optional(LASTING, "10s, or as the other keys say"), r#""60s""#;
        /// A pause after each iteration (closed model): a time, or a range from which it is taken at
        /// random.
        think: Option<Pause> = optional(PAUSE, "none"), r#""1s..3s""#;
        /// Whether each iteration is made by a new user, without cookies and variables of the one
        /// before.
        fresh_users: Option<bool> = optional(Flag, "`true` in the open model and where only the URL is asked, else `false`"), "true";
        /// Whether users send back the cookies that they are given.
        cookies: bool = setting(Flag, true), "false";
        /// What a user does after a failed request.
        on_error: OnError = setting(ON_ERROR, OnError::Continue), r#""next-iteration""#;
        /// Most time from sending to the end of the answer.
        timeout: Duration = setting(duration(TIMEOUT.0, TIMEOUT.1), settings::TIMEOUT), r#""5s""#;
        /// Most time to connect, TLS included.
        connect_timeout: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), settings::CONNECT_TIMEOUT), r#""2s""#;
        /// Threads that make the load.
        threads: Option<usize> =
            optional(integer::<usize>(1, settings::THREADS_MAX as u64), "one for each core"), "2";
        /// Which HTTP: 1, 2 or `"auto"`, which is what TLS agrees on, and 1 without TLS.
        http: HttpVersion = setting(HTTP, HttpVersion::Auto), "2";
        /// Whether connections are used again.
        keep_alive: bool = setting(Flag, true), "false";
        /// Requests at once on each HTTP/2 connection, so that there are `connections` times as many
        /// users. More than one needs `http = 2`.
        streams: usize =
            setting(integer::<usize>(1, settings::STREAMS_MAX as u64), settings::STREAMS), "10";
        /// Most redirects that are followed.
        redirects: u32 = setting(integer::<u32>(0, settings::REDIRECTS_MAX as u64), 0_u32), "5";
        /// A Unix socket to connect to, whatever the URL says.
        unix: Option<PathBuf> = optional(PATH, "TCP"), r#""/run/app.sock""#;
        /// How TLS is done.
        tls: Tls = section::<Tls>(), "{ insecure = true }";
        /// What names the instance that answered: a header, `"json:$.path"` for a field of a JSON
        /// body, or `"none"`.
        served_by: Option<ServedBy> = setting(
            SERVED_BY,
            Some(ServedBy::Header(settings::SERVED_BY.to_owned())),
        ), r#""json:$.instance""#;
        /// What must hold at the end; where it does not, the exit code is 99. Of `p50` to `p99.99`,
        /// `mean`, `max`, `errors` and `rate`; of one name's figures alone with `p99(NAME)`.
        thresholds: Vec<Item<Written>> =
            setting(List(THRESHOLD), []), r#"["p99<50ms", "errors<0.1%"]"#;
        /// Where random choices begin: the same number makes the same ones.
        seed: Option<u64> = optional(integer::<u64>(0, i64::MAX as u64), "others each time"), "42";
        /// Variables, which templates use as `{{name}}`. Their values may hold templates; they are
        /// made anew for each user.
        variables: Vec<Named<String>> = setting(Map(TEXT), []), "[variables]";
        /// Rows of data, each file under a name of its own: `[data.users]`.
        data: Vec<Named<Data>> = setting(Map(table::<Data>()), []), "[data.users]";
        /// Requests, each under `[[request]]`. With several, each iteration makes one of them.
        request: Vec<Item<Request>> = setting(List(table::<Request>()), []), "[[request]]";
        /// Requests that follow each other, each under `[[scenario]]`. With several, each iteration
        /// goes through one of them; single requests may stand beside.
        scenario: Vec<Item<Scenario>> = setting(List(table::<Scenario>()), []), "[[scenario]]";
        /// Groups that run at the same time with a load of their own: `[group.readers]`. Load,
        /// requests and scenarios are then theirs and not at the top.
        group: Vec<Named<Group>> = setting(Map(table::<Group>()), []), "[group.readers]";
    }
}

raw_table! {
    /// A group with a load of its own. Its keys mean what they do at the top.
    Group at "group.NAME" {
        /// Iterations a second.
        rate: Option<f64> = optional(RATE, "`connections` say how much is asked"), "500";
        /// A rate that changes.
        stages: Option<Vec<Stage>> = optional(STAGES, "no stages"), r#""0..500/30s,500/2m""#;
        /// Arrivals at random around the rate.
        poisson: bool = setting(Flag, false), "true";
        /// Connections of the closed model; beside a rate, the most that are in use at once.
        connections: Option<Users> = optional(CONNECTIONS, "64, and 4096 beside a rate"), "64";
        /// Ends after about this many requests (closed model).
        requests: Option<u64> = optional(REQUESTS, "without bound"), "10000";
        /// How long the group goes on.
        r#for: Option<Duration> = optional(LASTING, "10s, or as the other keys say"), r#""60s""#;
        /// A pause after each iteration (closed model).
        think: Option<Pause> = optional(PAUSE, "none"), r#""1s..3s""#;
        /// Whether each iteration is made by a new user.
        fresh_users: Option<bool> = optional(Flag, "`true` in the open model and where only the URL is asked, else `false`"), "true";
        /// Whether users send back the cookies that they are given.
        cookies: bool = setting(Flag, true), "false";
        /// What a user does after a failed request.
        on_error: OnError = setting(ON_ERROR, OnError::Continue), r#""next-iteration""#;
        /// Requests, each under `[[group.NAME.request]]`.
        request: Vec<Item<Request>> = setting(List(table::<Request>()), []), "[[group.readers.request]]";
        /// Scenarios, each under `[[group.NAME.scenario]]`.
        scenario: Vec<Item<Scenario>> = setting(List(table::<Scenario>()), []), "[[group.readers.scenario]]";
    }
}

raw_table! {
    /// How TLS is done.
    Tls at "tls" {
        /// Takes any certificate.
        insecure: bool = setting(Flag, false), "true";
        /// Trusts the certificates of this file (PEM) instead of the system's.
        ca: Option<PathBuf> = optional(PATH, "the system's"), r#""ca.pem""#;
        /// Shows the certificate of this file (PEM).
        cert: Option<PathBuf> = optional(PATH, "none"), r#""client.pem""#;
        /// Its key (PEM).
        key: Option<PathBuf> = optional(PATH, "none"), r#""client.key""#;
        /// The name that the certificate is for.
        server_name: Option<String> = optional(ANY_TEXT, "the URL's host"), r#""example.com""#;
    }
}

raw_table! {
    /// Rows of data from a CSV file. The names of its columns are variables; an iteration that uses
    /// one of them takes a row.
    Data at "data.NAME" {
        /// The file.
        file: Option<PathBuf> = required(PATH), r#""users.csv""#;
        /// Names for the columns of a file whose first line is data. `""` leaves a column out.
        columns: Vec<Item<String>> = setting(List(ANY_TEXT), []), r#"["user", "password"]"#;
        /// What stands between the columns: one character.
        delimiter: u8 = setting(DELIMITER, b','), r#"";""#;
        /// Which row is next.
        order: FeedOrder = setting(ORDER, FeedOrder::InTurn), r#""random""#;
        /// What happens after the last row.
        at_end: FeedEnd = setting(AT_END, FeedEnd::Again), r#""stop-user""#;
        /// Whether each user begins with the first row. Otherwise all share one place in the file.
        per_user: bool = setting(Flag, false), "true";
    }
}

/// Every table, in the order of the reference.
pub(in crate::config) fn tables() -> Vec<TableDoc> {
    vec![
        Top::doc(),
        Request::doc(),
        Check::doc(),
        Extract::doc(),
        Multipart::doc(),
        Scenario::doc(),
        Data::doc(),
        Group::doc(),
        Tls::doc(),
    ]
}

/// The words of a plan.
pub(in crate::config) const VOCABULARY: Vocabulary =
    Vocabulary { meaning: foreign::meaning, tables };
