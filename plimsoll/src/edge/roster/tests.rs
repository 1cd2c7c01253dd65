//! The roster against real servers on loopback, and against a paused clock without them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::config::model::*;
use crate::config::sample;
use crate::edge::balance::{NoServer, PickInput};
use crate::edge::server::{InFlight, Server, ServerState};

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(name: &str, at: Address) -> StaticServer {
    StaticServer { name: name.to_owned(), at, weight: 1, max_conns: None, backup: false }
}

/// A server that nobody connects to in the test.
fn somewhere(name: &str) -> StaticServer {
    server(name, Address::Unix(format!("/nowhere/{name}").into()))
}

fn checks(every: Duration) -> HealthCheck {
    HealthCheck {
        kind: HealthCheckKind::Http {
            path: "/health/".to_owned(),
            headers: Vec::new(),
            statuses: vec![(200, 399)],
            body: None,
        },
        every,
        timeout: PATIENCE,
        rise: 1,
        fall: 1,
        jitter: 0.0,
    }
}

/// A service called `web`.
fn web(servers: Vec<StaticServer>, health: Option<HealthCheck>) -> Service {
    let passive = PassiveHealth {
        max_fails: 3,
        fail_window: Duration::from_secs(10),
        eject_for: Duration::from_secs(10),
        eject_max: Duration::from_secs(300),
    };
    let sample = sample::service("web", Source::Servers(servers), PATIENCE);
    Service { health, passive, ..sample }
}

fn config(services: Vec<Service>) -> Config {
    sample::config(services, PATIENCE)
}

fn roster(service: Service) -> Arc<Roster> {
    Arc::new(Roster::new(&config(vec![service])))
}

fn pick(roster: &Roster) -> Result<InFlight, NoServer> {
    roster.service("web").unwrap().pick(PickInput {
        client: [127, 0, 0, 1].into(),
        hash: None,
        tried: &[],
        random: fastrand::u64(..),
        now: now(),
    })
}

fn named(roster: &Roster, name: &str) -> Arc<Server> {
    let servers = roster.service("web").unwrap().servers();
    servers.into_iter().find(|server| *server.name == *name).unwrap()
}

fn view(roster: &Roster, name: &str) -> ServerView {
    let views = roster.views();
    views[0].servers.iter().find(|server| server.name == name).unwrap().clone()
}

fn fail(roster: &Roster, name: &str, times: usize) {
    let failure = Outcome::Failure { kind: FailureKind::Connect, latency: Duration::ZERO };
    for _ in 0..times {
        roster.service("web").unwrap().report(&named(roster, name), failure, now());
    }
}

