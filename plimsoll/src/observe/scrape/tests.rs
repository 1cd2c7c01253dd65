mod prometheus;

use std::time::Duration;

use tempfile::TempDir;
use tsdb::promql::{self, Value};
use tsdb::sample::{Samples, is_stale};
use tsdb::source::{Condition, Matcher, Source as _};
use tsdb::store::{Options, Store};

use super::peers::{Answer, Peer, page};
use super::*;
use crate::config::model::observe::{
    DataDirectory, DatabaseTarget, HttpEndpoint, InstanceMetrics, ScrapeJob, ScrapeLimits,
};
use crate::config::model::{Address, HealthCheck, HealthCheckKind, Source};
use crate::config::{sample, usual_observe};
use crate::observe::views::TargetHealth;

/// Time between two scrapes, and most time for one; the configuration has a second at least.
const EVERY: Duration = Duration::from_millis(500);
/// The same of Plimsoll's own figures.
const OWN_EVERY: Duration = Duration::from_millis(20);

/// Scraping at work. Plimsoll's own figures are its clock: something is waited for by looking at each
/// scrape of them.
struct World {
    scraper: Scraper,
    storage: Arc<Storage>,
    instances: watch::Sender<Arc<[InstanceAt]>>,
    own: watch::Receiver<u64>,
    _folder: TempDir,
}

fn observe(jobs: Vec<ScrapeJob>) -> Arc<Observe> {
    let mut observe = usual_observe(DataDirectory::Temporary);
    observe.own_every = OWN_EVERY;
    observe.scrape.every = EVERY;
    observe.jobs = jobs;
    Arc::new(observe)
}

fn job(name: &str, urls: &[String]) -> ScrapeJob {
    ScrapeJob {
        name: name.to_owned(),
        targets: urls.iter().map(HttpEndpoint::open).collect(),
        labels: BTreeMap::new(),
        every: EVERY,
        timeout: EVERY,
        honor_labels: false,
        honor_timestamps: true,
        relabel: Vec::new(),
        metric_relabel: Vec::new(),
        limits: ScrapeLimits {
            body_bytes: 1 << 20,
            samples: 10_000,
            labels: 20,
            label_name_bytes: 100,
            label_value_bytes: 1000,
        },
    }
}

fn services(metrics: &[(&str, InstanceMetrics)]) -> BTreeMap<String, Arc<Service>> {
    let service = |(name, metrics): &(&str, InstanceMetrics)| {
        let plain = sample::service(name, Source::Servers(Vec::new()), EVERY);
        ((*name).to_owned(), Arc::new(Service { metrics: metrics.clone(), ..plain }))
    };
    metrics.iter().map(service).collect()
}

fn instance(service: &str, name: &str, address: Address) -> InstanceAt {
    InstanceAt { service: service.to_owned(), instance: name.to_owned(), address }
}

impl World {
    fn start(observe: &Arc<Observe>, services: &BTreeMap<String, Arc<Service>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), now()).unwrap();
        let storage = Arc::new(Storage::new(Arc::new(store), Vec::new()));
        let (instances, watched) = watch::channel(Arc::from([]));
        let (tell, own) = watch::channel(0);
        let inputs = Inputs {
            own: Arc::new(move || {
                tell.send_modify(|count| *count += 1);
                "own_figure 1\n".to_owned()
            }),
            own_instance: "here:9900".to_owned(),
            instances: watched,
        };
        let scraper = Scraper::start(Arc::clone(&storage), observe, services, inputs);
        Self { scraper, storage, instances, own, _folder: folder }
    }

    /// Waits until it is so; looks at each scrape of the own figures.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let seconds = Duration::from_secs(60);
        let wait = async {
            while !is_so(self) {
                self.own.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(seconds, wait).await.is_err() {
            panic!("never: {what}\n{:#?}", self.scraper.targets());
        }
    }

    fn target(&self, job: &str) -> TargetView {
        let targets = self.scraper.targets();
        targets.into_iter().find(|target| target.job == job).unwrap()
    }

    /// The answer of a query, one line a series.
    fn ask(&self, query: &str) -> Vec<String> {
        let (query, limits) = (promql::parse(query).unwrap(), promql::Limits::default());
        let outcome = promql::instant(&query, &**self.storage.store(), now(), &limits).unwrap();
        let Value::Vector(elements) = outcome.value else { panic!("no vector") };
        let told = |element: &promql::Element| format!("{} {}", element.labels, element.value);
        let mut lines: Vec<String> = elements.iter().map(told).collect();
        lines.sort();
        lines
    }

    /// How often a series has ended.
    fn ends(&self, name: &str) -> usize {
        let condition = Condition::Equal(name.to_owned());
        let matcher = Matcher { name: "__name__".to_owned(), condition };
        let mut samples = Samples::default();
        for series in self.storage.store().select(&[matcher], 0, i64::MAX).unwrap() {
            series.read(0, i64::MAX, &mut samples).unwrap();
        }
        samples.values.iter().filter(|value| is_stale(**value)).count()
    }

    fn exposed(&self) -> String {
        let mut exposition = Exposition::new();
        self.scraper.expose(&mut exposition);
        exposition.finish()
    }
}

