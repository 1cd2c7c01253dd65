//! Where figures are pushed to, and what they are labelled with.

use std::net::Ipv6Addr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use thiserror::Error;

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

/// Where figures are pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// How.
    pub protocol: Protocol,
    /// A name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// As it was given.
    pub url: String,
    /// `job` first; names differ.
    pub labels: Vec<(String, String)>,
}

/// Why figures cannot be pushed there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiverError {
    /// Not a URL that this can push to.
    #[error(
        "figures cannot be pushed to \"{0}\": a URL of http is needed, as in \"http://127.0.0.1:9091\""
    )]
    Url(String),
    /// TLS.
    #[error(
        "figures cannot be pushed to \"{0}\": only http is spoken here; let a gateway or an agent \
         on this machine forward them by https"
    )]
    Https(String),
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

/// Labels that the figures themselves use.
const TAKEN: [&str; 3] = ["kind", "quantile", "served_by"];

impl Receiver {
    /// Reads where to push to: `http://HOST[:PORT][/PATH]`. `labels` come beside the job; one
    /// called `job` replaces [`JOB_DEFAULT`].
    ///
    /// # Errors
    /// What is wrong with the URL or a label.
    pub fn new(
        protocol: Protocol,
        url: &str,
        labels: &[(String, String)],
    ) -> Result<Self, ReceiverError> {
        let labels = checked(labels)?;
        let wrong = || ReceiverError::Url(url.to_owned());
        let uri: http::Uri = url.parse().map_err(|_| wrong())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(ReceiverError::Https(url.to_owned())),
            _ => return Err(wrong()),
        }
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(wrong());
        }
        let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        let host = host.filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let base = uri.path().trim_end_matches('/');
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = match protocol {
            Protocol::RemoteWrite if base.is_empty() => format!("{REMOTE_WRITE_PATH}{query}"),
            Protocol::RemoteWrite => format!("{}{query}", uri.path()),
            Protocol::Pushgateway => format!("{base}{}{query}", grouping(&labels)),
        };
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self { protocol, host, port, target, url: url.to_owned(), labels })
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
