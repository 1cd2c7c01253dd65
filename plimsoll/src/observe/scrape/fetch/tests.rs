use std::net::SocketAddr;

use super::super::peers::{Answer, Peer, packed, page, reply};
use super::*;
use crate::config::model::Address;

const BODY_BYTES: u64 = 1 << 20;

async fn ask_url(endpoint: &HttpEndpoint, timeout: Duration) -> Result<Page, Failure> {
    let large = LargeBodies::new(1);
    let bounds = Bounds { timeout, body_bytes: BODY_BYTES, large: &large };
    let reader = outbound::verifier(endpoint).and_then(|verifier| Reader::new(verifier, true));
    url(reader, endpoint, &endpoint.url, bounds).await
}

async fn ask_server(address: &Address, path: &str) -> Result<Page, Failure> {
    let large = LargeBodies::new(1);
    let timeout = Duration::from_secs(60);
    server(address, path, None, Bounds { timeout, body_bytes: BODY_BYTES, large: &large }).await
}

fn told(result: Result<Page, Failure>) -> String {
    match result {
        Ok(page) => String::from_utf8(page.body).unwrap(),
        Err(failure) => failure.to_string(),
    }
}

/// An address where nobody listens.
async fn nowhere() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn troublesome() -> Peer {
    let metrics = ("content-type", "text/plain; version=0.0.4");
    let bomb = packed(&vec![b'#'; 4 << 20]);
    assert!(bomb.len() < 10_000);
    Peer::new(&[
        ("/metrics", page("a 1\n")),
        ("/html", reply("200 OK", &[("content-type", "text/html")], b"<html>")),
        ("/nothing-said", reply("200 OK", &[], b"a 1\n")),
        ("/packed", reply("200 OK", &[metrics, ("content-encoding", "gzip")], &packed(b"a 2\n"))),
        ("/bomb", reply("200 OK", &[metrics, ("content-encoding", "gzip")], &bomb)),
        ("/endless", Answer::Endless(b"# and so on\n".repeat(1000))),
        (
            "/cut",
            Answer::Bytes(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\na 1\n"
                    .to_vec(),
            ),
        ),
        ("/garbage", Answer::Bytes(b"\x00\x01\x02 no HTTP\r\n\r\n".to_vec())),
        ("/moved", reply("302 Found", &[("location", "/metrics")], b"")),
        ("/round", reply("302 Found", &[("location", "/round")], b"")),
        ("/away", reply("302 Found", &[("location", "http://elsewhere.invalid/login")], b"")),
    ])
}

/// One table for both ways of asking: path, what a listed URL is told, what a server is told.
const NOT_METRICS: &str = "which is no metrics format; `text/plain; version=0.0.4` and \
     `application/openmetrics-text; version=1.0.0` are read";

#[tokio::test]
async fn each_kind_of_answer_has_its_words() {
    let peer = troublesome();
    let at = peer.listen().await;
    let html = format!("sends Content-Type `text/html`, {NOT_METRICS}");
    let nothing = format!("sends no Content-Type, {NOT_METRICS}");
    let large = "larger than 1 MiB (observe.scrape.max_body)";
    for (path, of_url, of_server) in [
        ("/metrics", "a 1\n", "a 1\n"),
        ("/html", html.as_str(), html.as_str()),
        ("/nothing-said", &nothing, &nothing),
        ("/absent", "answered 404 Not Found", "answered 404 Not Found"),
        ("/packed", "a 2\n", "the answer is packed (gzip), and nobody asked for it"),
        ("/bomb", large, "the answer is packed (gzip), and nobody asked for it"),
        ("/endless", large, large),
        ("/moved", "a 1\n", "a 1\n"),
        ("/round", "too many redirects", "answered 302 Found, a redirect to /round"),
    ] {
        let endpoint = HttpEndpoint::open(format!("http://{at}{path}"));
        assert_eq!(told(ask_url(&endpoint, Duration::from_secs(60)).await), of_url, "{path}");
        assert_eq!(told(ask_server(&Address::Tcp(at), path).await), of_server, "{path}");
    }
    for path in ["/cut", "/garbage"] {
        let endpoint = HttpEndpoint::open(format!("http://{at}{path}"));
        for result in [
            ask_url(&endpoint, Duration::from_secs(60)).await,
            ask_server(&Address::Tcp(at), path).await,
        ] {
            assert!(matches!(result, Err(Failure::Connection(_))), "{path} {result:?}");
        }
    }
    let away = told(ask_server(&Address::Tcp(at), "/away").await);
    assert_eq!(away, "answered 302 Found, a redirect to http://elsewhere.invalid/login");
}

