//! A user: does one iteration after the other and has what it measures counted.
//!
//! A user whose group only sends one constant request goes without a script; for others the script
//! says what to do, and this does it.
//!
//! Invariant: only the first request of an iteration is measured from its intended time; every
//! request that was begun is counted once, unless the run was broken off before its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use super::connections::{Connections, Done, Failed, Sending};
use super::constant::{Constant, Sole};
use super::recorder::Instance;
use super::worker::{Busy, Worker};
use crate::config::bench::model::{Message as MessageStep, OnError, Request};
use crate::load::client::message::Message;
use crate::load::client::{Outgoing, Reply, Timings, Wanted};
use crate::load::script::{self, Action};
use crate::load::tally::{Failure, Sample};
use crate::net;

/// How long a user of the closed model waits after a request that could not be sent (no connection,
/// or the plan gave none): a server that is down would otherwise be asked a hundred thousand times a
/// second.
const UNSENT_PAUSE: Duration = Duration::from_millis(10);
/// The first status that is a failure where nothing is checked.
const STATUS_FAILED_FROM: u16 = 400;

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
    group: usize,
    connections: Connections,
    sole: Option<Rc<Sole>>,
    script: script::User,
    /// Kept for its memory.
    message: Message,
    transactions: Vec<Transaction>,
    /// Whether what belongs to an iteration ends with it.
    is_fresh: bool,
}

/// A transaction that is going on.
#[derive(Debug)]
struct Transaction {
    began: Instant,
    paused: Duration,
    failure: Option<Failure>,
}

/// What an iteration knows of its time.
#[derive(Debug)]
struct Course {
    now: Instant,
    /// When its first request should have been sent, until it is.
    intended: Option<Instant>,
    busy: Option<Busy>,
}

/// A request, rendered once for all or for this time.
enum Rendered {
    Constant(Rc<Constant>),
    Fresh(Outgoing),
}

impl User {
    /// The user of a group with this number, from 0.
    pub(super) fn new(worker: &Rc<Worker>, group: usize, number: u64) -> Self {
        let shared = &worker.common.shared;
        Self {
            worker: Rc::clone(worker),
            group,
            connections: Connections::new(worker),
            sole: worker.soles[group].clone(),
            script: script::User::new(shared, group, number + 1),
            message: Message::default(),
            transactions: Vec::new(),
            is_fresh: shared.plan().groups[group].fresh_users,
        }
    }

    /// Does an iteration. When it ended, and whether the user does another.
    pub(super) async fn iterate(&mut self, begin: Begin, busy: Busy) -> (Instant, bool) {
        let (now, intended) = match begin {
            Begin::At(now) => (now, None),
            Begin::Intended(intended) => (Instant::now(), Some(intended)),
        };
        if let Some(sole) = self.sole.clone() {
            return self.send_sole(&sole, now, intended, busy).await;
        }
        let course = Course { now, intended, busy: Some(busy) };
        // Boxed: users of constant requests need no room for it.
        let outcome = Box::pin(self.follow_script(course)).await;
        self.transactions.clear();
        if self.is_fresh {
            self.connections.end_conversations();
        }
        outcome
    }

    async fn send_sole(
        &mut self,
        sole: &Sole,
        now: Instant,
        intended: Option<Instant>,
        busy: Busy,
    ) -> (Instant, bool) {
        let sending = Sending {
            outgoing: &sole.constant.outgoing,
            message: &sole.constant.message,
            wanted: sole.wanted,
            glances: sole.glances,
            timeout: sole.timeout,
        };
        let outcome = self.connections.request(&self.worker, sending, now).await;
        drop(busy);
        let (ended, failed) = match outcome {
            Ok(done) => {
                let failure = (done.reply.status >= STATUS_FAILED_FROM).then_some(Failure::Status);
                let ended =
                    self.count_reply(sole.label, &done.reply, intended, failure, done.instance);
                if failure.is_some() {
                    let outgoing = &sole.constant.outgoing;
                    self.worker.recorder.borrow_mut().example(Failure::Status, || {
                        format!(
                            "{} {}{} answered {}",
                            outgoing.method,
                            outgoing.origin.authority,
                            outgoing.target,
                            done.reply.status
                        )
                    });
                }
                (ended, failure.is_some())
            }
            Err(failed) => {
                self.count_failed(sole.label, &failed, intended);
                (self.pause_after(&failed, intended).await, true)
            }
        };
        if !failed {
            return (ended, true);
        }
        match self.worker.common.plan.groups[self.group].on_error {
            OnError::Continue | OnError::NextIteration => (ended, true),
            OnError::StopUser => (ended, false),
            OnError::StopRun => {
                self.worker.common.stopped.send_replace(true);
                (ended, false)
            }
        }
    }

