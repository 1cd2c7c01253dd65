//! The sender of one receiver: its queue, and the task that empties it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Client;
use tokio::sync::Notify;
use tokio::time::Instant;
use tsdb::store::Append;

use super::PART;
use super::delivery::{body, deliver};
use super::plan::{BATCH_MAX, Notice, Outcome, Plan, Step};
use super::queue::{Item, Queue, Relabelling};
use crate::config::model::observe::RemoteWrite;
use crate::log;
use crate::observe;

/// A receiver, what waits for it, and how it does.
pub(super) struct Sender {
    name: String,
    /// What times are counted from.
    start: Instant,
    /// Written by `configure`; read by the task. Held for a copy only.
    settings: Mutex<Arc<Settings>>,
    /// Written by the tap and by the task; read by figures. Never held over an await.
    queue: Mutex<Queue>,
    /// Written by the task; read by figures. Held for a copy only.
    tally: Mutex<Tally>,
    /// Written once, by `end`; read by the task.
    end: Mutex<Option<Instant>>,
    /// Wakes the task: there is something new to do.
    news: Notify,
}

/// What is configured.
struct Settings {
    receiver: RemoteWrite,
    /// Made at the first request. Written by the task, after which it stays. If it cannot be made,
    /// each attempt tries, since a missing file may come.
    client: Mutex<Option<Client>>,
}

/// What became of samples so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Samples that were taken.
    pub(super) sent: u64,
    /// Samples that were refused for good.
    pub(super) refused: u64,
    /// Requests that were not answered well.
    pub(super) failures: u64,
    /// Bytes that were taken.
    pub(super) bytes: u64,
    /// When samples were last taken, milliseconds since 1970.
    pub(super) last_success: Option<i64>,
}

/// How a receiver does, now.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) tally: Tally,
    /// Samples that wait.
    pub(super) pending: usize,
    /// How long the oldest of them does.
    pub(super) behind: Duration,
    /// Samples that were given up because the queue was full.
    pub(super) given_up: u64,
    /// Samples that were left out because they were not newer than others.
    pub(super) old: u64,
    /// Samples that the rules left out.
    pub(super) relabelled: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn relabelling(receiver: &RemoteWrite, external: &BTreeMap<String, String>) -> Relabelling {
    Relabelling { external: external.clone(), rules: receiver.relabel.clone() }
}

impl Settings {
    fn new(receiver: &RemoteWrite) -> Arc<Self> {
        Arc::new(Self { receiver: receiver.clone(), client: Mutex::default() })
    }

    fn client(&self) -> Result<Client, String> {
        let mut kept = lock(&self.client);
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let client = crate::outbound::client(&self.receiver.endpoint)?;
        *kept = Some(client.clone());
        Ok(client)
    }
}

