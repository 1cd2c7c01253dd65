//! An outside Prometheus, or what speaks its HTTP API: queries are sent there.
//!
//! The text goes as it is, so that functions work that only the other side knows. Refusals are
//! passed on with the other side's name; its answer is read up to a bound.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use form_urlencoded::Serializer;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use tsdb::exposition::CONTENT_TYPE;
use tsdb::promql::Outcome;

use super::answer::{self, Answer};
use super::lookup::{Found, Lookup, What};
use super::{Options, QueryFailure, When};
use crate::config::model::observe::HttpEndpoint;
use crate::outbound::{self, BodyError};

/// Of this request alone: another one may be answered.
const ASKED_WRONG: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::URI_TOO_LONG,
    StatusCode::UNPROCESSABLE_ENTITY,
];
/// Most bytes of an answer, unpacked: some ten million samples.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Larger answers are read beside the other tasks.
const INLINE_BYTES_MAX: usize = 256 << 10;
/// Characters of an answer in another language than JSON that a message shows.
const SHOWN_MAX: usize = 120;

/// Where it is, and how it lets us in.
pub(super) struct Outside {
    client: Client,
    endpoint: HttpEndpoint,
    /// Host and port, for messages.
    name: String,
}

impl Outside {
    /// Nothing is asked yet.
    pub(super) fn new(endpoint: &HttpEndpoint) -> Result<Self, String> {
        let client = outbound::client(endpoint)
            .map_err(|error| format!("`observe.prometheus` cannot be used: {error}"))?;
        let name = Url::parse(&endpoint.url).ok().map_or_else(
            || endpoint.url.clone(),
            |url| match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (host, _) => host.unwrap_or_default().to_owned(),
            },
        );
        Ok(Self { client, endpoint: endpoint.clone(), name: format!("Prometheus at {name}") })
    }

    pub(super) async fn query(
        &self,
        text: &str,
        when: When,
        options: Options,
    ) -> Result<Outcome, QueryFailure> {
        let path = match when {
            When::Instant(_) => "query",
            When::Range(_) => "query_range",
        };
        let answer = self.ask(Method::POST, path, query_fields(text, when, options)).await?;
        answer.into_outcome().map_err(|error| self.unreadable(&error))
    }

    pub(super) async fn list(
        &self,
        lookup: &Lookup,
        timeout: Duration,
    ) -> Result<Found, QueryFailure> {
        let fields = lookup_fields(lookup);
        let asked = async {
            match &lookup.what {
                What::Series => self.ask(Method::POST, "series", fields).await,
                What::Names => self.ask(Method::POST, "labels", fields).await,
                What::Values(name) => {
                    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                    let path = format!("label/{}/values", name.replace('+', "%20"));
                    self.ask(Method::GET, &path, fields).await
                }
            }
        };
        let answer = self.within(timeout, asked).await?;
        let most = lookup.most.unwrap_or(usize::MAX);
        answer.into_found(&lookup.what, most).map_err(|error| self.unreadable(&error))
    }

    /// The youngest samples of series, as `/federate` tells them, in the text format.
    pub(super) async fn federate(
        &self,
        selectors: &[&str],
        timeout: Duration,
    ) -> Result<Vec<u8>, QueryFailure> {
        let pairs = selectors.iter().map(|selector| ("match[]", selector));
        let fields = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let url = format!("{}/federate?{fields}", self.endpoint.url.trim_end_matches('/'));
        let request = outbound::request(&self.client, Method::GET, &self.endpoint, &url)
            .header(reqwest::header::ACCEPT, CONTENT_TYPE);
        self.within(timeout, async {
            let (status, body) = self.exchange(request).await?;
            if status.is_success() { Ok(body) } else { Err(self.status(status, &body)) }
        })
        .await
    }

    /// Waits for an answer.
    async fn within<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = Result<T, QueryFailure>>,
    ) -> Result<T, QueryFailure> {
        let late = |_| {
            QueryFailure::Timeout(format!(
                "{} has not answered within {timeout:?}, which observe.query.timeout in the config \
                 raises",
                self.name
            ))
        };
        tokio::time::timeout(timeout, answer).await.map_err(late)?
    }

    /// Asks, and reads the answer.
    async fn exchange(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), QueryFailure> {
        let response = request.send().await.map_err(|error| {
            self.unavailable(format!(
                "it cannot be asked: {}; is `observe.prometheus` right?",
                outbound::in_words(&error)
            ))
        })?;
        let status = response.status();
        match outbound::body(response, ANSWER_BYTES_MAX).await {
            Ok(body) => Ok((status, body)),
            // The query is to blame, and the next one may be answered.
            Err(error @ BodyError::TooLarge { .. }) => Err(QueryFailure::Refused {
                name: self.name.clone(),
                kind: "execution".to_owned(),
                message: format!("{error}; ask for fewer series, or a longer step"),
            }),
            Err(error @ BodyError::Broken(_)) => Err(self.unavailable(error.to_string())),
        }
    }

    /// Asks a path below `/api/v1/`: fields go into the body of a POST, or into the URL.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        fields: String,
    ) -> Result<Answer, QueryFailure> {
        const FORM: &str = "application/x-www-form-urlencoded";
        let base = self.endpoint.url.trim_end_matches('/');
        let request = if method == Method::GET {
            let url = format!("{base}/api/v1/{path}?{fields}");
            outbound::request(&self.client, method, &self.endpoint, &url)
        } else {
            let url = format!("{base}/api/v1/{path}");
            outbound::request(&self.client, method, &self.endpoint, &url)
                .header(reqwest::header::CONTENT_TYPE, FORM)
                .body(fields)
        };
        let (status, body) = self.exchange(request).await?;
        let answer = if body.len() <= INLINE_BYTES_MAX {
            answer::read(&body).map_err(|error| (error, body))
        } else {
            let read = move || answer::read(&body).map_err(|error| (error, body));
            let done = tokio::task::spawn_blocking(read).await;
            done.map_err(|error| self.unreadable(&error))?
        };
        match answer {
            Ok(answer) => answer.checked().map_err(|(kind, message)| {
                let name = self.name.clone();
                QueryFailure::Refused { name, kind, message }
            }),
            Err((error, _)) if status.is_success() => Err(self.unreadable(&error)),
            Err((_, body)) => Err(self.status(status, &body)),
        }
    }

    /// Of a status that is no success, and of its body's first line.
    fn status(&self, status: StatusCode, body: &[u8]) -> QueryFailure {
        let text = String::from_utf8_lossy(body);
        let line = text.trim().lines().next().unwrap_or_default();
        let shown: String = line.chars().take(SHOWN_MAX).collect();
        let message = format!("it answers with status {status}: {shown}");
        if ASKED_WRONG.contains(&status) {
            let kind = "bad_data".to_owned();
            return QueryFailure::Refused { name: self.name.clone(), kind, message };
        }
        self.unavailable(message)
    }

    /// What took too long, with the name of who was asked.
    pub(super) fn named(&self, failure: QueryFailure) -> QueryFailure {
        match failure {
            QueryFailure::Timeout(words) => {
                QueryFailure::Timeout(format!("{}: {words}", self.name))
            }
            other => other,
        }
    }

    fn unavailable(&self, message: String) -> QueryFailure {
        QueryFailure::Unavailable { name: self.name.clone(), message }
    }

    fn unreadable(&self, error: &dyn Display) -> QueryFailure {
        self.unavailable(format!(
            "its answer is none of Prometheus' API ({error}); is `observe.prometheus` right?"
        ))
    }
}

