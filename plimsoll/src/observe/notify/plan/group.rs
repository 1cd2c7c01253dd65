//! Groups of alarms: when they are looked at, and what their receivers are to be told.

use std::collections::BTreeSet;
use std::sync::Arc;

use tsdb::labels::Labels;

use super::inhibition::Hushes;
use super::told::{Entry, Fingerprints};
use super::{GROUPS_MAX, Message, Plan, TIDY_EVERY};
use crate::observe::Alert;

/// While a message of the group is on its way, it is looked at again after this, milliseconds.
const BUSY_FOR: i64 = 1000;
/// A receiver has at least so long to take a message, milliseconds, as in Alertmanager.
const DELIVERY_MIN: i64 = 10_000;

/// The place of a route, and the labels in which the group agrees.
pub(super) type GroupId = (usize, Labels);

/// Alarms that are told of together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: String,
    /// Labels of alarms that are held.
    pub(super) members: BTreeSet<Labels>,
    /// When it is looked at next.
    pub(super) next_at: i64,
    /// Whether it was looked at.
    looked_at: bool,
    /// The look at it that its messages come from.
    look: u64,
    /// Messages that are on their way.
    under_way: usize,
    /// Whether its time came meanwhile.
    overdue: bool,
    /// Whether one of them failed.
    failed: bool,
    /// Alarms that were over at the last look, and since when: they leave once all are told.
    leaving: Vec<(Labels, i64)>,
}

impl Group {
    /// Goes on from what it was before a reload. Messages that are on their way then belong to
    /// none.
    pub(super) fn resume(&mut self, before: &Self) {
        (self.next_at, self.looked_at) = (before.next_at, before.looked_at);
    }
}

/// What a group is about at one moment.
#[derive(Default)]
struct Look {
    firing: Vec<Arc<Alert>>,
    over: Vec<Arc<Alert>>,
    firing_prints: Fingerprints,
    over_prints: Fingerprints,
    /// Over, and hushed.
    unheard: Fingerprints,
    leaving: Vec<(Labels, i64)>,
}

impl Plan {
    /// Puts an alarm into its groups; `false` if there are too many.
    pub(super) fn group(&mut self, labels: &Labels, now: i64) -> bool {
        let Some(held) = self.alarms.get(labels) else { return true };
        let mut grouped = true;
        for place in self.routes.of_labels(labels) {
            let route = self.routes.get(place);
            if route.receivers.is_empty() {
                continue;
            }
            let group_labels = route.group_labels(labels);
            let id = (place, group_labels);
            let waited = held.alert.starts_at.saturating_add(route.wait) <= now;
            if let Some(group) = self.groups.get_mut(&id) {
                if held.fires() {
                    group.members.insert(labels.clone());
                    if !group.looked_at && waited {
                        group.next_at = now;
                    }
                }
                continue;
            }
            // One that is over makes no group, unless somebody must still be told.
            let key = route.group_key(&id.1);
            let is_told = |receiver: &String| {
                self.told
                    .get(&key, receiver)
                    .is_some_and(|entry| entry.firing.contains(&held.fingerprint))
            };
            if !held.fires() && !route.receivers.iter().any(is_told) {
                continue;
            }
            if self.groups.len() >= GROUPS_MAX {
                grouped = false;
                continue;
            }
            let group = Group {
                key,
                members: BTreeSet::from([labels.clone()]),
                next_at: if waited { now } else { now.saturating_add(route.wait) },
                looked_at: false,
                look: 0,
                under_way: 0,
                overdue: false,
                failed: false,
                leaving: Vec::new(),
            };
            self.groups.insert(id, group);
        }
        grouped
    }

    /// Looks at all groups whose time has come. Yields what is to be told, and the labels of alarms
    /// that are over because nobody confirmed them.
    pub fn due(&mut self, now: i64) -> (Vec<Message>, Vec<Labels>) {
        self.realign(now);
        let lost = if self.tidy_at <= now { self.tidy(now) } else { Vec::new() };
        let ids: Vec<GroupId> = self
            .groups
            .iter()
            .filter(|(_, group)| group.next_at <= now)
            .map(|(id, _)| id.clone())
            .collect();
        if ids.is_empty() {
            return (Vec::new(), lost);
        }
        let looks = self.looks(&ids, now);
        let mut messages = Vec::new();
        for (id, look) in ids.into_iter().zip(looks) {
            self.look_at(&id, look, now, &mut messages);
        }
        (messages, lost)
    }

    /// After the clock was set back nothing waits until it is where it was.
    fn realign(&mut self, now: i64) {
        for ((place, _), group) in &mut self.groups {
            let route = self.routes.get(*place);
            let longest = route.wait.max(route.interval).max(BUSY_FOR);
            group.next_at = group.next_at.min(now.saturating_add(longest));
        }
        if self.tidy_at > now.saturating_add(TIDY_EVERY) {
            self.tidy_at = now;
            self.told.realign(now);
        }
    }

