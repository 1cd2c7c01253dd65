//! What `/api/status` says: the whole state of one Plimsoll at one moment.
//!
//! The same types are written by the admin server and read back by `plimsoll status`, so the JSON
//! cannot drift from the table. Names carry their unit (`_seconds`, `_bytes`, `_percent`); times
//! are RFC 3339 in UTC; a share is 0.0 to 1.0. Rates, error shares and latencies are over the last
//! [`RATE_WINDOW_SECONDS`]. A field that does not apply is `null`, never a made-up zero.
//! Fields may be added; readers ignore those they do not know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::units;

/// [`InstanceStatus::phase`] of an instance that dies again and again.
pub const CRASH_LOOP: &str = "crash-loop";

/// The window of rates, error shares and latencies, in seconds.
pub const RATE_WINDOW_SECONDS: u32 = 10;

/// Most names of alarms that [`Status::alarms`] has; `plimsoll alarms` has all.
pub const ALARMS_MAX: usize = 10;

/// One Plimsoll at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of Plimsoll, as `0.1.0`.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When this was said, by Plimsoll's clock: ages are counted from here, not from the reader's.
    pub now: Timestamp,
    /// When it started.
    pub started_at: Timestamp,
    /// Running or draining.
    pub phase: Phase,
    /// The config file; `null` when the command line is all there is (`plimsoll run`).
    pub config_path: Option<String>,
    /// When the configuration in force was loaded.
    pub config_loaded_at: Timestamp,
    /// Why the last reload was refused; `null` once one succeeded.
    pub reload_failure: Option<String>,
    /// Alarms that fire, those that are silenced left out: those of one name together, the most
    /// severe first, then the oldest; at most [`ALARMS_MAX`].
    #[serde(default)]
    pub alarms: Vec<AlarmStatus>,
    /// Alarms that fire and have no place among these.
    #[serde(default)]
    pub alarms_further: u64,
    /// Where client connections are accepted.
    pub listeners: Vec<ListenerStatus>,
    /// Client connections open now.
    pub connections_open: u64,
    /// Client connections accepted since the start.
    pub connections_total: u64,
    /// Lines that the access log should have and has not; `null` without an access log.
    pub access_log_lost_total: Option<u64>,
    /// What clients got from all services together, and from Plimsoll itself.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Services by name.
    pub services: Vec<ServiceStatus>,
    /// The latest changes of state, newest first; as many as Plimsoll's log keeps.
    pub events: Vec<Event>,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Accepts connections.
    Running,
    /// Was told to stop: accepts nothing new, waits for open requests.
    Draining,
}

/// Alarms of one name that fire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStatus {
    /// Name of their rule, as `ServerDown`.
    pub name: String,
    /// How many they are.
    #[serde(default = "one")]
    pub count: u64,
    /// The worst of their labels `severity`; may be empty.
    #[serde(default)]
    pub severity: String,
    /// Telling labels that several have in common, as `service=web`; empty for one alone.
    #[serde(default)]
    pub common: Vec<String>,
    /// What the first of several are about, as `web-1`; empty for one alone, and where no label tells
    /// them apart and the summary says more.
    #[serde(default)]
    pub about: Vec<String>,
    /// The other labels of the oldest of the worst, as `server=web-1 service=web`.
    pub labels: String,
    /// What that one means, for people; may be empty.
    pub summary: String,
    /// Since when the oldest fires.
    pub since: Timestamp,
    /// Their rule cannot be evaluated now: they fired when it could be last.
    #[serde(default)]
    pub was_firing: bool,
}

fn one() -> u64 {
    1
}

/// The place of a severity among others, the worst first: words that people give to alarms.
pub fn severity_rank(severity: &str) -> u8 {
    match severity.to_ascii_lowercase().as_str() {
        "critical" | "crit" | "page" | "emergency" | "fatal" | "disaster" => 0,
        "error" | "high" | "major" => 1,
        "warning" | "warn" | "ticket" | "medium" | "minor" => 2,
        "info" | "information" | "low" | "notice" | "none" => 4,
        _ => 3,
    }
}

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// As configured, as `:9999`; the `entrypoint` label of metrics.
    pub name: String,
    /// The address bound, as `0.0.0.0:9999`.
    pub address: String,
}

