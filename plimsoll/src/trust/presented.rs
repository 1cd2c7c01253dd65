//! Until when the certificates hold that a server shows.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::{Validity, X509Certificate};
use x509_parser::prelude::FromDer;

/// What a server showed at its last handshake.
#[derive(Debug, Default)]
pub struct Presented(Mutex<Option<Shown>>);

#[derive(Debug, Clone, Copy)]
struct Shown {
    /// Seconds since 1970; `None` if no certificate could be read.
    expires_at: Option<i64>,
    at: Instant,
}

impl Presented {
    /// When the first certificate of the chain ends, seconds since 1970; `None` if none was seen.
    pub fn expires_at(&self) -> Option<i64> {
        self.shown()?.expires_at
    }

    /// Whether the last handshake is longer ago than this; false if there was none.
    pub fn is_older_than(&self, age: Duration) -> bool {
        self.shown().is_some_and(|shown| shown.at.elapsed() > age)
    }

    /// Notes a chain.
    pub(super) fn note(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) {
        let chain = std::iter::once(certificate).chain(others);
        let expires_at = chain.filter_map(|one| Some(validity(one)?.not_after.timestamp())).min();
        let shown = Shown { expires_at, at: Instant::now() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    }

    fn shown(&self) -> Option<Shown> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From when to when a certificate holds.
fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().clone())
}

/// The first and the last second of a certificate, if it can be read.
pub(super) fn seconds(certificate: &CertificateDer<'_>) -> Option<(UnixTime, UnixTime)> {
    let validity = validity(certificate)?;
    let time = |seconds: i64| {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).cast_unsigned()))
    };
    Some((time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
}
