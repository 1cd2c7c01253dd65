//! Which firing alarms hush which others.
//!
//! As in Alertmanager, an alarm that is both source and target of a rule is not hushed by another
//! of its kind, and so never by itself.

use std::collections::HashMap;

use tsdb::labels::Labels;
use tsdb::source::Matcher;

use crate::config::model::observe::Inhibition;

/// The firing alarms that hush others, ready to be looked up.
pub(super) struct Hushes<'a> {
    rules: Vec<(&'a Inhibition, HashMap<Vec<&'a str>, Sources>)>,
}

/// Those with the same values in the labels that must be equal.
struct Sources {
    any: u64,
    /// One that is not a target of the same rule.
    one_sided: Option<u64>,
}

impl<'a> Hushes<'a> {
    /// Of the alarms that fire, with their fingerprints.
    pub(super) fn of(
        rules: &'a [Inhibition],
        firing: impl Iterator<Item = (&'a Labels, u64)> + Clone,
    ) -> Self {
        let sources = |rule: &'a Inhibition| {
            let mut sources: HashMap<Vec<&str>, Sources> = HashMap::new();
            for (labels, fingerprint) in firing.clone().filter(|(l, _)| all(&rule.source, l)) {
                let one_sided = (!all(&rule.target, labels)).then_some(fingerprint);
                let known = sources
                    .entry(values(rule, labels))
                    .or_insert(Sources { any: fingerprint, one_sided });
                known.one_sided = known.one_sided.or(one_sided);
            }
            (rule, sources)
        };
        Self { rules: rules.iter().map(sources).collect() }
    }

    /// The alarm that hushes this one, if any.
    pub(super) fn by(&self, labels: &Labels) -> Option<u64> {
        self.rules.iter().filter(|(rule, _)| all(&rule.target, labels)).find_map(
            |(rule, sources)| {
                let found = sources.get(&values(rule, labels))?;
                if all(&rule.source, labels) { found.one_sided } else { Some(found.any) }
            },
        )
    }
}

fn values<'l>(rule: &Inhibition, labels: &'l Labels) -> Vec<&'l str> {
    rule.equal.iter().map(|name| labels.get(name).unwrap_or_default()).collect()
}

/// Whether all matchers hold.
pub(super) fn all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.accepts_labels(labels))
}
