//! One active health check, and one look-up of a host name: sockets in, a verdict for people out.
//!
//! A check always uses a fresh connection, so it tests that the server accepts, and it is over
//! within its timeout whatever the server does. HTTP goes through hyper: checks are rare, and a
//! second implementation of the protocol disagrees usefully with the engine of the data path.
//!
//! Invariants: a server that sends without end costs at most [`BODY_BYTES`] and a head of
//! [`HEAD_BYTES`]; no socket outlives the call.
//!
//! Left out: when to check and what a result means (`health`), and whose it is (`roster`).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use regex::Regex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::health::{CheckFailure, show};
use super::server::Endpoint;
use crate::config::model::{Address, HealthCheck, HealthCheckKind};

/// The part of a body that is matched. What comes after it is not read.
const BODY_BYTES: usize = 64 * 1024;

/// Most bytes of a response head.
const HEAD_BYTES: usize = 64 * 1024;

/// How long a body that need not match is read all the same: servers log an error when their
/// client leaves in the middle of a reply.
const COURTESY: Duration = Duration::from_millis(100);

/// Most time for looking a host name up.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Who asks, in the servers' logs.
const AGENT: &str = concat!("plimsoll-health/", env!("CARGO_PKG_VERSION"));

/// Checks the server at `endpoint`, configured as `address`. Says what it saw, or what went
/// wrong: "GET /health/ answered 200", "GET /health/ took longer than 2 s".
pub(crate) async fn check(
    check: &HealthCheck,
    address: &Address,
    endpoint: Endpoint<'_>,
) -> Result<String, CheckFailure> {
    let result = timeout(check.timeout, attempt(&check.kind, address, endpoint)).await;
    let what = match &check.kind {
        HealthCheckKind::Tcp => format!("connecting to {}", Place(endpoint)),
        HealthCheckKind::Http { path, .. } => format!("GET {path}"),
    };
    let late = |_| Err(format!("{what} took longer than {}", show(check.timeout)).into());
    result.unwrap_or_else(late)
}

/// Looks a host name up. Of several addresses the `current` one is kept while it is among them,
/// otherwise the first is taken: a server in the configuration is one server, and an answer in
/// another order must not move its connections about.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    current: Option<SocketAddr>,
) -> Result<SocketAddr, String> {
    let mut addresses = match timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.peekable(),
        Ok(Err(error)) => return Err(format!("cannot resolve {host}: {}", plain(&error))),
        Err(_) => return Err(format!("cannot resolve {host}: no answer in 5 s")),
    };
    let first = addresses.peek().copied();
    addresses
        .find(|address| Some(*address) == current)
        .or(first)
        .ok_or_else(|| format!("cannot resolve {host}: it has no address"))
}

async fn attempt(
    kind: &HealthCheckKind,
    address: &Address,
    endpoint: Endpoint<'_>,
) -> Result<String, CheckFailure> {
    let refused =
        |error: io::Error| format!("cannot connect to {}: {}", Place(endpoint), plain(&error));
    match endpoint {
        Endpoint::Tcp(to) => {
            exchange(TcpStream::connect(to).await.map_err(refused)?, kind, address).await
        }
        Endpoint::Unix(path) => {
            exchange(UnixStream::connect(path).await.map_err(refused)?, kind, address).await
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    kind: &HealthCheckKind,
    address: &Address,
) -> Result<String, CheckFailure> {
    let HealthCheckKind::Http { path, headers, statuses, body } = kind else {
        return Ok("it accepts connections".to_owned());
    };
    let request = request(path, headers, address)?;
    let failed = |error: hyper::Error| format!("GET {path} failed: {}", Explained(&error));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let reply = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        judge(response, path, statuses, body.as_ref()).await
    };
    // The connection does the work while the reply is awaited; dropping both ends everything.
    let (mut reply, mut connection) = (std::pin::pin!(reply), std::pin::pin!(connection));
    tokio::select! {
        biased;
        verdict = &mut reply => verdict,
        // What went wrong with the connection is what the reply reports.
        _ = &mut connection => reply.await,
    }
}

fn request(
    path: &str,
    headers: &[(String, String)],
    address: &Address,
) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(path).header(USER_AGENT, AGENT).header(CONNECTION, "close");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(HOST.as_str())) {
        let host = match address {
            Address::Tcp(address) => address.to_string(),
            Address::Host(host, port) => format!("{host}:{port}"),
            Address::Unix(_) => "localhost".to_owned(),
        };
        request = request.header(HOST, host);
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Empty::new()).map_err(|error| format!("GET {path} cannot be asked: {error}"))
}

async fn judge(
    mut response: Response<Incoming>,
    path: &str,
    statuses: &[(u16, u16)],
    body: Option<&Regex>,
) -> Result<String, CheckFailure> {
    let status = response.status().as_u16();
    let seen = format!("GET {path} answered {status}");
    let expected = statuses.iter().any(|(from, to)| (*from..=*to).contains(&status));
    let Some(pattern) = body.filter(|_| expected) else {
        // Whether the body arrives says nothing here.
        let _ = timeout(COURTESY, beginning(response.body_mut())).await;
        if expected {
            return Ok(seen);
        }
        let mistaken = status != StatusCode::SERVICE_UNAVAILABLE;
        return Err(CheckFailure { text: format!("{seen}, not {}", list(statuses)), mistaken });
    };
    let body = beginning(response.body_mut())
        .await
        .map_err(|error| format!("{seen}, but its body broke off: {}", Explained(&error)))?;
    if pattern.is_match(&String::from_utf8_lossy(&body)) {
        return Ok(format!("{seen} with a body as expected"));
    }
    let text = format!("{seen}, but its body does not match {:?}", pattern.as_str());
    Err(CheckFailure { text, mistaken: true })
}

/// "200-399", "200, 204 or 301-302".
fn list(statuses: &[(u16, u16)]) -> String {
    let range = |(from, to): &(u16, u16)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    };
    let all: Vec<String> = statuses.iter().map(range).collect();
    match all.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => all.concat(),
    }
}

/// The first [`BODY_BYTES`] of a body, or all of it.
async fn beginning(body: &mut Incoming) -> Result<BytesMut, hyper::Error> {
    let mut bytes = BytesMut::new();
    while bytes.len() < BODY_BYTES
        && let Some(frame) = body.frame().await
    {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(&data[..data.len().min(BODY_BYTES - bytes.len())]);
        }
    }
    Ok(bytes)
}

/// An endpoint as people write it.
struct Place<'a>(Endpoint<'a>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Endpoint::Tcp(address) => address.fmt(formatter),
            Endpoint::Unix(path) => path.display().fmt(formatter),
        }
    }
}

/// An error of hyper's in the words of an operator.
struct Explained<'a>(&'a hyper::Error);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        if error.is_parse_too_large() {
            formatter.write_str("the head of the answer is larger than 64 KiB")
        } else if error.is_parse() {
            formatter.write_str("the answer is not HTTP")
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            formatter.write_str("the connection was closed before the answer was complete")
        } else {
            let source = std::error::Error::source(error);
            match source.and_then(|source| source.downcast_ref::<io::Error>()) {
                Some(error) => formatter.write_str(&plain(error)),
                None => error.fmt(formatter),
            }
        }
    }
}

/// An I/O error without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed in the middle".to_owned(),
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            text.split(" (os error").next().unwrap_or(text).to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
