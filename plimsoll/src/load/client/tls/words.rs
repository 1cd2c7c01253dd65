//! Why TLS failed, in words, with what to do about it.

use std::io;

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use super::trouble;
use crate::load::client::Trouble;
use crate::load::tally::Failure;

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
        Error::InvalidCertificate(reason) => of_certificate(reason, authority),
        Error::AlertReceived(alert) => of_alert(*alert, authority),
        Error::InvalidMessage(_) => format!(
            "{authority} answers, but not with TLS: is it http:// rather than https://, or another \
             port?"
        ),
        Error::NoApplicationProtocol => no_protocol(authority),
        error => format!("no agreement on TLS with {authority}: {error}"),
    }
}

fn of_certificate(reason: &CertificateError, authority: &str) -> String {
    /// How to go on in spite of it.
    const ANYWAY: &str = "to go on without trust, use --insecure";
    match reason {
        CertificateError::Expired => {
            format!("the certificate of {authority} has expired; {ANYWAY}")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of {authority} expired on {}; {ANYWAY}", date(*not_after))
        }
        CertificateError::NotValidYet => {
            format!("the certificate of {authority} is not valid yet; {ANYWAY}")
        }
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the certificate of {authority} is not valid before {}; {ANYWAY}",
            date(*not_before)
        ),
        CertificateError::NotValidForName => {
            format!("the certificate of {authority} is not for that name; {ANYWAY}")
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the certificate of {authority} is for {}, not for {}; {ANYWAY}",
            names(presented),
            expected.to_str()
        ),
        CertificateError::UnknownIssuer => format!(
            "the certificate of {authority} comes from an issuer that is not trusted; name the \
             issuer's certificate with --ca FILE, or, {ANYWAY}"
        ),
        // Told by the verifier without a kind of its own.
        CertificateError::Other(reason) if reason.to_string().contains("CaUsedAsEndEntity") => {
            format!(
                "the certificate of {authority} is one for issuing others, as `openssl req -x509` \
                 makes; name that very certificate with --ca FILE, or, {ANYWAY}"
            )
        }
        reason => format!("the certificate of {authority} is not accepted: {reason}; {ANYWAY}"),
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

/// The names of a certificate: `DnsName("localhost")` becomes `localhost`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".into();
    }
    let names: Vec<&str> = presented
        .iter()
        .map(|name| name.split_once('(').map_or(name.as_str(), |(_, rest)| rest))
        .map(|name| name.trim_matches([')', '"']))
        .collect();
    names.join(", ")
}

fn date(time: UnixTime) -> String {
    match Timestamp::from_second(time.as_secs() as i64) {
        Ok(at) => at.strftime("%Y-%m-%d").to_string(),
        Err(_) => "a date that cannot be shown".into(),
    }
}
