//! The thread that looks after the store: flushes, cuts and merges blocks, drops old ones.
//!
//! What goes wrong is told when it begins, when it becomes something else and when it is over, not at
//! each attempt.

mod fullness;
mod plan;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tsdb::store::Store;

use self::fullness::Fullness;
use self::plan::{Event, Judged, Plan};
use super::storage::AHEAD_MAX;
use super::{PART, now};
use crate::log;

/// Between two looks; what is not due costs nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between two attempts to take out what lies ahead of the clock.
const RETRACTION_INTERVAL: Duration = Duration::from_secs(60);

/// The running thread.
pub struct Upkeep {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(store: Arc<Store>) -> std::io::Result<Self> {
        let stopped: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let stop = Arc::clone(&stopped);
        let thread = std::thread::Builder::new()
            .name("upkeep".to_owned())
            .spawn(move || run(&store, &stop))?;
        Ok(Self { stopped, thread })
    }

    /// Ends it; what was committed is on the disk afterwards, or it is told why not. It takes as
    /// long as the disk does.
    pub fn stop(self) {
        *self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.1.notify_all();
        // It panics on nothing; if it did, that was told already.
        let _ = self.thread.join();
    }
}

fn run(store: &Store, stop: &(Mutex<bool>, Condvar)) {
    let (mut trouble, mut plan, start) = (None, Plan::default(), Instant::now());
    let (mut fullness, mut retraction) = (Fullness::default(), Duration::ZERO);
    loop {
        let since = start.elapsed();
        let judged = plan.judge(now(), since);
        match judged.event {
            Some(Event::Ahead(milliseconds)) => log::warn(PART, went_ahead(milliseconds)),
            Some(Event::Believed) => log::info(PART, "the clock has stayed ahead and is believed"),
            // What is retracted is told.
            Some(Event::Back) | None => {}
        }
        if is_ahead(store, &judged) && since >= retraction {
            retraction = since + RETRACTION_INTERVAL;
            retract(store, judged.time);
        }
        let done = store.maintain(judged.time);
        trouble = tell(trouble, store.trouble(), &done.notes);
        if let Some(count) = fullness.news(store.statistics().refused.memory_full, since) {
            let text = format!("{count} samples were refused: {}", store.memory_full());
            log::warn(PART, text);
        }
        let stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = stop.1.wait_timeout_while(stopped, INTERVAL, |stopped| !*stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            break;
        }
    }
    if let Err(error) = store.flush() {
        log::error(PART, format_args!("the last figures may be lost: {error}"));
    }
}

fn went_ahead(milliseconds: i64) -> String {
    format!(
        "the clock went ahead by {:.1} hours at once; unless the machine slept, see whether it is right: \
         until it has stood so for an hour, no figures are dropped for their age",
        hours(milliseconds)
    )
}

/// Whether figures lie so far ahead of the clock that they keep those of now out for long.
fn is_ahead(store: &Store, judged: &Judged) -> bool {
    let latest = judged.time.saturating_add(AHEAD_MAX);
    judged.event == Some(Event::Back)
        || judged.is_clock && store.reach().is_some_and(|reach| reach > latest)
}

/// Makes room for figures of now, and tells at what cost.
fn retract(store: &Store, now: i64) {
    let ahead = store.reach().map_or(0, |reach| reach.saturating_sub(now));
    let retracted = store.retract(now);
    if retracted.young > 0 || !retracted.notes.is_empty() {
        let text = format!(
            "figures lay ahead of the clock, by {:.1} hours, and would have kept those of now out: {} \
             young ones and {} blocks were set aside, and come back when their time has come, where \
             no others were taken meanwhile; see whether the clock is right now",
            hours(ahead),
            retracted.young,
            retracted.blocks
        );
        log::warn(PART, text);
    }
    retracted.notes.iter().for_each(|note| log::warn(PART, note));
}

fn hours(milliseconds: i64) -> f64 {
    milliseconds as f64 / 3_600_000.0
}

/// Tells what is new; returns what was told.
fn tell(before: Option<String>, trouble: Option<String>, notes: &[String]) -> Option<String> {
    match news(before.as_deref(), trouble.as_deref()) {
        Some(Ok(over)) => log::info(PART, over),
        Some(Err(trouble)) => log::error(PART, trouble),
        None => {}
    }
    // What has no lasting trouble behind it, such as a damaged block that was set aside.
    if trouble.is_none() {
        notes.iter().for_each(|note| log::warn(PART, note));
    }
    trouble
}

/// What is new of trouble with the disk: another one, or that it is over.
fn news<'a>(before: Option<&str>, trouble: Option<&'a str>) -> Option<Result<&'a str, &'a str>> {
    match (before, trouble) {
        (Some(_), None) => Some(Ok("figures are written to the disk again")),
        (before, trouble) if before != trouble => trouble.map(Err),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tsdb::labels::Labels;
    use tsdb::store::{Append, Options};

    use super::*;

    #[test]
    fn what_lies_ahead_of_a_clock_that_is_believed_is_retracted() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let series = store.series(&Labels::from_pairs([("__name__", "up")])).unwrap();
        let sample = |time| Append { series: &series, time, value: 1.0 };
        let ahead = 3000 + AHEAD_MAX;
        let judged = |time, is_clock, event| Judged { time, is_clock, event };
        assert!(!is_ahead(&store, &judged(3000, true, None)), "it is empty");
        store.commit(&[sample(1000), sample(2000), sample(ahead)]);
        assert!(!is_ahead(&store, &judged(3000, true, None)), "clocks differ");
        assert!(is_ahead(&store, &judged(3000, true, Some(Event::Back))));
        store.commit(&[sample(ahead + 1)]);
        assert!(!is_ahead(&store, &judged(3000, false, Some(Event::Ahead(9)))));
        assert!(is_ahead(&store, &judged(3000, true, None)));
        retract(&store, 3000);
        assert_eq!(store.statistics().newest, Some(2000));
        assert_eq!(store.commit(&[sample(3000)]).accepted, 1);
        let told = log::recent();
        assert!(told.iter().any(|line| line.text.contains(" 2 young ones")), "{told:?}");
    }

    #[test]
    fn trouble_is_told_when_it_is_new_or_another_and_when_it_is_over() {
        let (full, gone) = (Some("the disk is full"), Some("the disk is gone"));
        assert_eq!(news(None, None), None);
        assert_eq!(news(None, full), full.map(Err));
        assert_eq!(news(full, full), None);
        assert_eq!(news(full, gone), gone.map(Err));
        assert_eq!(news(gone, None), Some(Ok("figures are written to the disk again")));
    }
}
