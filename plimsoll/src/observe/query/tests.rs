//! The engine over a store in a folder, and over a small server that answers as Prometheus does.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use tsdb::labels::Labels;
use tsdb::store::{Append, Options as StoreOptions};

use super::*;
use crate::config::model::observe::{DataDirectory, HttpEndpoint};

/// When all samples were taken, milliseconds.
const NOW: i64 = 1_700_000_000_000;
/// Series of `m`.
const SERIES: usize = 2_000;

struct Fixture {
    store: Arc<Store>,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), StoreOptions::default(), NOW).unwrap();
    for place in 0..SERIES {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", place.to_string())]);
        let series = store.series(&labels).unwrap();
        store.commit(&[Append { series: &series, time: NOW - 60_000, value: 1.0 }]);
    }
    Fixture { store: Arc::new(store), _folder: folder }
}

fn bounds() -> QueryBounds {
    QueryBounds {
        samples_max: 1_000_000,
        timeout: Duration::from_secs(10),
        concurrency: 1,
        lookback: Duration::from_secs(300),
    }
}

fn query(text: &str) -> Query {
    promql::parse(text).unwrap()
}

/// A query that takes far longer than it may, and holds little.
fn slow() -> (Query, When) {
    let text = vec!["sum(m)"; 120].join(" + ");
    (query(&text), When::Range(Grid { start: NOW - 11_000_000, end: NOW, step: 1000 }))
}

