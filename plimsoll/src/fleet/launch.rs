//! Starts one process: finds its address, builds its words and environment, starts its guard.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::unistd::User;
use tokio::sync::mpsc;

use super::address::{RuntimeDirectory, free_port, probe};
use super::command::{self, Variables};
use super::guard::Arguments;
use super::output::{Output, Writers};
use super::process::{Launch, News, Process, ProcessId};
use crate::config::model::{Address, InstanceAddress, ProcessSpec};

/// What all services' hands share. Owned by the supervisor's task.
#[derive(Debug)]
pub struct Hands {
    origin: Instant,
    starts: u64,
    /// Free ports given to instances that still live.
    ports: BTreeSet<u16>,
    writers: Arc<Writers>,
    news: mpsc::Sender<(ProcessId, News)>,
}

impl Hands {
    /// Nothing is started yet.
    pub fn new(writers: Arc<Writers>, news: mpsc::Sender<(ProcessId, News)>) -> Self {
        Self { origin: Instant::now(), starts: 0, ports: BTreeSet::new(), writers, news }
    }

    /// The time as planners count it.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Where instances' output goes.
    pub fn writers(&self) -> &Arc<Writers> {
        &self.writers
    }

    /// Counts a start.
    pub fn next_start(&mut self) -> u64 {
        self.starts += 1;
        self.starts
    }

    /// The address is free again.
    pub fn release(&mut self, address: &Address) {
        if let Address::Tcp(address) = address {
            self.ports.remove(&address.port());
        }
    }
}

/// Where the sockets of one service are, once it has one.
#[derive(Debug, Default)]
pub struct Place(Option<RuntimeDirectory>);

/// Starts a process of an instance. Everything that can be checked is checked before.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn launch(
    id: &ProcessId,
    name: &str,
    spec: &ProcessSpec,
    place: &mut Place,
    output: Arc<Output>,
    hands: &mut Hands,
) -> Result<(Process, Address), String> {
    command::check_directory(spec)?;
    command::check_program(spec)?;
    let user = command::check_user(spec)?;
    let address = find_address(id, spec, user.as_ref(), place, hands)?;
    let mut variables = Variables::from([("INSTANCE", name.to_owned())]);
    let mut socket = None;
    match &address {
        Address::Unix(path) => {
            variables.insert("SOCKET", path.display().to_string());
            socket = Some(path.clone());
        }
        Address::Tcp(address) => {
            variables.insert("PORT", address.port().to_string());
        }
        Address::Host(..) => {}
    }
    let launch = Launch {
        arguments: Arguments {
            name: name.to_owned(),
            directory: spec.directory.clone(),
            user: spec.user.clone(),
            socket,
            command: command::words(&spec.command, &variables),
        },
        environment: environment(spec, user.as_ref(), &variables),
        // Plimsoll's own PORT means nothing to an instance that has a socket, and vice versa.
        unset: ["PORT", "SOCKET"]
            .into_iter()
            .filter(|name| !variables.contains_key(name) && !spec.environment.contains_key(*name))
            .collect(),
    };
    let news = hands.news.clone();
    match Process::start(&launch, id.clone(), output, news) {
        Ok(process) => Ok((process, address)),
        Err(error) => {
            hands.release(&address);
            Err(format!("no process could be made for it: {error}"))
        }
    }
}

fn find_address(
    id: &ProcessId,
    spec: &ProcessSpec,
    user: Option<&User>,
    place: &mut Place,
    hands: &mut Hands,
) -> Result<Address, String> {
    let random = &mut || fastrand::u64(..);
    if spec.connect == InstanceAddress::Socket {
        let directory = match place.0.take().filter(RuntimeDirectory::exists) {
            Some(directory) => directory,
            None => RuntimeDirectory::create(user, random)?,
        };
        let path = directory.socket(id.number, id.start);
        place.0 = Some(directory);
        return Ok(Address::Unix(path));
    }
    let port = match spec.first_port {
        Some(first) => counted_port(first, id.number)?,
        None => free_port(&hands.ports, random)
            .map_err(|error| format!("no free port was found: {error}"))?,
    };
    hands.ports.insert(port);
    Ok(Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

/// The port of this number. Refused when somebody listens there: the health checks would take
/// the stranger for the instance.
fn counted_port(first: u16, number: u32) -> Result<u16, String> {
    let port = u32::from(first) + number - 1;
    let port = u16::try_from(port).map_err(|_| {
        format!("`first_port` {first} leaves no port for number {number}; choose a lower one")
    })?;
    probe(port).map_err(|error| {
        format!(
            "port {port} (`first_port` {first} + {}) cannot be used: {error}; \
             stop what listens there, or choose another `first_port`",
            number - 1
        )
    })?;
    Ok(port)
}

/// Added to Plimsoll's own: the user's, the configured, the instance's, later ones winning.
fn environment(
    spec: &ProcessSpec,
    user: Option<&User>,
    variables: &Variables,
) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<(OsString, OsString)> = Vec::new();
    if let Some(user) = user {
        environment.extend([
            ("HOME".into(), user.dir.clone().into_os_string()),
            ("SHELL".into(), user.shell.clone().into_os_string()),
            ("USER".into(), OsString::from(&user.name)),
            ("LOGNAME".into(), OsString::from(&user.name)),
        ]);
    }
    environment.extend(spec.environment.iter().map(|(key, value)| (key.into(), value.into())));
    environment.extend(variables.iter().map(|(key, value)| (OsString::from(key), value.into())));
    environment
}
