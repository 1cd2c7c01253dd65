//! One attempt: a connection, the request sent over it, a response head back.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http1::{Parsed, RequestContext, Version, parse_response};

use super::departure::Stage;
use super::{CONTINUE, Exchange, Problem, ServerProblem};
use crate::config::host;
use crate::edge::forward::{self, RequestRewrite};
use crate::edge::relay::{UploadProblem, Waits};
use crate::edge::reply::Refusal;
use crate::edge::retry::Failure;
use crate::edge::routing::ServiceRuntime;
use crate::edge::server::{Endpoint, Server};
use crate::edge::upstream::Connection;
use crate::log;

/// Interim responses that are passed on for one request; more are taken for an attack.
const INTERIM_RESPONSES: u32 = 16;

/// How long a client that waits for `100 Continue` waits for the server's before it gets ours:
/// servers that do not know `Expect` would let it wait for good.
const CONTINUE_PATIENCE: Duration = Duration::from_millis(500);

/// What ended the wait for a head.
enum Unanswered {
    Final(Problem),
    Server(Failure, Refusal),
}

impl Exchange<'_> {
    /// Sends the request to the current server and reads until a final response head is in the
    /// scratch, at the start of the answer. `fresh` leaves idle connections alone.
    pub(super) async fn attempt(
        &mut self,
        service: &ServiceRuntime,
        fresh: bool,
    ) -> Result<Connection, Problem> {
        self.attempts += 1;
        self.attempt_begun = self.now;
        if self.scratch.to_server.is_empty() {
            self.write_head(service);
            self.transfer.gather_upload(self.scratch).map_err(|problem| self.of_client(problem))?;
        }
        let mut connection = match self.idle_connection(fresh) {
            Some(connection) => connection,
            // Boxed: rare, and its state would be carried by every idle client connection.
            None => Box::pin(self.connect(service)).await?,
        };
        let reused = connection.requests > 0;
        connection.requests += 1;
        self.scratch.answer.clear();
        self.scratch.response.reset();
        self.transfer.restart_upload();
        // The first wait needs a deadline, too; the time was looked at a moment ago.
        self.transfer.moved = true;
        let mut now = Some(self.now);
        let answered = poll_fn(|context| {
            let now = now.take();
            self.poll_head(context, service, &connection, now)
        })
        .await;
        self.now = Instant::now();
        match answered {
            Ok(()) => Ok(connection),
            Err(Unanswered::Final(problem)) => Err(problem),
            Err(Unanswered::Server(failure, refusal)) => {
                let sent = self.transfer.server_sent > 0 || !self.transfer.keeps_upload;
                Err(Problem::Server(ServerProblem { failure, sent, reused, refusal }))
            }
        }
    }

    fn idle_connection(&self, fresh: bool) -> Option<Connection> {
        let (_, upstream) = self.current.as_ref()?;
        if fresh {
            return None;
        }
        let repeatable = self.scratch.request.method.is_idempotent();
        loop {
            let connection = upstream.take_idle()?;
            // What may be sent only once is not sent over a connection that is closed already; the
            // event loop may not have said so yet.
            if repeatable || connection.stream.is_open() {
                return Some(connection);
            }
        }
    }

    async fn connect(&mut self, service: &ServiceRuntime) -> Result<Connection, Problem> {
        let Some((_, upstream)) = &self.current else {
            let sentence = "No server is available for this request at the moment.";
            return Err(Problem::Final(Refusal::new(503, "no_server", sentence, String::new())));
        };
        self.client.deadline.set(self.now, service.config.timeouts.connect);
        let mut connecting = pin!(upstream.connect());
        let result = poll_fn(|context| {
            if let Poll::Ready(result) = connecting.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            if self.is_overdue(context) {
                return Poll::Ready(None);
            }
            let expired = self.client.deadline.poll(context);
            expired.map(|()| Some(Err(io::ErrorKind::TimedOut.into())))
        })
        .await;
        let name = &upstream.server.name;
        let error = match result {
            Some(Ok(_)) if self.comes_back(&upstream.server) => {
                self.tell_of_circle(&upstream.server);
                let detail = format!("{name} is an address on which Plimsoll listens itself");
                return Err(Problem::Final(Refusal::circle(detail)));
            }
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => error,
            None => return Err(Problem::Final(overdue())),
        };
        if is_exhaustion(&error) {
            let detail = format!("cannot open a connection to {name}: {error}");
            return Err(Problem::Final(Refusal::exhausted(detail)));
        }
        let late = error.kind() == io::ErrorKind::TimedOut;
        let detail = match error.kind() {
            io::ErrorKind::TimedOut => format!("{name} did not accept a connection in time"),
            io::ErrorKind::NotFound => format!("no address is known for {name} yet ({error})"),
            _ => format!("cannot connect to {name}: {error}"),
        };
        let refusal = match (self.reached, late) {
            (false, _) => Refusal::unreachable(detail),
            (true, true) => {
                Refusal::gateway_timeout("The server could not be reached in time.", detail)
            }
            (true, false) => Refusal::bad_gateway("The server could not be reached.", detail),
        };
        let failure = Failure::Connect;
        Err(Problem::Server(ServerProblem { failure, sent: false, reused: false, refusal }))
    }

    /// Whether the request would come back to us and take the same way again, until there are no
    /// descriptors left. What a route strips of the path leads elsewhere. Asked of new connections
    /// only, since without one a circle ends.
    fn comes_back(&self, server: &Server) -> bool {
        let target = self.target.and_then(|place| self.routing.targets.get(place));
        let stripped = target.and_then(|target| target.strip_prefix.as_deref()).unwrap_or_default();
        let Some(Endpoint::Tcp(to)) = server.endpoint() else { return false };
        let is_own = || host::is_own(to.ip());
        stripped.trim_end_matches('/').is_empty()
            && self.routing.config.listen.iter().any(|listen| listen.is_at(to, is_own))
    }

    /// Tells the log, which is where people look for what only requests bring to light.
    fn tell_of_circle(&self, server: &Server) {
        let now = self.now.saturating_duration_since(self.client.worker.shared.epoch);
        if !server.may_tell_of_circle(now) {
            return;
        }
        let (service, name) = (&*server.service, &server.name);
        let words = format_args!(
            "{name} is an address on which Plimsoll listens itself, so requests to service {service} \
             are answered with 508: name the server's own address and port"
        );
        log::warn(service, words);
    }

    /// Writes the head that servers get; the same for each attempt, so written once.
    fn write_head(&mut self, service: &ServiceRuntime) {
        let worker = &self.client.worker;
        let trusted = self.trusts_peer();
        let client = self.client_address();
        let target = self.target.and_then(|place| self.routing.targets.get(place));
        let scratch = &mut *self.scratch;
        let rewrite = RequestRewrite {
            peer: self.client.address(),
            client,
            trusted,
            request_id: &scratch.request_id,
            span: worker.identity.random(),
            strip_prefix: target.and_then(|target| target.strip_prefix.as_deref()),
            forwarded: self.routing.config.headers.forwarded,
            keep_alive: service.config.keepalive.connections > 0,
            default_host: &service.config.name,
        };
        let buffer = scratch.input.origin_bytes();
        let written =
            forward::write_request(&mut scratch.to_server, buffer, &scratch.request, &rewrite);
        // Everything in the head was parsed or made by us, so it can be written.
        debug_assert_eq!(written, Ok(()));
    }

    /// Moves the request and looks for the head of its response. `now` spares a look at the clock.
    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        service: &ServiceRuntime,
        connection: &Connection,
        now: Option<Instant>,
    ) -> Poll<Result<(), Unanswered>> {
        let client = self.client.stream();
        let server = &connection.stream;
        if !self.scratch.to_client.is_empty()
            && let Poll::Ready(Err(_)) = self.transfer.poll_flush(context, self.scratch, client)
        {
            return Poll::Ready(Err(Unanswered::Final(Problem::ClientGone)));
        }
        if !self.transfer.upload_over {
            match self.transfer.poll_upload(context, self.scratch, client, server) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                // The server may have answered before it closed: look.
                Poll::Ready(Err(UploadProblem::Server)) => self.transfer.upload_over = true,
                Poll::Ready(Err(problem)) => {
                    return Poll::Ready(Err(Unanswered::Final(self.of_client(problem))));
                }
            }
        }
        if let Poll::Ready(result) = self.poll_response(context, connection) {
            return Poll::Ready(result);
        }
        if self.is_overdue(context) {
            return Poll::Ready(Err(Unanswered::Final(Problem::Final(overdue()))));
        }
        if self.client_left(context, Stage::Head) {
            return Poll::Ready(Err(Unanswered::Final(Problem::ClientGone)));
        }
        let waits_for_body =
            !self.transfer.upload_over && self.transfer.upload_waits == Waits::Client;
        if std::mem::take(&mut self.transfer.moved) {
            let time = if waits_for_body && self.owes_continue() {
                CONTINUE_PATIENCE.min(self.routing.config.timeouts.body)
            } else if waits_for_body {
                self.routing.config.timeouts.body
            } else {
                service.config.timeouts.header
            };
            self.client.deadline.set(now.unwrap_or_else(Instant::now), time);
        }
        if self.client.deadline.poll(context).is_pending() {
            return Poll::Pending;
        }
        if waits_for_body && self.owes_continue() {
            self.continued = true;
            self.scratch.to_client.extend_from_slice(CONTINUE);
            self.transfer.moved = true;
            return self.poll_head(context, service, connection, None);
        }
        Poll::Ready({
            Err(if waits_for_body {
                Unanswered::Final(Problem::Final(Refusal::body_timeout()))
            } else {
                let detail = format!("{} sent no response head in time", self.server_name());
                let sentence = "The server did not answer in time.";
                Unanswered::Server(Failure::Timeout, Refusal::gateway_timeout(sentence, detail))
            })
        })
    }

    /// Whether the client waits for leave to send its body.
    fn owes_continue(&self) -> bool {
        self.scratch.request.expect_continue && !self.continued && self.transfer.upload_bytes == 0
    }

    /// Reads until there is a final head; passes interim ones on.
    fn poll_response(
        &mut self,
        context: &mut Context<'_>,
        connection: &Connection,
    ) -> Poll<Result<(), Unanswered>> {
        let request = RequestContext {
            method: self.scratch.request.method,
            upgrade: forward::passes_upgrade(&self.scratch.request, self.head_bytes()),
        };
        loop {
            let scratch = &mut *self.scratch;
            match connection.stream.poll_read(context, scratch.answer.space()) {
                Poll::Ready(Ok(count)) if count > 0 => scratch.answer.filled_by(count),
                Poll::Ready(result) => return Poll::Ready(Err(self.closed(result))),
                Poll::Pending => return Poll::Pending,
            }
            self.transfer.moved = true;
            if let Some(result) = self.parse(request) {
                return Poll::Ready(result);
            }
            if let Poll::Ready(Err(_)) =
                self.transfer.poll_flush(context, self.scratch, self.client.stream())
            {
                return Poll::Ready(Err(Unanswered::Final(Problem::ClientGone)));
            }
        }
    }

    /// Parses what was read; `None` if more is needed.
    fn parse(&mut self, request: RequestContext) -> Option<Result<(), Unanswered>> {
        let limits = &self.routing.limits;
        loop {
            let scratch = &mut *self.scratch;
            let answer = scratch.answer.filled();
            match parse_response(answer, request, limits, &mut scratch.response) {
                Ok(Parsed::Complete) if !scratch.response.is_interim() => return Some(Ok(())),
                Ok(Parsed::Complete) => {
                    self.interim += 1;
                    if self.interim > INTERIM_RESPONSES {
                        return Some(Err(self.invalid("too many interim responses")));
                    }
                    // HTTP/1.0 knows none (RFC 9110 §15.2); one 100 is enough.
                    let again = scratch.response.status == 100 && self.continued;
                    self.continued |= scratch.response.status == 100;
                    if scratch.request.version >= Version::Http11 && !again {
                        let head = &scratch.response;
                        let written = forward::write_interim(&mut scratch.to_client, answer, head);
                        debug_assert_eq!(written, Ok(()));
                    }
                    scratch.answer.consume(scratch.response.head_length);
                    if scratch.answer.is_empty() {
                        scratch.answer.rewind(0);
                        return None;
                    }
                }
                Ok(Parsed::Partial) => {
                    if scratch.answer.space().is_empty() {
                        scratch.answer.compact();
                        let room = scratch.answer.capacity() * 2;
                        // A head that fills the largest buffer is refused by the parser.
                        scratch.answer.reserve(room.min(limits.head_bytes + 1));
                    }
                    return None;
                }
                Err(reject) => return Some(Err(self.invalid(&reject.to_string()))),
            }
        }
    }

    fn invalid(&self, why: &str) -> Unanswered {
        let detail = format!("{} sent an invalid response: {why}", self.server_name());
        let sentence = "The server sent a response that is not valid HTTP.";
        Unanswered::Server(Failure::InvalidHeader, Refusal::bad_gateway(sentence, detail))
    }

    /// The connection ended before there was a head.
    fn closed(&self, result: io::Result<usize>) -> Unanswered {
        let name = self.server_name();
        if !self.scratch.answer.is_empty() {
            return self.invalid("the connection closed in the middle of the head");
        }
        let detail = match result {
            Ok(_) => format!("{name} closed the connection without a response"),
            Err(error) => format!("the connection to {name} broke: {error}"),
        };
        let sentence = "The server closed the connection without an answer.";
        Unanswered::Server(Failure::Closed, Refusal::bad_gateway(sentence, detail))
    }

    /// What a fault of the upload that is the client's ends in.
    pub(super) fn of_client(&self, problem: UploadProblem) -> Problem {
        match problem {
            UploadProblem::Rejected(reject) => Problem::Final(Refusal::rejected(reject)),
            UploadProblem::TooLarge => {
                Problem::Final(Refusal::body_too_large(self.transfer.upload_limit))
            }
            UploadProblem::ClientGone | UploadProblem::Server => Problem::ClientGone,
        }
    }

    pub(super) fn server_name(&self) -> &str {
        self.current.as_ref().map_or("the server", |(_, upstream)| &upstream.server.name)
    }

    pub(super) fn is_overdue(&self, context: &Context<'_>) -> bool {
        self.total.as_ref().is_some_and(|deadline| deadline.poll(context).is_ready())
    }
}

fn overdue() -> Refusal {
    let sentence = "The request could not be answered in the time that it has.";
    Refusal::gateway_timeout(sentence, "the time for the whole request is over".to_owned())
}

/// Whether an error is a lack of our own, which another server would not help.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EADDRNOTAVAIL)
    )
}
