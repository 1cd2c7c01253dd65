//! Handshakes with real servers on the loopback, and files that are not what they should be.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::HandshakeKind;

use super::*;
use crate::config::bench::model::HttpSettings;
use crate::load::client::peers::{
    Authority, Pair, connect, echo, listener, origin, serve_tls, settings,
};
use crate::load::client::transport::Transport;
use crate::load::client::{Scheme, dial::Dialled};
use crate::net;

/// A server that shows the certificate and echoes; the outcome of connecting to it as `localhost`.
async fn try_with(
    pair: &Pair,
    protocols: &[&str],
    settings: &HttpSettings,
    purpose: Purpose,
) -> Result<Dialled, Trouble> {
    let port = serve_tls(pair.server(protocols), echo).await;
    let mut dialled = connect(settings, &origin(Scheme::Https, "localhost", port), purpose).await?;
    assert!(dialled.tls_time.is_some());
    dialled.transport.write_all(b"x").await.unwrap();
    dialled.transport.flush().await.unwrap();
    let mut byte = [0];
    dialled.transport.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
    Ok(dialled)
}

/// What is said when connecting to it fails, the port replaced by PORT.
async fn words_with(pair: &Pair, protocols: &[&str], settings: &HttpSettings) -> String {
    let port = serve_tls(pair.server(protocols), echo).await;
    let origin = origin(Scheme::Https, "localhost", port);
    let trouble = connect(settings, &origin, Purpose::Requests).await.unwrap_err();
    assert_eq!(trouble.failure, Failure::Tls);
    assert!(trouble.before_sending);
    trouble.detail.replace(&port.to_string(), "PORT")
}

#[test]
fn agrees_on_the_version_of_http_that_is_wanted() {
    net::run(async {
        let authority = Authority::new();
        let pair = authority.issue("localhost");
        let both: &[&str] = &["http/1.1", "h2"];
        let cases = [
            (HttpVersion::Auto, both, Purpose::Requests, false),
            (HttpVersion::Auto, &["h2", "http/1.1"], Purpose::Requests, true),
            (HttpVersion::Auto, &["http/1.1"], Purpose::Requests, false),
            (HttpVersion::Auto, &[], Purpose::Requests, false),
            (HttpVersion::Http1, &["h2", "http/1.1"], Purpose::Requests, false),
            (HttpVersion::Http2, both, Purpose::Requests, true),
            (HttpVersion::Http2, both, Purpose::Messages, false),
            (HttpVersion::Auto, &["h2", "http/1.1"], Purpose::Messages, false),
        ];
        for (version, protocols, purpose, http2) in cases {
            let settings = HttpSettings { version, ..authority.trusted() };
            let dialled = try_with(&pair, protocols, &settings, purpose).await.unwrap();
            assert_eq!(dialled.http2, http2, "{version:?} {protocols:?} {purpose:?}");
        }
    })
    .unwrap();
}

#[test]
fn server_without_http2_is_told_where_it_is_demanded() {
    net::run(async {
        let authority = Authority::new();
        let pair = authority.issue("localhost");
        let settings = HttpSettings { version: HttpVersion::Http2, ..authority.trusted() };
        assert_eq!(
            words_with(&pair, &[], &settings).await,
            "localhost:PORT does not agree on HTTP/2 (ALPN): let it choose or ask for HTTP/1.1"
        );
        assert_eq!(
            words_with(&pair, &["http/1.1"], &settings).await,
            "localhost:PORT speaks no version of HTTP that was offered (ALPN)"
        );
    })
    .unwrap();
}

