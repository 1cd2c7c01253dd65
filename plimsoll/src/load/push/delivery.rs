//! One request that carries figures, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::receiver::{Protocol, Receiver};
use crate::load::client::dial::Purpose;

/// Most of a refusal that is read, for its words.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// Most of its words that are shown.
const REFUSAL_SHOWN_MAX: usize = 200;

/// Why figures were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub reason: String,
    /// Whether they may be taken later: the receiver is away or in trouble. Otherwise it says that
    /// they are wrong, and sending them again would not mend that.
    pub passing: bool,
}

/// Sends the body, within `patience`.
///
/// # Errors
/// Why it was not taken.
pub async fn deliver(
    receiver: &Receiver,
    body: Vec<u8>,
    patience: Duration,
) -> Result<(), Refusal> {
    match tokio::time::timeout(patience, exchange(receiver, body)).await {
        Ok(done) => done,
        Err(_) => Err(passing(format!("no answer within {} ms", patience.as_millis()))),
    }
}

async fn exchange(receiver: &Receiver, body: Vec<u8>) -> Result<(), Refusal> {
    let request = request(receiver, body)?;
    let stream = TcpStream::connect((receiver.host.as_str(), receiver.port))
        .await
        .map_err(|error| passing(plainly(&error)))?;
    let Some(tls) = &receiver.tls else { return over(stream, request).await };
    let agreed = tls.agree(stream, &receiver.origin(), Purpose::Requests).await;
    over(agreed.map_err(|trouble| passing(untrusted(&trouble.detail)))?, request).await
}

/// Sends the request over a connection that is for it alone.
async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let broken = |error: hyper::Error| passing(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let reply = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let words = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let words = words.map(|body| body.to_bytes()).unwrap_or_default();
        judge(status, &String::from_utf8_lossy(&words))
    };
    // The connection does the work while the reply is awaited; dropping both ends everything.
    let (mut reply, mut connection) = (std::pin::pin!(reply), std::pin::pin!(connection));
    tokio::select! {
        biased;
        done = &mut reply => done,
        // What went wrong with the connection is what the reply reports.
        _ = &mut connection => reply.await,
    }
}

/// Why TLS was not agreed on; what to do about it here, and not where a service is asked.
fn untrusted(detail: &str) -> String {
    match detail.split_once("; ") {
        Some((what, remedy)) if remedy.contains("--insecure") => {
            format!("{what}; --push-ca FILE names certificates that are trusted")
        }
        _ => detail.to_owned(),
    }
}

fn request(receiver: &Receiver, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Refusal> {
    let builder = Request::builder()
        .uri(&receiver.target)
        .header("host", receiver.authority())
        .header("user-agent", concat!("plimsoll/", env!("CARGO_PKG_VERSION")));
    let builder = (receiver.headers.iter())
        .fold(builder, |builder, (name, value)| builder.header(name, value));
    let builder = match receiver.protocol {
        // PUT replaces all that was pushed under these labels, POST each metric by itself.
        Protocol::Pushgateway => {
            builder.method(Method::PUT).header("content-type", tsdb::exposition::CONTENT_TYPE)
        }
        Protocol::RemoteWrite => builder
            .method(Method::POST)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0"),
    };
    builder
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Refusal { reason: error.to_string(), passing: false })
}

/// Remote write says it (spec, "Retries & Backoff"), and for a Pushgateway it is as true: 5xx and
/// 429 pass, other refusals do not.
fn judge(status: StatusCode, words: &str) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    let words: String =
        words.trim().chars().filter(|c| !c.is_control()).take(REFUSAL_SHOWN_MAX).collect();
    // A page is for browsers.
    let words = if words.starts_with('<') { String::new() } else { words };
    let gap = if words.is_empty() { "" } else { ": " };
    let remedy = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            " (say who you are with USER:PASSWORD@ in the URL, or with --push-header)"
        }
        _ => "",
    };
    Err(Refusal {
        reason: format!("it answered {status}{gap}{words}{remedy}"),
        passing: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
    })
}

fn passing(reason: String) -> Refusal {
    Refusal { reason, passing: true }
}

/// What the system said, without its number.
fn plainly(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
