//! The owner task: it asks the plan what is due, hands it out, and keeps what is to be kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::{ALARMS_MAX, GROUPS_MAX, Message, Offered};
use super::{Notifier, kept};
use crate::log;
use crate::observe::now;

/// The wall clock may be set; it is looked at at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Between two looks at least.
const LOOK_APART: Duration = Duration::from_millis(1);
/// Between two writes of what changes by itself: what was told before that and is not on the disk
/// when Plimsoll is killed is told again.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Of all time, at most one part in so many goes into writing.
const KEEP_SHARE: u32 = 10;
/// At the stop, messages and other Alertmanagers have so long.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// What is on the disk.
#[derive(Debug, Default)]
pub(super) struct Kept {
    revision: u64,
    /// Whether it was said that it cannot be written.
    fails: bool,
}

/// Tells the plan what became of a message, whatever happens to its delivery.
struct Ticket {
    notifier: Arc<Notifier>,
    message: Message,
    arrived: bool,
}

impl Ticket {
    /// The delivery has come to its end.
    fn close(mut self, arrived: bool) {
        self.arrived = arrived;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.notifier.plan().delivered(&self.message, self.arrived);
        self.notifier.wake.notify_one();
    }
}

impl Notifier {
    pub(super) async fn work(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut deliveries = JoinSet::new();
        let mut keep_at = Instant::now() + KEEP_EVERY;
        let mut keeping: Option<tokio::task::JoinHandle<Duration>> = None;
        loop {
            let next_at = self.look(&mut deliveries, &stopping);
            if let Some(task) = keeping.take_if(|task| task.is_finished()) {
                let took = task.await.unwrap_or_default();
                keep_at = Instant::now() + KEEP_EVERY.max(took * KEEP_SHARE);
            }
            if keep_at <= Instant::now() && keeping.is_none() {
                let notifier = Arc::clone(&self);
                // In a task of its own: a disk that hangs delays no message.
                keeping = Some(tokio::spawn(async move {
                    let begun = Instant::now();
                    notifier.keep().await;
                    begun.elapsed()
                }));
            }
            let wait = Duration::from_millis(u64::try_from(next_at - now()).unwrap_or_default());
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait.clamp(LOOK_APART, LOOK_EVERY).min(KEEP_EVERY)) => {}
                Some(_) = deliveries.join_next() => {}
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        self.look(&mut deliveries, &stopping);
        self.finish(deliveries).await;
        self.keep().await;
    }

    /// Hands out what is due; yields when something is due next.
    fn look(
        self: &Arc<Self>,
        deliveries: &mut JoinSet<()>,
        stopping: &watch::Receiver<bool>,
    ) -> i64 {
        let now = now();
        let mut plan = self.plan();
        let (messages, lost) = plan.due(now);
        let mut forwards = self.forwards();
        forwards.pass(plan.alarms(), now);
        drop(plan);
        let forward_at = forwards.next_at();
        drop(forwards);
        for labels in lost {
            log::warn(
                "notify",
                format!(
                    "alarm {labels} is taken to be over: its rule has not confirmed it for long"
                ),
            );
        }
        for message in messages {
            self.hand_out(message, deliveries, stopping);
        }
        self.plan().next_at().min(forward_at)
    }

    fn hand_out(
        self: &Arc<Self>,
        message: Message,
        deliveries: &mut JoinSet<()>,
        stopping: &watch::Receiver<bool>,
    ) {
        let hand = self.hands().get(&message.receiver).cloned();
        let patience = Duration::from_millis(
            u64::try_from(message.deadline.saturating_sub(message.at)).unwrap_or_default(),
        );
        let ticket = Ticket { notifier: Arc::clone(self), message, arrived: false };
        let Some((hand, waiting)) = hand.and_then(|hand| Some((Arc::clone(&hand), hand.admit()?)))
        else {
            return;
        };
        let stopping = stopping.clone();
        deliveries.spawn(async move {
            let arrived = hand.deliver(&ticket.message, patience, stopping).await;
            ticket.close(arrived);
            drop(waiting);
        });
    }

    /// Waits for what is on its way, for a bounded time.
    async fn finish(&self, mut deliveries: JoinSet<()>) {
        let deadline = Instant::now() + STOP_WAIT;
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, deliveries.join_next()).await {}
        if !deliveries.is_empty() {
            let count = deliveries.len();
            log::warn(
                "notify",
                format!(
                    "{count} messages about alarms were not taken in time; they are sent after the next start"
                ),
            );
        }
        deliveries.shutdown().await;
        let tasks = self.forwards().tasks();
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Writes what is to be kept, unless it is on the disk already.
    pub(super) async fn keep(&self) {
        let Some(directory) = self.directory.clone() else { return };
        let mut kept = self.keeping.lock().await;
        let (revision, saved) = {
            let plan = self.plan();
            if plan.revision() == kept.revision {
                return;
            }
            (plan.revision(), plan.saved())
        };
        let path = directory.clone();
        let written = tokio::task::spawn_blocking(move || kept::write(&directory, &saved)).await;
        let failure = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if failure.is_none() {
            kept.revision = revision;
        }
        match (failure, std::mem::take(&mut kept.fails)) {
            (None, false) => {}
            (None, true) => log::info("notify", "silences are kept on the disk again"),
            (Some(reason), fails) => {
                kept.fails = true;
                if !fails {
                    log::error(
                        "notify",
                        format!(
                            "silences and what was told cannot be kept in {}: {reason}; a restart \
                             would lose them; make room there or let Plimsoll write there",
                            path.display()
                        ),
                    );
                }
            }
        }
    }

    /// Says once that there are too many alarms, and once that there are not any more.
    pub(super) fn overrun(&self, offered: Offered) {
        let refused = offered.refused + offered.ungrouped;
        self.refused.fetch_add(refused as u64, Ordering::Relaxed);
        let is_overrun = refused > 0;
        if self.is_overrun.swap(is_overrun, Ordering::Relaxed) == is_overrun || !is_overrun {
            return;
        }
        log::error(
            "notify",
            format!(
                "{refused} alarms are not told of: there are more than {ALARMS_MAX} alarms or \
                 {GROUPS_MAX} groups; look for a rule that fires for too many series, or group by \
                 fewer labels"
            ),
        );
    }
}
