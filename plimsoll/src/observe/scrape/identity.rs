//! The labels that a scraped series gets, and whether it may have them.
//!
//! As in Prometheus: the target's labels win and the series' own of the same name are renamed
//! `exported_…`, or the other way round with `honor_labels`, where an empty label of the series keeps
//! the target's away; then come the rules for series; then the bounds.

use tsdb::exposition::Sample;
use tsdb::labels::{Labels, NAME};
use tsdb::relabel::relabel;

use super::failure::Failure;
use super::targets::Intake;
use crate::config::model::observe::ScrapeLimits;

/// What stands before the name of a label that has to give way.
const EXPORTED: &str = "exported_";
/// Characters of a label that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// The labels of a series; `None` if a rule drops it.
///
/// # Errors
/// It has labels that it may not have.
pub(super) fn labels(
    sample: &Sample<'_>,
    target: &Labels,
    intake: &Intake,
) -> Result<Option<Labels>, Failure> {
    let joined =
        if intake.honor_labels { honored(sample, target) } else { renamed(sample, target) };
    let Some(labels) = relabel(&intake.metric_relabel, &joined) else { return Ok(None) };
    if labels.name().is_empty() {
        let words = format!("{}: no `__name__` is left after metric_relabel", sample.series);
        return Err(Failure::Labels(words));
    }
    check(&labels, &intake.limits)?;
    Ok(Some(labels))
}

/// The series' labels win, also empty ones.
fn honored(sample: &Sample<'_>, target: &Labels) -> Labels {
    let name = (NAME, sample.name.text());
    let own: Vec<_> =
        sample.labels().iter().map(|label| (label.name.text(), label.value.text())).collect();
    let others = target.iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
    let pairs = own.iter().map(|(name, value)| (&**name, &**value)).chain(others);
    Labels::from_pairs(pairs.chain([(name.0, &*name.1)]))
}

/// The target's labels win.
pub(super) fn renamed(sample: &Sample<'_>, target: &Labels) -> Labels {
    let own = sample.to_labels();
    let mut pairs: Vec<(String, &str)> = Vec::with_capacity(own.len() + target.len());
    let mut moved = Vec::new();
    for (name, value) in own.iter() {
        match target.get(name) {
            Some(_) => moved.push((name, value)),
            None => pairs.push((name.to_owned(), value)),
        }
    }
    pairs.extend(target.iter().map(|(name, value)| (name.to_owned(), value)));
    // Who has the shorter name chooses first, as in Prometheus.
    moved.sort_by_key(|(name, _)| name.len());
    for (name, value) in moved {
        let mut other = format!("{EXPORTED}{name}");
        // Ends: each round makes a longer name, and there are few.
        while pairs.iter().any(|(known, _)| *known == other) || own.get(&other).is_some() {
            other.insert_str(0, EXPORTED);
        }
        pairs.push((other, value));
    }
    Labels::from_pairs(pairs)
}

fn check(labels: &Labels, limits: &ScrapeLimits) -> Result<(), Failure> {
    let over = |what: String, max: usize, key: &str| {
        let name = shown(labels.name());
        Err(Failure::Limit(format!("{name} has {what}, more than {max} (observe.scrape.{key})")))
    };
    if labels.len() > limits.labels {
        return over(format!("{} labels", labels.len()), limits.labels, "max_labels");
    }
    for (name, value) in labels.iter() {
        if name.len() > limits.label_name_bytes {
            let what = format!("a label `{}` of {} bytes", shown(name), name.len());
            return over(what, limits.label_name_bytes, "max_label_name");
        }
        if value.len() > limits.label_value_bytes {
            let what = format!("a value of the label `{}` of {} bytes", shown(name), value.len());
            return over(what, limits.label_value_bytes, "max_label_value");
        }
    }
    Ok(())
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
