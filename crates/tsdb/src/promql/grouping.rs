//! Which columns belong together: by some of their labels.

use std::collections::HashMap;

use super::column::Metric;
use super::plan::Grouping;

/// Numbers groups by the labels that make them, in the order of their first series.
pub(super) struct Groups<'g> {
    grouping: &'g Grouping,
    numbers: HashMap<Box<[u8]>, usize>,
    key: Vec<u8>,
}

impl<'g> Groups<'g> {
    pub fn new(grouping: &'g Grouping) -> Self {
        Self { grouping, numbers: HashMap::new(), key: Vec::new() }
    }

    /// The number of a column's group, and whether it is new.
    pub fn place(&mut self, metric: &Metric) -> (usize, bool) {
        self.write_key(metric);
        if let Some(number) = self.numbers.get(self.key.as_slice()) {
            return (*number, false);
        }
        let number = self.numbers.len();
        self.numbers.insert(self.key.as_slice().into(), number);
        (number, true)
    }

    /// The number of a column's group if it is known.
    pub fn find(&mut self, metric: &Metric) -> Option<usize> {
        self.write_key(metric);
        self.numbers.get(self.key.as_slice()).copied()
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Lengths keep texts apart, whatever bytes are in them.
    fn write_key(&mut self, metric: &Metric) {
        self.key.clear();
        let Grouping { names, with } = self.grouping;
        if *with {
            if names.is_empty() {
                return;
            }
            for (place, name) in (0_u32..).zip(names) {
                let value = metric.get(name);
                if !value.is_empty() {
                    self.key.extend_from_slice(&place.to_le_bytes());
                    push(&mut self.key, value);
                }
            }
        } else {
            for (name, value) in metric.pairs().filter(|(name, _)| self.grouping.takes(name)) {
                push(&mut self.key, name);
                push(&mut self.key, value);
            }
        }
    }
}

fn push(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(&(text.len() as u32).to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

impl Metric {
    /// The labels a group is known by.
    pub(super) fn grouped(&self, grouping: &Grouping) -> Metric {
        self.filtered(|name| grouping.takes(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{Labels, NAME};

    #[test]
    fn groups_are_made_by_listed_labels_or_by_all_others() {
        let metric = |pairs: &[(&str, &str)]| Metric::of(Labels::from_pairs(pairs.iter().copied()));
        let one = metric(&[(NAME, "x"), ("a", "1"), ("b", "1")]);
        let two = metric(&[(NAME, "y"), ("a", "1"), ("b", "2")]);
        for (names, with, same, labels) in [
            (vec!["a"], true, true, r#"{a="1"}"#),
            (vec!["b"], true, false, r#"{b="1"}"#),
            (vec![], true, true, "{}"),
            (vec!["b"], false, true, r#"{a="1"}"#),
            (vec![], false, false, r#"{a="1", b="1"}"#),
            (vec![NAME], true, false, "x"),
        ] {
            let names = names.into_iter().map(str::to_owned).collect();
            let grouping = Grouping { names, with };
            let mut groups = Groups::new(&grouping);
            assert_eq!(groups.find(&one), None);
            assert_eq!(groups.place(&one), (0, true));
            assert_eq!(groups.place(&two).0 == 0, same, "{grouping:?}");
            assert_eq!(groups.find(&one), Some(0));
            assert_eq!(one.grouped(&grouping).labels().to_string(), labels);
        }
    }
}
