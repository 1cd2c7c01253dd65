//! Listening sockets: bound before anything else starts, one for each worker and address.
//!
//! Workers share a port by `SO_REUSEPORT`, which would also let another Plimsoll of the same user
//! take half of the connections; so the port is first bound without it, which fails if anybody
//! listens there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::model::{Config, Listen};

/// Connections that wait in the kernel for a worker; the kernel's own bound applies, too.
const BACKLOG: i32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Somebody else does.
    #[error(
        "cannot listen on {name}: the port is in use by another program; \
         stop that one (`ss -ltnp` shows it) or choose another port"
    )]
    InUse {
        /// As configured.
        name: String,
    },
    /// The port is below 1024, or otherwise reserved.
    #[error(
        "cannot listen on {name}: permission denied; \
         choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE"
    )]
    Denied {
        /// As configured.
        name: String,
    },
    /// The address is not one of this machine.
    #[error("cannot listen on {name}: this machine does not have that address")]
    NoSuchAddress {
        /// As configured.
        name: String,
    },
    /// Anything else.
    #[error("cannot listen on {name}: {error}")]
    Other {
        /// As configured.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

impl BindError {
    fn new(listen: &Listen, error: io::Error) -> Self {
        let name = listen.name.clone();
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { name },
            io::ErrorKind::PermissionDenied => Self::Denied { name },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { name },
            _ => Self::Other { name, error },
        }
    }
}

/// The sockets of one entrypoint.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What was asked for.
    pub(crate) listen: Listen,
    /// What was bound: the port is known even if 0 was asked for.
    pub(crate) address: SocketAddr,
    /// One for each worker.
    pub(super) sockets: Vec<TcpListener>,
    /// The name as metrics have it.
    pub(super) name: Arc<str>,
}

/// The sockets of all entrypoints.
#[derive(Debug)]
pub(crate) struct Listeners(pub(super) Vec<Listener>);

impl Listeners {
    /// Binds everything that is configured, or nothing.
    pub(super) fn bind(config: &Config) -> Result<Self, BindError> {
        let bind = |listen| bind(listen, config.workers);
        config.listen.iter().map(bind).collect::<Result<_, _>>().map(Self)
    }
}

/// Binds one address for so many workers.
pub(super) fn bind(listen: &Listen, workers: usize) -> Result<Listener, BindError> {
    let failed = |error| BindError::new(listen, error);
    let mut address = listen.bind;
    let probe = match socket(address, false) {
        // A kernel without IPv6: all addresses are then those of IPv4.
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.raw_os_error() == Some(libc::EAFNOSUPPORT) =>
        {
            address = (Ipv4Addr::UNSPECIFIED, address.port()).into();
            socket(address, false)
        }
        other => other,
    };
    drop(probe.map_err(failed)?);
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(address, true).map_err(failed)?;
        address = socket.local_addr().map_err(failed)?;
        sockets.push(socket);
    }
    let name = Arc::from(listen.name.as_str());
    Ok(Listener { listen: listen.clone(), address, sockets, name })
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run that linger in TIME_WAIT do not count as use.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Inherited by every connection that is accepted.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    } else {
        // Binding alone succeeds beside a listener that has SO_REUSEADDR; listening does not.
        socket.listen(1)?;
    }
    Ok(socket.into())
}
