//! Why TLS failed, in words, with what to do about it.

use std::io;

use tokio_rustls::rustls::{AlertDescription, Error};

use super::trouble;
use crate::load::client::Trouble;
use crate::load::tally::Failure;
use crate::trust::{self, Remedies};

/// What is written where a load is described.
const REMEDIES: Remedies = Remedies { naming: "with --ca FILE", anyway: Some("use --insecure") };

/// What an error of a handshake with `authority` is.
pub(super) fn of_handshake(error: &io::Error, authority: &str) -> Trouble {
    let detail = match inner(error) {
        Some(error) => words(error, authority),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{authority} ended the connection within the TLS handshake: does it speak TLS?")
        }
        None => format!("the TLS handshake with {authority} was cut off: {error}"),
    };
    trouble(detail)
}

/// The trouble that an error of reading or writing a connection is, if TLS has to do with it: with
/// TLS 1.3 a server says only after the handshake that it does not accept the client's certificate.
pub fn trouble_of(error: &io::Error, authority: &str) -> Option<Trouble> {
    let detail = words(inner(error)?, authority);
    Some(Trouble { failure: Failure::Tls, detail, before_sending: false })
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn words(error: &Error, authority: &str) -> String {
    match error {
        Error::InvalidCertificate(reason) => trust::of_certificate(reason, authority, &REMEDIES),
        Error::AlertReceived(alert) => of_alert(*alert, authority),
        Error::InvalidMessage(_) => format!(
            "{authority} answers, but not with TLS: is it http:// rather than https://, or another \
             port?"
        ),
        Error::NoApplicationProtocol => no_protocol(authority),
        error => format!("no agreement on TLS with {authority}: {error}"),
    }
}

fn of_alert(alert: AlertDescription, authority: &str) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            format!("{authority} wants a client certificate: name one with its key")
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::AccessDenied => {
            format!("{authority} does not accept the client certificate ({alert:?})")
        }
        AlertDescription::NoApplicationProtocol => no_protocol(authority),
        AlertDescription::UnrecognisedName => {
            format!("{authority} does not know the name that it was asked for by")
        }
        alert => format!("{authority} refused TLS ({alert:?})"),
    }
}

fn no_protocol(authority: &str) -> String {
    format!("{authority} speaks no version of HTTP that was offered (ALPN)")
}
