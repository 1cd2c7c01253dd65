//! The one way to evaluate PromQL: bounded in samples, in time, and in how many run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tsdb::promql::{self, Grid, Limits, Outcome, Query, QueryError};
use tsdb::store::Store;

use crate::config::model::observe::QueryBounds;

/// Evaluates queries.
pub struct Engine {
    store: Arc<Store>,
    bounds: QueryBounds,
    permits: Semaphore,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryFailure {
    /// The evaluator's word.
    #[error(transparent)]
    Evaluation(#[from] QueryError),
    /// It took, or waited for, too long.
    #[error("{0}")]
    Timeout(String),
}

/// Sets the flag when dropped, so that an evaluation ends whose asker has left.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Over the own store.
    pub fn new(store: Arc<Store>, bounds: QueryBounds) -> Self {
        let permits = Semaphore::new(bounds.concurrency);
        Self { store, bounds, permits }
    }

    /// Evaluates at one time, milliseconds since 1970.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn instant(&self, query: &Query, at: i64) -> Result<Outcome, QueryFailure> {
        self.evaluate(query, Grid { start: at, end: at, step: 1 }, true).await
    }

    /// Evaluates at each time of the grid.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn range(&self, query: &Query, grid: Grid) -> Result<Outcome, QueryFailure> {
        self.evaluate(query, grid, false).await
    }

    async fn evaluate(
        &self,
        query: &Query,
        grid: Grid,
        instant: bool,
    ) -> Result<Outcome, QueryFailure> {
        let left = Arc::new(AtomicBool::new(false));
        let _leaving = Leaving(Arc::clone(&left));
        let (store, query, bounds) = (Arc::clone(&self.store), query.clone(), self.bounds);
        let late = |_| QueryFailure::Timeout(format!("no answer in {:?}", bounds.timeout));
        tokio::time::timeout(bounds.timeout, async move {
            // The semaphore is never closed; if it were, nothing would be bounded, and no more.
            let _permit = self.permits.acquire().await;
            let run = move || {
                let interrupted = || left.load(Ordering::Relaxed);
                let limits = Limits {
                    samples_max: bounds.samples_max,
                    lookback: bounds.lookback.as_millis() as i64,
                    interrupted: &interrupted,
                    ..Limits::default()
                };
                match instant {
                    true => promql::instant(&query, &*store, grid.start, &limits),
                    false => promql::range(&query, &*store, grid, &limits),
                }
            };
            let done = tokio::task::spawn_blocking(run).await;
            let failed = |error| {
                QueryFailure::Evaluation(QueryError::Execution(format!("it failed: {error}")))
            };
            done.map_err(failed)?.map_err(QueryFailure::from)
        })
        .await
        .map_err(late)?
    }
}