#[tokio::test]
async fn targets_of_every_kind_are_scraped() {
    let folder = tempfile::tempdir().unwrap();
    let (listed, unix, without) = (
        Peer::new(&[("/metrics", page("# HELP a Of a.\n# TYPE a gauge\na 1\n"))]),
        Peer::new(&[("/figures", page("b 2\n"))]),
        Peer::new(&[]),
    );
    let socket = folder.path().join("web-1.sock");
    unix.listen_at(&socket);
    let address = listed.listen().await;
    let observe = observe(vec![job("node", &[format!("http://{address}")])]);
    let services = services(&[
        ("web", InstanceMetrics::At("/figures".to_owned())),
        ("app", InstanceMetrics::Tried),
        ("off", InstanceMetrics::Off),
    ]);
    let mut world = World::start(&observe, &services);
    let plain = Address::Tcp(without.listen().await);
    world.instances.send_replace(Arc::from([
        instance("web", "web-1", Address::Unix(socket.clone())),
        instance("app", "app-1", plain.clone()),
        instance("off", "off-1", plain),
    ]));
    world
        .until("all were asked", |world| {
            let up = world.scraper.targets();
            up.iter().filter(|target| target.health == TargetHealth::Up).count() == 4
                && world.target("app").health == TargetHealth::WithoutMetrics
        })
        .await;
    assert_eq!(world.scraper.targets().len(), 5);
    assert_eq!(world.target("app").last_error.unwrap(), "answered 404 Not Found");
    let host = world.target("host").labels.get("instance").unwrap().to_owned();
    let mut up = [
        format!(r#"up{{instance="{host}", job="host"}} 1"#),
        format!(r#"up{{instance="{address}", job="node"}} 1"#),
        r#"up{instance="here:9900", job="plimsoll"} 1"#.to_owned(),
        r#"up{instance="web-1", job="web", service="web"} 1"#.to_owned(),
    ];
    up.sort();
    assert_eq!(world.ask("up"), up);
    assert_eq!(world.ask("b"), [r#"b{instance="web-1", job="web", service="web"} 2"#]);
    assert_eq!(world.ask("own_figure"), [r#"own_figure{instance="here:9900", job="plimsoll"} 1"#]);
    assert!(!world.ask("node_load1").is_empty());
    assert_eq!(world.target("web").url, format!("unix:{}:/figures", socket.display()));
    let told = world.scraper.metadata();
    let of_a = told.iter().find(|view| view.family == "a").unwrap();
    assert_eq!((of_a.help.as_str(), of_a.kind.as_str()), ("Of a.", "gauge"));
    // What is without metrics is left alone, what has them is not.
    let asked = unix.count();
    unix.asked(asked + 3).await;
    assert_eq!(without.count(), 1);
    let exposed = world.exposed();
    for line in [
        "plimsoll_scrapes_total{scrape_job=\"node\"} ",
        "plimsoll_scrape_failures_total{scrape_job=\"app\",reason=\"status\"} 1",
        "process_open_fds ",
    ] {
        assert!(exposed.lines().any(|found| found.starts_with(line)), "{line} in\n{exposed}");
    }
    world.scraper.stop().await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_down() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut observe = usual_observe(DataDirectory::Temporary);
    observe.own_every = OWN_EVERY;
    let database = |scheme: &str| DatabaseTarget {
        name: format!("{scheme}-1"),
        url: format!("{scheme}://me:secret@{gone}"),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        every: EVERY,
        timeout: EVERY,
    };
    (observe.postgres, observe.redis) = (vec![database("postgres")], vec![database("redis")]);
    let mut world = World::start(&Arc::new(observe), &services(&[]));
    let down = |name: &str| format!(r#"up{{instance="{name}-1", job="{name}", zone="a"}} 0"#);
    let both = [down("postgres"), down("redis")];
    world.until("both are down", |world| world.ask("up == 0") == both).await;
    for target in world.scraper.targets() {
        assert!(!format!("{target:?}").contains("secret"), "{target:?}");
    }
    world.scraper.stop().await;
}

#[tokio::test]
async fn servers_come_and_go() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let address = Address::Tcp(peer.listen().await);
    let mut world =
        World::start(&observe(Vec::new()), &services(&[("web", InstanceMetrics::Tried)]));
    let one = instance("web", "web-1", address.clone());
    world.instances.send_replace(Arc::from([one.clone()]));
    world.until("web-1 is there", |world| world.ask("a").len() == 1).await;
    world.instances.send_replace(Arc::from([one, instance("web", "web-2", address)]));
    world.until("web-2 is there", |world| world.ask("a").len() == 2).await;
    world.instances.send_replace(Arc::from([]));
    world.until("both have ended", |world| world.ask(r#"{job="web"}"#).is_empty()).await;
    assert_eq!(world.scraper.targets().len(), 2);
    world.scraper.stop().await;
}

#[tokio::test]
async fn a_server_that_had_metrics_is_down_without() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let address = Address::Tcp(peer.listen().await);
    let mut world =
        World::start(&observe(Vec::new()), &services(&[("web", InstanceMetrics::Tried)]));
    world.instances.send_replace(Arc::from([instance("web", "web-1", address)]));
    world.until("it is up", |world| world.ask("a").len() == 1).await;
    peer.set("/metrics", page("a one\n"));
    let down = r#"up{instance="web-1", job="web", service="web"} 0"#;
    world.until("it is down", |world| world.ask("up").contains(&down.to_owned())).await;
    assert_eq!(world.ask("a"), Vec::<String>::new());
    let asked = peer.count();
    peer.asked(asked + 2).await;
    let words = world.target("web").last_error.unwrap();
    assert!(words.starts_with("line 1, column 3: found `one`"), "{words}");
    world.scraper.stop().await;
}

#[tokio::test]
async fn a_bad_target_costs_itself_only() {
    let good = Peer::new(&[("/metrics", page("fine 1\n"))]);
    let bad = Peer::new(&[
        ("/silent", Answer::Silence),
        ("/endless", Answer::Endless(b"# and so on\n".repeat(1000))),
        ("/garbage", page("\u{0}what\n")),
    ]);
    let (fine, trouble) = (good.listen().await, bad.listen().await);
    let of = |path: &str| format!("http://{trouble}/{path}");
    let jobs = vec![
        job("silent", &[of("silent")]),
        job("endless", &[of("endless")]),
        job("garbage", &[of("garbage")]),
        job("good", &[format!("http://{fine}")]),
    ];
    let mut world = World::start(&observe(jobs), &services(&[]));
    for (job, words) in [
        ("silent", "no answer in 500ms"),
        ("endless", "larger than 1 MiB (observe.scrape.max_body)"),
        ("garbage", "line 1, column 1: found `\\u{0}`"),
    ] {
        world
            .until(job, |world| {
                let error = world.target(job).last_error;
                error.is_some_and(|error| error.starts_with(words))
            })
            .await;
    }
    // Who does not answer in time waits among its like, however short that time is.
    let (targets, _) = lock(&world.scraper.shared.state).all();
    let slow = targets.iter().filter(|target| target.is_slow());
    let slow: Vec<String> = slow.map(|target| target.wanted().job.clone()).collect();
    assert!(slow.contains(&"silent".to_owned()), "{slow:?}");
    // They are asked again and again, and it too.
    let (asked, troubled) = (good.count(), bad.count());
    good.asked(asked + 3).await;
    bad.asked(troubled + 3).await;
    world.until("it is up", |world| world.target("good").health == TargetHealth::Up).await;
    assert_eq!(world.ask("fine").len(), 1);
    world.scraper.stop().await;
}

#[tokio::test]
async fn another_configuration_leaves_alone_what_is_the_same() {
    let peer = Peer::new(&[("/metrics", page("a 1\nb 1\n")), ("/other", page("c 1\n"))]);
    let address = peer.listen().await;
    let (one, two) = (format!("http://{address}"), format!("http://{address}/other"));
    let first = observe(vec![job("one", std::slice::from_ref(&one)), job("two", &[two])]);
    let mut world = World::start(&first, &services(&[]));
    world.until("both are up", |world| world.ask("c").len() + world.ask("a").len() == 2).await;
    let of_one = |world: &World| {
        let targets = world.scraper.targets();
        targets.into_iter().find(|target| target.url.ends_with("/metrics")).unwrap().last_at
    };
    let before = of_one(&world);
    assert!(before.is_some());
    let mut changed = job("one", &[one, "http://:0:0".to_owned()]);
    changed.metric_relabel = vec![
        tsdb::relabel::Rule::new(&tsdb::relabel::RuleText {
            source_labels: vec!["__name__".to_owned()],
            regex: Some("b".to_owned()),
            action: Some("drop".to_owned()),
            ..tsdb::relabel::RuleText::default()
        })
        .unwrap(),
    ];
    world.scraper.apply(&observe(vec![changed]), &services(&[]));
    // The same target goes on: it is not unknown for a moment.
    assert!(of_one(&world) >= before);
    assert_eq!(world.scraper.targets().len(), 4);
    world
        .until("the others have ended", |world| {
            world.ask(r#"{job="two"}"#).is_empty() && world.ask("b").is_empty()
        })
        .await;
    assert_eq!(world.ask("a").len(), 1);
    assert_eq!((world.ends("a"), world.ends("b")), (0, 1));
    let refused = world.scraper.targets().into_iter().find(|target| target.last_at.is_none());
    assert!(refused.unwrap().last_error.unwrap().starts_with("not asked: "));
    world.scraper.stop().await;
}

#[tokio::test]
async fn nothing_is_asked_after_the_stop() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let observe = observe(vec![job("one", &[format!("http://{}", peer.listen().await)])]);
    let world = World::start(&observe, &services(&[]));
    peer.asked(2).await;
    world.scraper.stop().await;
    let (asked, own) = (peer.count(), *world.own.borrow());
    world.scraper.stop().await;
    world.scraper.apply(&observe, &services(&[]));
    assert_eq!((peer.count(), *world.own.borrow()), (asked, own));
    // Series go on after a restart, so they do not end.
    assert_eq!(world.ask("a").len(), 1);
}

#[tokio::test]
async fn a_page_that_waits_for_the_disk_keeps_nobody_else() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let address = Address::Tcp(peer.listen().await);
    let mut world =
        World::start(&observe(Vec::new()), &services(&[("web", InstanceMetrics::Tried)]));
    let shared = Arc::clone(&world.scraper.shared);
    let turns = shared.storing.acquire_many(STORING_MAX as u32).await.unwrap();
    world.instances.send_replace(Arc::from([instance("web", "web-1", address)]));
    peer.asked(1).await;
    assert!(world.ask("a").is_empty());
    // This thread, on which all else of the test runs, is free.
    drop(turns);
    world.until("it is stored", |world| world.ask("a").len() == 1).await;
    world.scraper.stop().await;
}

#[tokio::test]
async fn a_server_is_asked_for_the_host_of_its_health_checks() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let address = Address::Tcp(peer.listen().await);
    let plain = sample::service("web", Source::Servers(Vec::new()), EVERY);
    let health = HealthCheck {
        kind: HealthCheckKind::Http {
            path: "/".to_owned(),
            headers: vec![("Host".to_owned(), "shop.example".to_owned())],
            statuses: vec![(200, 399)],
            body: None,
        },
        every: EVERY,
        timeout: EVERY,
        rise: 1,
        fall: 3,
        jitter: 0.0,
    };
    let service = Service { metrics: InstanceMetrics::Tried, health: Some(health), ..plain };
    let world = World::start(&observe(Vec::new()), &[("web".to_owned(), Arc::new(service))].into());
    world.instances.send_replace(Arc::from([instance("web", "web-1", address)]));
    peer.asked(1).await;
    let head = peer.heads().remove(0).to_lowercase();
    assert!(head.contains("\r\nhost: shop.example\r\n"), "{head}");
    world.scraper.stop().await;
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_also_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let mut jobs = Vec::new();
    for (name, year) in [("good", 2099), ("over", 2020)] {
        let file = folder.path().join(name);
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let port = peer.listen_tls_with(parameters, &file).await.port();
        let mut job = job(name, &[format!("https://localhost:{port}/metrics")]);
        job.targets[0].ca = Some(file);
        jobs.push(job);
    }
    let mut world = World::start(&observe(jobs), &services(&[]));
    world.until("both were scraped", |world| world.ask("up{job=~'good|over'}").len() == 2).await;
    let ends = |world: &World, job: &str| {
        world.ask(&format!("sum(probe_ssl_earliest_cert_expiry{{job='{job}'}})"))
    };
    assert_eq!(ends(&world, "good"), ["{} 4070908800"]);
    assert_eq!(ends(&world, "over"), ["{} 1577836800"]);
    assert_eq!(
        world.ask("sum by (job) (up{job=~'good|over'})").join(" "),
        "{job=\"good\"} 1 {job=\"over\"} 0"
    );
    assert_eq!(world.target("good").last_samples, 1);
    let words = world.target("over").last_error.unwrap();
    assert!(words.contains("expired on 2020-01-01"), "{words}");
}
