//! Pushing to receivers on the loopback: scripted ones, and the real ones where they are installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tsdb::labels::NAME;
use tsdb::remote_write::{Limits, Request};

use super::pusher::{Pushed, Pusher};
use super::receiver::{Access, Protocol, Receiver, ReceiverError};
use crate::load::client::peers::{Authority, serve_tls};
use crate::load::progress::Progress;
use crate::load::tally::Failure;
use crate::load::timeline::Bucket;
use crate::net;
use crate::testing::program::Program;
use crate::testing::prometheus::Prometheus;

/// Long enough for anything on the loopback.
const PATIENCE: Duration = Duration::from_secs(20);

fn progress(second: u64) -> Progress {
    let mut bucket = Bucket {
        requests: 200,
        in_flight: 12,
        users: 15,
        bytes_received: 5000,
        ..Bucket::default()
    };
    bucket.response_time.record(Duration::from_micros(2500));
    bucket.instances.insert("web-1".to_owned(), 200);
    Progress {
        elapsed: Duration::from_secs(second),
        planned: Some(Duration::from_secs(60)),
        response_time: bucket.response_time.clone(),
        second: bucket,
        total_requests: 200 * second,
        total_errors: 3,
        failures: [(Failure::Timeout, 3)].into(),
        target_rate: Some(200.0),
        lag: Duration::from_micros(250),
        stopping: false,
    }
}

fn labels() -> Vec<(String, String)> {
    vec![("job".to_owned(), "shop".to_owned()), ("name".to_owned(), "a/b c".to_owned())]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A request as it came.
struct Asked {
    head: String,
    body: Vec<u8>,
}

/// Answers each connection's request with the next status; returns its URL and the requests.
fn scripted(statuses: &[u16]) -> (String, mpsc::Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    let statuses = statuses.to_vec();
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            tell.send(Asked { head, body }).unwrap();
            let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: 4\r\n\r\nwhy?");
            stream.get_mut().write_all(reply.as_bytes()).unwrap();
        }
    });
    (url, asked)
}

fn pusher(protocol: Protocol, url: &str) -> (Pusher, mpsc::Receiver<String>) {
    let receiver = Receiver::new(protocol, url, &labels(), &Access::default()).unwrap();
    let (tell, said) = mpsc::channel();
    let say = move |text: &str| drop(tell.send(text.to_owned()));
    (Pusher::start_with(receiver, PATIENCE, say).unwrap(), said)
}

#[test]
fn a_pushgateway_is_put_the_text() {
    let (url, asked) = scripted(&[200, 202]);
    let (mut pusher, said) = pusher(Protocol::Pushgateway, &url);
    pusher.offer(&progress(1), at(1));
    let first = asked.recv_timeout(PATIENCE).unwrap();
    assert!(
        first.head.starts_with("PUT /metrics/job/shop/name@base64/YS9iIGM= HTTP/1.1\r\n"),
        "{}",
        first.head
    );
    assert!(first.head.contains("content-type: text/plain; version=0.0.4"), "{}", first.head);
    pusher.offer(&progress(2), at(2));
    let pushed = pusher.finish();
    let text = String::from_utf8(asked.recv_timeout(PATIENCE).unwrap().body).unwrap();
    for line in [
        "# TYPE plimsoll_bench_requests_total counter",
        "plimsoll_bench_requests_total 400",
        "plimsoll_bench_errors_total{kind=\"timeout\"} 3",
        "plimsoll_bench_errors_total{kind=\"connect\"} 0",
        "plimsoll_bench_in_flight 12",
        "plimsoll_bench_users 15",
        "plimsoll_bench_target_rate 200",
        "plimsoll_bench_lag_seconds 0.00025",
        "plimsoll_bench_received_bytes_total 10000",
        "plimsoll_bench_answers_total{served_by=\"web-1\"} 400",
        "plimsoll_bench_planned_seconds 60",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("plimsoll_bench_response_seconds{quantile=\"0.99\"} 0.0025"), "{text}");
    assert_eq!(pushed, Pushed { url, taken: 2, ..Pushed::default() });
    assert_eq!((pushed.remark(), said.try_iter().count()), (None, 0));
}

