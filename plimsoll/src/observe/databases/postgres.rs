//! PostgreSQL's figures, named as postgres_exporter names them.
//!
//! Statements are sent as text and answered as text (the simple query protocol), so that nothing is
//! prepared on the server and columns need no types here. Each group of figures is one statement
//! ([`groups`]); one that fails is left out and says so in `pg_scrape_collector_success`.
//!
//! A role with `pg_monitor` sees everything. Sessions are read-only, carry a statement timeout and the
//! name `plimsoll`.

mod connection;
mod groups;
mod settings;

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::sync::Arc;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};
use tsdb::exposition::{Exposition, Kind};

use self::connection::Server;
use self::groups::{GROUPS, Group};
use super::dial;
use crate::config::model::observe::DatabaseTarget;
use crate::trust::Presented;

/// Rows of one group that are told.
const ROWS_MAX: usize = 10_000;

/// Without these nothing can be told.
const ABOUT: &str = "SELECT current_setting('server_version_num'), version(), \
    extract(epoch FROM pg_postmaster_start_time())";

/// A server's figures now, as exposition text. Its certificates are noted in `presented`.
///
/// # Errors
/// Why there are none, for people, without the password.
pub async fn figures(
    target: &DatabaseTarget,
    presented: &Arc<Presented>,
) -> Result<String, String> {
    let server = Server::of(&target.url, target.timeout)?;
    match tokio::time::timeout(target.timeout, look(&server, presented)).await {
        Ok(done) => done,
        Err(_) => Err(dial::late(&server.place, target.timeout)),
    }
}

async fn look(server: &Server, presented: &Arc<Presented>) -> Result<String, String> {
    let (client, connection) = server.connect(presented).await?;
    let reading = read(&client);
    // The connection does the work while answers are awaited; dropping both closes it.
    let (mut reading, mut connection) = (std::pin::pin!(reading), std::pin::pin!(connection));
    let done = tokio::select! {
        biased;
        done = &mut reading => done,
        // It tells by the answer what went wrong.
        _ = &mut connection => reading.await,
    };
    done.map_err(|error| server.words(&error))
}

async fn read(client: &Client) -> Result<String, Error> {
    let mut text = Exposition::new();
    text.family("pg_up", Kind::Gauge, "Whether the last look at the server succeeded.")
        .sample(&[], 1.0);
    let about = rows(client.simple_query(ABOUT).await?);
    let version = about.first().and_then(|row| row.get(0)?.parse().ok()).unwrap_or_default();
    if let Some(row) = about.first() {
        tell_about(&mut text, row, version);
    }
    let groups = GROUPS.iter().filter(|group| group.versions.contains(&(version / 10_000)));
    for group in groups {
        let told = tell(&mut text, client, group).await?;
        succeeded(&mut text, group.collector, told);
    }
    let told = settings::tell(&mut text, client).await?;
    succeeded(&mut text, "settings", told);
    Ok(text.finish())
}

fn tell_about(text: &mut Exposition, row: &SimpleQueryRow, version: u32) {
    // Since version 10 there are two parts; three are what postgres_exporter makes of them.
    let short = format!("{}.{}.0", version / 10_000, version % 10_000);
    let labels = [("version", row.get(1).unwrap_or_default()), ("short_version", &short)];
    text.family("pg_static", Kind::Gauge, "Version of the server.").sample(&labels, 1.0);
    let start = row.get(2).and_then(|value| value.parse().ok());
    if let Some(start) = start {
        let help = "Time at which the server started, seconds since 1970.";
        text.family("pg_postmaster_start_time_seconds", Kind::Gauge, help).sample(&[], start);
    }
}

fn succeeded(text: &mut Exposition, collector: &str, told: bool) {
    let help = "Whether these figures could be read.";
    text.family("pg_scrape_collector_success", Kind::Gauge, help)
        .sample(&[("collector", collector)], f64::from(u8::from(told)));
}

/// Tells a group of figures; false if the server refuses to give it.
async fn tell(text: &mut Exposition, client: &Client, group: &Group) -> Result<bool, Error> {
    let Some(found) = permitted(client.simple_query(group.statement).await)? else {
        return Ok(false);
    };
    for row in &found {
        let names = row.columns().iter().take(group.labels);
        let labels: Vec<(&str, &str)> = names
            .enumerate()
            .map(|(place, column)| (column.name(), row.get(place).unwrap_or_default()))
            .collect();
        for (place, figure) in group.figures.iter().enumerate() {
            let value = row.get(group.labels + place).and_then(|value| value.parse().ok());
            // What the user may not see, and what there is not yet, is null.
            if let Some(value) = value {
                text.family(figure.name, figure.kind, figure.help).sample(&labels, value);
            }
        }
    }
    Ok(true)
}

/// Rows, or nothing if the server refuses this statement and the session goes on.
fn permitted(
    answer: Result<Vec<SimpleQueryMessage>, Error>,
) -> Result<Option<Vec<SimpleQueryRow>>, Error> {
    match answer {
        Ok(messages) => Ok(Some(rows(messages))),
        Err(error) if ends_session(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn ends_session(error: &Error) -> bool {
    let Some(refusal) = error.as_db_error() else { return true };
    let shutdown =
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_SESSION_TIMEOUT];
    shutdown.contains(refusal.code())
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<SimpleQueryRow> {
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.take(ROWS_MAX).collect()
}

/// The innermost cause of an error that is not the server's word.
fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(error) => dial::plainly(error),
        None => cause.to_string(),
    }
}

impl Server {
    /// What went wrong, and what to do about it.
    fn words(&self, error: &Error) -> String {
        let (place, user) = (&self.place, &self.user);
        let Some(refusal) = error.as_db_error() else {
            if error.is_closed() {
                return format!("{place} has closed the connection");
            }
            return match error.source() {
                Some(_) => format!("{place}: {}", cause(error)),
                None => format!("{place}: {error}"),
            };
        };
        let said = refusal.message();
        let code = refusal.code();
        if *code == SqlState::INVALID_PASSWORD {
            return format!(
                "{place} does not let {user} in with this password ({said}); correct user and \
                 password in the URL"
            );
        }
        if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            return format!("{place} does not let {user} in ({said}); see its pg_hba.conf");
        }
        if *code == SqlState::CANNOT_CONNECT_NOW {
            return format!("{place} is not ready: {said}");
        }
        if *code == SqlState::TOO_MANY_CONNECTIONS {
            return format!(
                "{place} has no connection left ({said}); raise max_connections, or give {user} a \
                 reserved one (pg_use_reserved_connections)"
            );
        }
        format!("{place} refuses: {said} (SQLSTATE {})", code.code())
    }
}
