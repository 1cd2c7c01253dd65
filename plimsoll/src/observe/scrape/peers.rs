//! Targets in tests: servers that answer each path in their own way, good or bad.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::lock;

/// What a path is answered with.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// A head and then this piece, without end.
    Endless(Vec<u8>),
    /// Nothing, and the connection stays.
    Silence,
}

/// 200 with a page of metrics.
pub(super) fn page(text: &str) -> Answer {
    reply("200 OK", &[("content-type", "text/plain; version=0.0.4")], text.as_bytes())
}

/// Any answer.
pub(super) fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend_from_slice(body);
    Answer::Bytes(bytes)
}

/// As gzip packs it.
pub(super) fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Answers by path, and what was asked.
#[derive(Clone)]
pub(super) struct Peer {
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    /// Heads of requests, in lower case but for the path.
    heads: Arc<Mutex<Vec<String>>>,
    asked: watch::Sender<usize>,
}

impl Peer {
    pub(super) fn new(answers: &[(&str, Answer)]) -> Self {
        let answers = answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone()));
        Self {
            answers: Arc::new(Mutex::new(answers.collect())),
            heads: Arc::default(),
            asked: watch::Sender::new(0),
        }
    }

    /// Answers a path in another way from now on.
    pub(super) fn set(&self, path: &str, answer: Answer) {
        lock(&self.answers).insert(path.to_owned(), answer);
    }

    /// Waits until it was asked so often, in all.
    pub(super) async fn asked(&self, times: usize) {
        self.asked.subscribe().wait_for(|asked| *asked >= times).await.unwrap();
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> usize {
        *self.asked.borrow()
    }

    /// The head of the request before, and those before it.
    pub(super) fn heads(&self) -> Vec<String> {
        lock(&self.heads).clone()
    }

    /// Listens on the loopback for as long as the test goes on.
    pub(super) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(peer.clone().serve(stream));
            }
        });
        address
    }

    /// Listens on a Unix socket.
    pub(super) fn listen_at(&self, path: &Path) {
        let listener = UnixListener::bind(path).unwrap();
        let peer = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(peer.clone().serve(stream));
            }
        });
    }

    /// Listens with TLS and a certificate like this, which is written to `file`.
    pub(super) async fn listen_tls_with(
        &self,
        parameters: CertificateParams,
        file: &Path,
    ) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        std::fs::write(file, certificate.pem()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(peer.clone().serve(stream));
                }
            }
        });
        address
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, mut stream: S) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        lock(&self.heads).push(head);
        self.asked.send_modify(|asked| *asked += 1);
        let answer = lock(&self.answers).get(&path).cloned();
        match answer.unwrap_or_else(|| reply("404 Not Found", &[], b"no")) {
            Answer::Bytes(bytes) => {
                // Who has heard enough leaves.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::Endless(piece) => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&piece).await.is_ok() {}
            }
            Answer::Silence => {
                // Until the client leaves.
                let _ = stream.read_u8().await;
            }
        }
    }
}
