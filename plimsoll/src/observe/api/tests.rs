//! The router over a store in a folder: each path, its answers and its failures.

mod peer;
mod prometheus;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tower::ServiceExt;
use tsdb::exposition::MetricType;
use tsdb::labels::Labels;
use tsdb::sample::STALE;
use tsdb::store::{Append, Options, Store};

use super::*;
use crate::config::model::observe::{
    DataDirectory, HttpEndpoint, Notify, QueryBounds, RuleSettings, ScrapeDefaults, ScrapeLimits,
};
use crate::observe::now;
use crate::observe::query::Asker;
use crate::observe::storage::Tap;
use crate::observe::views::{AlertView, AlertingView, RuleHealth, RuleView, TargetHealth};

/// Settings with something in every place that the API shows.
pub(super) fn settings() -> Observe {
    let scrape = ScrapeDefaults {
        every: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        limits: ScrapeLimits {
            body_bytes: 1 << 20,
            samples: 1000,
            labels: 64,
            label_name_bytes: 512,
            label_value_bytes: 4096,
        },
    };
    Observe {
        directory: DataDirectory::Temporary,
        retention: Duration::from_secs(31 * 86_400),
        bytes_max: 8 << 30,
        series_max: 200_000,
        memory_bytes_max: 512 << 20,
        external_labels: BTreeMap::from([("site".to_owned(), "a\"b".to_owned())]),
        own_every: Duration::from_secs(1),
        scrape,
        jobs: Vec::new(),
        postgres: Vec::new(),
        redis: Vec::new(),
        query: QueryBounds {
            samples_max: 50_000_000,
            timeout: Duration::from_secs(120),
            concurrency: 4,
            lookback: Duration::from_secs(300),
        },
        prometheus: None,
        remote_write: Vec::new(),
        remote_write_receiver: true,
        rules: RuleSettings {
            files: vec![PathBuf::from("/etc/rules.yml")],
            built_in: true,
            without: Vec::new(),
            every: Duration::from_secs(15),
            external_url: None,
        },
        notify: Notify {
            group_by: Vec::new(),
            group_wait: Duration::ZERO,
            group_interval: Duration::ZERO,
            repeat_interval: Duration::ZERO,
            receivers: BTreeMap::new(),
            routes: Vec::new(),
            inhibit: Vec::new(),
            alertmanagers: vec![HttpEndpoint::open("http://am:9093/")],
        },
    }
}

