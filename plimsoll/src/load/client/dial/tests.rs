//! Connecting to real sockets on the loopback.

use std::io;
use std::net::Ipv4Addr;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::load::client::peers::{connect, echo, listener, origin, settings};
use crate::load::tally::Failure;

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A dialer that knows `host` by these addresses.
fn dialer(settings: HttpSettings, host: &str, addresses: &[IpAddr]) -> Dialer {
    let addresses = HashMap::from([(host.to_owned(), Arc::from(addresses))]);
    Dialer::new(Arc::new(Prepared { settings, addresses, tls: OnceLock::new() }))
}

/// A port of the loopback that is taken, but where nothing listens.
fn silent_port() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(SECOND, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

async fn serve_echo(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        net::spawn(echo(stream));
    }
}

async fn assert_echoes(mut transport: Transport) {
    transport.write_all(b"plimsoll").await.unwrap();
    let mut answer = [0; 8];
    transport.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"plimsoll");
}

#[test]
fn connects_without_tls() {
    net::run(async {
        let (listener, port) = listener().await;
        net::spawn(serve_echo(listener));
        let origin = origin(Scheme::Http, "127.0.0.1", port);
        let dialled = connect(&settings(), &origin, Purpose::Requests).await.unwrap();
        assert!(matches!(dialled.transport, Transport::Plain(_)));
        assert_eq!(dialled.tls_time, None);
        assert!(!dialled.http2, "without TLS nothing agrees on HTTP/2");
        assert!(dialled.transport.socket().is_open());
        assert_echoes(dialled.transport).await;
    })
    .unwrap();
}

#[test]
fn speaks_http2_without_tls_only_if_told_to() {
    net::run(async {
        let (listener, port) = listener().await;
        net::spawn(serve_echo(listener));
        let origin = origin(Scheme::Http, "127.0.0.1", port);
        let settings = HttpSettings { version: HttpVersion::Http2, ..settings() };
        assert!(connect(&settings, &origin, Purpose::Requests).await.unwrap().http2);
        assert!(!connect(&settings, &origin, Purpose::Messages).await.unwrap().http2);
    })
    .unwrap();
}

#[test]
fn refusal_is_told() {
    net::run(async {
        let (_taken, port) = silent_port();
        let origin = origin(Scheme::Http, "127.0.0.1", port);
        let trouble = connect(&settings(), &origin, Purpose::Requests).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Connect);
        assert_eq!(
            trouble.detail,
            format!("connection refused by 127.0.0.1:{port}: nothing is listening there")
        );
        assert!(trouble.before_sending);
    })
    .unwrap();
}

#[test]
fn next_address_is_tried_and_remembered() {
    net::run(async {
        let (listener, port) = listener().await;
        net::spawn(serve_echo(listener));
        let origin = origin(Scheme::Http, "web", port);
        let dialer = dialer(settings(), "web", &[FIRST, SECOND]);
        let host = dialer.resolver.host("web").await.unwrap();
        assert_eq!(host.preferred.get(), 0);
        for _ in 0..2 {
            let dialled = dialer.connect(&origin, Purpose::Requests).await.unwrap();
            assert_eq!(host.preferred.get(), 1);
            assert_echoes(dialled.transport).await;
        }
    })
    .unwrap();
}

#[test]
fn refusal_by_all_addresses_names_them() {
    net::run(async {
        let (_taken, port) = silent_port();
        let dialer = dialer(settings(), "web", &[FIRST, SECOND]);
        let origin = origin(Scheme::Http, "web", port);
        let trouble = dialer.connect(&origin, Purpose::Requests).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Connect);
        assert_eq!(
            trouble.detail,
            format!(
                "connection refused by web (127.0.0.2:{port}): nothing is listening there; \
                 connection refused by web (127.0.0.1:{port}): nothing is listening there"
            )
        );
    })
    .unwrap();
}

#[test]
fn silent_address_does_not_use_up_the_time_of_the_next() {
    net::run(async {
        let (listener, port) = listener().await;
        net::spawn(serve_echo(listener));
        // Takes one connection and then answers no other: its queue is full.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::new(FIRST, port);
        silent.bind(&address.into()).unwrap();
        silent.listen(0).unwrap();
        let _filling = std::net::TcpStream::connect(address).unwrap();
        let settings = HttpSettings { connect_timeout: Duration::from_millis(200), ..settings() };
        let dialer = dialer(settings, "web", &[FIRST, SECOND]);
        let origin = origin(Scheme::Http, "web", port);
        let dialled = dialer.connect(&origin, Purpose::Requests).await.unwrap();
        assert_echoes(dialled.transport).await;
    })
    .unwrap();
}

