//! What breaks in real life, done to the real binary under load.

use std::io::{BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::harness::{self, Plimsoll, send_signal};
use crate::http::{self, Connection};
use crate::seccomp::forbid_io_uring;
use crate::upstream::{Request, Upstream, ok, service};

/// GETs from several connections until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(plimsoll: &Plimsoll, path: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let address = plimsoll.traffic;
        let clients = (0..8)
            .map(|_| {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                std::thread::spawn(move || {
                    let mut failures = Vec::new();
                    let mut connection = Connection::open(address);
                    while !stop.load(Ordering::Relaxed) {
                        connection.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
                        match connection.response("GET") {
                            Some(response) if response.status == 200 && response.complete => {
                                done.fetch_add(1, Ordering::Relaxed);
                                if response.header("connection") == Some("close") {
                                    connection = Connection::open(address);
                                }
                            }
                            other => {
                                failures.push(format!("{other:?}"));
                                connection = Connection::open(address);
                            }
                        }
                    }
                    failures
                })
            })
            .collect();
        Self { stop, done, clients }
    }

    /// Waits for so many more good answers.
    fn wait_more(&self, count: usize) {
        let target = self.done.load(Ordering::Relaxed) + count;
        harness::eventually("more answers", || {
            self.done.load(Ordering::Relaxed) >= target
                || self.clients.iter().all(JoinHandle::is_finished)
        });
    }

    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

/// Kills an instance and waits until another one runs in its place.
fn kill_one_of_three(plimsoll: &Plimsoll) {
    let before = plimsoll.instance_pids("web");
    send_signal(before[0], Signal::SIGKILL);
    plimsoll.wait("the killed instance's replacement", || {
        let now = plimsoll.instance_pids("web");
        now.len() == 3 && !now.contains(&before[0])
    });
}

#[test]
fn killing_instances_fails_no_idempotent_request() {
    let plimsoll = Plimsoll::up(&harness::clinic(3, ""));
    plimsoll.wait_healthy("web", 3);
    let load = Load::start(&plimsoll, "/");
    for _ in 0..3 {
        load.wait_more(200);
        kill_one_of_three(&plimsoll);
        plimsoll.wait_healthy("web", 3);
    }
    let failures = load.finish();
    assert!(failures.is_empty(), "{failures:?}\n{}", plimsoll.log());
}

#[test]
fn rolling_restart_and_reloads_fail_no_request() {
    let plimsoll = Plimsoll::up(&harness::clinic(3, ""));
    plimsoll.wait_healthy("web", 3);
    let before = plimsoll.instance_pids("web");
    let load = Load::start(&plimsoll, "/");
    load.wait_more(200);
    let (code, output, errors) = plimsoll.command(&["restart", "web"]);
    assert_eq!(code, 0, "{output}{errors}\n{}", plimsoll.log());
    let after = plimsoll.instance_pids("web");
    assert!(after.len() == 3 && !after.iter().any(|pid| before.contains(pid)), "{after:?}");
    for round in 0..10 {
        plimsoll.write_config(&harness::clinic(3, &format!("slow_start = \"{}ms\"", round + 1)));
        let (code, output, errors) = plimsoll.command(&["reload"]);
        assert_eq!(code, 0, "{output}{errors}");
        load.wait_more(50);
    }
    assert_eq!(plimsoll.instance_pids("web"), after, "a reload restarted something");
    let failures = load.finish();
    assert!(failures.is_empty(), "{failures:?}\n{}", plimsoll.log());
}

