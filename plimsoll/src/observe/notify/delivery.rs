//! Bringing messages to their receivers, as often as it takes.
//!
//! Each receiver has its own turns and its own bounded queue, so one that is slow or away costs the
//! others nothing. An outage is logged once, and once that it is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::figures::Figures;
use super::plan::Message;
use super::receiver::{Failure, Sender};
use super::retry;
use crate::log;

/// Attempts at one receiver at once.
const TURNS: usize = 4;
/// Messages that wait for one receiver; more are given up until their group's next look.
pub(super) const QUEUE_MAX: usize = 1000;

/// A receiver with its queue.
pub(super) struct Hand {
    pub(super) name: String,
    pub(super) sender: Sender,
    /// Whether it is told when an alarm is over.
    pub(super) resolved: bool,
    turns: Semaphore,
    pub(super) figures: Arc<Figures>,
    /// Attempts that failed since the last that did not. Written and read by deliveries.
    outage: Mutex<u64>,
}

/// Counts a message as waiting while it lives.
pub(super) struct Waiting(Arc<Figures>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hand {
    pub(super) fn new(name: &str, sender: Sender, resolved: bool, figures: Arc<Figures>) -> Self {
        Self {
            name: name.to_owned(),
            sender,
            resolved,
            turns: Semaphore::new(TURNS),
            figures,
            outage: Mutex::new(0),
        }
    }

    /// A place in the queue; `None` if it is full, which counts as a failure.
    pub(super) fn admit(&self) -> Option<Waiting> {
        let waiting = Waiting(Arc::clone(&self.figures));
        if self.figures.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE_MAX {
            return Some(waiting);
        }
        self.figures.ended(Duration::ZERO, false);
        self.failed(&Failure {
            words: format!("{QUEUE_MAX} messages wait for it already"),
            passes: false,
            wait: None,
        });
        None
    }

    /// Tries until it is taken, refused, or too late. Once `stopping`, there is one attempt more.
    pub(super) async fn deliver(
        &self,
        message: &Message,
        patience: Duration,
        mut stopping: watch::Receiver<bool>,
    ) -> bool {
        let began = Instant::now();
        let deadline = began + patience;
        let arrived = self.attempts(message, deadline, &mut stopping).await;
        self.figures.ended(began.elapsed(), arrived);
        arrived
    }

    async fn attempts(
        &self,
        message: &Message,
        deadline: Instant,
        stopping: &mut watch::Receiver<bool>,
    ) -> bool {
        let mut failures = 0;
        loop {
            let is_last = *stopping.borrow();
            let Ok(turn) = tokio::time::timeout_at(deadline, self.turns.acquire()).await else {
                return false;
            };
            let sending = tokio::time::timeout_at(deadline, self.sender.send(message));
            let failure = match sending.await {
                Ok(Ok(_)) => {
                    self.works();
                    return true;
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let words = "no answer before the group is looked at anew".to_owned();
                    Failure { words, passes: true, wait: None }
                }
            };
            drop(turn);
            failures += 1;
            self.failed(&failure);
            let wait = retry::wait(failures, fastrand::f64(), failure.wait);
            if !failure.passes || is_last || Instant::now() + wait >= deadline {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    fn failed(&self, failure: &Failure) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        *outage += 1;
        if *outage > 1 {
            return;
        }
        let next = match failure.passes {
            true => "it is tried again",
            false => "it is tried again when the alarms are looked at anew",
        };
        let (name, kind, words) = (&self.name, self.sender.kind(), &failure.words);
        let remedy = self.sender.remedy();
        log::warn(
            "notify",
            format!("receiver `{name}` ({kind}) was not told of alarms: {words}; {next}; {remedy}"),
        );
    }

    fn works(&self) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = std::mem::take(&mut *outage);
        if failures > 0 {
            let name = &self.name;
            log::info(
                "notify",
                format!("receiver `{name}` works again, after {failures} failed attempts"),
            );
        }
    }
}
