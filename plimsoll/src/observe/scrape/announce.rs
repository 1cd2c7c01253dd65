//! What is said in the log about listed targets: that one is down, and that it is back, once each.
//!
//! Bounded by a bucket of lines: when a network breaks, all targets go down at once. What was kept back
//! is counted in the next line. Pure: the time is an argument.

use std::collections::HashSet;

use super::plan::Id;

/// Lines that may follow each other at once.
const LINES_MAX: f64 = 20.0;
/// Lines that are let in each second beyond that.
const LINES_PER_SECOND: f64 = 0.2;

/// Who was said to be down, and how much may be said.
#[derive(Debug)]
pub(super) struct Announcements {
    down: HashSet<Id>,
    lines: f64,
    /// When `lines` was counted, milliseconds.
    at: i64,
    kept_back: u64,
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Otherwise it is back.
    pub is_down: bool,
    /// What.
    pub text: String,
}

impl Announcements {
    /// Nothing was said.
    pub(super) fn new(now: i64) -> Self {
        Self { down: HashSet::new(), lines: LINES_MAX, at: now, kept_back: 0 }
    }

    /// A scrape of a target has ended, with this failure; what is to be said of it.
    pub(super) fn ended(
        &mut self,
        id: Id,
        name: &str,
        failure: Option<&str>,
        now: i64,
    ) -> Option<Line> {
        let text = match failure {
            Some(reason) if self.down.insert(id) => format!("target {name} is down: {reason}"),
            None if self.down.remove(&id) => format!("target {name} is up again"),
            _ => return None,
        };
        let seconds = (now - self.at).max(0) as f64 / 1000.0;
        self.lines = (self.lines + seconds * LINES_PER_SECOND).min(LINES_MAX);
        self.at = now;
        if self.lines < 1.0 {
            self.kept_back += 1;
            return None;
        }
        self.lines -= 1.0;
        let kept_back = match std::mem::take(&mut self.kept_back) {
            0 => String::new(),
            count => format!(" ({count} more changes of targets were not told one by one)"),
        };
        Some(Line { is_down: failure.is_some(), text: text + &kept_back })
    }

    /// The target is no more.
    pub(super) fn forget(&mut self, id: Id) {
        self.down.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_said_to_be_down_once_and_up_again_once() {
        let mut said = Announcements::new(0);
        let refused = Some("connection refused");
        let line = said.ended(1, "http://a/metrics", refused, 0).unwrap();
        let text = "target http://a/metrics is down: connection refused".to_owned();
        assert_eq!(line, Line { is_down: true, text });
        assert_eq!(said.ended(1, "http://a/metrics", Some("no answer in 1s"), 1), None);
        let line = said.ended(1, "http://a/metrics", None, 2).unwrap();
        assert_eq!(line.text, "target http://a/metrics is up again");
        assert_eq!(said.ended(1, "http://a/metrics", None, 3), None);
        assert_eq!(said.ended(2, "http://b/metrics", None, 3), None);
        // One that was taken away and comes back is a new one.
        assert!(said.ended(2, "b", refused, 4).is_some());
        said.forget(2);
        assert_eq!(said.ended(2, "b", None, 5), None);
    }

    #[test]
    fn many_changes_at_once_are_counted_instead() {
        let mut said = Announcements::new(0);
        let lines = (0..100).filter(|id| said.ended(*id, "x", Some("gone"), 0).is_some()).count();
        assert_eq!(lines, 20);
        let later = said.ended(0, "x", None, 5_000).unwrap();
        assert!(
            later.text.ends_with("up again (80 more changes of targets were not told one by one)")
        );
        assert_eq!(said.ended(1, "x", None, 5_001), None);
    }
}
