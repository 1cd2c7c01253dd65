//! Tries to reach every server of a configuration, for `plimsoll check` and before a start.
//!
//! A server that does not answer is a warning: it may come later, and health checks keep it from
//! traffic until then. Bounded in servers, threads and time. Threads are plain and are left behind
//! when the time is up, since the system's resolver cannot be interrupted.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::address;
use super::model::{Address, Config, Source};
use super::problem::{ConfigError, Warning};

/// Most servers that are tried.
const SERVERS: usize = 256;
/// Servers tried at the same time.
const THREADS: usize = 16;
/// Time for one connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for all of it.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Addresses of a host name that are tried.
const ADDRESSES: usize = 4;

/// A server to try: its key in the file, and where it is.
type Target = (String, Address);

/// A warning for every server that cannot be reached now. Returns within 3 s or so.
pub fn probe_servers(config: &Config) -> Vec<Warning> {
    let mut targets: VecDeque<Target> = VecDeque::new();
    for service in config.services.values() {
        if let Source::Servers(servers) = &service.source {
            for (index, server) in servers.iter().enumerate() {
                let key = format!("service.{}.servers[{index}]", service.name);
                targets.push_back((key, server.at.clone()));
            }
        }
    }
    targets.truncate(SERVERS);
    let mut waiting: Vec<Target> = targets.iter().cloned().collect();
    let answers = start(targets);
    let deadline = Instant::now() + TOTAL_TIMEOUT;
    let mut warnings = Vec::new();
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((key, answer)) = answers.recv_timeout(left) else { break };
        if let Some(index) = waiting.iter().position(|(waiting, _)| *waiting == key) {
            let (key, address) = waiting.swap_remove(index);
            warnings.extend(answer.err().map(|why| warning(key, &address, &why)));
        }
    }
    let late =
        waiting.into_iter().map(|(key, address)| warning(key, &address, "no answer in time"));
    warnings.extend(late);
    warnings.sort_by(|a, b| a.0.key.cmp(&b.0.key));
    warnings
}

fn warning(key: String, address: &Address, why: &str) -> Warning {
    let message = format!("server {} cannot be reached now: {why}", address::show(address));
    Warning(
        ConfigError::new(key, message)
            .note("it gets no requests until a health check finds it")
            .remedy("start it, or correct the address"),
    )
}

/// Tries all targets on a few threads; the receiver gets an answer for each.
fn start(targets: VecDeque<Target>) -> mpsc::Receiver<(String, Result<(), String>)> {
    let (sender, receiver) = mpsc::channel();
    let threads = targets.len().min(THREADS);
    let queue = Arc::new(Mutex::new(targets));
    for _ in 0..threads {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        let work = move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((key, address)) = next else { return };
                if sender.send((key, connect(&address))).is_err() {
                    return;
                }
            }
        };
        // Without a thread its share is done by the others, or reported as late.
        let _ = std::thread::Builder::new().name("probe".to_owned()).spawn(work);
    }
    receiver
}

fn connect(address: &Address) -> Result<(), String> {
    match address {
        Address::Tcp(address) => connect_tcp(address),
        Address::Unix(path) => UnixStream::connect(path).map(drop).map_err(|error| plain(&error)),
        Address::Host(host, port) => {
            let addresses = (host.as_str(), *port)
                .to_socket_addrs()
                .map_err(|_| format!("the name {host} does not resolve"))?;
            let mut result = Err(format!("the name {host} has no address"));
            for address in addresses.take(ADDRESSES) {
                result = connect_tcp(&address);
                if result.is_ok() {
                    break;
                }
            }
            result
        }
    }
}

fn connect_tcp(address: &SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(address, CONNECT_TIMEOUT).map(drop).map_err(|error| plain(&error))
}

/// The error's words without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
