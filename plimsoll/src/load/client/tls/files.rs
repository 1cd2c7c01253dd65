//! Certificates and keys from PEM files.

use std::path::Path;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{ConfigError, Role};
use crate::trust::{self, Issuers};

/// All certificates of a PEM file, at least one.
pub(super) fn certificates(
    path: &Path,
    role: Role,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(path, role)?;
    trust::certificates(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => ConfigError::NotPem { path: path.to_owned(), role },
        error => ConfigError::Broken { path: path.to_owned(), role, said: error.to_string() },
    })
}

/// The first private key of a PEM file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = read(path, Role::Key)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => ConfigError::NotPem { path: path.to_owned(), role: Role::Key },
        error => ConfigError::KeyUnusable { key: path.to_owned(), said: error.to_string() },
    })
}

/// Certificates of a file as issuers to trust.
pub(super) fn authorities(path: &Path) -> Result<Issuers, ConfigError> {
    let certificates = certificates(path, Role::Authorities)?;
    Issuers::none().and(certificates).map_err(|error| ConfigError::Broken {
        path: path.to_owned(),
        role: Role::Authorities,
        said: match error {
            Error::InvalidCertificate(reason) => reason.to_string(),
            error => error.to_string(),
        },
    })
}

fn read(path: &Path, role: Role) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        role,
        said: error.to_string(),
    })
}