fn written(asked: &Asked) -> Request {
    let written = Request::decode(&asked.body, &Limits::default()).unwrap();
    for series in written.series() {
        let names: Vec<&str> = series.labels().map(|(name, _)| name).collect();
        assert!(names.is_sorted(), "receivers refuse {names:?}");
        assert!(series.samples.is_sorted_by(|one, next| one.0 < next.0));
    }
    written
}

/// The times (from the first possible on) and values of a series.
fn series(request: &Request, name: &str) -> Vec<(i64, f64)> {
    let found = request.series().find(|series| series.labels().any(|label| label == (NAME, name)));
    let found = found.unwrap();
    let labels: Vec<_> = found.labels().collect();
    assert!(labels.is_sorted(), "{labels:?}");
    assert!(labels.contains(&("job", "shop")), "{labels:?}");
    found.samples.iter().map(|(time, value)| (time - 1_800_000_000_000, *value)).collect()
}

#[test]
fn remote_writes_are_repeated_until_taken_and_end_in_stale_markers() {
    let (url, asked) = scripted(&[500, 204]);
    let (mut pusher, said) = pusher(Protocol::RemoteWrite, &url);
    pusher.offer(&progress(1), at(1));
    let refused = asked.recv_timeout(PATIENCE).unwrap();
    assert!(refused.head.starts_with("POST /api/v1/write HTTP/1.1\r\n"), "{}", refused.head);
    for header in [
        "content-type: application/x-protobuf\r\n",
        "content-encoding: snappy\r\n",
        "x-prometheus-remote-write-version: 0.1.0\r\n",
        "user-agent: plimsoll/",
    ] {
        assert!(refused.head.contains(header), "{header} is not in {}", refused.head);
    }
    let first = said.recv_timeout(PATIENCE).unwrap();
    assert!(
        first.starts_with(&format!("cannot push figures to {url}: it answered 500")),
        "{first}"
    );
    assert!(first.ends_with(": why?; the run goes on"), "{first}");
    pusher.offer(&progress(2), at(2));
    let pushed = pusher.finish();
    let all = written(&asked.recv_timeout(PATIENCE).unwrap());
    let requests = series(&all, "plimsoll_bench_requests_total");
    assert_eq!(requests[..2], [(1000, 200.0), (2000, 400.0)]);
    assert_eq!((requests.len(), requests[2].0), (3, 2001));
    assert_eq!(requests[2].1.to_bits(), 0x7ff0_0000_0000_0002);
    assert_eq!((pushed.taken, pushed.lost, pushed.failures), (2, 0, 1));
    assert!(pushed.remark().unwrap().contains("failed once, because"), "{pushed:?}");
    assert!(said.recv().unwrap().ends_with("again"));
}

#[test]
fn what_is_refused_for_good_is_not_repeated() {
    let (url, asked) = scripted(&[400, 204]);
    let (mut pusher, said) = pusher(Protocol::RemoteWrite, &url);
    pusher.offer(&progress(1), at(1));
    said.recv_timeout(PATIENCE).unwrap();
    pusher.offer(&progress(2), at(2));
    let pushed = pusher.finish();
    let last = asked.iter().nth(1).unwrap();
    assert_eq!(series(&written(&last), "plimsoll_bench_requests_total")[0], (2000, 400.0));
    assert_eq!((pushed.taken, pushed.lost, pushed.failures), (1, 1, 1));
}

#[test]
fn a_receiver_that_is_away_or_never_answers_disturbs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Its backlog takes connections; nobody ever reads from them.
    let receiver = Receiver::new(Protocol::RemoteWrite, &url, &[], &Access::default()).unwrap();
    let mut pusher = Pusher::start_with(receiver, Duration::from_millis(50), |_| ()).unwrap();
    for second in 1..=400 {
        pusher.offer(&progress(second), at(second as i64));
    }
    let pushed = pusher.finish();
    assert_eq!((pushed.taken, pushed.lost), (0, 400), "{pushed:?}");
    // It rests between attempts for longer than all of this takes.
    assert!(pushed.failures <= 3, "{pushed:?}");
    assert_eq!(pushed.reason.as_deref(), Some("no answer within 50 ms"), "{pushed:?}");

    drop(listener);
    let receiver = Receiver::new(Protocol::Pushgateway, &url, &[], &Access::default()).unwrap();
    let mut pusher = Pusher::start_with(receiver, PATIENCE, |_| ()).unwrap();
    pusher.offer(&progress(1), at(1));
    let pushed = pusher.finish();
    assert_eq!((pushed.taken, pushed.lost), (0, 1));
    assert_eq!(pushed.reason.as_deref(), Some("connection refused"));
}

