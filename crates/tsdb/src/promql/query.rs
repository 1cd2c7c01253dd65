//! A query: its text, parsed and checked.

use promql_parser::parser::Expr;
pub use promql_parser::parser::value::ValueType;

use super::outcome::{Grid, Limits, Outcome, QueryError};
use crate::source::Source;

/// A parsed query.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    expression: Expr,
}

impl Query {
    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of what it evaluates to.
    pub fn value_type(&self) -> ValueType {
        self.expression.value_type()
    }

    /// The text laid out anew, over several lines if it is long.
    pub fn pretty(&self) -> String {
        self.expression.prettify()
    }
}

/// Parses the text of a query.
///
/// # Errors
/// [`QueryError::Parse`] if it is no query, or too long or nested too deeply to be one.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let expression = promql_parser::parser::parse(text)
        .map_err(|message| QueryError::Parse { message, position: None })?;
    Ok(Query { text: text.to_owned(), expression })
}

/// Evaluates a query at one time (milliseconds since 1970).
///
/// # Errors
/// Every [`QueryError`] but that of parsing.
pub fn instant(
    query: &Query,
    _source: &dyn Source,
    _at: i64,
    _limits: &Limits,
) -> Result<Outcome, QueryError> {
    Err(QueryError::Execution(format!("not evaluated yet: {}", query.text)))
}

/// Evaluates a query at every time of a grid.
///
/// # Errors
/// Every [`QueryError`] but that of parsing.
pub fn range(
    query: &Query,
    _source: &dyn Source,
    _grid: Grid,
    _limits: &Limits,
) -> Result<Outcome, QueryError> {
    Err(QueryError::Execution(format!("not evaluated yet: {}", query.text)))
}