fn query_fields(text: &str, when: When, options: Options) -> String {
    let mut fields = Serializer::new(String::new());
    fields.append_pair("query", text);
    match when {
        When::Instant(at) => drop(fields.append_pair("time", &seconds(at))),
        When::Range(grid) => {
            fields.append_pair("start", &seconds(grid.start));
            fields.append_pair("end", &seconds(grid.end));
            fields.append_pair("step", &seconds(grid.step));
        }
    }
    for (name, duration) in [("timeout", options.timeout), ("lookback_delta", options.lookback)] {
        if let Some(duration) = duration {
            fields.append_pair(name, &format!("{}ms", duration.as_millis().max(1)));
        }
    }
    if let Some(most) = options.series_max {
        fields.append_pair("limit", &most.to_string());
    }
    fields.finish()
}

fn lookup_fields(lookup: &Lookup) -> String {
    let mut fields = Serializer::new(String::new());
    for selector in &lookup.selectors {
        fields.append_pair("match[]", selector);
    }
    for (name, time) in [("start", lookup.from), ("end", lookup.to)] {
        if let Some(time) = time {
            fields.append_pair(name, &seconds(time));
        }
    }
    if let Some(most) = lookup.most {
        fields.append_pair("limit", &most.to_string());
    }
    fields.finish()
}

/// As the API takes times and steps.
fn seconds(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let milliseconds = milliseconds.unsigned_abs();
    format!("{sign}{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}
