//! Values taken from answers into variables, as JMeter's extractors do.
//!
//! Invariants: at most [`MATCHES_MAX`] matches are looked at; a variable is set by every extraction
//! that succeeds or has a default, so that it never holds the value of another answer.

use std::sync::Arc;

use regex::{Captures, Regex};
use serde_json::Value;

use super::answer::Answer;
use super::run::Shared;
use super::template;
use super::user::User;
use crate::config::bench::model::{Extraction, Finder, GroupPart, Slot, Source};

/// Most matches that are counted.
const MATCHES_MAX: usize = 10_000;

/// Something that was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Match {
    /// What the finder takes of it.
    pub(super) text: String,
    /// The groups of a regular expression, the whole first.
    pub(super) groups: Vec<Option<String>>,
}

impl Match {
    /// Something of the groups; `None` where there is no such group. One that took no part is empty.
    fn group(&self, part: GroupPart) -> Option<Arc<str>> {
        match part {
            GroupPart::Count if self.groups.is_empty() => None,
            GroupPart::Count => Some((self.groups.len() - 1).to_string().into()),
            GroupPart::Text(number) => {
                self.groups.get(number).map(|text| text.as_deref().unwrap_or_default().into())
            }
        }
    }
}

fn set_group(slot: Slot, value: Option<Arc<str>>, user: &mut User) {
    match value {
        Some(value) => user.set(slot, value),
        None => user.unset(slot),
    }
}

/// Does all extractions; the first that found nothing and has no default, in words.
pub(super) fn all(
    extractions: &[Extraction],
    answer: &Answer,
    user: &mut User,
    shared: &Shared,
) -> Option<String> {
    let mut trouble = None;
    for extraction in extractions {
        if let Err(why) = one(extraction, answer, user, shared) {
            trouble.get_or_insert(why);
        }
    }
    trouble
}

fn one(
    extraction: &Extraction,
    answer: &Answer,
    user: &mut User,
    shared: &Shared,
) -> Result<(), String> {
    let most = usize::try_from(extraction.number).unwrap_or(0);
    let most = if most == 0 { MATCHES_MAX } else { most.min(MATCHES_MAX) };
    let mut found = find(&extraction.what, &extraction.from, answer, most);
    let name = shared.plan().variables.get(extraction.into).map_or("", |one| one.name.as_str());
    if extraction.number < 0 {
        spread(extraction, &found, name, user, shared);
    }
    let chosen = match extraction.number {
        0 if found.is_empty() => None,
        0 => Some(user.random.usize(0..found.len())),
        // All of them: the variable itself holds the first.
        ..0 => Some(0),
        number => usize::try_from(number).ok().map(|number| number - 1),
    };
    if let Some(count) = extraction.all.count.filter(|_| extraction.number >= 0) {
        user.set(count, found.len().to_string().into());
    }
    match chosen.filter(|chosen| *chosen < found.len()) {
        Some(chosen) => {
            let chosen = found.swap_remove(chosen);
            for (group, slot) in &extraction.groups {
                set_group(*slot, chosen.group(*group), user);
            }
            user.set(extraction.into, chosen.text.into());
            Ok(())
        }
        None => {
            extraction.groups.iter().for_each(|(_, slot)| user.unset(*slot));
            match &extraction.default {
                Some(default) => {
                    let default = template::render(default, user, shared)?;
                    user.set(extraction.into, default.into());
                    Ok(())
                }
                None => {
                    user.unset(extraction.into);
                    Err(format!("“{name}” was not found: {}", missing(extraction, answer)))
                }
            }
        }
    }
}

/// Sets `name_1`, `name_2`…, their groups and `name_matchNr`, and makes those of an earlier answer unset.
fn spread(extraction: &Extraction, found: &[Match], name: &str, user: &mut User, shared: &Shared) {
    let count: Arc<str> = found.len().to_string().into();
    for (number, slot) in &extraction.all.each {
        match number.checked_sub(1).and_then(|place| found.get(place)) {
            Some(one) => user.set(*slot, one.text.as_str().into()),
            None => user.unset(*slot),
        }
    }
    for (number, part, slot) in &extraction.all.groups {
        let one = number.checked_sub(1).and_then(|place| found.get(place));
        set_group(*slot, one.and_then(|one| one.group(*part)), user);
    }
    if let Some(slot) = extraction.all.count {
        user.set(slot, count.clone());
    }
    if shared.asks_by_name() {
        for (place, one) in found.iter().enumerate() {
            let name = format!("{name}_{}", place + 1);
            user.set_named(&name, one.text.as_str().into(), shared);
            for (number, text) in one.groups.iter().enumerate() {
                let text = text.as_deref().unwrap_or_default().into();
                user.set_named(&format!("{name}_g{number}"), text, shared);
            }
        }
        user.set_named(&format!("{name}_matchNr"), count, shared);
        let mut further = found.len() + 1;
        while user.unset_named(&format!("{name}_{further}"), shared) {
            further += 1;
        }
    }
}