    /// What the groups are about, without what is hushed.
    fn looks(&self, ids: &[GroupId], now: i64) -> Vec<Look> {
        let firing = self.alarms.iter().filter(|(_, held)| held.fires());
        let hushes =
            Hushes::of(&self.inhibit, firing.map(|(labels, held)| (labels, held.fingerprint)));
        let look = |id: &GroupId| {
            let mut look = Look::default();
            let members = self.groups.get(id).into_iter().flat_map(|group| &group.members);
            for held in members.filter_map(|labels| self.alarms.get(labels)) {
                let labels = &held.alert.labels;
                let hushed =
                    hushes.by(labels).is_some() || self.silences.of(labels, now).next().is_some();
                if let Some(ended) = held.alert.ends_at {
                    look.leaving.push((labels.clone(), ended));
                }
                match (held.fires(), hushed) {
                    (true, true) => {}
                    (false, true) => drop(look.unheard.insert(held.fingerprint)),
                    (true, false) => {
                        look.firing_prints.insert(held.fingerprint);
                        look.firing.push(Arc::clone(&held.alert));
                    }
                    (false, false) => {
                        look.over_prints.insert(held.fingerprint);
                        look.over.push(Arc::clone(&held.alert));
                    }
                }
            }
            look
        };
        ids.iter().map(look).collect()
    }

    fn look_at(&mut self, id: &GroupId, look: Look, now: i64, messages: &mut Vec<Message>) {
        let route = self.routes.get(id.0);
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.under_way > 0 {
            group.next_at = now.saturating_add(BUSY_FOR);
            group.overdue = true;
            return;
        }
        group.looked_at = true;
        self.looks += 1;
        (group.look, group.failed) = (self.looks, false);
        group.next_at = now.saturating_add(route.interval.max(1));
        let (key, before) = (group.key.clone(), messages.len());
        for receiver in &route.receivers {
            if self.told.forget(&key, receiver, &look.unheard) {
                self.revision += 1;
            }
            let wants_resolved = self.receivers.get(receiver).copied().unwrap_or_default();
            let since = now.saturating_sub(route.repeat);
            let (firing, over) = (&look.firing_prints, &look.over_prints);
            let Some(why) = self.told.needs((&key, receiver), firing, over, wants_resolved, since)
            else {
                continue;
            };
            let until = now.saturating_add(route.repeat.saturating_mul(2).max(route.interval * 2));
            let known = self.told.get(&key, receiver).map(|entry| entry.firing.clone());
            let resolved: Fingerprints = known.map(|known| &known & over).unwrap_or_default();
            if firing.is_empty() && !wants_resolved {
                let (firing, resolved) = (Fingerprints::new(), resolved);
                self.told.note(&key, receiver, Entry { at: now, firing, resolved, until });
                self.revision += 1;
                continue;
            }
            let told_over = look.over.iter().filter(|alert| {
                wants_resolved && resolved.contains(&super::identity::fingerprint(&alert.labels))
            });
            let mut alerts: Vec<Arc<Alert>> =
                look.firing.iter().chain(told_over).map(Arc::clone).collect();
            alerts.sort_by_key(|alert| alert.starts_at);
            messages.push(Message {
                receiver: receiver.clone(),
                group_key: key.clone(),
                group_labels: id.1.clone(),
                alerts,
                why,
                at: now,
                deadline: now.saturating_add(route.interval.max(DELIVERY_MIN)),
                group: Some(id.clone()),
                look: group.look,
                firing: firing.clone(),
                resolved,
                until,
            });
        }
        group.under_way = messages.len() - before;
        group.leaving = look.leaving;
        if group.under_way == 0 {
            self.settle(id);
        }
    }

    /// A message has arrived, or will not.
    pub fn delivered(&mut self, message: &Message, arrived: bool) {
        let Some(id) = &message.group else { return };
        if arrived {
            let entry = Entry {
                at: message.at,
                firing: message.firing.clone(),
                resolved: message.resolved.clone(),
                until: message.until,
            };
            self.told.note(&message.group_key, &message.receiver, entry);
            self.revision += 1;
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.look != message.look || group.under_way == 0 {
            return;
        }
        group.under_way -= 1;
        if group.under_way == 0 && std::mem::take(&mut group.overdue) {
            group.next_at = message.at;
        }
        group.failed |= !arrived;
        if group.under_way == 0 && !group.failed {
            self.settle(id);
        }
    }

    /// All know: alarms that were over leave the group, unless they fire again; a group without any
    /// is forgotten.
    fn settle(&mut self, id: &GroupId) {
        let Some(group) = self.groups.get_mut(id) else { return };
        for (labels, ended) in std::mem::take(&mut group.leaving) {
            let is_over = |held: &super::Held| held.alert.ends_at == Some(ended);
            if self.alarms.get(&labels).is_none_or(is_over) {
                group.members.remove(&labels);
            }
        }
        if group.members.is_empty() {
            self.groups.remove(id);
        }
    }
}
