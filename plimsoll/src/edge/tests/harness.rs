//! An edge on a free port, servers that follow scripts, and a client that reads what it gets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::PATIENCE;
use socket2::{Domain, Socket, Type};

use crate::config::model::{
    Address, Balance, Config, Listen, Retry, Route, ServerTimeouts, Service, Source, StaticServer,
};
use crate::config::sample;
use crate::edge::roster::Roster;
use crate::edge::{DrainReport, Edge};

/// What a server does with one connection; the number says which it is, from 0.
pub(super) type Script = Arc<dyn Fn(&mut ServerConnection, usize) + Send + Sync>;

/// One connection at a server.
pub(super) struct ServerConnection {
    stream: TcpStream,
    buffered: Vec<u8>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl ServerConnection {
    /// Reads up to and with `end`; all there is if it does not come.
    pub(super) fn read_until(&mut self, end: &[u8]) -> String {
        loop {
            let found = self.buffered.windows(end.len()).position(|window| window == end);
            if let Some(place) = found {
                let rest = self.buffered.split_off(place + end.len());
                let text = std::mem::replace(&mut self.buffered, rest);
                return String::from_utf8_lossy(&text).into_owned();
            }
            if !self.fill() {
                return String::from_utf8_lossy(&std::mem::take(&mut self.buffered)).into_owned();
            }
        }
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes).unwrap_or(0);
        self.seen.lock().unwrap().extend_from_slice(&bytes[..count]);
        self.buffered.extend_from_slice(&bytes[..count]);
        count > 0
    }

    /// Reads a head.
    pub(super) fn read_head(&mut self) -> String {
        self.read_until(b"\r\n\r\n")
    }

    /// Reads a head and the body of its `Content-Length`; `None` at the end of the connection.
    pub(super) fn read_request(&mut self) -> Option<String> {
        self.read_request_with_body().map(|(head, _)| head)
    }

    /// As [`ServerConnection::read_request`], with the body.
    pub(super) fn read_request_with_body(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.read_head();
        if head.is_empty() {
            return None;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.buffered.len() < length && self.fill() {}
        let rest = self.buffered.split_off(length.min(self.buffered.len()));
        Some((head, std::mem::replace(&mut self.buffered, rest)))
    }

    /// Reads until the other side ends.
    pub(super) fn read_to_end(&mut self) -> String {
        while self.fill() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffered)).into_owned()
    }

    /// Sends back so many bytes as they come.
    pub(super) fn echo(&mut self, length: usize) {
        let mut left = length;
        while left > 0 && (!self.buffered.is_empty() || self.fill()) {
            let bytes = std::mem::take(&mut self.buffered);
            left = left.saturating_sub(bytes.len());
            if self.stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }

    /// Sends text; false if nobody takes it.
    pub(super) fn send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).is_ok()
    }
}

/// A server in a thread.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counter, log) = (Arc::clone(&connections), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let (script, seen) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || {
                    script(&mut ServerConnection { stream, buffered: Vec::new(), seen }, number);
                });
            }
        });
        Self { address, connections, seen }
    }
}

/// An edge with its servers.
pub(super) struct Harness {
    pub(super) edge: Edge,
    pub(super) config: Arc<Config>,
    address: SocketAddr,
    servers: Vec<Server>,
}

impl Harness {
    /// Starts a server for each script and an edge before them.
    pub(super) fn start(scripts: &[Script], change: impl FnOnce(&mut Config)) -> Self {
        let servers: Vec<Server> = scripts.iter().cloned().map(Server::start).collect();
        let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
        let mut config = config(&addresses);
        change(&mut config);
        let config = Arc::new(config);
        let listeners = Edge::bind(&config).unwrap();
        let roster = Arc::new(Roster::new(&config));
        let edge = Edge::start(listeners, Arc::clone(&config), roster).unwrap();
        let address = edge.listeners()[0].1;
        Self { edge, config, address, servers }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn connect(&self) -> Client {
        self.connect_to(self.address)
    }

    pub(super) fn connect_to(&self, address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, rest: Vec::new() }
    }

    /// Where a server listens.
    pub(super) fn server_address(&self, server: usize) -> SocketAddr {
        self.servers[server].address
    }

    /// Connections that a server has taken.
    pub(super) fn connections(&self, server: usize) -> usize {
        self.servers[server].connections.load(Ordering::SeqCst)
    }

    /// Everything that was sent to the server which took connection `number` of all.
    pub(super) fn request(&self, number: usize) -> String {
        let server = self.servers.get(number).unwrap_or(&self.servers[0]);
        String::from_utf8_lossy(&server.seen.lock().unwrap()).into_owned()
    }

    /// Requests that the edge answered itself for this reason.
    pub(super) fn rejections(&self, reason: &str) -> u64 {
        self.edge.shared.rejections.all().get(reason).copied().unwrap_or(0)
    }

    pub(super) fn drain(&self, deadline: Duration) -> DrainReport {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.edge.drain(deadline))
    }
}

/// A client connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    rest: Vec<u8>,
}

impl Client {
    pub(super) fn send(&mut self, text: &str) -> &mut Self {
        self.stream.write_all(text.as_bytes()).unwrap();
        self
    }

