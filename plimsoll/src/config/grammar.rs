//! The configuration file's tables: every key with its meaning, type, bounds, default and an
//! example. Reading, the check for unknown keys, `docs/config.md` and the JSON Schema all follow
//! from these declarations; to add a key, declare it here and resolve it in `resolve`.
//!
//! What spans several keys (a timeout beyond its interval, a route to nowhere) is not said here
//! but in `resolve`.

mod bounds;
mod foreign;
pub(super) mod observe;
mod service;
mod words;

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::defaults;
use super::kind::{
    Either, False, Flag, Item, List, Map, Named, OneOf, duration, integer, size, table,
};
use super::model::{AccessLogFormat, DEFAULT_PORT, Listen, LogTarget};
use super::reader::Reader;
use super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, Vocabulary, doc_text,
    optional, raw_table, required, section, setting, switchable,
};
use bounds::{HOUR, KIB, MIB, TIB, TIMEOUT};
pub(super) use foreign::{Meaning, find, meaning};
pub(super) use service::{
    Hash, Health, Keepalive, Log, Passive, Restart, RetryTable, Server, ServerTimeouts, Service,
};
pub(super) use words::{ANY_TEXT, BALANCE, BIND, HashOf, NAME_TEXT, PATH, REGEX, RetryOn};
use words::{HOST_PATTERN, LISTEN, LOG_FORMAT, LOG_TARGET, NETWORK, ROUTE_PATH, TOKEN};

/// A switch that is off, a short form, or a table.
pub(super) type OffOr<S, T> = OneOf<(), OneOf<S, T>>;

raw_table! {
    /// What one Plimsoll process does. These keys stand at the top, before the first `[section]`.
    Top at "" {
        /// Where client connections are accepted: one address or a list. An empty host means all
        /// addresses of this machine, port 0 a free port.
        listen: OneOf<Listen, Vec<Item<Listen>>> =
            setting(Either(LISTEN, List(LISTEN)), OneOf::First(default_listen())),
            r#"[":9999", "127.0.0.1:8080"]"#;
        /// The admin server: status, metrics and commands. An address, a table, or `false` for
        /// none. Beyond this machine it needs a token.
        admin: OffOr<SocketAddr, Admin> =
            setting(Either(False, Either(BIND, table::<Admin>())), OneOf::Second(OneOf::First(defaults::ADMIN))),
            r#""127.0.0.1:9900""#;
        /// Event loops; each runs on a core of its own.
        workers: Option<usize> =
            optional(integer::<usize>(1, defaults::WORKERS_MAXIMUM as u64), "one for each core"), "4";
        /// The log of requests: a target, a table, or `false` for none.
        access_log: OffOr<LogTarget, AccessLog> =
            setting(Either(False, Either(LOG_TARGET, table::<AccessLog>())), OneOf::First(())),
            r#"{ to = "access.log", format = "combined" }"#;
        /// Peers whose `X-Forwarded-*`, `X-Real-IP` and `Forwarded` headers are believed: the
        /// addresses of a load balancer in front of Plimsoll.
        trusted_proxies: Vec<Item<IpNet>> = setting(List(NETWORK), []), r#"["10.0.0.0/8"]"#;
        /// How long a stop waits for open requests before it cuts them.
        drain_timeout: Duration = setting(duration(0, HOUR), defaults::DRAIN_TIMEOUT), r#""30s""#;
        /// Headers that Plimsoll adds.
        headers: Headers = section::<Headers>(), "{ served_by = false }";
        /// Bounds on what a client may send.
        limits: Limits = section::<Limits>(), r#"{ body = "10MiB" }"#;
        /// Deadlines on the client's side.
        timeouts: ClientTimeouts = section::<ClientTimeouts>(), r#"{ idle = "30s" }"#;
        /// What Plimsoll measures, keeps and judges, and whom it tells; `false` for nothing of it.
        observe: OneOf<(), observe::Observe> = switchable::<observe::Observe>(), "[observe]";
        /// The services, each under its name: `[service.web]`. There must be at least one.
        service: Vec<Named<Service>> = setting(Map(table::<Service>()), []), "[service.web]";
        /// The routes, each under `[[route]]`. The most specific host wins, then the longest path.
        /// Without any, the only service gets every request.
        route: Vec<Item<Route>> = setting(List(table::<Route>()), []), "[[route]]";
    }
}

raw_table! {
    /// The admin server, when it needs more than an address.
    Admin at "admin" {
        /// Address to bind.
        bind: SocketAddr = setting(BIND, defaults::ADMIN), r#""0.0.0.0:9900""#;
        /// Bearer token that every request but `/-/healthy` must carry. Needed beyond this
        /// machine.
        token: Option<String> = optional(TOKEN, "none"), r#""${PLIMSOLL_TOKEN}""#;
    }
}

