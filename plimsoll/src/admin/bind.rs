//! Binding the admin address, and what to say when that fails.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::holder::{self, Holder};

/// An admin address that was bound; nothing is answered until it is served.
#[derive(Debug)]
pub struct Admin {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
}

/// Why the admin address could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("the admin address {address} is in use{}; {remedy}", by(holder.as_ref()))]
    InUse {
        /// The address asked for.
        address: SocketAddr,
        /// Who listens, if we may know.
        holder: Option<Holder>,
        /// What to do.
        remedy: &'static str,
    },
    /// Low ports need a privilege.
    #[error(
        "the admin address {address} may not be bound by this user; \
         choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
    )]
    Forbidden {
        /// The address asked for.
        address: SocketAddr,
    },
    /// No interface has the address.
    #[error(
        "the admin address {address} belongs to no interface of this machine; \
         choose 127.0.0.1:{} or one that `ip address` shows", address.port()
    )]
    NotHere {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("the admin address {address} cannot be bound: {source}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

const REMEDY_OTHER: &str = "stop that process, or choose another address (--admin ADDRESS, or \
                            `admin = \"ADDRESS\"` in the config file)";
const REMEDY_PLIMSOLL: &str = "that is another Plimsoll: `plimsoll status` asks it how it is; to \
                               run a second one, choose another address (--admin ADDRESS, or \
                               `admin = \"ADDRESS\"` in the config file)";

fn by(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, name }) => format!(" by {name} (pid {pid})"),
        None => " by another process".to_owned(),
    }
}

impl Admin {
    /// Takes the address; port 0 lets the kernel choose one.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => {
                let holder = holder::find(address);
                let ours = holder.as_ref().is_some_and(|holder| holder.name == "plimsoll");
                let remedy = if ours { REMEDY_PLIMSOLL } else { REMEDY_OTHER };
                BindError::InUse { address, holder, remedy }
            }
            io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
            io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
            _ => BindError::Other { address, source },
        })
    }

    /// The address bound, with its true port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_its_holder() {
        let first = Admin::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let message = Admin::bind(first.address()).unwrap_err().to_string();
        let expected = format!("the admin address {} is in use by ", first.address());
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains(&format!("(pid {});", std::process::id())), "{message}");
        assert!(message.contains("choose another address (--admin ADDRESS"), "{message}");
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        // TEST-NET-1 of RFC 5737 is on no machine.
        let message = Admin::bind("192.0.2.1:9900".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(
            message,
            "the admin address 192.0.2.1:9900 belongs to no interface of this machine; choose \
             127.0.0.1:9900 or one that `ip address` shows"
        );
    }
}