/// Figures that the whole, a service and a server have alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests since the start of Plimsoll, counted when they end. Those of a server are its
    /// name's: an instance that is started again goes on counting.
    pub requests_total: u64,
    /// Requests that ended, a second.
    pub requests_per_second: f64,
    /// Share of them answered with a status of 500 or more, or not at all; `null` without requests.
    pub error_share: Option<f64>,
    /// Requests begun and not ended.
    pub in_flight: u64,
    /// Half of the requests took no longer; `null` without requests.
    pub latency_p50_seconds: Option<f64>,
    /// 90 % took no longer.
    pub latency_p90_seconds: Option<f64>,
    /// 99 % took no longer.
    pub latency_p99_seconds: Option<f64>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Unique name.
    pub name: String,
    /// Where its servers come from, in words: `3 × gunicorn app:wsgi`, `5 listed servers`.
    pub source: String,
    /// The balancing policy as the config file names it, as `least-conn`.
    pub balance: String,
    /// Least percentage of servers that must be healthy; 0 is no demand.
    pub min_healthy_percent: u8,
    /// Fewer are healthy than `min_healthy_percent` asks.
    pub below_min_healthy: bool,
    /// What happens then, in words: `503 at once`, `spread over all servers`.
    pub when_below_min_healthy: String,
    /// What clients of the service got, retries hidden.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Its servers, also those that the fleet is yet to start again, in a steady order.
    pub servers: Vec<ServerStatus>,
}

/// One server of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Unique within its service.
    pub name: String,
    /// `127.0.0.1:8001`, `db.example:80` or `unix:/run/app.sock`.
    pub address: String,
    /// What it is to the balancer.
    pub state: State,
    /// Why it is in this state, as `3 checks failed: connection refused`; may be empty.
    pub reason: String,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Its share of traffic relative to the others'.
    pub weight: u32,
    /// Most requests in flight; `null` is without bound.
    pub max_conns: Option<u32>,
    /// Gets traffic only when no other server can.
    pub backup: bool,
    /// What was sent to it, retries included.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// The latest active health check; `null` before the first, and without checks.
    pub last_check: Option<CheckStatus>,
    /// Its process, if Plimsoll runs it.
    pub instance: Option<InstanceStatus>,
}

/// What a server is to the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Known, but not yet seen healthy; gets no traffic.
    Starting,
    /// Gets traffic.
    Healthy,
    /// Active checks failed.
    Unhealthy,
    /// Out for a time because real traffic failed.
    Ejected,
    /// Gets no new requests; those in flight finish.
    Draining,
    /// Not there now.
    Stopped,
}

/// One active health check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it succeeded.
    pub passed: bool,
    /// What came of it, as `200 in 3 ms` or `connection refused`.
    pub text: String,
}

/// A process that the fleet runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Its process id; `null` while it does not run.
    pub pid: Option<u32>,
    /// Where the fleet is with it: `starting`, `ready`, `draining`, `stopping`, `backoff`,
    /// `crash-loop`, `stopped`.
    pub phase: String,
    /// When the process started; `null` while it does not run.
    pub started_at: Option<Timestamp>,
    /// Times it was started again.
    pub restarts: u64,
    /// Of one core; 250 is two and a half cores.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Open file descriptors.
    pub descriptors: Option<u64>,
    /// How it ended the last time, as `exited with status 1`.
    pub last_exit: Option<String>,
}

/// A change of state worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: EventLevel,
    /// What it is about: `web/web-2`, `web`, `plimsoll`.
    pub subject: String,
    /// What happened and why, one sentence.
    pub text: String,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventLevel {
    /// As it should be.
    Info,
    /// Needs a look; service goes on.
    Warn,
    /// Something failed.
    Error,
}

impl State {
    /// The lower-case word used in status, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

impl Status {
    /// Seconds from `then` to this status; 0 for what lies ahead.
    pub fn seconds_since(&self, then: Timestamp) -> f64 {
        self.now.duration_since(then).as_secs_f64().max(0.0)
    }

