//! The configuration file's tables: every key with its meaning, type, bounds, default and an
//! example. Reading, the check for unknown keys, `docs/config.md` and the JSON Schema all follow
//! from these declarations; to add a key, declare it here and resolve it in `resolve`.
//!
//! What spans several keys (a timeout beyond its interval, a route to nowhere) is not said here
//! but in `resolve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use regex::Regex;

use super::defaults;
use super::kind::{
    Choice, Either, False, Flag, Item, List, Map, Named, OneOf, Parsed, duration, integer, percent,
    size, table,
};
use super::model::{
    AccessLogFormat, Address, Balance, BelowMinHealthy, DEFAULT_PORT, InstanceAddress, Listen,
    LogTarget,
};
use super::reader::{Reader, Where};
use super::table::{
    Entries, FieldDoc, Presence, RawTable, Setting, TableDoc, doc_text, optional, raw_table,
    required, section, setting,
};
use super::text;

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// Bounds of every timeout, in milliseconds.
const TIMEOUT: (u64, u64) = (1, 24 * HOUR);

const LISTEN: Parsed<Listen> = Parsed {
    what: "an address to listen on, as in \":9999\", \"127.0.0.1:8000\" or \"[::1]:80\"",
    pattern: None,
    verbatim: false,
    parse: text::listen,
    show: |listen| listen.name.clone(),
};
const BIND: Parsed<SocketAddr> = Parsed {
    what: "an address to listen on, as in \"127.0.0.1:9900\"",
    pattern: None,
    verbatim: false,
    parse: text::bind,
    show: SocketAddr::to_string,
};
const ADDRESS: Parsed<Address> = Parsed {
    what: "an address, as in \"127.0.0.1:8000\", \"[::1]:80\", \"app.internal:80\" or \"unix:/run/app.sock\"",
    pattern: None,
    verbatim: false,
    parse: text::address,
    show: text::show_address,
};
const TOKEN: Parsed<String> = Parsed {
    what: "a token of at least 16 letters, digits and `-._~+/=`",
    pattern: None,
    verbatim: false,
    parse: text::token,
    show: String::clone,
};
const LOG_TARGET: Parsed<LogTarget> = Parsed {
    what: "\"stdout\", \"stderr\" or the path of a file",
    pattern: None,
    verbatim: false,
    parse: text::log_target,
    show: text::show_log_target,
};
const PATH: Parsed<PathBuf> = Parsed {
    what: "a path; a relative one begins at the config file's directory",
    pattern: None,
    verbatim: false,
    parse: text::file_path,
    show: |path| path.display().to_string(),
};
const NETWORK: Parsed<IpNet> = Parsed {
    what: "an IP address or network, as in \"10.0.0.0/8\"",
    pattern: None,
    verbatim: false,
    parse: text::network,
    show: IpNet::to_string,
};
const SERVER_NAME: Parsed<String> = Parsed {
    what: "a name of visible ASCII characters",
    pattern: Some("^[!#-~]+$"),
    verbatim: false,
    parse: text::server_name,
    show: String::clone,
};
/// A command is left to the shell, or to the instance's own variables: `${NAME}` stays as it is.
const COMMAND: Parsed<String> = Parsed {
    what: "a command line",
    pattern: None,
    verbatim: true,
    parse: text::not_empty,
    show: String::clone,
};
const WORD: Parsed<String> = Parsed {
    what: "a word of a command line",
    pattern: None,
    verbatim: true,
    parse: text::any,
    show: String::clone,
};
const ANY_TEXT: Parsed<String> = Parsed {
    what: "text in quotes",
    pattern: None,
    verbatim: false,
    parse: text::any,
    show: String::clone,
};
const NAME_TEXT: Parsed<String> = Parsed {
    what: "a name",
    pattern: None,
    verbatim: false,
    parse: text::not_empty,
    show: String::clone,
};
const CHECK_PATH: Parsed<String> = Parsed {
    what: "a path, as in \"/health/\"",
    pattern: Some("^/"),
    verbatim: false,
    parse: text::check_path,
    show: String::clone,
};
const ROUTE_PATH: Parsed<String> = Parsed {
    what: "a path prefix, as in \"/api/\"",
    pattern: Some("^/"),
    verbatim: false,
    parse: text::route_path,
    show: String::clone,
};
const HOST_PATTERN: Parsed<String> = Parsed {
    what: "a host name, as in \"example.com\" or \"*.example.com\"",
    pattern: None,
    verbatim: false,
    parse: text::host_pattern,
    show: String::clone,
};
const HEADER_VALUE: Parsed<String> = Parsed {
    what: "a header value",
    pattern: None,
    verbatim: false,
    parse: text::header_value,
    show: String::clone,
};
const STATUS_RANGE: Parsed<(u16, u16)> = Parsed {
    what: "a range of statuses, as in \"200-299\"",
    pattern: Some("^[1-5][0-9]{2}-[1-5][0-9]{2}$"),
    verbatim: false,
    parse: text::status_range,
    show: |(low, high)| format!("{low}-{high}"),
};
const REGEX: Parsed<Regex> = Parsed {
    what: "a regular expression",
    pattern: None,
    verbatim: false,
    parse: text::regex,
    show: |regex| regex.as_str().to_owned(),
};

