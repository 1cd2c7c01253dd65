//! The other side in tests: certificates made on the spot, servers with TLS, settings to reach them.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::dial::{self, Dialer, Dialled, Purpose};
use super::{Origin, Scheme, Trouble};
use crate::config::bench::model::{HttpSettings, HttpVersion, Tls};

/// As a plan has them that says nothing.
pub(in crate::load) fn settings() -> HttpSettings {
    HttpSettings {
        version: HttpVersion::Auto,
        keep_alive: true,
        streams: 1,
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        unix: None,
        tls: Tls::default(),
    }
}

pub(in crate::load) fn origin(scheme: Scheme, host: &str, port: u16) -> Rc<Origin> {
    Rc::new(Origin { scheme, host: host.into(), port, authority: format!("{host}:{port}") })
}

/// Prepares and connects once.
pub(in crate::load) async fn connect(
    settings: &HttpSettings,
    origin: &Origin,
    purpose: Purpose,
) -> Result<Dialled, Trouble> {
    let prepared = dial::prepare(settings, [origin]).unwrap();
    Dialer::new(Arc::new(prepared)).connect(origin, purpose).await
}

/// A listener on the loopback, and its port.
pub(in crate::load) async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers each byte with the same, to the end. Errors are those of clients that leave.
pub(in crate::load) async fn echo<S>(mut stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte).await {
        if stream.write_all(&byte).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// An issuer of certificates and a place for their files.
pub(in crate::load) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: TempDir,
    /// Its certificate, as a file.
    pub(in crate::load) file: PathBuf,
}

/// A certificate with its key.
pub(in crate::load) struct Pair {
    pub(in crate::load) certificate: rcgen::Certificate,
    pub(in crate::load) key: KeyPair,
}

impl Authority {
    pub(in crate::load) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.pem");
        fs::write(&file, certificate.pem()).unwrap();
        Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(parameters, key),
            folder,
            file,
        }
    }

    /// Settings that trust it.
    pub(in crate::load) fn trusted(&self) -> HttpSettings {
        HttpSettings { tls: Tls { ca: Some(self.file.clone()), ..Tls::default() }, ..settings() }
    }

    /// A certificate for `name`, valid now.
    pub(in crate::load) fn issue(&self, name: &str) -> Pair {
        self.issue_with(CertificateParams::new(vec![name.into()]).unwrap())
    }

    pub(in crate::load) fn issue_with(&self, parameters: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        Pair { certificate: parameters.signed_by(&key, &self.issuer).unwrap(), key }
    }

    /// Writes a file beside the authority's.
    pub(in crate::load) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The configuration of a server that wants a client certificate of this authority.
    pub(in crate::load) fn demanding(&self, pair: &Pair) -> ServerConfig {
        use tokio_rustls::rustls::RootCertStore;
        use tokio_rustls::rustls::server::WebPkiClientVerifier;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![pair.certificate.der().clone()], pair.key())
            .unwrap()
    }
}

impl Pair {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// The configuration of a server that shows this certificate and knows these protocols.
    pub(in crate::load) fn server(&self, protocols: &[&str]) -> ServerConfig {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![self.certificate.der().clone()], self.key())
                .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// A server with TLS on the loopback that hands every agreed connection to `serve`; its port.
pub(in crate::load) async fn serve_tls<F: Future<Output = ()> + 'static>(
    config: ServerConfig,
    serve: impl Fn(TlsStream<TcpStream>) -> F + 'static,
) -> u16 {
    let (listener, port) = listener().await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    crate::net::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that refuses the certificate is what some tests are about.
            if let Ok(stream) = acceptor.accept(stream).await {
                crate::net::spawn(serve(stream));
            }
        }
    });
    port
}