    async fn follow_script(&mut self, mut course: Course) -> (Instant, bool) {
        let worker = Rc::clone(&self.worker);
        let shared = Arc::clone(&worker.common.shared);
        self.script.begin_iteration(&shared, worker.elapsed(course.now));
        let mut is_first = true;
        let mut has_waited = false;
        loop {
            // What was begun before the end has its first request all the same.
            if worker.ending.get() && !(is_first && course.intended.is_some()) {
                return (course.now, false);
            }
            match self.script.next(&shared, worker.elapsed(course.now)) {
                Action::Request(request) => {
                    self.request(request, &mut course).await;
                    is_first = false;
                }
                Action::Message(message) => {
                    self.message(message, &mut course).await;
                    is_first = false;
                }
                Action::Pause(pause) => {
                    self.pause(pause, &mut course).await;
                    has_waited = true;
                }
                Action::TransactionBegins => self.transactions.push(Transaction {
                    began: course.now,
                    paused: Duration::ZERO,
                    failure: None,
                }),
                Action::TransactionEnds { label, succeeded, with_pauses } => {
                    self.end_transaction(label, succeeded, with_pauses, course.now);
                }
                Action::IterationEnds => {
                    if is_first && !has_waited {
                        // Steps that all were passed over: others must have their turn, too, or
                        // nobody could end the run.
                        net::yield_now().await;
                        course.now = Instant::now();
                    }
                    return (course.now, true);
                }
                Action::Leave => return (course.now, false),
                Action::StopRun => {
                    worker.common.stopped.send_replace(true);
                    return (course.now, false);
                }
            }
        }
    }

