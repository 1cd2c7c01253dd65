//! The resolved configuration: what is in force, with every default filled in.
//!
//! Invariants: names are unique and non-empty, every route names an existing service, every
//! duration and size is within its stated bounds. Values are immutable once built; a reload
//! builds a new [`Config`] and publishes it whole.

pub mod observe;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use regex::Regex;

use observe::{InstanceMetrics, Objective, Observe};

/// Default traffic port.
pub const DEFAULT_PORT: u16 = 9999;
/// Default admin port.
pub const DEFAULT_ADMIN_PORT: u16 = 9900;

/// Everything that one Plimsoll process does.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where client connections are accepted; at least one.
    pub listen: Vec<Listen>,
    /// The admin and metrics server; `None` turns it off.
    pub admin: Option<Admin>,
    /// Event loops, 1 to 256. Default: one per available core.
    pub workers: usize,
    /// Where requests are logged; `None` turns the access log off.
    pub access_log: Option<AccessLog>,
    /// Peers whose `X-Forwarded-*`, `X-Real-IP` and `Forwarded` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which headers are added to what is forwarded and returned.
    pub headers: HeaderPolicy,
    /// Bounds on what a client may send.
    pub limits: Limits,
    /// Deadlines on the client's side.
    pub timeouts: ClientTimeouts,
    /// How long a stop waits for open requests. Default 30 s.
    pub drain_timeout: Duration,
    /// Measuring, rules and alarms; `None` turns them off.
    pub observe: Option<Arc<Observe>>,
    /// Services by name.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Routes in the order of the file; the most specific host, then the longest path, wins.
    pub routes: Vec<Route>,
}

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address to bind; an empty host (`:9999`) means all addresses of both families.
    pub bind: SocketAddr,
    /// The name in metrics (`entrypoint` label): the text of the address as configured.
    pub name: String,
}

impl Listen {
    /// Whether who connects to `to` is accepted here. `is_within_host` says whether that address is
    /// one of this host; it is asked only if the port fits and all addresses are listened on.
    pub fn is_at(&self, to: SocketAddr, is_within_host: impl FnOnce() -> bool) -> bool {
        let (own, ip) = (self.bind.ip(), to.ip().to_canonical());
        // `[::]` accepts both families.
        let is_any = own.is_unspecified() && (own.is_ipv6() || ip.is_ipv4());
        self.bind.port() == to.port()
            && to.port() != 0
            && (own.to_canonical() == ip || is_any && is_within_host())
    }
}

/// The admin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Address to bind. Must be loopback unless a token is set.
    pub bind: SocketAddr,
    /// Bearer token that every request but `/-/healthy` must carry.
    pub token: Option<String>,
}

/// The access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where lines go.
    pub to: LogTarget,
    /// How a line looks.
    pub format: AccessLogFormat,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to, reopened on reload (so that logrotate works).
    File(PathBuf),
}

/// Access log line formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// NCSA combined, with service, server and duration appended.
    Combined,
    /// One JSON object a line.
    Json,
}

/// Which headers Plimsoll itself adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPolicy {
    /// `X-Served-By` with the instance's name on responses. Default true.
    pub served_by: bool,
    /// `Forwarded` (RFC 7239) to upstreams beside `X-Forwarded-*`. Default false.
    pub forwarded: bool,
}

/// Bounds on a message's head (RFC 9112 leaves them to us).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request or response head. Default 32 KiB. Beyond: 431.
    pub head_bytes: usize,
    /// Header lines in a head. Default 100. Beyond: 431.
    pub header_count: usize,
    /// Bytes of a request target. Default 8 KiB. Beyond: 414.
    pub target_bytes: usize,
    /// Bytes of a chunk's size line with its extensions. Default 4 KiB.
    pub chunk_line_bytes: usize,
    /// Bytes of trailers. Default 8 KiB. Beyond: 431.
    pub trailer_bytes: usize,
    /// Bytes of a request body; `None` is without bound. Default none. Beyond: 413.
    pub body_bytes: Option<u64>,
    /// Open client connections over all workers; beyond it new ones wait in the kernel's
    /// backlog. Default: four fifths of half the descriptor limit.
    pub connections: usize,
}

/// Deadlines on the client's side of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// From the first byte of a head to its last. Default 10 s. Beyond: 408.
    pub header: Duration,
    /// Between two reads of a request body. Default 30 s. Beyond: 408.
    pub body: Duration,
    /// Between requests on a kept-alive connection. Default 65 s.
    pub idle: Duration,
    /// Without progress while writing to a client. Default 30 s.
    pub write: Duration,
}

