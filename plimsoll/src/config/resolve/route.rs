//! Routes: each leads to a service that exists, and no two match the same requests.

use super::super::grammar;
use super::super::model::Route;
use super::super::problem::{ConfigError, nearest, one_of};
use super::super::reader::Reader;
use super::super::{defaults, kind::Item};

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
            let names = top.service.value.iter().map(|service| service.name.as_str());
            let error =
                ConfigError::new("route", "several services, and no route to tell them apart")
                    .found(format!("the services {}", one_of(names).replace(" or ", " and ")))
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
    for (index, item) in items.iter().enumerate() {
        let raw = &item.value;
        if !raw.path.is_sound() || !raw.host.is_sound() {
            continue;
        }
        let same = items[..index].iter().find(|other| {
            let other = &other.value;
            let sound = other.path.is_sound() && other.host.is_sound();
            sound && other.path.value == raw.path.value && other.host.value == raw.host.value
        });
        if let Some(first) = same {
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
    let names: Vec<&str> = top.service.value.iter().map(|service| service.name.as_str()).collect();
    for item in &top.route.value {
        let setting = &item.value.service;
        let Some(name) = &setting.value else { continue };
        if names.contains(&name.as_str()) {
            continue;
        }
        let mut error = ConfigError::new(&setting.at.key, format!("there is no service `{name}`"))
            .found(reader.shown(&setting.at));
        error = if names.is_empty() { error } else { error.allowed(one_of(names.clone())) };
        error = match nearest(name, names.iter().copied()) {
            Some(near) => error.remedy(format!("did you mean \"{near}\"?")),
            None => error.remedy(format!("add [service.{name}], or name another service")),
        };
        reader.refuse(&setting.at, error);
    }
}

fn warn_about_unreached(top: &grammar::Top, reader: &mut Reader<'_>) {
    if !top.route.is_sound() {
        return;
    }
    for service in &top.service.value {
        let name = &service.name;
        let leads_here = |item: &Item<grammar::Route>| {
            let setting = &item.value.service;
            !setting.is_sound() || setting.value.as_deref() == Some(name)
        };
        if !top.route.value.iter().any(leads_here) {
            let error =
                ConfigError::new(&service.at.key, format!("no route leads to service `{name}`"))
                    .remedy(format!(
                        "add a [[route]] with service = \"{name}\", or remove the service"
                    ));
            reader.warn(&service.at, error);
        }
    }
}
