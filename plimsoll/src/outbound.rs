//! HTTP requests of Plimsoll's own: scrapes, notifications, remote writes, queries elsewhere.
//!
//! One client for each set of trusted certificates; who may come in is said by the endpoint. What a
//! peer answers is read up to a bound, never whole by its own word. The environment's proxies are not
//! asked: what Plimsoll watches is near.
//!
//! Redirects stay on the host that the configuration names, because what lets Plimsoll in there (also
//! in headers of any name) is nobody else's business; and one that would make a GET without a body of
//! a POST is not followed, because an answer of 200 to that would mean nothing. What is not followed
//! is the answer.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::config::model::observe::HttpEndpoint;
use crate::trust::{self, Issuers, Remedies, Verifier};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// Characters of a foreign `Location` that a message repeats.
const LOCATION_SHOWN_MAX: usize = 200;
/// An idle connection is closed after this.
const IDLE: Duration = Duration::from_secs(90);
/// HTTP/1.1 in ALPN (RFC 7301), all that is spoken here.
const ALPN_HTTP1: &[u8] = b"http/1.1";
/// What to do about a certificate, of an endpoint in the config file.
const REMEDIES: Remedies =
    Remedies { naming: "with ca = \"FILE\"", anyway: Some("write insecure = true") };
/// Who asks, in the peers' logs.
const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// A client for requests to `endpoint` and to others that trust the same certificates. A method that
/// is redirected stays what it is.
///
/// # Errors
/// What is wrong with the file of certificates, in words.
pub fn client(endpoint: &HttpEndpoint) -> Result<Client, String> {
    build(verifier(endpoint)?, true)
}

/// The same for GET alone, which any redirect on the host may send elsewhere. Each of its connections
/// is shown the server's certificates: no session is resumed.
///
/// # Errors
/// TLS cannot be set up.
pub fn reader(verifier: Verifier) -> Result<Client, String> {
    build(verifier, false)
}

/// Whom the client of an endpoint trusts.
///
/// # Errors
/// What is wrong with the file of certificates, in words.
pub fn verifier(endpoint: &HttpEndpoint) -> Result<Verifier, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    if endpoint.insecure {
        return Ok(Verifier::anybody(provider));
    }
    let issuers = match &endpoint.ca {
        Some(file) => Issuers::system().and_file(file)?,
        None => Issuers::system(),
    };
    Verifier::new(issuers, provider).map_err(|error| format!("TLS cannot be set up: {error}"))
}

fn build(verifier: Verifier, keeps_method: bool) -> Result<Client, String> {
    let redirects = Policy::custom(move |attempt| {
        let keeps = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        let is_followed = attempt.previous().last().is_some_and(|from| stays(from, attempt.url()))
            && (!keeps_method || keeps.contains(&attempt.status()));
        match is_followed {
            true if attempt.previous().len() > REDIRECTS_MAX => attempt.error("too many redirects"),
            true => attempt.follow(),
            false => attempt.stop(),
        }
    });
    let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    if !keeps_method {
        tls.resumption = Resumption::disabled();
    }
    Client::builder()
        .user_agent(AGENT)
        .redirect(redirects)
        .pool_idle_timeout(IDLE)
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| format!("cannot make requests: {}", in_words(&error)))
}

/// Whether a redirect stays on the host: on its port, or from the usual one of HTTP to that of HTTPS.
fn stays(from: &Url, to: &Url) -> bool {
    let place = |url: &Url| (url.scheme().to_owned(), url.port_or_known_default());
    let (from_place, to_place) = (place(from), place(to));
    let is_upgrade =
        from_place == ("http".to_owned(), Some(80)) && to_place == ("https".to_owned(), Some(443));
    from.host_str() == to.host_str() && (from_place == to_place || is_upgrade)
}

/// Where an answer leads that is a redirect and was not followed, for people.
pub fn elsewhere(response: &Response) -> Option<String> {
    let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    let text = location.and_then(|value| value.to_str().ok())?;
    Some(text.chars().filter(|c| !c.is_control()).take(LOCATION_SHOWN_MAX).collect())
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
    in_words_with(error, &REMEDIES)
}

/// The same where a certificate is trusted in another way than in the config file.
pub fn in_words_with(error: &reqwest::Error, remedies: &Remedies) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    match trust::error_of(error) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            return trust::of_certificate(reason, "the server", remedies);
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            return "the server answers, but not with TLS: is it http:// rather than https://, or \
                    another port?"
                .to_owned();
        }
        Some(error) => return format!("no agreement on TLS: {error}"),
        None => {}
    }
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    if is_unclosed(cause) {
        return UNCLOSED.to_owned();
    }
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// An answer without a length ends with its connection. Go takes such an end without TLS' farewell, so
/// Prometheus does; here it is refused, because it looks like an answer that was cut off: by a server
/// that died, or by somebody between who wants some of the figures gone. Half a page of metrics cannot
/// be told from a whole one.
const UNCLOSED: &str = "the server ended the connection without closing TLS (close_notify), so its \
                        answer may be cut off: let it send Content-Length, or close TLS properly";

/// Whether the connection ended without TLS' farewell. rustls has no type for it.
fn is_unclosed(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        error.kind() == io::ErrorKind::UnexpectedEof && error.to_string().contains("close_notify")
    })
}

#[cfg(test)]
mod tests;