#[test]
fn all_instances_down_is_an_immediate_503_and_recovers() {
    let plimsoll = Plimsoll::up(&harness::clinic(2, ""));
    plimsoll.wait_healthy("web", 2);
    for pid in plimsoll.instance_pids("web") {
        send_signal(pid, Signal::SIGSTOP);
    }
    plimsoll.wait("unhealthy servers", || {
        plimsoll.states("web").iter().all(|(_, state)| state == "unhealthy")
    });
    let response = plimsoll.get("/");
    assert_eq!(response.status, 503);
    assert!(response.header("retry-after").is_some());
    for pid in plimsoll.instance_pids("web") {
        send_signal(pid, Signal::SIGCONT);
    }
    plimsoll.wait_healthy("web", 2);
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn a_server_that_never_answers_costs_a_504_and_harms_no_other() {
    let silent = Upstream::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let good = Upstream::text("good");
    let plimsoll = Plimsoll::up(&format!(
        "[service.silent]\nservers = [\"{}\"]\nhealth = false\nretry = {{ tries = 1 }}\n\
         timeouts = {{ header = \"300ms\" }}\n\
         [service.good]\nservers = [\"{}\"]\nhealth = false\n\
         [[route]]\npath = \"/silent/\"\nservice = \"silent\"\n\
         [[route]]\nservice = \"good\"\n",
        silent.address, good.address
    ));
    let mut stuck = Connection::open(plimsoll.traffic);
    stuck.send("GET /silent/ HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(plimsoll.get("/").text(), "good");
    let response = stuck.response("GET").unwrap();
    assert_eq!(response.status, 504);
    assert!(response.header("x-request-id").is_some());
}

#[test]
fn garbage_is_a_502_and_nothing_of_it_is_passed_on() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nsecret",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nsecret",
        "HTTP/1.1 200 OK\r\nBad Name: secret\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 6\n\nsecret",
        "\r\n\r\n",
    ] {
        let server = Upstream::answering(|_| garbage.as_bytes().to_vec());
        let plimsoll = Plimsoll::up(&service(&[&server], "retry = { tries = 1 }"));
        let response = plimsoll.get("/");
        assert_eq!(response.status, 502, "{garbage:?}");
        assert!(!response.text().contains("secret"), "{garbage:?}");
    }
}

#[test]
fn a_body_cut_short_is_never_made_to_look_whole() {
    for head in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let body = if head.starts_with('T') { "5\r\nhello\r\n" } else { "hello" };
        let server = Upstream::start(move |stream| {
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            let _ = Request::read(&mut reader);
            let _ = write!(writer, "HTTP/1.1 200 OK\r\n{head}\r\n{body}");
        });
        let plimsoll = Plimsoll::up(&service(&[&server], ""));
        let mut connection = Connection::open(plimsoll.traffic);
        let response = connection.get("/");
        assert_eq!(response.status, 200);
        assert!(!response.complete, "{head}");
    }
}

#[test]
fn two_gigabytes_pass_in_bounded_memory() {
    const TOTAL: u64 = 2 << 30;
    let server = Upstream::start(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if Request::read(&mut reader).is_some() {
            let _ = write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n");
            let block = vec![b'x'; 1 << 20];
            let mut left = TOTAL;
            while left > 0 && writer.write_all(&block).is_ok() {
                left -= block.len() as u64;
            }
        }
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let before = resident_bytes(plimsoll.pid());
    let mut connection = Connection::open(plimsoll.traffic);
    connection.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    // A slow start on the reading side fills every buffer on the way.
    let mut received = 0;
    let mut block = vec![0; 1 << 20];
    let mut most = 0;
    loop {
        let count = connection.stream.read(&mut block).unwrap();
        if count == 0 {
            break;
        }
        if received % (256 << 20) < count as u64 {
            most = most.max(resident_bytes(plimsoll.pid()));
        }
        received += count as u64;
    }
    assert!(received > TOTAL, "{received}");
    assert!(most < before + (8 << 20), "grew from {before} to {most} bytes");
}

fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_reader_that_stops_reading_is_cut_and_holds_nobody() {
    let server = Upstream::answering(|request| {
        if request.path() == "/big" {
            let mut reply = b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n".to_vec();
            reply.resize(reply.len() + (64 << 20), b'x');
            reply
        } else {
            ok("small")
        }
    });
    let plimsoll =
        Plimsoll::up(&format!("timeouts = {{ write = \"500ms\" }}\n{}", service(&[&server], "")));
    let before = resident_bytes(plimsoll.pid());
    let mut stuck: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = Connection::open(plimsoll.traffic);
            connection.send("GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
            connection
        })
        .collect();
    plimsoll.wait("requests in flight", || plimsoll.status()["services"][0]["in_flight"] != 0);
    assert_eq!(plimsoll.get("/").text(), "small");
    plimsoll.wait("all of them cut", || plimsoll.status()["services"][0]["in_flight"] == 0);
    assert!(resident_bytes(plimsoll.pid()) < before + (16 << 20));
    assert!(stuck.iter_mut().all(|connection| connection.rest().len() < 64 << 20));
}

