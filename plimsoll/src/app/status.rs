//! The status of the whole, put together from what the parts say of themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tsdb::exposition::{Exposition, Kind};

use super::{App, Phase};
use crate::admin::status::{
    CRASH_LOOP, CheckStatus, Event, EventLevel, InstanceStatus, ListenerStatus, ServerStatus,
    ServiceStatus, State, Status, Traffic,
};
use crate::config::model::{
    Address, Balance, BelowMinHealthy, Command, HashKey, MinHealthy, Service, Source,
};
use crate::edge::roster::{ServerView, ServiceView};
use crate::edge::server::ServerState;
use crate::edge::{Rates, ServerTraffic, ServiceTraffic};
use crate::fleet::{FleetSnapshot, Instance};
use crate::log;

/// Everything at this moment.
pub fn status(app: &App) -> Status {
    let (config, loaded_at, reload_failure, phase) = {
        let state = app.state();
        (state.config.clone(), state.loaded_at, state.reload_failure.clone(), state.phase)
    };
    let moment = Moment { instant: Instant::now(), now: Timestamp::now() };
    let edge = app.edge.snapshot();
    let (alarms, alarms_further) = super::observe::alarms(app);
    let fleet = app.fleet.changes().borrow().clone();
    let services = app
        .roster
        .views()
        .into_iter()
        .filter_map(|view| {
            let service = config.services.get(&view.name)?;
            let traffic = edge.services.get(&view.name).cloned().unwrap_or_default();
            Some(service_status(&moment, service, view, &traffic, &fleet))
        })
        .collect();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        now: moment.now,
        started_at: app.started_at,
        phase,
        config_path: app.path.as_ref().map(|path| path.display().to_string()),
        config_loaded_at: loaded_at,
        reload_failure,
        alarms,
        alarms_further,
        listeners: app
            .edge
            .listeners()
            .into_iter()
            .map(|(name, address)| ListenerStatus { name, address: address.to_string() })
            .collect(),
        connections_open: edge.connections as u64,
        connections_total: edge.connections_total,
        access_log_lost_total: edge.access_log_lost,
        traffic: traffic(
            edge.requests_total,
            edge.services.values().map(|service| u64::from(service.in_flight)).sum(),
            &edge.recent,
        ),
        services,
        events: log::recent().into_iter().map(event).collect(),
    }
}

/// One moment by both clocks.
struct Moment {
    instant: Instant,
    now: Timestamp,
}

impl Moment {
    /// The wall-clock time of an instant.
    fn at(&self, instant: Instant) -> Timestamp {
        let ago = SignedDuration::try_from(self.instant.saturating_duration_since(instant));
        self.now.saturating_sub(ago.unwrap_or_default()).unwrap_or(self.now)
    }
}

fn service_status(
    moment: &Moment,
    service: &Service,
    view: ServiceView,
    figures: &ServiceTraffic,
    fleet: &FleetSnapshot,
) -> ServiceStatus {
    let instances = fleet.services.get(&view.name).map_or(&[][..], Vec::as_slice);
    let mut by_name: BTreeMap<&str, &Instance> =
        instances.iter().map(|instance| (instance.name.as_str(), instance)).collect();
    let mut servers: Vec<ServerStatus> = view
        .servers
        .into_iter()
        .map(|server| {
            let traffic = figures.servers.get(&server.name).cloned().unwrap_or_default();
            let instance = by_name.remove(server.name.as_str());
            server_status(moment, server, &traffic, instance)
        })
        .collect();
    servers.extend(by_name.into_values().map(|instance| {
        let traffic = figures.servers.get(&instance.name).cloned().unwrap_or_default();
        waiting(moment, instance, &traffic)
    }));
    if !instances.is_empty() {
        let place = |name: &str| instances.iter().position(|instance| instance.name == name);
        servers.sort_by_key(|server| place(&server.name));
    }
    ServiceStatus {
        source: source(&service.source),
        balance: balance(&view.balance),
        min_healthy_percent: view.min_healthy.percent,
        below_min_healthy: !view.reaches_minimum,
        when_below_min_healthy: below(view.min_healthy),
        traffic: traffic(figures.requests_total, u64::from(figures.in_flight), &figures.recent),
        servers,
        name: view.name,
    }
}

/// A server's state as status has it.
pub fn state(state: ServerState) -> State {
    match state {
        ServerState::Starting => State::Starting,
        ServerState::Healthy => State::Healthy,
        ServerState::Unhealthy => State::Unhealthy,
        ServerState::Ejected => State::Ejected,
        ServerState::Draining => State::Draining,
        ServerState::Stopped => State::Stopped,
    }
}

