//! A made-up fleet for tests: every state, every optional field both ways, and hostile names.

use jiff::{SignedDuration, Timestamp};

use super::*;

/// The moment all samples are told at.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T02:13:12.123Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_secs(seconds)).unwrap()
}

fn traffic(
    total: u64,
    rate: f64,
    errors: Option<f64>,
    in_flight: u64,
    p50: Option<f64>,
) -> Traffic {
    // Rounded, so that the JSON's decimal is the float.
    let times = |factor: f64| p50.map(|p50| (p50 * factor * 1e6).round() / 1e6);
    Traffic {
        requests_total: total,
        requests_per_second: rate,
        error_share: errors,
        in_flight,
        latency_p50_seconds: p50,
        latency_p90_seconds: times(2.5),
        latency_p99_seconds: times(7.0),
    }
}

/// A server in `state` without a process.
pub(crate) fn server(name: &str, address: &str, state: State, reason: &str) -> ServerStatus {
    let busy = matches!(state, State::Healthy | State::Draining);
    ServerStatus {
        name: name.to_owned(),
        address: address.to_owned(),
        state,
        reason: reason.to_owned(),
        since: ago(754),
        weight: 1,
        max_conns: None,
        backup: false,
        traffic: if busy {
            traffic(128_411, 412.0, Some(0.0), 4, Some(0.0034))
        } else {
            traffic(97, 0.0, None, 0, None)
        },
        last_check: None,
        instance: None,
    }
}

fn instance(pid: Option<u32>, phase: &str, restarts: u64) -> InstanceStatus {
    InstanceStatus {
        pid,
        phase: phase.to_owned(),
        started_at: pid.map(|_| ago(754)),
        restarts,
        cpu_percent: pid.map(|_| 31.4),
        memory_bytes: pid.map(|_| 120_400_000),
        descriptors: pid.map(|_| 23),
        last_exit: (restarts > 0).then(|| "killed by SIGKILL".to_owned()),
    }
}

fn web() -> ServiceStatus {
    let check =
        |passed, text: &str| Some(CheckStatus { at: ago(3), passed, text: text.to_owned() });
    let mut servers = vec![
        server("web-1", "127.0.0.1:41001", State::Healthy, ""),
        server("web-2", "127.0.0.1:41002", State::Healthy, ""),
        server("web-3", "127.0.0.1:41003", State::Unhealthy, "3 checks failed: connection refused"),
        server("web-4", "127.0.0.1:41004", State::Starting, "waiting for its first healthy check"),
    ];
    for (at, server) in servers.iter_mut().enumerate() {
        server.instance = Some(instance(Some(4211 + at as u32), "ready", 0));
        server.last_check = check(true, "200 in 3 ms");
    }
    servers[1].traffic.in_flight = 11;
    servers[1].traffic.error_share = Some(0.031);
    servers[1].instance = Some(instance(Some(4290), "ready", 2));
    servers[2].instance = Some(instance(None, "backoff", 1));
    servers[2].last_check = check(false, "connection refused");
    servers[3].last_check = None;
    ServiceStatus {
        name: "web".to_owned(),
        source: "4 × gunicorn app:wsgi".to_owned(),
        balance: "least-conn".to_owned(),
        min_healthy_percent: 66,
        below_min_healthy: true,
        when_below_min_healthy: "503 at once".to_owned(),
        traffic: traffic(256_822, 824.0, Some(0.015), 15, Some(0.0036)),
        servers,
    }
}

fn legacy() -> ServiceStatus {
    let mut servers = vec![
        server("10.0.1.10:8000", "10.0.1.10:8000", State::Healthy, ""),
        server("10.0.1.11:8000", "10.0.1.11:8000", State::Ejected, "5 failures within 10 s: 502"),
        server("10.0.1.12:8000", "10.0.1.12:8000", State::Draining, "by an operator"),
        server("10.0.1.13:8000", "unix:/run/legacy/spare.sock", State::Stopped, ""),
    ];
    for server in &mut servers {
        server.weight = 5;
    }
    servers[2].max_conns = Some(80);
    servers[2].traffic.in_flight = 80;
    servers[3].backup = true;
    ServiceStatus {
        name: "legacy".to_owned(),
        source: "4 listed servers".to_owned(),
        balance: "round-robin".to_owned(),
        min_healthy_percent: 0,
        below_min_healthy: false,
        when_below_min_healthy: "503 at once".to_owned(),
        traffic: traffic(48_000_000, 1234.0, Some(0.000_1), 84, Some(0.012)),
        servers,
    }
}

/// Two services in trouble.
pub(crate) fn troubled() -> Status {
    let event = |seconds, level, subject: &str, text: &str| Event {
        at: ago(seconds),
        level,
        subject: subject.to_owned(),
        text: text.to_owned(),
    };
    Status {
        version: "0.1.0".to_owned(),
        pid: 4200,
        now: now(),
        started_at: ago(11_530),
        phase: Phase::Running,
        config_path: Some("/etc/plimsoll/plimsoll.toml".to_owned()),
        config_loaded_at: ago(5400),
        reload_failure: None,
        alarms: Vec::new(),
        alarms_further: 0,
        listeners: vec![ListenerStatus {
            name: ":9999".to_owned(),
            address: "0.0.0.0:9999".to_owned(),
        }],
        connections_open: 128,
        connections_total: 90_210,
        access_log_lost_total: Some(0),
        traffic: traffic(48_256_822, 2058.0, Some(0.006), 99, Some(0.0089)),
        services: vec![web(), legacy()],
        events: vec![
            event(12, EventLevel::Error, "web", "fewer than 66 % healthy: 503 at once"),
            event(14, EventLevel::Warn, "web/web-3", "healthy → unhealthy: connection refused"),
            event(5400, EventLevel::Info, "plimsoll", "configuration loaded: web.instances 3 → 4"),
        ],
    }
}

/// [`troubled`], with an instance in a crash loop and lines of the access log lost.
pub(crate) fn worse() -> Status {
    let mut status = troubled();
    let last = &mut status.services[0].servers[3];
    last.state = State::Stopped;
    last.reason = "exited with status 3; last line: no database".to_owned();
    last.instance = Some(instance(None, CRASH_LOOP, 6));
    if let Some(instance) = &mut last.instance {
        instance.last_exit = Some(last.reason.clone());
    }
    status.access_log_lost_total = Some(12_300);
    status
}

/// One service, all well.
pub(crate) fn well() -> Status {
    let mut status = troubled();
    status.services.truncate(1);
    status.services[0].below_min_healthy = false;
    status.services[0].servers.truncate(2);
    status.config_path = None;
    status.events.clear();
    status
}
