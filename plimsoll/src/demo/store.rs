//! The clinic's store: SQLite by default, PostgreSQL where the database URL says so.
//!
//! The whole interface is [`Store::run`]: a few statements in one transaction. Which engine
//! runs them is hidden here; `query` writes SQL that both understand.

mod postgres;
mod sqlite;

use std::path::Path;
use std::time::Instant;

use super::figures::Figures;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 64 bits.
    Integer,
    /// A double.
    Number,
    /// UTF-8.
    Text,
    /// true or false.
    Flag,
}

/// A value of a row or parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// 64 bits.
    Integer(i64),
    /// A double.
    Number(f64),
    /// UTF-8.
    Text(String),
    /// true or false.
    Flag(bool),
    /// As a parameter: the first column of the first row of this transaction's first statement.
    /// Where that returned no row, the statement is skipped.
    ReturnedId,
}

/// SQL with its parameters and the types of what it returns.
#[derive(Debug)]
pub struct Statement {
    /// With `$1…` in order of appearance.
    pub sql: String,
    /// Values for them.
    pub parameters: Vec<Value>,
    /// Types of the returned columns.
    pub columns: Vec<Kind>,
}

/// One returned row.
pub type Row = Vec<Value>;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A value that must be unique exists already.
    #[error("a row with this value exists already")]
    Duplicate,
    /// A referenced row does not exist.
    #[error("the row that this refers to does not exist")]
    MissingReference,
    /// SQLite failed.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL failed.
    #[error("PostgreSQL: {}", chain(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection to PostgreSQL could be had.
    #[error("no connection to PostgreSQL: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// The URL makes no sense.
    #[error("the database URL {url:?} is not usable: {why}")]
    Url {
        /// As given, with a password left out.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The program is stopping.
    #[error("the store has stopped")]
    Stopped,
}

fn chain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// An open store.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file shared by the instances of one machine.
    Sqlite(sqlite::Sqlite),
    /// A server.
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens what `url` names (`postgres://…`, `sqlite:PATH` or a path) and brings its tables up
    /// to date, once, however many instances start together.
    ///
    /// # Errors
    /// An unusable URL, an unreachable server, a file that cannot be written.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(postgres::Postgres::open(url).await?));
        }
        if let Some((scheme, _)) = url.split_once("://")
            && scheme != "sqlite"
        {
            return Err(StoreError::Url {
                url: format!("{scheme}://…"),
                why: "the scheme must be postgres:// or sqlite:".to_owned(),
            });
        }
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        Ok(Self::Sqlite(sqlite::Sqlite::open(Path::new(path))?))
    }

    /// The engine's name, for pages and figures.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// Runs statements in one transaction; all of them or none take effect.
    ///
    /// # Errors
    /// The first failure; the transaction is rolled back.
    pub async fn run(
        &self,
        figures: &Figures,
        operation: &'static str,
        statements: Vec<Statement>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let began = Instant::now();
        let result = match self {
            Self::Sqlite(sqlite) => sqlite.run(statements).await,
            Self::Postgres(postgres) => postgres.run(statements).await,
        };
        figures.query(operation, began.elapsed(), result.is_ok());
        result
    }
}

/// The id that [`Value::ReturnedId`] stands for, once the first statement has run.
fn returned_id(results: &[Vec<Row>]) -> Option<Value> {
    results.first()?.first()?.first().cloned()
}

/// Puts the returned id where it is asked for; `None` when there is none to put.
fn resolve(parameters: Vec<Value>, results: &[Vec<Row>]) -> Option<Vec<Value>> {
    parameters
        .into_iter()
        .map(|value| if value == Value::ReturnedId { returned_id(results) } else { Some(value) })
        .collect()
}
