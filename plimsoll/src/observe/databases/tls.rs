//! TLS to databases: whom it trusts.
//!
//! The words are those of the databases' own clients: `sslmode=require` of PostgreSQL asks for
//! encryption and not for who is there, `verify-full` asks for both.
//!
//! Left out: client certificates, channel binding.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

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

/// What makes TLS of a connection.
///
/// # Errors
/// What is wrong with the file of certificates, in words.
pub(super) fn connector(trust: &Trust) -> Result<TlsConnector, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (issuers, names) = match trust {
        Trust::Anybody => (None, false),
        Trust::Issuers { file, names } => {
            let built = WebPkiServerVerifier::builder_with_provider(
                Arc::new(issuers(file.as_ref())?),
                Arc::clone(&provider),
            );
            let built = built.build().map_err(|error| {
                format!("no certificate can be trusted ({error}); name a file of them")
            })?;
            (Some(built), *names)
        }
    };
    let verifier = Verifier { issuers, names, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
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

fn issuers(file: Option<&PathBuf>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(path) = file else {
        // Single certificates of the system that cannot be read are its affair.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(store);
    };
    let wrong = |what: &dyn std::fmt::Display| {
        format!("cannot use the certificates of {}: {what}", path.display())
    };
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        store.add(certificate).map_err(|error| wrong(&error))?;
    }
    if store.is_empty() {
        return Err(wrong(&"there is none in it"));
    }
    Ok(store)
}

#[derive(Debug)]
struct Verifier {
    /// Without any, every certificate is accepted.
    issuers: Option<Arc<WebPkiServerVerifier>>,
    names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(issuers) = &self.issuers else { return Ok(ServerCertVerified::assertion()) };
        match issuers.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            // The issuer is checked before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
