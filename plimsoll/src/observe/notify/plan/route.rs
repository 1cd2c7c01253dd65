//! Which receivers an alarm is for, together with which others, and with which timers.

use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::source::Matcher;

use super::identity::{label_set, matcher_set};
use super::inhibition::all;
use crate::config::model::observe::Notify;

/// A route, ready for use.
#[derive(Debug)]
pub(super) struct Route {
    matchers: Vec<Matcher>,
    /// Names, each once.
    pub(super) receivers: Vec<String>,
    goes_on: bool,
    /// `None` for all labels.
    group_by: Option<Vec<String>>,
    /// Milliseconds, as the next two.
    pub(super) wait: i64,
    pub(super) interval: i64,
    pub(super) repeat: i64,
    /// The beginning of its groups' keys.
    key: String,
}

/// All routes; the last takes what no other matches.
#[derive(Debug)]
pub(super) struct Routes(Vec<Route>);

impl Routes {
    pub(super) fn of(notify: &Notify) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4);
        let labels =
            |names: &[String]| (!names.iter().any(|name| name == "...")).then(|| names.to_vec());
        let mut routes: Vec<Route> = notify
            .routes
            .iter()
            .map(|route| Route {
                matchers: route.matchers.clone(),
                receivers: distinct(route.receivers.iter()),
                goes_on: route.goes_on,
                group_by: labels(route.group_by.as_ref().unwrap_or(&notify.group_by)),
                wait: millis(route.group_wait.unwrap_or(notify.group_wait)),
                interval: millis(route.group_interval.unwrap_or(notify.group_interval)),
                repeat: millis(route.repeat_interval.unwrap_or(notify.repeat_interval)),
                key: format!("{{}}/{}", matcher_set(&route.matchers)),
            })
            .collect();
        routes.push(Route {
            matchers: Vec::new(),
            receivers: notify.receivers.keys().cloned().collect(),
            goes_on: false,
            group_by: labels(&notify.group_by),
            wait: millis(notify.group_wait),
            interval: millis(notify.group_interval),
            repeat: millis(notify.repeat_interval),
            key: "{}".to_owned(),
        });
        Self(routes)
    }

    pub(super) fn get(&self, place: usize) -> &Route {
        &self.0[place]
    }

    /// The places of the routes for an alarm.
    pub(super) fn of_labels(&self, labels: &Labels) -> Vec<usize> {
        let mut places = Vec::new();
        let last = self.0.len() - 1;
        for (place, route) in self.0[..last].iter().enumerate() {
            if all(&route.matchers, labels) {
                places.push(place);
                if !route.goes_on {
                    break;
                }
            }
        }
        if places.is_empty() {
            places.push(last);
        }
        places
    }
}

impl Route {
    /// The labels in which an alarm's group agrees.
    pub(super) fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            None => labels.clone(),
            Some(names) => {
                let wanted = |(name, _): &(&str, &str)| names.iter().any(|by| by == name);
                Labels::from_sorted(labels.iter().filter(wanted))
            }
        }
    }

    /// The group's name: for people, for receivers, and over restarts.
    pub(super) fn group_key(&self, group_labels: &Labels) -> String {
        format!("{}:{}", self.key, label_set(group_labels))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(name) {
            seen.push(name.clone());
        }
    }
    seen
}
