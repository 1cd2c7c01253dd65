//! Prometheus' HTTP API version 1 over what Plimsoll measures, as Grafana, agents and other
//! Prometheuses ask it; mounted below `/prometheus` by the admin server, which decides who may ask.
//!
//! Queries, listings and federation go through the [`Engine`], so that they reach an outside Prometheus
//! where one is configured; targets, metadata, rules and alarms are Plimsoll's own. Answers have the shapes and the words
//! of Prometheus 3 (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Invariants: nothing here changes anything but `POST /api/v1/write`; every body is bounded; a large
//! answer is written piece by piece as the client takes it, and what waits to be taken is bounded.
//!
//! It leaves out the administration of the store (`/admin/tsdb/…`), remote read, remote write 2.0 and
//! `parse_query`.

mod answer;
mod failure;
mod federate;
mod json;
mod listing;
mod parameters;
mod query;
mod rules;
mod sending;
mod status;
mod targets;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::query::Engine;
use super::storage::Storage;
use super::views::{ConfigurationView, GroupView, MetadataView, TargetView};
use crate::config::model::observe::Observe;
use failure::Failure;
use sending::Sending;
pub use status::base;
pub use write::Received;
use write::Receiver;

/// The version of Prometheus whose API this is; clients decide by it what they may ask.
const SPOKEN_VERSION: &str = "3.0.0";
/// Largest body of a form: the longest query there is, each byte of it encoded in three, and some.
const FORM_BYTES_MAX: usize = 256 << 10;
/// Scrapes by `/federate` that are answered at once; each may read every series.
const FEDERATING_AT_ONCE: usize = 2;

/// Gives a copy of what something is now.
pub type Look<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// What the API is made of.
#[derive(Clone)]
pub struct Parts {
    /// Answers queries.
    pub engine: Arc<Engine>,
    /// Takes samples, and is asked by `/federate`.
    pub storage: Arc<Storage>,
    /// Counts what remote write brings.
    pub received: Arc<Received>,
    /// The settings in force.
    pub settings: Look<Arc<Observe>>,
    /// Targets of scraping, the dropped ones included.
    pub targets: Look<Vec<TargetView>>,
    /// What targets say of metrics.
    pub metadata: Look<Vec<MetadataView>>,
    /// Groups of rules.
    pub groups: Look<Vec<GroupView>>,
    /// How the configuration came into force.
    pub configuration: Look<ConfigurationView>,
    /// When Plimsoll was started.
    pub started_at: Timestamp,
}

/// What handlers share.
struct Shared {
    parts: Parts,
    receiver: Receiver,
    /// Scrapes by `/federate` at once.
    federating: Arc<Semaphore>,
    sending: Sending,
}

type App = axum::extract::State<Arc<Shared>>;

/// The routes, below nothing: `/api/v1/query` and so on.
pub fn router(parts: Parts) -> Router {
    let federating = Arc::new(Semaphore::new(FEDERATING_AT_ONCE));
    let shared = Arc::new(Shared {
        parts,
        receiver: Receiver::default(),
        federating,
        sending: Sending::default(),
    });
    let v1 = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/series", get(listing::series).post(listing::series))
        .route("/labels", get(listing::names).post(listing::names))
        .route("/label/{name}/values", get(listing::values))
        .route("/metadata", get(targets::metadata))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::of_targets))
        .route("/scrape_pools", get(targets::pools))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/alertmanagers", get(rules::alertmanagers))
        .route("/status/buildinfo", get(status::build))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/flags", get(status::flags))
        .route("/status/config", get(status::config))
        .route("/status/tsdb", get(status::store))
        .route("/status/walreplay", get(status::replay))
        .route("/write", post(write::receive))
        .method_not_allowed_fallback(other_method);
    Router::new()
        .route("/", get(status::base))
        .nest("/api/v1", v1)
        .route("/federate", get(federate::federate))
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::ready))
        .method_not_allowed_fallback(other_method)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(shared)
}

/// Any other path.
async fn unknown(uri: Uri) -> Failure {
    Failure::missing(format!(
        "there is no {} in this API; it has /api/v1/query, query_range, series, labels, \
         label/NAME/values, metadata, targets, rules, alerts, status/…, write, and /federate",
        uri.path()
    ))
}

/// A path that is asked in another way.
async fn other_method(method: Method, uri: Uri) -> (StatusCode, Failure) {
    let words = format!(
        "{method} is nothing that {} answers: ask by GET, or by POST what takes a query or samples",
        uri.path()
    );
    (StatusCode::METHOD_NOT_ALLOWED, Failure::bad(words))
}

#[cfg(test)]
mod tests;
