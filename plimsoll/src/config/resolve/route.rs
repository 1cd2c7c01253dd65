//! Routes: each leads to a service that exists, and no two match the same requests.

use std::collections::{BTreeMap, BTreeSet};

use super::super::grammar;
use super::super::model::Route;
use super::super::problem::{ConfigError, nearest, one_of};
use super::super::reader::{Reader, Where};
use super::super::table::Setting;
use super::super::{defaults, kind::Item};

/// Most names of services that a message lists.
const NAMES_SHOWN: usize = 20;

/// The resolved routes. Without any in the file, the only service gets every request.
pub(super) fn routes(top: &grammar::Top, reader: &mut Reader<'_>) -> Vec<Route> {
    if !top.route.is_present() {
        return default_route(top, reader).into_iter().collect();
    }
    refuse_same(&top.route.value, reader);
    refuse_nowhere(top, reader);
    warn_about_unreached(top, reader);
    top.route.value.iter().filter_map(route).collect()
}

fn route(item: &Item<grammar::Route>) -> Option<Route> {
    let raw = &item.value;
    Some(Route {
        host: raw.host.value.clone(),
        path: raw.path.value.clone(),
        service: raw.service.value.clone()?,
        strip_prefix: raw.strip_prefix.value,
        access_log: raw.access_log.value,
    })
}

/// Every request to `service`.
pub(in crate::config) fn everything(service: &str) -> Route {
    Route {
        host: None,
        path: defaults::ROUTE_PATH.to_owned(),
        service: service.to_owned(),
        strip_prefix: defaults::STRIP_PREFIX,
        access_log: defaults::ROUTE_ACCESS_LOG,
    }
}

fn default_route(top: &grammar::Top, reader: &mut Reader<'_>) -> Option<Route> {
    match top.service.value.as_slice() {
        [only] => Some(everything(&only.name)),
        [first, second, ..] if top.service.is_sound() => {
            let count = top.service.value.len();
            let names = top.service.value.iter().map(|service| service.name.as_str());
            let found = match count {
                ..=NAMES_SHOWN => {
                    format!("the services {}", one_of(names).replace(" or ", " and "))
                }
                _ => format!("{count} services"),
            };
            let error =
                ConfigError::new("route", "several services, and no route to tell them apart")
                    .found(found)
                    .remedy(format!(
                        "add for each: [[route]] path = \"/{}/\" service = \"{}\"",
                        second.name, second.name
                    ));
            reader.refuse(&first.at, error);
            None
        }
        _ => None,
    }
}

fn refuse_same(items: &[Item<grammar::Route>], reader: &mut Reader<'_>) {
    let mut seen: BTreeMap<(Option<&str>, &str), &Item<grammar::Route>> = BTreeMap::new();
    for item in items {
        let raw = &item.value;
        if !raw.path.is_sound() || !raw.host.is_sound() {
            continue;
        }
        let matched = (raw.host.value.as_deref(), raw.path.value.as_str());
        let first = *seen.entry(matched).or_insert(item);
        if !std::ptr::eq(first, item) {
            let at = if raw.path.is_present() { &raw.path.at } else { &item.at };
            let host = raw.host.value.as_deref().unwrap_or("any");
            let error = ConfigError::new(&at.key, "two routes match the same requests")
                .found(format!("host {host}, path {}", raw.path.value))
                .note(format!("the other is in {}", reader.line(&first.at)))
                .remedy("remove one, or change its `host` or `path`");
            reader.refuse(at, error);
        }
    }
}

fn refuse_nowhere(top: &grammar::Top, reader: &mut Reader<'_>) {
    if !top.service.is_sound() {
        return;
    }
    let names: BTreeSet<&str> =
        top.service.value.iter().map(|service| service.name.as_str()).collect();
    for item in &top.route.value {
        let setting = &item.value.service;
        if let Some(name) = setting.value.as_deref().filter(|name| !names.contains(name)) {
            reader.refuse_with(&setting.at, |reader| nowhere(name, &setting.at, &names, reader));
        }
    }
}

/// What is said of a route to the service `name`, which is not one of the `known` ones.
fn nowhere(name: &str, at: &Where, known: &BTreeSet<&str>, reader: &Reader<'_>) -> ConfigError {
    let error =
        ConfigError::new(&at.key, format!("there is no service `{name}`")).found(reader.shown(at));
    let error = match known.len() {
        0 => error,
        1..=NAMES_SHOWN => error.allowed(one_of(known.iter().copied())),
        many => error.allowed(format!("one of the {many} services of the file")),
    };
    match nearest(name, known.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean \"{near}\"?")),
        None => error.remedy(format!("add [service.{name}], or name another service")),
    }
}

fn warn_about_unreached(top: &grammar::Top, reader: &mut Reader<'_>) {
    if !top.route.is_sound() {
        return;
    }
    let routes = || top.route.value.iter().map(|item| &item.value.service);
    if !routes().all(Setting::is_sound) {
        return;
    }
    let reached: BTreeSet<&str> = routes().filter_map(|name| name.value.as_deref()).collect();
    for service in &top.service.value {
        let name = &service.name;
        if !reached.contains(name.as_str()) {
            let error =
                ConfigError::new(&service.at.key, format!("no route leads to service `{name}`"))
                    .remedy(format!(
                        "add a [[route]] with service = \"{name}\", or remove the service"
                    ));
            reader.warn(&service.at, error);
        }
    }
}
