//! Certificates and keys from PEM files, and those that the system trusts.

use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, RootCertStore};

use super::{ConfigError, Role};

/// All certificates of a PEM file, at least one.
pub(super) fn certificates(
    path: &Path,
    role: Role,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(path, role)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(pem::Error::NoItemsFound) => {
            Err(ConfigError::NotPem { path: path.to_owned(), role })
        }
        Err(error) => {
            Err(ConfigError::Broken { path: path.to_owned(), role, said: error.to_string() })
        }
    }
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
pub(super) fn authorities(
    path: &Path,
    certificates: &[CertificateDer<'static>],
) -> Result<RootCertStore, ConfigError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone()).map_err(|error| ConfigError::Broken {
            path: path.to_owned(),
            role: Role::Authorities,
            said: match error {
                Error::InvalidCertificate(reason) => reason.to_string(),
                error => error.to_string(),
            },
        })?;
    }
    Ok(store)
}

/// Issuers that this system trusts. There may be none, as in a bare container: then no certificate
/// is trusted, which the handshake tells.
pub(super) fn system_authorities() -> RootCertStore {
    let mut store = RootCertStore::empty();
    // Single certificates of the system that cannot be read are its affair.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

fn read(path: &Path, role: Role) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        role,
        said: error.to_string(),
    })
}
