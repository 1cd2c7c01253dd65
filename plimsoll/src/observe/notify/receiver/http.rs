//! A POST of JSON, and what its answer means.
//!
//! As in Alertmanager, 2xx is success, and 5xx and broken connections may pass. Other than there,
//! 408 and 429 may pass too: they say so themselves.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};

use super::super::message::{limited, on_one_line};
use super::Failure;
use crate::config::model::observe::HttpEndpoint;
use crate::outbound;

/// One attempt takes at most this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 4096;
/// Characters of it that are told.
const ANSWER_CHARACTERS_MAX: usize = 300;
/// A peer may ask to be left alone for so long at most.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(3600);

/// A place to post to.
pub(super) struct Post {
    client: Client,
    endpoint: HttpEndpoint,
}

/// What a peer said.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    /// `HTTP 200: ok`.
    pub(super) fn words(&self) -> String {
        let body = limited(&on_one_line(&self.body), ANSWER_CHARACTERS_MAX);
        match body.is_empty() {
            true => format!("HTTP {}", self.status.as_u16()),
            false => format!("HTTP {}: {body}", self.status.as_u16()),
        }
    }
}

impl Post {
    pub(super) fn new(endpoint: &HttpEndpoint) -> Result<Self, String> {
        Ok(Self { client: outbound::client(endpoint)?, endpoint: endpoint.clone() })
    }

    /// One attempt.
    pub(super) async fn json(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        let url = &self.endpoint.url;
        let request = outbound::request(&self.client, Method::POST, &self.endpoint, url)
            .header(CONTENT_TYPE, "application/json")
            .timeout(ATTEMPT_TIMEOUT)
            .body(body);
        let response = request
            .send()
            .await
            .map_err(|error| Failure::passing(outbound::in_words(&error.without_url())))?;
        let status = response.status();
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(ASKED_WAIT_MAX));
        let answer = Answer { status, body: beginning(response).await };
        if status.is_success() {
            return Ok(answer);
        }
        let passes = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Err(Failure { words: answer.words(), passes, wait: asked.filter(|_| passes) })
    }
}

/// The first bytes of an answer; why it broke off does not matter once its status is known.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_BYTES_MAX {
            bytes.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What must not be told of an endpoint: its whole URL and the path of it, which is often the key.
pub(super) fn secrets(endpoint: &HttpEndpoint) -> Vec<String> {
    let after_scheme = endpoint.url.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme.find(['/', '?']).map(|at| after_scheme[at..].to_owned());
    [endpoint.url.clone()]
        .into_iter()
        .chain(path)
        .chain(endpoint.basic.iter().map(|(_, password)| password.clone()))
        .chain(endpoint.bearer.clone())
        .chain(endpoint.headers.iter().map(|(_, value)| value.clone()))
        .collect()
}
