//! Remote write, outwards: every sample that goes into the store goes to other stores as well.
//!
//! ```text
//!  Storage::append ──▶ Tap ──▶ queue of a receiver ──▶ its sender ──▶ HTTP
//!                             (labels made once a series)   ▲
//!                                                          plan: when, how much, how long to rest
//! ```
//!
//! Invariants:
//! - the tap never waits: a queue is locked for the time of a hash look-up a sample, and never while
//!   anything is sent;
//! - a queue holds at most as many samples as configured, what is being sent included; beyond that the
//!   oldest are given up, and counted;
//! - samples of a series arrive in the order of their times: one request at a time, from the front of
//!   the queue, and what is not newer than the last of its series is left out (the store refuses that
//!   too);
//! - nothing is lost because a receiver is away, slow or in trouble for a while; what a receiver says
//!   is wrong (4xx) is not sent again, because it would stay wrong.
//!
//! Left out: metadata (types and help texts), exemplars, native histograms; several requests at once;
//! keeping the queue over a restart (the store has the samples).
//!
//! Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.

mod delivery;
mod plan;
mod queue;
mod sender;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tsdb::exposition::{Exposition, Kind};

use self::sender::Sender;
use super::storage::Tap;
use crate::config::model::observe::RemoteWrite;

/// How long what waits may still be sent when a receiver is taken away or Plimsoll stops.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// What lines of the log are about.
const PART: &str = "remote write";

/// Sends copies of all samples to receivers.
pub struct Remote {
    /// Written by `apply`; read by the tap and by `expose`.
    senders: Arc<ArcSwap<Vec<Arc<Sender>>>>,
    /// Their tasks, and those of receivers that were taken away and are being flushed; held for a
    /// push or a swap only.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Remote {
    /// Starts a sender for each receiver, and returns what gives them samples. It needs a runtime.
    pub fn start(receivers: &[RemoteWrite], external: &BTreeMap<String, String>) -> (Self, Tap) {
        let senders: Arc<ArcSwap<Vec<Arc<Sender>>>> = Arc::default();
        let remote = Self { senders: Arc::clone(&senders), tasks: Mutex::default() };
        remote.apply(receivers, external);
        let tap: Tap = Box::new(move |samples| {
            for sender in senders.load().iter() {
                sender.offer(samples);
            }
        });
        (remote, tap)
    }

    /// Takes over a changed configuration. A receiver of the same name and URL keeps its queue and its
    /// figures; one that is gone is sent what waits for it, for a bounded time.
    pub fn apply(&self, receivers: &[RemoteWrite], external: &BTreeMap<String, String>) {
        let before = self.senders.load_full();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        let mut after = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            match before.iter().find(|sender| sender.is_of(receiver)) {
                Some(sender) => {
                    sender.configure(receiver, external);
                    after.push(Arc::clone(sender));
                }
                None => {
                    let sender = Arc::new(Sender::new(receiver, external));
                    tasks.push(tokio::spawn(Arc::clone(&sender).run()));
                    after.push(sender);
                }
            }
        }
        let gone = before.iter().filter(|old| !after.iter().any(|new| Arc::ptr_eq(old, new)));
        gone.for_each(|sender| sender.end(FLUSH_MAX));
        self.senders.store(Arc::new(after));
    }

    /// Adds figures of each receiver.
    pub fn expose(&self, text: &mut Exposition) {
        for sender in self.senders.load().iter() {
            expose(text, sender);
        }
    }

    /// Sends what waits, for a bounded time, and ends. What is given to the tap later is lost.
    pub async fn stop(&self) {
        let senders = self.senders.swap(Arc::default());
        senders.iter().for_each(|sender| sender.end(FLUSH_MAX));
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A sender that broke down has nothing more to send.
            let _ = task.await;
        }
    }
}

fn expose(text: &mut Exposition, sender: &Sender) {
    let view = sender.view();
    let receiver = ("receiver", sender.name());
    let plain: [(&str, Kind, &str, f64); 6] = [
        (
            "plimsoll_remote_write_samples_total",
            Kind::Counter,
            "Samples that the receiver took.",
            view.tally.sent as f64,
        ),
        (
            "plimsoll_remote_write_failures_total",
            Kind::Counter,
            "Requests that failed or were refused.",
            view.tally.failures as f64,
        ),
        (
            "plimsoll_remote_write_bytes_total",
            Kind::Counter,
            "Bytes of requests, compressed, that the receiver took.",
            view.tally.bytes as f64,
        ),
        (
            "plimsoll_remote_write_pending_samples",
            Kind::Gauge,
            "Samples that wait to be sent.",
            view.pending as f64,
        ),
        (
            "plimsoll_remote_write_behind_seconds",
            Kind::Gauge,
            "How long the oldest of them has waited.",
            view.behind.as_secs_f64(),
        ),
        (
            "plimsoll_remote_write_last_success_timestamp_seconds",
            Kind::Gauge,
            "When the receiver last took samples, seconds since 1970; 0 if it never did.",
            view.tally.last_success.map_or(0.0, |at| at as f64 / 1000.0),
        ),
    ];
    for (name, kind, help, value) in plain {
        text.family(name, kind, help).sample(&[receiver], value);
    }
    let dropped = [
        ("queue_full", view.given_up),
        ("refused", view.tally.refused),
        ("old", view.old),
        ("relabelled", view.relabelled),
    ];
    for (reason, count) in dropped {
        text.family(
            "plimsoll_remote_write_dropped_samples_total",
            Kind::Counter,
            "Samples that were not sent, or not taken, for good.",
        )
        .sample(&[receiver, ("reason", reason)], count as f64);
    }
}
