//! Matchers over sorted lists of series.
//!
//! Equality takes lists as they are; the shortest goes first. A pattern is read for the texts it can
//! begin with: if it is a set of words, as `a|b|c` is, the words are looked up, and if it has a
//! beginning, only the values with that beginning are tried. A matcher that accepts the empty value
//! accepts series without the label, so it is turned round: what it refuses is taken away. Where the
//! candidates are few already, their labels are asked rather than lists joined.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use regex_syntax::hir::literal::Extractor;

use super::{Entry, Index, Postings};
use crate::source::{Condition, Matcher};

/// A matcher whose label has more values than this for each candidate is put to the candidates.
const VALUES_PER_CANDIDATE_MAX: usize = 4;

impl Index {
    /// The series that fulfil all matchers, by rising number.
    pub(in super::super) fn select(&self, matchers: &[Matcher]) -> Vec<Arc<Entry>> {
        let ids = match self.candidates(matchers) {
            Some(ids) => ids,
            None => self.all.clone(),
        };
        ids.iter().filter_map(|id| self.by_id.get(id)).cloned().collect()
    }

    /// `None`: all of them.
    fn candidates(&self, matchers: &[Matcher]) -> Option<Postings> {
        // Equality first, for its lists are at hand.
        let (equal, others): (Vec<_>, Vec<_>) = matchers.iter().partition(
            |matcher| matches!(&matcher.condition, Condition::Equal(value) if !value.is_empty()),
        );
        let mut lists = Vec::new();
        for matcher in equal {
            if let Condition::Equal(value) = &matcher.condition {
                let list =
                    self.postings.get(&*matcher.name).and_then(|values| values.get(&**value));
                lists.push(list.map_or(&[][..], Vec::as_slice));
            }
        }
        lists.sort_by_key(|list| list.len());
        let mut candidates: Option<Postings> = None;
        for list in lists {
            candidates = Some(match candidates {
                None => list.to_vec(),
                Some(candidates) => intersection(candidates, list),
            });
        }
        for matcher in others {
            candidates = self.narrowed(candidates, matcher);
        }
        candidates
    }

    fn narrowed(&self, candidates: Option<Postings>, matcher: &Matcher) -> Option<Postings> {
        let accepts_none = matcher.accepts("");
        let Some(values) = self.postings.get(&*matcher.name) else {
            return if accepts_none { candidates } else { Some(Postings::new()) };
        };
        if let Some(few) = &candidates
            && values.len() > few.len().saturating_mul(VALUES_PER_CANDIDATE_MAX)
        {
            let accepted = few.iter().filter(|id| {
                self.by_id.get(id).is_some_and(|entry| matcher.accepts_labels(&entry.labels))
            });
            return Some(accepted.copied().collect());
        }
        if accepts_none {
            let refused = match &matcher.condition {
                Condition::NotEqual(value) => values.get(&**value).cloned().unwrap_or_default(),
                Condition::NotMatch(_) => union(self.matching(values, matcher, false)),
                _ => union(
                    values.iter().filter(|(value, _)| !matcher.accepts(value)).map(|pair| pair.1),
                ),
            };
            let mut kept = candidates.unwrap_or_else(|| self.all.clone());
            subtract(&mut kept, &refused);
            return Some(kept);
        }
        let accepted = union(self.matching(values, matcher, true));
        Some(match candidates {
            None => accepted,
            Some(candidates) => intersection(candidates, &accepted),
        })
    }

    /// Lists of the values that the pattern of a matcher matches, or of those that it accepts.
    fn matching<'a>(
        &self,
        values: &'a BTreeMap<Box<str>, Postings>,
        matcher: &Matcher,
        accepted: bool,
    ) -> Vec<&'a Postings> {
        let wanted = |value: &str| matcher.accepts(value) == accepted;
        let pattern = match &matcher.condition {
            Condition::Match(pattern) if accepted => pattern,
            Condition::NotMatch(pattern) if !accepted => pattern,
            _ => {
                return values
                    .iter()
                    .filter(|(value, _)| wanted(value))
                    .map(|pair| pair.1)
                    .collect();
            }
        };
        match beginnings(pattern.as_str()) {
            Beginnings::Any => {
                values.iter().filter(|(value, _)| wanted(value)).map(|pair| pair.1).collect()
            }
            Beginnings::Words(words) => words
                .iter()
                .filter(|word| wanted(word))
                .filter_map(|word| values.get(word.as_str()))
                .collect(),
            Beginnings::Prefixes(prefixes) => prefixes
                .iter()
                .flat_map(|prefix| {
                    let bounds = (Bound::Included(prefix.as_str()), Bound::Unbounded);
                    let from = values.range::<str, _>(bounds);
                    from.take_while(move |(value, _)| value.starts_with(prefix.as_str()))
                })
                .filter(|(value, _)| wanted(value))
                .map(|pair| pair.1)
                .collect(),
        }
    }
}

