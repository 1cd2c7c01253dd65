//! TLS to databases: whom it trusts.
//!
//! The words are those of the databases' own clients: `sslmode=require` of PostgreSQL asks for
//! encryption and not for who is there, `verify-full` asks for both.
//!
//! Left out: client certificates, channel binding.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use crate::trust::{self, Issuers, Presented, Remedies, Verifier};

/// Which certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Any: what is sent cannot be read on its way, and nobody knows by whom it is read at its end.
    Anybody,
    /// Those of known issuers.
    Issuers {
        /// Certificates of the issuers (PEM); those that the system trusts if there is none.
        file: Option<PathBuf>,
        /// Whether the certificate must be for the host that is asked.
        names: bool,
    },
}

/// What makes TLS of a connection; what is shown there is noted in `presented`.
///
/// # Errors
/// What is wrong with the file of certificates, in words.
pub(super) fn connector(trust: &Trust, presented: &Arc<Presented>) -> Result<TlsConnector, String> {
    let unfit = |error: Error| format!("TLS cannot be set up: {error}");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match trust {
        Trust::Anybody => Verifier::anybody(Arc::clone(&provider)),
        Trust::Issuers { file, names } => {
            let issuers = match file {
                Some(file) => Issuers::none().and_file(file)?,
                None => Issuers::system(),
            };
            let verifier = Verifier::new(issuers, Arc::clone(&provider)).map_err(unfit)?;
            if *names { verifier } else { verifier.without_names() }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.noting(Arc::clone(presented))))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The host as certificates name it.
///
/// # Errors
/// It is no name that a certificate can be for.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| format!("{host:?} is not a name that a certificate can be for"))
}

/// Why there was no agreement with the server at `place`.
pub(super) fn words(error: &(dyn StdError + 'static), place: &str, remedies: &Remedies) -> String {
    match trust::error_of(error) {
        Some(Error::InvalidCertificate(reason)) => trust::of_certificate(reason, place, remedies),
        _ => format!("no agreement on TLS with {place}: {error}"),
    }
}
