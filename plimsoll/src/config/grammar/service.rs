//! The tables of a service.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::super::defaults;
use super::super::kind::{
    Either, False, Flag, Integer, Item, List, Map, Named, OneOf, duration, integer, percent, size,
    table,
};
use super::super::model::{Address, Balance, BelowMinHealthy, InstanceAddress};
use super::super::reader::{Reader, Where};
use super::super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, doc_text, optional, raw_table,
    required, section, setting,
};
use super::OffOr;
use super::bounds::{HOUR, KIB, MIB, TIB, TIMEOUT};
use super::observe::{METRICS, RawMetrics, Slo};
use super::words::*;

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
        /// Where instances tell their own figures: a path, or `false` for nowhere. An instance
        /// without the path counts as down in `up`.
        metrics: Option<RawMetrics> = optional(
            METRICS,
            "`/metrics` is tried; an instance that has none is left alone",
        ), r#""/metrics""#;
        /// What the service promises.
        slo: Option<Slo> = optional(table::<Slo>(), "none"),
            r#"{ success = "99.9%", latency = "p99 < 300ms", window = "30d" }"#;
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
        /// With `run`: the first `$PORT`; the next instance gets the next. Instances of one service
        /// take one port more than there are of them: while one is replaced, its replacement runs
        /// beside it.
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

/// A server that is gone is the one failure that is safe and useful to repeat for everyone.
fn default_retry_on() -> Vec<Item<OneOf<RetryOn, u16>>> {
    let at = Where { key: String::new(), span: 0..0 };
    vec![Item { at, value: OneOf::First(RetryOn::Connect) }]
}

/// One status.
const STATUS: Integer<u16> = integer(100, 599);

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
