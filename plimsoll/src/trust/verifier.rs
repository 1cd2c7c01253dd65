//! The judge of certificates.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, VerifierBuilderError};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::Issuers;
use super::presented::{self, Presented};

/// Accepts certificates, or not.
#[derive(Debug, Clone)]
pub struct Verifier {
    accepted: Accepted,
    provider: Arc<CryptoProvider>,
    presented: Option<Arc<Presented>>,
}

#[derive(Debug, Clone)]
enum Accepted {
    /// What is sent cannot be read on its way, and nobody knows by whom it is read at its end. That
    /// the server has the key of what it shows would say nothing about who it is, and keep out what
    /// old devices show: certificates of version 1, short keys.
    Any,
    Of {
        /// `None` if nobody is trusted.
        issuers: Option<Arc<WebPkiServerVerifier>>,
        named: Arc<[CertificateDer<'static>]>,
        /// Whether the certificate must be for the host that is asked.
        names: bool,
    },
}

impl Verifier {
    /// Accepts everybody.
    pub fn anybody(provider: Arc<CryptoProvider>) -> Self {
        Self { accepted: Accepted::Any, provider, presented: None }
    }

    /// Accepts what these have issued, for the host that is asked.
    ///
    /// # Errors
    /// Rustls refuses them.
    pub fn new(issuers: Issuers, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let Issuers { roots, named } = issuers;
        let built =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let issuers = match built.build() {
            Ok(issuers) => Some(issuers),
            Err(VerifierBuilderError::NoRootAnchors) => None,
            Err(error) => return Err(Error::General(error.to_string())),
        };
        let accepted = Accepted::Of { issuers, named: named.into(), names: true };
        Ok(Self { accepted, provider, presented: None })
    }

    /// The same for any host.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        if let Accepted::Of { names, .. } = &mut self.accepted {
            *names = false;
        }
        self
    }

    /// The same, noting what is shown.
    #[must_use]
    pub fn noting(self, presented: Arc<Presented>) -> Self {
        Self { presented: Some(presented), ..self }
    }
}

/// Whether a certificate that is trusted itself holds now and for this name.
fn hold(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    // Whose time cannot be read would hold for ever.
    let (not_before, not_after) =
        presented::seconds(certificate).ok_or(CertificateError::BadEncoding)?;
    if now < not_before {
        let reason = CertificateError::NotValidYetContext { time: now, not_before };
        return Err(reason.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
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
        if let Some(presented) = &self.presented {
            presented.note(certificate, intermediates);
        }
        let Accepted::Of { issuers, named, names } = &self.accepted else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = if named.iter().any(|one| one == certificate) {
            hold(certificate, name, now).map(|()| ServerCertVerified::assertion())
        } else if let Some(issuers) = issuers {
            issuers.verify_server_cert(certificate, intermediates, name, ocsp_response, now)
        } else {
            Err(CertificateError::UnknownIssuer.into())
        };
        match verified {
            // The name is what is checked last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !names => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(self.accepted, Accepted::Any) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(self.accepted, Accepted::Any) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
