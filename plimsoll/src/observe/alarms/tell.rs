//! What the log is told of alarms and of rules that fail: in words, and not too much.
//!
//! A fault may raise ten thousand alarms at once. The first lines of a minute are written, the
//! others are counted, and the count is told with the first line of a later minute.

use crate::log::{self, Level};
use crate::observe::alarms::plan::{Change, State};
use tsdb::labels::{Labels, NAME};

/// The part that lines are about.
pub const PART: &str = "alarms";
/// Lines in one span.
const LINES_MAX: usize = 20;
/// Length of a span, milliseconds.
const SPAN: i64 = 60_000;
/// The annotations that say what is the matter, the best first.
const SAYING: [&str; 3] = ["summary", "description", "message"];

/// Bounds lines.
#[derive(Debug, Default)]
pub struct Teller {
    /// When the span began.
    begun: i64,
    /// Lines written in it.
    lines: usize,
    /// Lines not written since the last that was.
    hushed: usize,
}

impl Teller {
    /// The line as it is to be written, if it is.
    fn bound(&mut self, text: String, now: i64) -> Option<String> {
        if (now - self.begun).abs() >= SPAN {
            (self.begun, self.lines) = (now, 0);
        }
        if self.lines >= LINES_MAX {
            self.hushed += 1;
            return None;
        }
        self.lines += 1;
        let hushed = std::mem::take(&mut self.hushed);
        let more = format!(" (and {hushed} more before it, which are not shown)");
        Some(if hushed > 0 { text + &more } else { text })
    }

    /// Writes a line.
    pub fn line(&mut self, level: Level, text: String, now: i64) {
        let Some(text) = self.bound(text, now) else { return };
        match level {
            Level::Info => log::info(PART, text),
            Level::Warn => log::warn(PART, text),
            Level::Error => log::error(PART, text),
        }
    }

    /// Tells of an alarm that has begun or ceased to fire.
    pub fn change(&mut self, change: &Change, now: i64) {
        let (level, text) = words(change);
        self.line(level, text, now);
    }
}

/// What has become of a rule by its own doing, if there is anything to say. `is_told_of`: whether the
/// log was told that it fails.
pub fn health(rule: &str, is_told_of: &mut bool, now: Result<(), &str>) -> Option<(Level, String)> {
    let before = std::mem::replace(is_told_of, now.is_err());
    match (before, now) {
        (true, Ok(())) => Some((Level::Info, format!("rule {rule} is well again"))),
        (false, Err(words)) => Some((Level::Warn, format!("rule {rule} fails: {words}"))),
        _ => None,
    }
}

/// What has become of an alarm.
fn words(change: &Change) -> (Level, String) {
    let alarm = name(&change.labels);
    let annotations = &change.alarm.annotations;
    let saying = SAYING.iter().find_map(|name| annotations.get(*name));
    let saying = saying.map(|text| format!(": {}", text.replace('\n', " "))).unwrap_or_default();
    match change.alarm.state {
        State::Over { since, ended } => {
            let lasted = duration(ended - since);
            (Level::Info, format!("{alarm} is over, it fired for {lasted}{saying}"))
        }
        _ => (Level::Warn, format!("{alarm} fires{saying}")),
    }
}

/// `Alarm{label="value"}`.
fn name(labels: &Labels) -> String {
    let renamed = labels.iter().map(|(name, value)| match name {
        "alertname" => (NAME, value),
        _ => (name, value),
    });
    Labels::from_pairs(renamed).to_string()
}

/// The two largest units of milliseconds.
pub fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} m {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::plan::Alarm;
    use super::*;

    fn change(state: State, annotations: &[(&str, &str)]) -> Change {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let annotations: BTreeMap<_, _> = annotations.iter().map(own).collect();
        let labels = Labels::from_pairs([("alertname", "ServerDown"), ("server", "web-1")]);
        let alarm = Alarm { annotations, value: 0.0, active: 0, state, unproven_since: None };
        Change { labels, alarm }
    }

    #[test]
    fn an_alarm_is_told_of_in_words() {
        let texts = [("description", "long"), ("summary", "web-1 is down\nfor now")];
        let firing = change(State::Firing { since: 5, unanswered: None }, &texts);
        let expected = r#"ServerDown{server="web-1"} fires: web-1 is down for now"#;
        assert_eq!(words(&firing), (Level::Warn, expected.to_owned()));
        let over = change(State::Over { since: 5_000, ended: 130_999 }, &[]);
        let expected = r#"ServerDown{server="web-1"} is over, it fired for 2 m 5 s"#;
        assert_eq!(words(&over), (Level::Info, expected.to_owned()));
    }

    #[test]
    fn a_rule_is_told_of_when_it_begins_to_fail_and_when_it_is_well_again() {
        let mut is_told_of = false;
        let mut after = |now| health("r", &mut is_told_of, now);
        assert_eq!(after(Ok(())), None);
        assert_eq!(after(Err("no")), Some((Level::Warn, "rule r fails: no".to_owned())));
        assert_eq!(after(Err("never")), None);
        assert_eq!(after(Ok(())), Some((Level::Info, "rule r is well again".to_owned())));
        assert_eq!(after(Ok(())), None);
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 m 0 s"), (3_720, "1 h 2 m"), (90_000, "1 d 1 h")]
        {
            assert_eq!(duration(seconds * 1000), text);
        }
        assert_eq!(duration(-5), "0 s");
    }

    #[test]
    fn lines_are_bounded_and_what_is_not_shown_is_counted() {
        let mut teller = Teller::default();
        let written = |teller: &mut Teller, at| teller.bound("text".to_owned(), at);
        let first: Vec<_> = (0..50).filter_map(|at| written(&mut teller, at)).collect();
        assert_eq!(first, vec!["text"; LINES_MAX]);
        let next = written(&mut teller, SPAN);
        assert_eq!(next.as_deref(), Some("text (and 30 more before it, which are not shown)"));
        assert_eq!(written(&mut teller, SPAN).as_deref(), Some("text"));
        // A clock that is set back hushes nothing for long.
        assert!((0..LINES_MAX).all(|_| written(&mut teller, 0).is_some()));
    }
}
