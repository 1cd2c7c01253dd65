//! Failures as Prometheus' API tells them: a type, words, and the status that goes with the type.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tsdb::promql::{self, QueryError};

use crate::observe::query::QueryFailure;

/// What kind of failure it is, `errorType` of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is wrong.
    BadData,
    /// The query cannot be evaluated, or would take too much.
    Execution,
    /// Its time was over.
    Timeout,
    /// Nobody waits for the answer any more.
    Canceled,
    /// Something here failed.
    Internal,
    /// Something else that is needed cannot be asked.
    Unavailable,
    /// There is no such thing.
    NotFound,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::BadData,
        Self::Execution,
        Self::Timeout,
        Self::Canceled,
        Self::Internal,
        Self::Unavailable,
        Self::NotFound,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
        }
    }

    fn status(self) -> StatusCode {
        /// "Client closed request" of nginx, which is registered nowhere.
        const CLOSED: u16 = 499;
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Canceled => StatusCode::from_u16(CLOSED).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    kind: Kind,
    message: String,
}

impl Failure {
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self { kind: Kind::BadData, message: message.into() }
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> Self {
        Self::bad(format!("invalid parameter {name:?}: {message}"))
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, message: message.into() }
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, message: message.into() }
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { kind: Kind::Internal, message: message.into() }
    }

    /// Of a query whose text is in the parameter `name`.
    pub(super) fn of_query(name: &str, text: &str, failure: QueryFailure) -> Self {
        let message = failure.to_string();
        let kind = match failure {
            QueryFailure::Evaluation(error) => return Self::of_evaluation(name, text, &error),
            QueryFailure::Timeout(_) => Kind::Timeout,
            QueryFailure::Unavailable { .. } => Kind::Unavailable,
            QueryFailure::Refused { kind, .. } => {
                let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
                known.unwrap_or(Kind::Internal)
            }
        };
        Self { kind, message }
    }

    /// Of a query that the own evaluator refuses.
    pub(super) fn of_evaluation(name: &str, text: &str, error: &QueryError) -> Self {
        let message = error.to_string();
        let kind = match error {
            QueryError::Parse { position, .. } => {
                let place = position.and_then(|position| promql::line_and_column(text, position));
                let place = place.map(|(line, column)| format!("{line}:{column}: "));
                let place = place.unwrap_or_default();
                return Self::parameter(name, format_args!("{place}{message}"));
            }
            QueryError::Limit(_) | QueryError::Execution(_) => Kind::Execution,
            QueryError::Interrupted => Kind::Canceled,
            QueryError::Read(_) => Kind::Internal,
        };
        Self { kind, message }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    status: &'a str,
    error_type: &'a str,
    error: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, error_type, error) = ("error", self.kind.as_str(), &*self.message);
        // Texts alone: this cannot fail.
        let body = serde_json::to_vec(&Body { status, error_type, error }).unwrap_or_default();
        let headers = [(header::CONTENT_TYPE, super::answer::JSON)];
        (self.kind.status(), headers, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns() {
        let message = |position| {
            let error = QueryError::Parse { message: "no".to_owned(), position };
            Failure::of_evaluation("query", "up ++", &error).message
        };
        assert_eq!(message(Some(3)), "invalid parameter \"query\": 1:4: parse error: no");
        assert_eq!(message(None), "invalid parameter \"query\": parse error: no");
    }
}
