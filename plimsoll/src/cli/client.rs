//! Asking a running Plimsoll through its admin server.
//!
//! One request a connection, on a runtime of its own that lives as long as the request. Nothing
//! waits without bound, an answer beyond [`ANSWER_BYTES_MAX`] is refused, and every failure names
//! the address and what to do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::admin::CUSTOM_HEADER;
use crate::admin::api::ErrorBody;
use crate::admin::units::plural;
use crate::config::model::DEFAULT_ADMIN_PORT;
use crate::config::{self, AdminOfFile};

use super::arguments::{Connection, DEFAULT_ADMIN};

/// Names the address where neither an option nor a config file does.
pub const ADMIN_VARIABLE: &str = "PLIMSOLL_ADMIN";
/// Names the token where neither an option nor a config file does.
pub const TOKEN_VARIABLE: &str = "PLIMSOLL_TOKEN";

/// To connect; the other side is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For an answer at once: a little longer than the server takes to give up.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// For a reload: likewise.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(70);
/// For a rolling restart: likewise.
pub const RESTART_TIMEOUT: Duration = Duration::from_secs(3700);
/// For a test alarm: likewise.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(140);
/// Largest answer: the status of 10 000 servers.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where a running Plimsoll answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    /// `HOST:PORT`.
    address: String,
    token: Option<String>,
    /// What whoever asks should know beforehand, one line.
    pub warning: Option<String>,
}

/// Why a command did not reach Plimsoll or was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be one.
    #[error("{text:?} from {origin} is not an address")]
    Address {
        /// What was given.
        text: String,
        /// `--admin` or the variable.
        origin: &'static str,
    },
    /// The config file is wrong.
    #[error("{0}")]
    Config(#[from] config::ConfigErrors),
    /// The config file turns the admin server off.
    #[error("{} turns the admin server off", .0.display())]
    NoAdmin(PathBuf),
    /// Nobody listens.
    #[error("no Plimsoll answers on {address}: {}", plainly(source))]
    Connect {
        /// Where it was looked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the answer of {address} broke off: {reason}")]
    Broken {
        /// Who was asked.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {address} within {} s", allowed.as_secs())]
    Late {
        /// Who was asked.
        address: String,
        /// How long was waited.
        allowed: Duration,
    },
    /// Something else listens there.
    #[error("what answers on {address} is not Plimsoll (status {status})")]
    Stranger {
        /// Who was asked.
        address: String,
        /// Its status.
        status: StatusCode,
    },
    /// Plimsoll said no.
    #[error("{}", body.error)]
    Refused {
        /// Its status: 422 for a config file that is wrong.
        status: StatusCode,
        /// What it said.
        body: ErrorBody,
    },
    /// No runtime could be made.
    #[error("cannot ask: {0}")]
    Runtime(io::Error),
}

impl ClientError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Address { .. } => format!("write HOST:PORT, as in {DEFAULT_ADMIN}"),
            Self::Config(_) => String::new(),
            Self::NoAdmin(_) => {
                "set `admin = \"127.0.0.1:9900\"` in it, and start Plimsoll again".to_owned()
            }
            Self::Connect { .. } => format!(
                "start Plimsoll (plimsoll up, plimsoll run or plimsoll demo), or say where it \
                 is: --admin ADDRESS, {ADMIN_VARIABLE}, or -c FILE"
            ),
            Self::Broken { .. } | Self::Late { .. } | Self::Runtime(_) => {
                "look at the log of Plimsoll; the command may have been carried out".to_owned()
            }
            Self::Stranger { .. } => {
                format!("say where Plimsoll is: --admin ADDRESS, {ADMIN_VARIABLE}, or -c FILE")
            }
            Self::Refused { body, .. } => body.remedy.clone(),
        }
    }

    /// More lines.
    pub fn details(&self) -> &[String] {
        match self {
            Self::Refused { body, .. } => &body.details,
            _ => &[],
        }
    }

    /// Whether the command line or the config file is at fault.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Config(_) | Self::NoAdmin(_) => true,
            Self::Refused { status, .. } => *status == StatusCode::UNPROCESSABLE_ENTITY,
            _ => false,
        }
    }
}

