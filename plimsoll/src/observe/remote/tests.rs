//! Sending to receivers on the loopback: scripted ones, and the real Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tsdb::exposition::Exposition;
use tsdb::labels::{Labels, NAME};
use tsdb::remote_write::{Limits, Request};
use tsdb::sample::STALE;
use tsdb::store::{Append, Options, Store};

use super::plan::{BATCH_MAX, WAIT_MAX};
use super::*;
use crate::config::model::observe::HttpEndpoint;
use crate::observe::storage::Storage;
use crate::testing::prometheus::Prometheus;
use crate::{log, observe};

/// Long enough for anything on the loopback.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sample as it came: series, time, bits of the value.
type Came = (String, i64, u64);

/// A receiver that answers when the test says what.
struct Peer {
    url: String,
    /// Headers and samples of each request.
    asked: UnboundedReceiver<(HeaderMap, Vec<Came>)>,
    answers: UnboundedSender<(u16, &'static str)>,
}

struct Script {
    tell: UnboundedSender<(HeaderMap, Vec<Came>)>,
    answers: Mutex<UnboundedReceiver<(u16, &'static str)>>,
}

async fn take(
    State(script): State<Arc<Script>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
    let request = Request::decode(&body, &Limits::default()).unwrap();
    let mut came = Vec::new();
    for series in request.series() {
        let labels = series.to_labels().to_string();
        came.extend(
            series.samples.iter().map(|(time, value)| (labels.clone(), *time, value.to_bits())),
        );
    }
    let _ = script.tell.send((headers, came));
    let answer = script.answers.lock().await.recv().await;
    // The test is over.
    let (status, words) = answer.unwrap_or((500, ""));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], words)
}

impl Peer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener)
    }

    fn on(listener: TcpListener) -> Self {
        let url = format!("http://{}/write", listener.local_addr().unwrap());
        let (tell, asked) = unbounded_channel();
        let (answers, answered) = unbounded_channel();
        let script = Arc::new(Script { tell, answers: Mutex::new(answered) });
        let router =
            axum::Router::new().route("/write", axum::routing::post(take)).with_state(script);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, answers }
    }

    fn answer(&self, status: u16, words: &'static str) {
        self.answers.send((status, words)).unwrap();
    }

    async fn next(&mut self) -> Vec<Came> {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.unwrap().unwrap().1
    }
}

fn receiver(url: &str) -> RemoteWrite {
    RemoteWrite {
        name: "far".to_owned(),
        endpoint: HttpEndpoint::open(url),
        timeout: PATIENCE,
        queue_samples: 500_000,
        relabel: Vec::new(),
    }
}

/// A storage that gives its samples to a receiver.
struct Bench {
    remote: Remote,
    storage: Storage,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(receivers: &[RemoteWrite]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let external = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
        let (remote, tap) = Remote::start(receivers, &external);
        Self { remote, storage: Storage::new(Arc::new(store), vec![tap]), _folder: folder }
    }

    /// Puts samples of that many series in.
    fn append(&self, series: usize, time: i64, value: f64) {
        let handles: Vec<_> = (0..series)
            .map(|number| {
                let labels = Labels::from_pairs([(NAME, "m"), ("n", &format!("{number:05}"))]);
                self.storage.store().series(&labels).unwrap()
            })
            .collect();
        let samples: Vec<_> = handles.iter().map(|series| Append { series, time, value }).collect();
        self.storage.append(&samples, time);
    }