impl Sender {
    /// Of a receiver; [`Sender::run`] does the work.
    pub(super) fn new(receiver: &RemoteWrite, external: &BTreeMap<String, String>) -> Self {
        let queue = Queue::new(receiver.queue_samples, relabelling(receiver, external));
        Self {
            name: receiver.name.clone(),
            start: Instant::now(),
            settings: Mutex::new(Settings::new(receiver)),
            queue: Mutex::new(queue),
            tally: Mutex::default(),
            end: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// The receiver's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it sends to that receiver, whatever else is configured.
    pub(super) fn is_of(&self, receiver: &RemoteWrite) -> bool {
        self.name == receiver.name
            && lock(&self.settings).receiver.endpoint.url == receiver.endpoint.url
    }

    /// From now on this holds.
    pub(super) fn configure(&self, receiver: &RemoteWrite, external: &BTreeMap<String, String>) {
        *lock(&self.settings) = Settings::new(receiver);
        lock(&self.queue).configure(receiver.queue_samples, relabelling(receiver, external));
    }

    /// Puts samples into the queue; never waits.
    pub(super) fn offer(&self, samples: &[Append<'_>]) {
        let now = self.start.elapsed();
        let mut queue = lock(&self.queue);
        let before = queue.waiting().map_or(0, |waiting| waiting.samples);
        for sample in samples {
            queue.push(sample.series.labels(), sample.time, sample.value, now);
        }
        let after = queue.waiting().map_or(0, |waiting| waiting.samples);
        drop(queue);
        // In between, the task knows when to look.
        if (before == 0 && after > 0) || (before < BATCH_MAX && after >= BATCH_MAX) {
            self.news.notify_one();
        }
    }

    /// Sends what waits, for at most so long, and ends.
    pub(super) fn end(&self, flush: Duration) {
        lock(&self.end).get_or_insert(Instant::now() + flush);
        self.news.notify_one();
    }

    /// How it does.
    pub(super) fn view(&self) -> View {
        let now = self.start.elapsed();
        let tally = *lock(&self.tally);
        let queue = lock(&self.queue);
        let waiting = queue.waiting();
        View {
            tally,
            pending: waiting.map_or(0, |waiting| waiting.samples),
            behind: waiting.map_or(Duration::ZERO, |waiting| now.saturating_sub(waiting.since)),
            given_up: queue.given_up,
            old: queue.old,
            relabelled: queue.relabelled,
        }
    }

    /// Sends until it is told to end.
    pub(super) async fn run(self: Arc<Self>) {
        let mut plan = Plan::default();
        loop {
            let end = *lock(&self.end);
            let waiting = lock(&self.queue).waiting();
            match plan.step(waiting, end.is_some(), self.start.elapsed()) {
                Step::End => return,
                Step::Idle => self.news.notified().await,
                Step::Collect(until) | Step::Rest(until) => {
                    let until = self.start + until;
                    tokio::select! {
                        () = self.news.notified() => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                Step::Send => {
                    let outcome = self.send(&mut plan).await;
                    let is_ending = lock(&self.end).is_some();
                    if is_ending && matches!(outcome, None | Some(Outcome::Passing { .. })) {
                        return self.leave();
                    }
                }
            }
        }
    }

    /// Makes one request; nothing if the end came before the answer.
    async fn send(&self, plan: &mut Plan) -> Option<Outcome> {
        let settings = Arc::clone(&*lock(&self.settings));
        let items = lock(&self.queue).send(BATCH_MAX);
        let outcome = tokio::select! {
            outcome = attempt(&settings, &items) => Some(outcome),
            () = self.ended() => None,
        };
        lock(&self.queue)
            .sent(matches!(outcome, Some((Outcome::Taken | Outcome::Refused { .. }, _))));
        let (outcome, bytes) = outcome?;
        self.count(&outcome, items.len() as u64, bytes);
        let notice = plan.settled(&outcome, self.start.elapsed(), fastrand::f64());
        if let Some(notice) = notice {
            self.tell(&notice, &settings.receiver);
        }
        Some(outcome)
    }

    /// Until the time for what waits is over.
    async fn ended(&self) {
        loop {
            let end = *lock(&self.end);
            match end {
                Some(end) => return tokio::time::sleep_until(end).await,
                // Whatever else is new shows when the queue is looked at next.
                None => self.news.notified().await,
            }
        }
    }

    fn count(&self, outcome: &Outcome, samples: u64, bytes: u64) {
        let mut tally = lock(&self.tally);
        match outcome {
            Outcome::Taken => {
                tally.sent += samples;
                tally.bytes += bytes;
                tally.last_success = Some(observe::now());
            }
            Outcome::Passing { .. } => tally.failures += 1,
            Outcome::Refused { .. } => {
                tally.failures += 1;
                tally.refused += samples;
            }
        }
    }

    fn tell(&self, notice: &Notice, receiver: &RemoteWrite) {
        let name = &self.name;
        match notice {
            Notice::Away(reason) => log::warn(
                PART,
                format!(
                    "{name} takes no samples: {reason}; up to {} of them wait",
                    receiver.queue_samples
                ),
            ),
            Notice::Refuses { reason, requests } => {
                let before = match requests {
                    1 => String::new(),
                    _ => format!(" ({requests} requests since it was told last)"),
                };
                let text = format!("{name} refuses samples: {reason}; they are lost to it{before}");
                log::error(PART, text);
            }
            Notice::Back(outage) => {
                let given_up = lock(&self.queue).given_up;
                let lost = match given_up {
                    0 => String::new(),
                    _ => format!("; {given_up} were given up since the start"),
                };
                log::info(
                    PART,
                    format!("{name} takes samples again after {} s{lost}", outage.as_secs()),
                );
            }
        }
    }

    /// Says what is left behind.
    fn leave(&self) {
        let left = lock(&self.queue).waiting().map_or(0, |waiting| waiting.samples);
        if left > 0 {
            let name = &self.name;
            log::warn(PART, format!("{left} samples could not be sent to {name} before the end"));
        }
    }
}

/// A request with these samples, and its size.
async fn attempt(settings: &Settings, items: &[Item]) -> (Outcome, u64) {
    let RemoteWrite { endpoint, timeout, .. } = &settings.receiver;
    let client = match settings.client() {
        Ok(client) => client,
        Err(reason) => return (Outcome::Passing { reason, retry_after: None }, 0),
    };
    match body(items) {
        Ok(body) => {
            let bytes = body.len() as u64;
            (deliver(&client, endpoint, body, *timeout).await, bytes)
        }
        Err(error) => (Outcome::Refused { reason: error.to_string() }, 0),
    }
}