/// What a value that a pattern matches can begin with.
#[derive(Debug, PartialEq)]
enum Beginnings {
    /// It is one of these.
    Words(Vec<String>),
    /// It begins with one of these, none of which begins with another.
    Prefixes(Vec<String>),
    /// Nothing is known.
    Any,
}

fn beginnings(pattern: &str) -> Beginnings {
    let Ok(tree) = regex_syntax::parse(pattern) else { return Beginnings::Any };
    // A pattern that is not held at its start may match later in a value.
    if !tree.properties().look_set_prefix().contains(regex_syntax::hir::Look::Start) {
        return Beginnings::Any;
    }
    let ends = tree.properties().look_set_suffix().contains(regex_syntax::hir::Look::End);
    let found = Extractor::new().extract(&tree);
    let Some(literals) = found.literals() else { return Beginnings::Any };
    let mut texts = Vec::with_capacity(literals.len());
    for literal in literals {
        match std::str::from_utf8(literal.as_bytes()) {
            Ok(text) => texts.push(text.to_owned()),
            Err(_) => return Beginnings::Any,
        }
    }
    texts.sort_unstable();
    texts.dedup();
    if ends && found.is_exact() {
        return Beginnings::Words(texts);
    }
    if texts.first().is_some_and(String::is_empty) {
        return Beginnings::Any;
    }
    // Sorted, what begins with another comes after it; its values are found with the other's.
    texts.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
    Beginnings::Prefixes(texts)
}

fn intersection(mut candidates: Postings, list: &[u32]) -> Postings {
    let mut rest = list;
    candidates.retain(|id| {
        rest = skip_to(rest, *id);
        rest.first() == Some(id)
    });
    candidates
}

fn subtract(candidates: &mut Postings, list: &[u32]) {
    let mut rest = list;
    candidates.retain(|id| {
        rest = skip_to(rest, *id);
        rest.first() != Some(id)
    });
}

/// The list from the first number on that is not below `id`; near ones are found in few steps.
fn skip_to(list: &[u32], id: u32) -> &[u32] {
    let mut reach = 1;
    while reach < list.len() && list[reach - 1] < id {
        reach *= 2;
    }
    let start = reach / 2;
    let end = reach.min(list.len());
    &list[start + list[start..end].partition_point(|other| *other < id)..]
}

fn union<'a>(lists: impl IntoIterator<Item = &'a Postings>) -> Postings {
    let mut all = Postings::new();
    let mut count = 0;
    for list in lists {
        all.extend_from_slice(list);
        count += 1;
    }
    if count > 1 {
        // A series has one value of a label, so no number occurs twice; sorted runs sort quickly.
        all.sort();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginnings_of_patterns_are_found() {
        let of = |pattern: &str| beginnings(&format!("^(?:{pattern})$"));
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(of("a|b|cd"), Beginnings::Words(texts(&["a", "b", "cd"])));
        assert_eq!(of("web-[12]"), Beginnings::Words(texts(&["web-1", "web-2"])));
        assert_eq!(of("web-.*|db-.+"), Beginnings::Prefixes(texts(&["db-", "web-"])));
        assert_eq!(of("we.*|web.*"), Beginnings::Prefixes(texts(&["we"])));
        assert_eq!(of(".*"), Beginnings::Any);
        assert_eq!(of(""), Beginnings::Words(texts(&[""])));
        assert_eq!(beginnings("a|b"), Beginnings::Any);
        assert_eq!(beginnings("^(?:a)"), Beginnings::Prefixes(texts(&["a"])));
    }

    #[test]
    fn lists_are_skipped_as_if_searched() {
        let list: Vec<_> = (0..50).map(|number| number * 3).collect();
        for id in 0..160 {
            let start = list.partition_point(|other| *other < id);
            assert_eq!(skip_to(&list, id), &list[start..], "{id}");
        }
        assert_eq!(skip_to(&[], 1), &[] as &[u32]);
    }
}
