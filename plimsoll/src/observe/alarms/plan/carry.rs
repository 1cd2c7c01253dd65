//! Which rule goes on from which.
//!
//! As in Prometheus (`Group.CopyState`): a rule goes on from the first of the same name and labels
//! in the group of the same file and name that no other goes on from, whatever became of its
//! expression and its durations. So a threshold can be moved without an alarm starting over.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// What makes two rules the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity<'a> {
    /// The file of its group.
    pub file: &'a str,
    /// The name of its group.
    pub group: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// Its labels, templates not expanded.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether it raises alarms.
    pub is_alerting: bool,
}

/// What goes on from what, by places.
#[derive(Debug, PartialEq, Eq)]
pub struct Carried {
    /// For each new rule the old one.
    pub from: Vec<Option<usize>>,
    /// Old ones that nothing goes on from.
    pub left: Vec<usize>,
}

/// Finds the old rule for each new one.
pub fn carry<'a>(
    old: impl IntoIterator<Item = Identity<'a>>,
    new: impl IntoIterator<Item = Identity<'a>>,
) -> Carried {
    let mut known: HashMap<Identity<'a>, VecDeque<usize>> = HashMap::new();
    for (place, identity) in old.into_iter().enumerate() {
        known.entry(identity).or_default().push_back(place);
    }
    let from = new
        .into_iter()
        .map(|identity| known.get_mut(&identity).and_then(VecDeque::pop_front))
        .collect();
    let mut left: Vec<usize> = known.into_values().flatten().collect();
    left.sort_unstable();
    Carried { from, left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_go_on_from_those_of_the_same_name_and_labels() {
        let (none, page) = (BTreeMap::new(), [("severity".to_owned(), "page".to_owned())].into());
        let rule = |group, name, labels, is_alerting| {
            let file = "rules.yml";
            Identity { file, group, name, labels, is_alerting }
        };
        let old = [
            rule("a", "Down", &none, true),
            rule("a", "Down", &none, true),
            rule("a", "Down", &page, true),
            rule("a", "sum", &none, false),
            rule("b", "Down", &none, true),
        ];
        let new = [
            rule("a", "Down", &page, true),
            rule("a", "Other", &none, true),
            rule("a", "Down", &none, true),
            rule("a", "sum", &none, true),
            rule("c", "Down", &none, true),
        ];
        let carried = carry(old, new);
        assert_eq!(carried.from, [Some(2), None, Some(0), None, None]);
        assert_eq!(carried.left, [1, 3, 4]);
        assert_eq!(carry(old, old).left, [0; 0]);
    }
}
