//! Lists of series, of names of labels and of their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tsdb::labels::Labels;
use tsdb::promql::{self, QueryError};
use tsdb::source::Matcher;
use tsdb::store::{Listing, Store};

use super::outside::Outside;
use super::{Current, QueryFailure, TRUNCATED};

/// Most entries of a list that nobody bounded.
const LISTED_MAX: usize = 200_000;

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Of the series that are chosen.
    pub what: What,
    /// Texts of selectors; series that one of them chooses. None chooses all.
    pub selectors: Vec<String>,
    /// Series that may have samples from here on, milliseconds since 1970; `None` is from ever.
    pub from: Option<i64>,
    /// And up to here; `None` is for ever.
    pub to: Option<i64>,
    /// Most entries; more are left out, with a warning.
    pub most: Option<usize>,
}

/// What of series is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Themselves.
    Series,
    /// Names of their labels.
    Names,
    /// Values of the label of this name.
    Values(String),
}

/// What was found: sorted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// When series were asked for.
    pub series: Vec<Labels>,
    /// When names or values were.
    pub texts: Vec<String>,
    /// What is wrong with it.
    pub warnings: Vec<String>,
}

/// Lists from the own store.
pub(super) async fn own(
    store: &Arc<Store>,
    current: &Current,
    lookup: Lookup,
) -> Result<Found, QueryFailure> {
    let mut chosen = Vec::with_capacity(lookup.selectors.len());
    for selector in &lookup.selectors {
        chosen.push(matchers(selector)?);
    }
    if chosen.is_empty() {
        chosen.push(Vec::new());
    }
    let deadline = Instant::now() + current.bounds.timeout;
    let place = place(current, deadline).await?;
    let store = Arc::clone(store);
    let listing = tokio::task::spawn_blocking(move || {
        let _place = place;
        found(&store, &lookup, &chosen)
    });
    let failed = |error| QueryError::Execution(format!("the listing failed: {error}"));
    let listed = tokio::time::timeout_at(deadline, listing).await;
    Ok(listed.map_err(|_| late(current))?.map_err(failed)?)
}

/// Asks an outside Prometheus, whose answers are bounded in number here as the own ones are.
pub(super) async fn outside(
    outside: &Outside,
    current: &Current,
    lookup: &Lookup,
) -> Result<Found, QueryFailure> {
    let deadline = Instant::now() + current.bounds.timeout;
    let _place = place(current, deadline).await?;
    outside.list(lookup, deadline.saturating_duration_since(Instant::now())).await
}

/// Waits for a place among the listings.
async fn place(current: &Current, deadline: Instant) -> Result<OwnedSemaphorePermit, QueryFailure> {
    let waiting = Arc::clone(&current.places.lookups).acquire_owned();
    match tokio::time::timeout_at(deadline, waiting).await {
        Ok(Ok(place)) => Ok(place),
        // The semaphore is never closed.
        Ok(Err(_)) | Err(_) => Err(late(current)),
    }
}

fn late(current: &Current) -> QueryFailure {
    let timeout = current.bounds.timeout;
    QueryFailure::Timeout(format!(
        "listing timed out: it may take {timeout:?}, which observe.query.timeout in the config \
         raises; choose fewer series with more matchers"
    ))
}

fn found(store: &Store, lookup: &Lookup, chosen: &[Vec<Matcher>]) -> Found {
    let (from, to) = (lookup.from.unwrap_or(i64::MIN), lookup.to.unwrap_or(i64::MAX));
    let most = lookup.most.unwrap_or(LISTED_MAX).min(LISTED_MAX);
    let mut found = Found::default();
    let is_truncated = match &lookup.what {
        What::Series => {
            let lists = chosen.iter().map(|set| store.list_series(set, from, to, most));
            merge(lists, most, &mut found.series)
        }
        What::Names => {
            let lists = chosen.iter().map(|set| store.label_names(set, from, to, most));
            merge(lists, most, &mut found.texts)
        }
        What::Values(name) => {
            let lists = chosen.iter().map(|set| store.label_values(name, set, from, to, most));
            merge(lists, most, &mut found.texts)
        }
    };
    if is_truncated {
        found.warnings.push(TRUNCATED.to_owned());
    }
    found
}

/// Puts lists together; says whether there is more.
fn merge<T: Ord>(lists: impl Iterator<Item = Listing<T>>, most: usize, into: &mut Vec<T>) -> bool {
    let (mut all, mut is_truncated) = (BTreeSet::new(), false);
    for list in lists {
        is_truncated |= list.is_truncated;
        all.extend(list.items);
    }
    is_truncated |= all.len() > most;
    into.extend(all.into_iter().take(most));
    is_truncated
}

/// The matchers of a selector's text.
///
/// # Errors
/// It is none.
pub fn matchers(selector: &str) -> Result<Vec<Matcher>, QueryError> {
    let query = promql::parse(selector)?;
    query.matchers().map(<[Matcher]>::to_vec).ok_or_else(|| QueryError::Parse {
        message: format!("`{selector}` is no selector of series, such as up{{job=\"web\"}}"),
        position: None,
    })
}
