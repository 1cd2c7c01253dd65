//! The connections of a user: made when they are needed, kept for the next request.
//!
//! A kept connection that has ended meanwhile is replaced before anything is sent on it. One that
//! ends after that has failed its request, which is not sent again: how often that happens is part
//! of what a load test finds out. Only what a server of HTTP/2 said it did not look at is sent once
//! more, because that is how it asks for another connection.
//!
//! Left out: connections of HTTP/2 themselves, which users share (see `multiplex`).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::multiplex::{Carried, Seat};
use super::recorder::Instance;
use super::worker::Worker;
use crate::config::bench::model::{HttpVersion, Message as Exchange, ServedBy};
use crate::load::client::dial::{Dialled, Purpose};
use crate::load::client::http1::{Connection, Terms};
use crate::load::client::ledger::Ledger;
use crate::load::client::message::Message;
use crate::load::client::websocket::{self, Payload};
use crate::load::client::{Origin, Outgoing, Reply, Scheme, Traffic, Trouble, Wanted};
use crate::load::script::OutgoingMessage;
use crate::load::tally::Failure;
use crate::net::Deadline;

/// Most origins that a user keeps a connection to, of each kind; the oldest goes first.
const KEPT_MAX: usize = 16;

/// A request to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) outgoing: &'a Outgoing,
    /// The same as bytes.
    pub(super) message: &'a Message,
    pub(super) wanted: Wanted,
    /// Whether header fields are wanted for no more than the name of the instance.
    pub(super) glances: bool,
    pub(super) timeout: Duration,
}

/// A request that was answered.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) reply: Reply,
    /// If it was looked for.
    pub(super) instance: Option<Instance>,
}

/// A request that was not.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    /// `None` if there was no connection to send it on.
    pub(super) sent: Option<Instant>,
    pub(super) ended: Instant,
    /// What the server answered instead of what was asked for.
    pub(super) status: Option<u16>,
    /// What went over the connection all the same.
    pub(super) carried: Traffic,
}

impl Failed {
    pub(super) fn unsent(trouble: Trouble) -> Self {
        let carried = Traffic::default();
        Self { trouble, sent: None, ended: Instant::now(), status: None, carried }
    }

    fn sent(trouble: Trouble, sent: Instant, carried: Traffic) -> Self {
        Self { trouble, sent: Some(sent), ended: Instant::now(), status: None, carried }
    }
}

/// The connections of one user.
#[derive(Debug)]
pub(super) struct Connections {
    kept: Vec<(Rc<Origin>, Connection)>,
    seats: Vec<Seat>,
    websockets: Vec<(Rc<Origin>, String, websocket::Connection)>,
    deadline: Deadline,
}

impl Connections {
    /// None yet.
    pub(super) fn new(worker: &Worker) -> Self {
        Self {
            kept: Vec::new(),
            seats: Vec::new(),
            websockets: Vec::new(),
            deadline: worker.deadlines.add(),
        }
    }

    /// Sends a request and awaits the answer. `now` is about now.
    pub(super) async fn request(
        &mut self,
        worker: &Rc<Worker>,
        sending: Sending<'_>,
        now: Instant,
    ) -> Result<Done, Failed> {
        let origin = &sending.outgoing.origin;
        if let Some(connection) = self.take(origin) {
            return self.over_http1(worker, connection, sending, now).await;
        }
        let settings = &worker.common.plan.http;
        let may_be_http2 = match settings.version {
            HttpVersion::Http2 => true,
            HttpVersion::Auto => origin.scheme == Scheme::Https,
            HttpVersion::Http1 => false,
        };
        // Each connection is asked: behind one address may be servers that agree on different ones.
        let dialled = if may_be_http2 {
            let place = match self.seats.iter().position(|seat| seat.is_at(origin)) {
                Some(place) => place,
                None => {
                    if self.seats.len() == KEPT_MAX {
                        self.seats.remove(0);
                    }
                    self.seats.push(worker.multiplex.seat(origin, settings.streams));
                    self.seats.len() - 1
                }
            };
            // Boxed: most users never do this, and each has room for it otherwise.
            let attempt = Box::pin(over_http2(worker, &self.seats[place], &self.deadline, sending));
            match attempt.await? {
                Ok(done) => return Ok(done),
                Err(dialled) => dialled,
            }
        } else {
            connect(worker, origin, Purpose::Requests).await.map_err(Failed::unsent)?
        };
        let connection = Connection::new(dialled.transport);
        self.over_http1(worker, connection, sending, Instant::now()).await
    }