/// One service: a set of equal servers behind one balancing policy.
#[derive(Debug, Clone)]
pub struct Service {
    /// Unique name.
    pub name: String,
    /// Where its servers come from.
    pub source: Source,
    /// How a server is chosen.
    pub balance: Balance,
    /// Active health checks; `None` means that every server counts as healthy at once.
    pub health: Option<HealthCheck>,
    /// Ejection by failures of real traffic.
    pub passive: PassiveHealth,
    /// What happens when too few servers are healthy.
    pub min_healthy: MinHealthy,
    /// When and how a failed attempt is repeated on another server.
    pub retry: Retry,
    /// Deadlines on the server's side.
    pub timeouts: ServerTimeouts,
    /// Idle upstream connections.
    pub keepalive: Keepalive,
    /// Time over which a new or recovered server's weight grows to its full value. Default 0.
    pub slow_start: Duration,
    /// Where its servers tell their own figures.
    pub metrics: InstanceMetrics,
    /// What it promises; `None` promises nothing.
    pub slo: Option<Objective>,
}

/// Where the servers of a service come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A fixed list.
    Servers(Vec<StaticServer>),
    /// Local processes that Plimsoll starts and supervises.
    Processes(Box<ProcessSpec>),
}

/// A server that something else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticServer {
    /// Name in status, metrics and `X-Served-By`. Default: the address.
    pub name: String,
    /// Where it listens.
    pub at: Address,
    /// 1 to 1000. Default 1.
    pub weight: u32,
    /// Most requests in flight; `None` is without bound.
    pub max_conns: Option<u32>,
    /// Gets traffic only when no other server can.
    pub backup: bool,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A host name and port, resolved at start and again every 30 s.
    Host(String, u16),
    /// The path of a Unix stream socket.
    Unix(PathBuf),
}

/// How the instances of a service are run.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessSpec {
    /// The command. A `run = "text"` goes to `/bin/sh -c`, which steps aside (`exec`) for a simple
    /// command; a list runs as it is, with `$PORT`, `$SOCKET` and `$INSTANCE` replaced in each
    /// word.
    pub command: Command,
    /// How many. 1 to 1000. Default 1.
    pub instances: u32,
    /// Added to Plimsoll's own environment.
    pub environment: BTreeMap<String, String>,
    /// Working directory. Default: that of the config file, or the current one.
    pub directory: Option<PathBuf>,
    /// User to run as (needs root). Default: Plimsoll's own.
    pub user: Option<String>,
    /// How the instance is reached: by port (default) or by Unix socket.
    pub connect: InstanceAddress,
    /// First `$PORT`; instance i of n gets `first + i - 1`, so that a restart of all takes n + 1
    /// ports. Default: a free port below those that the kernel gives to outgoing connections.
    pub first_port: Option<u16>,
    /// How long a new instance may take to its first healthy check. Default 60 s.
    pub start_timeout: Duration,
    /// From drain to TERM at most, then from TERM to KILL. Default 10 s each.
    pub stop_timeout: Duration,
    /// Delays between restarts of a dying instance.
    pub restart: RestartPolicy,
    /// Recycles an instance whose resident memory goes beyond, once it has lived for
    /// `restart.reset_after`. Default none.
    pub max_memory_bytes: Option<u64>,
    /// Recycles an instance after so many requests, once it has lived for `restart.reset_after`.
    /// Default none.
    pub max_requests: Option<u64>,
    /// Where captured output goes besides the terminal. Default none.
    pub log: Option<InstanceLog>,
    /// Weight of each instance. Default 1.
    pub weight: u32,
    /// Most requests in flight for each instance.
    pub max_conns: Option<u32>,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run by `/bin/sh -c`.
    Shell(String),
    /// Run directly; the first word is the program.
    Words(Vec<String>),
}

/// How Plimsoll connects to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceAddress {
    /// 127.0.0.1:$PORT.
    Port,
    /// $SOCKET.
    Socket,
}

/// Back-off of restarts: `initial`, doubling with jitter to `max`; back to `initial` once an
/// instance lived for `reset_after`. `crash_loop_after` deaths without that is a crash loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// First delay. Default 200 ms.
    pub initial: Duration,
    /// Longest delay. Default 30 s.
    pub max: Duration,
    /// Life time that counts as a success. Default 10 s.
    pub reset_after: Duration,
    /// Deaths in a row that are reported as a crash loop. Default 5.
    pub crash_loop_after: u32,
}

/// Captured output of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceLog {
    /// Directory; one file an instance, `NAME.log`.
    pub directory: PathBuf,
    /// Size at which a file is turned over. Default 10 MiB.
    pub max_bytes: u64,
    /// Old files kept. Default 3.
    pub keep: u32,
}

