//! What the plan shows of itself: alarms and groups at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use tsdb::labels::Labels;

use super::Plan;
use super::inhibition::Hushes;
use crate::observe::Alert;

/// An alarm that fires, as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The alarm.
    pub alert: Arc<Alert>,
    /// Of its labels.
    pub fingerprint: u64,
    /// Who is told of it.
    pub receivers: Vec<String>,
    /// Ids of silences that hush it.
    pub silenced_by: Vec<String>,
    /// Fingerprint of the alarm that hushes it.
    pub inhibited_by: Option<u64>,
    /// When it changed last, milliseconds since 1970.
    pub updated_at: i64,
    /// Until when it is believed without being confirmed, milliseconds since 1970.
    pub valid_until: i64,
}

/// Whether people are told of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// They are.
    Active,
    /// A silence or another alarm hushes it.
    Suppressed,
}

impl AlertState {
    /// As Alertmanager names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suppressed => "suppressed",
        }
    }
}

impl Shown {
    /// Whether people are told of it.
    pub fn state(&self) -> AlertState {
        match self.silenced_by.is_empty() && self.inhibited_by.is_none() {
            true => AlertState::Active,
            false => AlertState::Suppressed,
        }
    }
}

/// Alarms that one receiver is told of together.
#[derive(Debug, Clone)]
pub struct GroupShown {
    /// In which they agree.
    pub labels: Labels,
    /// The receiver.
    pub receiver: String,
    /// Those that fire.
    pub alerts: Vec<Arc<Shown>>,
}

impl Plan {
    /// All alarms that fire, by rising fingerprint.
    pub fn shown(&self, now: i64) -> Vec<Arc<Shown>> {
        let firing = self.alarms.iter().filter(|(_, held)| held.fires());
        let hushes = Hushes::of(
            &self.inhibit,
            firing.clone().map(|(labels, held)| (labels, held.fingerprint)),
        );
        let mut shown: Vec<Arc<Shown>> = firing
            .map(|(labels, held)| {
                let mut receivers: Vec<String> = Vec::new();
                for place in self.routes.of_labels(labels) {
                    let more = self.routes.get(place).receivers.iter();
                    let new: Vec<_> = more.filter(|name| !receivers.contains(name)).collect();
                    receivers.extend(new.into_iter().cloned());
                }
                Arc::new(Shown {
                    alert: Arc::clone(&held.alert),
                    fingerprint: held.fingerprint,
                    receivers,
                    silenced_by: self.silences.of(labels, now).map(str::to_owned).collect(),
                    inhibited_by: hushes.by(labels),
                    updated_at: held.updated_at,
                    valid_until: held.valid_until(),
                })
            })
            .collect();
        shown.sort_by_key(|shown| shown.fingerprint);
        shown
    }

    /// All groups with alarms that fire, once for each receiver, by labels.
    pub fn groups_shown(&self, now: i64) -> Vec<GroupShown> {
        let all = self.shown(now);
        let shown: BTreeMap<&Labels, &Arc<Shown>> =
            all.iter().map(|shown| (&shown.alert.labels, shown)).collect();
        let mut groups = Vec::new();
        for ((place, labels), group) in &self.groups {
            let alerts: Vec<Arc<Shown>> = group
                .members
                .iter()
                .filter_map(|member| shown.get(member).copied().cloned())
                .collect();
            if alerts.is_empty() {
                continue;
            }
            groups.extend(self.routes.get(*place).receivers.iter().map(|receiver| GroupShown {
                labels: labels.clone(),
                receiver: receiver.clone(),
                alerts: alerts.clone(),
            }));
        }
        groups.sort_by(|a, b| (&a.labels, &a.receiver).cmp(&(&b.labels, &b.receiver)));
        groups
    }
}
