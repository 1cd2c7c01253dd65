//! Whether what answers the queries of rules answers at all: pure, over the times that are passed in.
//!
//! That it cannot be asked is an outage at once. That a query got no answer in time may be the query's
//! own fault; it is an outage if no other got one either while it waited. After an outage that was over
//! soon, as when a proxy refuses one query among others, the next is believed only when there were no
//! answers for a while: otherwise such a query would be told as an outage each time.

/// An outage that was shorter may have been the fault of one query, milliseconds.
const BRIEF_MAX: i64 = 60_000;
/// For so long it is remembered, milliseconds.
const DOUBT: i64 = 3_600_000;

/// What is known of it. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Outage {
    /// Since when there are no answers.
    since: Option<i64>,
    /// When the last one came.
    answered: Option<i64>,
    /// When an outage was over that was brief.
    doubted: Option<i64>,
}

impl Outage {
    /// Whether nothing was answered from then on.
    pub fn is_silent_since(&self, begun: i64) -> bool {
        self.answered.is_none_or(|answered| answered < begun)
    }

    /// Whether a failure that looks like an outage is one.
    pub fn is_likely(&self, now: i64) -> bool {
        let in_doubt = |at: i64| (0..DOUBT).contains(&(now - at));
        self.since.is_some()
            || !self.doubted.is_some_and(in_doubt)
            || self.is_silent_since(now.saturating_sub(BRIEF_MAX))
    }

    /// It gives no answers. Whether this is new.
    pub fn begin(&mut self, now: i64) -> bool {
        let is_new = self.since.is_none();
        self.since.get_or_insert(now);
        is_new
    }

    /// It has answered. How long it had not, if there was an outage.
    pub fn answered(&mut self, now: i64) -> Option<i64> {
        self.answered = Some(now);
        let lasted = now - self.since.take()?;
        if lasted < BRIEF_MAX {
            self.doubted = Some(now);
        }
        Some(lasted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let mut outage = Outage::default();
        assert_eq!(outage.answered(10), None);
        assert!(outage.begin(20));
        assert!(!outage.begin(25));
        assert_eq!(outage.answered(50), Some(30));
        assert_eq!(outage.answered(60), None);
        assert!(outage.begin(70));
    }

    #[test]
    fn what_was_over_soon_is_doubted_until_there_are_no_answers_for_a_while() {
        let mut outage = Outage::default();
        assert!(outage.is_likely(0));
        outage.begin(0);
        assert!(outage.is_likely(5), "it goes on");
        outage.answered(10);
        assert!(!outage.is_likely(20));
        assert!(outage.is_likely(11 + BRIEF_MAX), "nobody was answered");
        outage.answered(DOUBT);
        assert!(!outage.is_likely(DOUBT + 5) && outage.is_likely(DOUBT + 10));
        outage.begin(DOUBT + 10);
        outage.answered(2 * DOUBT);
        assert!(outage.is_likely(2 * DOUBT + 1), "it was none of one query");
    }

    #[test]
    fn a_query_that_takes_too_long_is_no_outage_while_others_are_answered() {
        let mut outage = Outage::default();
        assert!(outage.is_silent_since(10), "nothing ever was");
        outage.answered(20);
        assert!(!outage.is_silent_since(10));
        assert!(!outage.is_silent_since(20));
        assert!(outage.is_silent_since(21));
    }
}
