//! One request and its response: routed, attempted on a server or several, answered, counted.
//!
//! Invariants: nothing of a response is sent before its head is whole and framed; once a byte of it
//! is sent there is no other attempt; a response that breaks off makes the client's connection
//! break off. `Expect: 100-continue` is passed on and the server's `100 Continue` back, so it is
//! the server that asks for the body; if it says nothing for a while, we ask. A body that comes all
//! the same is taken.
//!
//! `attempt` gets a response head from a server, `answer` brings it or a reply of ours to the client,
//! `departure` notices that nobody waits for it any more.

mod answer;
mod attempt;
mod departure;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use departure::HalfClosed;
use http1::{BodyDecoder, BodyFraming, Header, HeaderName, Method, Side};

use super::access_log::LogEntry;
use super::balance::{NoServer, PickInput};
use super::buffers::Scratch;
use super::cells::RequestLabels;
use super::connection::{Client, Fate};
use super::forward;
use super::hash;
use super::identity;
use super::relay::Transfer;
use super::reply::Refusal;
use super::retry::{self, Attempted, Failure, Verdict};
use super::roster::{FailureKind, Outcome};
use super::routing::{Routing, ServiceRuntime};
use super::server::{InFlight, Server};
use super::upstream::Upstream;
use super::worker::Held;
use crate::config::model::{Balance, HashKey};
use crate::net::Deadline;

/// The status under which a client that went away is counted and logged, as nginx does.
const CLIENT_GONE: u16 = 499;

/// The interim response that asks for a body (RFC 9110 §15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Addresses of `X-Forwarded-For` that are looked at to find the client's.
const FORWARDED_FOR_ADDRESSES: usize = 32;

/// Why an attempt did not lead to a response head.
#[derive(Debug)]
enum Problem {
    /// The client went away.
    ClientGone,
    /// The client is at fault, or the time is over, or we cannot: no other attempt.
    Final(Refusal),
    /// The server failed.
    Server(ServerProblem),
}

/// How a server failed a request.
#[derive(Debug)]
struct ServerProblem {
    failure: Failure,
    /// Whether any byte of the request was taken.
    sent: bool,
    /// Whether the connection had served a request before.
    reused: bool,
    /// What the client is told if there is no other attempt.
    refusal: Refusal,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// An attempt on the server that is current now; only over a new connection if `fresh`.
    Attempt { fresh: bool },
    /// The failure stands.
    GiveUp,
}

/// A request in progress.
struct Exchange<'a> {
    client: &'a Client,
    scratch: &'a mut Scratch,
    routing: Rc<Held>,
    /// Index of the route's target.
    target: Option<usize>,
    begun: Instant,
    /// The latest time that was looked at.
    now: Instant,
    /// When the current attempt began.
    attempt_begun: Instant,
    transfer: Transfer,
    /// The server of the current attempt, counted in flight there.
    current: Option<(InFlight, Rc<Upstream>)>,
    /// Servers that failed; empty for most requests.
    tried: Vec<Arc<Server>>,
    /// Whether an attempt came further than connecting.
    reached: bool,
    attempts: u32,
    interim: u32,
    /// Whether the client was told `100 Continue`.
    continued: bool,
    /// Fires when the whole request has had its time.
    total: Option<Deadline>,
    /// Set once the client has ended its side.
    half_closed: Option<HalfClosed>,
    /// Of the response that was sent.
    status: u16,
    /// For the log: what went wrong.
    detail: String,
}

/// Handles the request whose head is in the scratch.
pub(crate) async fn run(client: &Client, scratch: &mut Scratch, begun: Instant) -> Fate {
    let mut exchange = Exchange::new(client, scratch, begun);
    exchange.name();
    let fate = exchange.serve().await;
    exchange.count();
    fate
}

/// Answers a request whose head could not be read, and ends the connection.
pub(crate) async fn refuse_head(client: &Client, scratch: &mut Scratch, refusal: Refusal) -> Fate {
    // What the parser has seen of the head is not to be trusted, let alone logged as a request.
    scratch.request = http1::RequestHead::new();
    scratch.input.clear();
    let mut exchange = Exchange::new(client, scratch, Instant::now());
    exchange.name();
    exchange.refuse(refusal).await;
    exchange.count();
    Fate::Linger
}