    pub(super) fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).read()
    }

    pub(super) fn read(&mut self) -> Response {
        read_response(&mut self.stream, &mut self.rest, false)
    }

    /// Reads the response to a HEAD.
    pub(super) fn read_head(&mut self) -> Response {
        read_response(&mut self.stream, &mut self.rest, true)
    }

    /// Bytes that came with the last response and are not part of it.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// Reads up to and with `end`.
    pub(super) fn read_text(&mut self, end: &[u8]) -> String {
        let mut seen = self.take_rest();
        while !seen.ends_with(end) && read_more(&mut self.stream, &mut seen) {}
        String::from_utf8(seen).unwrap()
    }
}

/// A response as read from the wire.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn read_more(from: &mut impl Read, into: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 64 * 1024];
    let count = from.read(&mut bytes).unwrap();
    into.extend_from_slice(&bytes[..count]);
    count > 0
}

/// Reads one response; what follows it is left in `rest`.
pub(super) fn read_response(from: &mut impl Read, rest: &mut Vec<u8>, bodiless: bool) -> Response {
    let end = loop {
        if let Some(place) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
            break place + 4;
        }
        assert!(read_more(from, rest), "ended after {}", rest.escape_ascii());
    };
    let body = rest.split_off(end);
    let head = String::from_utf8(std::mem::replace(rest, body)).unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut response = Response { status, head, body: Vec::new() };
    if bodiless || status < 200 {
        return response;
    }
    if response.header("transfer-encoding").is_some() {
        loop {
            let line = loop {
                if let Some(place) = rest.windows(2).position(|window| window == b"\r\n") {
                    break place;
                }
                assert!(read_more(from, rest), "ended in a chunk size");
            };
            let size = std::str::from_utf8(&rest[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            while rest.len() < line + 2 + size + 2 {
                assert!(read_more(from, rest), "ended in a chunk");
            }
            response.body.extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest.drain(..line + 2 + size + 2);
            if size == 0 {
                return response;
            }
        }
    }
    let length: usize = response.header("content-length").unwrap().parse().unwrap();
    while rest.len() < length {
        assert!(read_more(from, rest), "ended in the body");
    }
    let after = rest.split_off(length);
    response.body = std::mem::replace(rest, after);
    response
}

impl Config {
    pub(super) fn change_service(&mut self, change: impl FnOnce(&mut Service)) {
        change(Arc::make_mut(self.services.get_mut("web").unwrap()));
    }

    pub(super) fn change_servers(&mut self, change: impl FnOnce(&mut Vec<StaticServer>)) {
        self.change_service(|service| match &mut service.source {
            Source::Servers(servers) => change(servers),
            Source::Processes(_) => {}
        });
    }

    pub(super) fn balance(&mut self, balance: Balance) {
        self.change_service(|service| service.balance = balance);
    }

    pub(super) fn retry(&mut self, change: impl FnOnce(&mut Retry)) {
        self.change_service(|service| change(&mut service.retry));
    }

    pub(super) fn retry_tries(&mut self, tries: u32) {
        self.retry(|retry| retry.tries = tries);
    }

    pub(super) fn server_timeouts(&mut self, change: impl FnOnce(&mut ServerTimeouts)) {
        self.change_service(|service| change(&mut service.timeouts));
    }

    /// Adds a server on a port where nobody listens. The port stays bound, so that no other test
    /// can listen there.
    pub(super) fn add_dead_server(&mut self) {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&any.into()).unwrap();
        let free = socket.local_addr().unwrap().as_socket().unwrap();
        std::mem::forget(socket);
        self.change_servers(|servers| servers.insert(0, server("dead", free)));
    }
}

fn server(name: &str, at: SocketAddr) -> StaticServer {
    let (name, at) = (name.to_owned(), Address::Tcp(at));
    StaticServer { name, at, weight: 1, max_conns: None, backup: false }
}

/// A configuration with one service `web` of these servers, two workers, and generous bounds.
pub(super) fn config(servers: &[SocketAddr]) -> Config {
    let servers = servers
        .iter()
        .enumerate()
        .map(|(place, address)| server(&format!("s{}", place + 1), *address))
        .collect();
    let mut service = sample::service("web", Source::Servers(servers), PATIENCE);
    service.retry = Retry {
        on_connect: true,
        on_timeout: true,
        on_invalid_header: true,
        tries: 3,
        body_buffer_bytes: 64 * 1024,
        budget_percent: 20,
        ..service.retry
    };
    service.keepalive.connections = 8;
    let everything = Route {
        host: None,
        path: "/".to_owned(),
        service: "web".to_owned(),
        strip_prefix: false,
        access_log: true,
    };
    Config {
        listen: vec![Listen { bind: "127.0.0.1:0".parse().unwrap(), name: "test".to_owned() }],
        workers: 2,
        routes: vec![everything],
        ..sample::config([service], PATIENCE)
    }
}

#[test]
fn responses_can_be_read() {
    let mut bytes =
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nrest"[..];
    let mut rest = Vec::new();
    let response = read_response(&mut bytes, &mut rest, false);
    assert_eq!((response.body.as_slice(), rest.as_slice()), (&b"ok"[..], &b"rest"[..]));
}
