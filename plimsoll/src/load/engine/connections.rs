//! The connections of a user: made when they are needed, kept for the next request.
//!
//! A kept connection that has ended meanwhile is replaced before anything is sent on it. One that
//! ends after that has failed its request, which is not sent again: how often that happens is part
//! of what a load test finds out.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::recorder::Instance;
use super::worker::Worker;
use crate::config::bench::model::ServedBy;
use crate::load::client::dial::Purpose;
use crate::load::client::http1::{Answer, Connection, Terms};
use crate::load::client::message::Message;
use crate::load::client::{Origin, Outgoing, Trouble, Wanted};
use crate::load::tally::Failure;
use crate::net::Deadline;

/// Most origins that a user keeps a connection to; the oldest goes first.
const KEPT_MAX: usize = 16;

/// A request to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) outgoing: &'a Outgoing,
    /// The same as bytes.
    pub(super) message: &'a Message,
    pub(super) wanted: Wanted,
    pub(super) timeout: Duration,
}

/// A request that was answered.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) instance: Option<Instance>,
}

/// A request that was not.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    /// `None` if there was no connection to send it on.
    pub(super) sent: Option<Instant>,
    pub(super) ended: Instant,
}

/// The connections of one user.
#[derive(Debug)]
pub(super) struct Connections {
    kept: Vec<(Rc<Origin>, Connection)>,
    deadline: Deadline,
}

impl Connections {
    /// None yet.
    pub(super) fn new(worker: &Worker) -> Self {
        Self { kept: Vec::new(), deadline: worker.deadlines.add() }
    }

    /// Sends a request and awaits the answer. `now` is about now.
    pub(super) async fn request(
        &mut self,
        worker: &Worker,
        sending: Sending<'_>,
        now: Instant,
    ) -> Result<Done, Failed> {
        let mut sent = now;
        let origin = &sending.outgoing.origin;
        let mut connection = match self.take(origin) {
            Some(connection) => connection,
            None => {
                let connection = connect(worker, origin).await;
                sent = Instant::now();
                connection.map_err(|trouble| Failed { trouble, sent: None, ended: sent })?
            }
        };
        self.deadline.set(sent, sending.timeout);
        let mut instance = None;
        let mut look = |head: &http1::ResponseHead, bytes: &[u8]| {
            instance = named(worker, head, bytes);
        };
        let by_header = matches!(worker.common.plan.served_by, Some(ServedBy::Header(_)));
        let terms = Terms {
            wanted: sending.wanted,
            look: by_header.then_some(&mut look),
            deadline: &self.deadline,
            scratch: &worker.scratch,
            sent,
        };
        match connection.exchange(sending.message, terms).await {
            Ok(answer) => {
                if answer.reusable && worker.common.plan.http.keep_alive {
                    self.keep(origin, connection);
                }
                Ok(Done { answer, instance })
            }
            Err(trouble) => Err(Failed { trouble, sent: Some(sent), ended: Instant::now() }),
        }
    }

    fn take(&mut self, origin: &Rc<Origin>) -> Option<Connection> {
        let is_it =
            |kept: &(Rc<Origin>, Connection)| Rc::ptr_eq(&kept.0, origin) || *kept.0 == **origin;
        let place = self.kept.iter().position(is_it)?;
        Some(self.kept.swap_remove(place).1).filter(Connection::is_quiet)
    }

    fn keep(&mut self, origin: &Rc<Origin>, connection: Connection) {
        if self.kept.len() == KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((Rc::clone(origin), connection));
    }
}

/// The instance that an answer's header names.
fn named(worker: &Worker, head: &http1::ResponseHead, bytes: &[u8]) -> Option<Instance> {
    let Some(ServedBy::Header(name)) = &worker.common.plan.served_by else { return None };
    let header = head.headers.find_text(bytes, name.as_bytes())?;
    Some(worker.recorder.borrow_mut().instance(header.value().of(bytes)))
}

/// A new connection, counted.
async fn connect(worker: &Worker, origin: &Origin) -> Result<Connection, Trouble> {
    let limit = worker.common.plan.http.connect_timeout;
    let attempt = worker.dialer.connect(origin, Purpose::Requests);
    let outcome = match tokio::time::timeout(limit, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble {
            failure: Failure::ConnectTimeout,
            detail: format!("no connection to {} within {limit:?}", origin.authority),
            before_sending: true,
        }),
    };
    let mut recorder = worker.recorder.borrow_mut();
    match outcome {
        Ok(dialled) => {
            recorder.connected(dialled.connect_time, dialled.tls_time);
            Ok(Connection::new(dialled.transport))
        }
        Err(trouble) => {
            recorder.not_connected(&trouble);
            Err(trouble)
        }
    }
}
