//! What reading a configuration shares: the text, the environment, and the problems so far.
//!
//! Reading never stops at a problem: it is noted here and reading goes on with the next value, so
//! that a person sees all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeValue;

use super::problem::{ConfigError, ConfigErrors, FirstProblems, Place, Source, Span, Warning};
use super::table::Vocabulary;

/// Looks up an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The key and the place of a value; of the surrounding table if the value is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Where {
    /// The full key, as in `service.web.health.every`.
    pub(super) key: String,
    /// Its bytes in the text.
    pub(super) span: Span,
}

impl Where {
    /// The key `name` below this one.
    pub(super) fn child(&self, name: &str) -> String {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let quoted = !name.is_empty() && name.chars().all(bare);
        let name = if quoted { name.to_owned() } else { format!("{name:?}") };
        if self.key.is_empty() { name } else { format!("{}.{name}", self.key) }
    }
}

/// A value of the text with its key and place.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    /// The value.
    pub(super) value: &'a DeValue<'a>,
    /// Its key and place.
    pub(super) at: Where,
}

/// A string value after `${NAME}` has been replaced.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The string.
    pub(super) text: String,
    /// Whether something was replaced.
    pub(super) replaced: bool,
}

/// Collects problems, and the place of every key.
pub(super) struct Reader<'a> {
    source: Source,
    environment: Environment<'a>,
    vocabulary: &'static Vocabulary,
    errors: FirstProblems,
    warnings: FirstProblems,
    spans: BTreeMap<String, Span>,
    misspelt: BTreeSet<String>,
    example: Option<Example>,
}

/// The key that is being read, and how a value of it looks.
#[derive(Debug, Clone, Copy)]
struct Example {
    key: &'static str,
    value: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of `source`, whose kind of file has these words, that has seen nothing yet.
    pub(super) fn new(
        source: Source,
        environment: Environment<'a>,
        vocabulary: &'static Vocabulary,
    ) -> Self {
        Self {
            source,
            environment,
            vocabulary,
            errors: FirstProblems::default(),
            warnings: FirstProblems::default(),
            spans: BTreeMap::new(),
            misspelt: BTreeSet::new(),
            example: None,
        }
    }

    /// Reads a value of `key`; what is refused without a better remedy is answered by `value`.
    pub(super) fn with_example<T>(
        &mut self,
        key: &'static str,
        value: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.example.replace(Example { key, value });
        let result = read(self);
        self.example = before;
        result
    }

