//! The task that keeps time: starts scrapes as they are due, and notes how they end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};

use super::announce::Announcements;
use super::plan::{Decision, Due, Id};
use super::target::{Outcome, Target};
use super::{Shared, lock};
use crate::log;
use crate::observe::{InstanceAt, PART, now};

/// What is going on when scraping ends may take so long.
const STOP_MAX: Duration = Duration::from_secs(2);
/// The clock is looked at this often at least, because it may be set.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Scrapes until `stopped` says so, or nobody is left who could.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut instances: watch::Receiver<Arc<[InstanceAt]>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut runner = Runner::new(shared);
    let mut is_watching = true;
    loop {
        runner.end_former();
        let pause = runner.start_due();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = runner.shared.changed.notified() => {}
            changed = instances.changed(), if is_watching => match changed {
                Ok(()) => runner.shared.renew(),
                Err(_) => is_watching = false,
            },
            Some(done) = runner.scrapes.join_next_with_id() => runner.done(done),
            _ = stopped.changed() => break,
        }
    }
    runner.end_former();
    runner.finish().await;
}

struct Runner {
    shared: Arc<Shared>,
    /// Scrapes, at most one of each target, and ends of targets.
    scrapes: JoinSet<Option<Outcome>>,
    /// Whose scrape a task is.
    running: HashMap<task::Id, (Id, Arc<Target>)>,
    announcements: Announcements,
}

impl Runner {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            scrapes: JoinSet::new(),
            running: HashMap::new(),
            announcements: Announcements::new(now()),
        }
    }

    /// Ends the series of targets that were taken away.
    fn end_former(&mut self) {
        for former in lock(&self.shared.state).take_former() {
            self.announcements.forget(former.id);
            let storage = Arc::clone(&self.shared.storage);
            self.scrapes.spawn_blocking(move || {
                former.target.end(&storage, former.at);
                None
            });
        }
    }

    /// Starts what is due; says how long there is nothing to do.
    fn start_due(&mut self) -> Duration {
        let (due, next) = {
            let mut state = lock(&self.shared.state);
            let due: Vec<(Due, Option<Arc<Target>>)> = state
                .plan
                .due(now())
                .into_iter()
                .map(|due| (due.clone(), state.target(due.id)))
                .collect();
            (due, state.plan.next())
        };
        for (due, target) in due {
            if let Some(target) = target {
                self.start(&due, target);
            }
        }
        let pause = next.map_or(PAUSE_MAX.as_millis() as i64, |next| next - now());
        Duration::from_millis(pause.max(0).cast_unsigned()).min(PAUSE_MAX)
    }

    fn start(&mut self, due: &Due, target: Arc<Target>) {
        let skipped = due.missed + u64::from(due.decision == Decision::Skip);
        if skipped > 0 {
            lock(&self.shared.figures).skipped(&target.wanted().job, skipped);
        }
        if due.decision == Decision::Skip {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let (scraped, tick) = (Arc::clone(&target), due.tick);
        let task = self.scrapes.spawn(async move {
            let places = if scraped.is_slow() { &shared.slow } else { &shared.quick };
            // Never closed; and if it were, nothing but a bound would be lost.
            let _place = match scraped.wanted().is_near() {
                true => None,
                false => places.scrapes.acquire().await.ok(),
            };
            Some(scraped.scrape(tick, Arc::clone(&shared), places.large.clone()).await)
        });
        self.running.insert(task.id(), (due.id, target));
    }

    /// Notes how a scrape has ended.
    fn done(&mut self, done: Result<(task::Id, Option<Outcome>), JoinError>) {
        let (task, outcome) = match done {
            Ok((task, outcome)) => (task, Ok(outcome)),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some((id, target)) = self.running.remove(&task) else { return };
        let wanted = target.wanted();
        let (rest, failure) = {
            let mut figures = lock(&self.shared.figures);
            match outcome {
                Ok(Some(outcome)) => {
                    figures.ended(&wanted.job, &outcome);
                    (outcome.rest, outcome.failure.map(|failure| failure.to_string()))
                }
                Ok(None) => (None, None),
                Err(defect) => {
                    figures.broken(&wanted.job);
                    (None, Some(format!("scraping it broke off, a defect of Plimsoll: {defect}")))
                }
            }
        };
        let is_there = {
            let mut state = lock(&self.shared.state);
            state.plan.ended(id, rest, now());
            state.target(id).is_some()
        };
        if !is_there || !wanted.is_listed() {
            return;
        }
        let name = wanted.name();
        if let Some(line) = self.announcements.ended(id, &name, failure.as_deref(), now()) {
            match line.is_down {
                true => log::warn(PART, line.text),
                false => log::info(PART, line.text),
            }
        }
    }

    /// Lets what is going on come to its end, for a moment.
    async fn finish(&mut self) {
        let all = async { while self.scrapes.join_next().await.is_some() {} };
        // Those who take longer are broken off: their page is not stored.
        let _ = tokio::time::timeout(STOP_MAX, all).await;
        self.scrapes.shutdown().await;
    }
}
