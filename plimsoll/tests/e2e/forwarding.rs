//! What upstreams and clients get to see: heads, bodies, statuses, errors.

use std::io::{BufReader, Read, Write};
use std::sync::{Mutex, mpsc};

use crate::harness::Plimsoll;
use crate::http::{self, Connection};
use crate::upstream::{Request, Upstream, ok, service};

#[test]
fn upstreams_learn_who_asked_and_clients_who_answered() {
    let server = Upstream::text("hello");
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let spoofed = [
        ("Host", "shop.example"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Real-IP", "6.6.6.6"),
        ("X-Forwarded-Proto", "https"),
        ("X-Request-Id", "mine"),
        ("X-Secret", "drop me"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
    ];
    let mut connection = Connection::open(plimsoll.traffic);
    let mut head = "GET /path?query HTTP/1.1\r\nConnection: X-Secret, close\r\n".to_owned();
    for (name, value) in spoofed {
        head += &format!("{name}: {value}\r\n");
    }
    connection.send(head + "\r\n");
    let response = connection.response("GET").unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.lines[0], "GET /path?query HTTP/1.1");
    assert_eq!(seen.header("host"), Some("shop.example"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
    assert_eq!(seen.header("forwarded"), None);
    for name in ["x-secret", "keep-alive", "proxy-connection"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert!(seen.header("traceparent").is_some_and(|value| value.len() == 55));
    let id = seen.header("x-request-id").unwrap();
    assert_ne!(id, "mine");
    assert_eq!(response.header("x-request-id"), Some(id));
    assert_eq!(response.header("x-served-by"), Some(server.address.to_string().as_str()));
}

#[test]
fn trusted_proxies_are_believed() {
    let server = Upstream::text("hello");
    let more = "[headers]\nforwarded = true\nserved_by = false\n";
    let plimsoll = Plimsoll::up(&format!(
        "trusted_proxies = [\"127.0.0.0/8\"]\n{}{more}",
        service(&[&server], "")
    ));
    let headers = [
        ("Host", "shop.example"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "www.shop.example"),
        ("X-Request-Id", "outer-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let response = http::request(plimsoll.traffic, "GET", "/", &headers, b"");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-forwarded-for"), Some("203.0.113.7, 127.0.0.1"));
    assert_eq!(seen.header("x-real-ip"), Some("203.0.113.7"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("www.shop.example"));
    assert_eq!(seen.header("x-request-id"), Some("outer-1"));
    assert!(seen.header("forwarded").is_some_and(|value| value.contains("for=127.0.0.1")));
    assert!(seen.header("traceparent").is_some_and(|value| value.contains("0af7651916cd43dd")));
    assert_eq!(response.header("x-served-by"), None);
}

#[test]
fn the_client_is_the_last_address_that_a_trusted_proxy_vouches_for() {
    let server = Upstream::text("hello");
    let plimsoll =
        Plimsoll::up(&format!("trusted_proxies = [\"127.0.0.0/8\"]\n{}", service(&[&server], "")));
    // (X-Forwarded-For as it comes, X-Real-IP as it comes, X-Real-IP as it goes on)
    let cases = [
        (Some("6.6.6.6, 203.0.113.7, 127.0.0.9"), None, "203.0.113.7"),
        (Some("203.0.113.7"), Some("6.6.6.6"), "203.0.113.7"),
        (Some("6.6.6.6, 203.0.113.7:4711"), None, "203.0.113.7"),
        (Some("6.6.6.6, [2001:db8::7]:4711, 127.0.0.9"), None, "2001:db8::7"),
        (Some("6.6.6.6, unknown"), None, "127.0.0.1"),
        (None, Some("203.0.113.7"), "203.0.113.7"),
        (None, None, "127.0.0.1"),
    ];
    for (list, given, wanted) in cases {
        let mut headers = vec![("Host", "a")];
        headers.extend(list.map(|list| ("X-Forwarded-For", list)));
        headers.extend(given.map(|given| ("X-Real-IP", given)));
        http::request(plimsoll.traffic, "GET", "/", &headers, b"");
        let seen = server.seen();
        let real: Vec<_> = seen.last().unwrap().lines[1..]
            .iter()
            .filter_map(|line| line.strip_prefix("X-Real-IP: "))
            .collect();
        assert_eq!(real, [wanted], "{list:?} {given:?}");
    }
}

#[test]
fn servers_always_get_a_host() {
    let server = Upstream::text("hello");
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    for (head, wanted) in [
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "a"),
        ("GET http://shop.example:81/ HTTP/1.0\r\n\r\n", "shop.example:81"),
        ("GET / HTTP/1.0\r\n\r\n", "web"),
    ] {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(head);
        assert_eq!(connection.response("GET").unwrap().status, 200);
        assert_eq!(server.seen().last().unwrap().header("host"), Some(wanted), "{head}");
    }
}

#[test]
fn routes_go_by_host_and_longest_prefix() {
    let servers: Vec<_> =
        ["main", "api", "admin", "shop"].map(|name| (name, Upstream::text(name))).into();
    let mut config = String::new();
    for (name, server) in &servers {
        config +=
            &format!("[service.{name}]\nservers = [\"{}\"]\nhealth = false\n", server.address);
    }
    config += "[[route]]\nservice = \"main\"\n\
               [[route]]\npath = \"/api/\"\nservice = \"api\"\n\
               [[route]]\npath = \"/api/admin\"\nservice = \"admin\"\nstrip_prefix = true\n\
               [[route]]\nhost = \"*.shop.example\"\nservice = \"shop\"\n";
    let plimsoll = Plimsoll::up(&config);
    for (host, path, name) in [
        ("a", "/", "main"),
        ("a", "/apix", "main"),
        ("a", "/api/x", "api"),
        ("a", "/api/administrator", "api"),
        ("a", "/api/admin/users", "admin"),
        ("www.shop.example", "/api/x", "shop"),
        ("WWW.Shop.Example:80", "/", "shop"),
        ("shop.example", "/", "main"),
    ] {
        let response = http::request(plimsoll.traffic, "GET", path, &[("Host", host)], b"");
        assert_eq!(response.text(), name, "{host} {path}");
    }
    assert_eq!(servers[2].1.seen()[0].path(), "/users");
}

#[test]
fn no_route_is_a_404_in_the_form_that_the_client_asks_for() {
    let server = Upstream::text("x");
    let plimsoll = Plimsoll::up(&format!(
        "{}[[route]]\npath = \"/only/\"\nservice = \"web\"\n",
        service(&[&server], "")
    ));
    let html = http::request(plimsoll.traffic, "GET", "/", &[("Accept", "text/html")], b"");
    assert_eq!(html.status, 404);
    assert!(html.header("content-type").unwrap().starts_with("text/html"));
    let id = html.header("x-request-id").unwrap();
    assert!(html.text().contains(id), "{}", html.text());
    let json = http::request(plimsoll.traffic, "GET", "/", &[("Accept", "application/json")], b"");
    assert_eq!(json.json()["status"], 404);
    assert_eq!(json.json()["request_id"], json.header("x-request-id").unwrap());
}

#[test]
fn bodies_of_every_framing_pass_both_ways() {
    let server = Upstream::start(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader) {
            let body = String::from_utf8(request.body.clone()).unwrap();
            let reply = match request.path() {
                "/length" => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
                "/chunked" => format!(
                    "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{:x};ext=1\r\n{body}\r\n0\r\nX-Sum: 7\r\n\r\n",
                    body.len()
                ),
                _ => format!("Connection: close\r\n\r\n{body}"),
            };
            let _ = write!(writer, "HTTP/1.1 200 OK\r\n{reply}");
            if request.path() == "/close" {
                break;
            }
        }
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let body = "0123456789".repeat(20_000);
    for path in ["/length", "/chunked", "/close"] {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let response = connection.response("POST").unwrap();
        assert!(response.complete && response.text() == body, "{path}: {}", response.body.len());
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ));
        let response = connection.response("POST").unwrap();
        assert!(response.complete && response.text() == body, "chunked to {path}");
        // HTTP/1.0 knows no chunks: the end of the connection ends the body.
        let mut old = Connection::open(plimsoll.traffic);
        old.send(format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        let response = old.response("POST").unwrap();
        assert_eq!(response.header("transfer-encoding"), None, "{path}");
        assert!(response.text() == body, "1.0 {path}");
    }
}

#[test]
fn heads_without_bodies_keep_the_connection() {
    let server = Upstream::answering(|request| match request.path() {
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/same" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n".to_vec(),
        _ if request.lines[0].starts_with("HEAD") => {
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_vec()
        }
        _ => ok("after"),
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut connection = Connection::open(plimsoll.traffic);
    for (method, path, status) in [("HEAD", "/", 200), ("GET", "/none", 204), ("GET", "/same", 304)]
    {
        connection.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(connection.response(method).unwrap().status, status);
    }
    assert_eq!(connection.get("/").text(), "after");
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_client_that_expects_100_continue_gets_it_before_its_body() {
    let server = Upstream::start(|mut stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
            head.push(byte[0]);
        }
        assert!(String::from_utf8_lossy(&head).to_lowercase().contains("expect: 100-continue"));
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = [0; 5];
        let _ = stream.read_exact(&mut body);
        let _ = stream.write_all(&ok(std::str::from_utf8(&body).unwrap()));
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut connection = Connection::open(plimsoll.traffic);
    connection
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(connection.response("POST").unwrap().status, 100);
    connection.send("hello");
    assert_eq!(connection.response("POST").unwrap().text(), "hello");
}

#[test]
fn a_server_does_not_work_on_for_a_client_that_left() {
    // Says something or nothing, then waits until the connection ends.
    let server = Upstream::start(|mut stream| {
        let mut head = [0; 512];
        let count = stream.read(&mut head).unwrap_or_default();
        if head[..count].starts_with(b"GET /events") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nevent");
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let more = "timeouts = { header = \"1h\", body = \"1h\" }\n";
    let plimsoll = Plimsoll::up(&service(&[&server], more));
    let in_flight = || plimsoll.status()["services"][0]["servers"][0]["in_flight"].clone();
    for path in ["/silence", "/events"] {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        if path == "/events" {
            let mut seen = Vec::new();
            while !seen.ends_with(b"event\r\n") {
                let mut byte = [0];
                connection.stream.read_exact(&mut byte).unwrap();
                seen.push(byte[0]);
            }
        }
        plimsoll.wait("the request is at the server", || in_flight() == 1);
        drop(connection);
        plimsoll.wait("the server is left alone", || in_flight() == 0);
    }
}

#[test]
fn a_client_that_ended_its_side_still_gets_the_answer() {
    let (ended, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Upstream::answering(move |_| {
        wait.lock().unwrap().recv().unwrap();
        ok("hello")
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut connection = Connection::open(plimsoll.traffic);
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.stream.shutdown(std::net::Shutdown::Write).unwrap();
    ended.send(()).unwrap();
    assert_eq!(connection.response("GET").unwrap().text(), "hello");
}

#[test]
fn a_client_that_ended_its_side_may_wait_for_a_slow_answer() {
    let (answer, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Upstream::answering(move |_| {
        wait.lock().unwrap().recv().unwrap();
        ok("hello")
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let open = |version: &str| {
        let mut connection = Connection::open(plimsoll.traffic);
        connection.send(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        connection.stream.shutdown(std::net::Shutdown::Write).unwrap();
        connection
    };
    let (mut old, mut new) = (open("1.0"), open("1.1"));
    // After a while Plimsoll asks who is there, where it can. Only then does the server answer.
    assert_eq!(new.response("GET").unwrap().status, 100);
    answer.send(()).unwrap();
    answer.send(()).unwrap();
    for connection in [&mut old, &mut new] {
        let response = connection.response("GET").unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    }
}

#[test]
fn an_early_answer_reaches_the_client_while_it_still_sends() {
    let server = Upstream::start(|mut stream| {
        let mut head = [0; 512];
        let _ = stream.read(&mut head);
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let mut connection = Connection::open(plimsoll.traffic);
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
    let response = connection.response("POST").unwrap();
    assert_eq!((response.status, response.text().as_str()), (403, "no"));
}

#[test]
fn an_upgrade_is_a_tunnel_only_after_101() {
    let server = Upstream::start(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        let Some(request) = Request::read(&mut reader) else { return };
        if request.path() == "/no" {
            let _ = writer.write_all(&ok("no tunnel"));
            let _ = Request::read(&mut reader);
            let _ = writer.write_all(&ok("a plain request"));
            return;
        }
        assert_eq!(request.header("upgrade"), Some("echo"));
        assert!(request.header("connection").unwrap().eq_ignore_ascii_case("upgrade"));
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nready";
        let _ = writer.write_all(head.as_bytes());
        let _ = std::io::copy(&mut reader, &mut writer);
    });
    let plimsoll = Plimsoll::up(&service(&[&server], ""));
    let ask = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    };
    let mut tunnel = Connection::open(plimsoll.traffic);
    tunnel.send(ask("/yes") + "early ");
    let head = tunnel.response("GET").unwrap();
    assert_eq!((head.status, head.header("upgrade")), (101, Some("echo")));
    tunnel.send("GET /smuggled HTTP/1.1\r\n\r\n");
    tunnel.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let echoed = String::from_utf8(tunnel.rest()).unwrap();
    assert_eq!(echoed, "readyearly GET /smuggled HTTP/1.1\r\n\r\n");

    let mut plain = Connection::open(plimsoll.traffic);
    plain.send(ask("/no"));
    assert_eq!(plain.response("GET").unwrap().text(), "no tunnel");
    assert_eq!(plain.get("/").text(), "a plain request");
}

#[test]
fn listed_statuses_are_retried_on_another_server() {
    let bad = Upstream::answering(|_| {
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad".to_vec()
    });
    let good = Upstream::text("good");
    let more = "retry = { on = [\"connect\", \"timeout\", 502, 503, 504], tries = 3, within = \"10s\" }\n\
                passive = { max_fails = 0 }";
    let plimsoll = Plimsoll::up(&service(&[&bad, &good], more));
    for _ in 0..10 {
        assert_eq!(plimsoll.get("/").text(), "good");
    }
    assert!(!bad.seen().is_empty());
    // A body that fits the buffer is sent again as it was.
    let put = http::request(plimsoll.traffic, "PUT", "/", &[], &[b'x'; 1000]);
    assert_eq!(put.text(), "good");
    assert!(plimsoll.metric("plimsoll_service_retries_total", &["web"]) >= 5.0);
}

#[test]
fn upstream_connections_are_reused_and_a_stale_one_costs_nothing() {
    let server = Upstream::start(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        // Three answers a connection, then it is closed without a word.
        for _ in 0..3 {
            if Request::read(&mut reader).is_none() {
                return;
            }
            let _ = writer.write_all(&ok("fine"));
        }
    });
    let plimsoll = Plimsoll::up(&format!("workers = 1\n{}", service(&[&server], "")));
    let mut connection = Connection::open(plimsoll.traffic);
    for _ in 0..30 {
        assert_eq!(connection.get("/").text(), "fine");
    }
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 10);
}

#[test]
fn unix_sockets_are_upstreams_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                while stream.read(&mut head).is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(&ok("by socket"));
                }
            });
        }
    });
    let plimsoll = Plimsoll::up(&format!(
        "[service.web]\nservers = [{{ at = \"unix:{}\" }}]\nhealth = {{ path = \"/\" }}\n",
        path.display()
    ));
    plimsoll.wait_healthy("web", 1);
    assert_eq!(plimsoll.get("/").text(), "by socket");
}