#[test]
fn receivers_and_labels_are_checked() {
    let read = |protocol, url: &str| Receiver::new(protocol, url, &[], &Access::default());
    let gateway = read(Protocol::Pushgateway, "http://[::1]:9091/prefix/").unwrap();
    assert_eq!(gateway.target, "/prefix/metrics/job/plimsoll_bench");
    assert_eq!((gateway.authority().as_str(), gateway.host.as_str()), ("[::1]:9091", "::1"));
    let writer = read(Protocol::RemoteWrite, "http://prom/push?tenant=a").unwrap();
    assert_eq!((writer.target.as_str(), writer.port), ("/push?tenant=a", 80));
    for url in ["", "127.0.0.1:9091", "ftp://a/", "http://", "/metrics"] {
        let refused = read(Protocol::Pushgateway, url).unwrap_err();
        assert!(matches!(refused, ReceiverError::Url(named) if named == url), "{url}");
    }
    let https = read(Protocol::RemoteWrite, "https://prom/").unwrap();
    assert_eq!((https.port, https.target.as_str()), (443, "/api/v1/write"));
    assert!(https.tls.is_some() && writer.tls.is_none());
    for (name, value) in
        [("__x", "a"), ("1a", "a"), ("a-b", "a"), ("kind", "a"), ("", "a"), ("a", "")]
    {
        let labels = [(name.to_owned(), value.to_owned())];
        assert!(
            Receiver::new(Protocol::Pushgateway, "http://a", &labels, &Access::default()).is_err(),
            "{name}"
        );
    }
}

#[test]
fn series_end_though_the_last_figures_were_taken_before() {
    let (url, asked) = scripted(&[204, 204]);
    let (mut pusher, _) = pusher(Protocol::RemoteWrite, &url);
    pusher.offer(&progress(1), at(1));
    let first = written(&asked.recv_timeout(PATIENCE).unwrap());
    assert_eq!(series(&first, "plimsoll_bench_requests_total"), [(1000, 200.0)]);
    let pushed = pusher.finish();
    assert_eq!((pushed.taken, pushed.lost, pushed.failures), (1, 0, 0));
    let last = written(&asked.recv_timeout(PATIENCE).unwrap());
    assert_eq!(last.series().len(), first.series().len());
    let ends = series(&last, "plimsoll_bench_requests_total");
    assert_eq!((ends.len(), ends[0].0, ends[0].1.to_bits()), (1, 1001, 0x7ff0_0000_0000_0002));
}

#[test]
fn the_end_repeats_a_second_that_counts_once() {
    let (url, asked) = scripted(&[204, 204, 204]);
    let (mut pusher, _) = pusher(Protocol::RemoteWrite, &url);
    for (second, time) in [(1, 1), (2, 2), (2, 3)] {
        pusher.offer(&progress(second), at(time));
    }
    pusher.finish();
    // However many went together: the last is what ends it.
    let all: Vec<Request> = asked.try_iter().map(|asked| written(&asked)).collect();
    for (name, value) in
        [("plimsoll_bench_received_bytes_total", 10_000.0), ("plimsoll_bench_answers_total", 400.0)]
    {
        let values: Vec<(i64, f64)> = all.iter().flat_map(|one| series(one, name)).collect();
        assert_eq!((values.len(), values[2].1), (4, value), "{name}");
    }
}

#[test]
fn trouble_that_passes_is_told_from_refusals() {
    for (status, taken) in [(429, 2), (503, 2), (400, 1), (401, 1), (404, 1)] {
        let (url, _asked) = scripted(&[status, 204]);
        let (mut pusher, said) = pusher(Protocol::RemoteWrite, &url);
        pusher.offer(&progress(1), at(1));
        let words = said.recv_timeout(PATIENCE).unwrap();
        assert_eq!(words.contains("--push-header"), status == 401, "{words}");
        pusher.offer(&progress(2), at(2));
        assert_eq!(pusher.finish().taken, taken, "{status}");
    }
}

