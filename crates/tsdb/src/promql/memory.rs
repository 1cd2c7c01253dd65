//! Series in memory: for scripts, tests, and rules that are tried without a store.

use std::collections::HashMap;

use crate::labels::Labels;
use crate::sample::Samples;
use crate::source::{Condition, Matcher, ReadError, Series, Source};

/// Series in memory, found by the metric's name.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: Vec<Held>,
    /// Where in `series` labels are.
    places: HashMap<Labels, usize>,
    /// Where in `series` those of a metric's name are.
    names: HashMap<String, Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Held {
    labels: Labels,
    samples: Samples,
}

impl Memory {
    /// No series yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample (`time` in milliseconds since 1970); one at the same time is replaced. Cheapest
    /// if it is younger than all others of its series.
    pub fn append(&mut self, labels: &Labels, time: i64, value: f64) {
        let place = *self.places.entry(labels.clone()).or_insert_with(|| {
            self.series.push(Held { labels: labels.clone(), samples: Samples::default() });
            let place = self.series.len() - 1;
            self.names.entry(labels.name().to_owned()).or_default().push(place);
            place
        });
        let samples = &mut self.series[place].samples;
        match samples.times.binary_search(&time) {
            Ok(same) => samples.values[same] = value,
            Err(after) => {
                samples.times.insert(after, time);
                samples.values.insert(after, value);
            }
        }
    }

    /// Forgets all series.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl Source for Memory {
    fn select<'a>(
        &'a self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
    ) -> Result<Vec<Box<dyn Series + 'a>>, ReadError> {
        let name = matchers.iter().find_map(|matcher| match &matcher.condition {
            Condition::Equal(name) if matcher.name == crate::labels::NAME => Some(name),
            _ => None,
        });
        let of_name = name.map(|name| self.names.get(name).map_or(&[][..], Vec::as_slice));
        let candidates: Box<dyn Iterator<Item = &Held>> = match of_name {
            Some(places) => Box::new(places.iter().map(|place| &self.series[*place])),
            None => Box::new(self.series.iter()),
        };
        Ok(candidates
            .filter(|held| {
                let times = &held.samples.times;
                times.first().is_some_and(|first| *first <= to)
                    && times.last().is_some_and(|last| *last >= from)
                    && matchers.iter().all(|matcher| matcher.accepts_labels(&held.labels))
            })
            .map(|held| Box::new(held) as Box<dyn Series>)
            .collect())
    }
}

impl Series for &Held {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn read(&self, from: i64, to: i64, samples: &mut Samples) -> Result<(), ReadError> {
        let Samples { times, values } = &self.samples;
        let start = times.partition_point(|time| *time < from);
        let end = times.partition_point(|time| *time <= to).max(start);
        samples.times.extend_from_slice(&times[start..end]);
        samples.values.extend_from_slice(&values[start..end]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_kept_by_time_and_read_within_bounds() {
        let mut memory = Memory::new();
        let labels = Labels::from_pairs([("__name__", "a"), ("b", "c")]);
        for (time, value) in [(10, 1.0), (30, 3.0), (20, 2.0), (30, 4.0)] {
            memory.append(&labels, time, value);
        }
        assert_eq!(memory.len(), 1);
        let matchers =
            [Matcher { name: "__name__".to_owned(), condition: Condition::Equal("a".to_owned()) }];
        let found = memory.select(&matchers, 11, 30).expect("in memory");
        assert_eq!(found[0].labels(), &labels);
        let mut samples = Samples::default();
        found[0].read(11, 30, &mut samples).expect("in memory");
        assert_eq!(samples, Samples { times: vec![20, 30], values: vec![2.0, 4.0] });
        assert!(memory.select(&matchers, 31, 40).expect("in memory").is_empty());
        assert!(memory.select(&matchers, 0, 9).expect("in memory").is_empty());
    }
}