impl Client {
    /// Finds out where to ask. `variable` reads the environment.
    pub fn find(
        connection: &Connection,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ClientError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let token = connection.token.clone().or_else(|| set(TOKEN_VARIABLE));
        if let Some(text) = &connection.admin {
            return Ok(Self { address: address(text, "--admin")?, token, warning: None });
        }
        if let Some(path) = &connection.config {
            let AdminOfFile { admin, errors } = config::load_admin(path)?;
            let admin = admin.ok_or_else(|| ClientError::NoAdmin(path.clone()))?;
            let address = reachable(admin.bind).to_string();
            let warning = (errors > 0).then(|| {
                let (path, count) = (path.display(), plural(errors, "error"));
                format!("{path} has {count}: see plimsoll check -c {path}; asking {address}")
            });
            let token = connection.token.clone().or(admin.token).or(token);
            return Ok(Self { address, token, warning });
        }
        let address = match set(ADMIN_VARIABLE) {
            Some(text) => address(&text, ADMIN_VARIABLE)?,
            None => DEFAULT_ADMIN.to_owned(),
        };
        Ok(Self { address, token, warning: None })
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What lets it in.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Asks and reads the answer as `T`.
    pub fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        allowed: Duration,
    ) -> Result<T, ClientError> {
        let (status, body) = self.exchange(method, path, None, allowed)?;
        let stranger = || ClientError::Stranger { address: self.address.clone(), status };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| stranger());
        }
        Err(self.refused(status, &body))
    }

    /// Says `body` and reads the answer, which may be empty.
    pub fn tell(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        allowed: Duration,
    ) -> Result<Value, ClientError> {
        let (status, answer) = self.exchange(method, path, body, allowed)?;
        match status.is_success() {
            true => Ok(serde_json::from_slice(&answer).unwrap_or_default()),
            false => Err(self.refused(status, &answer)),
        }
    }

    /// What a refusal says: our own, or that of an API that is another system's.
    fn refused(&self, status: StatusCode, answer: &[u8]) -> ClientError {
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(answer) {
            return ClientError::Refused { status, body };
        }
        let words = match serde_json::from_slice::<Value>(answer) {
            Ok(Value::String(words)) => Some(words),
            Ok(answer) => answer.get("error").and_then(Value::as_str).map(str::to_owned),
            Err(_) => None,
        };
        match words {
            Some(error) => {
                let body = ErrorBody { error, remedy: String::new(), details: Vec::new() };
                ClientError::Refused { status, body }
            }
            None => ClientError::Stranger { address: self.address.clone(), status },
        }
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        allowed: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        runtime.block_on(async {
            let stream = self.connect().await?;
            let exchange = self.send(stream, method, path, body);
            tokio::time::timeout(allowed, exchange).await.unwrap_or_else(|_| {
                Err(ClientError::Late { address: self.address.clone(), allowed })
            })
        })
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let failed = |source| ClientError::Connect { address: self.address.clone(), source };
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await {
            Ok(stream) => stream.map_err(failed),
            Err(_) => Err(failed(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    async fn send(
        &self,
        stream: TcpStream,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let broken = |reason: String| ClientError::Broken { address: self.address.clone(), reason };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header(CUSTOM_HEADER, "1");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(|error| broken(error.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(error.to_string()))?;
        let driver = tokio::spawn(connection);
        let response =
            sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        driver.abort();
        Ok((status, body.map_err(|error| broken(error.to_string()))?.to_bytes()))
    }
}

/// What the system said, without its number.
fn plainly(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// `127.0.0.1:9900`, `:9900`, `localhost`, `http://localhost:9900/` as `HOST:PORT`.
fn address(text: &str, origin: &'static str) -> Result<String, ClientError> {
    let wrong = || ClientError::Address { text: text.to_owned(), origin };
    let plain = text.trim().trim_start_matches("http://").trim_end_matches('/');
    if let Ok(ip) = plain.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DEFAULT_ADMIN_PORT).to_string());
    }
    if let Ok(address) = plain.parse::<SocketAddr>() {
        return Ok(reachable(address).to_string());
    }
    let (host, port) = match plain.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| wrong())?),
        None => (plain, DEFAULT_ADMIN_PORT),
    };
    let host = if host.is_empty() && !plain.is_empty() { "127.0.0.1" } else { host };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    if host.is_empty() || port == 0 || !host.chars().all(fits) {
        return Err(wrong());
    }
    Ok(format!("{host}:{port}"))
}

/// Where to connect to reach what is bound to `address`: all addresses include the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests;