/// Waits until server `name` is in `state`.
async fn until(roster: &Roster, name: &str, state: ServerState) {
    let mut changes = roster.subscribe();
    let wait = async {
        while named(roster, name).state() != state {
            changes.changed().await.unwrap();
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("{name} is not {state}, but {:?}", view(roster, name));
    }
}

/// Gives each check the next of `statuses`, and the last one for ever.
async fn serve(listener: TcpListener, statuses: &[u16], asked: Arc<AtomicUsize>) {
    let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
        let status = statuses[0];
        if statuses.len() > 1 {
            statuses.pop_front();
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(reply.as_bytes()).await.unwrap();
    }
}

struct Upstream {
    at: Address,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// A server that answers checks with `statuses` in turn.
async fn upstream(statuses: &'static [u16]) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Address::Tcp(listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let task = tokio::spawn(async move { serve(listener, statuses, counter).await });
    Upstream { at, asked, task }
}

const FOR_EVER: Duration = Duration::from_secs(24 * 3600);
const SOON: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_new_server_waits_for_its_first_success_but_not_for_an_interval() {
    let upstream = upstream(&[503, 503, 200]).await;
    // The interval is a day: only the quick checks of a new server can see the third answer.
    let roster = roster(web(vec![server("a", upstream.at.clone())], Some(checks(FOR_EVER))));
    let refusal = pick(&roster).unwrap_err();
    assert_eq!(refusal.to_string(), "no server is healthy: 1 starting");
    let running = tokio::spawn(Arc::clone(&roster).run());
    until(&roster, "a", ServerState::Healthy).await;
    assert_eq!(&*pick(&roster).unwrap().server().name, "a");
    let view = view(&roster, "a");
    assert_eq!(view.reason, "GET /health/ answered 200");
    assert_eq!((view.checks_passed, view.checks_failed), (1, 2));
    let check = view.last_check.unwrap();
    assert_eq!(check.result.as_deref(), Ok("GET /health/ answered 200"));
    running.abort();
}

#[tokio::test]
async fn a_server_that_dies_is_out_and_one_that_returns_is_in() {
    let upstream = upstream(&[200]).await;
    let other = Address::Tcp("127.0.0.1:1".parse().unwrap());
    let servers = vec![server("a", upstream.at.clone()), server("b", other)];
    let roster = roster(web(servers, Some(checks(SOON))));
    let running = tokio::spawn(Arc::clone(&roster).run());
    until(&roster, "a", ServerState::Healthy).await;
    until(&roster, "b", ServerState::Unhealthy).await;
    upstream.task.abort();
    assert!(upstream.task.await.unwrap_err().is_cancelled());
    until(&roster, "a", ServerState::Unhealthy).await;
    let Address::Tcp(address) = upstream.at else { unreachable!() };
    assert!(view(&roster, "a").last_check.unwrap().result.is_err());
    let refusal = pick(&roster).unwrap_err().to_string();
    assert_eq!(refusal, "no server is healthy: 0 of 2 healthy, 2 unhealthy");

    let listener = TcpListener::bind(address).await.unwrap();
    let again = tokio::spawn(async move { serve(listener, &[200], Arc::default()).await });
    until(&roster, "a", ServerState::Healthy).await;
    assert_eq!(&*pick(&roster).unwrap().server().name, "a");
    again.abort();
    running.abort();
}

#[tokio::test]
async fn servers_that_leave_are_no_longer_checked() {
    let (old, new) = (upstream(&[200]).await, upstream(&[200]).await);
    let spec = |name: &str, upstream: &Upstream| spec(&server(name, upstream.at.clone()));
    let roster = roster(web(Vec::new(), Some(checks(SOON))));
    let running = tokio::spawn(Arc::clone(&roster).run());
    roster.set_servers("web", vec![spec("old", &old)]);
    until(&roster, "old", ServerState::Healthy).await;
    let gone = named(&roster, "old");
    roster.set_servers("web", vec![spec("new", &new)]);
    assert_eq!(gone.state(), ServerState::Stopped);
    until(&roster, "new", ServerState::Healthy).await;
    // The task of `old` was ended in the same round that started that of `new`. Its last check
    // may still be on its way.
    let seen = old.asked.load(Ordering::SeqCst);
    let until_asked = new.asked.load(Ordering::SeqCst) + 10;
    while new.asked.load(Ordering::SeqCst) < until_asked {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(old.asked.load(Ordering::SeqCst) <= seen + 1);
    assert_eq!(Arc::strong_count(&gone), 1, "nothing else holds the server");
    // And the end of the loop is the end of its checks.
    let last = named(&roster, "new");
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&last), 3, "held here, by the pool and its snapshot");
}

#[tokio::test]
async fn a_reload_keeps_health_counters_and_drains() {
    let upstream = upstream(&[200, 500]).await;
    let at = upstream.at.clone();
    let servers = vec![server("a", at.clone()), somewhere("b"), somewhere("c")];
    let roster = roster(web(servers, Some(checks(FOR_EVER))));
    let running = tokio::spawn(Arc::clone(&roster).run());
    until(&roster, "a", ServerState::Healthy).await;
    roster.set_draining("web", "c", true).unwrap();
    let in_flight = pick(&roster).unwrap();
    let (a, b, c) = (named(&roster, "a"), named(&roster, "b"), named(&roster, "c"));

    let mut heavier = server("a", at);
    heavier.weight = 7;
    heavier.max_conns = Some(1);
    let elsewhere = server("b", Address::Unix("/elsewhere".into()));
    let mut service = web(vec![somewhere("c"), heavier, elsewhere], Some(checks(SOON)));
    service.balance = Balance::LeastConn;
    roster.apply(&config(vec![service]));
    assert!(Arc::ptr_eq(&named(&roster, "a"), &a), "same name and address");
    assert_eq!((a.state(), view(&roster, "a").checks_passed), (ServerState::Healthy, 1));
    assert_eq!(view(&roster, "a").weight, 7);
    assert_eq!(pick(&roster).unwrap_err(), NoServer::AllFull, "the request is still counted");
    assert_eq!(b.state(), ServerState::Stopped, "another address is another server");
    assert_ne!(named(&roster, "b").state(), ServerState::Stopped);
    assert!(Arc::ptr_eq(&named(&roster, "c"), &c));
    assert_eq!(c.state(), ServerState::Draining);
    assert_eq!(view(&roster, "c").reason, "taken out of traffic by an operator");
    drop(in_flight);
    // The interval was a day; the new one is in force at once.
    until(&roster, "a", ServerState::Unhealthy).await;

    roster.apply(&config(Vec::new()));
    assert!(roster.service("web").is_none());
    assert_eq!(a.state(), ServerState::Stopped);
    running.abort();
}

#[tokio::test]
async fn a_service_added_by_a_reload_is_checked() {
    let upstream = upstream(&[200]).await;
    let roster = Arc::new(Roster::new(&config(Vec::new())));
    let running = tokio::spawn(Arc::clone(&roster).run());
    tokio::task::yield_now().await;
    let service = web(vec![server("a", upstream.at)], Some(checks(FOR_EVER)));
    roster.apply(&config(vec![service]));
    until(&roster, "a", ServerState::Healthy).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn failing_traffic_ejects_for_a_time() {
    let roster = roster(web(vec![somewhere("a"), somewhere("b")], None));
    let running = tokio::spawn(Arc::clone(&roster).run());
    let before = tokio::time::Instant::now();
    fail(&roster, "a", 3);
    assert_eq!(named(&roster, "a").state(), ServerState::Ejected);
    for _ in 0..4 {
        assert_eq!(&*pick(&roster).unwrap().server().name, "b");
    }
    until(&roster, "a", ServerState::Healthy).await;
    assert_eq!(before.elapsed().as_secs(), 10);
    fail(&roster, "a", 3);
    until(&roster, "a", ServerState::Healthy).await;
    assert_eq!(before.elapsed().as_secs(), 30, "twice as long the second time");

    assert!(named(&roster, "a").probation.load(Ordering::Relaxed));
    let success = Outcome::Success { latency: Duration::ZERO };
    for _ in 0..10 {
        roster.service("web").unwrap().report(&named(&roster, "a"), success, now());
    }
    assert!(!named(&roster, "a").probation.load(Ordering::Relaxed));
    fail(&roster, "a", 3);
    until(&roster, "a", ServerState::Healthy).await;
    assert_eq!(before.elapsed().as_secs(), 40, "as long as the first");
    assert_eq!(view(&roster, "a").ejections, 3);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_host_without_an_address_is_unhealthy() {
    // A label of 64 letters cannot exist (RFC 1035 section 2.3.4), so nobody is asked.
    let host = "x".repeat(64);
    let roster = roster(web(vec![server("a", Address::Host(host.clone(), 80))], None));
    assert_eq!(named(&roster, "a").state(), ServerState::Starting);
    let running = tokio::spawn(Arc::clone(&roster).run());
    until(&roster, "a", ServerState::Unhealthy).await;
    let reason = view(&roster, "a").reason;
    assert!(reason.starts_with(&format!("cannot resolve {host}")), "{reason}");
    running.abort();
}

#[tokio::test]
async fn a_host_is_resolved_before_it_is_checked() {
    let upstream = upstream(&[200]).await;
    let Address::Tcp(address) = upstream.at else { unreachable!() };
    let host = Address::Host("127.0.0.1".to_owned(), address.port());
    let roster = roster(web(vec![server("a", host)], Some(checks(FOR_EVER))));
    assert!(named(&roster, "a").endpoint().is_none());
    let running = tokio::spawn(Arc::clone(&roster).run());
    until(&roster, "a", ServerState::Healthy).await;
    let server = named(&roster, "a");
    assert_eq!(server.endpoint(), Some(crate::edge::server::Endpoint::Tcp(address)));
    running.abort();
}

#[test]
fn max_conns_holds_over_threads() {
    let servers = ["a", "b"].map(|name| StaticServer { max_conns: Some(3), ..somewhere(name) });
    let roster = roster(web(servers.to_vec(), None));
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut held = VecDeque::new();
                for round in 0..2000 {
                    match pick(&roster) {
                        Ok(in_flight) => {
                            let count = in_flight.server().in_flight.load(Ordering::SeqCst);
                            most.fetch_max(count as usize, Ordering::SeqCst);
                            held.push_back(in_flight);
                        }
                        Err(refusal) => assert_eq!(refusal, NoServer::AllFull),
                    }
                    if round % 3 == 0 {
                        held.pop_front();
                    }
                }
            });
        }
    });
    assert_eq!(most.into_inner(), 3);
    assert_eq!(named(&roster, "a").in_flight.load(Ordering::SeqCst), 0);
}