#[test]
fn certificates_that_are_not_trusted_are_told_and_can_be_accepted() {
    net::run(async {
        let authority = Authority::new();
        let mut expired = CertificateParams::new(vec!["localhost".into()]).unwrap();
        expired.not_before = date_time_ymd(2019, 1, 1);
        expired.not_after = date_time_ymd(2020, 2, 3);
        let mut early = CertificateParams::new(vec!["localhost".into()]).unwrap();
        early.not_before = date_time_ymd(4000, 2, 3);
        let cases = [
            (
                authority.issue_with(expired),
                authority.trusted(),
                "the certificate of localhost:PORT expired on 2020-02-03; to go on without trust, \
                 use --insecure",
            ),
            (
                authority.issue_with(early),
                authority.trusted(),
                "the certificate of localhost:PORT is not valid before 4000-02-03; to go on \
                 without trust, use --insecure",
            ),
            (
                authority.issue("web.example"),
                authority.trusted(),
                "the certificate of localhost:PORT is for web.example, not for localhost; to go \
                 on without trust, use --insecure",
            ),
            (
                authority.issue("localhost"),
                settings(),
                "the certificate of localhost:PORT comes from an issuer that is not trusted; name \
                 the issuer's certificate with --ca FILE, or, to go on without trust, use \
                 --insecure",
            ),
        ];
        for (pair, mut settings, words) in cases {
            assert_eq!(words_with(&pair, &[], &settings).await, words);
            settings.tls.insecure = true;
            try_with(&pair, &[], &settings, Purpose::Requests).await.unwrap();
        }
    })
    .unwrap();
}

#[test]
fn certificate_that_signed_itself_can_be_named() {
    net::run(async {
        let authority = Authority::new();
        let cases = [
            (IsCa::Ca(BasicConstraints::Unconstrained), "is one for issuing others"),
            (IsCa::NoCa, "comes from an issuer that is not trusted"),
        ];
        for (is_ca, unnamed) in cases {
            let mut parameters = CertificateParams::new(vec!["localhost".into()]).unwrap();
            parameters.is_ca = is_ca;
            let key = KeyPair::generate().unwrap();
            let pair = Pair { certificate: parameters.self_signed(&key).unwrap(), key };
            let mut settings = settings();
            let words = words_with(&pair, &[], &settings).await;
            assert!(words.contains(unnamed) && words.contains("--ca FILE"), "{words}");
            settings.tls.ca = Some(authority.write("self.pem", &pair.certificate.pem()));
            try_with(&pair, &[], &settings, Purpose::Requests).await.unwrap();
            // The name still counts.
            settings.tls.server_name = Some("other.example".into());
            let words = words_with(&pair, &[], &settings).await;
            assert!(words.contains("is for localhost, not for other.example"), "{words}");
        }
    })
    .unwrap();
}

#[test]
fn asks_for_the_name_that_is_set() {
    net::run(async {
        let authority = Authority::new();
        let pair = authority.issue("web.example");
        let asked = Rc::new(RefCell::new(None));
        let port = serve_tls(pair.server(&[]), {
            let asked = Rc::clone(&asked);
            move |stream| {
                *asked.borrow_mut() = stream.get_ref().1.server_name().map(str::to_owned);
                echo(stream)
            }
        })
        .await;
        let mut settings = authority.trusted();
        settings.tls.server_name = Some("web.example".into());
        let origin = origin(Scheme::Https, "127.0.0.1", port);
        let mut dialled = connect(&settings, &origin, Purpose::Requests).await.unwrap();
        dialled.transport.write_all(b"x").await.unwrap();
        dialled.transport.read_exact(&mut [0]).await.unwrap();
        assert_eq!(asked.borrow().as_deref(), Some("web.example"));
    })
    .unwrap();
}

#[test]
fn certificate_for_an_address_is_trusted() {
    net::run(async {
        let authority = Authority::new();
        let port = serve_tls(authority.issue("127.0.0.1").server(&[]), echo).await;
        let origin = origin(Scheme::Https, "127.0.0.1", port);
        connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
    })
    .unwrap();
}

