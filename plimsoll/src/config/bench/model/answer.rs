//! What is taken from an answer, and what must be true of it.

use std::time::Duration;

use serde_json_path::JsonPath;

use super::{Comparison, Pattern, Slot, Template};

/// A value taken from an answer into a variable.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// The variable.
    pub into: Slot,
    /// Where it comes from.
    pub from: Source,
    /// What to take.
    pub what: Finder,
    /// Which match, from 1; 0 for any at random; -1 for all, as `name_1`, `name_2`… and
    /// `name_matchNr`.
    pub number: i32,
    /// The variable's value where nothing matches. Without it, the request fails.
    pub default: Option<Template>,
    /// Sets `name_g0`, `name_g1`… and `name_g` too, as JMeter's extractor does, where the plan uses
    /// them.
    pub groups: Vec<(GroupPart, Slot)>,
    /// The slots of `name_matchNr`, of `name_1`, `name_2`… and of their groups, as far as the plan
    /// uses them.
    pub all: AllMatches,
}

/// Something of the groups of a regular expression's match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupPart {
    /// `name_g`: how many there are, the whole match left out.
    Count,
    /// `name_g1`: a group's text; the whole match under 0.
    Text(usize),
}

/// Where all matches go.
#[derive(Debug, Clone, Default)]
pub struct AllMatches {
    /// `name_matchNr`.
    pub count: Option<Slot>,
    /// `name_1`, `name_2`…: the number and the slot.
    pub each: Vec<(usize, Slot)>,
    /// `name_1_g`, `name_1_g0`, `name_1_g1`…: the number, what of its groups, and the slot.
    pub groups: Vec<(usize, GroupPart, Slot)>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The body.
    Body,
    /// A header's value.
    Header(String),
    /// All header lines.
    Headers,
    /// The status as text.
    Status,
    /// The reason phrase.
    Reason,
    /// The URL that was asked last.
    Url,
}

/// How a value is found.
#[derive(Debug, Clone)]
pub enum Finder {
    /// The whole part.
    Whole,
    /// By a regular expression; the text is rendered with `$1$`, `$2$`… as its groups.
    Regex(Pattern, String),
    /// By a JSON path (RFC 9535).
    Json(JsonPath),
    /// What lies between two texts, as JMeter's boundary extractor.
    Between(String, String),
}

/// What must be true of an answer.
#[derive(Debug, Clone)]
pub struct Check {
    /// Shown where it fails.
    pub name: String,
    /// What is looked at.
    pub of: Source,
    /// What must be found there first; [`Finder::Whole`] mostly.
    pub what: Finder,
    /// What must be true of it.
    pub test: Test,
    /// Turned round.
    pub not: bool,
}

/// What must be true of a text.
#[derive(Debug, Clone)]
pub enum Test {
    /// Something was found.
    Exists,
    /// It is this, as text.
    Equals(Template),
    /// It contains this.
    Contains(Template),
    /// A match is found within.
    Finds(Pattern),
    /// It matches as a whole.
    Matches(Pattern),
    /// It is a whole number in one of these ranges, both ends included: `200-299`.
    Within(Vec<(u64, u64)>),
    /// The answer took no longer.
    Faster(Duration),
    /// The body's size compares so with this many bytes.
    Size(Comparison, u64),
    /// One of these tests is passed.
    Any(Vec<Test>),
}
