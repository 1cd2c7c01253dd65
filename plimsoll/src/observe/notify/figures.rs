//! What is counted of a receiver, named after Alertmanager's own figures.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tsdb::exposition::{Exposition, Kind};

/// Upper bounds of the time that a message takes, seconds.
const BOUNDS: [f64; 8] = [0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 60.0];

/// Written by deliveries, read by [`expose`].
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Messages that were begun.
    pub(super) messages: AtomicU64,
    /// Of these, those that were given up.
    pub(super) failed: AtomicU64,
    /// Messages that wait or are on their way.
    pub(super) waiting: AtomicUsize,
    /// Messages by the first of [`BOUNDS`] that they keep; the last is beyond all.
    took: [AtomicU64; BOUNDS.len() + 1],
    took_micros: AtomicU64,
}

impl Figures {
    /// A message has come to its end after this time.
    pub(super) fn ended(&self, took: Duration, arrived: bool) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(!arrived), Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.took[place].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Adds the figures of receivers.
pub(super) fn expose<'a>(
    all: impl Iterator<Item = (&'a str, &'a Figures)> + Clone,
    out: &mut Exposition,
) {
    let counters = [
        (
            "plimsoll_notifications_total",
            "Messages about alarms that came to their end, well or not, by receiver.",
        ),
        (
            "plimsoll_notifications_failed_total",
            "Messages about alarms that a receiver did not take, however often it was tried.",
        ),
    ];
    for (place, (name, help)) in counters.into_iter().enumerate() {
        let mut family = out.family(name, Kind::Counter, help);
        for (receiver, figures) in all.clone() {
            let counter = if place == 0 { &figures.messages } else { &figures.failed };
            family.sample(&[("receiver", receiver)], counter.load(Ordering::Relaxed) as f64);
        }
    }
    let help = "From the decision to tell to the last word of the receiver, attempts included.";
    let name = "plimsoll_notification_latency_seconds";
    let mut family = out.family(name, Kind::Histogram, help);
    for (receiver, figures) in all.clone() {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (bound, own) in BOUNDS.iter().zip(&figures.took) {
            count += own.load(Ordering::Relaxed);
            buckets.push((*bound, count));
        }
        count += figures.took[BOUNDS.len()].load(Ordering::Relaxed);
        let sum = figures.took_micros.load(Ordering::Relaxed) as f64 / 1e6;
        family.histogram(&[("receiver", receiver)], &buckets, sum, count);
    }
    let help = "Messages about alarms that wait for a receiver or are on their way.";
    let mut family = out.family("plimsoll_notification_queue_messages", Kind::Gauge, help);
    for (receiver, figures) in all {
        let waiting = figures.waiting.load(Ordering::Relaxed);
        family.sample(&[("receiver", receiver)], waiting as f64);
    }
}