raw_table! {
    /// The log of requests.
    AccessLog at "access_log" {
        /// Where lines go. A file is appended to, and reopened by a reload.
        to: Option<LogTarget> = required(LOG_TARGET), r#""access.log""#;
        /// How a line looks.
        format: AccessLogFormat = setting(LOG_FORMAT, AccessLogFormat::Combined), r#""json""#;
    }
}

raw_table! {
    /// Headers that Plimsoll adds, besides `X-Forwarded-For`, `-Proto`, `-Host`, `X-Real-IP` and
    /// `X-Request-Id`.
    Headers at "headers" {
        /// `X-Served-By` on responses, with the name of the server.
        served_by: bool = setting(Flag, defaults::SERVED_BY), "false";
        /// `Forwarded` (RFC 7239) on requests to servers.
        forwarded: bool = setting(Flag, defaults::FORWARDED), "true";
    }
}

raw_table! {
    /// Bounds on what a client may send. What goes beyond is refused, never cut.
    Limits at "limits" {
        /// Size of a request or response head. Beyond it: 431.
        head: u64 = setting(size(KIB, MIB), defaults::HEAD_BYTES), r#""32KiB""#;
        /// Header lines in a head. Beyond it: 431.
        header_count: usize = setting(integer::<usize>(1, 1000), defaults::HEADER_COUNT), "100";
        /// Size of a request target (path and query). Beyond it: 414.
        target: u64 = setting(size(64, MIB), defaults::TARGET_BYTES), r#""8KiB""#;
        /// Size of a chunk's size line with its extensions.
        chunk_line: u64 = setting(size(64, MIB), defaults::CHUNK_LINE_BYTES), r#""4KiB""#;
        /// Size of trailers. Beyond it: 431.
        trailers: u64 = setting(size(64, MIB), defaults::TRAILER_BYTES), r#""8KiB""#;
        /// Size of a request body. Beyond it: 413.
        body: Option<u64> = optional(size(0, TIB), "without bound"), r#""10MiB""#;
        /// Open client connections. Beyond it new ones wait.
        connections: Option<usize> = optional(
            integer::<usize>(1, defaults::CONNECTIONS_MAXIMUM),
            "two fifths of the limit on open files",
        ), "10000";
    }
}

raw_table! {
    /// Deadlines on the client's side.
    ClientTimeouts at "timeouts" {
        /// From the first byte of a request head to its last. Beyond it: 408.
        header: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::CLIENT_HEADER_TIMEOUT), r#""10s""#;
        /// Between two reads of a request body. Beyond it: 408.
        body: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::CLIENT_BODY_TIMEOUT), r#""30s""#;
        /// Between requests on a connection that is kept alive.
        idle: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::CLIENT_IDLE_TIMEOUT), r#""65s""#;
        /// Without progress while writing to a client.
        write: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::CLIENT_WRITE_TIMEOUT), r#""30s""#;
    }
}

raw_table! {
    /// A route: requests that match go to a service.
    Route at "route" {
        /// Host of the request: exact, or `*.suffix` for every name below it.
        host: Option<String> = optional(HOST_PATTERN, "any"), r#""*.example.com""#;
        /// Path prefix. It matches whole segments: `/api` matches `/api/x` but not `/apix`.
        path: String = setting(ROUTE_PATH, defaults::ROUTE_PATH), r#""/api/""#;
        /// Name of the service.
        service: Option<String> = required(NAME_TEXT), r#""web""#;
        /// Removes the prefix before the request goes to the service.
        strip_prefix: bool = setting(Flag, defaults::STRIP_PREFIX), "true";
        /// Whether requests of this route appear in the access log.
        access_log: bool = setting(Flag, defaults::ROUTE_ACCESS_LOG), "false";
    }
}

/// The words of the configuration file.
pub(super) const VOCABULARY: Vocabulary = Vocabulary { meaning, tables };

/// All addresses of this machine, on the default port.
fn default_listen() -> Listen {
    let all = std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
    Listen { bind: SocketAddr::new(all, DEFAULT_PORT), name: format!(":{DEFAULT_PORT}") }
}

/// Every table, in the order of the reference.
pub(super) fn tables() -> Vec<TableDoc> {
    let mut tables = vec![
        Top::doc(),
        Admin::doc(),
        AccessLog::doc(),
        Headers::doc(),
        Limits::doc(),
        ClientTimeouts::doc(),
        Service::doc(),
        Server::doc(),
        Hash::doc(),
        Health::doc(),
        Passive::doc(),
        RetryTable::doc(),
        ServerTimeouts::doc(),
        Keepalive::doc(),
        Restart::doc(),
        Log::doc(),
        observe::Slo::doc(),
        Route::doc(),
    ];
    tables.extend(observe::tables());
    tables
}