/// Lets a future go on once; it must not be ready.
async fn begin<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) {
    tokio::select! {
        biased;
        _ = future => panic!("it is over already"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn the_own_store_answers() {
    let fixture = fixture();
    let engine = Engine::new(Arc::clone(&fixture.store), bounds());
    let sum = engine.instant(&query("sum(m)"), NOW).await.unwrap();
    let Value::Vector(elements) = sum.value else { panic!() };
    assert_eq!(elements[0].value, SERIES as f64);

    let few = Options { series_max: Some(3), ..Options::default() };
    let some = engine.evaluate(&query("m"), When::Instant(NOW), few).await.unwrap();
    let Value::Vector(elements) = some.value else { panic!() };
    assert_eq!((elements.len(), &*some.warnings), (3, &[TRUNCATED.to_owned()][..]));

    let short = Options { lookback: Some(Duration::from_secs(60)), ..Options::default() };
    let none = engine.evaluate(&query("m"), When::Instant(NOW), short).await.unwrap();
    assert_eq!(none.value, Value::Vector(vec![]), "the lookback is open on the left");
}

#[tokio::test]
async fn what_would_touch_too_much_is_refused_with_the_bound_and_its_key() {
    let fixture = fixture();
    let engine =
        Engine::new(Arc::clone(&fixture.store), QueryBounds { samples_max: 1999, ..bounds() });
    let refused = engine.instant(&query("m"), NOW).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "query processing would load too many samples into memory in query execution: it may hold \
         1999 at once (observe.query.max_samples); choose fewer series, a shorter range or a longer \
         step; asked was `m` at 2023-11-14T22:13:20Z"
    );
    let many = vec!["sum(m)"; 21].join("+");
    let refused = engine.instant(&query(&many), NOW).await.unwrap_err().to_string();
    assert!(refused.contains("39980 (20 times observe.query.max_samples)"), "{refused}");
}

#[tokio::test]
async fn what_takes_too_long_is_refused_with_the_bound_and_its_key() {
    let fixture = fixture();
    let timeout = Duration::from_millis(20);
    let engine = Engine::new(Arc::clone(&fixture.store), QueryBounds { timeout, ..bounds() });
    let (text, when) = slow();
    let late = engine.evaluate(&text, when, Options::default()).await.unwrap_err();
    assert!(matches!(late, QueryFailure::Timeout(_)));
    let late = late.to_string();
    assert!(
        late.starts_with(
            "query timed out in expression evaluation: it may take 20ms, which observe.query.timeout \
             in the config raises; asked was `sum(m) + sum(m)"
        ) && late.contains("…` from 2023-11-14T19:10:00Z to 2023-11-14T22:13:20Z every 1s"),
        "{late}"
    );
    // Another engine: the evaluation before may still hold the only place for a moment.
    let engine = Engine::new(Arc::clone(&fixture.store), bounds());
    let short = Options { timeout: Some(Duration::from_millis(5)), ..Options::default() };
    let late = engine.evaluate(&text, when, short).await.unwrap_err().to_string();
    assert!(late.contains("it may take 5ms, the `timeout` of the request"), "{late}");
}

/// Waiting for a place counts; a dashboard that takes all of them holds up no rules.
#[tokio::test]
async fn places_are_bounded_and_rules_have_their_own() {
    let fixture = fixture();
    let engine = Engine::new(Arc::clone(&fixture.store), bounds());
    let (text, when) = slow();
    let mut hog = Box::pin(engine.evaluate(&text, when, Options::default()));
    begin(&mut hog).await;
    let short = Options { timeout: Some(Duration::from_millis(5)), ..Options::default() };
    let late = engine.evaluate(&query("1"), When::Instant(NOW), short).await.unwrap_err();
    assert_eq!(
        late.to_string(),
        "query timed out in query queue: all 1 places for queries (observe.query.concurrency) were \
         taken for 5ms, the `timeout` of the request; asked was `1` at 2023-11-14T22:13:20Z"
    );
    let usual = crate::config::usual_observe(DataDirectory::Temporary);
    engine.apply(&Observe { query: bounds(), ..usual }).unwrap();
    let still = engine.evaluate(&query("1"), When::Instant(NOW), short).await;
    still.expect_err("a reload gives out no place that is taken");
    let rules = Engine::with(
        Arc::clone(&fixture.store),
        Asker::Files,
        Current::new(bounds(), None, Asker::Files),
    );
    rules.instant(&query("1"), NOW).await.unwrap();
    begin(&mut hog).await;
}

/// Otherwise the slow one would hold the only place for longer than the other may wait.
#[tokio::test]
async fn who_leaves_ends_the_evaluation() {
    let fixture = fixture();
    let engine = Engine::new(Arc::clone(&fixture.store), bounds());
    let (text, when) = slow();
    let mut left = Box::pin(engine.evaluate(&text, when, Options::default()));
    begin(&mut left).await;
    drop(left);
    engine.instant(&query("1"), NOW).await.unwrap();
}

#[tokio::test]
async fn the_own_store_is_listed() {
    let fixture = fixture();
    let engine = Engine::new(Arc::clone(&fixture.store), bounds());
    let lookup = |what, selectors: &[&str], most| Lookup {
        what,
        selectors: selectors.iter().map(|selector| (*selector).to_owned()).collect(),
        from: None,
        to: None,
        most,
    };
    let found = engine.list(lookup(What::Names, &[], None)).await.unwrap();
    assert_eq!(found.texts, ["__name__", "n"]);
    let both = ["m{n=\"7\"}", "{n=~\"7|8\"}"];
    let found = engine.list(lookup(What::Values("n".into()), &both, None)).await.unwrap();
    assert_eq!((found.texts, found.warnings), (vec!["7".to_owned(), "8".to_owned()], vec![]));
    let found = engine.list(lookup(What::Series, &both, Some(1))).await.unwrap();
    assert_eq!((found.series.len(), &*found.warnings), (1, &[TRUNCATED.to_owned()][..]));
    let refused = engine.list(lookup(What::Series, &["m[5m]"], None)).await.unwrap_err();
    assert!(refused.to_string().contains("`m[5m]` is no selector"), "{refused}");
}

type Asked = Arc<Mutex<Vec<String>>>;

/// A Prometheus that answers by what is asked, and remembers it.
async fn outside() -> (String, Asked) {
    async fn answer(State(asked): State<Asked>, uri: Uri, body: String) -> (StatusCode, String) {
        asked.lock().unwrap().push(format!("{uri} {body}"));
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"a":"1"},"value":[7,"5"]}]},"warnings":["theirs"]}"#;
        let (status, text) = match uri.path() {
            "/base/api/v1/query" if body.contains("bad") => (
                StatusCode::BAD_REQUEST,
                r#"{"status":"error","errorType":"bad_data","error":"no such function"}"#,
            ),
            "/base/api/v1/query" if body.contains("gone") => {
                (StatusCode::BAD_GATEWAY, "<html>\nno backend")
            }
            "/base/api/v1/query" if body.contains("moved") => (StatusCode::NOT_FOUND, "no page"),
            "/base/api/v1/query" if body.contains("page") => (StatusCode::OK, "<html>"),
            "/base/api/v1/query" => (StatusCode::OK, vector),
            "/base/api/v1/label/a%20b/values" => {
                (StatusCode::OK, r#"{"status":"success","data":["y","x"]}"#)
            }
            "/base/federate" if uri.query() == Some("match%5B%5D=up") => {
                (StatusCode::OK, "# TYPE up untyped\nup 1 1700000000000\n")
            }
            "/base/federate" if uri.query() == Some("match%5B%5D=wrong") => {
                (StatusCode::BAD_REQUEST, "no selector")
            }
            "/base/federate" => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            "/base/api/v1/series" => (StatusCode::OK, r#"{"status":"success","data":[{"a":"1"}]}"#),
            _ => (StatusCode::NOT_FOUND, "404 page not found"),
        };
        (status, text.to_owned())
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let asked = Asked::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, asked)
}

