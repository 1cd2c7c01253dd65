//! Who is told of which alarms, when, and why: Alertmanager's dispatcher without its tasks.
//!
//! It holds every alarm that fires, puts alarms into groups, and yields messages when their time
//! has come. Timers mean what they mean in Alertmanager: a new group waits `group_wait` for more
//! (not at all if its alarm is older than that); from then on it is looked at every
//! `group_interval`, and told of if it has changed or `repeat_interval` is over.
//!
//! Invariants: what a receiver was told is noted only once it has taken the message, so one that
//! failed is told at the next look; an alarm that ended leaves its group only once all its receivers
//! know; an alarm is its labels.
//!
//! Time is milliseconds since 1970 and is passed in. Left out: sending, keeping, retrying.

mod group;
pub mod identity;
mod inhibition;
mod route;
mod saved;
mod silences;
#[cfg(test)]
mod tests;
mod told;
mod view;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tsdb::labels::Labels;

use self::group::{Group, GroupId};
use self::route::Routes;
use self::silences::Silences;
use self::told::{Fingerprints, Told};
use crate::config::model::observe::{Inhibition, Notify};
use crate::observe::Alert;
pub use saved::Saved;
pub use silences::{Silence, SilenceError, SilenceState, Term};
pub use told::Why;
pub use view::{AlertState, GroupShown, Shown};

/// Alarms that are held; more are refused, and counted.
pub const ALARMS_MAX: usize = 20_000;
/// Groups that are held; alarms that would need more are not told of, and counted.
pub const GROUPS_MAX: usize = 10_000;
/// An alarm that nobody has confirmed for this long is over, milliseconds.
const CONFIRMED_WITHIN: i64 = 5 * 60_000;
/// The same for an alarm that was offered only once, so that nobody knows how often it will be.
const CONFIRMED_ONCE_WITHIN: i64 = 3_600_000;
/// An alarm is confirmed at each evaluation of its rule; as many may be missed.
const MISSED_MAX: i64 = 4;
/// An alarm that is over is held for so long at least, so that it is known when it is offered again.
const OVER_KEPT: i64 = 15 * 60_000;
/// Between two looks for what is to be forgotten.
const TIDY_EVERY: i64 = 30_000;

/// A message for a receiver.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its name.
    pub receiver: String,
    /// The group, over restarts and reloads.
    pub group_key: String,
    /// Labels in which its alarms agree.
    pub group_labels: Labels,
    /// Those that fire and those that are over, oldest first; at least one.
    pub alerts: Vec<Arc<Alert>>,
    /// Why now.
    pub why: Why,
    /// When it was decided.
    pub at: i64,
    /// After this, trying again is of no use: the group is looked at anew.
    pub deadline: i64,
    group: Option<GroupId>,
    /// The look at the group that it comes from.
    look: u64,
    firing: Fingerprints,
    resolved: Fingerprints,
    /// When what was told is forgotten.
    until: i64,
}

impl Message {
    /// How many of its alarms fire.
    pub fn firing(&self) -> usize {
        self.alerts.iter().filter(|alert| alert.ends_at.is_none()).count()
    }

    /// A message of its own, outside all groups, to try a receiver.
    pub fn test(receiver: &str, alert: Alert, at: i64, deadline: i64) -> Self {
        Self {
            receiver: receiver.to_owned(),
            group_key: format!("{{}}/test:{}", identity::label_set(&alert.labels)),
            group_labels: alert.labels.clone(),
            alerts: vec![Arc::new(alert)],
            why: Why::Test,
            at,
            deadline,
            group: None,
            look: 0,
            firing: Fingerprints::new(),
            resolved: Fingerprints::new(),
            until: at,
        }
    }
}

/// An alarm that is held.
#[derive(Debug, Clone)]
struct Held {
    alert: Arc<Alert>,
    fingerprint: u64,
    /// When it was offered last.
    offered_at: i64,
    /// The longest time between two offers.
    gap: Option<i64>,
    /// When it changed last.
    updated_at: i64,
}

impl Held {
    /// Until when it is believed to fire without being offered again.
    fn valid_until(&self) -> i64 {
        let patience = match self.gap {
            Some(gap) => CONFIRMED_WITHIN.max(gap.saturating_mul(MISSED_MAX)),
            None => CONFIRMED_ONCE_WITHIN,
        };
        self.offered_at.saturating_add(patience)
    }

    fn fires(&self) -> bool {
        self.alert.ends_at.is_none()
    }
}

/// What became of alarms that were offered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Alarms that are not held because there are too many.
    pub refused: usize,
    /// Alarms without a group because there are too many groups.
    pub ungrouped: usize,
}

/// All that decides.
#[derive(Debug)]
pub struct Plan {
    routes: Routes,
    /// Whether each receiver is told when an alarm is over.
    receivers: BTreeMap<String, bool>,
    inhibit: Vec<Inhibition>,
    alarms: BTreeMap<Labels, Held>,
    groups: BTreeMap<GroupId, Group>,
    told: Told,
    silences: Silences,
    /// When to look for what is to be forgotten.
    tidy_at: i64,
    /// Looks at groups so far.
    looks: u64,
    /// Rises with each change that is worth keeping.
    revision: u64,
}

