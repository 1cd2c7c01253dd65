//! Addresses of hosts, kept for the run.
//!
//! Hosts that are known before the run were looked up then. Others (a URL that is rendered) are
//! looked up by the system on another thread when they are first needed, once for all who wait.
//!
//! Invariants: one look-up of a host at a time; a host without an address is asked for again only
//! after [`FAILURE_KEPT`]; at most [`HOSTS_MAX`] hosts are kept.
//!
//! Left out: how long an answer is valid. A run is short, and DNS is not what it measures.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::load::client::Trouble;
use crate::load::tally::Failure;

/// Most hosts that are kept. Beyond it, those that were looked up during the run are forgotten.
const HOSTS_MAX: usize = 1024;
/// How long a failed look-up counts.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// A host that has addresses.
#[derive(Debug)]
pub(super) struct Host {
    /// In the system's order; never empty.
    pub(super) addresses: Arc<[IpAddr]>,
    /// Index of the address that worked last.
    pub(super) preferred: Cell<usize>,
}

impl Host {
    fn new(addresses: Arc<[IpAddr]>) -> Self {
        Self { addresses, preferred: Cell::new(0) }
    }
}

/// A look-up, under way or done.
#[derive(Debug, Default)]
struct LookUp(OnceCell<(Instant, Result<Rc<Host>, String>)>);

/// The hosts that a thread knows.
#[derive(Debug)]
pub(super) struct Resolver {
    /// Known before the run.
    known: HashMap<String, Rc<Host>>,
    /// Looked up since.
    found: RefCell<HashMap<String, Rc<LookUp>>>,
}

impl Resolver {
    pub(super) fn new(addresses: &HashMap<String, Arc<[IpAddr]>>) -> Self {
        let known = addresses
            .iter()
            .map(|(host, addresses)| (host.clone(), Rc::new(Host::new(Arc::clone(addresses)))))
            .collect();
        Self { known, found: RefCell::default() }
    }

    /// The addresses of a host.
    ///
    /// # Errors
    /// It has none.
    pub(super) async fn host(&self, name: &str) -> Result<Rc<Host>, Trouble> {
        if let Some(host) = self.known.get(name) {
            return Ok(Rc::clone(host));
        }
        let look_up = self.look_up(name);
        let (_, outcome) = look_up
            .0
            .get_or_init(async || {
                let outcome = resolve_elsewhere(name).await;
                (Instant::now(), outcome.map(|addresses| Rc::new(Host::new(addresses))))
            })
            .await;
        outcome.clone().map_err(|said| unresolved(name, &said))
    }

    /// The look-up that counts for a host now.
    fn look_up(&self, name: &str) -> Rc<LookUp> {
        let mut found = self.found.borrow_mut();
        if let Some(look_up) = found.get(name) {
            let is_stale = look_up
                .0
                .get()
                .is_some_and(|(at, outcome)| outcome.is_err() && at.elapsed() > FAILURE_KEPT);
            if !is_stale {
                return Rc::clone(look_up);
            }
        }
        if found.len() >= HOSTS_MAX {
            found.clear();
        }
        let look_up = Rc::new(LookUp::default());
        found.insert(name.to_owned(), Rc::clone(&look_up));
        look_up
    }
}

/// The addresses of a host, never none. Blocks while the system looks them up.
///
/// # Errors
/// What the system said.
pub(super) fn resolve(host: &str) -> Result<Arc<[IpAddr]>, String> {
    if let Ok(address) = host.parse() {
        return Ok(Arc::new([address]));
    }
    in_words((host, 0).to_socket_addrs())
}

/// [`resolve`] on a thread of the runtime's own.
async fn resolve_elsewhere(host: &str) -> Result<Arc<[IpAddr]>, String> {
    if let Ok(address) = host.parse() {
        return Ok(Arc::new([address]));
    }
    in_words(tokio::net::lookup_host((host, 0)).await)
}

fn in_words(
    found: io::Result<impl Iterator<Item = std::net::SocketAddr>>,
) -> Result<Arc<[IpAddr]>, String> {
    match found {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found.map(|address| address.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                return Err("the name has no address".into());
            }
            Ok(addresses.into())
        }
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            Err(text.to_owned())
        }
    }
}

fn unresolved(host: &str, said: &str) -> Trouble {
    Trouble {
        failure: Failure::Resolve,
        detail: format!("cannot find the address of {host}: {said}"),
        before_sending: true,
    }
}

/// The trouble with a host that has no address at all.
pub(super) fn no_address(host: &str) -> Trouble {
    unresolved(host, "the name has no address")
}
