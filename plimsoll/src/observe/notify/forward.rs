//! Alarms for other Alertmanagers, which group and route for themselves (API v2).
//!
//! Each has a task and a bounded queue of its own, in which an alarm stands once, with its newest
//! state: one that is away is told what is true when it is back, not what was.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tsdb::exposition::{Exposition, Kind};
use tsdb::labels::Labels;

use super::message::{limited, on_one_line, rfc3339};
use super::resend::{self, Resend};
use super::retry;
use crate::config::model::observe::HttpEndpoint;
use crate::observe::Alert;
use crate::{log, outbound};

/// Alarms that wait for one Alertmanager; more are not sent, and counted.
const QUEUE_MAX: usize = 10_000;
/// Alarms of one request.
const BATCH: usize = 256;
/// One request takes at most this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Characters of it that are told.
const ANSWER_CHARACTERS_MAX: usize = 300;
/// Below an Alertmanager's URL.
const PATH: &str = "/api/v2/alerts";

/// One of what is counted.
type Counter = fn(&Forward) -> &AtomicU64;

/// All of them.
#[derive(Default)]
pub(super) struct Forwards {
    resend: Resend,
    all: Vec<(Arc<Forward>, JoinHandle<()>)>,
}

/// One.
pub(super) struct Forward {
    /// Host and port.
    name: String,
    endpoint: HttpEndpoint,
    client: Client,
    /// Written by [`Forwards::pass`] and its task, emptied by its task.
    queue: Mutex<BTreeMap<Labels, Arc<Alert>>>,
    wake: Notify,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Forwards {
    /// Goes by other endpoints from now on; those that stay keep their queues.
    ///
    /// # Errors
    /// Certificates that cannot be used; nothing has changed then.
    pub(super) fn apply(
        &mut self,
        endpoints: &[HttpEndpoint],
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        let is_known = |endpoint: &&HttpEndpoint| {
            !self.all.iter().any(|(known, _)| known.endpoint == **endpoint)
        };
        let mut new = Vec::new();
        for endpoint in endpoints.iter().filter(is_known) {
            new.push((endpoint, client(endpoint)?));
        }
        self.all.retain(|(known, task)| {
            let stays = endpoints.contains(&known.endpoint);
            if !stays {
                task.abort();
            }
            stays
        });
        if !new.is_empty() {
            self.resend.restart();
        }
        for (endpoint, client) in new {
            let name = self.free_name(&host_and_port(&endpoint.url));
            let forward = Arc::new(Forward::new(name, endpoint.clone(), client));
            let task = tokio::spawn(Arc::clone(&forward).run(stopping.clone()));
            self.all.push((forward, task));
        }
        Ok(())
    }

    fn free_name(&self, wanted: &str) -> String {
        let is_taken = |name: &str| self.all.iter().any(|(forward, _)| forward.name == name);
        let numbered = (2..).map(|number| format!("{wanted} {number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        names.find(|name| !is_taken(name)).unwrap_or_default()
    }

    /// Queues what is to be sent now.
    pub(super) fn pass<'a>(&mut self, alarms: impl Iterator<Item = &'a Arc<Alert>>, now: i64) {
        if self.all.is_empty() {
            return;
        }
        let due = self.resend.due(alarms, now);
        if !due.is_empty() {
            self.all.iter().for_each(|(forward, _)| forward.offer(&due));
        }
    }

    pub(super) fn next_at(&self) -> i64 {
        if self.all.is_empty() { i64::MAX } else { self.resend.next_at() }
    }

    /// The tasks, which end by themselves once Plimsoll is stopping and they have tried once.
    pub(super) fn tasks(&mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.all).into_iter().map(|(_, task)| task).collect()
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        let counters: [(&str, &str, Counter); 3] = [
            (
                "plimsoll_notification_forwarded_alerts_total",
                "Alarms that an Alertmanager took.",
                |forward| &forward.sent,
            ),
            (
                "plimsoll_notification_forward_failed_total",
                "Requests that an Alertmanager did not take.",
                |forward| &forward.failed,
            ),
            (
                "plimsoll_notification_forward_dropped_alerts_total",
                "Alarms that were not sent: refused, or too many waited.",
                |forward| &forward.dropped,
            ),
        ];
        for (name, help, counter) in counters {
            let mut family = out.family(name, Kind::Counter, help);
            for (forward, _) in &self.all {
                let labels = [("alertmanager", &*forward.name)];
                family.sample(&labels, counter(forward).load(Ordering::Relaxed) as f64);
            }
        }
        let help = "Alarms that wait for an Alertmanager.";
        let name = "plimsoll_notification_forward_queue_alerts";
        let mut family = out.family(name, Kind::Gauge, help);
        for (forward, _) in &self.all {
            let waiting = forward.queue().len();
            family.sample(&[("alertmanager", &*forward.name)], waiting as f64);
        }
    }
}

impl Forward {
    fn new(name: String, endpoint: HttpEndpoint, client: Client) -> Self {
        Self {
            name,
            endpoint,
            client,
            queue: Mutex::default(),
            wake: Notify::new(),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, BTreeMap<Labels, Arc<Alert>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, alerts: &[Arc<Alert>]) {
        let mut queue = self.queue();
        for alert in alerts {
            let is_full = queue.len() >= QUEUE_MAX;
            match queue.entry(alert.labels.clone()) {
                Entry::Occupied(mut entry) => drop(entry.insert(Arc::clone(alert))),
                Entry::Vacant(_) if is_full => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
                Entry::Vacant(entry) => drop(entry.insert(Arc::clone(alert))),
            }
        }
        drop(queue);
        self.wake.notify_one();
    }

    async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                tokio::select! {
                    () = self.wake.notified() => continue,
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                }
            }
            let is_last = *stopping.borrow();
            let Err((words, passes)) = self.post(&batch).await else {
                self.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
                if std::mem::take(&mut failures) > 0 {
                    let name = &self.name;
                    log::info("notify", format!("Alertmanager {name} takes alarms again"));
                }
                continue;
            };
            self.failed.fetch_add(1, Ordering::Relaxed);
            if failures == 0 {
                log::warn(
                    "notify",
                    format!(
                        "Alertmanager {} did not take {} alarms: {words}; they are sent again; check \
                         that it runs and its URL",
                        self.name,
                        batch.len()
                    ),
                );
            }
            failures += 1;
            if is_last {
                return;
            }
            if passes {
                self.put_back(batch);
            } else {
                self.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
            tokio::select! {
                () = tokio::time::sleep(retry::wait(failures, fastrand::f64(), None)) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    fn batch(&self) -> Vec<Arc<Alert>> {
        let mut queue = self.queue();
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some((_, alert)) = queue.pop_first() else { break };
            batch.push(alert);
        }
        batch
    }

    /// Those of which nothing newer is known wait again.
    fn put_back(&self, batch: Vec<Arc<Alert>>) {
        let mut queue = self.queue();
        for alert in batch {
            queue.entry(alert.labels.clone()).or_insert(alert);
        }
    }

    /// One attempt; otherwise why not, and whether another may succeed.
    async fn post(&self, batch: &[Arc<Alert>]) -> Result<(), (String, bool)> {
        let now = crate::observe::now();
        let alerts: Vec<Value> = batch.iter().map(|alert| document(alert, now)).collect();
        let url = format!("{}{PATH}", self.endpoint.url.trim_end_matches('/'));
        let request = outbound::request(&self.client, Method::POST, &self.endpoint, &url)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(TIMEOUT)
            .body(Value::Array(alerts).to_string());
        let response = request
            .send()
            .await
            .map_err(|error| (outbound::in_words(&error.without_url()), true))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = outbound::body(response, ANSWER_BYTES_MAX).await.unwrap_or_default();
        let body = limited(&on_one_line(&String::from_utf8_lossy(&body)), ANSWER_CHARACTERS_MAX);
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        Err((format!("HTTP {} {body}", status.as_u16()).trim_end().to_owned(), passes))
    }
}

/// Tries whether all can be used.
pub(super) fn check(endpoints: &[HttpEndpoint]) -> Result<(), String> {
    endpoints.iter().try_for_each(|endpoint| client(endpoint).map(drop))
}

fn client(endpoint: &HttpEndpoint) -> Result<Client, String> {
    outbound::client(endpoint)
        .map_err(|reason| format!("Alertmanager {}: {reason}", host_and_port(&endpoint.url)))
}

fn document(alert: &Alert, now: i64) -> Value {
    let labels: BTreeMap<&str, &str> = alert.labels.iter().collect();
    let mut document = json!({
        "labels": labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at),
        "endsAt": rfc3339(resend::ends_at(alert, now)),
    });
    // An empty one is no URL, and would have the whole request refused.
    if !alert.generator_url.is_empty() {
        document["generatorURL"] = json!(alert.generator_url);
    }
    document
}

/// Of an absolute URL.
fn host_and_port(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried until nobody asks for it any more.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn one_that_a_reload_takes_away_is_sent_nothing_more() {
        let (_stopping, stop) = watch::channel(false);
        let endpoints = ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"].map(HttpEndpoint::open);
        let mut forwards = Forwards::default();
        forwards.apply(&endpoints, &stop).unwrap();
        let names =
            |of: &Forwards| of.all.iter().map(|(one, _)| one.name.clone()).collect::<Vec<_>>();
        // Figures tell them apart.
        assert_eq!(names(&forwards), ["127.0.0.1:9", "127.0.0.1:9 2"]);
        let tasks: Vec<_> = forwards.all.iter().map(|(_, task)| task.abort_handle()).collect();
        forwards.apply(&endpoints[1..], &stop).unwrap();
        assert_eq!(names(&forwards), ["127.0.0.1:9 2"]);
        let ended = async {
            while !tasks[0].is_finished() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("its task ends");
        assert!(!tasks[1].is_finished());
    }

    #[test]
    fn what_waits_is_the_newest_even_where_there_is_no_room() {
        let endpoint = HttpEndpoint::open("http://127.0.0.1:9");
        let client = client(&endpoint).unwrap();
        let forward = Forward::new("full".to_owned(), endpoint, client);
        let alert = |number: usize, ends_at| {
            Arc::new(Alert {
                labels: Labels::from_pairs([("n", format!("{number:05}").as_str())]),
                annotations: BTreeMap::new(),
                starts_at: 0,
                ends_at,
                generator_url: String::new(),
            })
        };
        forward.offer(&(0..=QUEUE_MAX).map(|number| alert(number, None)).collect::<Vec<_>>());
        forward.offer(&[alert(0, Some(5))]);
        let dropped = forward.dropped.load(Ordering::Relaxed);
        assert_eq!((forward.queue().len(), dropped), (QUEUE_MAX, 1));
        let batch = forward.batch();
        assert_eq!(batch[0].ends_at, Some(5));
        // What comes back does not hide what has become known meanwhile.
        forward.offer(&[alert(1, Some(6))]);
        forward.put_back(batch);
        let ends: Vec<_> = forward.batch()[..3].iter().map(|alert| alert.ends_at).collect();
        assert_eq!(ends, [Some(5), Some(6), None]);
    }
}
