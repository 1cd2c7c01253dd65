//! The edge's metrics in the Prometheus format, named as Traefik names its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use tsdb::exposition::{Exposition, Kind};

use crate::edge::cells::{Cells, Registry, Totals};
use crate::edge::roster::Roster;
use crate::edge::worker::Shared;

/// Adds everything that the edge counts. Forgets servers that are gone from the roster and whose
/// owner does not keep their names (service, server).
pub(crate) fn expose(
    shared: &Shared,
    roster: &Roster,
    keeps: &dyn Fn(&str, &str) -> bool,
    out: &mut Exposition,
) {
    let views = roster.views();
    let services_known: BTreeSet<&str> = views.iter().map(|view| view.name.as_str()).collect();
    let servers_known: BTreeSet<(&str, &str)> = views
        .iter()
        .flat_map(|view| view.servers.iter().map(|server| (&*view.name, &*server.name)))
        .collect();
    shared.servers.retain(|service, server| {
        servers_known.contains(&(service, server)) || keeps(service, server)
    });
    shared.services.retain(|service, _| services_known.contains(service));
    entrypoints(&totals(&shared.entrypoints), out);
    services(&totals(&shared.services), out);
    servers(&totals(&shared.servers), out);
    let mut rejected = out.family(
        "plimsoll_rejected_requests_total",
        Kind::Counter,
        "Requests that Plimsoll answered itself, by reason.",
    );
    let mut rejections = shared.rejections.all();
    // From the start: of a series that begins with its first requests, no rate shows those.
    for reason in ["no_server", "unreachable", "exhausted", "loop"] {
        rejections.entry(reason).or_default();
    }
    for (reason, count) in rejections {
        rejected.sample(&[("reason", reason)], count as f64);
    }
    out.family(
        "plimsoll_open_connections_max",
        Kind::Gauge,
        "Client connections that may be open over all entrypoints, as configured.",
    )
    .sample(&[], shared.routing.load().config.limits.connections as f64);
    let mut dropped = out.family(
        "plimsoll_access_log_dropped_total",
        Kind::Counter,
        "Lines that the access log should have and has not: the writer could not keep up, or the \
         system did not take them.",
    );
    if let Some(log) = &shared.routing.load().access_log {
        for (reason, count) in log.losses().by_reason() {
            dropped.sample(&[("reason", reason)], count as f64);
        }
    }
}

fn totals(registry: &Registry) -> Vec<(Arc<Cells>, Totals)> {
    registry.all().into_iter().map(|cells| (Arc::clone(&cells), cells.totals())).collect()
}

/// Requests by labels, durations and bytes of things that `label` names.
fn traffic(
    prefix: &str,
    what: &str,
    labels: impl Fn(&Cells) -> Vec<(&'static str, String)>,
    all: &[(Arc<Cells>, Totals)],
    out: &mut Exposition,
) {
    let help = format!("Requests answered, by {what}.");
    let mut family = out.family(&format!("{prefix}_requests_total"), Kind::Counter, &help);
    for (cells, totals) in all {
        let own = labels(cells);
        for (request, count) in &totals.requests {
            let code = request.status().to_string();
            let mut labels: Vec<(&str, &str)> =
                own.iter().map(|(name, value)| (*name, value.as_str())).collect();
            labels.push(("code", &code));
            labels.push(("method", request.method()));
            labels.push(("protocol", request.protocol()));
            family.sample(&labels, *count as f64);
        }
    }
    let help = format!("From a request's first byte to its response's last, by {what}.");
    let name = format!("{prefix}_request_duration_seconds");
    let mut family = out.family(&name, Kind::Histogram, &help);
    for (cells, totals) in all {
        let own = labels(cells);
        let labels: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let latency = &totals.latency;
        let (sum, count) = (latency.sum().as_secs_f64(), latency.count());
        family.histogram(&labels, &latency.cumulative(), sum, count);
    }
    for (direction, help) in
        [("requests", "Bytes of request bodies"), ("responses", "Bytes of response bodies")]
    {
        let name = format!("{prefix}_{direction}_bytes_total");
        let mut family = out.family(&name, Kind::Counter, &format!("{help}, by {what}."));
        for (cells, totals) in all {
            let own = labels(cells);
            let labels: Vec<(&str, &str)> =
                own.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let bytes = if direction == "requests" { totals.bytes_in } else { totals.bytes_out };
            family.sample(&labels, bytes as f64);
        }
    }
}

fn entrypoints(all: &[(Arc<Cells>, Totals)], out: &mut Exposition) {
    let labels = |cells: &Cells| vec![("entrypoint", cells.name.0.to_string())];
    traffic("plimsoll_entrypoint", "entrypoint", labels, all, out);
    let mut open = out.family(
        "plimsoll_entrypoint_open_connections",
        Kind::Gauge,
        "Client connections that are open, by entrypoint.",
    );
    for (cells, totals) in all {
        open.sample(&[("entrypoint", &cells.name.0)], totals.open as f64);
    }
}

fn services(all: &[(Arc<Cells>, Totals)], out: &mut Exposition) {
    let labels = |cells: &Cells| vec![("service", cells.name.0.to_string())];
    traffic("plimsoll_service", "service", labels, all, out);
    // By status code a series begins with its first request, and no rate shows that one.
    let mut errors = out.family(
        "plimsoll_service_errors_total",
        Kind::Counter,
        "Requests answered with a status of 500 and above, by service.",
    );
    for (cells, totals) in all {
        errors.sample(&[("service", &cells.name.0)], totals.errors as f64);
    }
    let mut retries = out.family(
        "plimsoll_service_retries_total",
        Kind::Counter,
        "Attempts that were repeated on another server, by service.",
    );
    for (cells, totals) in all {
        retries.sample(&[("service", &cells.name.0)], totals.retries as f64);
    }
}

fn servers(all: &[(Arc<Cells>, Totals)], out: &mut Exposition) {
    let labels = |cells: &Cells| {
        vec![("service", cells.name.0.to_string()), ("server", cells.name.1.to_string())]
    };
    traffic("plimsoll_server", "server", labels, all, out);
    let mut open = out.family(
        "plimsoll_server_open_connections",
        Kind::Gauge,
        "Connections to servers that are open, idle ones included.",
    );
    for (cells, totals) in all {
        let labels = [("service", &*cells.name.0), ("server", &*cells.name.1)];
        open.sample(&labels, totals.open as f64);
    }
}
