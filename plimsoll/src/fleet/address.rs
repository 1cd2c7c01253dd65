//! Where an instance listens: a free port, a counted port, or a socket in a private directory.
//!
//! A free port is chosen *below* the range from which the kernel takes ports for outgoing
//! connections. A port within it could be taken, between the choice and the instance's bind, by
//! any connection on the machine, and a proxy makes many. What remains is the chance that another
//! program binds the same port in that time; the instance then ends, and its next start gets
//! another port.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::User;
use socket2::{Domain, Socket, Type};

/// Lowest port chosen for an instance.
const LOWEST_PORT: u16 = 10_000;
/// Ports tried before the kernel is asked for one.
const PORT_TRIES: u32 = 200;
/// Names tried for the runtime directory.
const DIRECTORY_TRIES: u32 = 16;
/// Longest path of a Unix socket: `sun_path` of sockaddr_un (unix(7)) without its last NUL.
const SOCKET_PATH_MAX: usize = 107;
/// Longest name of a socket within its directory, slash included.
const SOCKET_NAME_MAX: usize = 24;

/// A port that nobody on this machine listens on, and that is not in `taken`.
///
/// # Errors
/// When no socket can be made or bound, for example for want of descriptors.
pub fn free_port(taken: &BTreeSet<u16>, random: &mut dyn FnMut() -> u64) -> io::Result<u16> {
    let span = u64::from(first_outgoing_port().saturating_sub(LOWEST_PORT));
    for _ in 0..PORT_TRIES.min(span as u32) {
        let port = LOWEST_PORT + (random() % span) as u16;
        if !taken.contains(&port) && bind(port, false).is_ok() {
            return Ok(port);
        }
    }
    bind(0, false)
}

/// Whether an instance could listen on this port of the loopback address.
///
/// # Errors
/// What bind(2) says.
pub fn probe(port: u16) -> io::Result<()> {
    bind(port, true).map(|_| ())
}

/// Binds and closes again. Strictly: all addresses, and no port that still has connections.
/// Leniently: as a server does that is started again.
fn bind(port: u16, lenient: bool) -> io::Result<u16> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(lenient)?;
    let host = if lenient { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    socket.bind(&SocketAddr::from((host, port)).into())?;
    Ok(socket.local_addr()?.as_socket_ipv4().map_or(port, |address| address.port()))
}

/// The start of ip_local_port_range (ip(7)); its default where it cannot be read.
fn first_outgoing_port() -> u16 {
    const DEFAULT: u16 = 32_768;
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    text.ok().and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(DEFAULT)
}

/// A directory for the sockets of one service, for its user's eyes only. Removed when dropped.
#[derive(Debug)]
pub struct RuntimeDirectory(PathBuf);

impl RuntimeDirectory {
    /// Makes it in the first place that can be written and is short enough: `XDG_RUNTIME_DIR`
    /// (not for other users), `/run`, the temporary directory, `/tmp`.
    ///
    /// # Errors
    /// A sentence when there is no such place.
    pub fn create(owner: Option<&User>, random: &mut dyn FnMut() -> u64) -> Result<Self, String> {
        let private = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| owner.is_none());
        let mut last = "no place is short enough".to_owned();
        for base in [
            private.map(PathBuf::from),
            Some("/run".into()),
            Some(std::env::temp_dir()),
            Some("/tmp".into()),
        ]
        .into_iter()
        .flatten()
        {
            match Self::create_in(&base, owner, random) {
                Ok(Some(directory)) => return Ok(directory),
                Ok(None) => {}
                Err(error) => last = format!("{}: {error}", base.display()),
            }
        }
        Err(format!("cannot make a directory for the instances' sockets: {last}"))
    }

    /// `None` when paths in it would be too long.
    fn create_in(
        base: &Path,
        owner: Option<&User>,
        random: &mut dyn FnMut() -> u64,
    ) -> io::Result<Option<Self>> {
        for _ in 0..DIRECTORY_TRIES {
            let path = base.join(format!("plimsoll-{:08x}", random() as u32));
            if path.as_os_str().len() + SOCKET_NAME_MAX > SOCKET_PATH_MAX {
                return Ok(None);
            }
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let directory = Self(path);
                    if let Some(owner) = owner {
                        nix::unistd::chown(&directory.0, Some(owner.uid), Some(owner.gid))?;
                    }
                    return Ok(Some(directory));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Whether it is still there: whoever cleans up temporary directories may have removed it.
    pub fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// The path for an instance's next start. Each start has its own, so that neither a socket
    /// left behind nor the health of the process before is taken for the new one's.
    pub fn socket(&self, number: u32, start: u64) -> PathBuf {
        // At most 1 + 4 + 1 + 10 + 5 bytes: 1000 instances, and starts cut to 32 bits.
        self.0.join(format!("{number}.{}.sock", start as u32))
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn free_ports_avoid_what_is_taken_and_what_is_listened_on() {
        let mut taken = BTreeSet::new();
        let port = free_port(&taken, &mut || 7).unwrap();
        taken.insert(port);
        assert!((LOWEST_PORT..first_outgoing_port()).contains(&port));
        // The same random number leads to the same port, which is taken: the kernel chooses.
        let other = free_port(&taken, &mut || 7).unwrap();
        assert_ne!(other, port);

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let busy = listener.local_addr().unwrap().port();
        assert!(bind(busy, false).is_err());
        assert_eq!(probe(busy).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(probe(busy).is_ok());
    }

    #[test]
    fn the_directory_is_private_and_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let directory = RuntimeDirectory::create_in(base.path(), None, &mut || 1).unwrap().unwrap();
        let path = directory.0.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let socket = directory.socket(1000, u64::MAX);
        assert!(socket.as_os_str().len() <= path.as_os_str().len() + SOCKET_NAME_MAX);
        std::fs::write(&socket, "").unwrap();
        // The name is taken, and the random numbers do not lead to another.
        assert!(RuntimeDirectory::create_in(base.path(), None, &mut || 1).is_err());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_long_place_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        let long = base.path().join("x".repeat(90));
        std::fs::create_dir(&long).unwrap();
        assert!(RuntimeDirectory::create_in(&long, None, &mut || 1).unwrap().is_none());
    }
}
