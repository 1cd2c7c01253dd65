//! The figures of Redis, Valkey and their kin, named as redis_exporter names them.
//!
//! All of them are in the answer to one command, `INFO ALL`. The user needs no more than the right to
//! give it (`+info`).

mod info;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::dial::{self, Place, dial};
use super::tls::{self, Trust};
use crate::config::model::observe::DatabaseTarget;
use crate::trust::{Presented, Remedies};

/// The name of the session on the server, in `CLIENT LIST`.
const LIBRARY: &str = "plimsoll";
/// What to do about a certificate.
const REMEDIES: Remedies = Remedies {
    naming: "by the variable SSL_CERT_FILE, or add it to those of the system",
    anyway: Some("end the URL in #insecure"),
};

/// A server's figures now, as exposition text. Its certificates are noted in `presented`.
///
/// # Errors
/// Why there are none, for people, without the password.
pub async fn figures(
    target: &DatabaseTarget,
    presented: &Arc<Presented>,
) -> Result<String, String> {
    let server = Server::of(&target.url)?;
    let look = look(&server, target.timeout, presented);
    match tokio::time::timeout(target.timeout, look).await {
        Ok(done) => done,
        Err(_) => Err(dial::late(&server.place, target.timeout)),
    }
}

/// A server to connect to.
#[derive(Debug)]
struct Server {
    place: Place,
    login: RedisConnectionInfo,
    /// With TLS, whom it trusts.
    trust: Option<Trust>,
}

impl Server {
    /// What the URL names; `rediss` and `valkeys` are with TLS, trusting those that the system trusts,
    /// and anybody if it ends in `#insecure`.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it: the password is in there.
    fn of(url: &str) -> Result<Self, String> {
        let (url, is_insecure) = match url.strip_suffix("#insecure") {
            Some(url) => (url, true),
            None => (url, false),
        };
        let plain = ["rediss://", "valkeys://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let trust = plain.map(|_| match is_insecure {
            true => Trust::Anybody,
            false => Trust::Issuers { file: None, names: true },
        });
        // The client itself was built without TLS; what it is given here is a connection.
        let url = plain.map_or_else(|| url.to_owned(), |rest| format!("redis://{rest}"));
        let known = url.as_str().into_connection_info().map_err(|_| {
            "the URL is not one of Redis: redis://USER:PASSWORD@HOST:PORT (rediss with TLS) or \
             unix:///PATH is expected, with other characters than letters and digits in user and \
             password written as %XX"
                .to_owned()
        })?;
        let place = match known.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err("the URL names no place to connect to".to_owned()),
        };
        let login = known.redis_settings().clone();
        // The figures are those of the server: there is no need of a right to select a database.
        let login = login.set_db(0).set_lib_name(LIBRARY, env!("CARGO_PKG_VERSION"));
        Ok(Self { place, login, trust })
    }

    fn words(&self, error: &RedisError) -> String {
        let place = &self.place;
        let said = error.detail().unwrap_or_default().trim().to_owned();
        match error.code() {
            Some("NOAUTH") => {
                return format!(
                    "{place} asks for a password; put it in the URL, redis://:PASSWORD@…"
                );
            }
            Some("WRONGPASS") => {
                return format!(
                    "{place} does not let this user in with this password; correct the URL"
                );
            }
            Some("NOPERM") => {
                return format!("{place} does not let this user ask for figures; allow it +info");
            }
            _ => {}
        }
        if error.kind() == ErrorKind::AuthenticationFailed {
            return format!(
                "{place} does not let this user in with this password; correct the URL"
            );
        }
        if error.is_io_error() {
            return format!("{place}: {}", broken(error));
        }
        match said.is_empty() {
            true => format!("{place}: {error}"),
            false => format!("{place} refuses: {said}"),
        }
    }
}

/// Why a connection broke, without the number of the system's error.
fn broken(error: &RedisError) -> String {
    let inner = std::error::Error::source(error).and_then(|inner| inner.downcast_ref());
    let text = inner.map_or_else(|| error.to_string(), dial::plainly);
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

async fn look(
    server: &Server,
    timeout: Duration,
    presented: &Arc<Presented>,
) -> Result<String, String> {
    let stream = dial(&server.place).await?;
    let (Some(trust), Place::Tcp(host, _)) = (&server.trust, &server.place) else {
        return ask(server, stream, timeout).await;
    };
    let connector = tls::connector(trust, presented)?;
    let secured = connector.connect(tls::server_name(host)?, stream).await;
    let stream =
        secured.map_err(|error| tls::words(&error, &server.place.to_string(), &REMEDIES))?;
    ask(server, stream, timeout).await
}

async fn ask<C>(server: &Server, stream: C, timeout: Duration) -> Result<String, String>
where
    C: Unpin + AsyncRead + AsyncWrite + Send + 'static,
{
    let opened = MultiplexedConnection::new(&server.login, stream).await;
    let (mut connection, driver) = opened.map_err(|error| server.words(&error))?;
    // The whole look has that time.
    connection.set_response_timeout(timeout);
    let answer = async {
        let command = redis::cmd("INFO").arg("ALL").to_owned();
        command.query_async::<String>(&mut connection).await
    };
    // The connection does the work while the answer is awaited; dropping both closes it.
    let (mut answer, mut driver) = (std::pin::pin!(answer), std::pin::pin!(driver));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        () = &mut driver => answer.await,
    };
    info::tell(&answer.map_err(|error| server.words(&error))?)
        .ok_or_else(|| format!("{} answers, but not as Redis does", server.place))
}
