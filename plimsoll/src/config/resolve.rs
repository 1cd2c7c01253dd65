//! Raw to resolved: fills in what depends on the machine, and checks what spans several keys.
//!
//! Works on whatever could be read and notes every problem. A conclusion is drawn only from
//! settings that are sound: after a mistyped `every` nothing is said about `timeout > every`.
//! What is built from a file with problems is thrown away by the caller.

mod circle;
pub(super) mod observe;
mod ports;
mod process;
mod route;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};

use super::defaults;
use super::grammar::{self, OffOr};
use super::kind::OneOf;
use super::model::{
    AccessLog, AccessLogFormat, Admin, ClientTimeouts, Config, HeaderPolicy, Limits, Listen,
    LogTarget, Service,
};
use super::problem::ConfigError;
use super::reader::{Reader, Where};
use super::table::Setting;

pub(super) use process::default_connect;
pub(super) use route::everything;
pub(super) use service::{check, http};

/// The resolved form of `top`. Relative paths begin at `base`.
pub(super) fn config(top: &grammar::Top, base: &Path, reader: &mut Reader<'_>) -> Config {
    let services = services(top, base, reader);
    let listen = listen(&top.listen, reader);
    let admin = admin(&top.admin, &listen, &top.listen.at, reader);
    let own: Vec<(&str, SocketAddr)> = listen
        .iter()
        .map(|listen| ("listen", listen.bind))
        .chain(admin.iter().map(|admin| ("admin", admin.bind)))
        .collect();
    ports::check(&top.service.value, &services, &own, reader);
    let routes = route::routes(top, reader);
    circle::check(&top.service.value, &routes, &listen, reader);
    Config {
        admin,
        listen,
        workers: top.workers.value.unwrap_or_else(default_workers),
        access_log: access_log(&top.access_log, base),
        trusted_proxies: top.trusted_proxies.value.iter().map(|item| item.value).collect(),
        headers: HeaderPolicy {
            served_by: top.headers.value.served_by.value,
            forwarded: top.headers.value.forwarded.value,
        },
        limits: limits(&top.limits.value, reader),
        timeouts: client_timeouts(&top.timeouts.value),
        drain_timeout: top.drain_timeout.value,
        routes,
        observe: observe::observe(top, base, reader),
        services,
    }
}

/// One worker a core, within bounds.
pub(super) fn default_workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.min(defaults::WORKERS_MAXIMUM)
}

