//! Checks against real sockets: a thread that accepts once and plays a server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";

fn http(path: &str, body: Option<&str>) -> HealthCheck {
    HealthCheck {
        kind: HealthCheckKind::Http {
            path: path.to_owned(),
            headers: vec![("X-Probe".to_owned(), "yes".to_owned())],
            statuses: vec![(200, 399)],
            body: body.map(|pattern| Regex::new(pattern).unwrap()),
        },
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(60),
        rise: 1,
        fall: 1,
        jitter: 0.0,
    }
}

fn tcp() -> HealthCheck {
    HealthCheck { kind: HealthCheckKind::Tcp, ..http("/", None) }
}

/// Answers one connection with `reply`, and returns what was asked.
fn read_head(stream: &mut impl Read) -> Vec<u8> {
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        asked.push(byte[0]);
    }
    asked
}

fn serve(mut stream: impl Read + Write, reply: &str) -> String {
    let asked = read_head(&mut stream);
    // The check may have seen enough and left.
    let _ = stream.write_all(reply.as_bytes());
    String::from_utf8(asked).unwrap()
}

fn server(reply: &str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reply = reply.to_owned();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0, &reply)))
}

async fn verdict(with: &HealthCheck, address: SocketAddr) -> Result<String, String> {
    let verdict = check(with, &Address::Tcp(address), Endpoint::Tcp(address)).await;
    verdict.map_err(|failure| failure.text)
}

/// The verdict on a server that gives `reply`.
async fn on(with: &HealthCheck, reply: &str) -> Result<String, String> {
    let (address, server) = server(reply);
    let verdict = verdict(with, address).await;
    server.join().unwrap();
    verdict
}

#[tokio::test]
async fn asks_as_it_should() {
    let (address, server) = server(OK);
    let seen = verdict(&http("/health/?deep=1", None), address).await;
    assert_eq!(seen.unwrap(), "GET /health/?deep=1 answered 200");
    let asked = server.join().unwrap().to_ascii_lowercase();
    assert!(asked.starts_with("get /health/?deep=1 http/1.1\r\n"), "{asked}");
    for header in [
        &format!("host: {address}\r\n"),
        &format!("user-agent: plimsoll-health/{}\r\n", env!("CARGO_PKG_VERSION")),
        "connection: close\r\n",
        "x-probe: yes\r\n",
    ] {
        assert!(asked.contains(header), "{header} is missing in {asked}");
    }
}

#[tokio::test]
async fn a_configured_host_replaces_the_address() {
    let mut with = http("/", None);
    let HealthCheckKind::Http { headers, .. } = &mut with.kind else { unreachable!() };
    headers.push(("Host".to_owned(), "shop.example".to_owned()));
    let (address, server) = server(OK);
    verdict(&with, address).await.unwrap();
    let asked = server.join().unwrap().to_ascii_lowercase();
    assert!(asked.contains("host: shop.example\r\n"), "{asked}");
    assert_eq!(asked.matches("host:").count(), 1, "{asked}");
}

#[tokio::test]
async fn judges_statuses_and_bodies() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}ready", "x".repeat(BODY_BYTES));
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nready";
    for (body, reply, expected) in [
        (None, "HTTP/1.1 204 No Content\r\n\r\n", Ok("GET /h answered 204")),
        (None, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", Ok("GET /h answered 302")),
        (None, "HTTP/1.0 200 OK\r\n\r\nanything", Ok("GET /h answered 200")),
        (
            None,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Err("GET /h answered 404, not 200-399"),
        ),
        (
            None,
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
            Err("GET /h answered 500, not 200-399"),
        ),
        (None, broken, Ok("GET /h answered 200")),
        (Some("^rea+dy$"), OK, Ok("GET /h answered 200 with a body as expected")),
        (Some("steady"), OK, Err("GET /h answered 200, but its body does not match \"steady\"")),
        (Some("ready"), "HTTP/1.1 503 No\r\n\r\nready", Err("GET /h answered 503, not 200-399")),
        (
            Some("steady"),
            broken,
            Err("GET /h answered 200, but its body broke off: \
                 the connection was closed in the middle"),
        ),
        // The match is within the first 64 KiB or not at all.
        (
            Some("ready"),
            &endless,
            Err("GET /h answered 200, but its body does not match \"ready\""),
        ),
        (None, "SSH-2.0-OpenSSH_9.2\r\n", Err("GET /h failed: the answer is not HTTP")),
        (None, "", Err("GET /h failed: the connection was closed before the answer was complete")),
    ] {
        let got = on(&http("/h", body), reply).await;
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{:.40}", reply);
    }
}

