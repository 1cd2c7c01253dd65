//! The edge as its operator sees it: log, reload, drain, counters.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::harness::{Harness, Script, config};
use super::{OK, answers};
use crate::config::model::observe::{LatencyObjective, Objective};
use crate::config::model::{AccessLog, AccessLogFormat, LogTarget, Route};
use crate::edge::Edge;

#[test]
fn the_access_log_has_every_request_but_those_of_quiet_routes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let harness = Harness::start(&[answers(&[OK; 4])], |config| {
        let to = LogTarget::File(path.clone());
        config.access_log = Some(AccessLog { to, format: AccessLogFormat::Combined });
        let quiet = config.routes[0].clone();
        config.routes.push(Route { path: "/quiet".to_owned(), access_log: false, ..quiet });
    });
    let mut client = harness.connect();
    client.get("/loud");
    client.get("/quiet");
    harness.connect().send("nonsense\r\n\r\n").read();
    harness.drain(Duration::from_secs(5));
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(log.contains("\"GET /loud HTTP/1.1\" 200 2 \"-\" \"-\" web s1 0."), "{log}");
    assert!(log.contains("\"-\" 400 "), "{log}");
}

#[test]
fn a_reload_changes_routes_and_listeners_under_open_connections() {
    let harness = Harness::start(&[answers(&[OK, OK, OK, OK])], |_| {});
    let mut client = harness.connect();
    assert_eq!(client.get("/").status, 200);
    let before = addresses(&harness.edge);
    let mut changed = (*harness.config).clone();
    changed.routes[0].path = "/new".to_owned();
    changed.routes[0].strip_prefix = true;
    let mut second = changed.listen[0].clone();
    second.name = "second".to_owned();
    changed.listen.push(second);
    harness.edge.apply(Arc::new(changed.clone())).unwrap();
    assert_eq!(client.get("/").status, 404, "the open connection sees the new routes");
    assert_eq!(client.get("/new/x?y").status, 200);
    assert!(harness.request(0).contains("GET /x?y HTTP/1.1"));
    let after = addresses(&harness.edge);
    assert_eq!((after.len(), after[0]), (2, before[0]));
    let mut other = harness.connect_to(after[1]);
    assert_eq!(other.get("/new").status, 200);
    changed.listen.remove(0);
    harness.edge.apply(Arc::new(changed)).unwrap();
    assert_eq!(client.get("/new").status, 200, "connections outlive their listener");
    assert_eq!(addresses(&harness.edge), after[1..]);
}

#[test]
fn a_drain_finishes_what_is_begun_and_reports_what_it_cuts() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (arrived, seen) = std::sync::mpsc::channel::<()>();
    let script: Script = Arc::new(move |connection, number| {
        let head = connection.read_head();
        let _ = arrived.send(());
        if head.contains("Upgrade") {
            connection.send("HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
        } else if number == 0 {
            let _ = held.lock().unwrap().recv();
            connection.send(OK);
        }
        connection.read_to_end();
    });
    let harness = Harness::start(&[script], |config| config.workers = 1);
    let mut idle = harness.connect();
    let mut finishing = harness.connect();
    finishing.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.recv().unwrap();
    let mut stuck = harness.connect();
    stuck.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.recv().unwrap();
    let mut tunnel = harness.connect();
    tunnel.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(tunnel.read().status, 101);
    let draining = std::thread::scope(|scope| {
        let drain = scope.spawn(|| harness.drain(Duration::from_millis(300)));
        assert_eq!(idle.stream.read(&mut [0; 8]).unwrap(), 0, "idle connections are closed");
        release.send(()).unwrap();
        let response = finishing.read();
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        drain.join().unwrap()
    });
    assert_eq!((draining.requests, draining.tunnels), (1, 1));
    assert!(TcpStream::connect(harness.address()).is_err(), "nobody listens any more");
}

