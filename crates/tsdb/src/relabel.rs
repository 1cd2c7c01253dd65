//! Relabelling: rules that keep, drop and rewrite the labels of a target or a series.
//!
//! They are those of Prometheus, because people bring theirs along: the same actions, defaults and
//! refusals, and the same labels come out. Labels go in, and labels or nothing come out.
//!
//! Regular expressions are those of [`crate::pattern`].
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>.

mod action;
mod template;

use regex::Regex;
use thiserror::Error;

pub use action::Action;
use action::Fields;
use template::Template;

use crate::labels::Labels;
use crate::pattern::{self, PatternError};

/// What stands between the values of several source labels.
pub const SEPARATOR_DEFAULT: &str = ";";

/// The expression that matches everything.
pub const REGEX_DEFAULT: &str = "(.*)";

/// What the first group matched.
pub const REPLACEMENT_DEFAULT: &str = "$1";

/// A rule as a configuration writes it. `None` takes the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleText {
    /// Labels whose values are joined and matched.
    pub source_labels: Vec<String>,
    /// What joins them; [`SEPARATOR_DEFAULT`].
    pub separator: Option<String>,
    /// What they, or label names, are matched with; [`REGEX_DEFAULT`].
    pub regex: Option<String>,
    /// Of `hashmod`.
    pub modulus: Option<u64>,
    /// The label that is written. In `replace` it may name groups of `regex`.
    pub target_label: Option<String>,
    /// What is written; `$1`, `${1}` and `${name}` are groups of `regex`; [`REPLACEMENT_DEFAULT`].
    pub replacement: Option<String>,
    /// What is done; `replace`.
    pub action: Option<String>,
}

/// A rule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// The action is none.
    #[error(
        "`{0}` is no relabelling action; there are replace, keep, drop, keepequal, dropequal, \
         hashmod, labelmap, labeldrop, labelkeep, lowercase and uppercase"
    )]
    Action(String),
    /// The expression cannot be used.
    #[error(transparent)]
    Regex(#[from] PatternError),
    /// A field that the action needs is not there.
    #[error("{} needs `{field}`", action.as_str())]
    Missing {
        /// The action.
        action: Action,
        /// The field.
        field: &'static str,
    },
    /// A field that the action would not look at is set.
    #[error("{} takes no `{field}`: leave it out", action.as_str())]
    Superfluous {
        /// The action.
        action: Action,
        /// The field.
        field: &'static str,
    },
    /// A label's name that is none.
    #[error("`{name}` in `{field}` of {} is no label's name", action.as_str())]
    Name {
        /// The action.
        action: Action,
        /// The field.
        field: &'static str,
        /// What it holds.
        name: String,
    },
}

/// A rule that can be applied.
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    /// Whether `regex` is the default, which matches everything.
    matches_all: bool,
    modulus: u64,
    target_label: Template,
    replacement: Template,
}

impl Rule {
    /// Of its text.
    ///
    /// # Errors
    /// Where Prometheus refuses it too: see [`RuleError`].
    pub fn new(text: &RuleText) -> Result<Self, RuleError> {
        let action = match &text.action {
            None => Action::Replace,
            Some(word) => Action::of(word).ok_or_else(|| RuleError::Action(word.clone()))?,
        };
        let fields = Fields { text, action };
        fields.check()?;
        let pattern = text.regex.as_deref().unwrap_or(REGEX_DEFAULT);
        let regex = pattern::anchored(pattern)?;
        let target = text.target_label.as_deref().unwrap_or_default();
        let replacement = text.replacement.as_deref().unwrap_or(REPLACEMENT_DEFAULT);
        Ok(Self {
            action,
            source_labels: text.source_labels.clone(),
            separator: text.separator.clone().unwrap_or_else(|| SEPARATOR_DEFAULT.to_owned()),
            matches_all: pattern == REGEX_DEFAULT,
            modulus: text.modulus.unwrap_or_default(),
            target_label: match action {
                Action::Replace => Template::new(target, &regex),
                _ => Template::plain(target),
            },
            replacement: Template::new(replacement, &regex),
            regex,
        })
    }
}

/// The labels after all rules, by their order; `None` if one of them drops the series. What is left
/// may be empty.
pub fn relabel(rules: &[Rule], labels: &Labels) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut draft = Draft::new(labels);
    for rule in rules {
        if !rule.apply(&mut draft) {
            return None;
        }
    }
    Some(if draft.is_changed { Labels::from_pairs(draft.pairs) } else { labels.clone() })
}

/// Labels that are being changed.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Each name once.
    pairs: Vec<(String, String)>,
    is_changed: bool,
}

impl Draft {
    fn new(labels: &Labels) -> Self {
        let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { pairs: pairs.collect(), is_changed: false }
    }

    fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|pair| pair.0 == name).map_or("", |pair| &pair.1)
    }

    /// An empty value takes the label away.
    fn set(&mut self, name: &str, value: String) {
        self.is_changed = true;
        let place = self.pairs.iter().position(|pair| pair.0 == name);
        match place {
            Some(place) if value.is_empty() => {
                self.pairs.remove(place);
            }
            Some(place) => self.pairs[place].1 = value,
            None if value.is_empty() => {}
            None => self.pairs.push((name.to_owned(), value)),
        }
    }

    fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        let before = self.pairs.len();
        self.pairs.retain(|pair| keeps(&pair.0));
        self.is_changed |= self.pairs.len() != before;
    }
}

#[cfg(test)]
mod tests;
