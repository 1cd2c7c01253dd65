//! Whether an answer is what the plan says it must be, and in words why not.

use std::borrow::Cow;

use super::answer::Answer;
use super::expression;
use super::extract::{Match, find};
use super::run::Shared;
use super::template;
use super::user::User;
use crate::config::bench::model::{Check, Comparison, Finder, Source, Test};

/// Most matches that are tested; one of them must pass.
const MATCHES_MAX: usize = 1000;
/// Most characters of an answer within a message.
const EXCERPT_MAX: usize = 120;

/// Whether a check passes; in words why not.
pub(super) fn passes(
    check: &Check,
    answer: &Answer,
    user: &mut User,
    shared: &Shared,
) -> Result<(), String> {
    let found = if looks_inside(&check.test) {
        find(&check.what, &check.of, answer, MATCHES_MAX)
    } else {
        Vec::new()
    };
    let outcome = test(&check.test, &found, answer, user, shared);
    let subject = subject(check);
    let why = match (outcome, check.not) {
        (Ok(passed), not) if passed != not => return Ok(()),
        (Ok(_), not) => {
            let mut why = format!("{subject} {}", words(&check.test, not, user, shared));
            let is_about_text = looks_inside(&check.test);
            if is_about_text && found.is_empty() && !matches!(check.what, Finder::Whole) {
                why.push_str("; nothing was found there");
            }
            if is_about_text {
                why.push_str("; ");
                why.push_str(&excerpt(check, &found, answer));
            } else if let Test::Faster(_) = check.test {
                why.push_str(&format!("; it took {:?}", answer.elapsed()));
            } else {
                why.push_str(&format!("; it has {} bytes", answer.reply.body_length));
            }
            why
        }
        (Err(why), _) => why,
    };
    Err(format!("check “{}”: {why}", check.name))
}

/// Whether a test is about the text, and not about time or size.
pub(super) fn looks_inside(test: &Test) -> bool {
    match test {
        Test::Faster(_) | Test::Size(..) => false,
        Test::Any(tests) => tests.iter().any(looks_inside),
        _ => true,
    }
}

fn test(
    test: &Test,
    found: &[Match],
    answer: &Answer,
    user: &mut User,
    shared: &Shared,
) -> Result<bool, String> {
    let any = |passes: &dyn Fn(&str) -> bool| found.iter().any(|one| passes(&one.text));
    Ok(match test {
        Test::Exists => !found.is_empty(),
        Test::Equals(text) => {
            let text = template::text(text, user, shared)?;
            any(&|one| one == text)
        }
        Test::Contains(text) => {
            let text = template::text(text, user, shared)?;
            any(&|one| one.contains(&*text))
        }
        Test::Finds(pattern) => any(&|one| pattern.0.is_match(one)),
        Test::Matches(pattern) => any(&|one| shared.matches_whole(pattern, one)),
        Test::Within(ranges) => any(&|one| {
            let number = one.trim().parse::<u64>();
            number
                .is_ok_and(|number| ranges.iter().any(|(from, to)| (*from..=*to).contains(&number)))
        }),
        Test::Faster(bound) => answer.elapsed() <= *bound,
        Test::Size(comparison, bytes) => {
            let size = answer.reply.body_length;
            expression::compare(&size.to_string(), *comparison, &bytes.to_string())
        }
        Test::Any(tests) => {
            for one in tests {
                if self::test(one, found, answer, user, shared)? {
                    return Ok(true);
                }
            }
            false
        }
    })
}

/// What a check looks at.
fn subject(check: &Check) -> String {
    let part = part_name(&check.of);
    match (&check.test, &check.what) {
        (Test::Faster(_), _) => "the answer".to_owned(),
        (Test::Size(..), _) => "the body".to_owned(),
        (_, Finder::Whole) => part.to_string(),
        (_, Finder::Regex(pattern, _)) => {
            format!("what {} finds in the {part}", pattern.0.as_str())
        }
        (_, Finder::Json(path)) => format!("{path} of the {part}"),
        (_, Finder::Between(before, after)) => {
            format!("what lies between “{before}” and “{after}” in the {part}")
        }
    }
}

/// What is wrong with it: the turned-round test, or with `not` the test itself.
fn words(test: &Test, not: bool, user: &mut User, shared: &Shared) -> String {
    let mut shown = |text| short(&template::render(text, user, shared).unwrap_or_default());
    match (test, not) {
        (Test::Exists, false) => "is not there".to_owned(),
        (Test::Exists, true) => "is there".to_owned(),
        (Test::Equals(text), false) => format!("is not “{}”", shown(text)),
        (Test::Equals(text), true) => format!("is “{}”", shown(text)),
        (Test::Contains(text), false) => format!("does not contain “{}”", shown(text)),
        (Test::Contains(text), true) => format!("contains “{}”", shown(text)),
        (Test::Finds(pattern), false) => format!("has no match of {}", pattern.0.as_str()),
        (Test::Finds(pattern), true) => format!("has a match of {}", pattern.0.as_str()),
        (Test::Matches(pattern), false) => format!("does not match {}", pattern.0.as_str()),
        (Test::Matches(pattern), true) => format!("matches {}", pattern.0.as_str()),
        (Test::Within(ranges), not) => {
            let range = |(from, to): &(u64, u64)| {
                if from == to { from.to_string() } else { format!("{from}-{to}") }
            };
            let ranges: Vec<String> = ranges.iter().map(range).collect();
            format!("is {}within {}", if not { "" } else { "not " }, ranges.join(", "))
        }
        (Test::Faster(bound), false) => format!("took longer than {bound:?}"),
        (Test::Faster(bound), true) => format!("took no longer than {bound:?}"),
        (Test::Size(comparison, bytes), not) => {
            let sign = sign(*comparison);
            format!("is {}{sign} {bytes} bytes", if not { "" } else { "not " })
        }
        (Test::Any(tests), not) => {
            let all: Vec<_> = tests.iter().map(|one| words(one, not, user, shared)).collect();
            all.join(if not { " or " } else { " and " })
        }
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// What was there instead.
fn excerpt(check: &Check, found: &[Match], answer: &Answer) -> String {
    match (found.first(), &check.what) {
        (Some(one), Finder::Whole) if check.of == Source::Body => {
            beginning("body", &[Cow::Borrowed(one.text.as_str())])
        }
        (Some(one), _) => format!("it is “{}”", short(&one.text)),
        (None, _) => beginning(part_name(&check.of), &answer.part(&check.of)),
    }
}

/// A part of an answer, as messages call it.
pub(super) fn part_name(source: &Source) -> &str {
    match source {
        Source::Body => "body",
        Source::Header(name) => name,
        Source::Headers => "headers",
        Source::Status => "status",
        Source::Reason => "reason",
        Source::Url => "URL",
    }
}

/// How a part begins.
pub(super) fn beginning(name: &str, parts: &[Cow<'_, str>]) -> String {
    match parts.first() {
        None => format!("the answer has no {name}"),
        Some(text) if text.is_empty() => format!("the {name} is empty"),
        Some(text) => format!("it begins: “{}”", short(text)),
    }
}

/// A text for a message: one line, not too long.
fn short(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = letters.by_ref().take(EXCERPT_MAX).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}