#[tokio::test]
async fn nobody_there_and_no_answer_are_told_apart() {
    let gone = nowhere().await;
    let endpoint = HttpEndpoint::open(format!("http://{gone}/metrics"));
    let long = Duration::from_secs(60);
    assert_eq!(told(ask_url(&endpoint, long).await), "connection refused");
    assert_eq!(told(ask_server(&Address::Tcp(gone), "/metrics").await), "connection refused");
    let unix = Address::Unix("/nowhere/at/all.sock".into());
    let words = "/nowhere/at/all.sock: no such file or directory";
    assert_eq!(told(ask_server(&unix, "/metrics").await), words);
    let peer = Peer::new(&[("/metrics", Answer::Silence)]);
    let endpoint = HttpEndpoint::open(format!("http://{}/metrics", peer.listen().await));
    let short = Duration::from_millis(50);
    assert_eq!(told(ask_url(&endpoint, short).await), "no answer in 50ms");
}

#[tokio::test]
async fn a_target_is_told_who_asks_for_what_and_how_long_there_is() {
    let peer = Peer::new(&[("/metrics", page("a 1\n"))]);
    let at = peer.listen().await;
    let endpoint = HttpEndpoint {
        basic: Some(("me".to_owned(), "secret".to_owned())),
        headers: vec![("x-tenant".to_owned(), "7".to_owned())],
        ..HttpEndpoint::open(format!("http://{at}/metrics"))
    };
    assert_eq!(told(ask_url(&endpoint, Duration::from_millis(2500)).await), "a 1\n");
    assert_eq!(told(ask_server(&Address::Tcp(at), "/metrics").await), "a 1\n");
    let heads = peer.heads();
    for (head, wanted) in [
        (&heads[0], "authorization: Basic bWU6c2VjcmV0"),
        (&heads[0], "x-tenant: 7"),
        (&heads[0], "accept-encoding: gzip"),
        (&heads[0], "x-prometheus-scrape-timeout-seconds: 2.5"),
        (&heads[0], concat!("user-agent: plimsoll/", env!("CARGO_PKG_VERSION"))),
        (&heads[0], "accept: application/openmetrics-text;version=1.0.0"),
        (&heads[1], "x-prometheus-scrape-timeout-seconds: 60"),
        (&heads[1], "accept: application/openmetrics-text;version=1.0.0"),
    ] {
        let found =
            head.lines().any(|line| line.to_lowercase().starts_with(&wanted.to_lowercase()));
        assert!(found, "{wanted} in\n{head}");
    }
}

#[tokio::test]
async fn a_server_on_a_unix_socket_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let peer = Peer::new(&[
        ("/metrics", reply("307 Temporary Redirect", &[("location", "/metrics/")], b"")),
        ("/metrics/", page("a 3\n")),
    ]);
    peer.listen_at(&path);
    assert_eq!(told(ask_server(&Address::Unix(path), "/metrics").await), "a 3\n");
}

#[tokio::test]
async fn a_certificate_is_trusted_if_its_issuer_is_or_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let peer = Peer::new(&[("/metrics", page("a 4\n"))]);
    let long = Duration::from_secs(60);
    let remedy = "with ca = \"FILE\", or, to go on without trust, write insecure = true";
    let issuing = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (is_ca, words) in [
        (
            rcgen::IsCa::NoCa,
            "comes from an issuer that is not trusted; name the issuer's certificate",
        ),
        (
            issuing,
            "is one for issuing others, as `openssl req -x509` makes; name that very certificate",
        ),
    ] {
        let mut parameters = localhost();
        parameters.is_ca = is_ca;
        let port = peer.listen_tls_with(parameters, &file).await.port();
        let open = HttpEndpoint::open(format!("https://localhost:{port}/metrics"));
        let expected = format!("the certificate of the server {words} {remedy}");
        assert_eq!(told(ask_url(&open, long).await), expected);
        let trusting = HttpEndpoint { ca: Some(file.clone()), ..open.clone() };
        assert_eq!(told(ask_url(&trusting, long).await), "a 4\n");
        let insecure = HttpEndpoint { insecure: true, ..open.clone() };
        assert_eq!(told(ask_url(&insecure, long).await), "a 4\n");
        let missing = HttpEndpoint { ca: Some(folder.path().join("none.pem")), ..open };
        let words = told(ask_url(&missing, long).await);
        assert!(words.starts_with("cannot use the certificates of"), "{words}");
    }
}

fn localhost() -> rcgen::CertificateParams {
    rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
}

/// Asks for metrics; the answer.
async fn read(reader: &Reader, endpoint: &HttpEndpoint) -> String {
    let large = LargeBodies::new(1);
    let bounds = Bounds { timeout: Duration::from_secs(60), body_bytes: BODY_BYTES, large: &large };
    told(url(Ok(reader.clone()), endpoint, &endpoint.url, bounds).await)
}