#[test]
fn a_port_in_use_is_refused_even_among_ourselves() {
    let harness = Harness::start(&[], |_| {});
    let mut config = config(&[]);
    config.listen[0].bind = harness.address();
    config.listen[0].name = ":9999".to_owned();
    let error = Edge::bind(&config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on :9999: the port is in use by another program; \
         stop that one (`ss -ltnp` shows it) or choose another port"
    );
}

#[test]
fn counters_add_up() {
    let harness = Harness::start(&[answers(&[OK, OK])], |_| {});
    let mut client = harness.connect();
    client.get("/");
    client.get("/");
    harness.connect().send("nonsense\r\n\r\n").read();
    let report = harness.drain(Duration::from_secs(5));
    assert_eq!((report.requests, report.tunnels), (0, 0));
    let mut out = tsdb::exposition::Exposition::new();
    harness.edge.expose(&|_, _| false, &mut out);
    let text = out.finish();
    for line in [
        "plimsoll_service_requests_total{service=\"web\",code=\"200\",method=\"GET\",protocol=\"http/1.1\"} 2",
        "plimsoll_server_requests_total{service=\"web\",server=\"s1\",code=\"200\",method=\"GET\",protocol=\"http/1.1\"} 2",
        "plimsoll_server_responses_bytes_total{service=\"web\",server=\"s1\"} 4",
        "plimsoll_rejected_requests_total{reason=\"malformed\"} 1",
        "plimsoll_service_request_duration_seconds_count{service=\"web\"} 2",
        "plimsoll_service_errors_total{service=\"web\"} 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let snapshot = harness.edge.snapshot();
    assert_eq!(snapshot.requests_total, 3);
    assert_eq!(snapshot.services["web"].servers["s1"].requests_total, 2);
    assert_eq!(snapshot.services["web"].in_flight, 0);
    // A server that is down keeps its counters for as long as its owner keeps its name.
    harness.edge.roster.set_servers("web", Vec::new());
    for (keeps, count) in [(true, Some(2)), (false, None)] {
        let mut out = tsdb::exposition::Exposition::new();
        harness
            .edge
            .expose(&|service, server| keeps && (service, server) == ("web", "s1"), &mut out);
        let line = "plimsoll_server_requests_total{service=\"web\",server=\"s1\"";
        assert_eq!(out.finish().contains(line), keeps);
        let snapshot = harness.edge.snapshot();
        let server = snapshot.services["web"].servers.get("s1");
        assert_eq!(server.map(|server| server.requests_total), count);
    }
}

#[test]
fn a_promised_latency_comes_and_goes_with_reloads_and_no_count_is_lost() {
    let hour = Duration::from_secs(3600);
    let latency = Some(LatencyObjective { quantile: 0.99, below: hour });
    let slo = Objective { success: None, latency, window: hour };
    let harness = Harness::start(&[answers(&[OK; 4])], |_| {});
    let mut client = harness.connect();
    client.get("/");
    let mut changed = (*harness.config).clone();
    Arc::make_mut(changed.services.get_mut("web").unwrap()).slo = Some(slo);
    harness.edge.apply(Arc::new(changed)).unwrap();
    client.get("/");
    client.get("/");
    harness.drain(Duration::from_secs(5));
    let buckets = || {
        let mut out = tsdb::exposition::Exposition::new();
        harness.edge.expose(&|_, _| false, &mut out);
        let name = "plimsoll_service_request_duration_seconds_bucket{service=\"web\",";
        let text = out.finish();
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.skip_while(|line| !line.starts_with("le=\"10\"")).map(str::to_owned).collect()
    };
    let found: Vec<String> = buckets();
    assert_eq!(found[1..], ["le=\"3600\"} 3", "le=\"+Inf\"} 3"]);
    harness.edge.apply(Arc::clone(&harness.config)).unwrap();
    let found: Vec<String> = buckets();
    assert_eq!(found[1..], ["le=\"+Inf\"} 3"]);
}

fn addresses(edge: &Edge) -> Vec<SocketAddr> {
    edge.listeners().into_iter().map(|(_, address)| address).collect()
}