#[test]
fn every_connection_makes_a_whole_handshake() {
    net::run(async {
        let authority = Authority::new();
        let port = serve_tls(authority.issue("localhost").server(&[]), echo).await;
        let origin = origin(Scheme::Https, "localhost", port);
        let prepared = super::super::dial::prepare(&authority.trusted(), [&*origin]).unwrap();
        let dialer = super::super::dial::Dialer::new(Arc::new(prepared));
        for _ in 0..2 {
            let mut dialled = dialer.connect(&origin, Purpose::Requests).await.unwrap();
            // What the server sends with its first bytes is what a session could be resumed by.
            dialled.transport.write_all(b"x").await.unwrap();
            dialled.transport.read_exact(&mut [0]).await.unwrap();
            let Transport::Tls(stream) = &dialled.transport else { panic!("no TLS") };
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    })
    .unwrap();
}

#[test]
fn client_certificate_is_shown() {
    net::run(async {
        let authority = Authority::new();
        let client = authority.issue("client");
        let mut settings = authority.trusted();
        settings.tls.certificate = Some(authority.write("client.pem", &client.certificate.pem()));
        settings.tls.key = Some(authority.write("client.key", &client.key.serialize_pem()));
        let config = authority.demanding(&authority.issue("localhost"));
        let port = serve_tls(config, echo).await;
        let origin = origin(Scheme::Https, "localhost", port);
        let mut dialled = connect(&settings, &origin, Purpose::Requests).await.unwrap();
        dialled.transport.write_all(b"x").await.unwrap();
        dialled.transport.read_exact(&mut [0]).await.unwrap();
    })
    .unwrap();
}

#[test]
fn missing_client_certificate_is_told() {
    net::run(async {
        let authority = Authority::new();
        let config = authority.demanding(&authority.issue("localhost"));
        let port = serve_tls(config, echo).await;
        let origin = origin(Scheme::Https, "localhost", port);
        // TLS 1.3: the client is done before the server has looked.
        let mut dialled = connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
        let error = dialled.transport.read_exact(&mut [0]).await.unwrap_err();
        let trouble = trouble_of(&error, &origin.authority).unwrap();
        assert_eq!(trouble.failure, Failure::Tls);
        assert_eq!(
            trouble.detail,
            format!("localhost:{port} wants a client certificate: name one with its key")
        );
    })
    .unwrap();
}

#[test]
fn server_without_tls_is_told() {
    net::run(async {
        let answers: [(&[u8], &str); 2] = [
            (
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
                "localhost:PORT answers, but not with TLS: is it http:// rather than https://, or \
                 another port?",
            ),
            (
                b"",
                "localhost:PORT ended the connection within the TLS handshake: does it speak TLS?",
            ),
        ];
        for (answer, words) in answers {
            let (listener, port) = listener().await;
            net::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                // All of the greeting, lest the end be a reset.
                let mut greeting = [0; 16 * 1024];
                let _ = stream.read(&mut greeting).await.unwrap();
                stream.write_all(answer).await.unwrap();
            });
            let origin = origin(Scheme::Https, "localhost", port);
            let trouble = connect(&settings(), &origin, Purpose::Requests).await.unwrap_err();
            assert_eq!(trouble.detail.replace(&port.to_string(), "PORT"), words);
        }
    })
    .unwrap();
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let text = authority.write("text", "not a certificate");
    let broken =
        authority.write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let certificate = authority.write("certificate", &one.certificate.pem());
    let key = authority.write("key", &other.key.serialize_pem());
    let missing = authority.file.with_file_name("missing");
    let with = |ca: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>| Tls {
        ca: ca.map(Path::to_owned),
        certificate: certificate.map(Path::to_owned),
        key: key.map(Path::to_owned),
        ..Tls::default()
    };
    let cases = [
        (
            with(Some(&missing), None, None),
            "cannot read DIR/missing (the authorities that are trusted): No such file or directory \
             (os error 2)",
        ),
        (
            with(Some(&text), None, None),
            "DIR/text (the authorities that are trusted) holds no certificate in PEM: a line \
             `-----BEGIN CERTIFICATE-----` is expected",
        ),
        (
            with(Some(&broken), None, None),
            "DIR/broken (the authorities that are trusted) holds a certificate that cannot be \
             read: BadEncoding",
        ),
        (
            with(None, Some(&certificate), None),
            "a client certificate needs both a certificate and its key: the key is missing",
        ),
        (
            with(None, None, Some(&key)),
            "a client certificate needs both a certificate and its key: the certificate is missing",
        ),
        (
            with(None, Some(&certificate), Some(&text)),
            "DIR/text (the client certificate's key) holds no private key in PEM: a line \
             `-----BEGIN PRIVATE KEY-----` is expected",
        ),
        (
            with(None, Some(&certificate), Some(&key)),
            "the key DIR/key does not belong to the certificate DIR/certificate",
        ),
        (
            Tls { server_name: Some("a b".into()), ..Tls::default() },
            "\"a b\" is not a name that a server can be asked for by TLS: a host name is needed",
        ),
    ];
    let folder = authority.file.parent().unwrap().display().to_string();
    for (settings, words) in cases {
        let error = Config::load(&settings, HttpVersion::Auto).unwrap_err();
        assert_eq!(error.to_string().replace(&folder, "DIR"), words);
    }
}
