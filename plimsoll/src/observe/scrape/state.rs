//! The targets of the moment, and which of them go on when others come.
//!
//! A target is known by its labels and by what is asked: with the same of both it keeps its place in
//! time, its series and its condition, whatever else a new configuration says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tsdb::labels::Labels;

use super::fetch::Readers;
use super::plan::{self, Id, Plan};
use super::target::Target;
use super::targets::{self, Clash, Facts, Fate, Wanted};
use crate::config::model::Service;
use crate::config::model::observe::Observe;
use crate::observe::InstanceAt;

/// Services by name.
type Services = BTreeMap<String, Arc<Service>>;

/// The targets, and when they are due.
#[derive(Debug)]
pub(super) struct State {
    /// What decides about targets.
    facts: Facts,
    /// Ticks of `targets`.
    pub plan: Plan,
    targets: BTreeMap<Id, Arc<Target>>,
    ids: BTreeMap<(Labels, String), Id>,
    /// Not asked.
    others: Vec<Wanted>,
    readers: Readers,
    last_id: Id,
    former: Vec<Former>,
    /// Labels of several targets that were told of.
    clashing: BTreeSet<Labels>,
}

/// A target that was taken away and whose series have not been ended yet.
#[derive(Debug)]
pub(super) struct Former {
    /// Its former number.
    pub id: Id,
    /// Itself.
    pub target: Arc<Target>,
    /// When it was taken away.
    pub at: i64,
}

impl State {
    /// No targets yet.
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            plan: Plan::default(),
            targets: BTreeMap::new(),
            ids: BTreeMap::new(),
            others: Vec::new(),
            readers: Readers::default(),
            last_id: 0,
            former: Vec::new(),
            clashing: BTreeSet::new(),
        }
    }

    /// Takes another configuration; [`State::renew`] is to follow.
    pub(super) fn configure(&mut self, observe: &Arc<Observe>, services: &Services) {
        self.facts.observe = Arc::clone(observe);
        self.facts.metrics = targets::metrics_of(services);
        self.readers.forget_files();
    }

    /// Finds the targets of the configuration and of these servers. Says which of them have come to
    /// clash, but for what the configuration alone says: that is told where it is read.
    pub(super) fn renew(&mut self, instances: &[InstanceAt], now: i64) -> Vec<Clash> {
        let all = targets::all(&self.facts, instances);
        let mut clashes = targets::clashes(&all);
        clashes.retain(|clash| !clash.is_named);
        let clashing = clashes.iter().map(|clash| clash.labels.clone()).collect();
        let told = std::mem::replace(&mut self.clashing, clashing);
        clashes.retain(|clash| !told.contains(&clash.labels));
        self.readers.renew(&all);
        self.others.clear();
        let mut before = std::mem::take(&mut self.ids);
        for wanted in all {
            if wanted.fate != Fate::Asked {
                self.others.push(wanted);
                continue;
            }
            let key = (wanted.labels.clone(), wanted.url());
            if self.ids.contains_key(&key) {
                // The same twice is once, as in Prometheus.
                continue;
            }
            let reader = self.readers.of(&wanted);
            // The host's name keeps two Plimsolls with the same targets apart.
            let hash = plan::hash(&[&self.facts.host, &key.0.to_string(), &key.1]);
            let every = wanted.every;
            let known = before.remove(&key);
            let id = match known.and_then(|id| Some((id, self.targets.get(&id)?))) {
                Some((id, target)) => {
                    target.change(wanted, reader);
                    id
                }
                None => {
                    self.last_id += 1;
                    self.targets.insert(self.last_id, Arc::new(Target::new(wanted, reader)));
                    self.last_id
                }
            };
            self.plan.set(id, every, hash, now);
            self.ids.insert(key, id);
        }
        for id in before.into_values() {
            self.plan.remove(id);
            if let Some(target) = self.targets.remove(&id) {
                self.former.push(Former { id, target, at: now });
            }
        }
        clashes
    }

    /// One of them.
    pub(super) fn target(&self, id: Id) -> Option<Arc<Target>> {
        self.targets.get(&id).cloned()
    }

    /// Copies of all, and of what is not asked.
    pub(super) fn all(&self) -> (Vec<Arc<Target>>, Vec<Wanted>) {
        (self.targets.values().cloned().collect(), self.others.clone())
    }

    /// Those whose series are to be ended; they are handed out once.
    pub(super) fn take_former(&mut self) -> Vec<Former> {
        std::mem::take(&mut self.former)
    }
}