thread_local! {
    /// Whether a thread answers requests, and so must not look at what is large or locked.
    static ANSWERS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A router and what is behind it.
pub(super) struct Fixture {
    pub(super) router: Router,
    pub(super) storage: Arc<Storage>,
    received: Arc<Received>,
    _folder: TempDir,
}

impl Fixture {
    pub(super) fn new(settings: Observe, options: Options, taps: Vec<Tap>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), options, now()).unwrap();
        let store = Arc::new(store);
        let storage = Arc::new(Storage::new(Arc::clone(&store), taps));
        let engine = Arc::new(Engine::of(store, &settings, Asker::People).unwrap());
        let (settings, received) = (Arc::new(settings), Arc::default());
        let parts = Parts {
            engine,
            storage: Arc::clone(&storage),
            received: Arc::<Received>::clone(&received),
            settings: Arc::new(move || Arc::clone(&settings)),
            targets: Arc::new(targets),
            metadata: Arc::new(metadata),
            groups: Arc::new(groups),
            configuration: Arc::new(|| ConfigurationView {
                loaded_at: Timestamp::from_second(60).unwrap(),
                is_current: false,
            }),
            started_at: Timestamp::UNIX_EPOCH,
        };
        Self { router: router(parts), storage, received, _folder: folder }
    }

    pub(super) fn append(&self, labels: &[(&str, &str)], time: i64, value: f64) {
        let series = self.storage.store().series(&Labels::from_pairs(labels.to_vec())).unwrap();
        let appended = self.storage.append(&[Append { series: &series, time, value }], now());
        assert_eq!(appended.committed.accepted, 1);
    }

    /// Asks `GET /path?query` or `POST /path form`.
    pub(super) async fn ask(&self, request: &str) -> (StatusCode, String) {
        let (method, rest) = request.split_once(' ').unwrap();
        let (uri, form) = rest.split_once(' ').unwrap_or((rest, ""));
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        ANSWERS.set(true);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn json(&self, request: &str) -> (u16, Json) {
        let (status, text) = self.ask(request).await;
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        (status.as_u16(), json)
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn targets() -> Vec<TargetView> {
    assert!(!ANSWERS.get());
    let of = |job: &str, health, last_error: Option<&str>| TargetView {
        job: job.to_owned(),
        labels: Labels::from_pairs([("job", job), ("instance", "h:1")]),
        discovered: Labels::from_pairs([("__address__", "h:1"), ("job", job)]),
        url: "http://h:1/metrics".to_owned(),
        health,
        last_error: last_error.map(str::to_owned),
        last_at: last_error.map(|_| 1_700_000_000_250),
        last_took: Duration::from_millis(12),
        last_samples: 7,
        every: Duration::from_secs(90),
        timeout: Duration::from_millis(2500),
    };
    vec![
        of("web", TargetHealth::Down, Some("refused")),
        of("db", TargetHealth::Unknown, None),
        of("web", TargetHealth::Dropped, None),
    ]
}

fn metadata() -> Vec<MetadataView> {
    assert!(!ANSWERS.get());
    let of = |family: &str, help: &str, job: &str| MetadataView {
        family: family.to_owned(),
        kind: MetricType::Counter,
        help: help.to_owned(),
        unit: String::new(),
        target: Labels::from_pairs([("job", job)]),
    };
    vec![of("a_total", "A.", "web"), of("a_total", "A.", "db"), of("b_total", "B.", "db")]
}

fn groups() -> Vec<GroupView> {
    assert!(!ANSWERS.get());
    let rule = |name: &str, alerting: Option<AlertingView>| RuleView {
        name: name.to_owned(),
        query: "up == 0".to_owned(),
        labels: pairs(&[("severity", "page")]),
        alerting,
        health: RuleHealth::Ok,
        evaluated_at: Some(1_700_000_000_000),
        took: Duration::from_millis(3),
    };
    let alert = AlertView {
        labels: Labels::from_pairs([("alertname", "Down"), ("job", "web")]),
        annotations: pairs(&[("summary", "web is down")]),
        firing: true,
        active_at: 1_699_999_990_000,
        keep_firing_since: None,
        value: 0.0,
    };
    let alerting = AlertingView {
        hold: Duration::from_secs(60),
        keep_firing: Duration::ZERO,
        annotations: pairs(&[("summary", "{{ $labels.job }} is down")]),
        alerts: vec![alert],
    };
    let mut failing = rule("job:up:sum", None);
    failing.health = RuleHealth::Failed("too much".to_owned());
    let group = |name: &str, rules| GroupView {
        name: name.to_owned(),
        file: "f.yml".to_owned(),
        interval: Duration::from_secs(15),
        limit: 0,
        evaluated_at: Some(1_700_000_000_000),
        took: Duration::from_millis(5),
        rules,
    };
    vec![
        group("g", vec![rule("Down", Some(alerting)), failing]),
        group("h", vec![rule("one", None)]),
        group("i", vec![rule("two", None)]),
    ]
}

/// As Prometheus 3 has it: each page names the group that the next begins with.
#[tokio::test]
async fn groups_of_rules_come_in_pages() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let page = format!("GET /api/v1/rules?type=record&group_limit=2{next}");
        let (_, json) = fixture.json(&page).await;
        let groups = json["data"]["groups"].as_array().unwrap();
        assert!((1..=2).contains(&groups.len()), "{json}");
        names.extend(groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()));
        match json["data"].get("groupNextToken") {
            Some(token) => next = format!("&group_next_token={}", token.as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(names, ["g", "h", "i"]);
    let (_, json) = fixture.json("GET /api/v1/rules").await;
    assert!(json["data"].get("groupNextToken").is_none(), "{json}");
    for (parameters, name, words) in [
        ("group_limit=0", "group_limit", "group_limit needs to be greater than 0"),
        (
            "group_limit=x",
            "group_limit",
            "group_limit needs to be a valid number: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "group_next_token=x",
            "group_next_token",
            "group_limit needs to be present in order to paginate over the groups",
        ),
        (
            "group_limit=1&group_next_token=x",
            "group_next_token",
            "invalid group_next_token 'x'. were rule groups changed?",
        ),
    ] {
        let (status, json) = fixture.json(&format!("GET /api/v1/rules?{parameters}")).await;
        let expected = json!(format!("invalid parameter {name:?}: {words}"));
        assert_eq!((status, &json["error"]), (400, &expected));
    }
}

#[tokio::test]
async fn what_plimsoll_knows_has_the_shapes_of_prometheus() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    for (request, pointer, expected) in [
        ("GET /api/v1/targets", "/data/activeTargets/0/scrapePool", json!("web")),
        ("GET /api/v1/targets", "/data/activeTargets/0/health", json!("down")),
        ("GET /api/v1/targets", "/data/activeTargets/0/lastError", json!("refused")),
        (
            "GET /api/v1/targets",
            "/data/activeTargets/0/lastScrape",
            json!("2023-11-14T22:13:20.25Z"),
        ),
        ("GET /api/v1/targets", "/data/activeTargets/0/scrapeInterval", json!("1m30s")),
        ("GET /api/v1/targets", "/data/activeTargets/0/scrapeTimeout", json!("2s500ms")),
        (
            "GET /api/v1/targets",
            "/data/activeTargets/0/labels",
            json!({"instance": "h:1", "job": "web"}),
        ),
        ("GET /api/v1/targets", "/data/activeTargets/1/lastScrape", json!("0001-01-01T00:00:00Z")),
        ("GET /api/v1/targets", "/data/droppedTargetCounts", json!({"web": 1})),
        ("GET /api/v1/targets?state=active", "/data/droppedTargets", json!([])),
        ("GET /api/v1/targets?state=active", "/data/droppedTargetCounts", Json::Null),
        ("GET /api/v1/targets?state=dropped", "/data/activeTargets", json!([])),
        ("GET /api/v1/targets?scrapePool=db", "/data/activeTargets/1", Json::Null),
        ("GET /api/v1/scrape_pools", "/data/scrapePools", json!(["db", "web"])),
        (
            "GET /api/v1/metadata?limit=1",
            "/data",
            json!({"a_total": [{"type": "counter", "help": "A.", "unit": ""}]}),
        ),
        (
            "GET /api/v1/targets/metadata?match_target=%7Bjob%3D%22db%22%7D&metric=a_total",
            "/data",
            json!([{"target": {"job": "db"}, "type": "counter", "help": "A.", "unit": ""}]),
        ),
        ("GET /api/v1/targets/metadata?metric=c", "/data", json!([])),
        ("GET /api/v1/rules", "/data/groups/0/rules/0/state", json!("firing")),
        ("GET /api/v1/rules", "/data/groups/0/rules/0/duration", json!(60.0)),
        ("GET /api/v1/rules", "/data/groups/0/rules/0/type", json!("alerting")),
        ("GET /api/v1/rules", "/data/groups/0/rules/1/health", json!("err")),
        ("GET /api/v1/rules", "/data/groups/0/rules/1/lastError", json!("too much")),
        ("GET /api/v1/rules", "/data/groups/0/lastEvaluation", json!("2023-11-14T22:13:20Z")),
        ("GET /api/v1/rules?exclude_alerts=true", "/data/groups/0/rules/0/alerts", json!([])),
        ("GET /api/v1/rules?type=record", "/data/groups/0/rules/0/name", json!("job:up:sum")),
        ("GET /api/v1/rules?rule_name[]=Down", "/data/groups/0/rules/1", Json::Null),
        (
            "GET /api/v1/rules?match[]=%7Bseverity=%22x%22%7D&match[]=%7Bseverity=%22page%22%7D",
            "/data/groups/0/rules/0/name",
            json!("Down"),
        ),
        ("GET /api/v1/rules?match[]=%7Bseverity=%22x%22%7D", "/data/groups", json!([])),
        ("GET /api/v1/rules?match[]=%7B", "/errorType", json!("bad_data")),
        ("GET /api/v1/rules?rule_group[]=other", "/data/groups", json!([])),
        ("GET /api/v1/rules?file[]=f.yml", "/data/groups/0/name", json!("g")),
        (
            "GET /api/v1/rules?type=x",
            "/error",
            json!("invalid parameter \"type\": not supported value \"x\""),
        ),
        (
            "GET /api/v1/alerts",
            "/data/alerts",
            json!([{
                "labels": {"alertname": "Down", "job": "web"},
                "annotations": {"summary": "web is down"},
                "state": "firing",
                "activeAt": "2023-11-14T22:13:10Z",
                "value": "0e+00",
            }]),
        ),
        (
            "GET /api/v1/alertmanagers",
            "/data",
            json!({
                "activeAlertmanagers": [{"url": "http://am:9093/api/v2/alerts"}],
                "droppedAlertmanagers": [],
            }),
        ),
        ("GET /api/v1/status/buildinfo", "/data/version", json!("3.0.0")),
        ("GET /api/v1/status/flags", "/data/query.timeout", json!("2m")),
        ("GET /api/v1/status/runtimeinfo", "/data/startTime", json!("1970-01-01T00:00:00Z")),
        ("GET /api/v1/status/runtimeinfo", "/data/lastConfigTime", json!("1970-01-01T00:01:00Z")),
        ("GET /api/v1/status/runtimeinfo", "/data/reloadConfigSuccess", json!(false)),
        ("GET /api/v1/status/walreplay", "/data/current", json!(0)),
        ("GET /api/v1/status/tsdb", "/data/headStats/numSeries", json!(0)),
        ("GET /api/v1/query_exemplars?query=up", "/data", json!([])),
        ("GET /api/v1/nothing", "/errorType", json!("not_found")),
        (
            "DELETE /api/v1/query",
            "/error",
            json!(
                "DELETE is nothing that /query answers: ask by GET, or by POST what takes a \
                 query or samples"
            ),
        ),
        ("PUT /federate", "/errorType", json!("bad_data")),
    ] {
        let (_, json) = fixture.json(request).await;
        let found = json.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{request} {pointer} {json}");
    }
    let (_, json) = fixture.json("GET /api/v1/status/config").await;
    let yaml = json["data"]["yaml"].as_str().unwrap();
    assert!(yaml.contains("  external_labels:\n    \"site\": \"a\\\"b\"\nrule_files:\n"), "{yaml}");
    for (request, status) in [("DELETE /api/v1/query", 405), ("GET /api/v1/nothing", 404)] {
        assert_eq!(fixture.ask(request).await.0, status, "{request}");
    }
    for path in ["/", "/-/healthy", "/-/ready"] {
        assert_eq!(fixture.ask(&format!("GET {path}")).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn parameters_come_from_the_form_and_the_url() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    for request in [
        "GET /api/v1/query?query=1%2B1&time=5",
        "POST /api/v1/query query=1%2B1&time=5",
        "POST /api/v1/query?time=5 query=1%2B1",
        "POST /api/v1/query?query=2&time=5 query=1%2B1",
    ] {
        let (_, json) = fixture.json(request).await;
        assert_eq!(json["data"]["result"], json!([5, "2"]), "{request}");
    }
    let form = format!("POST /api/v1/query query={}", "x".repeat(FORM_BYTES_MAX));
    let (status, json) = fixture.json(&form).await;
    assert_eq!((status, &json["errorType"]), (400, &json!("bad_data")));
    assert!(json["error"].as_str().unwrap().contains("a form may have 262144 bytes"), "{json}");
}

/// An answer counts until its client has taken it.
#[tokio::test]
async fn answers_on_their_way_are_bounded() {
    let query = QueryBounds { samples_max: 8_000, ..settings().query };
    let fixture = Fixture::new(Observe { query, ..settings() }, Options::default(), Vec::new());
    let ask = || {
        let uri = "/api/v1/query_range?query=time()&start=0&end=5999&step=1";
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        fixture.router.clone().oneshot(request)
    };
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = ask().await.unwrap();
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    let words = axum::body::to_bytes(third.into_body(), usize::MAX).await.unwrap();
    let words = String::from_utf8_lossy(&words);
    assert!(
        words.contains("answers of 12000 samples") && words.contains("more than 16000"),
        "{words}"
    );
    axum::body::to_bytes(first.into_body(), usize::MAX).await.unwrap();
    assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
    drop(second);
}

#[tokio::test]
async fn federation_gives_the_youngest_of_what_goes_on() {
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    let now = now();
    fixture.append(&[("__name__", "up"), ("job", "web"), ("q", "a\"\\\n")], now - 9_000, 0.0);
    fixture.append(&[("__name__", "up"), ("job", "web"), ("q", "a\"\\\n")], now - 8_000, 1.0);
    fixture.append(&[("__name__", "up"), ("instance", "i"), ("site", "b")], now - 7_000, 1e7);
    fixture.append(&[("__name__", "up"), ("job", "over")], now - 7_000, 1.0);
    fixture.append(&[("__name__", "up"), ("job", "over")], now - 6_000, STALE);
    fixture.append(&[("__name__", "a:b"), ("x.y", "1")], now - 5_000, f64::NAN);
    let (status, text) =
        fixture.ask("GET /federate?match[]=up&match[]=%7B__name__=~%22.*%22%7D").await;
    // A selector that chooses everything is refused, as in Prometheus.
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    let (_, text) =
        fixture.ask("GET /federate?match[]=up&match[]=%7B__name__=~%22.%2B%22%7D").await;
    let expected = format!(
        "# TYPE a:b untyped\na:b{{x_y=\"1\",instance=\"\",site=\"a\\\"b\"}} NaN {}\n\
         # TYPE up untyped\nup{{instance=\"i\",site=\"b\"}} 1e+07 {}\n\
         up{{job=\"web\",q=\"a\\\"\\\\\\n\",instance=\"\",site=\"a\\\"b\"}} 1 {}\n",
        now - 5_000,
        now - 7_000,
        now - 8_000
    );
    assert_eq!(text, expected);
    assert_eq!(fixture.ask("GET /federate").await, (StatusCode::OK, String::new()));
}