#[test]
fn a_page_of_refusal_is_no_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let body = "<html><h1>busy</h1></html>";
        let length = body.len();
        let reply = format!("HTTP/1.1 503 X\r\ncontent-length: {length}\r\n\r\n{body}");
        for mut stream in listener.incoming().map_while(Result::ok) {
            // An answer that comes before its question is no answer.
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream.write_all(reply.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    let (mut pusher, _) = pusher(Protocol::Pushgateway, &url);
    pusher.offer(&progress(1), at(1));
    let pushed = pusher.finish();
    assert_eq!(pushed.reason.as_deref(), Some("it answered 503 Service Unavailable"));
    let remark = pushed.remark().unwrap();
    assert!(remark.contains("it answered 503") && !remark.contains("busy"), "{remark}");
}

#[test]
fn who_pushes_is_told_and_never_shown() {
    let access = |headers: &[&str]| Access {
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        ca: None,
    };
    let read = |url: &str, headers: &[&str]| {
        Receiver::new(Protocol::Pushgateway, url, &[], &access(headers))
    };
    let receiver = read("http://ann%40shop:s%3Acret@gate/x", &["X-Scope-OrgID: shop"]).unwrap();
    let told: Vec<(&str, &str)> = (receiver.headers.iter())
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    // printf 'ann@shop:s:cret' | base64
    assert_eq!(told, [("x-scope-orgid", "shop"), ("authorization", "Basic YW5uQHNob3A6czpjcmV0")]);
    assert_eq!((receiver.host.as_str(), receiver.url.as_str()), ("gate", "http://gate/x"));
    assert!(!format!("{receiver:?}").contains("YW5u"));
    for (url, headers, words) in [
        ("ftp://ann:secret@gate/", &[][..], "\"ftp://gate/\": a URL of http or https"),
        ("http://ann:secret@ga te/", &[], "\"http://ga te/\": a URL of http or https"),
        ("http://gate/", &["Bearer secret"], "a header of pushed figures cannot be read"),
        ("http://gate/", &["A: secret\u{1}"], "a header of pushed figures cannot be read"),
        ("http://gate/", &["Host: secret"], "the header \"host\" of pushed figures is set by"),
        ("http://ann:secret@gate/", &["authorization: secret"], "leave out the URL's user"),
    ] {
        let refused = read(url, headers).unwrap_err().to_string();
        assert!(refused.contains(words) && !refused.contains("secret"), "{refused}");
    }
    let none = Access { ca: Some("/none.pem".into()), ..Access::default() };
    let refused = Receiver::new(Protocol::Pushgateway, "https://gate/", &[], &none).unwrap_err();
    assert!(refused.to_string().contains("cannot read /none.pem"), "{refused}");
}

/// Answers requests over TLS with 200, on a thread; its port, and the heads.
fn over_tls(config: ServerConfig) -> (u16, mpsc::Receiver<String>) {
    let (tell_port, port) = mpsc::channel();
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || {
        let serve = move |mut stream: TlsStream<TcpStream>| {
            let tell = tell.clone();
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                tell.send(head).unwrap();
            }
        };
        net::run(async {
            tell_port.send(serve_tls(config, serve).await).unwrap();
            std::future::pending::<()>().await;
        })
        .unwrap();
    });
    (port.recv().unwrap(), asked)
}

