//! The servers that a plan asks, as far as they are known before it runs.
//!
//! A URL's beginning may hold variables whose values stand in the plan. Left out: servers whose names
//! come from data, from answers or from functions.

use super::url;
use crate::config::bench::model::{Feed, Piece, Plan, Slot, Step, Template};
use crate::load::client::Origin;
use crate::load::client::dial::Purpose;

/// The servers, each once, and what for.
///
/// # Errors
/// Which URL can never be asked, and why.
pub fn origins(plan: &Plan) -> Result<Vec<(Origin, Purpose)>, String> {
    let mut found: Vec<(Origin, Purpose)> = Vec::new();
    let mut left: Vec<&Step> = plan.groups.iter().flat_map(|group| &group.steps).rev().collect();
    while let Some(step) = left.pop() {
        let (url, purpose) = match step {
            Step::Request(request) => (&request.url, Purpose::Requests),
            Step::Message(message) => (&message.url, Purpose::Messages),
            other => {
                left.extend(below(other).into_iter().rev());
                continue;
            }
        };
        let Some(text) = beginning(url, plan) else { continue };
        match url::split(&text).and_then(|(prefix, _)| url::origin(prefix, purpose)) {
            Ok(origin) if found.iter().all(|(known, _)| *known != origin) => {
                found.push((origin, purpose));
            }
            Err(why) if url.constant().is_some() => return Err(why),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// The steps within a step.
fn below(step: &Step) -> Vec<&Step> {
    match step {
        Step::Repeat { steps, .. }
        | Step::While { steps, .. }
        | Step::If { steps, .. }
        | Step::Share { steps, .. }
        | Step::Once { steps, .. }
        | Step::Transaction { steps, .. } => steps.iter().collect(),
        Step::Choose(choices) => choices.iter().flat_map(|choice| &choice.steps).collect(),
        Step::Interleave { of, .. } => of.iter().flatten().collect(),
        Step::Request(_)
        | Step::Message(_)
        | Step::Pause(_)
        | Step::Pace(_)
        | Step::Set(..)
        | Step::Feed(_) => Vec::new(),
    }
}

/// A URL as far as it is known before the run, if that is as far as its origin goes at least.
fn beginning(url: &Template, plan: &Plan) -> Option<String> {
    let mut text = String::new();
    for piece in &url.0 {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Variable(slot, _) => {
                let initial = plan.variables.get(*slot).and_then(|one| one.initial.as_ref());
                match initial.and_then(Template::constant) {
                    Some(value) => text.push_str(value),
                    None => {
                        let is_whole = has_whole_origin(&text) || begins_a_path(*slot, plan);
                        return is_whole.then_some(text);
                    }
                }
            }
            Piece::Call(_) => return Some(text).filter(|text| has_whole_origin(text)),
        }
    }
    Some(text)
}

fn has_whole_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
}

/// Whether a variable is taken from data, of which every value is a path.
fn begins_a_path(slot: Slot, plan: &Plan) -> bool {
    let column = |feed: &Feed| feed.columns.iter().position(|column| *column == slot);
    plan.feeds.iter().any(|feed| {
        column(feed).is_some_and(|column| {
            feed.rows.iter().all(|row| row.get(column).is_some_and(|value| value.starts_with('/')))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{get, plan, text, variable};
    use super::*;
    use crate::config::bench::model::{FeedEnd, FeedOrder};

    #[test]
    fn origins_are_known_before_the_run() {
        let step = |url: Template| Step::Request(Box::new(get(0, url)));
        let around = |before: &str, after: &str| {
            Template([text(before).0, variable(1).0, text(after).0].concat())
        };
        let mut known = plan(vec![
            step(text("http://a/x")),
            Step::Repeat {
                times: None,
                counter: None,
                steps: vec![step(text("http://a/y")), step(around("https://b/", ""))],
            },
            // What follows may still belong to the host.
            step(around("http://c", "")),
            step(around("http://", ":81/")),
        ]);
        known.variables[1].initial = Some(text("d"));
        let hosts = |plan| {
            let origins = origins(&plan).unwrap();
            origins.iter().map(|(origin, _)| origin.authority.clone()).collect::<Vec<_>>()
        };
        assert_eq!(hosts(known.clone()), ["a", "b", "cd", "d:81"]);
        known.variables[1].initial = None;
        assert_eq!(hosts(known), ["a", "b"]);
        // Data that can only be paths.
        let mut data = plan(vec![step(around("http://c", ""))]);
        let feed = |values: [&str; 2]| Feed {
            columns: vec![1],
            rows: values.map(|value| [value.into()].into()).into(),
            order: FeedOrder::InTurn,
            at_end: FeedEnd::Again,
            per_user: false,
        };
        data.feeds = vec![feed(["/x", "/y"])];
        assert_eq!(hosts(data.clone()), ["c"]);
        data.feeds = vec![feed(["/x", ":81/"])];
        assert!(hosts(data).is_empty());
        let wrong = plan(vec![step(text("http://a:x/"))]);
        assert!(origins(&wrong).unwrap_err().contains("its port must be"));
    }
}