    /// The environment variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// The words of the kind of file that is being read.
    pub(super) fn vocabulary(&self) -> &'static Vocabulary {
        self.vocabulary
    }

    /// Remembers that an unknown key was likely meant to be `key`.
    pub(super) fn remember_misspelt(&mut self, key: String) {
        self.misspelt.insert(key);
    }

    /// Whether `key` is likely there under a wrong name, so that nothing follows from its absence.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        self.misspelt.contains(key)
    }

    /// Remembers where a key is, for problems that show only later.
    pub(super) fn remember(&mut self, at: &Where) {
        self.spans.insert(at.key.clone(), at.span.clone());
    }

    /// The place of the value whose name is at this place.
    pub(super) fn value_of(&self, name: &Where) -> Where {
        let span = self.spans.get(&name.key).unwrap_or(&name.span).clone();
        Where { key: name.key.clone(), span }
    }

    /// Whether the key at this place is in the file.
    pub(super) fn is_remembered(&self, at: &Where) -> bool {
        self.spans.contains_key(&at.key)
    }

    /// Notes a problem at a place. Every problem has a remedy; the last resort is an example.
    pub(super) fn refuse(&mut self, at: &Where, mut error: ConfigError) {
        if let (None, Some(Example { key, value })) = (&error.remedy, self.example) {
            error = match super::reference::is_section(value) {
                true => error.remedy(format!("write {value}")),
                false => error.remedy(format!("write it as in {key} = {value}")),
            };
        }
        self.errors.note(Some(at.span.clone()), error);
    }

    /// Notes a problem that is put into words only if it will be shown: for what can be there
    /// thousands of times and is costly to word.
    pub(super) fn refuse_with(&mut self, at: &Where, word: impl FnOnce(&mut Self) -> ConfigError) {
        if self.errors.would_keep(at.span.start) {
            let error = word(self);
            self.refuse(at, error);
        } else {
            self.errors.count();
        }
    }

    /// Notes a problem of the whole file.
    pub(super) fn refuse_file(&mut self, mut error: ConfigError) {
        error.message = format!("{}: {}", self.source.name, error.message);
        self.errors.note(None, error);
    }

    /// Notes a warning at a place.
    pub(super) fn warn(&mut self, at: &Where, error: ConfigError) {
        self.warnings.note(Some(at.span.clone()), error);
    }

    /// The text of a value, on one line.
    pub(super) fn shown(&self, at: &Where) -> String {
        self.source.shown(&at.span)
    }

    /// `line 12`, for notes that point at an earlier place.
    pub(super) fn line(&self, at: &Where) -> String {
        format!("line {}", self.source.line(at.span.start))
    }

    /// The errors in the order of the file, or the warnings and where each key is.
    pub(super) fn finish(self) -> Result<(Vec<Warning>, Places), ConfigErrors> {
        let (errors, further) = self.errors.placed(&self.source);
        if !errors.is_empty() {
            return Err(ConfigErrors { errors, further });
        }
        let (warnings, further) = self.warnings.placed(&self.source);
        let mut warnings: Vec<Warning> = warnings.into_iter().map(Warning).collect();
        if further > 0 {
            let message = format!("{further} more warnings are not shown");
            let rest = ConfigError::new("", message).remedy("mend these first");
            warnings.push(Warning(rest));
        }
        Ok((warnings, Places { source: self.source, spans: self.spans }))
    }

    /// The string of `node` with `${NAME}` and `${NAME:-default}` replaced. `None` if it is not a
    /// string or, with the problem noted, if a variable is missing.
    pub(super) fn text(&mut self, node: &Node<'_>) -> Option<Text> {
        let raw = node.value.as_str()?;
        match substitute(raw, self.environment) {
            Ok(text) => Some(Text { text, replaced: raw.contains("${") }),
            Err(error) => {
                let found = self.shown(&node.at);
                let error = ConfigError { key: node.at.key.clone(), ..*error };
                self.refuse(&node.at, error.found(found));
                None
            }
        }
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${` itself.
fn substitute(raw: &str, environment: Environment<'_>) -> Result<String, Box<ConfigError>> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(literal) = before.strip_suffix('$') {
            text.push_str(literal);
            text.push_str("${");
            rest = after;
            continue;
        }
        text.push_str(before);
        let Some(end) = after.find('}') else {
            let error = ConfigError::new("", "`${` has no closing `}`")
                .remedy("close it, or write `$${` for the characters themselves");
            return Err(Box::new(error));
        };
        let inside = &after[..end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(named) {
            let error = ConfigError::new("", format!("`${{{inside}}}` names no variable"))
                .allowed("`${NAME}` or `${NAME:-default}`, with letters, digits and `_`")
                .remedy("correct the name, or write `$${` for the characters themselves");
            return Err(Box::new(error));
        }
        match (environment(name), default) {
            (Some(value), None) => text.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => text.push_str(&value),
            (_, Some(default)) => text.push_str(default),
            (None, None) => {
                let message = format!("the environment variable {name} is not set");
                let remedy = format!("set {name}, or give a default: `${{{name}:-default}}`");
                return Err(Box::new(ConfigError::new("", message).remedy(remedy)));
            }
        }
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Where each key of a configuration file is.
#[derive(Debug, Clone)]
pub struct Places {
    source: Source,
    spans: BTreeMap<String, Span>,
}

impl Places {
    /// The place of `key`, or of the nearest table above it that is in the file.
    pub(super) fn find(&self, key: &str) -> Option<Place> {
        self.nearest(key).map(|(_, place)| place)
    }

    /// The same, with the key that is at that place.
    pub(super) fn nearest<'a>(&self, key: &'a str) -> Option<(&'a str, Place)> {
        let mut key = key;
        loop {
            if let Some(span) = self.spans.get(key) {
                return Some((key, self.source.place(span)));
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    /// The file's name as the user gave it.
    pub(super) fn file(&self) -> &str {
        &self.source.name
    }
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[test]
    fn variables_are_replaced() {
        let environment = |name: &str| match name {
            "HOST" => Some("10.0.0.1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("plain $PORT", "plain $PORT"),
            ("${HOST}:80", "10.0.0.1:80"),
            ("${NONE:-a:b}", "a:b"),
            ("${EMPTY:-x}${EMPTY}", "x"),
            ("${HOST:-x}-${HOST}", "10.0.0.1-10.0.0.1"),
            ("$${HOST}", "${HOST}"),
        ];
        for (raw, text) in cases {
            assert_eq!(substitute(raw, &environment).unwrap(), text, "{raw}");
        }
        for raw in ["${NONE}", "${HOST", "${}", "${A B}"] {
            assert!(substitute(raw, &environment).is_err(), "{raw}");
        }
    }
}