#[test]
fn an_operator_is_told_what_there_is() {
    let roster = roster(web(vec![somewhere("web-1"), somewhere("web-2")], None));
    let error = |service, server| roster.set_draining(service, server, true).unwrap_err();
    assert_eq!(error("wbe", "web-1").to_string(), "there is no service \"wbe\"; services are: web");
    assert_eq!(
        error("web", "web-9").to_string(),
        "service \"web\" has no server \"web-9\"; its servers are: web-1, web-2"
    );
    roster.set_draining("web", "web-1", true).unwrap();
    assert_eq!(&*pick(&roster).unwrap().server().name, "web-2");
    roster.set_draining("web", "web-1", false).unwrap();
    assert_eq!(named(&roster, "web-1").state(), ServerState::Healthy);
}

#[test]
fn latency_is_kept_only_where_it_is_weighed() {
    let report = |balance: Balance| {
        let mut service = web(vec![somewhere("a")], None);
        service.balance = balance;
        let roster = roster(service);
        let latency = Duration::from_millis(7);
        let pool = roster.service("web").unwrap();
        pool.report(&named(&roster, "a"), Outcome::Success { latency }, now());
        let nanos = (now() - roster.epoch).as_nanos() as u64;
        named(&roster, "a").latency.nanos(nanos)
    };
    assert_eq!(report(Balance::RoundRobin), None);
    assert!(report(Balance::PeakEwma).is_some_and(|nanos| nanos > 1e6));
}

