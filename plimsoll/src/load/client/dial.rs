//! Connecting: from an origin to a connection that is ready for a request.
//!
//! What can be wrong before a run is found by [`prepare`]: a host without an address, a certificate
//! that is none. What goes wrong later is told as [`Trouble`] in words, with what to do about it.
//!
//! Invariants: hosts that were known before the run are not looked up during it; the addresses of a
//! host are tried in the order of the system (RFC 6724), beginning with the one that worked last;
//! the times of connecting and of agreeing on TLS are measured apart, and neither contains a
//! look-up.
//!
//! Left out: the deadline of the whole, which is the caller's; keeping connections; proxies.

mod resolver;
#[cfg(test)]
mod tests;
mod words;

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::transport::Transport;
use super::{Origin, Scheme, Trouble, tls};
use crate::config::bench::model::{HttpSettings, HttpVersion};
use crate::net::{self, Stream};

use resolver::{Host, Resolver};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Requests, over whichever version of HTTP the settings want.
    Requests,
    /// WebSocket messages, which begin with a request of HTTP/1.1.
    Messages,
}

/// A new connection.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub transport: Transport,
    /// From the beginning to the connected socket, failed addresses included.
    pub connect_time: Duration,
    /// From there until TLS was agreed on; `None` without TLS.
    pub tls_time: Option<Duration>,
    /// Whether HTTP/2 is to be spoken: agreed by ALPN (RFC 7301), or wanted without TLS.
    pub http2: bool,
}

/// What is wrong with a plan's hosts or certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A host has no address.
    #[error(
        "cannot find the address of {host}: {said}; check its spelling and this machine's DNS \
         (getent hosts {host})"
    )]
    Resolve {
        /// The host's name.
        host: String,
        /// What the system said.
        said: String,
    },
    /// TLS cannot be set up as asked.
    #[error(transparent)]
    Tls(#[from] tls::ConfigError),
}

/// What connecting needs; made once, shared by the threads of a run.
#[derive(Debug)]
pub struct Prepared {
    settings: HttpSettings,
    /// Addresses by host, of the hosts that were known before the run. Never empty ones.
    addresses: HashMap<String, Arc<[IpAddr]>>,
    /// Made before the run if it is known to be needed, else by the first thread that needs it.
    tls: OnceLock<Result<tls::Config, tls::ConfigError>>,
}

/// Finds the addresses of the origins that are known before the run and reads the files that TLS
/// needs. Blocks while the system looks names up.
///
/// # Errors
/// All that is wrong, in the order in which it was found.
pub fn prepare<'a>(
    settings: &HttpSettings,
    origins: impl IntoIterator<Item = &'a Origin>,
) -> Result<Prepared, Vec<PrepareError>> {
    let mut errors = Vec::new();
    let mut addresses = HashMap::new();
    let wanted = &settings.tls;
    let mut has_tls = wanted.ca.is_some() || wanted.certificate.is_some() || wanted.key.is_some();
    let mut seen = std::collections::HashSet::new();
    for origin in origins {
        has_tls |= origin.scheme == Scheme::Https;
        if settings.unix.is_some() || !seen.insert(origin.host.as_str()) {
            continue;
        }
        match resolver::resolve(&origin.host) {
            Ok(found) => {
                addresses.insert(origin.host.clone(), found);
            }
            Err(said) => errors.push(PrepareError::Resolve { host: origin.host.clone(), said }),
        }
    }
    let prepared = Prepared { settings: settings.clone(), addresses, tls: OnceLock::new() };
    if has_tls && let Err(error) = prepared.tls() {
        errors.push(error.clone().into());
    }
    if errors.is_empty() { Ok(prepared) } else { Err(errors) }
}

impl Prepared {
    fn tls(&self) -> &Result<tls::Config, tls::ConfigError> {
        self.tls.get_or_init(|| tls::Config::load(&self.settings.tls, self.settings.version))
    }
}

/// Connects, for one thread.
#[derive(Debug)]
pub struct Dialer {
    prepared: Arc<Prepared>,
    resolver: Resolver,
    exhausted: Cell<u64>,
}

