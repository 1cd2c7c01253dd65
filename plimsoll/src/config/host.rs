//! Whether an address is one of this host.
//!
//! That it can be bound says too little: with `ip_nonlocal_bind`, as hosts have it that share an
//! address, all can. That one sends to it from that very address says too little as well: to a second
//! address of a network the kernel sends from the first.
//!
//! Left out: ranges that are routed to the host without being given to one of its interfaces.

use std::net::{IpAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Whether whoever connects to `ip` stays on this host. Nothing is sent; a few microseconds for an
/// address of another host.
pub fn is_own(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    // Interfaces are listed only for what can be bound, which is rarely another host's.
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok() && own().any(|own| own == ip)
}

/// Addresses of this host's interfaces; none if the kernel does not tell.
fn own() -> impl Iterator<Item = IpAddr> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|interface| address(&interface.address?))
}

fn address(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_interfaces_are_own() {
        let all: Vec<IpAddr> = own().collect();
        assert!(all.contains(&[127, 0, 0, 1].into()), "{all:?}");
        // One of a link needs its interface besides.
        let is_of_link = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        for ip in all.into_iter().filter(|ip| !is_of_link(ip)) {
            assert!(is_own(ip), "{ip}");
        }
    }

    #[test]
    fn others_are_not_also_where_they_can_be_bound() {
        // Documentation addresses (RFC 5737, RFC 3849) belong to no host; groups (RFC 5771) and
        // everybody can be bound.
        for ip in ["192.0.2.1", "2001:db8::1", "224.0.0.1", "255.255.255.255", "0.0.0.0"] {
            assert!(!is_own(ip.parse().unwrap()), "{ip}");
        }
        assert!(
            is_own("::ffff:127.0.0.1".parse().unwrap()) && is_own("127.9.9.9".parse().unwrap())
        );
    }
}