#[test]
fn metrics_tell_states() {
    let mut backup = somewhere("b");
    backup.backup = true;
    backup.max_conns = Some(80);
    let roster = roster(web(vec![somewhere("a"), backup], None));
    roster.set_draining("web", "a", true).unwrap();
    drop(pick(&roster).unwrap());
    roster.set_draining("web", "a", false).unwrap();
    roster.set_draining("web", "b", true).unwrap();
    let in_flight = pick(&roster).unwrap();
    let mut exposition = tsdb::exposition::Exposition::new();
    roster.expose(&mut exposition);
    let text = exposition.finish();
    for line in [
        r#"plimsoll_server_up{service="web",server="a"} 1"#,
        r#"plimsoll_server_up{service="web",server="b"} 0"#,
        r#"plimsoll_server_state{service="web",server="b",state="draining"} 1"#,
        r#"plimsoll_server_state{service="web",server="b",state="healthy"} 0"#,
        r#"plimsoll_server_weight{service="web",server="a"} 1"#,
        r#"plimsoll_server_in_flight{service="web",server="a"} 1"#,
        r#"plimsoll_server_health_checks_total{service="web",server="a",result="failure"} 0"#,
        r#"plimsoll_server_ejections_total{service="web",server="a"} 0"#,
        r#"plimsoll_service_servers{service="web",state="healthy"} 1"#,
        r#"plimsoll_service_servers{service="web",state="draining"} 1"#,
        r#"plimsoll_service_up{service="web"} 1"#,
        r#"plimsoll_service_min_healthy_ratio{service="web"} 0"#,
        r#"plimsoll_service_below_min_healthy{service="web"} 0"#,
        r#"plimsoll_server_max_conns{service="web",server="b"} 80"#,
        r#"plimsoll_service_needs_total{service="web",to="backup"} 1"#,
        r#"plimsoll_service_needs_total{service="web",to="overflow"} 0"#,
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains(r#"max_conns{service="web",server="a"}"#), "it has no bound: {text}");
    drop(in_flight);
}

#[tokio::test(start_paused = true)]
async fn a_health_check_that_panics_is_started_again() {
    let roster = roster(web(vec![somewhere("a"), somewhere("b")], None));
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let watch = move |_, server: Arc<Server>, _| {
        let started = started.clone();
        async move {
            started.send(server.name.to_string()).unwrap();
            assert_ne!(*server.name, *"a", "as the test wants it");
            std::future::pending::<()>().await;
        }
    };
    let running = tokio::spawn(Arc::clone(&roster).run_with(watch));
    let begun = tokio::time::Instant::now();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(starts.recv().await.unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["a", "a", "a", "a", "b"], "the other one is left alone");
    // By the paused clock: not at once, but soon.
    assert_eq!(begun.elapsed().as_secs(), 3);
    running.abort();
}

/// How many of 300 requests go to this server.
fn share(roster: &Roster, name: &str) -> usize {
    let picked = (0..300).map(|_| pick(roster).unwrap().server().name.to_string());
    picked.filter(|picked| picked == name).count()
}

#[tokio::test(start_paused = true)]
async fn new_and_recovering_servers_start_slowly() {
    let service = |names: &[&str]| {
        let servers = names.iter().map(|name| somewhere(name)).collect();
        Service { slow_start: Duration::from_secs(100), ..web(servers, None) }
    };
    let roster = roster(service(&["a", "b"]));
    let running = tokio::spawn(Arc::clone(&roster).run());
    assert_eq!(share(&roster, "a"), 150, "where all are new, nobody is spared");
    tokio::time::advance(Duration::from_secs(100)).await;
    roster.apply(&config(vec![service(&["a", "b", "new"])]));
    assert!(share(&roster, "new") < 30, "new");
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(share(&roster, "new"), 100);
    fail(&roster, "a", 3);
    assert_eq!(share(&roster, "a"), 0);
    until(&roster, "a", ServerState::Healthy).await;
    let recovering = share(&roster, "a");
    assert!((1..30).contains(&recovering), "{recovering} after its ejection");
    tokio::time::advance(Duration::from_secs(50)).await;
    let halfway = share(&roster, "a");
    assert!((30..90).contains(&halfway), "{halfway} at half of its time");
    tokio::time::advance(Duration::from_secs(50)).await;
    assert_eq!(share(&roster, "a"), 100);
    running.abort();
}
