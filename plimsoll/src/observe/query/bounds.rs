//! What keeps one query from taking everything, in words: which bound, its value, what was asked,
//! and the key that raises it.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tsdb::promql::QueryError;

use super::{Places, QueryFailure, When};
use crate::config::model::observe::QueryBounds;

/// Characters of a query that a message shows.
const SHOWN_MAX: usize = 200;
/// The evaluator reads a series at a time, so that more may be read than held: so many times.
pub(super) const READ_FACTOR: u64 = 20;

/// The time of one query, and what is said when it is over.
pub(super) struct Clock {
    deadline: Instant,
    /// The bound that holds, in words.
    bound: String,
    /// What was asked.
    asked: String,
}

impl Clock {
    /// Begins to count: waiting for a place is included.
    pub(super) fn start(
        bounds: &QueryBounds,
        wanted: Option<Duration>,
        query: &str,
        when: When,
    ) -> Self {
        let (allowed, bound) = match wanted.filter(|wanted| *wanted < bounds.timeout) {
            Some(wanted) => (wanted, format!("{wanted:?}, the `timeout` of the request")),
            None => {
                let allowed = bounds.timeout;
                (allowed, format!("{allowed:?}, which observe.query.timeout in the config raises"))
            }
        };
        Self { deadline: Instant::now() + allowed, bound, asked: asked(query, when) }
    }

    /// What is left.
    pub(super) fn rest(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for a place, as long as there is time.
    pub(super) async fn place(
        &self,
        places: &Places,
    ) -> Result<OwnedSemaphorePermit, QueryFailure> {
        let waiting = places.queries.clone().acquire_owned();
        match tokio::time::timeout_at(self.deadline, waiting).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(QueryFailure::Timeout(format!(
                "query timed out in query queue: all {} places for queries (observe.query.concurrency) \
                 were taken for {}; asked was {}",
                places.count, self.bound, self.asked
            ))),
        }
    }

    /// Waits for an answer, as long as there is time.
    pub(super) async fn bound<F: Future>(&self, answer: F) -> Result<F::Output, QueryFailure> {
        let late = |_| {
            QueryFailure::Timeout(format!(
                "query timed out in expression evaluation: it may take {}; asked was {}",
                self.bound, self.asked
            ))
        };
        tokio::time::timeout_at(self.deadline, answer).await.map_err(late)
    }

    /// The evaluator's word, with the keys that users know in place of its own, and what was asked.
    pub(super) fn explained(&self, error: QueryError) -> QueryError {
        let QueryError::Limit(words) = error else { return error };
        let words = words
            .replace("(samples_max)", "(observe.query.max_samples)")
            .replace("(read_max)", &format!("({READ_FACTOR} times observe.query.max_samples)"))
            .replace(" (series_max)", "")
            .replace(" (steps_max)", "");
        QueryError::Limit(format!("{words}; asked was {}", self.asked))
    }
}

fn asked(query: &str, when: When) -> String {
    let mut shown: String = query.chars().take(SHOWN_MAX).collect();
    if shown.len() < query.len() {
        shown.push('…');
    }
    match when {
        When::Instant(at) => format!("`{shown}` at {}", time(at)),
        When::Range(grid) => format!(
            "`{shown}` from {} to {} every {:?}",
            time(grid.start),
            time(grid.end),
            Duration::from_millis(grid.step.unsigned_abs())
        ),
    }
}

fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| format!("{milliseconds} ms"), |time| time.to_string())
}
