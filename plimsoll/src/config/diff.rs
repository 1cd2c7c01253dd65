//! What a reload changes, in lines for people, and what it cannot change.
//!
//! Both configurations are written out as facts (`service.web.instances` = `3`), and the facts are
//! compared: a new field that is not written out here would go unseen, so every struct is taken
//! apart by name and the compiler says when one grows.

mod facts;

use std::collections::BTreeMap;

use super::model::observe::Observe;
use super::model::{Config, Route};
use facts::{Fact, Facts, source_summary};

/// What differs between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// What changes, a line each: `service web: instances 3 → 5`, `route /api/ → web added`.
    pub changes: Vec<String>,
    /// What a running Plimsoll cannot change; if there is any, a reload must be refused whole.
    pub restart_needed: Vec<String>,
}

/// Compares what is in force with what is to come.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let mut diff = Diff::default();
    compare("", &facts::fixed(old), &facts::fixed(new), |line| {
        diff.restart_needed.push(format!("{line}: needs a restart of Plimsoll"));
    });
    let token = |config: &Config| config.admin.as_ref().and_then(|admin| admin.token.clone());
    if token(old) != token(new) {
        diff.restart_needed.push("admin.token changed: needs a restart of Plimsoll".to_owned());
    }
    compare("", &facts::process(old), &facts::process(new), |line| diff.changes.push(line));
    if let (Some(old), Some(new)) = (&old.observe, &new.observe) {
        let (was, is) = (facts::observe::fixed(old), facts::observe::fixed(new));
        compare("observe.", &was, &is, |line| {
            diff.restart_needed.push(format!("{line}: needs a restart of Plimsoll"));
        });
        compare_observe(old, new, &mut diff.changes);
    }
    for (name, service) in &new.services {
        let Some(before) = old.services.get(name) else {
            diff.changes.push(format!("service {name} added: {}", source_summary(&service.source)));
            continue;
        };
        let (mut was, mut is) = (facts::service(before), facts::service(service));
        // Where one kind takes the place of the other, the settings of neither tell more.
        if std::mem::discriminant(&before.source) == std::mem::discriminant(&service.source) {
            was.extend(facts::source(&before.source));
            is.extend(facts::source(&service.source));
        } else {
            let sources = (source_summary(&before.source), source_summary(&service.source));
            diff.changes.push(format!("service {name}: {} → {}", sources.0, sources.1));
        }
        compare(&format!("service {name}: "), &was, &is, |line| diff.changes.push(line));
    }
    for name in old.services.keys().filter(|name| !new.services.contains_key(*name)) {
        diff.changes.push(format!("service {name} removed"));
    }
    compare_routes(&old.routes, &new.routes, &mut diff.changes);
    diff
}

fn compare_observe(old: &Observe, new: &Observe, changes: &mut Vec<String>) {
    let (was, is) = (facts::observe::process(old), facts::observe::process(new));
    compare("observe: ", &was, &is, |line| changes.push(line));
    let (was, is) = (facts::observe::named(old), facts::observe::named(new));
    for (name, facts) in &is {
        match was.get(name) {
            None => changes.push(format!("observe: {name} added")),
            Some(before) => {
                compare(&format!("observe: {name}: "), before, facts, |line| changes.push(line));
            }
        }
    }
    for name in was.keys().filter(|name| !is.contains_key(*name)) {
        changes.push(format!("observe: {name} removed"));
    }
}

/// A line for each fact that differs.
fn compare(prefix: &str, old: &Facts, new: &Facts, mut line: impl FnMut(String)) {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        let text = match (old, new) {
            _ if old == new => continue,
            (Some(Fact::Shown(old)), Some(Fact::Shown(new))) => format!("{old} → {new}"),
            (None, Some(Fact::Shown(new))) => format!("{new} added"),
            (Some(Fact::Shown(old)), None) => format!("{old} removed"),
            (None, _) => "added".to_owned(),
            (_, None) => "removed".to_owned(),
            _ => "changed".to_owned(),
        };
        line(format!("{prefix}{key} {text}"));
    }
}

/// A route by what it matches, as in `*.example.com/api/`.
fn matched(route: &Route) -> String {
    format!("{}{}", route.host.as_deref().unwrap_or_default(), route.path)
}

fn compare_routes(old: &[Route], new: &[Route], changes: &mut Vec<String>) {
    let by_match = |routes: &[Route]| -> BTreeMap<String, Route> {
        routes.iter().map(|route| (matched(route), route.clone())).collect()
    };
    let (old, new) = (by_match(old), by_match(new));
    for (matched, route) in &new {
        match old.get(matched) {
            None => changes.push(format!("route {matched} → {} added", route.service)),
            Some(before) => {
                let (before, after) = (facts::route(before), facts::route(route));
                compare(&format!("route {matched}: "), &before, &after, |line| changes.push(line));
            }
        }
    }
    for (matched, route) in old.iter().filter(|(matched, _)| !new.contains_key(*matched)) {
        changes.push(format!("route {matched} → {} removed", route.service));
    }
}
