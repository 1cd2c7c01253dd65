//! A configuration as facts: keys as the file names them, values as the file writes them.

pub(super) mod observe;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use super::super::address;
use super::super::model::{
    Balance, BelowMinHealthy, ClientTimeouts, Command, Config, HashKey, HeaderPolicy, HealthCheck,
    HealthCheckKind, InstanceAddress, InstanceLog, Keepalive, Limits, MinHealthy, PassiveHealth,
    ProcessSpec, RestartPolicy, Retry, Route, ServerTimeouts, Service, Source, StaticServer,
};
use super::super::quantity::{show_duration, show_size};
use super::super::text::show_log_target;

/// Keys and values.
pub(super) type Facts = BTreeMap<String, Fact>;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// As the file would write it.
    Shown(String),
    /// Lines say that it changed, not how: a password may be in it, or the key says it all.
    Hidden(String),
}

/// Most characters of a command that are shown.
const COMMAND_CHARACTERS: usize = 60;

fn put(facts: &mut Facts, key: impl Into<String>, value: impl Display) {
    facts.insert(key.into(), Fact::Shown(value.to_string()));
}

fn put_hidden(facts: &mut Facts, key: String, value: &str) {
    facts.insert(key, Fact::Hidden(value.to_owned()));
}

fn put_time(facts: &mut Facts, key: &str, value: Duration) {
    put(facts, key, show_duration(value));
}

fn put_size(facts: &mut Facts, key: &str, value: usize) {
    put(facts, key, show_size(value as u64));
}

/// A value that may be absent.
fn or_none<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

/// What a running process cannot change.
pub(super) fn fixed(config: &Config) -> Facts {
    let mut facts = Facts::new();
    put(&mut facts, "workers", config.workers);
    let bind = config.admin.as_ref().map(|admin| admin.bind);
    put(&mut facts, "admin", or_none(bind));
    put(&mut facts, "observe", if config.observe.is_some() { "on" } else { "off" });
    facts
}

/// What belongs to no service.
pub(super) fn process(config: &Config) -> Facts {
    let Config {
        listen,
        admin: _,
        workers: _,
        access_log,
        trusted_proxies,
        headers: HeaderPolicy { served_by, forwarded },
        limits,
        timeouts: ClientTimeouts { header, body, idle, write },
        drain_timeout,
        observe: _,
        services: _,
        routes: _,
    } = config;
    let mut facts = Facts::new();
    for listen in listen {
        put_hidden(&mut facts, format!("listen {}", listen.name), &listen.bind.to_string());
    }
    let log = access_log.as_ref().map(|log| {
        let format = format!("{:?}", log.format).to_lowercase();
        format!("{} ({format})", show_log_target(&log.to))
    });
    put(&mut facts, "access_log", or_none(log));
    let networks: Vec<String> = trusted_proxies.iter().map(ToString::to_string).collect();
    put(&mut facts, "trusted_proxies", format!("[{}]", networks.join(", ")));
    put(&mut facts, "headers.served_by", served_by);
    put(&mut facts, "headers.forwarded", forwarded);
    put_limits(&mut facts, limits);
    put_time(&mut facts, "timeouts.header", *header);
    put_time(&mut facts, "timeouts.body", *body);
    put_time(&mut facts, "timeouts.idle", *idle);
    put_time(&mut facts, "timeouts.write", *write);
    put_time(&mut facts, "drain_timeout", *drain_timeout);
    facts
}

fn put_limits(facts: &mut Facts, limits: &Limits) {
    let Limits {
        head_bytes,
        header_count,
        target_bytes,
        chunk_line_bytes,
        trailer_bytes,
        body_bytes,
        connections,
    } = limits;
    put_size(facts, "limits.head", *head_bytes);
    put(facts, "limits.header_count", header_count);
    put_size(facts, "limits.target", *target_bytes);
    put_size(facts, "limits.chunk_line", *chunk_line_bytes);
    put_size(facts, "limits.trailers", *trailer_bytes);
    put(facts, "limits.body", or_none(body_bytes.map(show_size)));
    put(facts, "limits.connections", connections);
}

