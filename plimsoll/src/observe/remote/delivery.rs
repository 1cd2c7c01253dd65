//! One request with samples, and what the receiver makes of it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method, Response, StatusCode};
use tsdb::labels::Labels;
use tsdb::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, Encoder, TooLarge, VERSION_HEADER};

use super::plan::Outcome;
use super::queue::Item;
use crate::config::model::observe::HttpEndpoint;
use crate::outbound;

/// Most of an answer that is read, for its words.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Most of its words that are shown.
const WORDS_MAX: usize = 200;

/// The body of a request: each series once, its samples in their order.
///
/// # Errors
/// When there is too much for one.
pub(super) fn body(items: &[Item]) -> Result<Vec<u8>, TooLarge> {
    let mut places: HashMap<&Labels, usize> = HashMap::with_capacity(items.len());
    let mut series: Vec<(&Labels, Vec<(i64, f64)>)> = Vec::with_capacity(items.len());
    for item in items {
        let place = *places.entry(&item.labels).or_insert(series.len());
        if place == series.len() {
            series.push((&item.labels, Vec::new()));
        }
        series[place].1.push((item.time, item.value));
    }
    let mut encoder = Encoder::new();
    for (labels, samples) in &series {
        encoder.series(labels, samples);
    }
    encoder.finish()
}

/// Sends a body, within `timeout`.
pub(super) async fn deliver(
    client: &Client,
    endpoint: &HttpEndpoint,
    body: Vec<u8>,
    timeout: Duration,
) -> Outcome {
    let request = outbound::request(client, Method::POST, endpoint, &endpoint.url)
        .header("Content-Type", CONTENT_TYPE)
        .header("Content-Encoding", CONTENT_ENCODING)
        .header(VERSION_HEADER.0, VERSION_HEADER.1)
        .timeout(timeout)
        .body(body);
    match request.send().await {
        Ok(response) if response.status().is_success() => Outcome::Taken,
        Ok(response) => refusal(response).await,
        // No answer says that the samples are wrong.
        Err(error) => Outcome::Passing { reason: outbound::in_words(&error), retry_after: None },
    }
}

/// "Retries & Backoff" of the protocol: 5xx and 429 pass, other refusals do not; redirects that are not followed
/// are no refusals.
async fn refusal(response: Response) -> Outcome {
    let status = response.status();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| until(value, Timestamp::now()));
    if status.is_redirection() {
        let place = outbound::elsewhere(&response).unwrap_or_else(|| "nowhere".to_owned());
        // Nothing is said about the samples: they wait until somebody mends the URL.
        let reason = format!(
            "it answered {status}, a redirect to {place}; put the URL that takes samples into the \
             configuration"
        );
        return Outcome::Passing { reason, retry_after };
    }
    let words = outbound::body(response, ANSWER_BYTES_MAX).await.unwrap_or_default();
    let reason = reason(status, &String::from_utf8_lossy(&words));
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::Passing { reason, retry_after }
    } else {
        Outcome::Refused { reason }
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn until(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

fn reason(status: StatusCode, words: &str) -> String {
    let shown: String = words.trim().chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
    let remedy = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; check user, password and bearer token in the configuration"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "; check the URL, and that the receiver takes remote writes (Prometheus: \
             --web.enable-remote-write-receiver)"
        }
        _ => "",
    };
    // A page is for browsers.
    match shown.is_empty() || shown.starts_with('<') {
        true => format!("it answered {status}{remedy}"),
        false => format!("it answered {status}: {shown}{remedy}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_come_back_is_a_number_or_a_date() {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(until(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_without_pages() {
        let of = |status: u16, words: &str| reason(StatusCode::from_u16(status).unwrap(), words);
        assert_eq!(
            of(400, "out of order\n sample\n"),
            "it answered 400 Bad Request: out of order sample"
        );
        assert_eq!(of(503, "<html>"), "it answered 503 Service Unavailable");
        assert!(of(404, "404 page not found").contains("--web.enable-remote-write-receiver"));
        assert!(of(401, "").contains("check user, password and bearer token"));
        assert!(of(400, &"x".repeat(5000)).len() < 250);
    }
}
