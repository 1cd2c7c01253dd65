//! HTTP requests of Plimsoll's own: scrapes, notifications, remote writes, queries elsewhere.
//!
//! One client for each set of trusted certificates; who may come in is said by the endpoint. What a
//! peer answers is read up to a bound, never whole by its own word. The environment's proxies are not
//! asked: what Plimsoll watches is near.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};

use crate::config::model::observe::HttpEndpoint;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// An idle connection is closed after this.
const IDLE: Duration = Duration::from_secs(90);
/// Who asks, in the peers' logs.
const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// A client for requests to `endpoint` and to others that trust the same certificates.
///
/// # Errors
/// What is wrong with the file of certificates, in words.
pub fn client(endpoint: &HttpEndpoint) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(AGENT)
        .redirect(Policy::limited(REDIRECTS_MAX))
        .pool_idle_timeout(IDLE)
        .no_proxy();
    if let Some(path) = &endpoint.ca {
        let wrong = |what: &dyn std::fmt::Display| {
            format!("cannot use the certificates of {}: {what}", path.display())
        };
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))?;
        if certificates.is_empty() {
            return Err(wrong(&"there is none in it"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| format!("cannot make requests: {}", in_words(&error)))
}

/// A request to `url`, which is the endpoint's or one below it, with what lets it in.
pub fn request(
    client: &Client,
    method: Method,
    endpoint: &HttpEndpoint,
    url: &str,
) -> RequestBuilder {
    let mut builder = client.request(method, url);
    if let Some((user, password)) = &endpoint.basic {
        builder = builder.basic_auth(user, Some(password));
    }
    if let Some(token) = &endpoint.bearer {
        builder = builder.bearer_auth(token);
    }
    for (name, value) in &endpoint.headers {
        builder = builder.header(name, value);
    }
    builder
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the answer is larger than {max} bytes")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// It broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

/// Reads a body, unpacked, of at most `max` bytes.
///
/// # Errors
/// It is larger, or broke off.
pub async fn body(mut response: Response, max: u64) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (bytes.len() + chunk.len()) as u64 > max => {
                return Err(BodyError::TooLarge { max });
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(BodyError::Broken(in_words(&error))),
        }
    }
}

/// What went wrong, for people: the innermost cause says it best.
pub fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
