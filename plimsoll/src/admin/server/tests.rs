//! A real server on port 0 with an app made up of fixed answers, asked over TCP.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::status::{State, samples};
use super::super::{Drained, Refusal, RefusalKind, Restarted, Tried};
use super::*;

/// Answers as a running Plimsoll would; only the service `web` with the server `a/b` exists.
async fn app(mut commands: mpsc::Receiver<Command>) {
    let missing = |what: &str| Refusal {
        kind: RefusalKind::NotFound,
        error: format!("there is no {what}"),
        remedy: "`plimsoll status` lists them".to_owned(),
        details: Vec::new(),
    };
    while let Some(command) = commands.recv().await {
        match command {
            Command::Status(reply) => drop(reply.send(samples::troubled())),
            Command::Metrics(reply) => drop(reply.send("up 1\n".to_owned())),
            Command::Reload(reply) => drop(reply.send(Err(Refusal {
                kind: RefusalKind::Invalid,
                error: "plimsoll.toml has 1 mistake".to_owned(),
                remedy: "correct it and reload again".to_owned(),
                details: vec!["plimsoll.toml:3: unknown key `lisen`".to_owned()],
            }))),
            Command::Restart { service, reply } => drop(reply.send(if service == "web" {
                Ok(Restarted { service, steps: Vec::new(), took_seconds: 1.0 })
            } else {
                Err(missing("service"))
            })),
            Command::Drain { service, server, undo, reply } => {
                drop(reply.send(if server == "a/b" {
                    let warnings = Vec::new();
                    Ok(Drained {
                        service,
                        server,
                        draining: !undo,
                        changed: true,
                        state: if undo { State::Healthy } else { State::Draining },
                        reason: "an operator drains it".to_owned(),
                        in_flight: 2,
                        warnings,
                    })
                } else {
                    Err(missing("server"))
                }));
            }
            Command::TryReceiver { receiver, reply } => drop(reply.send(match &*receiver {
                "ops" => Ok(Tried { receiver, answer: "it answered 200 OK".to_owned() }),
                _ => Err(missing("receiver")),
            })),
        }
    }
}

/// What the app mounts: says how many bytes it got, and from where.
fn mounted() -> Router {
    let echo = |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: axum::body::Bytes| async move {
        format!("{} bytes from {}", body.len(), peer.ip())
    };
    let inner = Router::new()
        .route("/api/v1/query", get(echo).post(echo))
        .route("/api/v1/write", post(echo))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not mounted") })
        .layer(DefaultBodyLimit::max(2 * BODY_BYTES_MAX));
    Router::new().nest("/prometheus", inner)
}

/// Starts a server; it ends with the runtime of the test.
fn start(token: Option<&str>) -> SocketAddr {
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = admin.address();
    let (commands, receiver) = mpsc::channel(4);
    tokio::spawn(app(receiver));
    tokio::spawn(serve(admin, token.map(str::to_owned), commands, mounted()));
    address
}