    async fn over_http1(
        &mut self,
        worker: &Worker,
        mut connection: Connection,
        sending: Sending<'_>,
        sent: Instant,
    ) -> Result<Done, Failed> {
        self.deadline.set(sent, sending.timeout);
        let mut instance = None;
        let mut look = |head: &http1::ResponseHead, bytes: &[u8]| {
            instance = named(worker, head, bytes);
        };
        let mut wanted = sending.wanted;
        if sending.glances {
            wanted.headers = false;
        }
        let terms = Terms {
            wanted,
            look: (sending.glances && sending.wanted.headers).then_some(&mut look),
            authority: &sending.outgoing.origin.authority,
            deadline: &self.deadline,
            scratch: &worker.scratch,
            sent,
        };
        let outcome = connection.exchange(sending.message, terms).await;
        let answer = outcome.map_err(|trouble| Failed::sent(trouble, sent, connection.lost()))?;
        if answer.reusable {
            self.keep(&sending.outgoing.origin, connection);
        }
        Ok(Done { reply: answer.into(), instance })
    }

    fn take(&mut self, origin: &Rc<Origin>) -> Option<Connection> {
        let place = self.kept.iter().position(|kept| is_same(&kept.0, origin))?;
        Some(self.kept.remove(place).1).filter(Connection::is_quiet)
    }

    fn keep(&mut self, origin: &Rc<Origin>, connection: Connection) {
        if self.kept.len() == KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((Rc::clone(origin), connection));
    }

    /// Sends a message and awaits its replies, on a connection that is opened if there is none.
    pub(super) async fn message(
        &mut self,
        worker: &Worker,
        message: &Exchange,
        outgoing: &OutgoingMessage,
    ) -> Result<Reply, Failed> {
        let timeout = message.timeout.unwrap_or(worker.common.plan.http.timeout);
        let target = |one: &(Rc<Origin>, String, _)| {
            is_same(&one.0, &outgoing.origin) && one.1 == outgoing.target
        };
        let mut connection = match self.websockets.iter().position(target) {
            Some(place) => self.websockets.remove(place).2,
            None => open_websocket(worker, outgoing, &self.deadline, timeout).await?,
        };
        let sent = Instant::now();
        self.deadline.set(sent, timeout);
        let payload = outgoing.payload.clone();
        let payload = payload.map(|bytes| Payload { bytes, is_binary: message.binary });
        let until = message.until.as_ref().map(|pattern| &pattern.0);
        let exchange = connection.exchange(payload, message.replies, until);
        let reply = within(&self.deadline, exchange, "no reply came in time")
            .await
            .map_err(|trouble| Failed::sent(trouble, sent, connection.lost()))?;
        if self.websockets.len() == KEPT_MAX {
            self.websockets.remove(0);
        }
        let origin = Rc::clone(&outgoing.origin);
        self.websockets.push((origin, outgoing.target.clone(), connection));
        Ok(reply)
    }

    /// Takes what servers send to a user that waits for something else: whoever does not answer their
    /// pings is thought to be gone. The calling task is woken when more comes.
    pub(super) fn attend(&mut self, context: &mut Context<'_>) {
        for (_, _, connection) in &mut self.websockets {
            connection.attend(context);
        }
    }

    /// Closes what belongs to one iteration only.
    pub(super) fn end_conversations(&mut self) {
        self.websockets.clear();
    }
}

fn is_same(one: &Rc<Origin>, other: &Rc<Origin>) -> bool {
    Rc::ptr_eq(one, other) || one == other
}

