//! A connection to a PostgreSQL server, from a URL as libpq reads it.
//!
//! tokio-postgres reads the URL but for `sslmode=verify-ca`, `sslmode=verify-full` and `sslrootcert`,
//! which are about certificates and taken out before.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Connection};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::dial::{Bounded, Place, dial};
use super::super::tls::{self, Trust};
use crate::trust::{Presented, Remedies};

/// The port if the URL names none.
const PORT: u16 = 5432;
/// The name of the session on the server.
const APPLICATION: &str = "plimsoll";

/// What to do about a certificate.
const REMEDIES: Remedies = Remedies {
    naming: "with sslrootcert=FILE in the URL",
    anyway: Some("ask with sslmode=require and no sslrootcert"),
};

/// A server to connect to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) user: String,
    config: Config,
    /// Of TLS, if there is any.
    trust: Trust,
}

impl Server {
    /// What the URL names. A statement gets half of the time, so that one that hangs is left out
    /// before all is late.
    ///
    /// # Errors
    /// What is wrong with the URL, without quoting it: the password is in there.
    pub(super) fn of(url: &str, timeout: Duration) -> Result<Self, String> {
        let (url, trust) = split(url)?;
        let mut config: Config = url.parse().map_err(|_| {
            "the URL is not one of PostgreSQL: postgres://USER:PASSWORD@HOST:PORT/DATABASE is \
             expected, with other characters than letters and digits in user and password written \
             as %XX, and sslmode (disable, prefer, require, verify-ca, verify-full), options, \
             sslrootcert after a question mark"
                .to_owned()
        })?;
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        let place = match config.get_hosts() {
            [Host::Tcp(host)] => Place::Tcp(host.clone(), port),
            [Host::Unix(folder)] => Place::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            [] => Place::Tcp("localhost".to_owned(), port),
            _ => return Err("the URL names several hosts; name each server by itself".to_owned()),
        };
        let place = match (config.get_hostaddrs(), place) {
            ([address], Place::Tcp(_, port)) => Place::Tcp(address.to_string(), port),
            (_, place) => place,
        };
        let Some(user) = config.get_user().map(str::to_owned) else {
            return Err("the URL names no user: postgres://USER:PASSWORD@HOST/…".to_owned());
        };
        if matches!(place, Place::Unix(_)) {
            config.ssl_mode(SslMode::Disable);
        }
        let statement = timeout.as_millis() / 2;
        let options = format!(
            "{} -c default_transaction_read_only=on -c statement_timeout={}",
            config.get_options().unwrap_or_default(),
            statement.max(1)
        );
        config.options(options.trim()).application_name(APPLICATION);
        Ok(Self { place, user, config, trust })
    }

    /// Connects and is let in.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) async fn connect(
        &self,
        presented: &Arc<Presented>,
    ) -> Result<(Client, Connection<Bounded, Secured<Bounded>>), String> {
        let secure = Secure::new(&self.place, &self.config, &self.trust, presented)?;
        let stream = dial(&self.place).await?;
        self.config.connect_raw(stream, secure).await.map_err(|error| self.words(&error))
    }
}

/// The URL without what is about certificates, and that.
fn split(url: &str) -> Result<(String, Trust), String> {
    let Some((before, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), Trust::Anybody));
    };
    let (mut file, mut mode) = (None, None);
    let mut left: Vec<&str> = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value @ ("verify-ca" | "verify-full"))) => {
                mode = Some(value);
                left.push("sslmode=require");
            }
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", path)) => {
                let path = percent_decoded(path);
                file = Some(PathBuf::from(path.ok_or("sslrootcert in the URL is no UTF-8")?));
            }
            _ => left.push(parameter),
        }
    }
    let trust = match (mode, file) {
        (None, None) => Trust::Anybody,
        // As libpq has it, a file makes `require` ask for the issuer.
        (mode, file) => Trust::Issuers { file, names: mode == Some("verify-full") },
    };
    Ok((format!("{before}?{}", left.join("&")), trust))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

/// Makes TLS of a connection, where the server and the URL want it.
pub(super) struct Secure(Option<(TlsConnector, ServerName<'static>)>);

impl Secure {
    fn new(
        place: &Place,
        config: &Config,
        trust: &Trust,
        presented: &Arc<Presented>,
    ) -> Result<Self, String> {
        match place {
            Place::Tcp(..) if config.get_ssl_mode() != SslMode::Disable => {}
            _ => return Ok(Self(None)),
        }
        let host = config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(host) => Some(host.as_str()),
            Host::Unix(_) => None,
        });
        let name = tls::server_name(host.unwrap_or("localhost"))?;
        Ok(Self(Some((tls::connector(trust, presented)?, name))))
    }
}

impl TlsConnect<Bounded> for Secure {
    type Stream = Secured<Bounded>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, stream: Bounded) -> Self::Future {
        Box::pin(async move {
            let Some((connector, name)) = self.0 else {
                return Err(io::Error::other("TLS is not wanted here"));
            };
            let secured = connector.connect(name, stream).await;
            let words = |error| io::Error::other(tls::words(&error, "the server", &REMEDIES));
            secured.map(Secured).map_err(words)
        })
    }
}

/// A connection with TLS.
pub(super) struct Secured<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Secured<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