/// Sends `request` (its lines split by ` | `) and returns the whole answer.
async fn ask(address: SocketAddr, request: &str) -> String {
    let (head, body) = request.split_once(" || ").unwrap_or((request, ""));
    let head = head.replace(" | ", "\r\n").replacen("\r\n", " HTTP/1.1\r\n", 1);
    let length = body.len();
    let text = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    answer
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
        .unwrap_or("")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn answers_each_route() {
    let address = start(None);
    for (request, status, expected) in [
        ("GET / | Host: localhost", 200, "web has too few healthy servers"),
        ("GET /api/status | Host: localhost", 200, "{\"version\":\"0.1.0\",\"pid\":4200,"),
        ("GET /metrics | Host: localhost", 200, "up 1\n"),
        ("GET /-/healthy | Host: localhost", 200, "Plimsoll is up.\n"),
        ("GET /-/ready | Host: localhost", 200, "Plimsoll is ready.\n"),
        ("GET /assets/status.css | Host: localhost", 200, "color-scheme"),
        ("GET /assets/status.js | Host: localhost", 200, "use strict"),
        ("GET /assets/icon.svg | Host: localhost", 200, "<svg"),
        ("GET /login | Host: localhost", 303, ""),
        (
            "POST /api/reload | Host: localhost | X-Plimsoll: 1",
            422,
            "{\"error\":\"plimsoll.toml has 1 mistake\",\"remedy\":\"correct it and reload again\",\
             \"details\":[\"plimsoll.toml:3: unknown key `lisen`\"]}",
        ),
        (
            "POST /api/services/web/restart | Host: localhost | X-Plimsoll: 1",
            200,
            "{\"service\":\"web\",\"steps\":[],\"took_seconds\":1.0}",
        ),
        (
            "POST /api/services/wbe/restart | Host: localhost | X-Plimsoll: 1",
            404,
            "{\"error\":\"there is no service\",\"remedy\":\"`plimsoll status` lists them\"}",
        ),
        (
            "POST /api/services/web/servers/a%2Fb/drain | Host: localhost | X-Plimsoll: 1",
            200,
            "\"server\":\"a/b\",\"draining\":true",
        ),
        (
            "DELETE /api/services/web/servers/a%2Fb/drain | Host: localhost | X-Plimsoll: 1",
            200,
            "\"draining\":false",
        ),
        (
            "POST /api/services/web/servers/a%2Fb/drain?undo | Host: localhost | X-Plimsoll: 1",
            200,
            "\"draining\":false",
        ),
        ("POST /api/reload | Host: localhost", 403, "send the header `X-Plimsoll: 1`"),
        ("GET / | Host: evil.example", 403, "neither localhost nor an IP address"),
        ("GET /api/reload | Host: localhost", 405, "GET is nothing that /api/reload answers"),
        ("GET /nothing | Host: localhost", 404, "\"there is no /nothing\",\"remedy\":\"there are:"),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(body(&answer).contains(expected), "{request}: {answer}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{request}");
        assert_eq!(header(&answer, "x-frame-options"), "DENY", "{request}");
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"));
    }
    let metrics = ask(address, "GET /metrics | Host: localhost").await;
    assert_eq!(header(&metrics, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn the_token_opens_a_session() {
    let address = start(Some("s3cret & more"));
    let answer = ask(address, "GET / | Host: h").await;
    assert!(answer.starts_with("HTTP/1.1 303 ") && header(&answer, "location") == "/login");
    let answer = ask(address, "GET /api/status | Host: h").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(header(&answer, "www-authenticate"), "Bearer realm=\"plimsoll\"");

    let form = "POST /login | Host: h | Origin: http://h | \
                Content-Type: application/x-www-form-urlencoded";
    let answer = ask(address, &format!("{form} || token=wrong")).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("That is not the token."));
    assert_eq!(header(&answer, "set-cookie"), "");
    let answer = ask(address, &format!("{form} || token=s3cret+%26+more")).await;
    assert!(answer.starts_with("HTTP/1.1 303 ") && header(&answer, "location") == "/", "{answer}");
    let cookie = header(&answer, "set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("s3cret"), "the cookie is not the token");

    let session = cookie.split(';').next().unwrap();
    let page = format!("GET / | Host: h | Cookie: {session}");
    let answer = ask(address, &page).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Sign out"), "{answer}");
    let leave = format!("POST /logout | Host: h | Origin: http://h | Cookie: {session}");
    assert_eq!(header(&ask(address, &leave).await, "location"), "/login");
    let answer = ask(address, &page).await;
    assert!(answer.starts_with("HTTP/1.1 303 "), "the session is closed: {answer}");
}

/// No handler sees such a request.
#[tokio::test]
async fn a_target_that_is_too_long_is_refused_with_words() {
    let address = start(None);
    let query = "x".repeat(70_000);
    let request = format!("GET /prometheus/api/v1/query?query={query} | Host: localhost");
    let answer = ask(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 414 URI Too Long\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-type"), "application/json");
    let told: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(told["errorType"], "bad_data");
    assert!(told["error"].as_str().unwrap().contains("in the body of a POST"), "{told}");
}

/// Neither does one see this.
#[tokio::test]
async fn a_target_with_raw_quotes_is_refused_with_words() {
    let address = start(None);
    let request = "GET /prometheus/federate?match[]={job=\"app\"} | Host: localhost";
    let answer = ask(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    let told: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(told["errorType"], "bad_data");
    assert!(told["error"].as_str().unwrap().contains("write %22"), "{told}");
}

#[tokio::test]
async fn large_forms_are_refused() {
    let address = start(Some("s3cret"));
    let form = "POST /login | Host: h | Origin: http://h | \
                Content-Type: application/x-www-form-urlencoded";
    let answer = ask(address, &format!("{form} || token={}", "x".repeat(BODY_BYTES_MAX))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_stopping_app_is_told() {
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = admin.address();
    let (commands, receiver) = mpsc::channel(4);
    drop(receiver);
    tokio::spawn(serve(admin, None, commands, Router::new()));
    for (request, expected) in [
        ("GET / | Host: localhost", "<!doctype html>"),
        ("GET /api/status | Host: localhost", "{\"error\":\"Plimsoll is stopping\""),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(body(&answer).starts_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn commands_are_bounded() {
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = admin.address();
    let (commands, _never_read) = mpsc::channel(1);
    let (reply, _answer) = tokio::sync::oneshot::channel();
    commands.try_send(Command::Metrics(reply)).unwrap();
    tokio::spawn(serve(admin, None, commands, Router::new()));
    let answer = ask(address, "GET /api/status | Host: localhost").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("too many commands are waiting"), "{answer}");
}

#[tokio::test]
async fn what_is_mounted_has_our_rules_and_its_own_bounds() {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let query = format!("POST /prometheus/api/v1/query | {form}");
    let (fits, large) = ("x".repeat(2 * BODY_BYTES_MAX), "x".repeat(2 * BODY_BYTES_MAX + 1));
    let address = start(None);
    for (request, status, expected) in [
        (format!("{query} | Host: localhost || {fits}"), 200, "8192 bytes from 127.0.0.1"),
        (format!("{query} | Host: localhost || {large}"), 413, ""),
        (format!("{query} | Host: evil.example || x"), 403, "neither localhost"),
        (format!("{query} | Host: localhost | Origin: http://evil.example || x"), 403, "another"),
        (format!("POST /prometheus/api/v1/write | {form} | Host: localhost || x"), 403, "another"),
        ("GET /prometheus/nothing | Host: localhost".to_owned(), 404, "not mounted"),
        ("GET /nothing | Host: localhost".to_owned(), 404, "there is no /nothing"),
    ] {
        let answer = ask(address, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(body(&answer).contains(expected), "{answer}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    let address = start(Some("s3cret"));
    // `:s3cret`
    let basic = "Authorization: Basic OnMzY3JldA==";
    for (lines, status) in [(basic, 200), ("Accept: */*", 401)] {
        let answer = ask(address, &format!("{query} | Host: h | {lines} || x")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        // Our own page signs in by its form, so that no browser is to ask for a password there.
        let challenges = answer.matches("www-authenticate: Basic realm=\"plimsoll\"\r\n").count()
            + answer.matches("www-authenticate: Bearer realm=\"plimsoll\"\r\n").count();
        assert_eq!(challenges, if status == 401 { 2 } else { 0 }, "{answer}");
    }
}
