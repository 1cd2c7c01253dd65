//! Asking a server of a service: plain HTTP/1.1 on a socket of either kind, one connection a scrape.
//!
//! Nobody listed these, so nothing is asked but the server itself: a redirect is followed while it
//! stays there, as of frameworks that put a slash at the end of a path.

use bytes::Bytes;
use http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION, USER_AGENT,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tsdb::exposition;

use super::{Body, Bounds, Failure, Page, TIMEOUT_HEADER, format, shown};
use crate::config::model::Address;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;
/// Who asks, in the servers' logs.
const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// Asks a server, for another host than its address if that is named.
///
/// # Errors
/// Why there is no page.
pub(in super::super) async fn ask(
    address: &Address,
    path: &str,
    host: Option<&str>,
    bounds: Bounds<'_>,
) -> Result<Page, Failure> {
    let usual = || match address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let host = host.map_or_else(usual, str::to_owned);
    bounds.within(follow(address, path, &host, bounds)).await
}

async fn follow(
    address: &Address,
    path: &str,
    host: &str,
    bounds: Bounds<'_>,
) -> Result<Page, Failure> {
    let mut path = path.to_owned();
    for redirects in 0..=REDIRECTS_MAX {
        let response = send(address, host, &path, bounds).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return read(response, bounds).await;
        }
        let location = header(response.headers(), LOCATION);
        let is_redirect = status.is_redirection() && redirects < REDIRECTS_MAX;
        match location.and_then(|place| same_server(place, host, &path)) {
            Some(next) if is_redirect => path = next,
            _ => {
                let location = location.filter(|_| status.is_redirection()).map(shown);
                return Err(Failure::Status { status, location });
            }
        }
    }
    // The last round returns.
    Err(Failure::Connection("too many redirects".to_owned()))
}

/// The path that a redirect leads to, if it is of the same server.
fn same_server(location: &str, host: &str, path: &str) -> Option<String> {
    let base = reqwest::Url::parse(&format!("http://{host}{path}")).ok()?;
    let next = base.join(location).ok()?;
    if next.origin() != base.origin() {
        return None;
    }
    let query = next.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", next.path()))
}

async fn send(
    address: &Address,
    host: &str,
    path: &str,
    bounds: Bounds<'_>,
) -> Result<Response<Incoming>, Failure> {
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, exposition::ACCEPT)
        .header(TIMEOUT_HEADER, bounds.timeout.as_secs_f64().to_string())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Connection(format!("cannot ask for `{path}`: {error}")))?;
    let no_connection = |error: std::io::Error| {
        let text = error.to_string().to_lowercase();
        let words = text.split(" (os error").next().unwrap_or_default().to_owned();
        Failure::Connection(match address {
            Address::Unix(path) => format!("{}: {words}", path.display()),
            _ => words,
        })
    };
    match address {
        Address::Unix(path) => {
            exchange(UnixStream::connect(path).await.map_err(no_connection)?, request).await
        }
        Address::Tcp(at) => {
            exchange(TcpStream::connect(at).await.map_err(no_connection)?, request).await
        }
        Address::Host(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await;
            exchange(stream.map_err(no_connection)?, request).await
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // Ends with the response, or when that is dropped.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| broken(&error))
}

fn broken(error: &hyper::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string().to_lowercase();
    Failure::Connection(text.split(" (os error").next().unwrap_or_default().to_owned())
}

fn header(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn read(response: Response<Incoming>, bounds: Bounds<'_>) -> Result<Page, Failure> {
    let format = format(header(response.headers(), CONTENT_TYPE))?;
    // Nothing was asked for but the plain body: what is near need not be packed.
    if let Some(coding) = header(response.headers(), CONTENT_ENCODING)
        && !coding.eq_ignore_ascii_case("identity")
    {
        let words = format!("the answer is packed ({}), and nobody asked for it", shown(coding));
        return Err(Failure::Connection(words));
    }
    let mut incoming = response.into_body();
    let mut body = Body::new(bounds);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Some(chunk) = frame.data_ref() {
            body.take(chunk).await?;
        }
    }
    Ok(body.page(format))
}
