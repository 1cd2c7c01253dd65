//! The store in an SQLite file, shared by the instances of one machine.
//!
//! Write-ahead logging lets readers go on beside the one writer; a busy writer is waited for.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::super::query;
use super::{Kind, Row, Statement, StoreError, Value, resolve};

/// How long a statement waits for another instance's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two attempts at what SQLite itself does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Version of the tables, kept in `user_version`.
const SCHEMA_VERSION: i64 = 1;

/// An open file.
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// Used by one blocking task at a time; never held over an await.
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// Whatever SQLite says: no such folder, no right to write, not a database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        write_ahead(&connection)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version < SCHEMA_VERSION {
            for statement in query::schema("id INTEGER PRIMARY KEY AUTOINCREMENT") {
                transaction.execute_batch(&statement)?;
            }
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        transaction.commit()?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// See [`super::Store::run`].
    pub async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            run(&mut connection, statements)
        })
        .await
        .map_err(|_| StoreError::Stopped)?
    }
}

/// Turns write-ahead logging on. Where another instance does so at the same time, SQLite answers
/// "busy" at once, whatever the busy timeout (<https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode>),
/// so it is asked again.
fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(rusqlite::Error::SqliteFailure(code, _))
                if code.code == ErrorCode::DatabaseBusy && began.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

fn run(
    connection: &mut Connection,
    statements: Vec<Statement>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    let reads = statements.iter().all(|statement| statement.sql.starts_with("SELECT"));
    let behavior =
        if reads { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
    let transaction = connection.transaction_with_behavior(behavior)?;
    let mut results: Vec<Vec<Row>> = Vec::with_capacity(statements.len());
    for statement in statements {
        let Some(parameters) = resolve(statement.parameters, &results) else { break };
        let mut prepared = transaction.prepare_cached(&statement.sql)?;
        let parameters = parameters.into_iter().map(to_sql);
        let mut rows = prepared.query(rusqlite::params_from_iter(parameters))?;
        let mut result = Vec::new();
        while let Some(row) = rows.next().map_err(classify)? {
            let values = statement.columns.iter().enumerate();
            result.push(
                values
                    .map(|(index, kind)| Ok(from_sql(*kind, row.get_ref(index)?)))
                    .collect::<Result<Row, rusqlite::Error>>()?,
            );
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}

fn to_sql(value: Value) -> SqlValue {
    match value {
        Value::Null | Value::ReturnedId => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(number),
        Value::Number(number) => SqlValue::Real(number),
        Value::Text(text) => SqlValue::Text(text),
        Value::Flag(flag) => SqlValue::Integer(i64::from(flag)),
    }
}

fn from_sql(kind: Kind, value: ValueRef<'_>) -> Value {
    match (kind, value) {
        (Kind::Flag, ValueRef::Integer(number)) => Value::Flag(number != 0),
        (Kind::Number, ValueRef::Integer(number)) => Value::Number(number as f64),
        (_, ValueRef::Integer(number)) => Value::Integer(number),
        (_, ValueRef::Real(number)) => Value::Number(number),
        (_, ValueRef::Text(text)) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        (_, ValueRef::Null | ValueRef::Blob(_)) => Value::Null,
    }
}

/// Result codes: <https://www.sqlite.org/rescode.html>.
fn classify(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, _) = &error
        && code.code == ErrorCode::ConstraintViolation
    {
        match code.extended_code {
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => return StoreError::Duplicate,
            rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return StoreError::MissingReference,
            _ => {}
        }
    }
    StoreError::Sqlite(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn instances_that_start_together_share_a_new_file() {
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("clinic.db");
            let together = Barrier::new(8);
            std::thread::scope(|scope| {
                let open = || {
                    together.wait();
                    Sqlite::open(&path).map(drop).map_err(|error| error.to_string())
                };
                let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                for one in all {
                    assert_eq!(one.join().unwrap(), Ok(()));
                }
            });
        }
    }
}
