//! The thread that pushes, and the queue before it.
//!
//! Invariants: [`Pusher::offer`] never waits; at most [`QUEUE_MAX`] moments lie before the thread and
//! [`PENDING_MAX`] with it; [`Pusher::finish`] returns within three times the patience.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::mpsc::{Receiver as Queue, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::delivery::{Refusal, deliver};
use super::figures::{Figures, SeriesName, text};
use super::receiver::{Protocol, Receiver};
use super::remote_write::{Moment, body};
use crate::load::figures::{self, count};
use crate::load::progress::Progress;

/// Most moments that wait for the thread.
const QUEUE_MAX: usize = 16;
/// Most moments that are kept for a receiver that is away: two minutes.
const PENDING_MAX: usize = 120;
/// Most time for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// From a failure to the next attempt, at first; doubled each time…
const REST_MIN: Duration = Duration::from_secs(1);
/// …up to this.
const REST_MAX: Duration = Duration::from_secs(30);

/// Pushes figures to one receiver.
pub struct Pusher {
    figures: Figures,
    queue: SyncSender<Moment>,
    thread: JoinHandle<Pushed>,
    /// Moments that found the queue full.
    lost: u64,
    /// The time of the last moment, milliseconds since 1970.
    last: i64,
}

/// What became of the figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Where they went.
    pub url: String,
    /// Moments that the receiver took (for a Pushgateway: or that newer ones made up for).
    pub taken: u64,
    /// Moments that were given up.
    pub lost: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Why the last of them did.
    pub reason: Option<String>,
}

impl Pushed {
    /// A sentence for the end, if anything failed.
    pub fn remark(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let Self { url, taken, lost, failures, .. } = self;
        let often = match failures {
            1 => "once,".to_owned(),
            _ => format!("{failures} times, last"),
        };
        Some(format!(
            "pushing figures to {url} failed {often} because {reason}; {} arrived, {} did not",
            figures::plural(*taken, "second"),
            count(*lost)
        ))
    }
}

impl Pusher {
    /// Starts the thread. `say` receives a sentence when the first attempt fails, and another when
    /// one succeeds after that.
    ///
    /// # Errors
    /// When the system gives no thread or no event descriptor.
    pub fn start(receiver: Receiver, say: impl FnMut(&str) + Send + 'static) -> io::Result<Self> {
        Self::start_with(receiver, PATIENCE, say)
    }

    /// The same with another patience.
    pub(super) fn start_with(
        receiver: Receiver,
        patience: Duration,
        say: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, moments) = sync_channel(QUEUE_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let pushed = Pushed { url: receiver.url.clone(), ..Pushed::default() };
        let mut worker = Worker {
            receiver,
            patience,
            runtime,
            pending: VecDeque::new(),
            replaced: 0,
            told: BTreeSet::new(),
            last: 0,
            rest: REST_MIN,
            next: None,
            pushed,
            say: Box::new(say),
        };
        let thread =
            std::thread::Builder::new().name("bench-push".to_owned()).spawn(move || {
                worker.work(&moments);
                // A name that is still being looked up must not hold the end of the run.
                worker.runtime.shutdown_background();
                worker.pushed
            })?;
        Ok(Self { figures: Figures::default(), queue, thread, lost: 0, last: i64::MIN })
    }

    /// Hands over how the run is doing now.
    pub fn offer(&mut self, progress: &Progress, now: Timestamp) {
        // A clock that is set back, or two moments of one millisecond: a receiver refuses for good
        // what is not later than what it has.
        self.last = now.as_millisecond().max(self.last.saturating_add(1));
        let moment = Moment { at: self.last, samples: self.figures.samples(progress) };
        if self.queue.try_send(moment).is_err() {
            self.lost += 1;
        }
    }

    /// Sends what is left, tells the receiver that it was the last, and says what became of all.
    pub fn finish(self) -> Pushed {
        let Self { queue, thread, lost, .. } = self;
        drop(queue);
        let mut pushed = thread.join().unwrap_or_else(|_| Pushed {
            failures: 1,
            reason: Some("the thread that pushes broke down".to_owned()),
            ..Pushed::default()
        });
        pushed.lost += lost;
        pushed
    }
}