/// Each connection may need a second descriptor towards a server, and a fifth is kept for
/// listeners, logs, checks and instances: four fifths of half the limit on open files.
fn default_connections() -> usize {
    // Without an answer the customary limit is assumed.
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let connections = (soft / 5).saturating_mul(2).clamp(1, defaults::CONNECTIONS_MAXIMUM);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// A path of the file: relative ones begin at the file's directory.
fn path(base: &Path, path: &Path) -> PathBuf {
    base.join(path)
}

fn services(
    top: &grammar::Top,
    base: &Path,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Arc<Service>> {
    let mut services = BTreeMap::new();
    for named in &top.service.value {
        if let Some(service) = service::service(named, base, reader) {
            services.insert(named.name.clone(), Arc::new(service));
        }
    }
    if !top.service.is_present() {
        if reader.is_misspelt("service") {
            return services;
        }
        let error = ConfigError::new("service", "no service is configured")
            .remedy("add one: [service.web] with run = \"COMMAND\" or servers = [\"HOST:PORT\"]");
        reader.refuse_file(error);
    } else if top.service.value.is_empty() && top.service.is_sound() {
        let error = ConfigError::new("service", "no service is configured")
            .remedy("add `[service.web]` with `run` or `servers`");
        reader.refuse(&top.service.at, error);
    }
    services
}

fn listen(
    setting: &Setting<OneOf<Listen, Vec<super::kind::Item<Listen>>>>,
    reader: &mut Reader<'_>,
) -> Vec<Listen> {
    let items = match &setting.value {
        OneOf::First(listen) => return vec![listen.clone()],
        OneOf::Second(items) => items,
    };
    if items.is_empty() && setting.is_sound() {
        let error = ConfigError::new(&setting.at.key, "there is no address to listen on")
            .found("[]")
            .remedy("write \":9999\", or remove the key");
        reader.refuse(&setting.at, error);
    }
    let mut seen: BTreeMap<SocketAddr, &Where> = BTreeMap::new();
    // Port 0 is a different free port each time.
    for item in items.iter().filter(|item| item.value.bind.port() != 0) {
        let first = *seen.entry(item.value.bind).or_insert(&item.at);
        if first != &item.at {
            let error = ConfigError::new(&item.at.key, "this address is listed twice")
                .found(reader.shown(&item.at))
                .note(format!("first listed in {} as {}", reader.line(first), reader.shown(first)))
                .remedy("remove one of them");
            reader.refuse(&item.at, error);
        }
    }
    items.iter().map(|item| item.value.clone()).collect()
}

fn admin(
    setting: &Setting<OffOr<SocketAddr, grammar::Admin>>,
    listen: &[Listen],
    listen_at: &Where,
    reader: &mut Reader<'_>,
) -> Option<Admin> {
    let (bind, token, at) = match &setting.value {
        OneOf::First(()) => return None,
        OneOf::Second(OneOf::First(bind)) => {
            let at = if setting.is_present() { &setting.at } else { listen_at };
            (*bind, None, at)
        }
        OneOf::Second(OneOf::Second(table)) => {
            if !table.bind.is_sound() || !table.token.is_sound() {
                return None;
            }
            (table.bind.value, table.token.value.clone(), &table.bind.at)
        }
    };
    if !setting.is_sound() {
        return None;
    }
    if !bind.ip().is_loopback() && token.is_none() {
        let port = bind.port();
        let error = ConfigError::new(&at.key, "the admin server would be open to everyone")
            .found(reader.shown(at))
            .allowed("an address of this machine's loopback, or any address with a token")
            .remedy(format!(
                "write \"127.0.0.1:{port}\", or admin = {{ bind = \"{bind}\", token = \"${{PLIMSOLL_TOKEN}}\" }}"
            ));
        reader.refuse(at, error);
    }
    let taken = |listen: &&Listen| {
        let (a, b) = (listen.bind, bind);
        let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
        a.port() == b.port() && a.port() != 0 && same_host
    };
    if let Some(listen) = listen.iter().find(taken) {
        let message = format!("port {} is that of `listen` too", bind.port());
        let error = ConfigError::new(&at.key, message)
            .found(format!("admin on {bind}, listen on \"{}\"", listen.name))
            .remedy("give one of them another port");
        reader.refuse(at, error);
    }
    Some(Admin { bind, token })
}

fn access_log(
    setting: &Setting<OffOr<LogTarget, grammar::AccessLog>>,
    base: &Path,
) -> Option<AccessLog> {
    let (to, format) = match &setting.value {
        OneOf::First(()) => return None,
        OneOf::Second(OneOf::First(to)) => (to.clone(), AccessLogFormat::Combined),
        OneOf::Second(OneOf::Second(table)) => (table.to.value.clone()?, table.format.value),
    };
    let to = match to {
        LogTarget::File(file) => LogTarget::File(path(base, &file)),
        stream => stream,
    };
    Some(AccessLog { to, format })
}

fn limits(raw: &grammar::Limits, reader: &mut Reader<'_>) -> Limits {
    let (head, target) = (&raw.head, &raw.target);
    if head.is_sound() && target.is_sound() && target.value > head.value {
        let at = if target.is_present() { &target.at } else { &head.at };
        let (head_text, target_text) =
            (super::quantity::show_size(head.value), super::quantity::show_size(target.value));
        let error = ConfigError::new(&at.key, "the target is part of the head, yet may be larger")
            .found(format!("target {target_text}, head {head_text}"))
            .allowed("`target` up to `head`")
            .remedy(format!("raise `head` to \"{target_text}\", or lower `target`"));
        reader.refuse(at, error);
    }
    // Bounds in the grammar keep these far below any `usize`.
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    Limits {
        head_bytes: bytes(head.value),
        header_count: raw.header_count.value,
        target_bytes: bytes(target.value),
        chunk_line_bytes: bytes(raw.chunk_line.value),
        trailer_bytes: bytes(raw.trailers.value),
        body_bytes: raw.body.value,
        connections: raw.connections.value.unwrap_or_else(default_connections),
    }
}

fn client_timeouts(raw: &grammar::ClientTimeouts) -> ClientTimeouts {
    ClientTimeouts {
        header: raw.header.value,
        body: raw.body.value,
        idle: raw.idle.value,
        write: raw.write.value,
    }
}