const LOG_FORMAT: Choice<AccessLogFormat> = Choice(&[
    (
        "combined",
        AccessLogFormat::Combined,
        "the NCSA combined format, with service, server and duration appended",
    ),
    ("json", AccessLogFormat::Json, "one JSON object a line"),
]);
const CONNECT: Choice<InstanceAddress> = Choice(&[
    ("port", InstanceAddress::Port, "127.0.0.1 and the instance's `$PORT`"),
    ("socket", InstanceAddress::Socket, "the Unix socket `$SOCKET`, which is faster"),
]);
const BELOW: Choice<BelowMinHealthy> = Choice(&[
    ("fail", BelowMinHealthy::Fail, "503 at once, so that the few are not overrun"),
    ("spread", BelowMinHealthy::Spread, "traffic to all servers, healthy or not"),
]);
/// Balancing policies that need nothing but their name.
pub(super) const BALANCE: Choice<Balance> = Choice(&[
    ("round-robin", Balance::RoundRobin, "one after the other, by weight"),
    ("least-conn", Balance::LeastConn, "the one with the fewest requests in flight, by weight"),
    ("random", Balance::Random, "at random, by weight"),
    ("power-of-two", Balance::PowerOfTwo, "the less loaded of two random ones"),
    ("peak-ewma", Balance::PeakEwma, "the one that answers fastest for the load it has"),
    ("ip-hash", Balance::IpHash, "the same one for the same client address"),
]);

/// What a consistent hash is taken of, before its name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashOf {
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// Path and query.
    Uri,
}
const HASH_OF: Choice<HashOf> = Choice(&[
    ("header", HashOf::Header, "the value of the header `name`"),
    ("cookie", HashOf::Cookie, "the value of the cookie `name`"),
    ("uri", HashOf::Uri, "path and query"),
]);

