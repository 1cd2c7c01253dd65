//! Configurations for the tests of those who use them: nothing is limited, checked, retried or
//! ejected, and every time is the one given. A test changes what it is about.

use std::sync::Arc;
use std::time::Duration;

use super::model::observe::InstanceMetrics;
use super::model::{
    Balance, BelowMinHealthy, ClientTimeouts, Config, HeaderPolicy, Keepalive, Limits, MinHealthy,
    PassiveHealth, Retry, ServerTimeouts, Service, Source,
};

/// A service of this name.
pub fn service(name: &str, source: Source, time: Duration) -> Service {
    Service {
        name: name.to_owned(),
        source,
        balance: Balance::RoundRobin,
        health: None,
        passive: PassiveHealth {
            max_fails: 0,
            fail_window: time,
            eject_for: time,
            eject_max: time,
        },
        min_healthy: MinHealthy { percent: 0, below: BelowMinHealthy::Fail },
        retry: Retry {
            on_connect: false,
            on_timeout: false,
            on_invalid_header: false,
            on_statuses: Vec::new(),
            tries: 1,
            within: time,
            non_idempotent: false,
            body_buffer_bytes: 0,
            budget_percent: 0,
        },
        timeouts: ServerTimeouts {
            connect: time,
            header: time,
            body: time,
            request: None,
            tunnel: time,
        },
        keepalive: Keepalive { connections: 0, idle: time, requests: None },
        slow_start: Duration::ZERO,
        metrics: InstanceMetrics::Off,
        slo: None,
    }
}

/// A configuration of these services, without routes and addresses.
pub fn config(services: impl IntoIterator<Item = Service>, time: Duration) -> Config {
    let named = |service: Service| (service.name.clone(), Arc::new(service));
    Config {
        listen: Vec::new(),
        admin: None,
        workers: 1,
        access_log: None,
        trusted_proxies: Vec::new(),
        headers: HeaderPolicy { served_by: true, forwarded: false },
        limits: Limits {
            head_bytes: 32 * 1024,
            header_count: 100,
            target_bytes: 8 * 1024,
            chunk_line_bytes: 4 * 1024,
            trailer_bytes: 8 * 1024,
            body_bytes: None,
            connections: 1_000,
        },
        timeouts: ClientTimeouts { header: time, body: time, idle: time, write: time },
        drain_timeout: time,
        observe: None,
        services: services.into_iter().map(named).collect(),
        routes: Vec::new(),
    }
}
