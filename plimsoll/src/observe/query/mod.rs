//! The one way to evaluate PromQL: bounded in samples, in time, and in how many run at once.
//!
//! An [`Engine`] answers from the own store, or passes everything on to an outside Prometheus
//! (`observe.prometheus`); who asks sees no difference. `own` evaluates, `outside` asks over HTTP and
//! `answer` reads what comes back, `lookup` lists series and labels, `bounds` has the words of
//! refusals.
//!
//! Invariants: an evaluation ends soon after its asker has left or its time is over, and holds its
//! place until then, so that there are never more at once than allowed; the time of waiting for a
//! place counts. Each [`Asker`] has places of its own: a dashboard that hogs all others does not starve
//! alarms, nor does an outside Prometheus that is silent starve what needs none.

mod answer;
mod bounds;
mod lookup;
mod outside;
mod own;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tsdb::promql::{self, Grid, Outcome, Query, QueryError, Value};
use tsdb::store::Store;

use crate::config::model::observe::{Observe, QueryBounds};
use bounds::Clock;
pub use lookup::{Found, Lookup, What, matchers};
use outside::Outside;

/// Evaluations of rules at once, of files and of Plimsoll's own each, beside those of people.
const RULES_AT_ONCE: usize = 2;
/// Listings of series and labels at once, beside queries: they are short, and dashboards wait for
/// them before they ask anything.
const LOOKUPS_AT_ONCE: usize = 4;
/// What an answer warns of that has fewer series than there are.
pub const TRUNCATED: &str = "results truncated due to limit";

/// Whose queries an engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// People and programs, by the API.
    People,
    /// Rules of files.
    Files,
    /// Built-in rules and objectives. They are about what Plimsoll measures itself, so the own store
    /// answers: no other server is needed, and none mixes in the series of other hosts.
    Itself,
}

/// Evaluates queries.
pub struct Engine {
    store: Arc<Store>,
    asker: Asker,
    /// Written by `apply`, read by each query.
    current: ArcSwap<Current>,
}

/// What is in force.
struct Current {
    bounds: QueryBounds,
    outside: Option<Outside>,
    places: Places,
}

/// How many may run at once.
#[derive(Clone)]
struct Places {
    queries: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    /// Of `queries`.
    count: usize,
}

/// What is particular about one query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Most time for it, if that is less than what is allowed anyway.
    pub timeout: Option<Duration>,
    /// How far back the newest sample may lie; more than none.
    pub lookback: Option<Duration>,
    /// Most series of its answer; more are left out, with a warning.
    pub series_max: Option<usize>,
}

