//! Why a certificate is not accepted, in words, with what to do about it.

use std::error::Error as StdError;
use std::io;

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{CertificateError, Error};

/// How a mistake is mended where it came up.
#[derive(Debug, Clone, Copy)]
pub struct Remedies {
    /// How a certificate is trusted: goes on after "name the issuer's certificate".
    pub naming: &'static str,
    /// How to go on in spite of all, if that can be had: goes on after "to go on without trust,".
    pub anyway: Option<&'static str>,
}

/// What TLS said, if it is what an error comes from.
pub fn error_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of an error of reading or writing is that of the error within it.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    None
}

/// Why the certificate of `authority` is not accepted.
pub fn of_certificate(reason: &CertificateError, authority: &str, remedies: &Remedies) -> String {
    let why = why(reason, authority, remedies.naming);
    match remedies.anyway {
        Some(anyway) if why.names_remedy => {
            format!("{}, or, to go on without trust, {anyway}", why.text)
        }
        Some(anyway) => format!("{}; to go on without trust, {anyway}", why.text),
        None => why.text,
    }
}

struct Why {
    text: String,
    names_remedy: bool,
}

fn why(reason: &CertificateError, authority: &str, naming: &str) -> Why {
    let mut names_remedy = false;
    let text = match reason {
        CertificateError::Expired => {
            format!("the certificate of {authority} has expired")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of {authority} expired on {}", date(*not_after))
        }
        CertificateError::NotValidYet => {
            format!("the certificate of {authority} is not valid yet")
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate of {authority} is not valid before {}", date(*not_before))
        }
        CertificateError::NotValidForName => {
            format!("the certificate of {authority} is not for that name")
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the certificate of {authority} is for {}, not for {}",
            names(presented),
            expected.to_str()
        ),
        CertificateError::UnknownIssuer => {
            names_remedy = true;
            format!(
                "the certificate of {authority} comes from an issuer that is not trusted; name \
                 the issuer's certificate {naming}"
            )
        }
        // Told by the verifier without a kind of its own.
        CertificateError::Other(reason) if reason.to_string().contains("CaUsedAsEndEntity") => {
            names_remedy = true;
            format!(
                "the certificate of {authority} is one for issuing others, as `openssl req -x509` \
                 makes; name that very certificate {naming}"
            )
        }
        reason => format!("the certificate of {authority} is not accepted: {reason}"),
    };
    Why { text, names_remedy }
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