#[test]
fn figures_go_over_tls_to_whom_is_trusted() {
    let authority = Authority::new();
    let (port, asked) = over_tls(authority.issue("localhost").server(&["http/1.1"]));
    let url = format!("https://ann:secret@localhost:{port}");
    let push = |ca: Option<PathBuf>| {
        let access = Access { headers: vec!["X-Scope-OrgID: shop".to_owned()], ca };
        let receiver = Receiver::new(Protocol::Pushgateway, &url, &[], &access).unwrap();
        let (tell, said) = mpsc::channel();
        let say = move |text: &str| drop(tell.send(text.to_owned()));
        let mut pusher = Pusher::start_with(receiver, PATIENCE, say).unwrap();
        pusher.offer(&progress(1), at(1));
        (pusher.finish(), said)
    };
    let (pushed, said) = push(Some(authority.file.clone()));
    assert_eq!((pushed.taken, pushed.failures), (1, 0), "{:?}", said.try_iter().next());
    let head = asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("PUT /metrics/job/plimsoll_bench HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-scope-orgid: shop\r\n"), "{head}");
    assert!(head.contains("authorization: Basic YW5uOnNlY3JldA==\r\n"), "{head}");

    let (pushed, _) = push(None);
    assert_eq!((pushed.taken, pushed.lost), (0, 1));
    let remark = pushed.remark().unwrap();
    assert!(remark.contains("comes from an issuer that is not trusted"), "{remark}");
    assert!(remark.contains("--push-ca FILE") && !remark.contains("--insecure"), "{remark}");
    assert!(!remark.contains("secret"), "{remark}");
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_clock_that_is_set_back_makes_no_sample_of_the_past() {
    let (url, asked) = scripted(&[204, 204, 204]);
    let (mut pusher, _) = pusher(Protocol::RemoteWrite, &url);
    pusher.offer(&progress(1), at(9));
    let first = written(&asked.recv_timeout(PATIENCE).unwrap());
    assert_eq!(series(&first, "plimsoll_bench_requests_total"), [(9000, 200.0)]);
    pusher.offer(&progress(2), at(3));
    pusher.finish();
    let second = written(&asked.recv_timeout(PATIENCE).unwrap());
    assert_eq!(series(&second, "plimsoll_bench_requests_total")[0], (9001, 400.0));
}

#[test]
fn a_series_that_ended_before_the_run_is_marked_too() {
    let (url, asked) = scripted(&[204, 204, 204]);
    let (mut pusher, _) = pusher(Protocol::RemoteWrite, &url);
    pusher.offer(&progress(1), at(1));
    asked.recv_timeout(PATIENCE).unwrap();
    let mut last = progress(2);
    last.target_rate = None;
    pusher.offer(&last, at(2));
    pusher.finish();
    let last = written(&asked.try_iter().last().unwrap());
    let target = series(&last, "plimsoll_bench_target_rate");
    assert_eq!(target.len(), 1);
    assert_eq!((target[0].0, target[0].1.to_bits()), (2001, 0x7ff0_0000_0000_0002));
}

#[test]
fn the_real_pushgateway_shows_what_was_pushed() {
    let peer = Program::start(&mut Command::new("prometheus-pushgateway"), "Listening on");
    let (mut pusher, said) = pusher(Protocol::Pushgateway, &format!("http://{}/", peer.address));
    pusher.offer(&progress(1), at(1));
    pusher.offer(&progress(2), at(2));
    let pushed = pusher.finish();
    assert_eq!((pushed.taken, pushed.failures), (2, 0), "{:?}", said.try_iter().next());
    let text = peer.get("/metrics");
    let line = "plimsoll_bench_requests_total{instance=\"\",job=\"shop\",name=\"a/b c\"} 400";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_real_prometheus_keeps_what_was_written() {
    let peer = Prometheus::start("global: {}\n", "");
    let (mut pusher, said) = pusher(Protocol::RemoteWrite, &format!("http://{}", peer.address()));
    // Prometheus takes no samples of long ago.
    let begin = Timestamp::now().as_second() - 10;
    for second in 1..=3 {
        let now = Timestamp::from_second(begin + second).unwrap();
        pusher.offer(&progress(second as u64), now);
    }
    let pushed = pusher.finish();
    assert_eq!((pushed.taken, pushed.failures), (3, 0), "{pushed:?} {:?}", said.try_iter().next());
    let query = "query=plimsoll_bench_requests_total%7Bjob=%22shop%22,name=%22a/b%20c%22%7D";
    let reply = peer.get(&format!("/api/v1/query?{query}[1m]&time={}", begin + 5));
    let values = format!(
        "\"values\":[[{},\"200\"],[{},\"400\"],[{},\"600\"]]",
        begin + 1,
        begin + 2,
        begin + 3
    );
    assert!(reply.contains(&values), "{values}\n{reply}");
    let over = peer.get(&format!("/api/v1/query?{query}&time={}", begin + 5));
    assert!(over.contains("\"result\":[]"), "the series has not ended: {over}");
}