/// Failures that a retry may follow, besides statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryOn {
    /// No connection.
    Connect,
    /// No response head in time.
    Timeout,
    /// A response head that is none.
    InvalidHeader,
}
const RETRY_ON: Choice<RetryOn> = Choice(&[
    ("connect", RetryOn::Connect, "no connection, or closed before a response began"),
    ("timeout", RetryOn::Timeout, "no response head in time"),
    ("invalid-header", RetryOn::InvalidHeader, "a response head that cannot be understood"),
]);

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
        /// The services, each under its name: `[service.web]`.
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
    /// A service: equal servers behind one balancing policy. Either Plimsoll starts them (`run`)
    /// or they run already (`servers`).
    Service at "service.NAME" {
        /// The command that starts an instance. Text goes to `/bin/sh`; a list of words runs as it
        /// is. `$PORT`, `$SOCKET` and `$INSTANCE` differ for each instance.
        run: Option<OneOf<String, Vec<Item<String>>>> =
            optional(Either(COMMAND, List(WORD)), "none; `servers` is given instead"),
            r#""gunicorn app:wsgi --bind 127.0.0.1:$PORT""#;
        /// Servers that something else runs: addresses, or tables where one needs more.
        servers: Option<Vec<Item<OneOf<Address, Server>>>> =
            optional(List(Either(ADDRESS, table::<Server>())), "none; `run` is given instead"),
            r#"["10.0.0.1:8000", { at = "10.0.0.2:8000", weight = 5 }]"#;
        /// How many instances `run` starts.
        instances: u32 = setting(integer::<u32>(1, 1000), defaults::INSTANCES), "3";
        /// How a server is chosen: a word, or a table for a consistent hash.
        balance: OneOf<Balance, Hash> =
            setting(Either(BALANCE, table::<Hash>()), OneOf::First(Balance::RoundRobin)),
            r#""least-conn""#;
        /// Health checks: a path, a table, or `false` for none. A new server gets no requests
        /// before its first success.
        health: Option<OffOr<String, Health>> =
            optional(Either(False, Either(CHECK_PATH, table::<Health>())), "a TCP connection every 5s"),
            r#"{ path = "/health/", every = "5s" }"#;
        /// Ejection by failures of real requests.
        passive: Passive = section::<Passive>(), "{ max_fails = 3 }";
        /// When a failed request is tried on another server.
        retry: RetryTable = section::<RetryTable>(), r#"{ on = ["connect", 502, 503], tries = 3 }"#;
        /// Deadlines on the server's side.
        timeouts: ServerTimeouts = section::<ServerTimeouts>(), r#"{ header = "10s" }"#;
        /// Idle connections to servers, kept for the next request.
        keepalive: Keepalive = section::<Keepalive>(), "{ connections = 16 }";
        /// Time over which the weight of a new or recovered server grows to its full value.
        slow_start: Duration = setting(duration(0, HOUR), defaults::SLOW_START), r#""30s""#;
        /// With `run`: added to the environment of an instance.
        environment: Vec<Named<String>> =
            setting(Map(ANY_TEXT), []), r#"{ DEBUG = "0", HOME = "${HOME}" }"#;
        /// With `run`: the working directory.
        directory: Option<PathBuf> = optional(PATH, "that of the config file"), r#""/srv/app""#;
        /// With `run`: the user to run as. Needs root.
        user: Option<String> = optional(NAME_TEXT, "Plimsoll's own"), r#""www-data""#;
        /// With `run`: how an instance is reached.
        connect: Option<InstanceAddress> = optional(
            CONNECT,
            "`\"socket\"` if the command names `$SOCKET` and not `$PORT`, else `\"port\"`",
        ), r#""socket""#;
        /// With `run`: the first `$PORT`; the next instance gets the next.
        first_port: Option<u16> = optional(integer::<u16>(1, 65535), "free ports"), "8001";
        /// With `run`: how long a new instance may take to become healthy.
        start_timeout: Duration = setting(duration(100, HOUR), defaults::START_TIMEOUT), r#""60s""#;
        /// With `run`: how long an instance may take to finish its requests, and then to end after
        /// TERM before it is killed.
        stop_timeout: Duration = setting(duration(0, HOUR), defaults::STOP_TIMEOUT), r#""10s""#;
        /// With `run`: delays between restarts of an instance that dies.
        restart: Restart = section::<Restart>(), r#"{ initial = "1s" }"#;
        /// With `run`: an instance whose resident memory goes beyond is replaced.
        max_memory: Option<u64> = optional(size(MIB, TIB), "without bound"), r#""512MiB""#;
        /// With `run`: an instance is replaced after so many requests.
        max_requests: Option<u64> = optional(integer::<u64>(1, u32::MAX as u64), "without bound"), "10000";
        /// With `run`: files for the output of the instances, besides the terminal.
        log: Option<Log> = optional(table::<Log>(), "none"), r#"{ directory = "log" }"#;
        /// With `run`: the weight of each instance.
        weight: u32 = setting(integer::<u32>(1, 1000), defaults::WEIGHT), "1";
        /// With `run`: most requests in flight for each instance.
        max_conns: Option<u32> = optional(integer::<u32>(1, 1_000_000), "without bound"), "80";
    }
}

raw_table! {
    /// A server that something else runs.
    Server at "service.NAME.servers" {
        /// Where it listens. A host name is resolved again every 30 s.
        at: Option<Address> = required(ADDRESS), r#""10.0.0.1:8000""#;
        /// Its name in status, metrics and `X-Served-By`.
        name: Option<String> = optional(SERVER_NAME, "the address"), r#""web1""#;
        /// Its share of the requests, against the weights of the others.
        weight: u32 = setting(integer::<u32>(1, 1000), defaults::WEIGHT), "5";
        /// Most requests in flight.
        max_conns: Option<u32> = optional(integer::<u32>(1, 1_000_000), "without bound"), "80";
        /// Gets requests only when no other server can.
        backup: bool = setting(Flag, false), "true";
    }
}