#[tokio::test]
async fn an_endless_head_is_cut() {
    let reply = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * HEAD_BYTES));
    let got = on(&http("/h", None), &reply).await;
    assert_eq!(got.unwrap_err(), "GET /h failed: the head of the answer is larger than 64 KiB");
}

#[tokio::test]
async fn an_endless_body_is_left() {
    for (body, expected) in [
        (None, Ok("GET /h answered 200")),
        (Some("ready"), Err("GET /h answered 200, but its body does not match \"ready\"")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            // An answer before the question is none.
            read_head(&mut stream);
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            // Until the check hangs up.
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 4096]);
            }
        });
        let got = verdict(&http("/h", body), address).await;
        assert_eq!(got.as_deref().map_err(String::as_str), expected);
        server.join().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_costs_the_timeout() {
    // The kernel accepts; nobody ever answers. The paused clock jumps to the deadline.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut with = http("/health/", None);
    with.timeout = Duration::from_secs(2);
    let before = tokio::time::Instant::now();
    let got = verdict(&with, address).await;
    assert_eq!(got.unwrap_err(), "GET /health/ took longer than 2 s");
    assert_eq!(before.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(verdict(&tcp(), address).await.unwrap(), "it accepts connections");
    drop(listener);
    for with in [tcp(), http("/", None)] {
        let expected = format!("cannot connect to {address}: connection refused");
        assert_eq!(verdict(&with, address).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn unix_sockets_are_checked_alike() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.socket");
    let on = async |with: &HealthCheck, path: &Path| {
        let verdict = check(with, &Address::Unix(path.to_owned()), Endpoint::Unix(path)).await;
        verdict.map_err(|failure| failure.text)
    };
    let missing = format!("cannot connect to {}: no such socket", path.display());
    assert_eq!(on(&tcp(), &path).await.unwrap_err(), missing);

    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(on(&tcp(), &path).await.unwrap(), "it accepts connections");
    let server = thread::spawn(move || {
        // The first connection is that of the TCP check.
        drop(listener.accept().unwrap());
        serve(listener.accept().unwrap().0, OK)
    });
    assert_eq!(on(&http("/h", None), &path).await.unwrap(), "GET /h answered 200");
    let asked = server.join().unwrap().to_ascii_lowercase();
    assert!(asked.contains("host: localhost\r\n"), "{asked}");
}

#[tokio::test]
async fn tells_a_mistake_from_a_wish_for_patience() {
    for (reply, mistaken) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", false),
        (OK, true),
        ("", false),
    ] {
        let (address, server) = server(reply);
        let with = http("/h", Some("never"));
        let failure = check(&with, &Address::Tcp(address), Endpoint::Tcp(address)).await;
        assert_eq!(failure.unwrap_err().mistaken, mistaken, "{reply}");
        server.join().unwrap();
    }
    assert_eq!(list(&[(200, 200), (204, 204), (301, 302)]), "200, 204 or 301-302");
}

#[tokio::test]
async fn host_names_resolve_and_stay() {
    let address = resolve("localhost", 8080, None).await.unwrap();
    assert!(address.ip().is_loopback());
    assert_eq!(resolve("localhost", 8080, Some(address)).await, Ok(address));
    let gone = SocketAddr::from(([192, 0, 2, 1], 8080));
    assert_eq!(resolve("localhost", 8080, Some(gone)).await, Ok(address));
    // A label of 64 letters cannot exist (RFC 1035 section 2.3.4), so nobody is asked.
    let host = "x".repeat(64);
    let error = resolve(&host, 8080, None).await.unwrap_err();
    assert!(error.starts_with(&format!("cannot resolve {host}: ")), "{error}");
    assert!(!error.contains("os error"), "{error}");
}