/// Over HTTP/2 if the server speaks it. Otherwise the inner error: a new connection, of HTTP/1.1.
async fn over_http2(
    worker: &Rc<Worker>,
    seat: &Seat,
    deadline: &Deadline,
    sending: Sending<'_>,
) -> Result<Result<Done, Dialled>, Failed> {
    let mut is_repeated = false;
    loop {
        let connection = match seat.connection(worker).await.map_err(Failed::unsent)? {
            Carried::Http2(connection) => connection,
            Carried::Http1(dialled) => return Ok(Err(dialled)),
        };
        let sent = Instant::now();
        deadline.set(sent, sending.timeout);
        let exchange = connection.exchange(sending.outgoing, sending.wanted);
        match within(deadline, exchange, "no whole answer came in time").await {
            Ok(reply) => {
                let instance = match &worker.common.plan.served_by {
                    Some(ServedBy::Header(name)) if sending.glances => {
                        let mut headers = reply.headers.iter();
                        let header = headers.find(|header| header.0.eq_ignore_ascii_case(name));
                        let value = header.map(|header| header.1.as_bytes());
                        let value = value.filter(|value| !value.is_empty());
                        value.map(|value| worker.recorder.borrow_mut().instance(value))
                    }
                    _ => None,
                };
                return Ok(Ok(Done { reply, instance }));
            }
            Err(trouble) if trouble.before_sending && !is_repeated && !connection.is_usable() => {
                is_repeated = true;
            }
            Err(trouble) => return Err(Failed::sent(trouble, sent, connection.lost())),
        }
    }
}

/// A new WebSocket, counted.
async fn open_websocket(
    worker: &Worker,
    outgoing: &OutgoingMessage,
    deadline: &Deadline,
    timeout: Duration,
) -> Result<websocket::Connection, Failed> {
    let dialled =
        connect(worker, &outgoing.origin, Purpose::Messages).await.map_err(Failed::unsent)?;
    let sent = Instant::now();
    deadline.set(sent, timeout);
    let (origin, target, headers) = (&outgoing.origin, &outgoing.target, &outgoing.headers);
    let ledger = Rc::new(Ledger::default());
    let (transport, metered) = (dialled.transport, Rc::clone(&ledger));
    let mut opening =
        pin!(websocket::Connection::open(transport, metered, origin, target, headers));
    let opened = poll_fn(|context| match opening.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => deadline.poll(context).map(|()| None),
    });
    match opened.await {
        Some(Ok(connection)) => Ok(connection),
        Some(Err(refusal)) => {
            let failed = Failed::sent(refusal.trouble, sent, ledger.overhead());
            Err(Failed { status: refusal.status, ..failed })
        }
        None => {
            let trouble = late("the WebSocket was not opened in time");
            Err(Failed::sent(trouble, sent, ledger.overhead()))
        }
    }
}

/// An exchange that is given up when the deadline fires.
async fn within(
    deadline: &Deadline,
    exchange: impl Future<Output = Result<Reply, Trouble>>,
    late_words: &str,
) -> Result<Reply, Trouble> {
    let mut exchange = pin!(exchange);
    poll_fn(|context| match exchange.as_mut().poll(context) {
        Poll::Pending if deadline.poll(context).is_ready() => Poll::Ready(Err(late(late_words))),
        outcome => outcome,
    })
    .await
}

fn late(words: &str) -> Trouble {
    Trouble { failure: Failure::Timeout, detail: words.to_owned(), before_sending: false }
}

/// The instance that an answer's header names.
fn named(worker: &Worker, head: &http1::ResponseHead, bytes: &[u8]) -> Option<Instance> {
    let Some(ServedBy::Header(name)) = &worker.common.plan.served_by else { return None };
    let value = head.headers.find_text(bytes, name.as_bytes())?.value().of(bytes);
    (!value.is_empty()).then(|| worker.recorder.borrow_mut().instance(value))
}

/// A new connection, counted.
pub(super) async fn connect(
    worker: &Worker,
    origin: &Origin,
    purpose: Purpose,
) -> Result<Dialled, Trouble> {
    let limit = worker.common.plan.http.connect_timeout;
    let attempt = worker.dialer.connect(origin, purpose);
    let outcome = match tokio::time::timeout(limit, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble {
            failure: Failure::ConnectTimeout,
            detail: format!(
                "no connection to {} within {} s",
                origin.authority,
                limit.as_secs_f64()
            ),
            before_sending: true,
        }),
    };
    let mut recorder = worker.recorder.borrow_mut();
    match &outcome {
        Ok(dialled) => recorder.connected(dialled.connect_time, dialled.tls_time),
        Err(_) => recorder.not_connected(),
    }
    outcome
}
