//! Queries over the own store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tsdb::promql::{self, Limits, Outcome, Query, QueryError};
use tsdb::store::Store;

use super::bounds::{Clock, READ_FACTOR};
use super::{Current, Options, QueryFailure, When};

/// Steps of a range query: Prometheus allows 11 000 from the first to the last.
const STEPS_MAX: u32 = 11_001;

/// Sets the flag when dropped, so that an evaluation ends whose asker has left.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn evaluate(
    store: &Arc<Store>,
    current: &Current,
    query: Query,
    when: When,
    options: Options,
    clock: &Clock,
) -> Result<Outcome, QueryFailure> {
    let left = Arc::new(AtomicBool::new(false));
    let _leaving = Leaving(Arc::clone(&left));
    let place = clock.place(&current.places).await?;
    let (store, bounds) = (Arc::clone(store), current.bounds);
    let lookback = options.lookback.unwrap_or(bounds.lookback).as_millis();
    let run = move || {
        // Held until the evaluation is over, also when nobody waits for it any more.
        let _place = place;
        let interrupted = || left.load(Ordering::Relaxed);
        let limits = Limits {
            samples_max: bounds.samples_max,
            read_max: bounds.samples_max.saturating_mul(READ_FACTOR),
            steps_max: STEPS_MAX,
            lookback: i64::try_from(lookback).unwrap_or(i64::MAX).clamp(1, LOOKBACK_MAX),
            interrupted: &interrupted,
            ..Limits::default()
        };
        match when {
            When::Instant(at) => promql::instant(&query, &*store, at, &limits),
            When::Range(grid) => promql::range(&query, &*store, grid, &limits),
        }
    };
    let failed =
        |error| QueryError::Execution(format!("the evaluation failed: {error}; this is a fault"));
    let done = clock.bound(tokio::task::spawn_blocking(run)).await?;
    Ok(done.map_err(failed)?.map_err(|error| clock.explained(error))?)
}

/// Longest lookback of a request, milliseconds: a year, so that sums of times do not overflow.
const LOOKBACK_MAX: i64 = 366 * 86_400_000;