/// A route.
pub(super) fn route(route: &Route) -> Facts {
    let Route { host: _, path: _, service, strip_prefix, access_log } = route;
    let mut facts = Facts::new();
    put(&mut facts, "service", service);
    put(&mut facts, "strip_prefix", strip_prefix);
    put(&mut facts, "access_log", access_log);
    facts
}

/// A service.
pub(super) fn service(service: &Service) -> Facts {
    let Service {
        name: _,
        source: _,
        balance,
        health,
        passive,
        min_healthy: MinHealthy { percent, below },
        retry,
        timeouts,
        keepalive: Keepalive { connections, idle, requests },
        slow_start,
        metrics,
        slo,
    } = service;
    let mut facts = Facts::new();
    put(&mut facts, "balance", show_balance(balance));
    put_health(&mut facts, health.as_ref());
    put_passive(&mut facts, passive);
    put(&mut facts, "health.min_healthy", format!("{percent}%"));
    let below = match below {
        BelowMinHealthy::Fail => "fail",
        BelowMinHealthy::Spread => "spread",
    };
    put(&mut facts, "health.below_min_healthy", below);
    put_retry(&mut facts, retry);
    put_timeouts(&mut facts, timeouts);
    put(&mut facts, "keepalive.connections", connections);
    put_time(&mut facts, "keepalive.idle", *idle);
    put(&mut facts, "keepalive.requests", or_none(*requests));
    put_time(&mut facts, "slow_start", *slow_start);
    observe::put_service(&mut facts, metrics, slo.as_ref());
    facts
}

/// Where servers come from.
pub(super) fn source(source: &Source) -> Facts {
    let mut facts = Facts::new();
    match source {
        Source::Servers(servers) => put_servers(&mut facts, servers),
        Source::Processes(process) => put_process(&mut facts, process),
    }
    facts
}

/// Where servers come from, in a few words.
pub(super) fn source_summary(source: &Source) -> String {
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match source {
        Source::Servers(servers) => plural(servers.len(), "server"),
        Source::Processes(process) => {
            let instances = plural(process.instances as usize, "instance");
            format!("{instances} of `{}`", show_command(&process.command))
        }
    }
}