/// The first matches in a part of an answer.
pub(super) fn find(finder: &Finder, from: &Source, answer: &Answer, most: usize) -> Vec<Match> {
    let mut found = Vec::new();
    if let (Finder::Json(path), Source::Body) = (finder, from) {
        let nodes = answer.json().map(|json| path.query(json).all()).unwrap_or_default();
        found.extend(nodes.into_iter().take(most).map(json_match));
        return found;
    }
    for part in answer.part(from) {
        let left = most - found.len();
        match finder {
            Finder::Whole => {
                let text = part.into_owned();
                found.extend(Some(Match { text, groups: Vec::new() }).filter(|_| left > 0));
            }
            Finder::Regex(pattern, form) => {
                let matches = pattern.0.captures_iter(&part).take(left);
                found.extend(matches.map(|groups| regex_match(&pattern.0, &groups, form)));
            }
            Finder::Json(path) => {
                let json = serde_json::from_str::<Value>(&part).unwrap_or_default();
                found.extend(path.query(&json).all().into_iter().take(left).map(json_match));
            }
            Finder::Between(before, after) => between(&part, before, after, left, &mut found),
        }
    }
    found
}

/// A text as itself, anything else as JSON.
fn json_match(value: &Value) -> Match {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Match { text, groups: Vec::new() }
}

fn regex_match(regex: &Regex, groups: &Captures, form: &str) -> Match {
    let all = (0..regex.captures_len()).map(|group| Some(groups.get(group)?.as_str().to_owned()));
    Match { text: shape(form, groups), groups: all.collect() }
}

/// The text with `$1$`, `$2$`… replaced by groups; an empty one is the first group, or the whole.
fn shape(form: &str, groups: &Captures) -> String {
    let group = |number| groups.get(number).map_or("", |group| group.as_str());
    if form.is_empty() {
        return group(usize::from(groups.len() > 1)).to_owned();
    }
    let mut out = String::new();
    let mut rest = form;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        match (after[..digits].parse(), after[digits..].strip_prefix('$')) {
            (Ok(number), Some(after)) => {
                out.push_str(group(number));
                rest = after;
            }
            _ => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// What lies between two texts; an empty one stands for the part's beginning or end.
fn between(part: &str, before: &str, after: &str, most: usize, found: &mut Vec<Match>) {
    let mut rest = part;
    for _ in 0..most {
        let Some(begin) = rest.find(before).map(|at| at + before.len()) else { return };
        let end =
            if after.is_empty() { Some(rest.len() - begin) } else { rest[begin..].find(after) };
        let Some(end) = end.map(|at| begin + at) else { return };
        found.push(Match { text: rest[begin..end].to_owned(), groups: Vec::new() });
        if before.is_empty() || after.is_empty() {
            return;
        }
        rest = &rest[end + after.len()..];
    }
}

/// What was looked for in vain, in words.
fn missing(extraction: &Extraction, answer: &Answer) -> String {
    let part = super::check::part_name(&extraction.from);
    let what = match &extraction.what {
        Finder::Whole => return format!("the answer has no {part}"),
        Finder::Regex(pattern, _) => {
            format!("nothing in the {part} matches {}", pattern.0.as_str())
        }
        Finder::Json(path) if extraction.from == Source::Body && answer.json().is_none() => {
            format!("the body is no JSON, in which {path} could be")
        }
        Finder::Json(path) => format!("nothing in the {part} is at {path}"),
        Finder::Between(before, after) => {
            format!("nothing in the {part} lies between “{before}” and “{after}”")
        }
    };
    format!("{what}; {}", super::check::beginning(part, &answer.part(&extraction.from)))
}