fn over(fixture: &Fixture, url: &str) -> Engine {
    let outside = Outside::new(&HttpEndpoint::open(url)).unwrap();
    let current = Current::new(bounds(), Some(outside), Asker::People);
    Engine::with(Arc::clone(&fixture.store), Asker::People, current)
}

#[tokio::test]
async fn an_outside_prometheus_answers_in_place_of_the_store() {
    let (fixture, (url, asked)) = (fixture(), outside().await);
    let engine = over(&fixture, &url);
    let options = Options {
        timeout: Some(Duration::from_secs(2)),
        lookback: Some(Duration::from_secs(60)),
        series_max: Some(9),
    };
    let when = When::Instant(NOW + 250);
    let answer = engine.evaluate(&query("m + 1"), when, options).await.unwrap();
    let Value::Vector(elements) = answer.value else { panic!() };
    assert_eq!((elements[0].value, &*answer.warnings), (5.0, &["theirs".to_owned()][..]));
    let sent = asked.lock().unwrap().pop().unwrap();
    let start = "/base/api/v1/query query=m+%2B+1&time=1700000000.250&timeout=";
    assert!(sent.starts_with(start), "{sent}");
    assert!(sent.ends_with("ms&lookback_delta=60000ms&limit=9"), "{sent}");

    // Functions that only the other side knows go there too.
    engine.evaluate_text("info(m)", when, Options::default()).await.unwrap();
    assert!(asked.lock().unwrap().pop().unwrap().contains(" query=info%28m%29&"));

    let lookup = |what| Lookup {
        what,
        selectors: vec!["up".into(), "m{a=\"1\"}".into()],
        from: Some(0),
        to: Some(1500),
        most: None,
    };
    let found = engine.list(lookup(What::Values("a b".into()))).await.unwrap();
    assert_eq!(found.texts, ["x", "y"]);
    let fields = "match%5B%5D=up&match%5B%5D=m%7Ba%3D%221%22%7D&start=0.000&end=1.500";
    let sent = asked.lock().unwrap().pop().unwrap();
    assert_eq!(sent, format!("/base/api/v1/label/a%20b/values?{fields} "));
    assert_eq!(engine.list(lookup(What::Series)).await.unwrap().series.len(), 1);
    assert_eq!(asked.lock().unwrap().pop().unwrap(), format!("/base/api/v1/series {fields}"));
}

