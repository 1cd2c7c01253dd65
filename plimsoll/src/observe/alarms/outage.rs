//! Whether what answers the queries of rules answers at all: pure, over the times that are passed in.
//!
//! That it cannot be asked is an outage at once. That a query got no answer in time may be the query's
//! own fault; it is an outage if no other got one either while it waited.

/// What is known of it. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Outage {
    /// Since when there are no answers.
    since: Option<i64>,
    /// When the last one came.
    answered: Option<i64>,
}

impl Outage {
    /// Whether nothing was answered from then on.
    pub fn is_silent_since(&self, begun: i64) -> bool {
        self.answered.is_none_or(|answered| answered < begun)
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
        self.since.take().map(|since| now - since)
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
    fn a_query_that_takes_too_long_is_no_outage_while_others_are_answered() {
        let mut outage = Outage::default();
        assert!(outage.is_silent_since(10), "nothing ever was");
        outage.answered(20);
        assert!(!outage.is_silent_since(10));
        assert!(!outage.is_silent_since(20));
        assert!(outage.is_silent_since(21));
    }
}
