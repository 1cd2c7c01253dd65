//! The thread that looks after the store: flushes, cuts and merges blocks, drops old ones.
//!
//! What goes wrong is told when it begins, when it becomes something else and when it is over, not at
//! each attempt.

mod plan;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tsdb::store::Store;

use self::plan::{Event, Plan};
use super::{PART, now};
use crate::log;

/// Between two looks; what is not due costs nothing.
const INTERVAL: Duration = Duration::from_secs(1);

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
    loop {
        let judged = plan.judge(now(), start.elapsed());
        if let Some(event) = judged.event {
            obey(store, event, judged.time);
        }
        let done = store.maintain(judged.time);
        trouble = tell(trouble, store.trouble(), &done.notes);
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

/// Does and tells what a clock that jumps asks for.
fn obey(store: &Store, event: Event, now: i64) {
    match event {
        Event::Ahead(milliseconds) => {
            let hours = milliseconds as f64 / 3_600_000.0;
            let text = format!(
                "the clock went ahead by {hours:.1} hours at once; unless the machine slept, see \
                 whether it is right: until it has stood so for an hour, no figures are dropped for \
                 their age"
            );
            log::warn(PART, text);
        }
        Event::Back => {
            let gone = store.forget_after(now);
            log::info(
                PART,
                format!("the clock is back; {gone} samples of its wrong time are gone"),
            );
        }
        Event::Believed => log::info(PART, "the clock has stayed ahead and is believed"),
    }
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
    fn what_a_wrong_clock_dated_is_gone_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let series = store.series(&Labels::from_pairs([("__name__", "up")])).unwrap();
        let sample = |time| Append { series: &series, time, value: 1.0 };
        store.commit(&[sample(1000), sample(2000), sample(99_000_000)]);
        for (event, newest) in [
            (Event::Ahead(90_000_000), 99_000_000),
            (Event::Believed, 99_000_000),
            (Event::Back, 2000),
        ] {
            obey(&store, event, 3000);
            assert_eq!(store.statistics().newest, Some(newest), "{event:?}");
        }
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
