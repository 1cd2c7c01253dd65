//! The ports of services with `first_port`: there are enough of them, and nobody else has them.
//!
//! A service of n instances has n + 1 ports. Instance i listens on `first_port + i - 1`, and while
//! one is replaced, by a restart or because it outgrew its limits, its replacement runs beside it
//! as number n + 1.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::super::grammar;
use super::super::kind::Named;
use super::super::model::{InstanceAddress, Service, Source};
use super::super::problem::ConfigError;
use super::super::reader::{Reader, Where};

/// The ports of one service.
#[derive(Debug, Clone, Copy)]
struct Ports<'a> {
    service: &'a str,
    instances: u32,
    first: u32,
    /// That of a replacement. May lie beyond the last port there is.
    last: u32,
    at: &'a Where,
}

/// Notes services whose ports run out, or are those of another service or of Plimsoll itself.
/// `own` are Plimsoll's addresses, each with its key.
pub(super) fn check(
    raw: &[Named<grammar::Service>],
    services: &BTreeMap<String, Arc<Service>>,
    own: &[(&str, SocketAddr)],
    reader: &mut Reader<'_>,
) {
    // Disjoint, by their first port.
    let mut seen: BTreeMap<u32, Ports<'_>> = BTreeMap::new();
    for named in raw {
        let Some(ports) = ports(named, services, reader) else { continue };
        if ports.last > u32::from(u16::MAX) {
            refuse_beyond(ports, reader);
            continue;
        }
        let before = seen.range(..=ports.last).next_back().map(|(_, before)| *before);
        if let Some(other) = before.filter(|before| ports.first <= before.last) {
            refuse_shared(other, ports, reader);
            continue;
        }
        if let Some((key, address)) = own.iter().find(|(_, address)| has(ports, *address)) {
            refuse_own(ports, key, *address, reader);
        }
        seen.insert(ports.first, ports);
    }
}

/// The ports of a service, if it has a `first_port` and all that it follows from is sound.
fn ports<'a>(
    named: &'a Named<grammar::Service>,
    services: &BTreeMap<String, Arc<Service>>,
    reader: &mut Reader<'_>,
) -> Option<Ports<'a>> {
    let (raw, at) = (&named.value, &named.value.first_port.at);
    let first = u32::from(raw.first_port.value?);
    let Source::Processes(process) = &services.get(&named.name)?.source else { return None };
    if process.connect == InstanceAddress::Socket && raw.connect.is_sound() {
        let error = ConfigError::new(&at.key, "instances that are reached by socket have no port")
            .found(match raw.connect.is_present() {
                true => "connect = \"socket\"",
                false => "a command that names `$SOCKET` and not `$PORT`",
            })
            .remedy("remove `first_port`, or write connect = \"port\"");
        reader.refuse(at, error);
        return None;
    }
    let instances = process.instances;
    let sound = raw.instances.is_sound();
    sound.then(|| Ports { service: &named.name, instances, first, last: first + instances, at })
}

/// Whether an instance on one of the ports would be in the way of Plimsoll's own `address`.
fn has(ports: Ports<'_>, address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let meets = ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::LOCALHOST);
    meets && (ports.first..=ports.last).contains(&u32::from(address.port()))
}

/// Why there is one port more than there are instances.
fn one_more(ports: Ports<'_>) -> String {
    let word = if ports.instances == 1 { "instance" } else { "instances" };
    let count = ports.instances;
    format!("{count} {word} of `{}`, and one more port for a replacement", ports.service)
}

fn refuse_beyond(ports: Ports<'_>, reader: &mut Reader<'_>) {
    let error = ConfigError::new(&ports.at.key, "there are not enough ports above it")
        .found(format!("ports {} to {}", ports.first, ports.last))
        .allowed("ports up to 65535")
        .note(one_more(ports))
        .remedy(format!("write {} or less", u32::from(u16::MAX) - ports.instances));
    reader.refuse(ports.at, error);
}

fn refuse_shared(other: Ports<'_>, ports: Ports<'_>, reader: &mut Reader<'_>) {
    let (one, two) = (other.service, ports.service);
    let error =
        ConfigError::new(&ports.at.key, format!("services `{one}` and `{two}` share ports"))
            .found(format!(
                "`{one}` has {} to {}, `{two}` has {} to {}",
                other.first, other.last, ports.first, ports.last
            ))
            .note(one_more(other))
            .remedy(move_to(other.last + 1, ports));
    reader.refuse(ports.at, error);
}

fn refuse_own(ports: Ports<'_>, key: &str, address: SocketAddr, reader: &mut Reader<'_>) {
    let port = address.port();
    let message = format!("port {port} is that of `{key}` too");
    let error = ConfigError::new(&ports.at.key, message)
        .found(format!("ports {} to {}", ports.first, ports.last))
        .note(one_more(ports))
        .remedy(format!("{}, or give `{key}` another port", move_to(u32::from(port) + 1, ports)));
    reader.refuse(ports.at, error);
}

/// Where the ports can begin instead.
fn move_to(first: u32, ports: Ports<'_>) -> String {
    match first + ports.instances <= u32::from(u16::MAX) {
        true => format!("write first_port = {first}"),
        false => "choose a lower first_port".to_owned(),
    }
}
