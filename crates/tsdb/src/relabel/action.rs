//! What each action needs, and does.

use md5::{Digest, Md5};

use super::{
    Draft, REGEX_DEFAULT, REPLACEMENT_DEFAULT, Rule, RuleError, RuleText, SEPARATOR_DEFAULT,
};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Writes `replacement` to `target_label` if `regex` matches the source.
    Replace,
    /// Drops what `regex` does not match.
    Keep,
    /// Drops what `regex` matches.
    Drop,
    /// Drops what differs from the value of `target_label`.
    KeepEqual,
    /// Drops what equals the value of `target_label`.
    DropEqual,
    /// Writes the source's hash modulo `modulus` to `target_label`.
    HashMod,
    /// Copies each label whose name `regex` matches to the name `replacement`.
    LabelMap,
    /// Takes away labels whose name `regex` matches.
    LabelDrop,
    /// Takes away labels whose name `regex` does not match.
    LabelKeep,
    /// Writes the source in lower case to `target_label`.
    Lowercase,
    /// Writes the source in upper case to `target_label`.
    Uppercase,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Replace,
        Self::Keep,
        Self::Drop,
        Self::KeepEqual,
        Self::DropEqual,
        Self::HashMod,
        Self::LabelMap,
        Self::LabelDrop,
        Self::LabelKeep,
        Self::Lowercase,
        Self::Uppercase,
    ];

    /// As a configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }

    /// The reverse of [`Action::as_str`], in any case, as in Prometheus.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(word))
    }
}

/// A rule's fields before they are taken.
pub(super) struct Fields<'a> {
    pub(super) text: &'a RuleText,
    pub(super) action: Action,
}

impl Fields<'_> {
    /// Whether the action has what it needs and nothing that it would not look at. Source: `Validate`
    /// of Prometheus' `model/relabel`.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        let (action, text) = (self.action, self.text);
        if action == Action::HashMod && text.modulus.unwrap_or_default() == 0 {
            return Err(RuleError::Missing { action, field: "modulus" });
        }
        for (field, is_set, takes) in [
            ("source_labels", !text.source_labels.is_empty(), self.takes_source()),
            ("target_label", text.target_label.is_some(), self.takes_target()),
            ("modulus", text.modulus.is_some_and(|modulus| modulus != 0), self.takes_modulus()),
            ("separator", differs(&text.separator, SEPARATOR_DEFAULT), self.takes_separator()),
            ("regex", differs(&text.regex, REGEX_DEFAULT), self.takes_regex()),
            (
                "replacement",
                differs(&text.replacement, REPLACEMENT_DEFAULT),
                self.takes_replacement(),
            ),
        ] {
            if is_set && !takes {
                return Err(RuleError::Superfluous { action, field });
            }
        }
        self.check_names()
    }

    fn check_names(&self) -> Result<(), RuleError> {
        let (action, text) = (self.action, self.text);
        let target = text.target_label.as_deref().unwrap_or_default();
        let writes = self.takes_target()
            && !matches!(action, Action::Keep | Action::Drop | Action::LabelMap);
        if writes && target.is_empty() {
            return Err(RuleError::Missing { action, field: "target_label" });
        }
        let replacement = text.replacement.as_deref().unwrap_or(REPLACEMENT_DEFAULT);
        if action == Action::LabelMap && replacement.is_empty() {
            let (field, name) = ("replacement", replacement.to_owned());
            return Err(RuleError::Name { action, field, name });
        }
        if let Some(name) = text.source_labels.iter().find(|name| name.is_empty()) {
            let (field, name) = ("source_labels", name.clone());
            return Err(RuleError::Name { action, field, name });
        }
        Ok(())
    }

    fn is_of_names(&self) -> bool {
        matches!(self.action, Action::LabelDrop | Action::LabelKeep)
    }

    fn compares(&self) -> bool {
        matches!(self.action, Action::KeepEqual | Action::DropEqual)
    }

    fn takes_source(&self) -> bool {
        !self.is_of_names()
    }

    fn takes_target(&self) -> bool {
        !self.is_of_names()
    }

    fn takes_modulus(&self) -> bool {
        !self.is_of_names() && !self.compares()
    }

    fn takes_separator(&self) -> bool {
        !self.is_of_names() && !self.compares()
    }

    fn takes_regex(&self) -> bool {
        !self.compares()
    }

    fn takes_replacement(&self) -> bool {
        let case = matches!(self.action, Action::Lowercase | Action::Uppercase);
        !self.is_of_names() && !self.compares() && !case
    }
}

fn differs(field: &Option<String>, default: &str) -> bool {
    field.as_ref().is_some_and(|text| text != default)
}

impl Rule {
    /// Changes the labels; `false` if they are to be dropped.
    pub(super) fn apply(&self, draft: &mut Draft) -> bool {
        let target = || self.target_label.as_plain().unwrap_or_default();
        match self.action {
            Action::Keep => return self.regex.is_match(&self.source(draft)),
            Action::Drop => return !self.regex.is_match(&self.source(draft)),
            Action::KeepEqual => return draft.get(target()) == self.source(draft),
            Action::DropEqual => return draft.get(target()) != self.source(draft),
            Action::Replace => self.replace(draft),
            Action::HashMod => {
                let remainder = hash(&self.source(draft)) % self.modulus.max(1);
                draft.set(target(), remainder.to_string());
            }
            Action::Lowercase => {
                let value = self.source(draft).chars().map(lowercase).collect();
                draft.set(target(), value);
            }
            Action::Uppercase => {
                let value = self.source(draft).chars().map(uppercase).collect();
                draft.set(target(), value);
            }
            Action::LabelMap => self.map_labels(draft),
            Action::LabelDrop => draft.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => draft.retain(|name| self.regex.is_match(name)),
        }
        true
    }

    /// The values of the source labels, joined.
    fn source(&self, draft: &Draft) -> String {
        let values: Vec<_> = self.source_labels.iter().map(|name| draft.get(name)).collect();
        values.join(&self.separator)
    }

    fn replace(&self, draft: &mut Draft) {
        let source = self.source(draft);
        if let (true, Some(target), Some(replacement)) =
            (self.matches_all, self.target_label.as_plain(), self.replacement.as_plain())
        {
            draft.set(target, replacement.to_owned());
            return;
        }
        let Some(groups) = self.regex.captures(&source) else { return };
        let target = self.target_label.expand(&groups);
        if !target.is_empty() {
            draft.set(&target, self.replacement.expand(&groups));
        }
    }

    /// Looks at the labels as they were before: what is copied is not copied again.
    fn map_labels(&self, draft: &mut Draft) {
        let mut copies: Vec<(String, String)> = Vec::new();
        for (name, value) in &draft.pairs {
            if let Some(groups) = self.regex.captures(name) {
                copies.push((self.replacement.expand(&groups), value.clone()));
            }
        }
        for (name, value) in copies {
            if !name.is_empty() {
                draft.set(&name, value);
            }
        }
    }
}

/// The last eight bytes of the MD5 sum, as in Prometheus: shards stay where they are.
fn hash(source: &str) -> u64 {
    let sum: [u8; 16] = Md5::digest(source.as_bytes()).into();
    let [.., a, b, c, d, e, f, g, h] = sum;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// One character for one, as Go has it; Rust's may become several.
fn lowercase(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

fn uppercase(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}