fn server_status(
    moment: &Moment,
    view: ServerView,
    figures: &ServerTraffic,
    instance: Option<&Instance>,
) -> ServerStatus {
    ServerStatus {
        address: address(&view.address),
        state: state(view.state),
        since: moment.at(view.since),
        last_check: view.last_check.map(|check| CheckStatus {
            at: moment.at(check.at),
            passed: check.result.is_ok(),
            text: match check.result {
                Ok(text) => format!("{text} in {:.1} ms", check.latency.as_secs_f64() * 1000.0),
                Err(text) => text,
            },
        }),
        name: view.name,
        reason: view.reason,
        weight: view.weight,
        max_conns: view.max_conns,
        backup: view.backup,
        traffic: traffic(figures.requests_total, u64::from(view.in_flight), &figures.recent),
        instance: instance.map(instance_status),
    }
}

/// An instance that is down: the balancer does not know it, but has not forgotten what it counted.
fn waiting(moment: &Moment, instance: &Instance, figures: &ServerTraffic) -> ServerStatus {
    ServerStatus {
        name: instance.name.clone(),
        address: address(&instance.address),
        state: State::Stopped,
        reason: instance.last_exit.clone().unwrap_or_default(),
        since: instance.ended_at.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(moment.now),
        weight: instance.weight,
        max_conns: instance.max_conns,
        backup: false,
        traffic: traffic(figures.requests_total, 0, &figures.recent),
        last_check: None,
        instance: Some(instance_status(instance)),
    }
}

fn instance_status(instance: &Instance) -> InstanceStatus {
    let running = instance.pid.is_some();
    let phase = if instance.crash_loop { CRASH_LOOP } else { instance.phase.as_str() };
    InstanceStatus {
        pid: instance.pid,
        phase: phase.to_owned(),
        started_at: instance.started_at.and_then(|at| Timestamp::try_from(at).ok()),
        restarts: instance.restarts,
        cpu_percent: running.then_some(instance.figures.cpu_percent),
        memory_bytes: running.then_some(instance.figures.resident_bytes),
        descriptors: running.then_some(instance.figures.descriptors),
        last_exit: instance.last_exit.clone(),
    }
}

fn traffic(requests_total: u64, in_flight: u64, rates: &Rates) -> Traffic {
    let any = rates.p50.is_some();
    Traffic {
        requests_total,
        requests_per_second: rates.requests_per_second,
        error_share: any.then_some(rates.error_share),
        in_flight,
        latency_p50_seconds: rates.p50.map(|latency| latency.as_secs_f64()),
        latency_p90_seconds: rates.p90.map(|latency| latency.as_secs_f64()),
        latency_p99_seconds: rates.p99.map(|latency| latency.as_secs_f64()),
    }
}

fn event(line: log::Line) -> Event {
    Event {
        at: line.at,
        level: match line.level {
            log::Level::Info => EventLevel::Info,
            log::Level::Warn => EventLevel::Warn,
            log::Level::Error => EventLevel::Error,
        },
        subject: line.part,
        text: one_line(&line.text),
    }
}

