//! Who listens on a port already, for the message when we cannot.
//!
//! Read from `/proc` (proc(5)): `net/tcp` and `net/tcp6` give the inode of the listening socket,
//! the links in `PID/fd` its owner. Other users' processes are closed to us unless we are root;
//! the answer is then `None`, as on systems without `/proc`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Processes looked at before giving up.
const PROCESSES_MAX: usize = 32_768;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name, at most 15 bytes of it.
    pub name: String,
}

/// Finds the process whose listening socket is in the way of binding `address`.
pub fn find(address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| listening_inodes(&text, address))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc")
        .ok()?
        .take(PROCESSES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds_one_of(*pid, &links))
        .map(|pid| Holder { pid, name: process_name(pid) })
}

fn holds_one_of(pid: u32, links: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
}

fn process_name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    // A process names itself: keep control characters away from the reader's terminal.
    name.trim().replace(|c: char| c.is_control(), "?")
}

/// The inodes of listening sockets in a `/proc/net/tcp` or `tcp6` table that are in the way of
/// `wanted`: same port, and the same address or all of them on either side.
fn listening_inodes(table: &str, wanted: SocketAddr) -> Vec<String> {
    const LISTENING: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let bound = socket_address(local)?;
            let same = bound.ip() == wanted.ip().to_canonical();
            let all = bound.ip().is_unspecified() || wanted.ip().is_unspecified();
            (*state == LISTENING && bound.port() == wanted.port() && (same || all))
                .then(|| (*inode).to_owned())
        })
        .collect()
}

/// `0100007F:26AC` is 127.0.0.1:9900: words of 32 bits in the byte order of the machine, then the
/// port.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<u32> = (0..address.len() / 8)
        .map(|at| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok())
        .collect::<Option<_>>()?;
    let ip = match *words {
        [word] => IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes())),
        [a, b, c, d] => {
            let mut bytes = [0; 16];
            for (at, word) in [a, b, c, d].iter().enumerate() {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_ne_bytes());
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:26AC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n   \
        1: 0100007F:26AC 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0\n   \
        2: 00000000:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0\n   \
        3: 00000000000000000000000001000000:26AC 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0\n   \
        4: junk\n";

    #[test]
    fn finds_what_is_in_the_way() {
        for (wanted, expected) in [
            ("127.0.0.1:9900", &["111"][..]),
            ("[::ffff:127.0.0.1]:9900", &["111"]),
            ("127.0.0.2:9900", &[]),
            ("0.0.0.0:9900", &["111", "444"]),
            ("10.0.0.1:9999", &["333"]),
            ("[::1]:9900", &["444"]),
            ("127.0.0.1:1", &[]),
        ] {
            assert_eq!(listening_inodes(TABLE, wanted.parse().unwrap()), expected, "{wanted}");
        }
    }

    #[test]
    fn finds_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = find(listener.local_addr().unwrap()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty());
    }
}
