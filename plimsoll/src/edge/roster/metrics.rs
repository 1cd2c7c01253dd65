//! The roster's figures for Prometheus.

use std::time::Duration;

use tsdb::exposition::{Exposition, Kind};

use super::Roster;
use super::view::{ServerView, ServiceView};
use crate::edge::server::ServerState;

impl Roster {
    /// Adds the state of every service and server.
    pub(crate) fn expose(&self, exposition: &mut Exposition) {
        for service in self.views() {
            for server in &service.servers {
                expose_server(exposition, &service.name, server);
            }
            expose_service(exposition, &service);
        }
    }
}

fn expose_service(exposition: &mut Exposition, service: &ServiceView) {
    let mut servers = exposition.family(
        "plimsoll_service_servers",
        Kind::Gauge,
        "Servers of a service, by state.",
    );
    for state in ServerState::ALL {
        let count = service.servers.iter().filter(|server| server.state == state).count();
        let labels = [("service", service.name.as_str()), ("state", state.as_str())];
        servers.sample(&labels, count as f64);
    }
    let mut needs = exposition.family(
        "plimsoll_service_needs_total",
        Kind::Counter,
        "Attempts sent where they go only in need: to a backup, spread over unhealthy servers too, \
         to an ejected server as the last resort, or past the server that their hash names because it was above its share.",
    );
    let counts = service.needs;
    for (to, count) in [
        ("backup", counts.backup),
        ("spread", counts.spread),
        ("last-resort", counts.last_resort),
        ("overflow", counts.overflow),
    ] {
        needs.sample(&[("service", &service.name), ("to", to)], count as f64);
    }
    exposition
        .family(
            "plimsoll_service_up",
            Kind::Gauge,
            "Whether a service takes requests: it has servers, and enough of them are healthy.",
        )
        .sample(&[("service", &service.name)], f64::from(u8::from(service.closed.is_none())));
    for (name, help, value) in [
        (
            "plimsoll_service_min_healthy_ratio",
            "Share of a service's servers that must be healthy, as configured.",
            f64::from(service.min_healthy.percent) / 100.0,
        ),
        (
            "plimsoll_service_below_min_healthy",
            "1 while fewer of a service's servers are healthy than must be.",
            f64::from(u8::from(!service.reaches_minimum)),
        ),
    ] {
        exposition.family(name, Kind::Gauge, help).sample(&[("service", &service.name)], value);
    }
}

fn expose_server(exposition: &mut Exposition, service: &str, server: &ServerView) {
    let labels = [("service", service), ("server", server.name.as_str())];
    let up = f64::from(u8::from(server.state == ServerState::Healthy));
    let latency = server.last_check.as_ref().map_or(Duration::ZERO, |check| check.latency);
    for (name, help, value) in [
        ("plimsoll_server_up", "Whether a server is healthy.", up),
        ("plimsoll_server_weight", "Configured weight of a server.", f64::from(server.weight)),
        (
            "plimsoll_server_in_flight",
            "Requests that a server is working on.",
            f64::from(server.in_flight),
        ),
        (
            "plimsoll_server_last_check_duration_seconds",
            "Time that the last health check took, 0 before the first.",
            latency.as_secs_f64(),
        ),
    ] {
        exposition.family(name, Kind::Gauge, help).sample(&labels, value);
    }
    if let Some(most) = server.max_conns {
        exposition
            .family(
                "plimsoll_server_max_conns",
                Kind::Gauge,
                "Most requests that a server may work on, as configured; absent without a bound.",
            )
            .sample(&labels, f64::from(most));
    }
    let mut state = exposition.family(
        "plimsoll_server_state",
        Kind::Gauge,
        "1 for the state that a server is in, 0 for the others.",
    );
    for one in ServerState::ALL {
        let labels = [labels[0], labels[1], ("state", one.as_str())];
        state.sample(&labels, f64::from(u8::from(server.state == one)));
    }
    let mut checks = exposition.family(
        "plimsoll_server_health_checks_total",
        Kind::Counter,
        "Active health checks of a server, by result.",
    );
    for (result, count) in [("success", server.checks_passed), ("failure", server.checks_failed)] {
        checks.sample(&[labels[0], labels[1], ("result", result)], count as f64);
    }
    exposition
        .family(
            "plimsoll_server_ejections_total",
            Kind::Counter,
            "Ejections of a server because of failures of real traffic.",
        )
        .sample(&labels, server.ejections as f64);
}