fn show_command(command: &Command) -> String {
    let text = match command {
        Command::Shell(text) => text.clone(),
        Command::Words(words) => words.join(" "),
    };
    let mut shown: String = text.chars().take(COMMAND_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn put_servers(facts: &mut Facts, servers: &[StaticServer]) {
    for StaticServer { name, at, weight, max_conns, backup } in servers {
        let address = address::show(at);
        let mut text = if *name == address { String::new() } else { format!("{address}, ") };
        text += &format!("weight {weight}");
        if let Some(max_conns) = max_conns {
            text += &format!(", max_conns {max_conns}");
        }
        if *backup {
            text += ", backup";
        }
        put(facts, format!("server {name}"), format!("({text})"));
    }
}

fn put_process(facts: &mut Facts, process: &ProcessSpec) {
    let ProcessSpec {
        command,
        instances,
        environment,
        directory,
        user,
        connect,
        first_port,
        start_timeout,
        stop_timeout,
        restart: RestartPolicy { initial, max, reset_after, crash_loop_after },
        max_memory_bytes,
        max_requests,
        log,
        weight,
        max_conns,
    } = process;
    // Written as in the file, so that a text and a list of the same words differ.
    let run = match command {
        Command::Shell(text) => format!("{text:?}"),
        Command::Words(words) => format!("{words:?}"),
    };
    put(facts, "run", run);
    put(facts, "instances", instances);
    for (name, value) in environment {
        put_hidden(facts, format!("environment.{name}"), value);
    }
    let directory = directory.as_ref().map(|directory| directory.display().to_string());
    put(facts, "directory", or_none(directory));
    put(facts, "user", or_none(user.as_ref()));
    let connect = match connect {
        InstanceAddress::Port => "port",
        InstanceAddress::Socket => "socket",
    };
    put(facts, "connect", connect);
    put(facts, "first_port", or_none(*first_port));
    put_time(facts, "start_timeout", *start_timeout);
    put_time(facts, "stop_timeout", *stop_timeout);
    put_time(facts, "restart.initial", *initial);
    put_time(facts, "restart.max", *max);
    put_time(facts, "restart.reset_after", *reset_after);
    put(facts, "restart.crash_loop_after", crash_loop_after);
    put(facts, "max_memory", or_none(max_memory_bytes.map(show_size)));
    put(facts, "max_requests", or_none(*max_requests));
    if let Some(InstanceLog { directory, max_bytes, keep }) = log {
        put(facts, "log.directory", directory.display());
        put(facts, "log.max_size", show_size(*max_bytes));
        put(facts, "log.keep", keep);
    }
    put(facts, "weight", weight);
    put(facts, "max_conns", or_none(*max_conns));
}

fn show_balance(balance: &Balance) -> String {
    match balance {
        Balance::Hash(HashKey::Header(name)) => format!("hash of header {name}"),
        Balance::Hash(HashKey::Cookie(name)) => format!("hash of cookie {name}"),
        Balance::Hash(HashKey::Uri) => "hash of the URI".to_owned(),
        plain => {
            let words = super::super::grammar::BALANCE.0.iter();
            let word = words.filter(|(_, known, _)| known == plain).map(|(word, ..)| *word).next();
            word.unwrap_or_default().to_owned()
        }
    }
}

fn put_health(facts: &mut Facts, health: Option<&HealthCheck>) {
    let Some(HealthCheck { kind, every, timeout, rise, fall, jitter }) = health else {
        put(facts, "health", "none");
        return;
    };
    match kind {
        HealthCheckKind::Tcp => put(facts, "health", "tcp"),
        HealthCheckKind::Http { path, headers, statuses, body } => {
            put(facts, "health", "http");
            put(facts, "health.path", path);
            for (name, value) in headers {
                put_hidden(facts, format!("health.headers.{name}"), value);
            }
            let statuses: Vec<String> = statuses
                .iter()
                .map(|(low, high)| match low == high {
                    true => low.to_string(),
                    false => format!("{low}-{high}"),
                })
                .collect();
            put(facts, "health.status", statuses.join(", "));
            put(facts, "health.body", or_none(body.as_ref()));
        }
    }
    put_time(facts, "health.every", *every);
    put_time(facts, "health.timeout", *timeout);
    put(facts, "health.rise", rise);
    put(facts, "health.fall", fall);
    put(facts, "health.jitter", format!("{}%", (jitter * 100.0).round()));
}

fn put_passive(facts: &mut Facts, passive: &PassiveHealth) {
    let PassiveHealth { max_fails, fail_window, eject_for, eject_max } = passive;
    put(facts, "passive.max_fails", max_fails);
    put_time(facts, "passive.fail_window", *fail_window);
    put_time(facts, "passive.eject_for", *eject_for);
    put_time(facts, "passive.eject_max", *eject_max);
}

fn put_retry(facts: &mut Facts, retry: &Retry) {
    let Retry {
        on_connect,
        on_timeout,
        on_invalid_header,
        on_statuses,
        tries,
        within,
        non_idempotent,
        body_buffer_bytes,
        budget_percent,
    } = retry;
    let words =
        [("connect", on_connect), ("timeout", on_timeout), ("invalid-header", on_invalid_header)];
    let mut on: Vec<String> =
        words.iter().filter(|(_, on)| **on).map(|(word, _)| (*word).to_owned()).collect();
    on.extend(on_statuses.iter().map(ToString::to_string));
    put(facts, "retry.on", format!("[{}]", on.join(", ")));
    put(facts, "retry.tries", tries);
    put_time(facts, "retry.within", *within);
    put(facts, "retry.non_idempotent", non_idempotent);
    put_size(facts, "retry.body_buffer", *body_buffer_bytes);
    put(facts, "retry.budget", format!("{budget_percent}%"));
}

fn put_timeouts(facts: &mut Facts, timeouts: &ServerTimeouts) {
    let ServerTimeouts { connect, header, body, request, tunnel } = timeouts;
    put_time(facts, "timeouts.connect", *connect);
    put_time(facts, "timeouts.header", *header);
    put_time(facts, "timeouts.body", *body);
    put(facts, "timeouts.request", or_none(request.map(show_duration)));
    put_time(facts, "timeouts.tunnel", *tunnel);
}