/// When a query is evaluated. Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At one time.
    Instant(i64),
    /// At each time of a grid.
    Range(Grid),
}

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryFailure {
    /// The evaluator's word.
    #[error(transparent)]
    Evaluation(#[from] QueryError),
    /// It took, or waited for, too long.
    #[error("{0}")]
    Timeout(String),
    /// The outside Prometheus refused; its own words after its name.
    #[error("{name}: {message}")]
    Refused {
        /// Host and port.
        name: String,
        /// Its `errorType`, such as `bad_data`.
        kind: String,
        /// Its `error`.
        message: String,
    },
    /// The outside Prometheus cannot be asked, or gave no answer that can be read.
    #[error("{name}: {message}")]
    Unavailable {
        /// Host and port.
        name: String,
        /// Why, and what to do.
        message: String,
    },
}

impl Engine {
    /// Over the own store.
    #[cfg(test)]
    pub fn new(store: Arc<Store>, bounds: QueryBounds) -> Self {
        Self::with(store, Asker::People, Current::new(bounds, None, Asker::People))
    }

    /// As configured: over the own store, or an outside Prometheus.
    ///
    /// # Errors
    /// The outside one cannot be asked because its certificates cannot be read.
    pub fn of(store: Arc<Store>, observe: &Observe, asker: Asker) -> Result<Self, String> {
        Ok(Self::with(store, asker, Current::of(observe, asker)?))
    }

    fn with(store: Arc<Store>, asker: Asker, current: Current) -> Self {
        Self { store, asker, current: ArcSwap::from_pointee(current) }
    }

    /// Takes other settings into force; queries that run go on under the old ones.
    ///
    /// # Errors
    /// As [`Engine::of`]; then the old ones stay in force.
    pub fn apply(&self, observe: &Observe) -> Result<(), String> {
        let mut next = Current::of(observe, self.asker)?;
        let before = self.current.load();
        if next.places.count == before.places.count {
            // What runs goes on holding its place.
            next.places = before.places.clone();
        }
        self.current.store(Arc::new(next));
        Ok(())
    }

    /// The bounds in force.
    pub fn bounds(&self) -> QueryBounds {
        self.current.load().bounds
    }

    /// Evaluates at one time, milliseconds since 1970.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn instant(&self, query: &Query, at: i64) -> Result<Outcome, QueryFailure> {
        self.evaluate(query, When::Instant(at), Options::default()).await
    }

    /// Whether another Prometheus answers, which may know more functions than this one.
    pub fn is_outside(&self) -> bool {
        self.current.load().outside.is_some()
    }

    /// Evaluates what was parsed.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn evaluate(
        &self,
        query: &Query,
        when: When,
        options: Options,
    ) -> Result<Outcome, QueryFailure> {
        self.answer(query.text(), Some(query), when, options).await
    }

    /// Evaluates a text, which the own evaluator parses only if it is the one to answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn evaluate_text(
        &self,
        text: &str,
        when: When,
        options: Options,
    ) -> Result<Outcome, QueryFailure> {
        self.answer(text, None, when, options).await
    }

    async fn answer(
        &self,
        text: &str,
        parsed: Option<&Query>,
        when: When,
        options: Options,
    ) -> Result<Outcome, QueryFailure> {
        let current = self.current.load_full();
        let clock = Clock::start(&current.bounds, options.timeout, text, when);
        let mut outcome = match &current.outside {
            Some(outside) => {
                let _place = clock.place(&current.places).await?;
                let options = Options { timeout: Some(clock.rest()), ..options };
                let answer = clock.bound(outside.query(text, when, options)).await;
                answer.map_err(|late| outside.named(late))??
            }
            None => {
                let query = match parsed {
                    Some(query) => query.clone(),
                    None => promql::parse(text)?,
                };
                own::evaluate(&self.store, &current, query, when, options, &clock).await?
            }
        };
        truncate(&mut outcome, options.series_max);
        Ok(outcome)
    }

    /// The page of `/federate` of the outside Prometheus, in the text format; `None` where the own
    /// store is the one to answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn federated(&self, selectors: &[&str]) -> Option<Result<Vec<u8>, QueryFailure>> {
        let current = self.current.load_full();
        let outside = current.outside.as_ref()?;
        Some(outside.federate(selectors, current.bounds.timeout).await)
    }

    /// Lists series, or names or values of their labels.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn list(&self, lookup: Lookup) -> Result<Found, QueryFailure> {
        let current = self.current.load_full();
        match &current.outside {
            Some(outside) => lookup::outside(outside, &current, &lookup).await,
            None => lookup::own(&self.store, &current, lookup).await,
        }
    }
}

impl Current {
    fn new(bounds: QueryBounds, outside: Option<Outside>, asker: Asker) -> Self {
        let count = if asker == Asker::People { bounds.concurrency } else { RULES_AT_ONCE };
        let places = Places {
            queries: Arc::new(Semaphore::new(count)),
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
            count,
        };
        Self { bounds, outside, places }
    }

    fn of(observe: &Observe, asker: Asker) -> Result<Self, String> {
        let outside = observe.prometheus.as_ref().filter(|_| asker != Asker::Itself);
        Ok(Self::new(observe.query, outside.map(Outside::new).transpose()?, asker))
    }
}

/// Leaves out series beyond the most that are wanted, and says so.
fn truncate(outcome: &mut Outcome, most: Option<usize>) {
    let Some(most) = most else { return };
    let (before, after) = match &mut outcome.value {
        Value::Vector(elements) => {
            let before = elements.len();
            elements.truncate(most);
            (before, elements.len())
        }
        Value::Matrix(rows) => {
            let before = rows.len();
            rows.truncate(most);
            (before, rows.len())
        }
        Value::Scalar { .. } | Value::String { .. } => return,
    };
    if after < before && !outcome.warnings.iter().any(|warning| warning == TRUNCATED) {
        outcome.warnings.push(TRUNCATED.to_owned());
    }
}

#[cfg(test)]
mod tests;
