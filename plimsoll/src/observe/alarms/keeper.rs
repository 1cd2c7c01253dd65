//! Keeps the file of alarms: reads it at the start, writes it when alarms have changed.
//!
//! It is written at most once in [`GAP`], and every [`HEARTBEAT`] while there are alarms, so that it
//! is known how long Plimsoll was down after it was killed. A failure is told of once, and tried
//! again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::file::{self, Saved, SavedAlarm, SavedRule};
use super::hands::Hands;
use super::live::{Live, RuleState};
use super::plan::{Alarms, restore};
use super::replace::Former;
use super::{Running, lives, tell};
use crate::log;
use crate::observe::rules::RuleKind;

/// Least time between two writes.
const GAP: Duration = Duration::from_secs(1);
/// Most time between two writes while there are alarms.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Most time for the last write.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// The task that keeps the file.
pub struct Keeper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Keeps it in a folder.
    pub fn start(folder: PathBuf, hands: &Arc<Hands>, running: &Arc<Mutex<Running>>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let book = Book {
            folder,
            hands: Arc::clone(hands),
            running: Arc::clone(running),
            is_empty: false,
            is_failing: false,
        };
        let task = tokio::spawn(book.keep(stopped));
        Self { stop, task }
    }

    /// Writes it for the last time.
    pub async fn stop(self) {
        // If the task is gone, nothing is left to be stopped.
        let _ = self.stop.send(());
        if tokio::time::timeout(STOP_TIME_MAX, self.task).await.is_err() {
            log::warn(tell::PART, "the file of alarms was not written within 10 s of the stop");
        }
    }
}

struct Book {
    folder: PathBuf,
    hands: Arc<Hands>,
    running: Arc<Mutex<Running>>,
    /// No alarm was in it when it was written last.
    is_empty: bool,
    /// It could not be written, which was told.
    is_failing: bool,
}

impl Book {
    async fn keep(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                asked = &mut stopped => return self.end(asked.is_ok()).await,
                () = self.hands.changed.notified() => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
            self.write().await;
            tokio::select! {
                asked = &mut stopped => return self.end(asked.is_ok()).await,
                () = tokio::time::sleep(GAP) => {}
            }
        }
    }

    /// Writes for the last time if it was asked to; otherwise the alarms are gone already.
    async fn end(mut self, is_asked: bool) {
        if is_asked {
            self.write().await;
        }
    }

    async fn write(&mut self) {
        let saved = saved(&lives(&self.running), self.hands.now());
        let is_empty = saved.rules.is_empty();
        if is_empty && self.is_empty {
            return;
        }
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || file::write(&folder, saved)).await;
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.is_empty = is_empty && done.is_ok();
        let path = self.folder.join(file::NAME);
        let fault = match &done {
            Ok(0) => None,
            Ok(left_out) => {
                Some(format!("{left_out} alarms had no place in it; they begin anew at a restart"))
            }
            Err(error) => Some(format!(
                "{error}; after a restart they would go on from an older state: see to the folder and its disk"
            )),
        };
        match &fault {
            Some(fault) if !self.is_failing => {
                let path = path.display();
                log::warn(tell::PART, format!("cannot keep the alarms in {path}: {fault}"));
            }
            None if self.is_failing => {
                log::info(tell::PART, format!("alarms are kept in {} again", path.display()));
            }
            _ => {}
        }
        self.is_failing = fault.is_some();
    }
}

/// What the file is to say.
fn saved(lives: &[Arc<Live>], now: i64) -> Saved {
    let mut rules = Vec::new();
    for live in lives {
        let state = live.state();
        for (rule, state) in live.group.rules.iter().zip(&state.rules) {
            if matches!(rule.kind, RuleKind::Alerting(_)) && state.alarms.len() > 0 {
                let alarms = state.alarms.iter();
                rules.push(SavedRule {
                    file: live.group.file.clone(),
                    group: live.group.name.clone(),
                    name: rule.name.clone(),
                    query: rule.query.text().to_owned(),
                    labels: rule.labels.clone(),
                    alarms: alarms.map(|(labels, alarm)| SavedAlarm::of(labels, alarm)).collect(),
                });
            }
        }
    }
    Saved { written: now, rules }
}

/// Rules of before the stop, with what is left of their alarms.
pub fn former(saved: Saved, hands: &Hands) -> Vec<Former> {
    let (now, written) = (hands.now(), saved.written);
    let (mut count, mut all) = (0, Vec::new());
    for rule in saved.rules {
        let before = Alarms::of(rule.alarms.into_iter().map(SavedAlarm::alarm));
        // Also of alarms that are forgotten: they end.
        let series = hands.series_of(&before);
        let restored = before.iter().filter_map(|(labels, alarm)| {
            Some((labels.clone(), restore(alarm.clone(), written, now)?))
        });
        let alarms = Alarms::of(restored);
        count += alarms.live();
        all.push(Former {
            file: rule.file,
            group: rule.group,
            name: rule.name,
            labels: rule.labels,
            query: rule.query,
            is_alerting: true,
            state: RuleState { alarms, series, ..RuleState::default() },
        });
    }
    if count > 0 {
        let seconds = (now - written).max(0) / 1000;
        let text = format!("alarms go on from {seconds} s ago: {count} pending or firing");
        log::info(tell::PART, text);
    }
    all
}
