//! Start, reload, drain, stop, and what is left behind: nothing.

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use nix::sys::signal::Signal;

use crate::harness::{self, Plimsoll, is_alive};
use crate::http::{self, Connection};
use crate::upstream::{Request, Upstream, ok, service};

#[test]
fn a_stop_ends_every_instance() {
    let mut plimsoll = Plimsoll::up(&harness::clinic(3, ""));
    plimsoll.wait_healthy("web", 3);
    let pids = plimsoll.instance_pids("web");
    assert_eq!(pids.len(), 3);
    assert!(plimsoll.stop().success(), "{}", plimsoll.log());
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn ctrl_c_is_a_stop() {
    let mut plimsoll = Plimsoll::up(&harness::clinic(1, ""));
    plimsoll.wait_healthy("web", 1);
    plimsoll.signal(Signal::SIGINT);
    assert!(plimsoll.wait_exit().success());
}

/// Arguments of `plimsoll run` for two clinic servers.
fn two_clinics() -> [&'static str; 7] {
    let binary = harness::binary().to_str().unwrap();
    ["-n", "2", "--health", "/health/", "--", binary, "clinic"]
}

#[test]
fn what_has_no_config_file_ends_with_its_terminal() {
    let mut plimsoll = Plimsoll::run(tempfile::tempdir().unwrap(), &two_clinics());
    plimsoll.wait_healthy("web", 2);
    let pids = plimsoll.instance_pids("web");
    plimsoll.signal(Signal::SIGHUP);
    assert!(plimsoll.wait_exit().success(), "{}", plimsoll.log());
    plimsoll.wait_log("SIGHUP: stopping");
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn nohup_keeps_it_when_its_terminal_ends() {
    let mut command = std::process::Command::new("nohup");
    command.arg(harness::binary()).args(["run", "--listen", "127.0.0.1:0"]);
    command.args(["--admin", "127.0.0.1:0"]).args(two_clinics());
    let plimsoll = Plimsoll::start(tempfile::tempdir().unwrap(), command);
    plimsoll.wait_healthy("web", 2);
    plimsoll.signal(Signal::SIGHUP);
    plimsoll.wait_log("there is no config file to reload");
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn even_kill_9_leaves_no_instance_behind() {
    let directory = tempfile::tempdir().unwrap();
    // A shell with a child that ignores TERM, and a grandchild in a session of its own.
    let script = format!(
        "trap '' TERM; echo $$ >> pids; (trap '' TERM; sh -c 'echo $$ >> pids; exec sleep 1000') & \
         setsid sh -c 'echo $$ >> pids; exec sleep 1000' & \
         exec '{}' clinic",
        harness::binary().display()
    );
    std::fs::write(directory.path().join("start.sh"), script).unwrap();
    let config = "[service.web]\nrun = [\"/bin/sh\", \"start.sh\"]\ninstances = 2\nhealth = { path = \"/health/\" }\n";
    let mut plimsoll = Plimsoll::up_in(directory, config, &[]);
    plimsoll.wait_healthy("web", 2);
    let pids = || -> Vec<u32> {
        let text = std::fs::read_to_string(plimsoll.directory.path().join("pids"));
        text.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
    };
    harness::eventually("six processes", || pids().len() == 6);
    let pids = pids();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    plimsoll.signal(Signal::SIGKILL);
    plimsoll.wait_exit();
    harness::eventually("the end of all of them", || !pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_drain_finishes_what_is_open_and_reports_what_it_cut() {
    let server = Upstream::answering(|request| {
        if request.path() == "/wait" {
            let _ = std::net::TcpStream::connect(request.header("x-signal").unwrap());
            let listener = std::net::TcpListener::bind(request.header("x-wait").unwrap()).unwrap();
            let _ = listener.accept();
        }
        ok("done")
    });
    let mut plimsoll =
        Plimsoll::up(&format!("drain_timeout = \"20s\"\n{}", service(&[&server], "")));
    let signal = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let wait = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut open = Connection::open(plimsoll.traffic);
    open.send(format!(
        "GET /wait HTTP/1.1\r\nHost: a\r\nX-Signal: {}\r\nX-Wait: {wait}\r\n\r\n",
        signal.local_addr().unwrap()
    ));
    signal.accept().unwrap();
    let mut idle = Connection::open(plimsoll.traffic);
    assert_eq!(idle.get("/").text(), "done");
    plimsoll.signal(Signal::SIGTERM);
    plimsoll.wait_log("stopping");
    assert!(idle.rest().is_empty());
    harness::eventually("the listener to close", || {
        Connection::try_open(plimsoll.traffic).is_err()
    });
    // The request that was open gets its answer.
    harness::eventually("the server to wait", || std::net::TcpStream::connect(wait).is_ok());
    let response = open.response("GET").unwrap();
    assert_eq!((response.text().as_str(), response.header("connection")), ("done", Some("close")));
    assert!(plimsoll.wait_exit().success());

    let stuck = Upstream::start(|mut stream| {
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let mut plimsoll =
        Plimsoll::up(&format!("drain_timeout = \"300ms\"\n{}", service(&[&stuck], "")));
    let mut open = Connection::open(plimsoll.traffic);
    open.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    plimsoll.wait("the request in flight", || plimsoll.status()["services"][0]["in_flight"] == 1);
    plimsoll.stop();
    plimsoll.wait_log("cut");
}

#[test]
fn a_reload_applies_what_is_right_and_refuses_what_is_wrong() {
    let (first, second) = (Upstream::text("first"), Upstream::text("second"));
    let plimsoll = Plimsoll::up(&service(&[&first], ""));
    assert_eq!(plimsoll.get("/").text(), "first");
    let mut open = Connection::open(plimsoll.traffic);
    assert_eq!(open.get("/").text(), "first");

    plimsoll.write_config("[service.web]\nserver = []\n");
    let (code, _, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 2);
    assert!(errors.contains("plimsoll.toml:4") && errors.contains("servers"), "{errors}");
    assert_eq!(plimsoll.get("/").text(), "first");
    assert!(!plimsoll.status()["reload_failure"].is_null());

    plimsoll.write_config(&service(&[&second], ""));
    let (code, output, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    assert!(output.contains("web"), "{output}");
    assert_eq!(plimsoll.get("/").text(), "second");
    assert_eq!(open.get("/").text(), "second", "the open connection lives on");
}

#[test]
fn tunnels_live_across_ten_reloads() {
    let server = Upstream::start(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if Request::read(&mut reader).is_some() {
            let _ = writer.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Connection: upgrade\r\n\r\n",
            );
            let _ = std::io::copy(&mut reader, &mut writer);
        }
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut tunnels: Vec<_> = (0..8)
        .map(|_| {
            let mut tunnel = Connection::open(plimsoll.traffic);
            tunnel.send(
                "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\n\r\n",
            );
            assert_eq!(tunnel.response("GET").unwrap().status, 101);
            tunnel
        })
        .collect();
    let other = Upstream::text("another");
    for round in 0..10 {
        // At last its service is gone, too.
        let config = match round {
            9 => service(&[&other], "").replace("web", "next"),
            _ => service(&[&server], &format!("slow_start = \"{}ms\"", round + 1)),
        };
        plimsoll.write_config(&config);
        let (code, _, errors) = plimsoll.command(&["reload"]);
        assert_eq!(code, 0, "{errors}");
        for (number, tunnel) in tunnels.iter_mut().enumerate() {
            let said = format!("round {round} of tunnel {number}");
            tunnel.send(&said);
            let mut heard = vec![0; said.len()];
            tunnel.stream.read_exact(&mut heard).unwrap();
            assert_eq!(String::from_utf8_lossy(&heard), said);
        }
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), tunnels.len());
    assert_eq!(plimsoll.get("/").text(), "another");
}

#[test]
fn counters_and_health_survive_a_reload() {
    let server = Upstream::text("x");
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for _ in 0..5 {
        plimsoll.get("/");
    }
    plimsoll.write_config(&service(&[&server], "balance = \"least-conn\""));
    assert_eq!(plimsoll.command(&["reload"]).0, 0);
    plimsoll.get("/");
    plimsoll.wait("all six requests counted", || {
        plimsoll.metric("plimsoll_server_requests_total", &["web"]) == 6.0
    });
}

#[test]
fn instances_follow_the_config() {
    let plimsoll = Plimsoll::up(&harness::clinic(1, ""));
    plimsoll.wait_healthy("web", 1);
    let first = plimsoll.instance_pids("web");
    plimsoll.write_config(&harness::clinic(3, ""));
    assert_eq!(plimsoll.command(&["reload"]).0, 0);
    plimsoll.wait_healthy("web", 3);
    assert!(plimsoll.instance_pids("web").contains(&first[0]));
    plimsoll.write_config(&harness::clinic(1, ""));
    assert_eq!(plimsoll.command(&["reload"]).0, 0);
    plimsoll.wait_healthy("web", 1);
    assert_eq!(plimsoll.instance_pids("web"), first);
}

#[test]
fn a_crash_loop_is_told_and_halts_nobody_else() {
    let plimsoll = Plimsoll::up(
        "[service.bad]\nrun = \"echo cannot find the database >&2; exit 3\"\n\
         restart = { initial = \"10ms\", max = \"50ms\" }\n\
         [service.good]\nrun = \"python3 -m http.server --bind 127.0.0.1 $PORT\"\nhealth = { path = \"/\" }\n\
         [[route]]\nservice = \"good\"\n[[route]]\npath = \"/bad/\"\nservice = \"bad\"\n",
    );
    plimsoll.wait_healthy("good", 1);
    let line = plimsoll.wait_log("crash loop");
    assert!(line.contains("bad-1"), "{line}");
    plimsoll.wait_log("cannot find the database");
    assert_eq!(plimsoll.get("/bad/").status, 503);
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn a_restart_whose_new_instance_fails_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "[ -e broken ] && {{ echo it is broken >&2; exit 1; }}; exec '{}' clinic",
        harness::binary().display()
    );
    std::fs::write(directory.path().join("start.sh"), script).unwrap();
    let config = "[service.web]\nrun = [\"/bin/sh\", \"start.sh\"]\ninstances = 2\n\
                  health = { path = \"/health/\" }\nstart_timeout = \"5s\"\n";
    let plimsoll = Plimsoll::up_in(directory, config, &[]);
    plimsoll.wait_healthy("web", 2);
    let before = plimsoll.instance_pids("web");
    std::fs::write(plimsoll.directory.path().join("broken"), "").unwrap();
    let (code, _, errors) = plimsoll.command(&["restart", "web"]);
    assert_eq!(code, 1);
    assert!(errors.contains("it is broken"), "{errors}");
    plimsoll.wait_healthy("web", 2);
    assert_eq!(plimsoll.instance_pids("web"), before);
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn an_instance_gets_nothing_before_its_first_good_check() {
    let config = harness::clinic(1, "")
        .replace("\"clinic\"", "\"clinic\", \"--health-failure-chance\", \"1\"");
    let plimsoll = Plimsoll::up(&config);
    let server = || plimsoll.status()["services"][0]["servers"][0].clone();
    plimsoll.wait("a check has failed", || {
        let check = server()["last_check"]["text"].clone();
        check.as_str().is_some_and(|text| text.contains("503"))
    });
    // It answers whoever asks it, and its checks say that it should not be asked.
    let address: SocketAddr = server()["address"].as_str().unwrap().parse().unwrap();
    assert_eq!(http::get(address, "/").status, 200);
    assert_eq!(plimsoll.get("/").status, 503);
    assert!(plimsoll.states("web").iter().all(|(_, state)| state != "healthy"));
    let body = b"{\"health_failure_chance\": 0}";
    let headers = [("Content-Type", "application/json")];
    assert_eq!(http::request(address, "PATCH", "/settings/", &headers, body).status, 200);
    plimsoll.wait_healthy("web", 1);
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn an_instance_that_served_its_share_is_replaced_and_no_request_fails() {
    let ceiling = "max_requests = 20\nrestart = { initial = \"10ms\", reset_after = \"10ms\" }";
    let plimsoll = Plimsoll::up(&harness::clinic(1, ceiling));
    plimsoll.wait_healthy("web", 1);
    let before = plimsoll.instance_pids("web");
    plimsoll.wait("replaced", || {
        assert_eq!(plimsoll.get("/").status, 200);
        plimsoll.log().contains("requests of 20 allowed") && !is_alive(before[0])
    });
    plimsoll.wait_healthy("web", 1);
    assert_ne!(plimsoll.instance_pids("web"), before);
    assert_eq!(plimsoll.get("/").status, 200);
}

#[test]
fn each_fact_of_a_restart_and_a_stop_is_told_once() {
    let mut plimsoll = Plimsoll::up(&harness::clinic(2, ""));
    plimsoll.wait_healthy("web", 2);
    assert_eq!(plimsoll.command(&["restart", "web"]).0, 0);
    plimsoll.wait_log("rolling restart is complete; instances replaced: 2");
    plimsoll.wait_healthy("web", 2);
    let times = |log: &str, text: &str| log.lines().filter(|line| line.contains(text)).count();
    let log = plimsoll.log();
    for text in ["web-1 is draining: web-3 takes its place", "web-2 is draining: web-1 takes its"] {
        assert_eq!(times(&log, text), 1, "{text}:\n{log}");
    }
    assert_eq!(times(&log, "is draining"), 2, "{log}");
    assert!(plimsoll.stop().success());
    plimsoll.wait_log("stopped; nothing was cut");
    let log = plimsoll.log();
    let (_, stop) = log.split_once("SIGTERM: stopping").unwrap();
    assert_eq!(times(stop, "has stopped: exited with status 0"), 2, "{stop}");
    // That line, those of the two instances, and the last.
    assert_eq!(times(stop, "INFO"), 3, "{stop}");
}

#[test]
fn a_health_check_that_asks_for_the_wrong_page_is_told_of_once() {
    let server =
        Upstream::answering(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let wrong = "health = { path = \"/helth/\" }";
    let plimsoll = Plimsoll::up(&service(&[&server], "").replace("health = false", wrong));
    let line = plimsoll.wait_log("not as its health check expects");
    for part in ["GET /helth/ answered 404, not 200-399", "--health PATH", "service web"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(line.contains("WARN"), "{line}");
    // After a wrong answer more, it is still told once.
    let asked = server.requests.lock().unwrap().len();
    plimsoll.wait("two checks more", || server.requests.lock().unwrap().len() >= asked + 2);
    let log = plimsoll.log();
    assert_eq!(log.matches("not as its health check expects").count(), 1, "{log}");
}

#[test]
fn an_instance_that_is_started_again_goes_on_counting() {
    let restart = "restart = { initial = \"1h\", max = \"1h\" }";
    let plimsoll = Plimsoll::up(&harness::clinic(1, restart));
    plimsoll.wait_healthy("web", 1);
    for _ in 0..3 {
        assert_eq!(plimsoll.get("/").status, 200);
    }
    let served = || plimsoll.status()["services"][0]["servers"][0]["requests_total"].clone();
    let scraped = || plimsoll.metric("plimsoll_server_requests_total", &["server=\"web-1\""]);
    plimsoll.wait("three requests counted", || served() == 3);
    harness::send_signal(plimsoll.instance_pids("web")[0], Signal::SIGKILL);
    plimsoll.wait("the instance to be down", || plimsoll.states("web")[0].1 == "stopped");
    assert_eq!((served(), scraped()), (3.into(), 3.0));
    // It does not wait an hour when it is asked for.
    assert_eq!(plimsoll.command(&["restart", "web"]).0, 0);
    plimsoll.wait_healthy("web", 1);
    assert_eq!(plimsoll.get("/").status, 200);
    plimsoll.wait("the fourth request counted", || served() == 4 && scraped() == 4.0);
}
