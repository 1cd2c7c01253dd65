//! Silences: alarms that nobody wants to hear of for a while.
//!
//! As in Alertmanager: what a silence has hushed stays true of the past, so only the end of one that
//! holds can be moved; any other change expires it and makes a new one, with a new id.
//!
//! Expired ones are kept for five days, to be looked at and to be made again.

use std::collections::BTreeMap;

use thiserror::Error;
use tsdb::labels::Labels;
use tsdb::source::{Condition, Matcher};

use super::identity::quoted;

/// Expired silences are kept this long, milliseconds.
const KEPT: i64 = 5 * 86_400 * 1000;
/// Silences that are kept, expired ones included.
pub const SILENCES_MAX: usize = 10_000;
/// Matchers of a silence.
const MATCHERS_MAX: usize = 64;
/// Bytes of text in a silence: names, values, author, comment.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// A condition of a silence, as written.
#[derive(Debug, Clone)]
pub struct Term {
    /// The label.
    pub name: String,
    /// Its value, or a pattern for the whole of it.
    pub value: String,
    /// Whether `value` is a pattern.
    pub is_regex: bool,
    /// Whether it must fit; otherwise it must not.
    pub is_equal: bool,
    pub(super) matcher: Matcher,
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.value, self.is_regex, self.is_equal)
            == (&other.name, &other.value, other.is_regex, other.is_equal)
    }
}

impl Term {
    /// # Errors
    /// The name is none, or the pattern cannot be used.
    pub fn new(
        name: &str,
        value: &str,
        is_regex: bool,
        is_equal: bool,
    ) -> Result<Self, SilenceError> {
        let mut bytes = name.bytes();
        let is_name =
            bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(SilenceError::Name(name.to_owned()));
        }
        let pattern = || {
            tsdb::pattern::anchored(value).map_err(|error| SilenceError::Pattern(error.to_string()))
        };
        let condition = match (is_regex, is_equal) {
            (false, true) => Condition::Equal(value.to_owned()),
            (false, false) => Condition::NotEqual(value.to_owned()),
            (true, true) => Condition::Match(pattern()?),
            (true, false) => Condition::NotMatch(pattern()?),
        };
        let matcher = Matcher { name: name.to_owned(), condition };
        Ok(Self { name: name.to_owned(), value: value.to_owned(), is_regex, is_equal, matcher })
    }

    /// From `name=value`, `name!="value"`, `name=~…`, `name!~…`.
    ///
    /// # Errors
    /// The text is no matcher.
    pub fn parse(text: &str) -> Result<Self, SilenceError> {
        let wrong = || SilenceError::Matcher(text.to_owned());
        let trimmed = text.trim();
        let at = trimmed.find(['=', '!']).ok_or_else(wrong)?;
        let (name, rest) = trimmed.split_at(at);
        let operators =
            [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let (value, is_regex, is_equal) = operators
            .iter()
            .find_map(|(operator, regex, equal)| {
                rest.strip_prefix(operator).map(|value| (value, *regex, *equal))
            })
            .ok_or_else(wrong)?;
        let value = unquoted(value.trim()).ok_or_else(wrong)?;
        Self::new(name.trim(), &value, is_regex, is_equal)
    }

    /// Whether the labels fulfil it.
    pub fn accepts(&self, labels: &Labels) -> bool {
        self.matcher.accepts_labels(labels)
    }

    /// Whether a value fulfils it.
    pub fn accepts_value(&self, value: &str) -> bool {
        self.matcher.accepts(value)
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operator = match (self.is_regex, self.is_equal) {
            (false, true) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (true, false) => "!~",
        };
        write!(f, "{}{operator}{}", self.name, quoted(&self.value))
    }
}

/// A value with or without double quotes; `None` if they do not fit together.
fn unquoted(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    let (mut out, mut characters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some(escaped @ ('"' | '\\')) => out.push(escaped),
                Some(other) => out.extend(['\\', other]),
                // The quote at the end was escaped.
                None if text.starts_with('"') => return None,
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// How a silence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It holds.
    Active,
    /// It will hold.
    Pending,
    /// It held.
    Expired,
}

impl SilenceState {
    /// As Alertmanager names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// Alarms that all its matchers fit are not told of while it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// A UUID.
    pub id: String,
    /// All must hold; at least one.
    pub matchers: Vec<Term>,
    /// Milliseconds since 1970, as the next two.
    pub starts_at: i64,
    /// After `starts_at`.
    pub ends_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    /// How it is.
    pub fn state(&self, now: i64) -> SilenceState {
        match now {
            _ if now >= self.ends_at => SilenceState::Expired,
            _ if now < self.starts_at => SilenceState::Pending,
            _ => SilenceState::Active,
        }
    }

    fn mutes(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|term| term.accepts(labels))
    }

    fn check(&self, now: i64) -> Result<(), SilenceError> {
        if self.matchers.is_empty() {
            return Err(SilenceError::NoMatcher);
        }
        if self.matchers.len() > MATCHERS_MAX {
            return Err(SilenceError::ManyMatchers);
        }
        if self.matchers.iter().all(|term| term.accepts_value("")) {
            return Err(SilenceError::MatchesAll);
        }
        let matchers = self.matchers.iter().map(|term| term.name.len() + term.value.len());
        let text = matchers.sum::<usize>() + self.created_by.len() + self.comment.len();
        if text > TEXT_BYTES_MAX {
            return Err(SilenceError::LongText);
        }
        if self.starts_at >= self.ends_at {
            return Err(SilenceError::Backwards);
        }
        if self.ends_at <= now { Err(SilenceError::Past) } else { Ok(()) }
    }
}

