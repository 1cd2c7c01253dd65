use regex::Regex;

use super::*;
use crate::source::{Condition, Matcher};
use proptest::prelude::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn index() -> Index {
    let mut index = Index::new();
    for metric in ["up", "load", "requests_total"] {
        for instance in 0..12 {
            for zone in ["", "a", "b"] {
                let instance = format!("web-{instance}");
                let pairs = [("__name__", metric), ("instance", &instance), ("zone", zone)];
                index.intern(&labels(&pairs)).expect("few");
            }
        }
    }
    index
}

fn anchored(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("a good pattern")
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = prop::sample::select(vec!["", "a", "b", "up", "web-1", "web-10", "none"]);
    let pattern = prop::sample::select(vec![
        "",
        ".*",
        ".+",
        "a|b",
        "a|",
        "web-1.*",
        "web-[0-3]",
        "up|load",
        "(?i)WEB-1",
        "none",
        "web-1|up.*",
    ]);
    prop_oneof![
        text.clone().prop_map(|text| Condition::Equal(text.to_owned())),
        text.prop_map(|text| Condition::NotEqual(text.to_owned())),
        pattern.clone().prop_map(|pattern| Condition::Match(anchored(pattern))),
        pattern.prop_map(|pattern| Condition::NotMatch(anchored(pattern))),
    ]
}

proptest! {
    #[test]
    fn matchers_choose_what_the_labels_fulfil(
        conditions in prop::collection::vec(
            (prop::sample::select(vec!["__name__", "instance", "zone", "absent"]), condition()), 0..4
        ),
        removed in prop::collection::btree_set(1u32..109, 0..50),
    ) {
        let mut index = index();
        index.remove(&removed.into_iter().collect::<Vec<_>>());
        let matchers: Vec<_> = conditions
            .into_iter()
            .map(|(name, condition)| Matcher { name: name.to_owned(), condition })
            .collect();
        let chosen: Vec<_> = index.select(&matchers).iter().map(|entry| entry.id).collect();
        let wanted: Vec<_> = index
            .entries()
            .filter(|entry| matchers.iter().all(|matcher| matcher.accepts_labels(&entry.labels)))
            .map(|entry| entry.id)
            .collect();
        prop_assert_eq!(chosen, wanted);
    }
}

#[test]
fn a_series_is_known_by_its_labels_until_it_is_removed() {
    let mut index = index();
    let up = labels(&[("__name__", "up"), ("instance", "web-0")]);
    let id = index.intern(&up).expect("few").id;
    assert_eq!(index.get(&up).map(|entry| entry.id), Some(id));
    index.remove(&[id]);
    assert!(index.get(&up).is_none() && index.by_id(id).is_none());
    assert_eq!(index.len(), 107);
    assert_ne!(index.intern(&up).expect("few").id, id, "a number is not used again");
    let all: Vec<_> = index.entries().map(|entry| entry.id).collect();
    index.remove(&all);
    assert!(index.len() == 0 && index.postings.is_empty());
}

#[test]
fn the_worst_are_named() {
    let mut index = index();
    for user in 0..50 {
        index.intern(&labels(&[("__name__", "logins"), ("user", &user.to_string())])).expect("few");
    }
    assert_eq!(
        index.offenders(2).to_string(),
        "most series: logins (50 series), load (36 series); \
         most values: user (50 values), instance (12 values)"
    );
}
