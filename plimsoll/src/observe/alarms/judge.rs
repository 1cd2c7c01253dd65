//! What answers the queries of groups of one origin: files, or Plimsoll itself.
//!
//! Each has its own bound on rules at once, so that one whose queries wait holds up none of the other.
//! A rule that waits for the disk does not count: others are told of all the same.
//! That an outside Prometheus is away is told once, however many rules ask it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tsdb::promql::{Outcome, Query};

use super::Clock;
use super::outage::Outage;
use super::tell;
use crate::log::Level;
use crate::observe::query::{Engine, QueryFailure};

/// Rules that are asked at once; more wait.
pub const RULES_MAX: usize = 8;

/// Answers the queries of rules.
pub struct Judge {
    /// Answers those of templates, too.
    pub engine: Arc<Engine>,
    permits: Semaphore,
    /// Written after each query.
    outage: Mutex<Outage>,
}

/// Why a rule comes to nothing, in words.
pub enum Fault {
    /// By its own doing.
    Rule(String),
    /// Nobody answers, whatever is asked.
    Outage(String),
}

impl From<String> for Fault {
    fn from(words: String) -> Self {
        Self::Rule(words)
    }
}

/// A line for the log, if there is anything new.
pub type News = Option<(Level, String)>;

impl Judge {
    /// By what an engine answers.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, permits: Semaphore::new(RULES_MAX), outage: Mutex::default() }
    }

    /// Waits until another rule may be asked.
    pub async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; if it were, nothing would be bounded, and no more.
        self.permits.acquire().await.ok()
    }

    /// Asks for a time, milliseconds since 1970, and tells an outage from what is wrong with a query.
    pub async fn ask(
        &self,
        query: &Query,
        time: i64,
        clock: &Clock,
    ) -> (Result<Outcome, Fault>, News) {
        let begun = clock();
        let answered = self.engine.instant(query, time).await;
        let now = clock();
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let looks_so = match &answered {
            Err(QueryFailure::Unavailable { .. }) => true,
            Err(QueryFailure::Refused { kind, .. }) => kind == "unavailable",
            Err(QueryFailure::Timeout(_)) => {
                self.engine.is_outside() && outage.is_silent_since(begun)
            }
            Ok(_) | Err(QueryFailure::Evaluation(_)) => false,
        };
        let is_outage = looks_so && outage.is_likely(now);
        match answered {
            Err(failure) if is_outage => {
                let words = failure.to_string();
                let news = outage.begin(now).then(|| {
                    let text = format!(
                        "`observe.prometheus` gives no answers, so no rule of a file is evaluated; \
                         built-in ones and objectives are. {words}"
                    );
                    (Level::Warn, text)
                });
                (Err(Fault::Outage(words)), news)
            }
            // What may be its own fault says nothing of others.
            Err(failure) if looks_so || matches!(failure, QueryFailure::Timeout(_)) => {
                (Err(Fault::Rule(failure.to_string())), None)
            }
            answered => {
                let news = outage.answered(now).map(|lasted| {
                    let lasted = tell::duration(lasted);
                    let text = format!(
                        "`observe.prometheus` answers again after {lasted}: rules of files are \
                         evaluated"
                    );
                    (Level::Info, text)
                });
                (answered.map_err(|failure| Fault::Rule(failure.to_string())), news)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use axum::Router;
    use tokio::net::TcpListener;
    use tsdb::promql;
    use tsdb::store::{Options, Store};

    use super::*;
    use crate::config::model::observe::{DataDirectory, HttpEndpoint, Observe};
    use crate::config::usual_observe;
    use crate::observe::query::Asker;

    /// What asking comes to: the kind of fault, and the level of a line for the log.
    async fn asked(judge: &Judge, clock: &Clock) -> (&'static str, Option<Level>) {
        let query = promql::parse("up").unwrap();
        let (answered, news) = judge.ask(&query, 0, clock).await;
        let kind = match answered {
            Ok(_) => "an answer",
            Err(Fault::Rule(_)) => "its own fault",
            Err(Fault::Outage(_)) => "an outage",
        };
        (kind, news.map(|(level, _)| level))
    }

    #[tokio::test]
    async fn an_outage_is_told_when_it_begins_and_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let address = {
            let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
            gone.local_addr().unwrap()
        };
        let mut observe = usual_observe(DataDirectory::Temporary);
        observe.prometheus = Some(HttpEndpoint::open(format!("http://{address}")));
        observe.query.timeout = Duration::from_secs(60);
        let engine = Arc::new(Engine::of(Arc::new(store), &observe, Asker::Files).unwrap());
        let judge = Judge::new(Arc::clone(&engine));
        let ticks = AtomicI64::new(0);
        let clock: Clock = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed));
        assert_eq!(asked(&judge, &clock).await, ("an outage", Some(Level::Warn)));
        assert_eq!(asked(&judge, &clock).await, ("an outage", None));
        let listener = TcpListener::bind(address).await.unwrap();
        let refusal = r#"{"status":"error","errorType":"execution","error":"no"}"#;
        let serving = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(move || async move { refusal })).await
        });
        assert_eq!(asked(&judge, &clock).await, ("its own fault", Some(Level::Info)));
        assert_eq!(asked(&judge, &clock).await, ("its own fault", None));
        serving.abort();
        let _ = serving.await;
        // Connections are taken by the system, and nobody answers.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let query = crate::config::model::observe::QueryBounds {
            timeout: Duration::from_millis(20),
            ..observe.query
        };
        let prometheus = Some(HttpEndpoint::open(url));
        engine.apply(&Observe { prometheus, query, ..observe }).unwrap();
        let judge = Judge::new(engine);
        assert_eq!(asked(&judge, &clock).await, ("an outage", Some(Level::Warn)));
    }

    #[tokio::test]
    async fn one_query_that_a_proxy_refuses_is_no_outage_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut observe = usual_observe(DataDirectory::Temporary);
        let url = format!("http://{}", listener.local_addr().unwrap());
        observe.prometheus = Some(HttpEndpoint::open(url));
        let requests = AtomicI64::new(0);
        let answer = move || {
            let is_refused = requests.fetch_add(1, Ordering::Relaxed) % 2 == 0;
            let good = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
            async move {
                match is_refused {
                    true => Err(axum::http::StatusCode::GATEWAY_TIMEOUT),
                    false => Ok(good),
                }
            }
        };
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move || answer());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let judge =
            Judge::new(Arc::new(Engine::of(Arc::new(store), &observe, Asker::Files).unwrap()));
        let clock: Clock = Arc::new(|| 5);
        assert_eq!(asked(&judge, &clock).await, ("an outage", Some(Level::Warn)));
        assert_eq!(asked(&judge, &clock).await, ("an answer", Some(Level::Info)));
        for _ in 0..3 {
            assert_eq!(asked(&judge, &clock).await, ("its own fault", None));
            assert_eq!(asked(&judge, &clock).await, ("an answer", None));
        }
        serving.abort();
    }
}
