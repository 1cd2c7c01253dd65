//! The settings as Alertmanager would write them, for those who ask its API for the status. YAML
//! takes JSON as it is.
//!
//! Receivers are named only: what they are made of is secret.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::plan::identity::matcher_text;
use crate::config::model::observe::Notify;

/// A receiver that nobody is.
const NOBODY: &str = "nobody";

/// The text of the settings.
pub(super) fn document(notify: &Notify) -> String {
    let mut routes = Vec::new();
    for route in &notify.routes {
        let matchers: Vec<String> = route.matchers.iter().map(matcher_text).collect();
        let names = if route.receivers.is_empty() {
            vec![NOBODY]
        } else {
            route.receivers.iter().map(String::as_str).collect()
        };
        for (place, name) in names.iter().enumerate() {
            let mut out = Map::new();
            out.insert("receiver".to_owned(), json!(name));
            if !matchers.is_empty() {
                out.insert("matchers".to_owned(), json!(matchers));
            }
            // One route for each receiver, of which all but the last go on.
            out.insert("continue".to_owned(), json!(route.goes_on || place + 1 < names.len()));
            if let Some(by) = &route.group_by {
                out.insert("group_by".to_owned(), json!(by));
            }
            let times = [
                ("group_wait", route.group_wait),
                ("group_interval", route.group_interval),
                ("repeat_interval", route.repeat_interval),
            ];
            for (key, time) in times {
                if let Some(time) = time {
                    out.insert(key.to_owned(), json!(words(time)));
                }
            }
            routes.push(Value::Object(out));
        }
    }
    let mut all = notify.receivers.keys();
    let usual = match (all.next(), all.next()) {
        (Some(only), None) => only.as_str(),
        (None, _) => NOBODY,
        _ => {
            let last = notify.receivers.len() - 1;
            routes.extend(
                notify
                    .receivers
                    .keys()
                    .enumerate()
                    .map(|(place, name)| json!({ "receiver": name, "continue": place < last })),
            );
            NOBODY
        }
    };
    let names = std::iter::once(NOBODY).chain(notify.receivers.keys().map(String::as_str));
    let document = json!({
        "route": {
            "receiver": usual,
            "group_by": notify.group_by,
            "group_wait": words(notify.group_wait),
            "group_interval": words(notify.group_interval),
            "repeat_interval": words(notify.repeat_interval),
            "routes": routes,
        },
        "receivers": names.map(|name| json!({ "name": name })).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// As Prometheus writes a duration: one unit, the largest that is exact.
fn words(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.iter().find(|(_, size)| millis > 0 && millis.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None => format!("{millis}ms"),
    }
}