struct Worker {
    receiver: Receiver,
    patience: Duration,
    runtime: tokio::runtime::Runtime,
    /// Not yet taken, the oldest first.
    pending: VecDeque<Moment>,
    /// Moments not yet taken that a newer one of `pending` stands for.
    replaced: u64,
    /// The series that the receiver has: as many as there are kinds of figures and instances.
    told: BTreeSet<SeriesName>,
    /// The time of the last moment, milliseconds since 1970.
    last: i64,
    /// How long to rest after the next failure.
    rest: Duration,
    /// Not before this.
    next: Option<Instant>,
    pushed: Pushed,
    say: Box<dyn FnMut(&str) + Send>,
}

impl Worker {
    /// Until the run has ended.
    fn work(&mut self, moments: &Queue<Moment>) {
        while let Ok(moment) = moments.recv() {
            self.keep(moment);
            let ends = loop {
                match moments.try_recv() {
                    Ok(moment) => self.keep(moment),
                    Err(TryRecvError::Empty) => break false,
                    Err(TryRecvError::Disconnected) => break true,
                }
            };
            if !ends && self.next.is_none_or(|next| Instant::now() >= next) {
                self.attempt(false);
            }
        }
        // The last attempt does not wait for its turn.
        self.attempt(true);
        self.lose();
    }

    /// Remote write has a place for each moment; a Pushgateway for the last only.
    fn keep(&mut self, moment: Moment) {
        if self.receiver.protocol == Protocol::Pushgateway {
            self.replaced += u64::from(self.pending.pop_back().is_some());
        }
        if self.pending.len() == PENDING_MAX {
            self.pending.pop_front();
            self.pushed.lost += 1;
        }
        self.last = moment.at;
        self.pending.push_back(moment);
    }

    fn attempt(&mut self, ends: bool) {
        let moments = self.pending.make_contiguous();
        let message = match (self.receiver.protocol, moments.last()) {
            (Protocol::Pushgateway, Some(last)) => Ok(text(&last.samples).into_bytes()),
            // What was taken before has to end all the same.
            (Protocol::RemoteWrite, last) if last.is_some() || (ends && !self.told.is_empty()) => {
                let end = ends.then_some(self.last + 1);
                body(moments, &self.receiver.labels, &self.told, end)
                    .map_err(|error| Refusal { reason: error.to_string(), passing: false })
            }
            _ => return,
        };
        let done = message.and_then(|message| {
            self.runtime.block_on(deliver(&self.receiver, message, self.patience))
        });
        match done {
            Ok(()) => self.succeed(),
            Err(refusal) => self.fail(refusal),
        }
    }

    fn succeed(&mut self) {
        self.pushed.taken += self.pending.len() as u64 + std::mem::take(&mut self.replaced);
        let samples = self.pending.drain(..).flat_map(|moment| moment.samples);
        self.told.extend(samples.map(|sample| sample.series()));
        if self.next.take().is_some() {
            (self.say)(&format!("figures are pushed to {} again", self.receiver.url));
        }
        self.rest = REST_MIN;
    }

    /// Gives up what was not taken.
    fn lose(&mut self) {
        self.pushed.lost += self.pending.len() as u64 + std::mem::take(&mut self.replaced);
        self.pending.clear();
    }

    fn fail(&mut self, refusal: Refusal) {
        if self.next.is_none() {
            let url = &self.receiver.url;
            let reason = &refusal.reason;
            (self.say)(&format!("cannot push figures to {url}: {reason}; the run goes on"));
        }
        self.pushed.failures += 1;
        self.pushed.reason = Some(refusal.reason);
        if !refusal.passing {
            self.lose();
        }
        self.next = Some(Instant::now() + self.rest);
        self.rest = (self.rest * 2).min(REST_MAX);
    }
}
