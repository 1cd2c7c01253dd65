//! Why a scrape has failed, in words for people and in one word for metrics.

use std::time::Duration;

use tsdb::exposition::ParseError;

use super::span;

/// Why a scrape has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody there, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no answer in {}", span::show(*.0))]
    Timeout(Duration),
    /// Another status than 200.
    #[error("answered {status}{}", elsewhere(.location.as_ref()))]
    Status {
        /// With its reason phrase.
        status: http::StatusCode,
        /// Where a redirect leads that is not followed.
        location: Option<String>,
    },
    /// A body beyond the bound.
    #[error("larger than {} (observe.scrape.max_body)", bytes(*.max))]
    TooLarge {
        /// The bound, bytes.
        max: u64,
    },
    /// Another `Content-Type` than those of metrics.
    #[error(
        "sends {0}, which is no metrics format; `text/plain; version=0.0.4` and \
         `application/openmetrics-text; version=1.0.0` are read"
    )]
    ContentType(String),
    /// The text is not what its format says.
    #[error("{0}")]
    Parse(ParseError),
    /// A metrics page without any metric, where nobody has promised one.
    #[error("its page of metrics is empty")]
    Empty,
    /// More than one target may send.
    #[error("{0}")]
    Limit(String),
    /// Labels after relabelling that no series can have.
    #[error("{0}")]
    Labels(String),
    /// Figures that are not asked by HTTP could not be had.
    #[error("{0}")]
    Figures(String),
}

fn elsewhere(location: Option<&String>) -> String {
    location.map(|place| format!(", a redirect to {place}")).unwrap_or_default()
}

/// A size as the configuration writes it, where it is a whole number of a unit.
pub(super) fn bytes(count: u64) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if count >= size && count.is_multiple_of(size) {
            return format!("{} {unit}", count / size);
        }
    }
    format!("{count} bytes")
}

impl Failure {
    /// The `reason` in metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Timeout(_) => "timeout",
            Self::Status { .. } => "status",
            Self::TooLarge { .. } | Self::Limit(_) => "limit",
            Self::ContentType(_) => "content_type",
            Self::Parse(_) | Self::Empty => "format",
            Self::Labels(_) => "labels",
            Self::Figures(_) => "figures",
        }
    }

    /// Whether something answers there, and not with metrics. 503 means "not now", of a server that is
    /// just starting.
    pub(super) fn is_another_answer(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status != http::StatusCode::SERVICE_UNAVAILABLE,
            Self::ContentType(_) | Self::Parse(_) | Self::Empty => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_speak_to_people() {
        let redirect = http::StatusCode::FOUND;
        let location = Some("http://elsewhere/".to_owned());
        for (failure, words) in [
            (Failure::Timeout(Duration::from_secs(10)), "no answer in 10s"),
            (Failure::TooLarge { max: 32 << 20 }, "larger than 32 MiB (observe.scrape.max_body)"),
            (
                Failure::Status { status: http::StatusCode::NOT_FOUND, location: None },
                "answered 404 Not Found",
            ),
            (
                Failure::Status { status: redirect, location },
                "answered 302 Found, a redirect to http://elsewhere/",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
        assert_eq!(bytes(1000), "1000 bytes");
        assert_eq!(bytes(3 << 10), "3 KiB");
    }
}