#[test]
fn slow_heads_and_bodies_are_cut_with_408() {
    let server = Upstream::text("good");
    let plimsoll = Plimsoll::up(&format!(
        "timeouts = {{ header = \"300ms\", body = \"300ms\" }}\n{}",
        service(&[&server], "")
    ));
    let mut slow_head = Connection::open(plimsoll.traffic);
    slow_head.send("GET / HTTP/1.1\r\nHost: te");
    let mut slow_body = Connection::open(plimsoll.traffic);
    slow_body.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(plimsoll.get("/").text(), "good");
    assert_eq!(slow_head.response("GET").unwrap().status, 408);
    assert_eq!(slow_body.response("POST").unwrap().status, 408);
    assert!(slow_head.rest().is_empty() && slow_body.rest().is_empty());
}

#[test]
fn running_out_of_descriptors_is_survived_and_said() {
    let server = Upstream::text("good");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("plimsoll.toml"),
        format!(
            "listen = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nworkers = 1\n\
             limits = {{ connections = 10000 }}\n{}",
            service(&[&server], "")
        ),
    )
    .unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 100; exec \"$0\" up -c plimsoll.toml"]).arg(harness::binary());
    let plimsoll = Plimsoll::start(directory, command);
    let address = plimsoll.traffic;
    let crowd: Vec<_> = (0..200).filter_map(|_| Connection::try_open(address).ok()).collect();
    let line = plimsoll.wait_log("cannot accept on 127.0.0.1:0: ");
    let remedy = "no file descriptors left; raise its limit (`ulimit -n`, LimitNOFILE=)";
    assert!(line.contains(remedy), "{line}");
    drop(crowd);
    harness::eventually("service after the crowd left", || {
        Connection::try_open(address).is_ok_and(|mut connection| {
            connection.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            connection.response("GET").is_some_and(|response| response.status == 200)
        })
    });
}

#[test]
fn without_io_uring_nothing_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let addresses = "listen = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nworkers = 2\n";
    let config = format!("{addresses}{}", harness::clinic(3, ""));
    std::fs::write(directory.path().join("plimsoll.toml"), config).unwrap();
    let mut command = std::process::Command::new(harness::binary());
    command.args(["up", "-c", "plimsoll.toml"]);
    forbid_io_uring(&mut command);
    let plimsoll = Plimsoll::start(directory, command);
    plimsoll.wait_log("io_uring is not to be had");
    plimsoll.wait_healthy("web", 3);
    let load = Load::start(&plimsoll, "/");
    load.wait_more(200);
    kill_one_of_three(&plimsoll);
    // Many answers that are sent in one turn.
    let mut pipelining = Connection::open(plimsoll.traffic);
    pipelining.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(100));
    for _ in 0..100 {
        assert_eq!(pipelining.response("GET").unwrap().status, 200);
    }
    load.wait_more(200);
    let failures = load.finish();
    assert!(failures.is_empty(), "{failures:?}\n{}", plimsoll.log());
    let told = plimsoll.log().matches("io_uring is not to be had").count();
    assert_eq!(told, 1, "once for all workers:\n{}", plimsoll.log());
}

