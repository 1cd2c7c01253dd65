//! Every default of the configuration, by name.
//!
//! The reference states them; the tables of `grammar` and the resolved model take them from here.

use std::time::Duration;

use super::model::DEFAULT_ADMIN_PORT;

/// How long a stop waits for open requests.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Where the admin server listens.
pub(super) const ADMIN: std::net::SocketAddr = std::net::SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    DEFAULT_ADMIN_PORT,
);
/// Most workers.
pub(super) const WORKERS_MAXIMUM: usize = 256;

/// `X-Served-By` on responses.
pub(super) const SERVED_BY: bool = true;
/// `Forwarded` to servers.
pub(super) const FORWARDED: bool = false;

/// Bytes of a head.
pub(super) const HEAD_BYTES: u64 = 32 << 10;
/// Header lines in a head.
pub(super) const HEADER_COUNT: usize = 100;
/// Bytes of a request target.
pub(super) const TARGET_BYTES: u64 = 8 << 10;
/// Bytes of a chunk's size line.
pub(super) const CHUNK_LINE_BYTES: u64 = 4 << 10;
/// Bytes of trailers.
pub(super) const TRAILER_BYTES: u64 = 8 << 10;
/// Most connections, whatever the descriptor limit.
pub(super) const CONNECTIONS_MAXIMUM: u64 = 10_000_000;

/// From the first byte of a request head to its last.
pub(super) const CLIENT_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two reads of a request body.
pub(super) const CLIENT_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between requests on a connection.
pub(super) const CLIENT_IDLE_TIMEOUT: Duration = Duration::from_secs(65);
/// Without progress while writing to a client.
pub(super) const CLIENT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Instances of a service.
pub(super) const INSTANCES: u32 = 1;
/// Until a new instance must be healthy.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);
/// From drain to TERM, and from TERM to KILL.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// First delay of a restart.
pub(super) const RESTART_INITIAL: Duration = Duration::from_millis(200);
/// Longest delay of a restart.
pub(super) const RESTART_MAX: Duration = Duration::from_secs(30);
/// Life time that counts as a success.
pub(super) const RESTART_RESET_AFTER: Duration = Duration::from_secs(10);
/// Deaths in a row that are a crash loop.
pub(super) const CRASH_LOOP_AFTER: u32 = 5;
/// Size at which an instance's log file is turned over.
pub(super) const LOG_MAX_BYTES: u64 = 10 << 20;
/// Old log files kept.
pub(super) const LOG_KEEP: u32 = 3;
/// Weight of a server.
pub(super) const WEIGHT: u32 = 1;

/// Time between health checks.
pub(super) const HEALTH_EVERY: Duration = Duration::from_secs(5);
/// Time between health checks of `plimsoll run`.
pub(super) const RUN_HEALTH_EVERY: Duration = Duration::from_secs(2);
/// Most time a health check may take.
pub(super) const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Successes that make a server healthy.
pub(super) const HEALTH_RISE: u32 = 1;
/// Failures that make a server unhealthy.
pub(super) const HEALTH_FALL: u32 = 3;
/// Random change of the interval, in percent.
pub(super) const HEALTH_JITTER_PERCENT: u32 = 10;
/// Statuses that a health check expects.
pub(super) const HEALTH_STATUS: (u16, u16) = (200, 399);
/// Share of servers that must be healthy, in percent.
pub(super) const MIN_HEALTHY_PERCENT: u32 = 0;

/// Failures of real traffic that eject.
pub(super) const MAX_FAILS: u32 = 5;
/// Time within which they are counted.
pub(super) const FAIL_WINDOW: Duration = Duration::from_secs(10);
/// First ejection.
pub(super) const EJECT_FOR: Duration = Duration::from_secs(10);
/// Longest ejection.
pub(super) const EJECT_MAX: Duration = Duration::from_secs(300);

/// Attempts in all.
pub(super) const TRIES: u32 = 3;
/// No new attempt starts after this.
pub(super) const RETRY_WITHIN: Duration = Duration::from_secs(10);
/// Methods that are not idempotent are not repeated.
pub(super) const RETRY_NON_IDEMPOTENT: bool = false;
/// Bytes of a request body kept for replay.
pub(super) const RETRY_BODY_BYTES: u64 = 64 << 10;
/// Retries as a share of requests, in percent.
pub(super) const RETRY_BUDGET_PERCENT: u32 = 20;

