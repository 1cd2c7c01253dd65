//! What one clinic instance counts about itself, for its `/metrics`.
//!
//! A short mutex is enough here: this is the test subject, not the data path.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tsdb::exposition::{Exposition, Kind};

/// Upper bounds of the latency buckets in seconds; the defaults of Prometheus' client libraries.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts and times since the start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Written by every request, read by `/metrics`.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: BTreeMap<(&'static str, String, u16), u64>,
    request_seconds: BTreeMap<&'static str, Histogram>,
    queries: BTreeMap<(&'static str, bool), u64>,
    query_seconds: BTreeMap<&'static str, Histogram>,
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    sum: f64,
    count: u64,
}

impl Histogram {
    fn observe(&mut self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        for (count, bound) in self.counts.iter_mut().zip(BUCKETS) {
            *count += u64::from(seconds <= bound);
        }
        self.sum += seconds;
        self.count += 1;
    }

    fn buckets(&self) -> Vec<(f64, u64)> {
        BUCKETS.into_iter().zip(self.counts).collect()
    }
}

impl Figures {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request was answered. `handler` is the route's pattern, never a path that a client chose.
    pub fn request(&self, handler: &'static str, method: &str, status: u16, elapsed: Duration) {
        let mut inner = self.lock();
        *inner.requests.entry((handler, method.to_owned(), status)).or_default() += 1;
        inner.request_seconds.entry(handler).or_default().observe(elapsed);
    }

    /// A transaction ended.
    pub fn query(&self, operation: &'static str, elapsed: Duration, succeeded: bool) {
        let mut inner = self.lock();
        *inner.queries.entry((operation, succeeded)).or_default() += 1;
        inner.query_seconds.entry(operation).or_default().observe(elapsed);
    }

    /// Everything in the text format.
    pub fn expose(&self) -> String {
        let inner = self.lock();
        let mut exposition = Exposition::new();
        let mut family =
            exposition.family("clinic_requests_total", Kind::Counter, "Requests answered.");
        for ((handler, method, status), count) in &inner.requests {
            let status = status.to_string();
            let labels = [("handler", *handler), ("method", method), ("code", &status)];
            family.sample(&labels, *count as f64);
        }
        let mut family = exposition.family(
            "clinic_request_duration_seconds",
            Kind::Histogram,
            "Time to answer a request.",
        );
        for (handler, histogram) in &inner.request_seconds {
            let labels = [("handler", *handler)];
            family.histogram(&labels, &histogram.buckets(), histogram.sum, histogram.count);
        }
        let mut family =
            exposition.family("clinic_queries_total", Kind::Counter, "Transactions on the store.");
        for ((operation, succeeded), count) in &inner.queries {
            let result = if *succeeded { "ok" } else { "error" };
            family.sample(&[("operation", *operation), ("result", result)], *count as f64);
        }
        let mut family = exposition.family(
            "clinic_query_duration_seconds",
            Kind::Histogram,
            "Time of a transaction on the store.",
        );
        for (operation, histogram) in &inner.query_seconds {
            let labels = [("operation", *operation)];
            family.histogram(&labels, &histogram.buckets(), histogram.sum, histogram.count);
        }
        exposition.finish()
    }
}