    fn figure(&self, name: &str) -> f64 {
        let mut text = Exposition::new();
        self.remote.expose(&mut text);
        let text = text.finish();
        let name = format!("plimsoll_remote_write_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).parse().unwrap()
    }

    /// Until a figure is that; what changes it runs on this thread.
    async fn until(&self, name: &str, wanted: f64) {
        let reached = async {
            while self.figure(name) != wanted {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await;
        assert!(in_time.is_ok(), "{name} is {} and not {wanted}", self.figure(name));
    }
}

const FAR: &str = r#"{receiver="far"}"#;

fn dropped(reason: &str) -> String {
    format!(r#"dropped_samples_total{{receiver="far",reason="{reason}"}}"#)
}

#[tokio::test]
async fn a_full_batch_goes_at_once_and_the_rest_at_the_end() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&[receiver(&peer.url)]);
    bench.append(BATCH_MAX + 1, 1000, 1.0);
    let (headers, came) = tokio::time::timeout(PATIENCE, peer.asked.recv()).await.unwrap().unwrap();
    for (name, value) in [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(came.len(), BATCH_MAX);
    let first = (r#"m{n="00000", region="eu"}"#.to_owned(), 1000, 1.0_f64.to_bits());
    assert_eq!(came[0], first);
    peer.answer(204, "");
    bench.until(&format!("samples_total{FAR}"), BATCH_MAX as f64).await;
    assert_eq!(bench.figure(&format!("pending_samples{FAR}")), 1.0);
    // The end of a series goes the same way, to the bit.
    bench.append(1, 2000, STALE);
    peer.answer(200, "");
    bench.remote.stop().await;
    let came = peer.next().await;
    assert_eq!(came.len(), 2);
    assert_eq!(came[1].2, STALE.to_bits());
    assert!(bench.remote.tasks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn trouble_that_passes_costs_nothing_and_keeps_the_order() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&[receiver(&peer.url)]);
    bench.append(BATCH_MAX, 1000, 1.0);
    let first = peer.next().await;
    bench.append(BATCH_MAX, 2000, 2.0);
    // A redirect that is not followed says nothing about the samples.
    for status in [503, 429, 500, 302] {
        peer.answer(status, "busy");
        assert_eq!(peer.next().await, first);
    }
    peer.answer(200, "");
    let second = peer.next().await;
    assert!(second.iter().all(|came| came.1 == 2000), "{second:?}");
    peer.answer(200, "");
    bench.until(&format!("samples_total{FAR}"), 2.0 * BATCH_MAX as f64).await;
    assert_eq!(bench.figure(&format!("failures_total{FAR}")), 4.0);
    assert_eq!(bench.figure(&format!("pending_samples{FAR}")), 0.0);
    assert_eq!(bench.figure(&format!("behind_seconds{FAR}")), 0.0);
    assert!(bench.figure(&format!("last_success_timestamp_seconds{FAR}")) > 1.6e9);
    assert_eq!(bench.figure(&dropped("queue_full")), 0.0);
}

#[tokio::test]
async fn what_is_refused_is_dropped_counted_and_told_once() {
    let mut peer = Peer::start().await;
    let mut named = receiver(&peer.url);
    named.name = "refusing".to_owned();
    let bench = Bench::new(&[named]);
    let here = r#"{receiver="refusing"}"#;
    for time in 1..=3 {
        bench.append(BATCH_MAX, time, 1.0);
        assert!(peer.next().await.iter().all(|came| came.1 == time));
        peer.answer(400, "out of bounds");
        bench.until(&format!("failures_total{here}"), time as f64).await;
    }
    bench.append(BATCH_MAX, 4, 1.0);
    peer.next().await;
    peer.answer(200, "");
    bench.until(&format!("samples_total{here}"), BATCH_MAX as f64).await;
    let refused = r#"dropped_samples_total{receiver="refusing",reason="refused"}"#;
    assert_eq!(bench.figure(refused), 3.0 * BATCH_MAX as f64);
    let told: Vec<_> =
        log::recent().into_iter().filter(|line| line.text.starts_with("refusing ")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        told[1].text,
        "refusing refuses samples: it answered 400 Bad Request: out of bounds; they are lost to it"
    );
    assert!(told[0].text.starts_with("refusing takes samples again after "), "{told:?}");
}

#[tokio::test]
async fn a_receiver_that_is_away_gets_the_newest_when_it_is_back() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let mut bounded = receiver(&format!("http://{address}/write"));
    bounded.queue_samples = 100;
    bounded.name = "away".to_owned();
    let here = r#"{receiver="away"}"#;
    let bench = Bench::new(&[bounded]);
    // What does not fit is given up, the oldest first, without waiting.
    (1..=50).for_each(|time| bench.append(100, time, 1.0));
    assert_eq!(bench.figure(&format!("pending_samples{here}")), 100.0);
    let given_up = r#"dropped_samples_total{receiver="away",reason="queue_full"}"#;
    assert_eq!(bench.figure(given_up), 4900.0);
    bench.until(&format!("failures_total{here}"), 1.0).await;
    let mut peer = Peer::on(TcpListener::bind(address).await.unwrap());
    peer.answer(200, "");
    let came = peer.next().await;
    assert!(came.len() == 100 && came.iter().all(|came| came.1 == 50), "{came:?}");
    bench.until(&format!("samples_total{here}"), 100.0).await;
    let told: Vec<_> =
        log::recent().into_iter().filter(|line| line.text.starts_with("away ")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].text, "away takes no samples: connection refused; up to 100 of them wait");
    assert!(told[0].text.ends_with("; 4900 were given up since the start"), "{told:?}");
}

#[tokio::test]
async fn a_slow_receiver_holds_nobody_up() {
    let mut peer = Peer::start().await;
    let mut bounded = receiver(&peer.url);
    bounded.queue_samples = 3 * BATCH_MAX;
    let bench = Bench::new(&[bounded]);
    bench.append(BATCH_MAX, 1, 1.0);
    peer.next().await;
    // The request is under way, and unanswered.
    for time in 2..=10 {
        bench.append(BATCH_MAX, time, 1.0);
    }
    assert_eq!(bench.figure(&format!("pending_samples{FAR}")), 3.0 * BATCH_MAX as f64);
    peer.answer(200, "");
    let came = peer.next().await;
    assert!(came.iter().all(|came| came.1 == 8), "{:?}", came[0]);
    bench.until(&format!("samples_total{FAR}"), BATCH_MAX as f64).await;
    // What was under way has arrived; six of the nine after it were in its place or fell out.
    assert_eq!(bench.figure(&dropped("queue_full")), 6.0 * BATCH_MAX as f64);
}

#[tokio::test(start_paused = true)]
async fn few_samples_wait_for_more_and_go_after_a_while() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&[receiver(&peer.url)]);
    // The sender has nothing to do, and waits to be woken.
    tokio::task::yield_now().await;
    let begun = tokio::time::Instant::now();
    bench.append(1, 1, 1.0);
    assert_eq!(peer.next().await.len(), 1);
    assert!(begun.elapsed() >= WAIT_MAX, "{:?}", begun.elapsed());
    peer.answer(200, "");
    bench.until(&format!("samples_total{FAR}"), 1.0).await;
    // What fills a request does not wait with what has waited.
    let begun = tokio::time::Instant::now();
    bench.append(1, 2, 1.0);
    tokio::task::yield_now().await;
    bench.append(BATCH_MAX, 3, 1.0);
    assert_eq!(peer.next().await.len(), BATCH_MAX);
    assert!(begun.elapsed() < WAIT_MAX, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_ends_the_stop_in_time() {
    let mut peer = Peer::start().await;
    let mut unanswering = receiver(&peer.url);
    unanswering.name = "unanswering".to_owned();
    let bench = Bench::new(&[unanswering]);
    bench.append(BATCH_MAX, 1, 1.0);
    peer.next().await;
    let before = tokio::time::Instant::now();
    bench.remote.stop().await;
    assert!(before.elapsed() <= FLUSH_MAX + Duration::from_millis(10), "{:?}", before.elapsed());
    let left = format!("{BATCH_MAX} samples could not be sent to unanswering before the end");
    assert!(log::recent().iter().any(|line| line.text == left));
}

#[tokio::test]
async fn a_reload_keeps_the_queue_of_a_receiver_that_stays() {
    let mut peer = Peer::start().await;
    let mut other = Peer::start().await;
    let bench = Bench::new(&[receiver(&peer.url)]);
    bench.append(10, 1, 1.0);
    let mut changed = receiver(&peer.url);
    changed.queue_samples = 8;
    let mut added = receiver(&other.url);
    added.name = "other".to_owned();
    bench.remote.apply(&[changed, added.clone()], &BTreeMap::new());
    assert_eq!(bench.figure(&format!("pending_samples{FAR}")), 8.0);
    bench.append(1, 2, 1.0);
    // Taken away, it gets what waited for it.
    bench.remote.apply(&[added], &BTreeMap::new());
    let came = peer.next().await;
    assert_eq!((came.len(), came[7].1), (8, 2), "{came:?}");
    assert_eq!(came[7].0, r#"m{n="00000"}"#, "the external label is gone");
    peer.answer(200, "");
    other.answer(200, "");
    bench.remote.stop().await;
    assert_eq!(other.next().await, [(r#"m{n="00000"}"#.to_owned(), 2, 1.0_f64.to_bits())]);
}

#[tokio::test]
async fn a_file_that_is_missing_is_told_and_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut untrusted = receiver("https://127.0.0.1:9/write");
    untrusted.endpoint.ca = Some(folder.path().join("ca.pem"));
    untrusted.name = "untrusted".to_owned();
    let bench = Bench::new(&[untrusted]);
    bench.append(BATCH_MAX, 1, 1.0);
    bench.until(r#"failures_total{receiver="untrusted"}"#, 1.0).await;
    let told = log::recent().into_iter().find(|line| line.text.starts_with("untrusted ")).unwrap();
    assert!(told.text.contains("cannot use the certificates of "), "{}", told.text);
}

async fn query(prometheus: &Prometheus, query: &str, at: i64) -> serde_json::Value {
    let (_, body) = prometheus.ask(&format!("GET /api/v1/query?{query}&time={at}")).await;
    let mut answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    answer["data"]["result"].take()
}

#[tokio::test]
async fn the_real_prometheus_has_the_samples_and_knows_which_series_have_ended() {
    let prometheus = Prometheus::start("global: {}\n", "");
    let far = receiver(&format!("http://{}/api/v1/write", prometheus.address()));
    let bench = Bench::new(&[far]);
    // Prometheus takes no samples of long ago.
    let begin = observe::now() / 1000 - 60;
    for second in 0..30 {
        bench.append(500, (begin + second) * 1000, second as f64);
    }
    // One of them ends.
    bench.append(1, (begin + 30) * 1000, STALE);
    bench.remote.stop().await;
    let end = begin + 31;
    let count = query(&prometheus, "query=count(m%7Bregion=%22eu%22%7D)", end).await;
    assert_eq!(count[0]["value"][1], "499", "{count}");
    let sum = query(&prometheus, "query=sum(sum_over_time(m%5B60s%5D))", end).await;
    assert_eq!(sum[0]["value"][1], "217500", "{sum}");
    let over = query(&prometheus, "query=m%7Bn=%2200000%22%7D", end).await;
    assert_eq!(over, serde_json::json!([]));
    let values = query(&prometheus, "query=m%7Bn=%2200007%22%7D%5B60s%5D", end).await;
    let values = values[0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 30);
    assert_eq!(values[29], serde_json::json!([begin + 29, "29"]));
}
