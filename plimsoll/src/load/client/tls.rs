//! TLS as a client: trust, certificates, what is agreed on, and why it was not.
//!
//! Invariants: a configuration is made once for a run and never changes; every connection makes a
//! whole handshake, as that of a new visitor does (no session is resumed), so that the times of
//! handshakes can be compared; which HTTP is spoken is agreed by ALPN (RFC 7301).
//!
//! Left out: revocation of certificates, early data.

mod files;
#[cfg(test)]
mod tests;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::dial::Purpose;
use super::{Origin, Trouble};
use crate::config::bench::model::{HttpVersion, Tls};
use crate::load::tally::Failure;
use crate::trust::{Issuers, Verifier};

pub use words::trouble_of;

/// HTTP/2 in ALPN.
pub const ALPN_HTTP2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Why TLS cannot be set up as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {} ({role}): {said}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it is for.
        role: Role,
        /// What the system said.
        said: String,
    },
    /// A file is not PEM, or holds something else.
    #[error(
        "{} ({role}) holds no {} in PEM: a line `-----BEGIN {}-----` is expected",
        path.display(), role.content(), role.mark()
    )]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it is for.
        role: Role,
    },
    /// A certificate in a file is broken.
    #[error("{} ({role}) holds a certificate that cannot be read: {said}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it is for.
        role: Role,
        /// Why.
        said: String,
    },
    /// Certificate and key are not a pair.
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    KeyDoesNotFit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A key of a kind that cannot be used.
    #[error("the key {} cannot be used: {said}", key.display())]
    KeyUnusable {
        /// The key's file.
        key: PathBuf,
        /// Why.
        said: String,
    },
    /// One without the other.
    #[error("a client certificate needs both a certificate and its key: the {missing} is missing")]
    Half {
        /// Which.
        missing: &'static str,
    },
    /// The name to ask for is none.
    #[error("{name:?} is not a name that a server can be asked for by TLS: a host name is needed")]
    Name {
        /// As configured.
        name: String,
    },
    /// Rustls refuses the rest of the configuration.
    #[error("TLS cannot be set up: {said}")]
    Other {
        /// Why.
        said: String,
    },
}

/// What a file of a TLS configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Certificates of issuers that are trusted.
    Authorities,
    /// The client's own certificate.
    Certificate,
    /// Its key.
    Key,
}

impl Role {
    fn content(self) -> &'static str {
        match self {
            Self::Authorities | Self::Certificate => "certificate",
            Self::Key => "private key",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Authorities | Self::Certificate => "CERTIFICATE",
            Self::Key => "PRIVATE KEY",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Authorities => "the authorities that are trusted",
            Self::Certificate => "the client certificate",
            Self::Key => "the client certificate's key",
        })
    }
}

/// How TLS is done, ready for use.
#[derive(Debug)]
pub struct Config {
    /// For requests: offers what the settings want.
    requests: Arc<ClientConfig>,
    /// For WebSocket messages: offers HTTP/1.1 only, since the handshake is one of that.
    messages: Arc<ClientConfig>,
    /// Asked for instead of the URL's host.
    server_name: Option<ServerName<'static>>,
    /// Whether HTTP/2 must be agreed on.
    needs_http2: bool,
}

impl Config {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// What of it cannot be used, and why.
    pub fn load(settings: &Tls, version: HttpVersion) -> Result<Self, ConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        // The first random bytes of a process cost tens of milliseconds (entropy is gathered from
        // the processor's own jitter), which must not count as a handshake's.
        provider.secure_random.fill(&mut [0]).map_err(|error| other(error.into()))?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(other)?;
        let verifier = if settings.insecure {
            Verifier::anybody(provider)
        } else {
            let issuers = match &settings.ca {
                Some(path) => files::authorities(path)?,
                None => Issuers::system(),
            };
            Verifier::new(issuers, provider).map_err(other)?
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (&settings.certificate, &settings.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(ConfigError::Half { missing: "key" }),
            (None, Some(_)) => return Err(ConfigError::Half { missing: "certificate" }),
            (Some(certificate), Some(key)) => {
                let chain = files::certificates(certificate, Role::Certificate)?;
                builder.with_client_auth_cert(chain, files::key(key)?).map_err(
                    |error| match error {
                        Error::InconsistentKeys(_) => ConfigError::KeyDoesNotFit {
                            certificate: certificate.clone(),
                            key: key.clone(),
                        },
                        Error::InvalidCertificate(reason) => ConfigError::Broken {
                            path: certificate.clone(),
                            role: Role::Certificate,
                            said: reason.to_string(),
                        },
                        error => {
                            ConfigError::KeyUnusable { key: key.clone(), said: error.to_string() }
                        }
                    },
                )?
            }
        };
        config.resumption = Resumption::disabled();
        let mut messages = config.clone();
        messages.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        config.alpn_protocols = match version {
            HttpVersion::Auto => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
            HttpVersion::Http1 => vec![ALPN_HTTP1.to_vec()],
            HttpVersion::Http2 => vec![ALPN_HTTP2.to_vec()],
        };
        let server_name = match &settings.server_name {
            None => None,
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| ConfigError::Name { name: name.clone() })?,
            ),
        };
        Ok(Self {
            requests: Arc::new(config),
            messages: Arc::new(messages),
            server_name,
            needs_http2: version == HttpVersion::Http2,
        })
    }

    /// Agrees on TLS with the server at the other end of `stream`.
    ///
    /// # Errors
    /// What the server or its certificate was refused for.
    pub(in crate::load) async fn agree<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        origin: &Origin,
        purpose: Purpose,
    ) -> Result<TlsStream<S>, Trouble> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(origin.host.clone()).map_err(|_| {
                trouble(format!("{:?} is not a name that a certificate can be for", origin.host))
            })?,
        };
        let config = match purpose {
            Purpose::Requests => &self.requests,
            Purpose::Messages => &self.messages,
        };
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| words::of_handshake(&error, &origin.authority))?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if purpose == Purpose::Requests && self.needs_http2 && agreed != Some(ALPN_HTTP2) {
            return Err(trouble(format!(
                "{} does not agree on HTTP/2 (ALPN): let it choose or ask for HTTP/1.1",
                origin.authority
            )));
        }
        Ok(stream)
    }
}

fn other(error: Error) -> ConfigError {
    ConfigError::Other { said: error.to_string() }
}

/// Trouble with TLS, before any request.
pub(super) fn trouble(detail: String) -> Trouble {
    Trouble { failure: Failure::Tls, detail, before_sending: true }
}