    /// Waits without being waited for.
    async fn pause(&mut self, pause: Duration, course: &mut Course) {
        course.busy = None;
        let begun = Instant::now();
        let mut over = pin!(async {
            match begun.checked_add(pause) {
                Some(end) => net::sleep_until(end).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|context| {
            self.attend(context);
            over.as_mut().poll(context)
        })
        .await;
        course.now = Instant::now();
        course.busy = Some(self.worker.busy());
        for transaction in &mut self.transactions {
            transaction.paused += course.now - begun;
        }
        // A pause before the first request is meant to be there: it is no delay of the request.
        if let Some(intended) = &mut course.intended {
            *intended += pause;
        }
    }

    /// Takes what comes while the user waits for something else.
    pub(super) fn attend(&mut self, context: &mut Context<'_>) {
        self.connections.attend(context);
    }

    fn end_transaction(&mut self, label: usize, succeeded: bool, with_pauses: bool, now: Instant) {
        let Some(transaction) = self.transactions.pop() else { return };
        let mut took = now.saturating_duration_since(transaction.began);
        if !with_pauses {
            took = took.saturating_sub(transaction.paused);
        }
        let failure = (!succeeded).then(|| transaction.failure.unwrap_or(Failure::Check));
        if let (Some(outer), Some(_)) = (self.transactions.last_mut(), failure) {
            outer.failure = outer.failure.or(failure);
        }
        self.worker.record(now, |recorder| recorder.transaction(label, took, failure));
    }

    /// Sends a request, and those that its answers redirect to.
    async fn request(&mut self, request: &Request, course: &mut Course) {
        let worker = Rc::clone(&self.worker);
        let shared = &worker.common.shared;
        let mut rendered = match self.render(request) {
            Ok(rendered) => rendered,
            Err(why) => return self.count_unrendered(request.label, why, course).await,
        };
        let wanted = script::wanted(request, shared, self.group);
        let timeout = request.timeout.unwrap_or(shared.plan().http.timeout);
        let mut hops = 0;
        loop {
            let outcome = self.send(&rendered, wanted, timeout).await;
            let intended = course.intended.take();
            let outgoing = rendered.outgoing();
            let reply = match outcome {
                Ok(done) => done.reply,
                Err(failed) => {
                    self.script.failed();
                    self.fail(request.label, &failed, intended);
                    course.now = self.pause_after(&failed, intended).await;
                    return;
                }
            };
            let next = script::redirect(request, &mut self.script, shared, outgoing, &reply, hops);
            if let Some(next) = next {
                let name = script::instance(shared.plan(), outgoing, &reply);
                let instance = self.instance(name.as_deref());
                course.now = self.count_reply(request.label, &reply, intended, None, instance);
                rendered = Rendered::Fresh(next);
                if let Err(why) = self.prepare(&rendered) {
                    self.script.failed();
                    return self.count_unrendered(request.label, why, course).await;
                }
                hops += 1;
                continue;
            }
            let verdict = script::judge(request, &mut self.script, shared, outgoing, &reply);
            let checks = request.checks.iter().map(|check| check.name.as_str());
            course.now = self.count_verdict(request.label, &reply, intended, verdict, checks);
            return;
        }
    }

    async fn message(&mut self, message: &MessageStep, course: &mut Course) {
        let worker = Rc::clone(&self.worker);
        let shared = &worker.common.shared;
        let outgoing = match script::message(message, &mut self.script, shared) {
            Ok(outgoing) => outgoing,
            Err(why) => return self.count_unrendered(message.label, why, course).await,
        };
        let outcome = self.connections.message(&worker, message, &outgoing).await;
        let intended = course.intended.take();
        match outcome {
            Ok(reply) => {
                let verdict =
                    script::judge_message(message, &mut self.script, shared, &outgoing, &reply);
                let checks = message.checks.iter().map(|check| check.name.as_str());
                course.now = self.count_verdict(message.label, &reply, intended, verdict, checks);
            }
            Err(failed) => {
                self.script.failed();
                self.fail(message.label, &failed, intended);
                course.now = self.pause_after(&failed, intended).await;
            }
        }
    }

    fn render(&mut self, request: &Request) -> Result<Rendered, String> {
        let shared = &self.worker.common.shared;
        if let Some(constant) = self.worker.constant(request, self.group) {
            return Ok(Rendered::Constant(constant));
        }
        let rendered = Rendered::Fresh(script::render(request, &mut self.script, shared)?);
        self.prepare(&rendered).inspect_err(|_| self.script.failed())?;
        Ok(rendered)
    }

    /// Makes the bytes of a request that is not constant.
    fn prepare(&mut self, rendered: &Rendered) -> Result<(), String> {
        match rendered {
            Rendered::Constant(_) => Ok(()),
            Rendered::Fresh(outgoing) => {
                let keep_alive = self.worker.common.plan.http.keep_alive;
                self.message.render(outgoing, keep_alive).map_err(|why| why.to_string())
            }
        }
    }

    async fn send(
        &mut self,
        rendered: &Rendered,
        wanted: Wanted,
        timeout: Duration,
    ) -> Result<Done, Failed> {
        let message = match rendered {
            Rendered::Constant(constant) => &constant.message,
            Rendered::Fresh(_) => &self.message,
        };
        let outgoing = rendered.outgoing();
        let sending = Sending { outgoing, message, wanted, glances: false, timeout };
        // Judging the last answer and rendering this request took time that is not the server's.
        self.connections.request(&self.worker, sending, Instant::now()).await
    }

    /// Counts an answer; when it was whole.
    fn count_reply(
        &self,
        label: usize,
        reply: &Reply,
        intended: Option<Instant>,
        failure: Option<Failure>,
        instance: Option<Instance>,
    ) -> Instant {
        let Timings { sent, first_byte, done } = reply.timings;
        let sample = Sample {
            response_time: done.saturating_duration_since(intended.unwrap_or(sent)),
            service_time: done.saturating_duration_since(sent),
            first_byte: Some(first_byte.saturating_duration_since(sent)),
            status: Some(reply.status),
            failure,
            bytes_sent: reply.bytes_sent,
            bytes_received: reply.bytes_received,
        };
        self.worker.record(done, |recorder| recorder.request(label, &sample, instance, done));
        done
    }

    fn count_verdict<'c>(
        &mut self,
        label: usize,
        reply: &Reply,
        intended: Option<Instant>,
        verdict: script::Verdict,
        checks: impl Iterator<Item = &'c str>,
    ) -> Instant {
        let instance = self.instance(verdict.instance.as_deref());
        let failure = verdict.failure.as_ref().map(|failure| failure.0);
        let ended = self.count_reply(label, reply, intended, failure, instance);
        let mut recorder = self.worker.recorder.borrow_mut();
        for (name, passed) in checks.zip(verdict.checks) {
            recorder.check(name, passed);
        }
        if let Some((failure, why)) = verdict.failure {
            recorder.example(failure, || why);
        }
        drop(recorder);
        self.note(failure);
        ended
    }

    fn instance(&self, name: Option<&str>) -> Option<Instance> {
        name.map(|name| self.worker.recorder.borrow_mut().instance(name.as_bytes()))
    }

    /// Counts a request that could not even be made.
    async fn count_unrendered(&mut self, label: usize, why: String, course: &mut Course) {
        let failed = Failed::unsent(crate::load::client::Trouble {
            failure: Failure::Plan,
            detail: why,
            before_sending: true,
        });
        let intended = course.intended.take();
        self.fail(label, &failed, intended);
        course.now = self.pause_after(&failed, intended).await;
    }

    fn fail(&mut self, label: usize, failed: &Failed, intended: Option<Instant>) {
        self.count_failed(label, failed, intended);
        self.note(Some(failed.trouble.failure));
    }

    fn count_failed(&self, label: usize, failed: &Failed, intended: Option<Instant>) {
        let ended = failed.ended;
        let sent = failed.sent.unwrap_or(ended);
        let sample = Sample {
            response_time: ended.saturating_duration_since(intended.unwrap_or(sent)),
            service_time: ended.saturating_duration_since(sent),
            first_byte: None,
            status: failed.status,
            failure: Some(failed.trouble.failure),
            bytes_sent: failed.carried.sent,
            bytes_received: failed.carried.received,
        };
        self.worker.record(ended, |recorder| {
            recorder.request(label, &sample, None, ended);
            recorder.example(failed.trouble.failure, || failed.trouble.detail.clone());
        });
    }

    /// Remembers a failure for the transaction that is going on.
    fn note(&mut self, failure: Option<Failure>) {
        if let Some(transaction) = self.transactions.last_mut() {
            transaction.failure = transaction.failure.or(failure);
        }
    }

    /// Waits after a request that could not be sent, where nothing else sets the pace.
    async fn pause_after(&self, failed: &Failed, intended: Option<Instant>) -> Instant {
        let is_unsent = failed.sent.is_none() || failed.trouble.failure == Failure::Plan;
        if !is_unsent || intended.is_some() {
            return failed.ended;
        }
        net::sleep_until(failed.ended + UNSENT_PAUSE).await;
        Instant::now()
    }
}

impl Rendered {
    fn outgoing(&self) -> &Outgoing {
        match self {
            Self::Constant(constant) => &constant.outgoing,
            Self::Fresh(outgoing) => outgoing,
        }
    }
}
