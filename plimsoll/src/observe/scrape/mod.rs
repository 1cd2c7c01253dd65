//! Scraping: everything that asks targets for their figures and stores what they say.
//!
//! ```text
//!  targets (configuration + servers of the moment)
//!     │
//!  plan: who is due ──▶ fetch / host / own text ──▶ ingest: parse, labels, limits ──▶ storage
//!                                                     └ up, …, STALE for what is gone
//! ```
//!
//! Every kind of target yields a page of text and goes the same way from there, Plimsoll's own
//! figures too. One task (`run`) keeps time; each scrape is a task of its own, so that a target that
//! is slow, huge, garbage or gone costs itself only.
//!
//! Invariants: a target is scraped at most once at a time; how many are asked at once, how many large
//! bodies are in memory, how long and how large each may be, is bounded; a target that was taken away
//! ends its series. It leaves out what figures mean (rules) and where samples go further (remote
//! write).

mod announce;
mod failure;
mod fetch;
mod figures;
mod host;
mod identity;
mod ingest;
mod metadata;
#[cfg(test)]
mod peers;
mod plan;
mod process;
mod run;
mod span;
mod state;
mod target;
mod targets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tsdb::exposition::Exposition;

use crate::config::model::Service;
use crate::config::model::observe::Observe;
use crate::log;
use crate::observe::storage::Storage;
use crate::observe::views::{MetadataView, TargetView};
use crate::observe::{InstanceAt, PART, now};
use fetch::LargeBodies;
use figures::Figures;
use state::State;
use targets::Facts;

/// Targets that are asked at once; further ones wait. Those that took their time before wait among
/// themselves: what is gone keeps nobody else waiting.
const QUICK_SCRAPES_MAX: usize = 192;
const SLOW_SCRAPES_MAX: usize = 64;
/// Of them, those whose body is large; each may take the largest size that is configured.
const QUICK_LARGE_BODIES_MAX: usize = 6;
const SLOW_LARGE_BODIES_MAX: usize = 2;
/// Pages that are read and stored at once.
const STORING_MAX: usize = 4;
/// The name of this machine where the system does not say.
const HOST_UNKNOWN: &str = "localhost";

/// What scraping gets from other parts.
pub struct Inputs {
    /// Plimsoll's own figures, as a page of text.
    pub own: Arc<dyn Fn() -> String + Send + Sync>,
    /// Their `instance` label: host name and admin port.
    pub own_instance: String,
    /// The servers of all services.
    pub instances: watch::Receiver<Arc<[InstanceAt]>>,
}

impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs").field("own_instance", &self.own_instance).finish_non_exhaustive()
    }
}

/// Scraping, at work. When it is dropped, it ends by itself.
pub struct Scraper {
    shared: Arc<Shared>,
    /// `true` ends the work; written by `stop`.
    stop: watch::Sender<bool>,
    /// Taken by `stop`.
    runner: Mutex<Option<JoinHandle<()>>>,
}

/// What the runner, its scrapes and those who ask have in common.
struct Shared {
    storage: Arc<Storage>,
    inputs: Arc<Inputs>,
    /// For targets that answer at once.
    quick: Places,
    /// For those that do not.
    slow: Places,
    /// Places for reading and storing pages.
    storing: Arc<Semaphore>,
    /// Written by the runner and by `apply`; held for a moment.
    state: Mutex<State>,
    /// Tells the runner that there are other targets.
    changed: Notify,
    /// Written by the runner; read by `expose`.
    figures: Mutex<Figures>,
}

/// How many scrapes go on at once.
struct Places {
    scrapes: Semaphore,
    large: LargeBodies,
}

impl Places {
    fn new(scrapes: usize, large: usize) -> Self {
        Self { scrapes: Semaphore::new(scrapes), large: LargeBodies::new(large) }
    }
}

impl Shared {
    /// Finds the targets anew.
    fn renew(&self) {
        self.renew_in(&mut lock(&self.state));
    }

    /// The servers are asked for under the lock: of two who find targets at once, the later must not
    /// have the older servers.
    fn renew_in(&self, state: &mut State) {
        let instances = self.inputs.instances.borrow().clone();
        for clash in state.renew(&instances, now()) {
            log::warn(PART, clash.to_string());
        }
    }
}

/// What is likely not meant in the targets that a configuration names, one line each.
pub fn warnings(observe: &Observe) -> Vec<String> {
    targets::clashes(&targets::named(observe)).iter().map(ToString::to_string).collect()
}

impl Scraper {
    /// Begins to scrape. To be called in a runtime.
    pub fn start(
        storage: Arc<Storage>,
        observe: &Arc<Observe>,
        services: &BTreeMap<String, Arc<Service>>,
        inputs: Inputs,
    ) -> Self {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let facts = Facts {
            observe: Arc::clone(observe),
            metrics: targets::metrics_of(services),
            own_instance: inputs.own_instance.clone(),
            host: host.unwrap_or_else(|| HOST_UNKNOWN.to_owned()),
        };
        let shared = Arc::new(Shared {
            storage,
            inputs: Arc::new(inputs),
            quick: Places::new(QUICK_SCRAPES_MAX, QUICK_LARGE_BODIES_MAX),
            slow: Places::new(SLOW_SCRAPES_MAX, SLOW_LARGE_BODIES_MAX),
            storing: Arc::new(Semaphore::new(STORING_MAX)),
            state: Mutex::new(State::new(facts)),
            changed: Notify::new(),
            figures: Mutex::default(),
        });
        let mut instances = shared.inputs.instances.clone();
        instances.mark_unchanged();
        shared.renew();
        let (stop, stopped) = watch::channel(false);
        let runner = tokio::spawn(run::run(Arc::clone(&shared), instances, stopped));
        Self { shared, stop, runner: Mutex::new(Some(runner)) }
    }

    /// Takes another configuration. Targets that are in both go on undisturbed; series of those that
    /// are gone end.
    pub fn apply(&self, observe: &Arc<Observe>, services: &BTreeMap<String, Arc<Service>>) {
        {
            let mut state = lock(&self.shared.state);
            state.configure(observe, services);
            self.shared.renew_in(&mut state);
        }
        self.shared.changed.notify_one();
    }

    /// All targets, also those that are not asked, by job and labels.
    pub fn targets(&self) -> Vec<TargetView> {
        let (targets, others) = lock(&self.shared.state).all();
        let mut views: Vec<TargetView> = targets.iter().map(|target| target.view()).collect();
        views.extend(others.iter().map(target::view));
        views.sort_by(|one, other| (&one.job, &one.labels).cmp(&(&other.job, &other.labels)));
        views
    }

    /// What targets say of their metrics. Waits for a page that is just being read.
    pub fn metadata(&self) -> Vec<MetadataView> {
        let (targets, _) = lock(&self.shared.state).all();
        targets.iter().flat_map(|target| target.metadata()).collect()
    }

    /// Writes down how scraping goes, and what Plimsoll's process uses.
    pub fn expose(&self, exposition: &mut Exposition) {
        lock(&self.shared.figures).expose(exposition);
        process::expose(exposition);
    }

    /// Ends scraping: what is going on has a moment to come to its end, nothing begins. Series do not
    /// end, because they go on after the next start.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let runner = lock(&self.runner).take();
        if let Some(runner) = runner {
            // A panic of the runner has been printed; there is nothing left to stop.
            let _ = runner.await;
        }
    }
}

/// A panic elsewhere leaves nothing half-changed that matters more than going on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
