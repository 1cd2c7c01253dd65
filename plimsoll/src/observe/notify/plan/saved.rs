//! What is kept over restarts: silences, what was told, and the alarms that it was told of.
//!
//! Alarms are kept with their text, so that one that ends while Plimsoll is away can be told to be
//! over. Those that nobody confirms after the start end like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tsdb::labels::Labels;

use super::told::Entry;
use super::{ALARMS_MAX, Held, Plan, Silence, Term, identity};
use crate::observe::Alert;

/// The form of what is kept.
const VERSION: u32 = 1;

/// What is kept, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    silences: Vec<SavedSilence>,
    told: Vec<SavedEntry>,
    alerts: Vec<SavedAlert>,
}

/// Why what was kept cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damaged {
    /// Of another form.
    #[error("it is of version {0}, and this Plimsoll knows version {VERSION}")]
    Version(u32),
    /// A silence that cannot be.
    #[error("silence {0}: {1}")]
    Silence(String, String),
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSilence {
    id: String,
    matchers: Vec<SavedTerm>,
    starts_at: i64,
    ends_at: i64,
    updated_at: i64,
    created_by: String,
    comment: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedTerm {
    name: String,
    value: String,
    is_regex: bool,
    is_equal: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedEntry {
    group: String,
    receiver: String,
    at: i64,
    until: i64,
    firing: Vec<u64>,
    resolved: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedAlert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: i64,
    ends_at: Option<i64>,
    generator_url: String,
    updated_at: i64,
    gap: Option<i64>,
}

impl Plan {
    /// What is to be kept.
    pub fn saved(&self) -> Saved {
        let silence = |silence: &Silence| SavedSilence {
            id: silence.id.clone(),
            matchers: silence.matchers.iter().map(SavedTerm::of).collect(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            updated_at: silence.updated_at,
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
        };
        let entry = |(group, receiver, entry): (&str, &str, &Entry)| SavedEntry {
            group: group.to_owned(),
            receiver: receiver.to_owned(),
            at: entry.at,
            until: entry.until,
            firing: entry.firing.iter().copied().collect(),
            resolved: entry.resolved.iter().copied().collect(),
        };
        Saved {
            version: VERSION,
            silences: self.silences.all().map(silence).collect(),
            told: self.told.all().map(entry).collect(),
            alerts: self.alarms.values().map(SavedAlert::of).collect(),
        }
    }

    /// Goes on from what was kept; `self` is new.
    ///
    /// # Errors
    /// It cannot be used; nothing of it was taken.
    pub fn restore(&mut self, saved: Saved, now: i64) -> Result<(), Damaged> {
        if saved.version != VERSION {
            return Err(Damaged::Version(saved.version));
        }
        let silences: Vec<Silence> =
            saved.silences.into_iter().map(SavedSilence::restored).collect::<Result<_, _>>()?;
        silences.into_iter().for_each(|silence| self.silences.restore(silence));
        for kept in saved.told {
            let entry = Entry {
                at: kept.at,
                firing: kept.firing.into_iter().collect(),
                resolved: kept.resolved.into_iter().collect(),
                until: kept.until,
            };
            self.told.note(&kept.group, &kept.receiver, entry);
        }
        for kept in saved.alerts.into_iter().take(ALARMS_MAX) {
            let held = kept.restored(now);
            let labels = held.alert.labels.clone();
            self.alarms.insert(labels.clone(), held);
            self.group(&labels, now);
        }
        Ok(())
    }
}

impl SavedTerm {
    fn of(term: &Term) -> Self {
        Self {
            name: term.name.clone(),
            value: term.value.clone(),
            is_regex: term.is_regex,
            is_equal: term.is_equal,
        }
    }
}

impl SavedSilence {
    fn restored(self) -> Result<Silence, Damaged> {
        let term = |term: &SavedTerm| {
            Term::new(&term.name, &term.value, term.is_regex, term.is_equal)
                .map_err(|error| Damaged::Silence(self.id.clone(), error.to_string()))
        };
        let matchers = self.matchers.iter().map(term).collect::<Result<_, _>>()?;
        Ok(Silence {
            matchers,
            id: self.id,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            comment: self.comment,
        })
    }
}

impl SavedAlert {
    fn of(held: &Held) -> Self {
        let alert = &held.alert;
        let labels = alert.labels.iter();
        Self {
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            annotations: alert.annotations.clone(),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: alert.generator_url.clone(),
            updated_at: held.updated_at,
            gap: held.gap,
        }
    }

    fn restored(self, now: i64) -> Held {
        let labels = Labels::from_pairs(self.labels);
        let fingerprint = identity::fingerprint(&labels);
        let alert = Arc::new(Alert {
            labels,
            annotations: self.annotations,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            generator_url: self.generator_url,
        });
        // Whoever confirms it has to start first.
        Held { alert, fingerprint, offered_at: now, gap: self.gap, updated_at: self.updated_at }
    }
}
