//! Rules evaluated: what is recorded, and which alarms are raised.
//!
//! ```text
//!  groups ─▶ carry ─▶ Live ─▶ schedule ─▶ Engine ─▶ templates ─▶ plan ─┬▶ Storage (series)
//!  alarms.json ─▶ restore ─┘                                           ├▶ notifier (alarms)
//!        ▲                                                             └▶ log
//!        └───────────── keeper ◀── what has changed ───────────────────┘
//! ```
//!
//! `plan` decides and reads no clock; `hands` evaluates and tells; `record` and `recorder` write; `live` is a group and
//! its state; `replace` puts other groups in the place of those that run; `file` and `keeper` bring
//! alarms over restarts; `tell` finds words for the log; `judge` asks queries, and knows by `outage`
//! whether an outside Prometheus answers at all.
//!
//! Groups are evaluated beside each other, [`judge`] bounds how many at once, and the rules of one
//! after the other for one time, so that a rule sees what those before it have just recorded. Where
//! an outside Prometheus answers queries, rules of files see only what that one has; built-in rules
//! and objectives ask the own store always, so that somebody is told when it is away.
//!
//! Invariants: a group has one task; a retired group tells nothing, and what it has yielded is written
//! before what comes of those in its place; alarms are told of at each evaluation of their rule, also
//! when it failed, and wait for no disk.
//!
//! Left out: dependence between rules is not analysed, and rules of one group never run at once.

mod answer;
mod expand;
mod expose;
mod file;
mod hands;
mod judge;
mod keeper;
mod live;
mod outage;
mod plan;
mod record;
mod recorder;
mod replace;
mod tell;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tsdb::exposition::Exposition;

use self::file::{Found, Saved};
use self::hands::Hands;
use self::keeper::Keeper;
use self::live::Live;
use self::replace::replace;
use crate::log;
use crate::observe::Alert;
use crate::observe::query::Engine;
use crate::observe::rules::Group;
use crate::observe::storage::Storage;
use crate::observe::views::GroupView;

/// Is told of alarms at each evaluation of their rule: all that fire, and for 15 minutes those that
/// did. Must not wait.
pub type Notifier = Arc<dyn Fn(Vec<Alert>) + Send + Sync>;

/// Tells the time in milliseconds since 1970.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What answers the queries of rules.
#[derive(Clone)]
pub struct Judges {
    /// Of files: an outside Prometheus, where one is configured.
    pub files: Arc<Engine>,
    /// Of built-in rules and objectives: the own store.
    pub own: Arc<Engine>,
}

/// What alarms carry for the world outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct External {
    /// Labels of everything that leaves.
    pub labels: BTreeMap<String, String>,
    /// Where Plimsoll is for people.
    pub url: String,
}

/// Rules that are evaluated.
pub struct Alarms {
    hands: Arc<Hands>,
    /// Written at a reload; read by views and by the keeper.
    running: Arc<Mutex<Running>>,
    /// Keeps the file; `None` where there is none, and after the stop.
    keeper: Mutex<Option<Keeper>>,
}

/// What is evaluated.
#[derive(Default)]
struct Running {
    is_stopped: bool,
    groups: Vec<(Arc<Live>, AbortHandle)>,
}

impl Alarms {
    /// Starts to evaluate groups. Alarms go on from those in `directory`, and are kept there; where
    /// there is none they begin anew.
    pub fn start(
        judges: Judges,
        storage: Arc<Storage>,
        notifier: Notifier,
        directory: Option<PathBuf>,
        groups: Vec<Group>,
        external: External,
    ) -> Self {
        let hands = Hands::new(judges, storage, notifier, external, Arc::new(crate::observe::now));
        Self::begin(hands, directory, groups)
    }

    fn begin(hands: Hands, directory: Option<PathBuf>, groups: Vec<Group>) -> Self {
        let hands = Arc::new(hands);
        let saved = match directory.as_deref().map(file::read) {
            Some(Found::Alarms(saved)) => saved,
            Some(Found::Loss(words)) => {
                log::warn(tell::PART, words);
                Saved::default()
            }
            Some(Found::Nothing) | None => Saved::default(),
        };
        let running = Arc::new(Mutex::new(Running::default()));
        let former = keeper::former(saved, &hands);
        replace(&hands, &mut lock(&running), groups, former);
        let keeper = directory.map(|folder| Keeper::start(folder, &hands, &running));
        Self { hands, running, keeper: Mutex::new(keeper) }
    }

    /// Evaluates these groups from now on. Those that say the same as before go on undisturbed; in
    /// the others a rule goes on from the one of the same name and labels, as in Prometheus. Series
    /// of rules that are gone end, and their alarms as well.
    pub fn apply(&self, groups: Vec<Group>, external: External) {
        let mut running = lock(&self.running);
        if running.is_stopped {
            return;
        }
        if self.hands.external.load().labels != external.labels {
            self.renounce(&running);
        }
        self.hands.external.store(Arc::new(external));
        replace(&self.hands, &mut running, groups, Vec::new());
    }

    /// Alarms are known outside by labels that they will not have any more: they are over there.
    fn renounce(&self, running: &Running) {
        let now = self.hands.now();
        for (live, _) in &running.groups {
            let state = live.state();
            for (rule, state) in live.group.rules.iter().zip(&state.rules) {
                let mut alarms = state.alarms.clone();
                let _ = alarms.end(now);
                self.hands.offer(rule.query.text(), &alarms);
            }
        }
    }

    /// How groups and their alarms are, in the order of the configuration.
    pub fn groups(&self) -> Vec<GroupView> {
        lives(&self.running).iter().map(|live| live.view()).collect()
    }

    /// Adds its figures.
    pub fn expose(&self, exposition: &mut Exposition) {
        expose::expose(exposition, &lives(&self.running));
    }

    /// Evaluates nothing any more, and writes the file. What fires is not over by that.
    pub async fn stop(&self) {
        {
            let mut running = lock(&self.running);
            running.is_stopped = true;
            // The groups stay, so that their alarms can be written and shown.
            for (live, task) in &running.groups {
                live.state().is_retired = true;
                task.abort();
            }
        }
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            keeper.stop().await;
        }
    }
}

impl Drop for Alarms {
    /// Without [`Alarms::stop`] the file is as it was written last.
    fn drop(&mut self) {
        lock(&self.running).groups.iter().for_each(|(_, task)| task.abort());
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lives(running: &Mutex<Running>) -> Vec<Arc<Live>> {
    lock(running).groups.iter().map(|(live, _)| Arc::clone(live)).collect()
}

#[cfg(test)]
mod tests;