#[test]
fn retries_do_not_multiply_the_load_of_servers_that_fail() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 2000;
    let busy =
        || Upstream::answering(|_| b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy".to_vec());
    let servers = [busy(), busy(), busy()];
    let more = "retry = { on = [503], tries = 3 }\npassive = { max_fails = 0 }";
    let plimsoll = Plimsoll::up(&service(&servers.each_ref(), more));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(plimsoll.traffic);
                for _ in 0..REQUESTS / CLIENTS {
                    let response = connection.get("/");
                    assert_eq!((response.status, response.text().as_str()), (503, "busy"));
                }
            });
        }
    });
    let attempts: usize = servers.iter().map(|server| server.seen().len()).sum();
    // A fifth of the requests of ten seconds, and ten more a second, whatever the tries.
    let windows = 1 + begun.elapsed().as_secs() as usize / 10;
    let most = REQUESTS + windows * (REQUESTS / 5 + 100);
    assert!(attempts > REQUESTS, "none of them was repeated");
    assert!(attempts <= most, "{attempts} attempts for {REQUESTS} requests, {windows} windows");
    let retries = plimsoll.metric("plimsoll_service_retries_total", &["service=\"web\""]);
    assert_eq!(retries as usize, attempts - REQUESTS);
}

#[test]
fn when_nobody_can_be_reached_it_is_a_503_before_any_check_says_so() {
    let nobody = || {
        // Bound and not listening, so that no other test can have the port.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    };
    let (first, second) = (nobody(), nobody());
    let plimsoll = Plimsoll::up(&format!(
        "[service.web]\nservers = [\"{}\", \"{}\"]\nhealth = false\npassive = {{ max_fails = 0 }}\n",
        first.1, second.1
    ));
    for method in ["GET", "POST"] {
        let response = http::request(plimsoll.traffic, method, "/", &[], b"");
        assert_eq!(response.status, 503);
        assert!(response.header("retry-after").is_some());
    }
    let name = "plimsoll_rejected_requests_total";
    plimsoll.wait("both counted", || plimsoll.metric(name, &["reason=\"unreachable\""]) == 2.0);
}

#[test]
fn a_post_whose_server_dies_is_not_repeated() {
    let dying = Upstream::start(|stream| {
        let mut reader = BufReader::new(stream);
        let _ = Request::read(&mut reader);
    });
    let good = Upstream::text("good");
    let plimsoll = Plimsoll::up(&service(&[&dying, &good], ""));
    let statuses: Vec<_> =
        (0..6).map(|_| http::request(plimsoll.traffic, "POST", "/", &[], b"x").status).collect();
    assert!(statuses.contains(&502), "{statuses:?}");
    for _ in 0..6 {
        assert_eq!(plimsoll.get("/").status, 200);
    }
    let (sent, seen) = (statuses.len(), good.seen());
    let posts = seen.iter().filter(|request| request.lines[0].starts_with("POST")).count();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(posts, answered, "of {sent} POSTs some were sent twice");
}

#[test]
fn a_request_that_kills_connections_is_sent_no_more_than_tries_and_once() {
    let poisoned = Arc::new(AtomicUsize::new(0));
    let server = || {
        let poisoned = Arc::clone(&poisoned);
        Upstream::start(move |stream| {
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            while let Some(request) = Request::read(&mut reader) {
                if request.path() == "/poison" {
                    poisoned.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                let _ = writer.write_all(&ok("fine"));
            }
        })
    };
    let servers = [server(), server(), server()];
    let config = service(&servers.each_ref(), "retry = { tries = 3 }");
    let plimsoll = Plimsoll::up(&format!("workers = 1\n{config}"));
    for _ in 0..3 {
        assert_eq!(plimsoll.get("/").text(), "fine");
    }
    assert_eq!(plimsoll.get("/poison").status, 502);
    let times = poisoned.load(Ordering::SeqCst);
    assert!((2..=4).contains(&times), "sent {times} times");
}