/// A command with its program's name in place of its path.
fn in_short(words: &[String]) -> String {
    let Some((program, rest)) = words.split_first() else { return String::new() };
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    std::iter::once(name).chain(rest.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Most characters of an event; the log has all of them.
const EVENT_CHARACTERS_MAX: usize = 400;

/// The log's text with its further lines behind the first. Excerpts of a file, which mean nothing
/// beside each other, are left out.
fn one_line(text: &str) -> String {
    let is_excerpt = |line: &&str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_excerpt(line));
    let whole = lines.collect::<Vec<_>>().join(" ");
    match whole.char_indices().nth(EVENT_CHARACTERS_MAX) {
        None => whole,
        Some((end, _)) => {
            let end = whole[..end].rfind(' ').unwrap_or(end);
            format!("{} … (the log has all of it)", &whole[..end])
        }
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Servers(servers) if servers.len() == 1 => "1 listed server".to_owned(),
        Source::Servers(servers) => format!("{} listed servers", servers.len()),
        Source::Processes(spec) => {
            let command = match &spec.command {
                Command::Shell(text) => text.clone(),
                Command::Words(words) => in_short(words),
            };
            format!("{} × {command}", spec.instances)
        }
    }
}

fn balance(balance: &Balance) -> String {
    match balance {
        Balance::RoundRobin => "round-robin".to_owned(),
        Balance::LeastConn => "least-conn".to_owned(),
        Balance::Random => "random".to_owned(),
        Balance::PowerOfTwo => "power-of-two".to_owned(),
        Balance::PeakEwma => "peak-ewma".to_owned(),
        Balance::IpHash => "ip-hash".to_owned(),
        Balance::Hash(HashKey::Header(name)) => format!("hash of header {name}"),
        Balance::Hash(HashKey::Cookie(name)) => format!("hash of cookie {name}"),
        Balance::Hash(HashKey::Uri) => "hash of URI".to_owned(),
    }
}

fn below(min_healthy: MinHealthy) -> String {
    match min_healthy.below {
        BelowMinHealthy::Fail => "503 at once".to_owned(),
        BelowMinHealthy::Spread => "spread over all servers".to_owned(),
    }
}

fn address(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// What is true of the process as a whole.
pub fn expose(app: &App, exposition: &mut Exposition) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    let help = "1, labelled with the version.";
    exposition.family("plimsoll_build_info", Kind::Gauge, help).sample(&version, 1.0);
    let (config, loaded_at, failed, phase) = {
        let state = app.state();
        (state.config.clone(), state.loaded_at, state.reload_failure.is_some(), state.phase)
    };
    instances(&config.services, exposition);
    let mut gauge = |name: &str, help: &str, value: f64| {
        exposition.family(name, Kind::Gauge, help).sample(&[], value);
    };
    let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
    gauge(
        "plimsoll_start_time_seconds",
        "When Plimsoll started, in seconds since 1970.",
        seconds(app.started_at),
    );
    gauge(
        "plimsoll_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded, in seconds since 1970.",
        seconds(loaded_at),
    );
    gauge(
        "plimsoll_config_last_reload_successful",
        "Whether the last reload was applied.",
        f64::from(!failed),
    );
    gauge(
        "plimsoll_draining",
        "Whether Plimsoll is stopping.",
        f64::from(phase == Phase::Draining),
    );
}

/// How many instances the configuration wants of each service that has any.
fn instances(services: &BTreeMap<String, Arc<Service>>, exposition: &mut Exposition) {
    let mut wanted = exposition.family(
        "plimsoll_service_instances",
        Kind::Gauge,
        "Instances that a service should have, as configured.",
    );
    for (name, service) in services {
        if let Source::Processes(spec) = &service.source {
            wanted.sample(&[("service", name)], f64::from(spec.instances));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::model::observe::{LatencyObjective, Objective};
    use crate::config::sample;
    use crate::edge::histogram::{Counts, Histogram};

    #[test]
    fn events_are_short_and_have_no_excerpts() {
        let refused = "error: this is not TOML: extra `=`\n  --> p.toml:12:10\n   |\n12 | broken = = 1\n   \
                       |          ^\n   = remedy:  remove it\n\n1 error; nothing was changed or started";
        assert_eq!(
            one_line(refused),
            "error: this is not TOML: extra `=` --> p.toml:12:10 = remedy:  remove it 1 error; nothing \
             was changed or started"
        );
        let long = one_line(&"words ".repeat(1000));
        assert!(long.ends_with("words … (the log has all of it)"), "{long}");
        assert!(long.chars().count() < EVENT_CHARACTERS_MAX + 30);
    }

    /// The rules name the bound as it is exposed, to the letter.
    #[test]
    fn promises_are_measured_with_the_bounds_of_the_edge() {
        for millis in (1..=20_000).step_by(7).chain([25, 250, 300, 4_350, 30_000, 3_600_000]) {
            let below = Duration::from_millis(millis);
            let histogram = Histogram::default();
            histogram.promise(Some(below));
            let mut counts = Counts::default();
            histogram.add_to(&mut counts);
            let mut exposition = Exposition::new();
            exposition.family("x", Kind::Histogram, "").histogram(
                &[],
                &counts.cumulative(),
                0.0,
                0,
            );
            let page = exposition.finish();

            let mut service =
                sample::service("web", Source::Servers(Vec::new()), Duration::from_secs(1));
            let latency = Some(LatencyObjective { quantile: 0.99, below });
            service.slo =
                Some(Objective { success: None, latency, window: Duration::from_secs(86_400) });
            let services = BTreeMap::from([("web".to_owned(), Arc::new(service))]);
            let rules = crate::observe::rules::objectives_text(&services);
            let (_, le) = rules.split_once("le=").unwrap();
            let (_, le) = le.split_once('"').unwrap();
            let le = le.split(['"', '|']).next().unwrap();
            assert!(page.contains(&format!("{{le=\"{le}\"}}")), "{le}:\n{page}");
        }
    }

    #[test]
    fn services_that_are_only_listed_have_no_instances() {
        let listed = sample::service("x", Source::Servers(Vec::new()), Duration::from_secs(1));
        let mut exposition = Exposition::new();
        instances(&BTreeMap::from([("x".to_owned(), Arc::new(listed))]), &mut exposition);
        assert!(!exposition.finish().contains("plimsoll_service_instances{"));
    }
}