impl Plan {
    /// Without any alarm.
    pub fn new(notify: &Notify) -> Self {
        let mut plan = Self {
            routes: Routes::of(notify),
            receivers: BTreeMap::new(),
            inhibit: Vec::new(),
            alarms: BTreeMap::new(),
            groups: BTreeMap::new(),
            told: Told::default(),
            silences: Silences::default(),
            tidy_at: 0,
            looks: 0,
            revision: 0,
        };
        plan.apply(notify, 0);
        plan
    }

    /// Goes by other settings from now on. Groups that stay the same keep their timers, and what
    /// was told of them is not told again.
    pub fn apply(&mut self, notify: &Notify, now: i64) {
        self.routes = Routes::of(notify);
        let receivers = notify.receivers.iter();
        self.receivers = receivers.map(|(name, to)| (name.clone(), to.resolved)).collect();
        self.inhibit = notify.inhibit.clone();
        let before: BTreeMap<String, Group> = std::mem::take(&mut self.groups)
            .into_values()
            .map(|group| (group.key.clone(), group))
            .collect();
        for labels in self.alarms.keys().cloned().collect::<Vec<_>>() {
            self.group(&labels, now);
        }
        for group in self.groups.values_mut() {
            if let Some(before) = before.get(&group.key) {
                group.resume(before);
            }
        }
    }

    /// Takes alarms: all that fire of one evaluation, and those that ended (at least once).
    pub fn offer(&mut self, alerts: Vec<Alert>, now: i64) -> Offered {
        let mut offered = Offered::default();
        for alert in alerts {
            match self.hold(alert, now) {
                Taken::Held(labels) => offered.ungrouped += usize::from(!self.group(&labels, now)),
                Taken::Ignored => {}
                Taken::Refused => offered.refused += 1,
            }
        }
        offered
    }

    fn hold(&mut self, alert: Alert, now: i64) -> Taken {
        let labels = alert.labels.clone();
        let Some(held) = self.alarms.get_mut(&labels) else {
            // Nobody was told of it, so nobody needs to know that it is over.
            if alert.ends_at.is_some() {
                return Taken::Ignored;
            }
            if self.alarms.len() >= ALARMS_MAX {
                return Taken::Refused;
            }
            let fingerprint = identity::fingerprint(&labels);
            let held = Held {
                alert: Arc::new(alert),
                fingerprint,
                offered_at: now,
                gap: None,
                updated_at: now,
            };
            self.alarms.insert(labels.clone(), held);
            self.revision += 1;
            return Taken::Held(labels);
        };
        let was_over = !held.fires();
        if was_over && alert.ends_at.is_some() {
            return Taken::Ignored;
        }
        if !was_over {
            held.gap = held.gap.max(Some(now - held.offered_at));
        }
        held.offered_at = now;
        if *held.alert != alert {
            held.alert = Arc::new(alert);
            held.updated_at = now;
            self.revision += 1;
        }
        Taken::Held(labels)
    }

    /// When [`Plan::due`] has something to do next.
    pub fn next_at(&self) -> i64 {
        self.groups.values().map(|group| group.next_at).min().unwrap_or(i64::MAX).min(self.tidy_at)
    }

    /// Forgets what is of no use any more, and ends alarms that nobody confirms. Yields their labels.
    fn tidy(&mut self, now: i64) -> Vec<Labels> {
        self.tidy_at = now.saturating_add(TIDY_EVERY);
        let mut lost = Vec::new();
        for held in self.alarms.values_mut().filter(|held| held.fires()) {
            if held.valid_until() <= now {
                lost.push(held.alert.labels.clone());
                let over = Alert { ends_at: Some(now), ..Alert::clone(&held.alert) };
                (held.alert, held.updated_at) = (Arc::new(over), now);
            }
        }
        let grouped: HashSet<&Labels> =
            self.groups.values().flat_map(|group| &group.members).collect();
        let before = self.alarms.len();
        self.alarms.retain(|labels, held| {
            let is_old = |ended: i64| ended.saturating_add(OVER_KEPT) <= now;
            !held.alert.ends_at.is_some_and(is_old) || grouped.contains(labels)
        });
        let changed = [
            self.told.expire(now),
            self.silences.drop_old(now),
            !lost.is_empty(),
            self.alarms.len() < before,
        ];
        self.revision += u64::from(changed.contains(&true));
        lost
    }

    /// Makes a silence, or edits the one of its id; yields its id. `random` becomes the id of a new
    /// one.
    ///
    /// # Errors
    /// It cannot be; the words are Alertmanager's where it has some.
    pub fn silence(
        &mut self,
        silence: Silence,
        random: u128,
        now: i64,
    ) -> Result<String, SilenceError> {
        let id = self.silences.set(silence, random, now)?;
        self.revision += 1;
        Ok(id)
    }

    /// Ends a silence now.
    ///
    /// # Errors
    /// There is none of this id, or it is over.
    pub fn expire(&mut self, id: &str, now: i64) -> Result<(), SilenceError> {
        self.silences.expire(id, now)?;
        self.revision += 1;
        Ok(())
    }

    /// All silences, in no order that matters.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.all()
    }

    /// One silence.
    pub fn silence_of(&self, id: &str) -> Option<&Silence> {
        self.silences.get(id)
    }

    /// Rises with each change that is worth keeping on the disk.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All alarms that fire, and those that ended lately.
    pub fn alarms(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.alarms.values().map(|held| &held.alert)
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }
}

enum Taken {
    Held(Labels),
    Ignored,
    Refused,
}