#[tokio::test]
async fn the_end_of_a_certificate_is_known_also_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let peer = Peer::new(&[("/metrics", page("a 4\n"))]);
    for (year, ends, words) in [
        (2099, 4_070_908_800, "a 4\n"),
        (
            2020,
            1_577_836_800,
            "the certificate of the server expired on 2020-01-01; to go on without trust, write \
             insecure = true",
        ),
    ] {
        let mut parameters = localhost();
        parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let port = peer.listen_tls_with(parameters, &file).await.port();
        let open = HttpEndpoint::open(format!("https://localhost:{port}/metrics"));
        let endpoint = HttpEndpoint { ca: Some(file.clone()), ..open.clone() };
        let reader = Reader::new(outbound::verifier(&endpoint).unwrap(), true).unwrap();
        assert_eq!(reader.expires_at(), None);
        assert_eq!(read(&reader, &endpoint).await, words);
        assert_eq!(reader.expires_at(), Some(ends));
        let insecure = HttpEndpoint { insecure: true, ..open };
        let reader = Reader::new(outbound::verifier(&insecure).unwrap(), true).unwrap();
        assert_eq!(read(&reader, &insecure).await, "a 4\n");
        assert_eq!(reader.expires_at(), Some(ends));
    }
}

#[tokio::test]
async fn a_connection_with_tls_is_closed_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let peer = Peer::new(&[("/metrics", page("a 4\n"))]);
    let port = peer.listen_tls_with(localhost(), &file).await.port();
    let endpoint = HttpEndpoint {
        ca: Some(file),
        ..HttpEndpoint::open(format!("https://localhost:{port}/metrics"))
    };
    let mut reader = Reader::new(outbound::verifier(&endpoint).unwrap(), true).unwrap();
    for age_max in [Duration::MAX, Duration::MAX, Duration::ZERO] {
        reader.age_max = age_max;
        assert_eq!(read(&reader, &endpoint).await, "a 4\n");
    }
    let asks = |head: &String| head.to_lowercase().contains("connection: close");
    assert_eq!(peer.heads().iter().map(asks).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn servers_with_tls_have_readers_of_their_own() {
    let of = |url: &str| super::super::targets::tests::wanted(HttpEndpoint::open(url));
    let targets = ["https://a/1", "https://a/2", "https://b/", "http://c/", "http://d/"].map(of);
    let mut readers = Readers::default();
    readers.renew(&targets);
    let presented = |target: &Wanted| readers.of(target).unwrap().presented;
    let [a, same, b, c, d] = targets.each_ref().map(presented);
    assert!(Arc::ptr_eq(a.as_ref().unwrap(), same.as_ref().unwrap()));
    assert!(!Arc::ptr_eq(a.as_ref().unwrap(), b.as_ref().unwrap()));
    assert!(c.is_none() && d.is_none());
    // What is there is kept, what is not needed is not.
    readers.renew(&targets[..1]);
    let kept = readers.of(&targets[0]).unwrap().presented;
    assert!(Arc::ptr_eq(&a.unwrap(), &kept.unwrap()));
    assert!(readers.of(&targets[2]).is_err());
}

#[test]
fn certificates_are_read_again_with_another_configuration_and_then_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let endpoint = HttpEndpoint { ca: Some(file.clone()), ..HttpEndpoint::open("https://a/") };
    let wanted = super::super::targets::tests::wanted(endpoint);
    let mut readers = Readers::default();
    readers.renew(std::slice::from_ref(&wanted));
    assert!(readers.of(&wanted).is_err(), "there is no such file");
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
    std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    readers.renew(std::slice::from_ref(&wanted));
    assert!(readers.of(&wanted).is_err(), "a server that comes or goes reads no files");
    readers.forget_files();
    readers.renew(std::slice::from_ref(&wanted));
    assert!(readers.of(&wanted).is_ok());
}

#[tokio::test]
async fn large_bodies_wait_for_a_place() {
    let large = LargeBodies::new(1);
    let taken = large.0.acquire().await.unwrap();
    let body = "a 1\n".repeat(SMALL_BODY_BYTES / 4 + 1);
    let peer = Peer::new(&[("/large", page(&body)), ("/metrics", page("a 1\n"))]);
    let at = Address::Tcp(peer.listen().await);
    let ask = |path, timeout| {
        let bounds = Bounds { timeout, body_bytes: BODY_BYTES, large: &large };
        server(&at, path, None, bounds)
    };
    assert_eq!(told(ask("/metrics", Duration::from_secs(60)).await), "a 1\n");
    let waited = ask("/large", Duration::from_millis(50)).await;
    assert_eq!(told(waited), "no answer in 50ms");
    drop(taken);
    let page = ask("/large", Duration::from_secs(60)).await.unwrap();
    assert_eq!(page.body.len(), body.len());
    // Its place is taken for as long as it is in memory.
    assert_eq!(large.0.available_permits(), 0);
    drop(page);
    assert_eq!(large.0.available_permits(), 1);
}
