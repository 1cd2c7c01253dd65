//! Targets that are told apart by nothing: their series, `up` first of all, would be one.

use std::collections::BTreeMap;
use std::fmt;

use tsdb::labels::Labels;

use super::{Fate, Wanted};

/// Several targets with the same labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::observe::scrape) struct Clash {
    /// Of all of them.
    pub labels: Labels,
    /// Whether the configuration alone says so.
    pub is_named: bool,
    one: String,
    other: String,
    /// Further ones.
    others: usize,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { labels, one, other, others, .. } = self;
        write!(f, "{one} and {other}")?;
        if *others > 0 {
            write!(f, " (and {others} more)")?;
        }
        write!(
            f,
            " have the same labels, {labels}, so that each spoils the figures of the other; put them \
             into jobs of different names, or give each a label of its own by `relabel`"
        )
    }
}

/// Every clash of targets that are asked. The same twice is once, and no clash.
pub(in crate::observe::scrape) fn clashes(targets: &[Wanted]) -> Vec<Clash> {
    let mut first: BTreeMap<&Labels, &Wanted> = BTreeMap::new();
    let mut found: BTreeMap<&Labels, Clash> = BTreeMap::new();
    for target in targets.iter().filter(|target| target.fate == Fate::Asked) {
        let one = *first.entry(&target.labels).or_insert(target);
        if one.url() == target.url() {
            continue;
        }
        if let Some(clash) = found.get_mut(&target.labels) {
            clash.others += 1;
            clash.is_named &= target.is_listed();
            continue;
        }
        let clash = Clash {
            labels: target.labels.clone(),
            is_named: one.is_listed() && target.is_listed(),
            one: one.name(),
            other: target.name(),
            others: 0,
        };
        found.insert(&target.labels, clash);
    }
    found.into_values().collect()
}
