//! The identity of a series: names and values, sorted by name.
//!
//! Shared and immutable, because a series' labels are held by the index, by queries and by results
//! at once. All text lies in one piece, so that a comparison or a hash reads memory once.
//!
//! Invariants: names rise strictly; no value is empty (an empty label is no label,
//! <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that holds the metric's name.
pub const NAME: &str = "__name__";

/// Sorted names with values.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    /// Name, value, name, value…
    text: Box<str>,
    /// Where each of them ends in `text`.
    ends: Box<[u32]>,
}

impl Labels {
    /// None at all.
    pub fn empty() -> Self {
        Self::from_sorted(std::iter::empty())
    }

    /// Of pairs in any order. Of a name that occurs twice the last stays; empty values are left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        // Stable sorting keeps the order of equal names; the last of them is wanted.
        pairs.reverse();
        pairs.dedup_by(|a, b| a.0.as_ref() == b.0.as_ref());
        pairs.reverse();
        Self::from_sorted(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
    }

    /// Of pairs whose names rise strictly. Empty values are left out.
    pub fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            for part in [name, value] {
                text.push_str(part);
                ends.push(text.len() as u32);
            }
        }
        Self(Arc::new(Inner { text: text.into(), ends: ends.into() }))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.ends.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// Names and values, by rising name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        let Inner { text, ends } = &*self.0;
        (0..ends.len() / 2).map(move |pair| {
            let start = if pair == 0 { 0 } else { ends[pair * 2 - 1] as usize };
            let (name, value) = (ends[pair * 2] as usize, ends[pair * 2 + 1] as usize);
            (&text[start..name], &text[name..value])
        })
    }

    /// The value of a label; `None` if it is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    /// The metric's name; empty if there is none.
    pub fn name(&self) -> &str {
        self.get(NAME).unwrap_or_default()
    }

    /// Bytes of text.
    pub fn text_bytes(&self) -> usize {
        self.0.text.len()
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// By the first name or value that differs.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Display for Labels {
    /// As PromQL writes a series: `name{label="value"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut others = self.iter().filter(|(name, _)| *name != NAME).peekable();
        if others.peek().is_none() {
            return if self.name().is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        for (place, (name, value)) in others.enumerate() {
            write!(f, "{}{name}={value:?}", if place == 0 { "{" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_once_each_and_never_empty() {
        let labels =
            Labels::from_pairs([("b", "2"), (NAME, "up"), ("a", "old"), ("a", "1"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"up{a="1", b="2"}"#);
        assert_eq!(labels.len(), 3);
        assert_eq!((labels.get("b"), labels.get("c"), labels.name()), (Some("2"), None, "up"));
        assert_eq!(Labels::empty().to_string(), "{}");
    }

    #[test]
    fn labels_order_by_their_pairs() {
        let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
        // The text of both is the same.
        let (one, other) = (of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(one, other);
        assert!(one < other);
        assert!(Labels::empty() < one);
        assert!(of(&[("a", "1")]) < of(&[("a", "1"), ("b", "1")]));
    }
}