impl<'a> Exchange<'a> {
    fn new(client: &'a Client, scratch: &'a mut Scratch, begun: Instant) -> Self {
        scratch.to_server.clear();
        scratch.to_client.clear();
        Self {
            routing: client.worker.routing(),
            client,
            scratch,
            target: None,
            begun,
            now: begun,
            attempt_begun: begun,
            transfer: Transfer::default(),
            current: None,
            tried: Vec::new(),
            reached: false,
            attempts: 0,
            interim: 0,
            continued: false,
            total: None,
            half_closed: None,
            status: CLIENT_GONE,
            detail: String::new(),
        }
    }

    /// The bytes from which the request's head was parsed. Good as long as the exchange: reading
    /// the body leaves the head where it is.
    fn head_bytes(&self) -> &[u8] {
        self.scratch.input.origin_bytes()
    }

    fn header_value(&self, header: Option<&Header>) -> &[u8] {
        header.map_or(&[], |header| header.value().of(self.head_bytes()))
    }

    /// Whether the peer is a proxy whose word counts.
    fn trusts_peer(&self) -> bool {
        let config = &self.routing.config;
        !config.trusted_proxies.is_empty()
            && config.trusts(self.client.address().ip().to_canonical())
    }

    /// Gives the request its id: a trusted peer's, or a new one.
    fn name(&mut self) {
        let given = self.scratch.request.headers.find(HeaderName::XRequestId);
        if given.is_some() && self.trusts_peer() {
            let id = self.header_value(given);
            if identity::is_acceptable(id) {
                let range = given.map(|header| header.value().range()).unwrap_or_default();
                self.scratch.request_id.clear();
                self.scratch
                    .request_id
                    .extend_from_slice(&self.scratch.input.origin_bytes()[range]);
                return;
            }
        }
        self.scratch.request_id.clear();
        self.scratch.request_id.extend_from_slice(&self.client.worker.identity.next_id());
    }

    async fn serve(&mut self) -> Fate {
        let routing = Rc::clone(&self.routing);
        let head_length = self.scratch.request.head_length;
        self.scratch.input.consume(head_length);
        self.scratch.upload =
            BodyDecoder::new(Side::Request, self.scratch.request.framing, &routing.limits);
        let service = match self.route(&routing) {
            Ok(service) => service,
            Err(refusal) => return self.refuse_early(refusal).await,
        };
        if let Err(no_server) = self.pick(service) {
            return self.refuse_early(Refusal::no_server(no_server)).await;
        }
        if let Some(time) = service.config.timeouts.request {
            let deadline = self.client.worker.deadlines.add();
            deadline.set(self.begun, time);
            self.total = Some(deadline);
        }
        // Once a kept connection was stale, new ones only: then no request is sent more often than
        // `tries` and this once.
        let mut fresh = false;
        loop {
            let problem = match self.attempt(service, fresh).await {
                Ok(connection) => {
                    let status = self.scratch.response.status;
                    let failed = service.config.retry.on_statuses.contains(&status);
                    self.report_status(service, status, failed);
                    if failed
                        && let next @ Next::Attempt { .. } =
                            self.next(service, Failure::Status(status), true, false)
                    {
                        fresh |= next == (Next::Attempt { fresh: true });
                        continue;
                    }
                    return self.respond(service, connection).await;
                }
                Err(Problem::ClientGone) => return Fate::Close,
                Err(Problem::Final(refusal)) => return self.refuse(refusal).await,
                Err(Problem::Server(problem)) => problem,
            };
            match self.next(service, problem.failure, problem.sent, problem.reused) {
                Next::Attempt { fresh: again } => fresh |= again,
                Next::GiveUp => return self.refuse(problem.refusal).await,
            }
        }
    }