raw_table! {
    /// Consistent hashing with bounded load: the same key goes to the same server, and few keys
    /// move when the servers change. A request without the key is spread at random.
    Hash at "service.NAME.balance" {
        /// What the hash is taken of.
        hash: Option<HashOf> = required(HASH_OF), r#""cookie""#;
        /// Name of the header or cookie.
        name: Option<String> = optional(NAME_TEXT, "none; needed for `header` and `cookie`"),
            r#""session""#;
    }
}

raw_table! {
    /// Health checks. With `path` a check is a GET request, without it a TCP connection.
    Health at "service.NAME.health" {
        /// Path and query of the request.
        path: Option<String> = optional(CHECK_PATH, "none: a TCP connection"), r#""/health/""#;
        /// Time between checks.
        every: Duration = setting(duration(100, HOUR), defaults::HEALTH_EVERY), r#""5s""#;
        /// Most time a check may take; never more than `every`.
        timeout: Option<Duration> =
            optional(duration(10, HOUR), "`\"2s\"`, or `every` if that is less"), r#""2s""#;
        /// Successes in a row that make an unhealthy server healthy.
        rise: u32 = setting(integer::<u32>(1, 100), defaults::HEALTH_RISE), "1";
        /// Failures in a row that make a healthy server unhealthy.
        fall: u32 = setting(integer::<u32>(1, 100), defaults::HEALTH_FALL), "1";
        /// Changes each interval at random by up to this share, so that checks do not march in
        /// step.
        jitter: u32 = setting(percent(50), defaults::HEALTH_JITTER_PERCENT), r#""10%""#;
        /// With `path`: expected statuses, one or several.
        status: Option<OneOf<u16, OneOf<(u16, u16), Vec<Item<OneOf<u16, (u16, u16)>>>>>> = optional(
            Either(STATUS, Either(STATUS_RANGE, List(Either(STATUS, STATUS_RANGE)))),
            "`\"200-399\"`",
        ), r#"[204, "200-299"]"#;
        /// With `path`: the first 64 KiB of the body must match this.
        body: Option<Regex> = optional(REGEX, "anything"), r#""\"status\": *\"ok\"""#;
        /// With `path`: headers of the request; `Host` may be set here.
        headers: Vec<Named<String>> = setting(Map(HEADER_VALUE), []), r#"{ Host = "example.com" }"#;
        /// The share of servers that must be healthy.
        min_healthy: u32 = setting(percent(100), defaults::MIN_HEALTHY_PERCENT), r#""66%""#;
        /// What happens when fewer are healthy.
        below_min_healthy: BelowMinHealthy = setting(BELOW, BelowMinHealthy::Fail), r#""spread""#;
    }
}

/// All addresses of this machine, on the default port.
fn default_listen() -> Listen {
    let all = std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
    Listen { bind: SocketAddr::new(all, DEFAULT_PORT), name: format!(":{DEFAULT_PORT}") }
}

/// A server that is gone is the one failure that is safe and useful to repeat for everyone.
fn default_retry_on() -> Vec<Item<OneOf<RetryOn, u16>>> {
    let at = Where { key: String::new(), span: 0..0 };
    vec![Item { at, value: OneOf::First(RetryOn::Connect) }]
}

/// One status.
const STATUS: super::kind::Integer<u16> = integer(100, 599);

raw_table! {
    /// Ejection: a server that fails real requests gets none for a time.
    Passive at "service.NAME.passive" {
        /// Failures within `fail_window` that eject; 0 turns it off.
        max_fails: u32 = setting(integer::<u32>(0, 10_000), defaults::MAX_FAILS), "5";
        /// Time within which failures are counted.
        fail_window: Duration = setting(duration(100, HOUR), defaults::FAIL_WINDOW), r#""10s""#;
        /// First time out; it grows by as much with each ejection in a row.
        eject_for: Duration = setting(duration(100, HOUR), defaults::EJECT_FOR), r#""10s""#;
        /// Longest time out.
        eject_max: Duration = setting(duration(100, 24 * HOUR), defaults::EJECT_MAX), r#""5m""#;
    }
}

