//! Services: where their servers come from, how one is chosen, checked, ejected and retried.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use super::super::grammar::{self, HashOf, OffOr, RetryOn};
use super::super::kind::{Item, Named, OneOf};
use super::super::model::{
    Address, Balance, HashKey, HealthCheck, HealthCheckKind, Keepalive, MinHealthy, PassiveHealth,
    Retry, ServerTimeouts, Service, Source, StaticServer,
};
use super::super::problem::ConfigError;
use super::super::quantity::show_duration;
use super::super::reader::{Reader, Where};
use super::super::table::Setting;
use super::super::{address, defaults, text};
use super::{observe, process};

/// The resolved form of a service; `None` if there is no telling where its servers come from.
pub(super) fn service(
    named: &Named<grammar::Service>,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<Service> {
    let raw = &named.value;
    if let Err(refusal) = text::service_name(&named.name) {
        let error = ConfigError::new(&named.at.key, refusal.message);
        reader.refuse(&named.at, ConfigError { remedy: refusal.remedy, ..error });
    }
    let source = source(named, base, reader);
    let (health, min_healthy) = health(raw.health.value.as_ref(), reader);
    Some(Service {
        name: named.name.clone(),
        source: source?,
        balance: balance(&raw.balance, reader),
        health,
        passive: passive(&raw.passive.value, reader),
        min_healthy,
        retry: retry(&raw.retry.value),
        timeouts: server_timeouts(&raw.timeouts.value),
        keepalive: keepalive(&raw.keepalive.value),
        slow_start: raw.slow_start.value,
        metrics: observe::metrics(raw.metrics.value.as_ref()),
        slo: observe::objective(&raw.slo, reader),
    })
}

fn source(named: &Named<grammar::Service>, base: &Path, reader: &mut Reader<'_>) -> Option<Source> {
    let raw = &named.value;
    let name = &named.name;
    match (raw.run.is_present(), raw.servers.is_present()) {
        (true, true) => {
            let error =
                ConfigError::new(&raw.run.at.key, "a service has either `run` or `servers`")
                    .found(format!("`servers` in {} too", reader.line(&raw.servers.at)))
                    .remedy("remove one of them, or make two services");
            reader.refuse(&raw.run.at, error);
            None
        }
        (false, false) => {
            let child = |key| named.at.child(key);
            if reader.is_misspelt(&child("run")) || reader.is_misspelt(&child("servers")) {
                return None;
            }
            let error = ConfigError::new(&named.at.key, format!("service `{name}` has no servers"))
                .allowed("`run` for a command to start, or `servers` for addresses that exist")
                .remedy("add run = \"COMMAND\", or servers = [\"HOST:PORT\"]");
            reader.refuse(&named.at, error);
            None
        }
        (true, false) => {
            process::process(raw, base, reader).map(|process| Source::Processes(Box::new(process)))
        }
        (false, true) => {
            process::refuse_process_keys(raw, reader);
            let items = raw.servers.value.as_ref()?;
            Some(Source::Servers(servers(items, &raw.servers.at, reader)))
        }
    }
}

fn servers(
    items: &[Item<OneOf<Address, grammar::Server>>],
    list: &Where,
    reader: &mut Reader<'_>,
) -> Vec<StaticServer> {
    let servers: Vec<StaticServer> = items.iter().filter_map(server).collect();
    if items.is_empty() {
        let error = ConfigError::new(&list.key, "the list of servers is empty")
            .found("[]")
            .remedy("add an address, as in [\"127.0.0.1:8000\"]");
        reader.refuse(list, error);
    } else if servers.len() == items.len() && servers.iter().all(|server| server.backup) {
        let error = ConfigError::new(&list.key, "all servers are backups")
            .allowed("at least one server without `backup = true`")
            .remedy("remove `backup` from the servers that should normally get requests");
        reader.refuse(list, error);
    }
    refuse_same_servers(items, reader);
    servers
}

fn server(item: &Item<OneOf<Address, grammar::Server>>) -> Option<StaticServer> {
    match &item.value {
        OneOf::First(address) => Some(StaticServer {
            name: address::show(address),
            at: address.clone(),
            weight: defaults::WEIGHT,
            max_conns: None,
            backup: false,
        }),
        OneOf::Second(table) => {
            let at = table.at.value.clone()?;
            let name = table.name.value.clone().unwrap_or_else(|| address::show(&at));
            Some(StaticServer {
                name,
                at,
                weight: table.weight.value,
                max_conns: table.max_conns.value,
                backup: table.backup.value,
            })
        }
    }
}

fn refuse_same_servers(items: &[Item<OneOf<Address, grammar::Server>>], reader: &mut Reader<'_>) {
    let mut names: BTreeMap<String, &Where> = BTreeMap::new();
    let mut addresses: HashMap<Address, &Where> = HashMap::new();
    for item in items {
        let Some(StaticServer { name, at: address, .. }) = server(item) else { continue };
        let name_at = match &item.value {
            OneOf::Second(table) if table.name.is_present() => &table.name.at,
            OneOf::Second(table) => &table.at.at,
            OneOf::First(_) => &item.at,
        };
        if let Some(first) = names.get(&name) {
            let error = ConfigError::new(&name_at.key, format!("two servers are named `{name}`"))
                .found(reader.shown(name_at))
                .note(format!("first listed in {}", reader.line(first)))
                .remedy("remove one, or give it a name of its own: name = \"…\"");
            reader.refuse(name_at, error);
        } else if let Some(first) = addresses.get(&address) {
            let address = address::show(&address);
            let message = format!("two servers of this service are at {address}");
            let error = ConfigError::new(&item.at.key, message)
                .note(format!("first listed in {}", reader.line(first)))
                .remedy("remove one; a server's share is set by its `weight`");
            reader.warn(&item.at, error);
        }
        names.entry(name).or_insert(name_at);
        addresses.entry(address).or_insert(name_at);
    }
}

fn balance(setting: &Setting<OneOf<Balance, grammar::Hash>>, reader: &mut Reader<'_>) -> Balance {
    let hash = match &setting.value {
        OneOf::First(balance) => return balance.clone(),
        OneOf::Second(hash) => hash,
    };
    let (Some(of), true) = (hash.hash.value, hash.name.is_sound()) else {
        return Balance::RoundRobin;
    };
    let name = hash.name.value.as_deref();
    let check = match (of, name) {
        (HashOf::Uri, None) => return Balance::Hash(HashKey::Uri),
        (HashOf::Uri, Some(_)) => {
            let error = ConfigError::new(&hash.name.at.key, "a hash of the URI has no name")
                .found(reader.shown(&hash.name.at))
                .remedy("remove `name`");
            reader.refuse(&hash.name.at, error);
            return Balance::RoundRobin;
        }
        (_, None) => {
            let what = if of == HashOf::Header { "header" } else { "cookie" };
            let error =
                ConfigError::new(&hash.name.at.key, format!("which {what}? `name` is missing"))
                    .remedy(format!(
                        "add the {what}'s name: {{ hash = \"{what}\", name = \"…\" }}"
                    ));
            reader.refuse(&hash.name.at, error);
            return Balance::RoundRobin;
        }
        (HashOf::Header, Some(name)) => {
            text::header_name(name).map(|name| HashKey::Header(name.to_ascii_lowercase()))
        }
        (HashOf::Cookie, Some(name)) => text::cookie_name(name).map(HashKey::Cookie),
    };
    check.map_or_else(
        |refusal| {
            let error = ConfigError::new(&hash.name.at.key, refusal.message)
                .found(reader.shown(&hash.name.at));
            reader.refuse(&hash.name.at, ConfigError { remedy: refusal.remedy, ..error });
            Balance::RoundRobin
        },
        Balance::Hash,
    )
}

type RawHealth = OffOr<String, grammar::Health>;

/// The health check and the threshold. Without the key: a TCP connection.
fn health(raw: Option<&RawHealth>, reader: &mut Reader<'_>) -> (Option<HealthCheck>, MinHealthy) {
    let threshold = MinHealthy {
        percent: defaults::MIN_HEALTHY_PERCENT as u8,
        below: super::super::model::BelowMinHealthy::Fail,
    };
    match raw {
        None => (Some(check(HealthCheckKind::Tcp, defaults::HEALTH_EVERY)), threshold),
        Some(OneOf::First(())) => (None, threshold),
        Some(OneOf::Second(OneOf::First(path))) => {
            (Some(check(http(path.clone()), defaults::HEALTH_EVERY)), threshold)
        }
        Some(OneOf::Second(OneOf::Second(table))) => {
            // The grammar bounds it by 100.
            let percent = u8::try_from(table.min_healthy.value).unwrap_or(100);
            let threshold = MinHealthy { percent, below: table.below_min_healthy.value };
            (Some(health_table(table, reader)), threshold)
        }
    }
}

/// A check of `kind` with the defaults.
pub(in crate::config) fn check(kind: HealthCheckKind, every: Duration) -> HealthCheck {
    HealthCheck {
        kind,
        every,
        timeout: defaults::HEALTH_TIMEOUT.min(every),
        rise: defaults::HEALTH_RISE,
        fall: defaults::HEALTH_FALL,
        jitter: f64::from(defaults::HEALTH_JITTER_PERCENT) / 100.0,
    }
}

/// A GET of `path` with the defaults.
pub(in crate::config) fn http(path: String) -> HealthCheckKind {
    HealthCheckKind::Http {
        path,
        headers: Vec::new(),
        statuses: vec![defaults::HEALTH_STATUS],
        body: None,
    }
}

fn health_table(raw: &grammar::Health, reader: &mut Reader<'_>) -> HealthCheck {
    let every = raw.every.value;
    let timeout = raw.timeout.value.unwrap_or(defaults::HEALTH_TIMEOUT.min(every));
    if timeout > every && raw.every.is_sound() {
        let (every, timeout) = (show_duration(every), show_duration(timeout));
        let error =
            ConfigError::new(&raw.timeout.at.key, "a check may take longer than the interval")
                .found(format!("timeout {timeout}, every {every}"))
                .allowed("`timeout` up to `every`")
                .remedy(format!("write timeout = \"{every}\" or less, or raise `every`"));
        reader.refuse(&raw.timeout.at, error);
    }
    let kind = match &raw.path.value {
        Some(path) => HealthCheckKind::Http {
            path: path.clone(),
            headers: headers(&raw.headers, reader),
            statuses: statuses(raw),
            body: raw.body.value.clone(),
        },
        None => {
            if raw.path.is_sound() {
                refuse_http_keys(raw, reader);
            }
            HealthCheckKind::Tcp
        }
    };
    HealthCheck {
        kind,
        every,
        timeout,
        rise: raw.rise.value,
        fall: raw.fall.value,
        jitter: f64::from(raw.jitter.value) / 100.0,
    }
}

fn refuse_http_keys(raw: &grammar::Health, reader: &mut Reader<'_>) {
    let keys = [
        ("status", raw.status.is_present(), &raw.status.at),
        ("body", raw.body.is_present(), &raw.body.at),
        ("headers", raw.headers.is_present(), &raw.headers.at),
    ];
    for (key, present, at) in keys {
        if present {
            let error = ConfigError::new(&at.key, format!("`{key}` needs a `path`"))
                .note("without `path` a check only opens a TCP connection")
                .remedy("add the path to ask for: path = \"/health/\"");
            reader.refuse(at, error);
        }
    }
}

/// Headers that Plimsoll sends.
pub(super) fn headers(
    setting: &Setting<Vec<Named<String>>>,
    reader: &mut Reader<'_>,
) -> Vec<(String, String)> {
    for header in &setting.value {
        if let Err(refusal) = text::header_name(&header.name) {
            let error = ConfigError::new(&header.at.key, refusal.message);
            reader.refuse(&header.at, ConfigError { remedy: refusal.remedy, ..error });
        }
    }
    setting.value.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
}

fn statuses(raw: &grammar::Health) -> Vec<(u16, u16)> {
    let one = |status: &u16| (*status, *status);
    match &raw.status.value {
        None => vec![defaults::HEALTH_STATUS],
        Some(OneOf::First(status)) => vec![one(status)],
        Some(OneOf::Second(OneOf::First(range))) => vec![*range],
        Some(OneOf::Second(OneOf::Second(items))) => items
            .iter()
            .map(|item| match &item.value {
                OneOf::First(status) => one(status),
                OneOf::Second(range) => *range,
            })
            .collect(),
    }
}

fn passive(raw: &grammar::Passive, reader: &mut Reader<'_>) -> PassiveHealth {
    let (first, longest) = (&raw.eject_for, &raw.eject_max);
    if first.is_sound() && longest.is_sound() && first.value > longest.value {
        let at = if first.is_present() { &first.at } else { &longest.at };
        let (first, longest) = (show_duration(first.value), show_duration(longest.value));
        let error = ConfigError::new(&at.key, "the first time out is longer than the longest")
            .found(format!("eject_for {first}, eject_max {longest}"))
            .allowed("`eject_for` up to `eject_max`")
            .remedy(format!("lower `eject_for`, or write eject_max = \"{first}\" or more"));
        reader.refuse(at, error);
    }
    PassiveHealth {
        max_fails: raw.max_fails.value,
        fail_window: raw.fail_window.value,
        eject_for: first.value,
        eject_max: longest.value,
    }
}

fn retry(raw: &grammar::RetryTable) -> Retry {
    let on = |wanted: RetryOn| {
        raw.on.value.iter().any(|item| matches!(item.value, OneOf::First(on) if on == wanted))
    };
    let mut statuses: Vec<u16> = raw
        .on
        .value
        .iter()
        .filter_map(|item| match item.value {
            OneOf::Second(status) => Some(status),
            OneOf::First(_) => None,
        })
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    Retry {
        on_connect: on(RetryOn::Connect),
        on_timeout: on(RetryOn::Timeout),
        on_invalid_header: on(RetryOn::InvalidHeader),
        on_statuses: statuses,
        tries: raw.tries.value,
        within: raw.within.value,
        non_idempotent: raw.non_idempotent.value,
        // The grammar bounds it far below any `usize`.
        body_buffer_bytes: usize::try_from(raw.body_buffer.value).unwrap_or(usize::MAX),
        budget_percent: raw.budget.value,
    }
}

fn server_timeouts(raw: &grammar::ServerTimeouts) -> ServerTimeouts {
    ServerTimeouts {
        connect: raw.connect.value,
        header: raw.header.value,
        body: raw.body.value,
        request: raw.request.value,
        tunnel: raw.tunnel.value,
    }
}

fn keepalive(raw: &grammar::Keepalive) -> Keepalive {
    Keepalive {
        connections: raw.connections.value,
        idle: raw.idle.value,
        requests: raw.requests.value,
    }
}