/// Balancing policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Smooth weighted round-robin.
    RoundRobin,
    /// Fewest requests in flight by weight.
    LeastConn,
    /// Weighted random.
    Random,
    /// The less loaded of two random servers.
    PowerOfTwo,
    /// Least peak-sensitive moving average of latency × in-flight.
    PeakEwma,
    /// Hash of the client's address.
    IpHash,
    /// Consistent hash with bounded load.
    Hash(HashKey),
}

/// What a consistent hash is taken of. A request without it is spread at random.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    /// A header's value, by lower-case name.
    Header(String),
    /// A cookie's value.
    Cookie(String),
    /// Path and query.
    Uri,
}

/// Active health checks.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    /// What a check does.
    pub kind: HealthCheckKind,
    /// Time between checks. Default 5 s.
    pub every: Duration,
    /// Most time a check may take. Default 2 s, never more than `every`.
    pub timeout: Duration,
    /// Successes in a row that make an unhealthy server healthy. Default 1.
    pub rise: u32,
    /// Failures in a row that make a healthy server unhealthy. Default 3.
    pub fall: u32,
    /// Interval changed at random by up to this share, 0.0 to 0.5. Default 0.1.
    pub jitter: f64,
}

/// What a health check does.
#[derive(Debug, Clone)]
pub enum HealthCheckKind {
    /// Opens a connection.
    Tcp,
    /// Sends a GET.
    Http {
        /// Path and query. Default `/`.
        path: String,
        /// Headers sent besides Host and User-Agent; `Host` may be set here.
        headers: Vec<(String, String)>,
        /// Inclusive ranges of expected statuses. Default 200–399.
        statuses: Vec<(u16, u16)>,
        /// The body's first 64 KiB must match.
        body: Option<Regex>,
    },
}

/// Ejection of servers by failures of real traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassiveHealth {
    /// Failures within `fail_window` that eject; 0 turns it off. Default 5.
    pub max_fails: u32,
    /// Default 10 s.
    pub fail_window: Duration,
    /// First time out; grows by as much with each ejection in a row. Default 10 s.
    pub eject_for: Duration,
    /// Longest time out. Default 300 s.
    pub eject_max: Duration,
}

/// The share of servers that must be healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinHealthy {
    /// 0 to 100. Default 0: traffic goes to whatever is healthy.
    pub percent: u8,
    /// What happens below it.
    pub below: BelowMinHealthy,
}

/// The two known meanings of a health threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BelowMinHealthy {
    /// 503 at once, as Kong's `healthchecks.threshold`.
    Fail,
    /// Traffic to all servers, as Envoy's panic threshold.
    Spread,
}

/// Repeating failed attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The connection could not be made, or was closed before any byte of a response.
    pub on_connect: bool,
    /// No response head within the time.
    pub on_timeout: bool,
    /// The response head could not be framed.
    pub on_invalid_header: bool,
    /// Statuses that count as failures.
    pub on_statuses: Vec<u16>,
    /// Attempts in all, 1 to 10. Default 3; 1 turns retries off.
    pub tries: u32,
    /// No new attempt starts after this time. Default 10 s.
    pub within: Duration,
    /// Also methods that are not idempotent (RFC 9110 §9.2.2). Default false. An attempt that
    /// failed to connect has sent nothing and is repeated for any method.
    pub non_idempotent: bool,
    /// Bytes of a request body kept for replay. Default 64 KiB.
    pub body_buffer_bytes: usize,
    /// Retries as a percentage of requests over the last 10 s, plus 10 a second. Default 20.
    pub budget_percent: u32,
}

/// Deadlines on the server's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTimeouts {
    /// To connect. Default 2 s. Beyond: 504.
    pub connect: Duration,
    /// From the request's last byte to the response head. Default 60 s. Beyond: 504.
    pub header: Duration,
    /// Between two reads of a response body. Default 60 s.
    pub body: Duration,
    /// For the whole request, all attempts; `None` is without bound.
    pub request: Option<Duration>,
    /// Without traffic in a tunnel after Upgrade. Default 1 h.
    pub tunnel: Duration,
}

/// Idle upstream connections, kept by each worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    /// Idle connections a server and worker, 0 turns reuse off. Default 64.
    pub connections: usize,
    /// Time an idle one is kept. Default 30 s.
    pub idle: Duration,
    /// Requests over one connection; `None` is without bound.
    pub requests: Option<u64>,
}

/// Sends matching requests to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Exact host, or `*.suffix`; `None` matches any. Lower case, without port.
    pub host: Option<String>,
    /// Path prefix that matches at segment borders. Default `/`.
    pub path: String,
    /// Name of the service.
    pub service: String,
    /// Remove the prefix before forwarding. Default false.
    pub strip_prefix: bool,
    /// Whether requests of this route appear in the access log. Default true.
    pub access_log: bool,
}

impl Config {
    /// Whether `peer` may set forwarding headers.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }
}