/// A silence that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SilenceError {
    /// No such id.
    #[error("silence not found")]
    Unknown,
    /// It is over already.
    #[error("silence {0} already expired")]
    Expired(String),
    /// It would hush nothing or everything.
    #[error("invalid silence: at least one matcher required")]
    NoMatcher,
    /// It would hush everything.
    #[error("invalid silence: at least one matcher must not match the empty string")]
    MatchesAll,
    /// More than [`MATCHERS_MAX`].
    #[error("invalid silence: more than {MATCHERS_MAX} matchers; make two silences of it")]
    ManyMatchers,
    /// More than [`TEXT_BYTES_MAX`].
    #[error("invalid silence: more than {TEXT_BYTES_MAX} bytes of text; shorten the comment")]
    LongText,
    /// A label cannot have this name.
    #[error("invalid silence: invalid label name {0:?}")]
    Name(String),
    /// A pattern that cannot be used.
    #[error("invalid silence: {0}")]
    Pattern(String),
    /// Not a matcher.
    #[error(
        "bad matcher format: {0}; write it as name=value, name!=value, name=~regex or name!~regex"
    )]
    Matcher(String),
    /// It ends before it starts.
    #[error("Failed to create silence: start time must be before end time")]
    Backwards,
    /// It ends in the past.
    #[error("Failed to create silence: end time can't be in the past")]
    Past,
    /// There are [`SILENCES_MAX`] already.
    #[error(
        "Failed to create silence: there are {SILENCES_MAX} already; expired ones go after 5 days"
    )]
    Full,
}

/// All silences.
#[derive(Debug, Default)]
pub(super) struct Silences(BTreeMap<String, Silence>);

impl Silences {
    /// Makes a silence, or edits the one of its id; yields the id under which it is known now.
    /// `random` becomes the id of a new one.
    pub(super) fn set(
        &mut self,
        mut silence: Silence,
        random: u128,
        now: i64,
    ) -> Result<String, SilenceError> {
        silence.check(now)?;
        silence.updated_at = now;
        let previous = match silence.id.as_str() {
            "" => None,
            id => Some(self.0.get(id).ok_or(SilenceError::Unknown)?),
        };
        if let Some(previous) = previous {
            if can_become(previous, &silence, now) {
                let id = silence.id.clone();
                self.0.insert(id.clone(), silence);
                return Ok(id);
            }
            if previous.state(now) != SilenceState::Expired {
                self.expire(&silence.id, now)?;
            }
        }
        if self.0.len() >= SILENCES_MAX {
            return Err(SilenceError::Full);
        }
        silence.id = uuid(random);
        silence.starts_at = silence.starts_at.max(now);
        let id = silence.id.clone();
        self.0.insert(id.clone(), silence);
        Ok(id)
    }

    /// Ends a silence now.
    pub(super) fn expire(&mut self, id: &str, now: i64) -> Result<(), SilenceError> {
        let silence = self.0.get_mut(id).ok_or(SilenceError::Unknown)?;
        match silence.state(now) {
            SilenceState::Expired => return Err(SilenceError::Expired(id.to_owned())),
            SilenceState::Active => silence.ends_at = now,
            SilenceState::Pending => (silence.starts_at, silence.ends_at) = (now, now),
        }
        silence.updated_at = now;
        Ok(())
    }

    /// Ids of those that hush an alarm.
    pub(super) fn of(&self, labels: &Labels, now: i64) -> impl Iterator<Item = &str> {
        self.0
            .values()
            .filter(move |silence| silence.state(now) == SilenceState::Active)
            .filter(|silence| silence.mutes(labels))
            .map(|silence| silence.id.as_str())
    }

    /// Drops those that expired long ago; says whether there was any.
    pub(super) fn drop_old(&mut self, now: i64) -> bool {
        let before = self.0.len();
        self.0.retain(|_, silence| silence.ends_at.saturating_add(KEPT) > now);
        self.0.len() < before
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Silence> {
        self.0.values()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Silence> {
        self.0.get(id)
    }

    /// Takes one back that was kept on the disk.
    pub(super) fn restore(&mut self, silence: Silence) {
        if self.0.len() < SILENCES_MAX {
            self.0.insert(silence.id.clone(), silence);
        }
    }
}

/// Whether `new` may take the place of `old` without changing what was silenced in the past.
fn can_become(old: &Silence, new: &Silence, now: i64) -> bool {
    old.matchers == new.matchers
        && match old.state(now) {
            // Some send whole seconds.
            SilenceState::Active => old.starts_at / 1000 == new.starts_at / 1000,
            SilenceState::Pending => new.starts_at >= now,
            SilenceState::Expired => false,
        }
}

/// A random UUID, version 4: RFC 9562 §5.4.
fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