raw_table! {
    /// Trying a failed request on another server.
    RetryTable at "service.NAME.retry" {
        /// Which failures are repeated: words and statuses.
        on: Vec<Item<OneOf<RetryOn, u16>>> =
            setting(List(Either(RETRY_ON, integer::<u16>(400, 599))), default_retry_on()),
            r#"["connect", "timeout", 502, 503, 504]"#;
        /// Attempts in all; 1 turns retries off.
        tries: u32 = setting(integer::<u32>(1, 10), defaults::TRIES), "3";
        /// No new attempt starts after this time.
        within: Duration = setting(duration(TIMEOUT.0, HOUR), defaults::RETRY_WITHIN), r#""10s""#;
        /// Also methods that are not idempotent, such as POST (RFC 9110 §9.2.2). An attempt that
        /// found no connection has sent nothing and is repeated for any method.
        non_idempotent: bool = setting(Flag, defaults::RETRY_NON_IDEMPOTENT), "false";
        /// How much of a request body is kept for another attempt.
        body_buffer: u64 = setting(size(0, 64 * MIB), defaults::RETRY_BODY_BYTES), r#""64KiB""#;
        /// Retries as a share of requests over the last 10 s, plus 10 a second.
        budget: u32 = setting(percent(100), defaults::RETRY_BUDGET_PERCENT), r#""20%""#;
    }
}

raw_table! {
    /// Deadlines on the server's side.
    ServerTimeouts at "service.NAME.timeouts" {
        /// To connect. Beyond it: 504.
        connect: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::SERVER_CONNECT_TIMEOUT), r#""2s""#;
        /// From the request's last byte to the response head. Beyond it: 504.
        header: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::SERVER_HEADER_TIMEOUT), r#""60s""#;
        /// Between two reads of a response body.
        body: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::SERVER_BODY_TIMEOUT), r#""60s""#;
        /// For the whole request, all attempts.
        request: Option<Duration> =
            optional(duration(TIMEOUT.0, TIMEOUT.1), "without bound"), r#""2m""#;
        /// Without traffic in a tunnel, such as a WebSocket.
        tunnel: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::SERVER_TUNNEL_TIMEOUT), r#""1h""#;
    }
}

raw_table! {
    /// Idle connections to servers, kept by each worker.
    Keepalive at "service.NAME.keepalive" {
        /// Idle connections for each server and worker; 0 turns reuse off.
        connections: usize = setting(integer::<usize>(0, 10_000), defaults::KEEPALIVE_CONNECTIONS), "64";
        /// Time an idle connection is kept. It should be less than the server's own.
        idle: Duration =
            setting(duration(TIMEOUT.0, TIMEOUT.1), defaults::KEEPALIVE_IDLE), r#""30s""#;
        /// Requests over one connection.
        requests: Option<u64> = optional(integer::<u64>(1, u32::MAX as u64), "without bound"), "1000";
    }
}

raw_table! {
    /// Restarts of an instance that dies. The delay doubles, with jitter.
    Restart at "service.NAME.restart" {
        /// First delay.
        initial: Duration = setting(duration(10, HOUR), defaults::RESTART_INITIAL), r#""200ms""#;
        /// Longest delay.
        max: Duration = setting(duration(10, HOUR), defaults::RESTART_MAX), r#""30s""#;
        /// An instance that lived this long starts again with the first delay.
        reset_after: Duration =
            setting(duration(0, 24 * HOUR), defaults::RESTART_RESET_AFTER), r#""10s""#;
        /// Deaths in a row that are reported as a crash loop.
        crash_loop_after: u32 = setting(integer::<u32>(1, 1000), defaults::CRASH_LOOP_AFTER), "5";
    }
}

raw_table! {
    /// Files for the output of the instances, one for each: `INSTANCE.log`.
    Log at "service.NAME.log" {
        /// Directory of the files; it is made if need be.
        directory: Option<PathBuf> = required(PATH), r#""log""#;
        /// Size at which a file is turned over.
        max_size: u64 = setting(size(KIB, TIB), defaults::LOG_MAX_BYTES), r#""10MiB""#;
        /// Old files kept.
        keep: u32 = setting(integer::<u32>(0, 1000), defaults::LOG_KEEP), "3";
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

/// Every table, in the order of the reference.
pub(super) fn tables() -> Vec<TableDoc> {
    vec![
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
        Route::doc(),
    ]
}

/// Where a key belongs that stands in the wrong table.
pub(super) fn home_of(key: &str) -> Option<String> {
    let tables = tables();
    let home = tables.iter().find(|table| table.fields.iter().any(|field| field.key == key))?;
    Some(match home.path {
        "" => "the top of the file, before the first `[section]`".to_owned(),
        "route" => "`[[route]]`".to_owned(),
        "service.NAME.servers" => "a server of `service.NAME.servers`".to_owned(),
        path => format!("`[{path}]`"),
    })
}
