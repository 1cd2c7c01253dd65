//! Who is to blame when there are too many series: metrics with most series, labels with most values.

use std::fmt;

use super::Index;
use crate::labels::NAME;

/// A name and how many it has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offender {
    /// Series, or different values.
    pub count: usize,
    /// Name of a metric, or of a label.
    pub name: String,
}

/// What makes up most of the series; the worst come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offenders {
    /// Metrics by number of series.
    pub metrics: Vec<Offender>,
    /// Labels, but the metric's name, by number of values.
    pub labels: Vec<Offender>,
}

impl Index {
    /// The `most` worst of each.
    pub(in super::super) fn offenders(&self, most: usize) -> Offenders {
        let worst = |mut all: Vec<(usize, &str)>| {
            all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            let worst = all.iter().take(most);
            worst
                .map(|(count, name)| Offender { count: *count, name: (*name).to_owned() })
                .collect()
        };
        let metrics = self.postings.get(NAME).into_iter().flatten();
        let labels = self.postings.iter().filter(|(name, _)| &***name != NAME);
        Offenders {
            metrics: worst(metrics.map(|(name, series)| (series.len(), &**name)).collect()),
            labels: worst(labels.map(|(name, values)| (values.len(), &**name)).collect()),
        }
    }
}

impl fmt::Display for Offenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, what: &str, all: &[Offender]| {
            for (place, Offender { count, name }) in all.iter().enumerate() {
                write!(f, "{}{name} ({count} {what})", if place == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        f.write_str("most series: ")?;
        list(f, "series", &self.metrics)?;
        f.write_str("; most values: ")?;
        list(f, "values", &self.labels)
    }
}