impl Dialer {
    /// One for the calling thread.
    pub fn new(prepared: Arc<Prepared>) -> Self {
        let resolver = Resolver::new(&prepared.addresses);
        Self { prepared, resolver, exhausted: Cell::new(0) }
    }

    /// How often this machine had no port or descriptor left for a connection.
    pub fn exhausted(&self) -> u64 {
        self.exhausted.get()
    }

    /// Connects to where `origin` says, or to the Unix socket of the settings. Must be called
    /// within `net::run`; dropping the future gives the attempt up.
    ///
    /// # Errors
    /// Always with `before_sending`: the host has no address, nobody takes the connection, TLS is
    /// not agreed on.
    pub async fn connect(&self, origin: &Origin, purpose: Purpose) -> Result<Dialled, Trouble> {
        let settings = &self.prepared.settings;
        let (stream, connect_time) = match &settings.unix {
            Some(path) => connect_unix(path).await?,
            None => {
                let host = self.resolver.host(&origin.host).await?;
                self.connect_tcp(origin, &host).await?
            }
        };
        if origin.scheme == Scheme::Http {
            return Ok(Dialled {
                transport: Transport::Plain(stream),
                connect_time,
                tls_time: None,
                http2: purpose == Purpose::Requests && settings.version == HttpVersion::Http2,
            });
        }
        let tls = match self.prepared.tls() {
            Ok(tls) => tls,
            Err(error) => return Err(tls::trouble(error.to_string())),
        };
        let begun = Instant::now();
        let stream = tls.agree(stream, origin, purpose).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_HTTP2);
        Ok(Dialled {
            transport: Transport::Tls(Box::new(stream)),
            connect_time,
            tls_time: Some(begun.elapsed()),
            http2,
        })
    }

    /// Tries the addresses of a host in turn, beginning with the one that worked last. Each but the
    /// last has its share of the time only, so that one that never answers does not use up all.
    async fn connect_tcp(
        &self,
        origin: &Origin,
        host: &Host,
    ) -> Result<(Stream, Duration), Trouble> {
        let begun = Instant::now();
        let count = host.addresses.len();
        let share = self.prepared.settings.connect_timeout / count as u32;
        let first = host.preferred.get();
        let mut failed: Option<Trouble> = None;
        for step in 0..count {
            let index = (first + step) % count;
            let address = SocketAddr::new(host.addresses[index], origin.port);
            let limit = (step + 1 < count).then_some(share);
            match attempt(address, limit).await {
                Ok(stream) => {
                    host.preferred.set(index);
                    return Ok((stream, begun.elapsed()));
                }
                Err(error) => {
                    let place = TcpPlace { host: &origin.host, address };
                    let is_local = words::is_local(&error);
                    if words::is_exhausted(&error) {
                        self.exhausted.set(self.exhausted.get() + 1);
                    }
                    failed = Some(words::of_several(failed, words::trouble(&error, &place)));
                    if is_local {
                        break;
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| resolver::no_address(&origin.host)))
    }
}

/// Connects to one address, within `limit` if there is one.
async fn attempt(address: SocketAddr, limit: Option<Duration>) -> std::io::Result<Stream> {
    let Some(limit) = limit else { return Stream::connect_tcp(address).await };
    tokio::select! {
        biased;
        outcome = Stream::connect_tcp(address) => outcome,
        () = net::sleep_until(Instant::now() + limit) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

async fn connect_unix(path: &Path) -> Result<(Stream, Duration), Trouble> {
    let begun = Instant::now();
    match Stream::connect_unix(path).await {
        Ok(stream) => Ok((stream, begun.elapsed())),
        Err(error) => Err(words::trouble(&error, &path.display())),
    }
}

/// An address, and the name that it was found by: `localhost (127.0.0.1:9999)`.
struct TcpPlace<'a> {
    host: &'a str,
    address: SocketAddr,
}

impl fmt::Display for TcpPlace<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.parse::<IpAddr>().is_ok() {
            write!(formatter, "{}", self.address)
        } else {
            write!(formatter, "{} ({})", self.host, self.address)
        }
    }
}