/// To connect to a server.
pub(super) const SERVER_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// To a response head.
pub(super) const SERVER_HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two reads of a response body.
pub(super) const SERVER_BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Without traffic in a tunnel.
pub(super) const SERVER_TUNNEL_TIMEOUT: Duration = Duration::from_secs(3600);

/// Idle connections kept for each server and worker.
pub(super) const KEEPALIVE_CONNECTIONS: usize = 64;
/// Time an idle connection is kept.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// No slow start.
pub(super) const SLOW_START: Duration = Duration::ZERO;

/// The path of a route.
pub(super) const ROUTE_PATH: &str = "/";
/// Routes do not strip their prefix.
pub(super) const STRIP_PREFIX: bool = false;
/// Routes are logged.
pub(super) const ROUTE_ACCESS_LOG: bool = true;

/// How long samples are kept: objectives look back over 30 days.
pub(super) const RETENTION: Duration = Duration::from_secs(31 * 86_400);
/// Bytes of samples on the disk.
pub(super) const STORE_BYTES: u64 = 8 << 30;
/// Series with young samples.
pub(super) const SERIES: usize = 200_000;
/// Bytes of young samples in memory.
pub(super) const STORE_MEMORY_BYTES: u64 = 512 << 20;
/// Between two takes of Plimsoll's own figures.
pub(super) const OWN_EVERY: Duration = Duration::from_secs(1);
/// Between two scrapes of a target.
pub(super) const SCRAPE_EVERY: Duration = Duration::from_secs(15);
/// Most time for one.
pub(super) const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a scrape's body.
pub(super) const SCRAPE_BODY_BYTES: u64 = 32 << 20;
/// Samples of a scrape.
pub(super) const SCRAPE_SAMPLES: usize = 50_000;
/// Labels of a series.
pub(super) const SCRAPE_LABELS: usize = 64;
/// Bytes of a label's name.
pub(super) const LABEL_NAME_BYTES: usize = 512;
/// Bytes of a label's value.
pub(super) const LABEL_VALUE_BYTES: usize = 4096;
/// Samples of a query.
pub(super) const QUERY_SAMPLES: u64 = 50_000_000;
/// Most time for a query.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(120);
/// How far back a query looks for the newest sample.
pub(super) const LOOKBACK: Duration = Duration::from_secs(300);
/// Samples from others are not taken.
pub(super) const REMOTE_WRITE_RECEIVER: bool = false;
/// Most time for a request of remote write.
pub(super) const REMOTE_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Samples that wait for the receiver of remote write.
pub(super) const REMOTE_WRITE_QUEUE: usize = 500_000;
/// Certificates are compared with those that are trusted.
pub(super) const INSECURE: bool = false;
/// Labels of the target do not win.
pub(super) const HONOR_LABELS: bool = false;
/// Times of the target are kept.
pub(super) const HONOR_TIMESTAMPS: bool = true;
/// Built-in alerts are evaluated.
pub(super) const BUILT_IN_RULES: bool = true;
/// What an objective is promised over.
pub(super) const SLO_WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// Labels by which alarms are grouped.
pub(super) const GROUP_BY: [&str; 2] = ["alertname", "service"];
/// Receivers are told of alarms that are over.
pub(super) const RESOLVED: bool = true;
/// A route that matches is the last.
pub(super) const GOES_ON: bool = false;
/// Most time for a command that tells people.
pub(super) const NOTIFY_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Where PagerDuty takes events.
pub(super) const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// The port on which mail servers speak TLS from the first byte.
pub(super) const MAIL_TLS_PORT: u16 = 465;
/// Queries at once on a machine with few cores.
pub(super) const QUERY_CONCURRENCY_MINIMUM: usize = 2;
/// Between two evaluations of a group of rules.
pub(super) const RULES_EVERY: Duration = Duration::from_secs(15);
/// Before a new group of alarms is told of.
pub(super) const GROUP_WAIT: Duration = Duration::from_secs(30);
/// Between two messages of a group that has changed.
pub(super) const GROUP_INTERVAL: Duration = Duration::from_secs(300);
/// Between two messages of a group that has not.
pub(super) const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 3600);
