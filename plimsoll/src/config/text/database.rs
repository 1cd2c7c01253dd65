//! URLs of databases whose figures are read. They keep user and password, and no message repeats
//! them.

use std::error::Error;
use std::path::PathBuf;

use tokio_postgres::config::Host;

use super::super::quantity::Refusal;
use super::url::{self, Parts};

/// Port of PostgreSQL.
const POSTGRES_PORT: u16 = 5432;
/// Port of Redis and Valkey.
const REDIS_PORT: u16 = 6379;

/// `postgres://user:password@host:port/database?parameters` (libpq, section 32.1.1.2).
pub(in crate::config) fn postgres(text: &str) -> Result<String, Refusal> {
    let example = "postgres://monitor:${PASSWORD}@10.0.0.5/app";
    let schemes = ["postgres", "postgresql"];
    if text.contains('=') && !text.contains("://") {
        return Err(Refusal::new("this is a list of settings and no URL")
            .remedy(format!("write it as in \"{example}\"")));
    }
    // Without a host before the path the parameters may name the folder of a socket.
    let names_no_host = schemes
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| rest.starts_with(":///")));
    if !(names_no_host && socket(text).is_some()) {
        Parts::of(text, &schemes, example)?;
    }
    match text.parse::<tokio_postgres::Config>() {
        Ok(_) => Ok(text.to_owned()),
        // The parser's words name the parameter, not what it is set to.
        Err(error) => {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Err(Refusal::new(format!("PostgreSQL has no such URL: {cause}"))
                .remedy(format!("write it as in \"{example}\"")))
        }
    }
}

/// The folder of the Unix socket that a URL of PostgreSQL names as `host`, and the port.
fn socket(url: &str) -> Option<(PathBuf, u16)> {
    let config = url.parse::<tokio_postgres::Config>().ok()?;
    match config.get_hosts() {
        [Host::Unix(folder), ..] => {
            let port = config.get_ports().first().copied().unwrap_or(POSTGRES_PORT);
            Some((folder.clone(), port))
        }
        _ => None,
    }
}

/// `redis://user:password@host:port/number`, or `rediss` for TLS.
pub(in crate::config) fn redis(text: &str) -> Result<String, Refusal> {
    let example = "redis://:${PASSWORD}@10.0.0.6:6379";
    let parts = Parts::of(text, &["redis", "rediss"], example)?;
    let number = parts.rest.trim_start_matches('/');
    let number = number.split('?').next().unwrap_or_default();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new("a database of Redis is a number")
            .remedy("write it as in \"redis://10.0.0.6:6379/0\", or leave it out"));
    }
    Ok(text.to_owned())
}

/// Host and port of a database's URL.
pub(in crate::config) fn instance(url: &str) -> String {
    if let Some((folder, port)) = socket(url).filter(|_| url.starts_with("postgres")) {
        return format!("{}:{port}", folder.display());
    }
    let host = url::host_and_port(url);
    match url::port(&host) {
        Some(_) => host,
        None if url.starts_with("postgres") => format!("{host}:{POSTGRES_PORT}"),
        None => format!("{host}:{REDIS_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_databases() {
        for (text, name) in [
            ("postgres://u:p%2F@db/app?sslmode=require", "db:5432"),
            ("postgresql://db:6000", "db:6000"),
            ("postgres://u@[::1]/x", "[::1]:5432"),
            ("postgres:///app?host=/run/postgresql&user=me", "/run/postgresql:5432"),
        ] {
            assert_eq!(postgres(text).as_deref(), Ok(text));
            assert_eq!(instance(text), name);
        }
        for (text, name) in
            [("redis://:p@cache", "cache:6379"), ("rediss://cache:7000/1", "cache:7000")]
        {
            assert_eq!(redis(text).as_deref(), Ok(text));
            assert_eq!(instance(text), name);
        }
        for text in [
            "host=db user=me",
            "mysql://db/x",
            "db:5432",
            "postgres:///x",
            "postgres://db/x?colour=red",
            "",
        ] {
            assert!(postgres(text).unwrap_err().remedy.is_some(), "{text}");
        }
        for text in ["cache:6379", "redis://cache/name", "http://cache"] {
            assert!(redis(text).unwrap_err().remedy.is_some(), "{text}");
        }
    }
}
