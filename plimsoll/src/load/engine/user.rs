//! A user: does one iteration after the other and has what it measures counted.
//!
//! Invariant: only the first request of an iteration is measured from its intended time; every
//! request that was begun is counted once, unless the run was broken off before its end.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::connections::{Connections, Done, Failed, Sending};
use super::constant::Constant;
use super::worker::{Busy, Worker};
use crate::load::client::Timings;
use crate::load::tally::{Failure, Sample};
use crate::net;

/// How long a user of the closed model that cannot connect waits before it tries again: a server
/// that is down would otherwise be asked a hundred thousand times a second.
const NOT_CONNECTED_PAUSE: Duration = Duration::from_millis(10);

/// When an iteration begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// It should have begun then.
    Intended(Instant),
    /// It begins now, whenever that is.
    At(Instant),
}

/// One user.
#[derive(Debug)]
pub(super) struct User {
    worker: Rc<Worker>,
    connections: Connections,
    constant: Option<Rc<Constant>>,
}

impl User {
    /// The user of a group with this number, from 0.
    pub(super) fn new(worker: &Rc<Worker>, group: usize, _number: u64) -> Self {
        Self {
            worker: Rc::clone(worker),
            connections: Connections::new(worker),
            constant: worker.constants[group].clone(),
        }
    }

    /// Does an iteration. When it ended, and whether the user does another.
    pub(super) async fn iterate(&mut self, begin: Begin, busy: Busy) -> (Instant, bool) {
        let Some(constant) = self.constant.clone() else { return (Instant::now(), false) };
        let (now, intended) = match begin {
            Begin::At(now) => (now, None),
            Begin::Intended(intended) => (Instant::now(), Some(intended)),
        };
        let sending = Sending {
            outgoing: &constant.outgoing,
            message: &constant.message,
            wanted: constant.wanted,
            timeout: constant.timeout,
        };
        let outcome = self.connections.request(&self.worker, sending, now).await;
        let ended = match outcome {
            Ok(done) => self.answered(&constant, &done, intended),
            Err(failed) => self.failed(constant.label, &failed, intended).await,
        };
        drop(busy);
        (ended, true)
    }

    fn answered(&self, constant: &Constant, done: &Done, intended: Option<Instant>) -> Instant {
        let answer = &done.answer;
        let Timings { sent, first_byte, done: ended } = answer.timings;
        let failure = (answer.status >= 400).then_some(Failure::Status);
        let sample = Sample {
            response_time: ended - intended.unwrap_or(sent),
            service_time: ended - sent,
            first_byte: Some(first_byte - sent),
            status: Some(answer.status),
            failure,
            bytes_sent: answer.bytes_sent,
            bytes_received: answer.bytes_received,
        };
        self.worker.record(ended, |recorder| {
            recorder.request(constant.label, &sample, done.instance, ended);
            if failure.is_some() {
                recorder.example(Failure::Status, || {
                    format!(
                        "{} {}: status {}",
                        constant.outgoing.method, constant.outgoing.target, answer.status
                    )
                });
            }
        });
        ended
    }

    async fn failed(&self, label: usize, failed: &Failed, intended: Option<Instant>) -> Instant {
        let ended = failed.ended;
        let sent = failed.sent.unwrap_or(ended);
        let sample = Sample {
            response_time: ended - intended.unwrap_or(sent),
            service_time: ended - sent,
            first_byte: None,
            status: None,
            failure: Some(failed.trouble.failure),
            bytes_sent: 0,
            bytes_received: 0,
        };
        self.worker.record(ended, |recorder| {
            recorder.request(label, &sample, None, ended);
            recorder.example(failed.trouble.failure, || failed.trouble.detail.clone());
        });
        if failed.sent.is_none() && intended.is_none() {
            net::sleep_until(ended + NOT_CONNECTED_PAUSE).await;
            return Instant::now();
        }
        ended
    }
}
