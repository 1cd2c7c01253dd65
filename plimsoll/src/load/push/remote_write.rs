//! Moments of a run as a message of remote write.

use std::collections::{BTreeMap, BTreeSet};

use tsdb::labels::{Labels, NAME};
use tsdb::remote_write::{Encoder, TooLarge};
use tsdb::sample::STALE;

use super::figures::{Sample, SeriesName};

/// Samples of one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The figures.
    pub samples: Vec<Sample>,
}

/// The body of a request that writes all these moments, which rise. `end`, milliseconds since 1970
/// and later than all of them, adds to each of their series, and to those that were `told` before,
/// that it is over.
///
/// # Errors
/// When there is too much for one message.
pub fn body(
    moments: &[Moment],
    common: &[(String, String)],
    told: &BTreeSet<SeriesName>,
    end: Option<i64>,
) -> Result<Vec<u8>, TooLarge> {
    let mut series: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
    for moment in moments {
        for sample in &moment.samples {
            series.entry(labels(sample, common)).or_default().push((moment.at, sample.value));
        }
    }
    if let Some(end) = end {
        for name in told {
            series.entry(labels(&Sample::of(name.clone(), STALE), common)).or_default();
        }
        series.values_mut().for_each(|samples| samples.push((end, STALE)));
    }
    let mut message = Encoder::new();
    for (labels, samples) in &series {
        message.series(labels, samples);
    }
    message.finish()
}

fn labels(sample: &Sample, common: &[(String, String)]) -> Labels {
    let common = common.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Labels::from_pairs([(NAME, sample.name())].into_iter().chain(sample.label()).chain(common))
}
