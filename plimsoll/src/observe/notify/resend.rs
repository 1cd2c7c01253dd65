//! Which alarms other Alertmanagers are to be told of now: what is new or has changed at once, and
//! all of them each minute, because they believe an alarm to be over when they hear no more of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tsdb::labels::Labels;

use crate::observe::Alert;

/// Between two messages about an alarm that has not changed, milliseconds.
pub(super) const EVERY: i64 = 60_000;
/// An alarm that fires is said to do so for as many of these times.
const MISSED_MAX: i64 = 4;
/// That an alarm is over is said for so long, milliseconds.
const OVER_FOR: i64 = 15 * 60_000;

/// What was sent last.
#[derive(Debug, Default)]
pub(super) struct Resend {
    sent: BTreeMap<Labels, (Arc<Alert>, i64)>,
}

impl Resend {
    /// Of all alarms, those to be sent at `now`.
    pub(super) fn due<'a>(
        &mut self,
        alarms: impl Iterator<Item = &'a Arc<Alert>>,
        now: i64,
    ) -> Vec<Arc<Alert>> {
        let mut before = std::mem::take(&mut self.sent);
        let mut due = Vec::new();
        for alert in alarms {
            if alert.ends_at.is_some_and(|ended| ended.saturating_add(OVER_FOR) <= now) {
                continue;
            }
            let known = before.remove(&alert.labels);
            let at = match known {
                Some((sent, at)) if Arc::ptr_eq(&sent, alert) && at.saturating_add(EVERY) > now => {
                    at
                }
                _ => {
                    due.push(Arc::clone(alert));
                    now
                }
            };
            self.sent.insert(alert.labels.clone(), (Arc::clone(alert), at));
        }
        due
    }

    /// When something is due next, if nothing changes.
    pub(super) fn next_at(&self) -> i64 {
        self.sent.values().map(|(_, at)| at.saturating_add(EVERY)).min().unwrap_or(i64::MAX)
    }

    /// All are sent anew: there is another Alertmanager.
    pub(super) fn restart(&mut self) {
        self.sent.clear();
    }
}

/// Until when an alarm that is sent at `now` fires.
pub(super) fn ends_at(alert: &Alert, now: i64) -> i64 {
    alert.ends_at.unwrap_or_else(|| now.saturating_add(EVERY * MISSED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, ends_at: Option<i64>) -> Arc<Alert> {
        Arc::new(Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: BTreeMap::new(),
            starts_at: 0,
            ends_at,
            generator_url: String::new(),
        })
    }

    #[test]
    fn what_is_new_goes_at_once_and_all_each_minute() {
        let mut resend = Resend::default();
        let mut at = |now, alarms: &[Arc<Alert>]| {
            let due = resend.due(alarms.iter(), now);
            let names = due.iter().map(|alert| alert.labels.get("alertname").unwrap().to_owned());
            (names.collect::<Vec<_>>().join(" "), resend.next_at())
        };
        let (a, b, over) = (alert("a", None), alert("b", None), alert("a", Some(70_000)));
        assert_eq!(at(0, &[]), (String::new(), i64::MAX));
        assert_eq!(at(0, std::slice::from_ref(&a)), ("a".to_owned(), 60_000));
        assert_eq!(at(15_000, &[a.clone(), b.clone()]), ("b".to_owned(), 60_000));
        assert_eq!(at(60_000, &[a, b.clone()]), ("a".to_owned(), 75_000));
        assert_eq!(at(70_000, &[over.clone(), b.clone()]), ("a".to_owned(), 75_000));
        assert_eq!(at(75_000, &[over.clone(), b]), ("b".to_owned(), 130_000));
        assert_eq!(at(130_000, std::slice::from_ref(&over)), ("a".to_owned(), 190_000));
        assert_eq!(at(970_000, &[over]), (String::new(), i64::MAX));
        assert_eq!(ends_at(&alert("a", None), 5), 240_005);
    }
}