    /// A sentence about what is missing in the access log; none if nothing is.
    pub fn access_log_lost(&self) -> Option<String> {
        let lost = self.access_log_lost_total.filter(|lost| *lost > 0)?;
        let verb = if lost == 1 { "line is" } else { "lines are" };
        Some(format!("{} {verb} missing in the access log.", units::count(lost)))
    }
}

impl AlarmStatus {
    /// Whether it fires and is worse than a warning; so is one of which nobody said how bad it is.
    pub fn is_grave(&self) -> bool {
        let is_bad = severity_rank(&self.severity) < severity_rank("warning");
        !self.was_firing && (self.severity.is_empty() || is_bad)
    }

    /// What it is and about what: `web-1 is down`, `service=web: web-1, web-2, …`.
    pub fn what(&self) -> String {
        if !self.about.is_empty() {
            let more = if self.count > self.about.len() as u64 { ", …" } else { "" };
            let colon = if self.common.is_empty() { "" } else { ": " };
            return format!("{}{colon}{}{more}", self.common.join(" "), self.about.join(", "));
        }
        let text = if self.summary.is_empty() { &self.labels } else { &self.summary };
        // A sentence that names the service need not be told of which one it is.
        let is_said =
            |pair: &&String| pair.split_once('=').is_some_and(|(_, value)| text.contains(value));
        let unsaid: Vec<&str> =
            self.common.iter().filter(|pair| !is_said(pair)).map(String::as_str).collect();
        let colon = if unsaid.is_empty() { "" } else { ": " };
        let more = match self.count {
            ..=1 => String::new(),
            count => format!(" – and {} more", units::count(count - 1)),
        };
        format!("{}{colon}{text}{more}", unsaid.join(" "))
    }
}

impl ServiceStatus {
    /// Servers that get traffic now.
    pub fn healthy_count(&self) -> usize {
        self.servers.iter().filter(|server| server.state == State::Healthy).count()
    }
}

impl ServerStatus {
    /// It is down because it died again and again; it is tried ever more rarely.
    pub fn is_in_crash_loop(&self) -> bool {
        let in_loop = |instance: &InstanceStatus| instance.phase == CRASH_LOOP;
        self.state == State::Stopped && self.instance.as_ref().is_some_and(in_loop)
    }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        for status in [samples::troubled(), samples::well()] {
            let text = serde_json::to_string(&status).unwrap();
            assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
        }
    }

    #[test]
    fn the_json_is_flat_and_names_units() {
        let json = serde_json::to_value(samples::troubled()).unwrap();
        assert_eq!(json["now"], "2026-11-21T02:13:12.123Z");
        assert_eq!(json["phase"], "running");
        assert_eq!(json["requests_per_second"], 2058.0);
        let server = &json["services"][0]["servers"][2];
        assert_eq!(server["state"], "unhealthy");
        assert_eq!(server["latency_p50_seconds"], serde_json::Value::Null);
        assert_eq!(server["instance"]["phase"], "backoff");
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let mut json = serde_json::to_value(samples::well()).unwrap();
        json["news"] = 1.into();
        json["services"][0]["news"] = 1.into();
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), samples::well());
    }

    #[test]
    fn an_earlier_version_is_understood() {
        let mut json = serde_json::to_value(samples::well()).unwrap();
        json.as_object_mut().unwrap().remove("alarms_further").unwrap();
        assert_eq!(serde_json::from_value::<Status>(json.clone()).unwrap(), samples::well());
        let since = samples::well().now;
        json["alarms"] = serde_json::json!([
            {"name": "Down", "labels": "service=web", "summary": "it is down", "since": since},
        ]);
        let found = serde_json::from_value::<Status>(json.clone()).unwrap().alarms;
        assert_eq!((found[0].count, found[0].severity.as_str()), (1, ""));
        assert_eq!(found[0].what(), "it is down");
        json.as_object_mut().unwrap().remove("alarms").unwrap();
        assert_eq!(serde_json::from_value::<Status>(json).unwrap().alarms, []);
    }
}