    /// Finds the service, and refuses what is refused without a server.
    fn route<'r>(&mut self, routing: &'r Routing) -> Result<&'r ServiceRuntime, Refusal> {
        let request = &self.scratch.request;
        let buffer = self.head_bytes();
        if request.method == Method::Connect {
            return Err(Refusal::connect_method());
        }
        if forward::forwards_left(request, buffer) == Some(0) {
            return Err(Refusal::no_forwards_left(request.method));
        }
        let host = request.authority.map_or(&[][..], |authority| authority.host.of(buffer));
        let found = routing.table.find(host, request.path.of(buffer));
        let Some(place) = found else { return Err(Refusal::no_route()) };
        let service = &*routing.targets[place].service;
        self.target = Some(place);
        self.transfer.kept_limit = service.config.retry.body_buffer_bytes as u64;
        self.transfer.upload_chunked = request.framing == BodyFraming::Chunked;
        if let Some(bound) = routing.config.limits.body_bytes {
            if self.scratch.upload.remaining().is_some_and(|length| length > bound) {
                return Err(Refusal::body_too_large(bound));
            }
            self.transfer.upload_limit = bound;
        }
        Ok(service)
    }

    /// Makes another server current, counted in flight there.
    fn pick(&mut self, service: &ServiceRuntime) -> Result<(), NoServer> {
        let worker = &self.client.worker;
        let in_flight = service.pool.pick(PickInput {
            client: self.client_address(),
            hash: self.balancing_hash(&service.config.balance),
            tried: &self.tried,
            random: worker.identity.random(),
            now: self.now,
        })?;
        let upstream = worker.upstreams.of(in_flight.server(), &worker.shared.servers);
        self.current = Some((in_flight, upstream));
        Ok(())
    }

    /// The address of the client itself: the peer, or what trusted proxies say of it.
    fn client_address(&self) -> IpAddr {
        let peer = self.client.address().ip().to_canonical();
        let headers = &self.scratch.request.headers;
        if !headers.has(HeaderName::XForwardedFor) || !self.trusts_peer() {
            return peer;
        }
        // The last address that is not a trusted proxy's is the last that anybody vouches for.
        let values: Vec<&[u8]> = headers
            .find_all(HeaderName::XForwardedFor)
            .flat_map(|header| http1::list_elements(header.value().of(self.head_bytes())))
            .collect();
        let mut client = peer;
        for value in values.iter().rev().take(FORWARDED_FOR_ADDRESSES) {
            let Some(address) = forward::address_of(value) else { break };
            client = address.to_canonical();
            if !self.routing.config.trusts(client) {
                break;
            }
        }
        client
    }

    /// The hash of what the service's policy looks at, if the request has it.
    fn balancing_hash(&self, balance: &Balance) -> Option<u64> {
        let Balance::Hash(key) = balance else { return None };
        let request = &self.scratch.request;
        let buffer = self.head_bytes();
        match key {
            HashKey::Uri => Some(hash::of_bytes(request.path_and_query().of(buffer))),
            HashKey::Header(name) => {
                let header = request.headers.find_text(buffer, name.as_bytes())?;
                Some(hash::of_bytes(header.value().of(buffer)))
            }
            HashKey::Cookie(name) => request
                .headers
                .find_all(HeaderName::Cookie)
                .flat_map(|header| header.value().of(buffer).split(|&byte| byte == b';'))
                .find_map(|pair| {
                    pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
                })
                .map(hash::of_bytes),
        }
    }

    /// Tells the balancer how the current attempt ended, if it is the server's doing.
    fn report(&self, service: &ServiceRuntime, outcome: Outcome) {
        if let Some((in_flight, _)) = &self.current {
            service.pool.report(in_flight.server(), outcome, self.now);
        }
    }

    fn report_status(&self, service: &ServiceRuntime, status: u16, failed: bool) {
        let latency = self.now.saturating_duration_since(self.attempt_begun);
        self.report(
            service,
            if failed {
                Outcome::Failure { kind: FailureKind::Status(status), latency }
            } else {
                Outcome::Success { latency }
            },
        );
    }

    fn report_failure(&mut self, service: &ServiceRuntime, kind: FailureKind) {
        self.now = Instant::now();
        let latency = self.now.saturating_duration_since(self.attempt_begun);
        self.report(service, Outcome::Failure { kind, latency });
    }

    /// Decides what follows a failed attempt, and makes the next server current.
    fn next(
        &mut self,
        service: &ServiceRuntime,
        failure: Failure,
        sent: bool,
        reused: bool,
    ) -> Next {
        self.now = Instant::now();
        let attempted = Attempted {
            attempts: self.attempts,
            elapsed: self.now.saturating_duration_since(self.begun),
            idempotent: self.scratch.request.method.is_idempotent(),
            sent,
            reused,
            replayable: self.transfer.keeps_upload,
        };
        let policy = &service.config.retry;
        let verdict = retry::decide(policy, failure, attempted);
        if verdict == Verdict::FreshConnection {
            // It says nothing about the server, and is not a try.
            self.attempts -= 1;
            return Next::Attempt { fresh: true };
        }
        self.reached |= failure != Failure::Connect;
        let kind = match failure {
            Failure::Connect => Some(FailureKind::Connect),
            Failure::Closed => Some(FailureKind::Closed),
            Failure::Timeout => Some(FailureKind::Timeout),
            Failure::InvalidHeader => Some(FailureKind::InvalidResponse),
            // Reported with the head.
            Failure::Status(_) => None,
        };
        if let Some(kind) = kind {
            self.report_failure(service, kind);
        }
        if verdict != Verdict::AnotherServer || !self.spend(service) {
            return Next::GiveUp;
        }
        let failed = self.current.take();
        self.tried.extend(failed.iter().map(|(in_flight, _)| Arc::clone(in_flight.server())));
        if self.pick(service).is_err() {
            // Nobody else: the failure stands, and the server that failed is the one to name.
            self.current = failed;
            return Next::GiveUp;
        }
        service.cells.of(self.client.worker.index).retry();
        Next::Attempt { fresh: false }
    }

    /// Takes one retry from the service's budget.
    fn spend(&self, service: &ServiceRuntime) -> bool {
        let now = self.now.saturating_duration_since(self.client.worker.shared.epoch);
        let requests = service.recent_requests.load(std::sync::atomic::Ordering::Relaxed);
        let mut budget = service.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.spend(now, service.config.retry.budget_percent, requests)
    }

    /// Counts and logs the request, once it is over.
    fn count(&mut self) {
        let worker = &self.client.worker;
        let request = &self.scratch.request;
        let was_read = request.head_length > 0;
        let method = if was_read { request.method } else { Method::Other };
        let labels = RequestLabels::new(method, request.version, self.status);
        let duration = self.now.saturating_duration_since(self.begun);
        let (bytes_in, bytes_out) = (self.transfer.upload_bytes, self.transfer.download_bytes);
        self.client.entrypoint.of(worker.index).request(labels, duration, bytes_in, bytes_out);
        if let Some((_, upstream)) = &self.current {
            upstream.cell().request(labels, duration, bytes_in, bytes_out);
        }
        let target = self.target.map(|place| &self.routing.targets[place]);
        if let Some(target) = target {
            let cell = target.service.cells.of(worker.index);
            cell.request(labels, duration, bytes_in, bytes_out);
        }
        let Some(log) = &self.routing.access_log else { return };
        if target.is_some_and(|target| !target.access_log) {
            return;
        }
        let buffer = self.head_bytes();
        let known = |header| self.header_value(request.headers.find(header));
        worker.log.push(
            log,
            &worker.clock,
            &LogEntry {
                client: self.client_address(),
                method: if was_read { request.method_text.of(buffer) } else { b"" },
                target: if was_read { request.target.of(buffer) } else { b"" },
                version: request.version.as_str(),
                host: request.authority.map_or(b"", |authority| authority.text.of(buffer)),
                status: self.status,
                bytes: bytes_out,
                referer: known(HeaderName::Referer),
                user_agent: known(HeaderName::UserAgent),
                service: target.map_or("", |target| &target.service.config.name),
                server: self.current.as_ref().map_or("", |(_, upstream)| &upstream.server.name),
                duration,
                attempts: self.attempts,
                request_id: &self.scratch.request_id,
                detail: &self.detail,
            },
        );
    }
}