#[tokio::test]
async fn an_outside_prometheus_is_federated_in_place_of_the_store() {
    let (fixture, (url, _)) = (fixture(), outside().await);
    assert!(Engine::new(Arc::clone(&fixture.store), bounds()).federated(&["up"]).await.is_none());
    let engine = over(&fixture, &url);
    let page = engine.federated(&["up"]).await.unwrap().unwrap();
    assert_eq!(page, b"# TYPE up untyped\nup 1 1700000000000\n");
    let failure = engine.federated(&["a", "b"]).await.unwrap().unwrap_err().to_string();
    assert!(failure.ends_with("it answers with status 503 Service Unavailable: not ready"));
    // That is no fault of the other side.
    let failure = engine.federated(&["wrong"]).await.unwrap().unwrap_err();
    assert!(
        matches!(&failure, QueryFailure::Refused { kind, message, .. }
            if kind == "bad_data" && message.ends_with("no selector")),
        "{failure}"
    );
}

#[tokio::test]
async fn an_outside_prometheus_that_is_silent_is_named() {
    let fixture = fixture();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let engine = over(&fixture, &format!("http://{address}"));
    let options = Options { timeout: Some(Duration::from_millis(20)), ..Options::default() };
    let late = engine.evaluate(&query("m"), When::Instant(NOW), options).await.unwrap_err();
    let start = format!("Prometheus at {address}: query timed out in expression evaluation: ");
    assert!(matches!(&late, QueryFailure::Timeout(words) if words.starts_with(&start)), "{late}");
}

/// They are about what is measured here.
#[tokio::test]
async fn own_rules_ask_the_store_always() {
    let fixture = fixture();
    let usual = crate::config::usual_observe(DataDirectory::Temporary);
    let observe = Observe { prometheus: Some(HttpEndpoint::open("http://127.0.0.1:1")), ..usual };
    for (asker, is_outside) in [(Asker::People, true), (Asker::Files, true), (Asker::Itself, false)]
    {
        let engine = Engine::of(Arc::clone(&fixture.store), &observe, asker).unwrap();
        assert_eq!(engine.is_outside(), is_outside, "{asker:?}");
        engine.apply(&observe).unwrap();
        assert_eq!(engine.is_outside(), is_outside, "{asker:?} after a reload");
        assert_eq!(engine.instant(&query("sum(m)"), NOW).await.is_err(), is_outside);
    }
}

/// Its answers are held here, whoever they come from.
#[tokio::test]
async fn listings_of_an_outside_prometheus_are_bounded_in_number() {
    let (fixture, (url, asked)) = (fixture(), outside().await);
    let outside = Outside::new(&HttpEndpoint::open(&url)).unwrap();
    let short = QueryBounds { timeout: Duration::from_millis(20), ..bounds() };
    let engine = Engine::with(
        Arc::clone(&fixture.store),
        Asker::People,
        Current::new(short, Some(outside), Asker::People),
    );
    let lookups = Arc::clone(&engine.current.load().places.lookups);
    let _all = lookups.acquire_many(LOOKUPS_AT_ONCE as u32).await.unwrap();
    let names = Lookup { what: What::Names, selectors: vec![], from: None, to: None, most: None };
    let late = engine.list(names).await.unwrap_err();
    assert!(matches!(late, QueryFailure::Timeout(_)), "{late}");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn failures_of_an_outside_prometheus_are_told_with_its_name() {
    let (fixture, (url, _)) = (fixture(), outside().await);
    let engine = over(&fixture, &url);
    let at = url.trim_start_matches("http://").trim_end_matches("/base/").to_owned();
    for (text, expected) in [
        ("bad", "no such function"),
        ("gone", "it answers with status 502 Bad Gateway: <html>"),
        ("moved", "it answers with status 404 Not Found: no page"),
        (
            "page",
            "its answer is none of Prometheus' API (expected value at line 1 column 1); is \
                  `observe.prometheus` right?",
        ),
    ] {
        let failure = engine.instant(&query(text), NOW).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("Prometheus at {at}: {expected}"));
        assert_eq!(matches!(failure, QueryFailure::Refused { .. }), text == "bad");
    }
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let failure = over(&fixture, &url).instant(&query("up"), NOW).await.unwrap_err();
    let words = "it cannot be asked: connection refused; is `observe.prometheus` right?";
    assert!(failure.to_string().ends_with(words), "{failure}");
}
