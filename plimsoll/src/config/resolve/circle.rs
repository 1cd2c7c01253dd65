//! Servers that are Plimsoll itself: a request would be forwarded to where it came in, take the same
//! way again, and so on until there are no descriptors left.
//!
//! Routes are those of all listeners, and a request keeps its host and path on its way. So it goes round
//! if any route leads to such a server, unless the route strips something of the path: then the request
//! may be meant to take another way, which is only warned about.
//!
//! Left out: names other than `localhost`, which only the network knows; the edge refuses such requests
//! when they come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::grammar;
use super::super::host;
use super::super::kind::{Item, Named, OneOf};
use super::super::model::{Address, Listen, Route};
use super::super::problem::ConfigError;
use super::super::reader::{Reader, Where};

/// Notes servers at one of the addresses on which Plimsoll listens.
pub(super) fn check(
    raw: &[Named<grammar::Service>],
    routes: &[Route],
    listen: &[Listen],
    reader: &mut Reader<'_>,
) {
    for named in raw {
        let leads_there = |route: &&Route| route.service == named.name;
        let keeps_path = |route: &Route| !route.strip_prefix || route.path == "/";
        // To one without a route nothing goes at all, which is told elsewhere.
        if !routes.iter().any(|route| leads_there(&route)) {
            continue;
        }
        let goes_round = routes.iter().filter(leads_there).any(keeps_path);
        for item in named.value.servers.value.iter().flatten() {
            let Some((address, at)) = address(item) else { continue };
            let Some(listen) = listen.iter().find(|listen| is_own(listen, address)) else {
                continue;
            };
            let found = reader.shown(at);
            let note = format!("Plimsoll listens on \"{}\"", listen.name);
            let name = &named.name;
            if goes_round {
                let message = format!(
                    "this server is Plimsoll itself: requests to `{name}` would go round and round"
                );
                let error = ConfigError::new(&at.key, message).found(found).note(note).remedy(
                    "name the address of the service itself, or give `listen` another port",
                );
                reader.refuse(at, error);
            } else {
                let message = format!(
                    "this server is Plimsoll itself: requests to `{name}` come in a second time"
                );
                let error = ConfigError::new(&at.key, message).found(found).note(note).remedy(
                    "route them to the service that they are for, unless the detour is meant",
                );
                reader.warn(at, error);
            }
        }
    }
}

/// Where a server is, and where the file says so.
fn address(item: &Item<OneOf<Address, grammar::Server>>) -> Option<(&Address, &Where)> {
    match &item.value {
        OneOf::First(address) => Some((address, &item.at)),
        OneOf::Second(table) => Some((table.at.value.as_ref()?, &table.at.at)),
    }
}

fn is_own(listen: &Listen, address: &Address) -> bool {
    match address {
        Address::Tcp(to) => listen.is_at(*to, || host::is_own(to.ip())),
        Address::Host(name, port) if name == "localhost" => {
            let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), *port);
            listen.is_at(to, || true)
                || listen.bind.ip().is_loopback() && listen.bind.port() == *port
        }
        Address::Host(..) | Address::Unix(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::address;
    use super::*;

    #[test]
    fn own_addresses_are_known() {
        for (listen, server, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "127.0.0.1:8081", false),
            ("127.0.0.1:8080", "127.0.0.2:8080", false),
            ("127.0.0.1:8080", "localhost:8080", true),
            ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", true),
            ("[::1]:8080", "[::1]:8080", true),
            ("[::1]:8080", "127.0.0.1:8080", false),
            ("[::1]:8080", "localhost:8080", true),
            (":8080", "127.0.0.1:8080", true),
            (":8080", "[::1]:8080", true),
            (":8080", "localhost:8080", true),
            ("0.0.0.0:8080", "127.0.0.1:8080", true),
            ("0.0.0.0:8080", "[::1]:8080", false),
            // Documentation addresses (RFC 5737, RFC 3849) belong to no host.
            (":8080", "192.0.2.1:8080", false),
            (":8080", "[2001:db8::1]:8080", false),
            // It can be bound, and yet is nobody's own (RFC 5771).
            (":8080", "224.0.0.1:8080", false),
            ("192.0.2.1:8080", "192.0.2.1:8080", true),
            ("192.0.2.1:8080", "localhost:8080", false),
            (":8080", "elsewhere.example:8080", false),
            (":8080", "unix:/run/app.sock", false),
            (":0", "127.0.0.1:8080", false),
        ] {
            let found =
                is_own(&address::listen(listen).unwrap(), &address::server(server).unwrap());
            assert_eq!(found, expected, "{listen} {server}");
        }
    }
}