#[test]
fn unix_socket_stands_in_for_the_host() {
    net::run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            echo(stream).await;
        });
        let settings = HttpSettings { unix: Some(path), ..settings() };
        // The name has no address, and needs none.
        let origin = origin(Scheme::Http, "web.invalid", 80);
        let dialled = connect(&settings, &origin, Purpose::Requests).await.unwrap();
        assert_echoes(dialled.transport).await;
    })
    .unwrap();
}

#[test]
fn missing_unix_socket_is_told() {
    net::run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let settings = HttpSettings { unix: Some(path.clone()), ..settings() };
        let origin = origin(Scheme::Http, "web", 80);
        let trouble = connect(&settings, &origin, Purpose::Requests).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Connect);
        assert_eq!(
            trouble.detail,
            format!("no socket at {}: is the server running?", path.display())
        );
    })
    .unwrap();
}

/// A name that the system refuses without asking the network: a label has 63 letters at most.
fn impossible_name() -> String {
    format!("{}.invalid", "a".repeat(64))
}

#[test]
fn all_hosts_without_address_are_told_before_the_run() {
    let name = impossible_name();
    let other = format!("b{name}");
    let origins = [&name, "127.0.0.1", &other, &name].map(|host| origin(Scheme::Http, host, 80));
    let errors = prepare(&settings(), origins.iter().map(|origin| &**origin)).unwrap_err();
    let hosts: Vec<&str> = errors
        .iter()
        .map(|error| match error {
            PrepareError::Resolve { host, said } => {
                assert!(!said.is_empty() && !said.contains("failed to lookup"), "{said}");
                host.as_str()
            }
            PrepareError::Tls(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(hosts, [&name, &other]);
    let text = errors[0].to_string();
    assert!(text.starts_with(&format!("cannot find the address of {name}: ")), "{text}");
    assert!(text.ends_with(&format!("(getent hosts {name})")), "{text}");
}

#[test]
fn certificates_are_read_before_the_run() {
    let origins = [origin(Scheme::Https, "127.0.0.1", 443)];
    let mut settings = settings();
    settings.tls.server_name = Some("not a name".into());
    let errors = prepare(&settings, origins.iter().map(|origin| &**origin)).unwrap_err();
    assert!(matches!(errors[..], [PrepareError::Tls(tls::ConfigError::Name { .. })]));
}

#[test]
fn hosts_that_were_not_known_are_looked_up_once() {
    net::run(async {
        let dialer = dialer(settings(), "web", &[SECOND]);
        let first = dialer.resolver.host("localhost").await.unwrap();
        let second = dialer.resolver.host("localhost").await.unwrap();
        assert!(std::rc::Rc::ptr_eq(&first, &second));
        assert!(first.addresses.iter().all(IpAddr::is_loopback));
        let address = dialer.resolver.host("::1").await.unwrap();
        assert_eq!(address.addresses[..], ["::1".parse::<IpAddr>().unwrap()]);
    })
    .unwrap();
}

#[test]
fn unknown_host_is_told_during_the_run() {
    net::run(async {
        let name = impossible_name();
        let dialer = dialer(settings(), "web", &[SECOND]);
        let origin = origin(Scheme::Http, &name, 80);
        for _ in 0..2 {
            let trouble = dialer.connect(&origin, Purpose::Requests).await.unwrap_err();
            assert_eq!(trouble.failure, Failure::Resolve);
            assert!(trouble.before_sending);
            let beginning = format!("cannot find the address of {name}: ");
            assert!(trouble.detail.starts_with(&beginning), "{}", trouble.detail);
        }
    })
    .unwrap();
}

#[test]
fn every_fault_has_its_words() {
    let cases = [
        (libc::ECONNREFUSED, Failure::Connect, "connection refused by P: nothing is listening"),
        (libc::ETIMEDOUT, Failure::ConnectTimeout, "no answer from P: it may be down"),
        (libc::ENETUNREACH, Failure::Connect, "no way to P: network is unreachable"),
        (libc::EHOSTUNREACH, Failure::Connect, "no way to P: no route to host"),
        (libc::EADDRNOTAVAIL, Failure::Connect, "no connection to P: this machine has no free"),
        (libc::EMFILE, Failure::Connect, "no connection to P: too many open files"),
        (libc::EACCES, Failure::Connect, "this machine does not allow connecting to P: perm"),
        (libc::ECONNRESET, Failure::Connect, "connection reset by P while connecting"),
        (libc::EAGAIN, Failure::Connect, "the queue of P stayed full"),
        (libc::EPROTO, Failure::Connect, "no connection to P: protocol error"),
    ];
    for (code, failure, beginning) in cases {
        let trouble = words::trouble(&io::Error::from_raw_os_error(code), &"P");
        assert_eq!(trouble.failure, failure, "{beginning}");
        assert!(trouble.detail.starts_with(beginning), "{}", trouble.detail);
        assert!(!trouble.detail.contains("os error"), "{}", trouble.detail);
    }
}
