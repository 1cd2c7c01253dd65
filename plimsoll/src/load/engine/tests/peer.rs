//! The other side in tests of whole runs: a server of threads, and plans that ask it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::bench::model::*;
use crate::load::engine::{Controls, run};
use crate::load::results::Results;

/// What a server does with a request.
pub(in crate::load::engine) enum Answer {
    /// Sends this and waits for the next.
    Bytes(String),
    /// Sends this and closes.
    Last(String),
    /// Never answers.
    Nothing,
}

/// A server on the loopback.
pub(in crate::load::engine) struct Peer {
    pub(in crate::load::engine) port: u16,
    /// How many requests have come.
    pub(in crate::load::engine) requests: Arc<AtomicU64>,
    /// How many connections.
    pub(in crate::load::engine) connections: Arc<AtomicU64>,
}

/// An answer with a body and further header lines.
pub(in crate::load::engine) fn ok(headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

/// Answers each request, of which `answer` is told the number (from 0) and the head.
pub(in crate::load::engine) fn peer(
    answer: impl Fn(u64, &str) -> Answer + Send + Sync + 'static,
) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (requests, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let peer =
        Peer { port, requests: Arc::clone(&requests), connections: Arc::clone(&connections) };
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            connections.fetch_add(1, Ordering::SeqCst);
            let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read(&mut byte).is_ok_and(|count| count == 1) {
                    head.push(byte[0]);
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let number = requests.fetch_add(1, Ordering::SeqCst);
                    let text = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
                    match answer(number, &text) {
                        Answer::Bytes(bytes) => stream.write_all(bytes.as_bytes()).unwrap_or(()),
                        Answer::Last(bytes) => {
                            let _ = stream.write_all(bytes.as_bytes());
                            return;
                        }
                        Answer::Nothing => {}
                    }
                }
            });
        }
    });
    peer
}

/// A server that runs in an event loop on a thread of its own; its port.
pub(in crate::load::engine) fn serve<F: Future<Output = u16>>(
    start: impl FnOnce() -> F + Send + 'static,
) -> u16 {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        crate::net::run(async {
            tell.send(start().await).unwrap();
            std::future::pending::<()>().await;
        })
    });
    told.recv().unwrap()
}

/// So many users from the start on, for as long as their iterations take.
pub(in crate::load::engine) fn users(count: u32, iterations: u64) -> Load {
    Load::Closed(Closed {
        stages: vec![Stage {
            from: count.into(),
            to: count.into(),
            lasting: Duration::from_secs(60),
        }],
        iterations_per_user: None,
        iterations: Some(iterations),
    })
}

/// So many users, each of which does so many iterations.
pub(in crate::load::engine) fn users_each(count: u32, iterations: u64) -> Load {
    let stages =
        vec![Stage { from: count.into(), to: count.into(), lasting: Duration::from_secs(60) }];
    Load::Closed(Closed { stages, iterations_per_user: Some(iterations), iterations: None })
}

/// Evenly spaced arrivals.
pub(in crate::load::engine) fn rate(
    per_second: f64,
    lasting: Duration,
    in_flight_max: usize,
) -> Load {
    let stages = vec![Stage { from: per_second, to: per_second, lasting }];
    Load::Open(Open {
        arrivals: Arrivals::Scheduled { stages, spacing: Spacing::Even },
        in_flight_max,
    })
}

/// A request of nothing but its URL.
pub(in crate::load::engine) fn get(url: String) -> Request {
    Request {
        label: 0,
        method: Template::text("GET"),
        url: Template::text(url),
        headers: Vec::new(),
        body: RequestBody::None,
        timeout: None,
        redirects_max: 0,
        extract: Vec::new(),
        checks: Vec::new(),
    }
}

/// A plan of one group.
pub(in crate::load::engine) fn plan(load: Load, steps: Vec<Step>) -> Plan {
    Plan {
        name: "test".into(),
        source: "test".into(),
        groups: vec![Group {
            name: "group".into(),
            load,
            steps,
            fresh_users: true,
            cookies: Cookies::default(),
            on_error: OnError::Continue,
        }],
        labels: vec![
            Label { name: "first".into(), kind: LabelKind::Request },
            Label { name: "second".into(), kind: LabelKind::Request },
            Label { name: "both".into(), kind: LabelKind::Transaction },
        ],
        variables: vec![Variable { name: "a".into(), initial: Some(Template::text("1")) }],
        feeds: Vec::new(),
        http: crate::load::client::peers::settings(),
        served_by: None,
        thresholds: Vec::new(),
        threads: Some(2),
        part: Part::WHOLE,
        seed: Some(5),
        left_out: Vec::new(),
    }
}

/// A plan of one request, the same each time.
pub(in crate::load::engine) fn plan_of(load: Load, peer: &Peer) -> Plan {
    let url = format!("http://127.0.0.1:{}/", peer.port);
    plan(load, vec![Step::Request(Box::new(get(url)))])
}

/// Runs a plan that nobody stops.
pub(in crate::load::engine) fn results(plan: &Plan) -> Results {
    let (_stop, controls) = controls();
    run(plan, &controls, &mut |_| {}).unwrap()
}

/// As [`results`], of a plan that might never end.
pub(in crate::load::engine) fn results_at_last(plan: Plan) -> Results {
    /// Far beyond what any test plans.
    const PATIENCE: Duration = Duration::from_secs(60);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(Box::new(results(&plan))));
    *told.recv_timeout(PATIENCE).expect("the run ends")
}

/// So many users for a time, however many iterations they do.
pub(in crate::load::engine) fn staged(stages: &[(f64, f64, u64)]) -> Load {
    let stage = |(from, to, millis): &(f64, f64, u64)| Stage {
        from: *from,
        to: *to,
        lasting: Duration::from_millis(*millis),
    };
    let stages = stages.iter().map(stage).collect();
    Load::Closed(Closed { stages, iterations_per_user: None, iterations: None })
}

/// What stops a run, and what it is started with.
pub(in crate::load::engine) fn controls() -> (tokio::sync::watch::Sender<bool>, Controls) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    (stop, Controls { stop: stopped, start_at: None, command: "command".into() })
}
