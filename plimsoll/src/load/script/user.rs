//! One user: what it knows, keeps and remembers between its steps.
//!
//! Invariants: a user is driven by one thread; its random choices follow from the run's seed, its
//! group and its number alone; its memory is bounded by the plan and the named bounds here.
//! Left out: where it is in its steps (see `cursor`), what users share (see `run`).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::cookies::Jar;
use super::cursor::Cursor;
use super::run::Shared;
use super::template;
use crate::config::bench::model::{Cookies, OnError, Slot};
use crate::load::client::Origin;
use crate::load::client::dial::Purpose;

/// Most variables that a user holds beside those that the plan names.
const NAMED_MAX: usize = 10_000;

/// Something that does iterations: a user of the closed model, or an arrival of the open one.
#[derive(Debug)]
pub struct User {
    pub(super) group: usize,
    pub(super) number: u64,
    pub(super) iteration: u64,
    /// The time of the last `next`, since the run's start.
    pub(super) now: Duration,
    pub(super) random: Rng,
    pub(super) jar: Jar,
    pub(super) cursor: Cursor,
    pub(super) on_error: OnError,
    pub(super) last_succeeded: bool,
    /// What a failed request makes the user do, until it has done it.
    pub(super) ending: Option<OnError>,
    /// Why a step before the next request could not be done; that request fails for it.
    pub(super) problem: Option<String>,
    /// The last origin, and the text of a URL that it came from.
    pub(super) origin: Option<(String, Purpose, Rc<Origin>)>,
    /// Kept for its memory: URLs are rendered into it.
    pub(super) scratch: String,
    pub(super) kept: Kept,
    variables: Vec<Option<Arc<str>>>,
    named: HashMap<String, Arc<str>>,
    is_set_up: bool,
}

/// Counts that a user keeps of steps and calls, by their ids; as long as they were needed so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Values that a call counted.
    pub(super) counters: Vec<u64>,
    /// Rounds of a share.
    pub(super) shares: Vec<u64>,
    /// Rounds of an interleaving.
    pub(super) interleavings: Vec<u64>,
    /// Whether something that is done once was done.
    pub(super) onces: Vec<bool>,
    /// When a pace lets it pass again.
    pub(super) paces: Vec<Duration>,
    /// Rows taken of a feed.
    pub(super) feeds: Vec<u64>,
}

/// The entry of an id, made if it is the first time.
pub(super) fn entry<T: Clone + Default>(list: &mut Vec<T>, id: usize) -> &mut T {
    if list.len() <= id {
        list.resize(id + 1, T::default());
    }
    &mut list[id]
}

impl User {
    /// The `number`-th user (from 1) of a group of the plan.
    pub fn new(shared: &Shared, group: usize, number: u64) -> Self {
        let plan = shared.plan();
        let of_group = plan.groups.get(group);
        Self {
            group,
            number,
            iteration: 0,
            now: Duration::ZERO,
            random: Rng::with_seed(shared.seed(group, number)),
            jar: Jar::default(),
            cursor: Cursor::default(),
            on_error: of_group.map_or(OnError::default(), |group| group.on_error),
            last_succeeded: true,
            ending: None,
            problem: None,
            origin: None,
            scratch: String::new(),
            kept: Kept::default(),
            variables: vec![None; plan.variables.len()],
            named: HashMap::new(),
            is_set_up: false,
        }
    }

    /// Begins an iteration, whatever became of the one before. `now` is since the run's start.
    pub fn begin_iteration(&mut self, shared: &Shared, now: Duration) {
        self.now = now;
        self.iteration += 1;
        self.cursor.restart();
        self.ending = None;
        let group = shared.plan().groups.get(self.group);
        let fresh = group.is_some_and(|group| group.fresh_users);
        if fresh || group.is_some_and(|group| group.cookies == Cookies::FreshEachIteration) {
            self.jar.clear();
        }
        if fresh || !self.is_set_up {
            self.is_set_up = true;
            self.set_up(shared);
        }
    }

    /// Tells that the last request got no answer, or could not be made.
    pub fn failed(&mut self) {
        self.last_succeeded = false;
        self.cursor.fail_transactions();
        if self.on_error != OnError::Continue {
            self.ending = Some(self.on_error);
        }
    }

    /// Gives variables the values that they begin with.
    fn set_up(&mut self, shared: &Shared) {
        self.variables.fill(None);
        self.named.clear();
        for (slot, variable) in shared.plan().variables.iter().enumerate() {
            let Some(initial) = &variable.initial else { continue };
            match template::render(initial, self, shared) {
                Ok(value) => self.set(slot, value.into()),
                Err(problem) => self.stumble(format!("variable {}: {problem}", variable.name)),
            }
        }
    }

    /// The wall clock, as of the last `next`.
    pub(super) fn wall(&self, shared: &Shared) -> Timestamp {
        shared.wall(self.now)
    }

    /// Remembers why a step could not be done, so that the next request fails for it.
    pub(super) fn stumble(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// The value of a variable, if it is set.
    pub(super) fn get(&self, slot: Slot) -> Option<&Arc<str>> {
        self.variables.get(slot)?.as_ref()
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, slot: Slot, value: Arc<str>) {
        if let Some(place) = self.variables.get_mut(slot) {
            *place = Some(value);
        }
    }

    /// Makes a variable unset.
    pub(super) fn unset(&mut self, slot: Slot) {
        if let Some(place) = self.variables.get_mut(slot) {
            *place = None;
        }
    }

    /// The value of a variable by its name.
    pub(super) fn get_named(&self, name: &str, shared: &Shared) -> Option<&Arc<str>> {
        match shared.slot(name) {
            Some(slot) => self.get(slot),
            None => self.named.get(name),
        }
    }

    /// Sets a variable by its name. One that the plan does not name is kept only where it may be
    /// asked for, and not beyond a bound.
    pub(super) fn set_named(&mut self, name: &str, value: Arc<str>, shared: &Shared) {
        if let Some(slot) = shared.slot(name) {
            return self.set(slot, value);
        }
        let is_known = self.named.contains_key(name);
        if shared.asks_by_name() && (is_known || self.named.len() < NAMED_MAX) {
            self.named.insert(name.to_owned(), value);
        }
    }

    /// Makes a variable unset by its name; whether it was set.
    pub(super) fn unset_named(&mut self, name: &str, shared: &Shared) -> bool {
        match shared.slot(name) {
            Some(slot) => {
                let was_set = self.get(slot).is_some();
                self.unset(slot);
                was_set
            }
            None => self.named.remove(name).is_some(),
        }
    }
}
