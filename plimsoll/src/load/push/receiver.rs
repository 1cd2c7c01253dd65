//! Where figures are pushed to, and what they are labelled with.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use thiserror::Error;

use crate::config::bench::model::{HttpVersion, Tls};
use crate::load::client::{Origin, Scheme, tls};

/// Where Prometheus receives remote writes, if the URL names no path.
const REMOTE_WRITE_PATH: &str = "/api/v1/write";
/// The job of figures that are given no other.
pub const JOB_DEFAULT: &str = "plimsoll_bench";

/// How figures are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Text, to a Pushgateway: the last figures count.
    Pushgateway,
    /// Remote write 1.0: each figure has its time.
    RemoteWrite,
}

/// What a receiver must be told and shown beside the figures.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Fields that each request has, as `Authorization: Bearer …`.
    pub headers: Vec<String>,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
}

/// Where figures are pushed to.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// How.
    pub protocol: Protocol,
    /// A name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// As it was given, without user and password.
    pub url: String,
    /// How TLS is done, with `https`.
    pub tls: Option<Arc<tls::Config>>,
    /// What each request has beside the fields of its protocol.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `job` first; names differ.
    pub labels: Vec<(String, String)>,
}

/// Why figures cannot be pushed there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiverError {
    /// Not a URL that this can push to.
    #[error(
        "figures cannot be pushed to \"{0}\": a URL of http or https is needed, as in \
         \"http://127.0.0.1:9091\""
    )]
    Url(String),
    /// The certificates to trust cannot be used.
    #[error("figures cannot be pushed: {0}")]
    Tls(#[from] tls::ConfigError),
    /// A header that is none. It is not shown, for it may be a secret.
    #[error(
        "a header of pushed figures cannot be read: write it as in \"X-Scope-OrgID: shop\", or \
         name a file of such lines with @FILE"
    )]
    Header,
    /// A header that belongs to the protocol.
    #[error("the header \"{0}\" of pushed figures is set by the protocol; leave it out")]
    HeaderTaken(String),
    /// A URL with user and password, and a header that says the same.
    #[error(
        "both the URL and a header say who pushes figures; leave out the URL's user and password, or \
         the header Authorization"
    )]
    Credentials,
    /// A label that Prometheus would refuse.
    #[error(
        "\"{0}\" cannot be a label of pushed figures: letters, digits and _ are allowed, not \
         beginning with a digit or __, and kind, quantile and served_by are taken"
    )]
    Label(String),
    /// A label given twice, or an empty job.
    #[error("the label \"{0}\" of pushed figures is given twice or is empty")]
    Value(String),
}

/// Headers that belong to the protocols, and to HTTP.
const HEADERS_TAKEN: [&str; 8] = [
    "host",
    "user-agent",
    "content-type",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "x-prometheus-remote-write-version",
];

/// Labels that the figures themselves use.
const TAKEN: [&str; 3] = ["kind", "quantile", "served_by"];

impl Receiver {
    /// Reads where to push to: `http[s]://[USER:PASSWORD@]HOST[:PORT][/PATH]`. `labels` come
    /// beside the job; one called `job` replaces [`JOB_DEFAULT`].
    ///
    /// # Errors
    /// What is wrong with the URL, a label, a header or the certificates to trust.
    pub fn new(
        protocol: Protocol,
        url: &str,
        labels: &[(String, String)],
        access: &Access,
    ) -> Result<Self, ReceiverError> {
        let labels = checked(labels)?;
        let uri: http::Uri = url.parse().map_err(|_| ReceiverError::Url(without_secrets(url)))?;
        let url = without_secrets(url);
        let wrong = || ReceiverError::Url(url.clone());
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let user = authority.as_str().rsplit_once('@').map(|(user, _)| user);
        let headers = headers(&access.headers, user)?;
        let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        let host = host.filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let base = uri.path().trim_end_matches('/');
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = match protocol {
            Protocol::RemoteWrite if base.is_empty() => format!("{REMOTE_WRITE_PATH}{query}"),
            Protocol::RemoteWrite => format!("{}{query}", uri.path()),
            Protocol::Pushgateway => format!("{base}{}{query}", grouping(&labels)),
        };
        let (standard, tls) = match scheme {
            Scheme::Http => (80, None),
            Scheme::Https => {
                let settings = Tls { ca: access.ca.clone(), ..Tls::default() };
                let config = tls::Config::load(&settings, HttpVersion::Http1)?;
                (443, Some(Arc::new(config)))
            }
        };
        let port = uri.port_u16().unwrap_or(standard);
        Ok(Self { protocol, host, port, target, url, tls, headers, labels })
    }

    /// For the handshake of TLS.
    pub fn origin(&self) -> Origin {
        let (host, port) = (self.host.clone(), self.port);
        Origin { scheme: Scheme::Https, host, port, authority: self.authority() }
    }

    /// For `Host`.
    pub fn authority(&self) -> String {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The URL as it may be shown and kept.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// The headers that were given, and the one that the URL's user and password are (RFC 7617).
fn headers(
    given: &[String],
    user: Option<&str>,
) -> Result<Vec<(HeaderName, HeaderValue)>, ReceiverError> {
    let mut headers = Vec::new();
    let mut value = |name: HeaderName, value: &str| {
        let mut value = HeaderValue::from_str(value).map_err(|_| ReceiverError::Header)?;
        value.set_sensitive(true);
        headers.push((name, value));
        Ok::<(), ReceiverError>(())
    };
    for line in given {
        let (name, text) = line.split_once(':').ok_or(ReceiverError::Header)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        let name = name.map_err(|_| ReceiverError::Header)?;
        if HEADERS_TAKEN.contains(&name.as_str()) {
            return Err(ReceiverError::HeaderTaken(name.to_string()));
        }
        if user.is_some() && name == AUTHORIZATION {
            return Err(ReceiverError::Credentials);
        }
        value(name, text.trim())?;
    }
    if let Some(user) = user {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let pair = [decoded(user), b":".to_vec(), decoded(password)].concat();
        value(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)))?;
    }
    Ok(headers)
}

/// What percent-encoding stands for (RFC 3986 §2.1).
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        // A sign is no digit, though it may stand before a number.
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    decoded
}

/// The labels, `job` first.
fn checked(given: &[(String, String)]) -> Result<Vec<(String, String)>, ReceiverError> {
    let mut labels = vec![("job".to_owned(), JOB_DEFAULT.to_owned())];
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in given {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("__");
        if name.is_empty() || begins || !name.chars().all(fits) || TAKEN.contains(&name.as_str()) {
            return Err(ReceiverError::Label(name.clone()));
        }
        if names.contains(&name.as_str()) || value.is_empty() {
            return Err(ReceiverError::Value(name.clone()));
        }
        names.push(name);
        if name == "job" {
            labels[0].1.clone_from(value);
        } else {
            labels.push((name.clone(), value.clone()));
        }
    }
    Ok(labels)
}

/// `/metrics/job/JOB/NAME/VALUE…`, values with other than plain characters in base64
/// (<https://github.com/prometheus/pushgateway#url>).
fn grouping(labels: &[(String, String)]) -> String {
    let mut path = "/metrics".to_owned();
    for (name, value) in labels {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        // A segment of dots alone would be taken for a way up.
        if value.chars().all(plain) && !value.chars().all(|c| c == '.') {
            path.push_str(&format!("/{name}/{value}"));
        } else {
            path.push_str(&format!("/{name}@base64/{}", URL_SAFE.encode(value)));
        }
    }
    path
}
