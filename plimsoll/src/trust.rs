//! Whose certificates are accepted where Plimsoll is the client of TLS, and until when those hold
//! that it is shown.
//!
//! One verifier for everything that Plimsoll asks: targets, databases, receivers, the load tester.
//! Users say with what words a mistake is mended there ([`Remedies`]).
//!
//! Invariants:
//! - a certificate that is named itself is accepted as that of a server, as long as it is valid and
//!   for the name: what `openssl req -x509` makes is its own issuer, which the rules for issuers
//!   alone would refuse;
//! - the server must have the key of what it shows, unless anybody is trusted: then it may show
//!   whatever it likes;
//! - what is shown is noted before it is judged, so that the end of a certificate that is over is
//!   known.
//!
//! Left out: revocation of certificates; certificates of the client's own.

mod presented;
mod verifier;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{Error, RootCertStore};

pub use presented::Presented;
pub use verifier::Verifier;
pub use words::{Remedies, error_of, of_certificate};

/// Certificates that are trusted.
#[derive(Debug, Clone)]
pub struct Issuers {
    /// As issuers.
    roots: RootCertStore,
    /// Also as a server's own.
    named: Vec<CertificateDer<'static>>,
}

impl Issuers {
    /// Those that this system trusts. There may be none, as in a bare container: then no certificate
    /// is accepted, which the handshake tells.
    pub fn system() -> Self {
        let mut roots = RootCertStore::empty();
        // Single certificates of the system that cannot be read are its affair.
        let named = rustls_native_certs::load_native_certs().certs;
        roots.add_parsable_certificates(named.iter().cloned());
        Self { roots, named }
    }

    /// None yet.
    pub fn none() -> Self {
        Self { roots: RootCertStore::empty(), named: Vec::new() }
    }

    /// These besides.
    ///
    /// # Errors
    /// One of them is broken.
    pub fn and(mut self, certificates: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        for certificate in &certificates {
            self.roots.add(certificate.clone())?;
        }
        self.named.extend(certificates);
        Ok(self)
    }

    /// Those of a PEM file besides.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn and_file(self, path: &Path) -> Result<Self, String> {
        let wrong = |what: &dyn std::fmt::Display| {
            format!("cannot use the certificates of {}: {what}", path.display())
        };
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        let certificates = certificates(&pem).map_err(|error| match error {
            pem::Error::NoItemsFound => wrong(&"there is none in it"),
            error => wrong(&error),
        })?;
        self.and(certificates).map_err(|error| match error {
            Error::InvalidCertificate(reason) => wrong(&reason),
            error => wrong(&error),
        })
    }
}

/// All certificates of a PEM file.
///
/// # Errors
/// There is none, or one is broken.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}
