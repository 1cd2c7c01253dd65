//! PagerDuty's Events API, version 2: one incident for each group.
//!
//! Source: <https://developer.pagerduty.com/docs/events-api-v2-overview>.

use serde_json::{Value, json};

use super::super::message::{self, limited, paragraphs};
use super::super::plan::identity;
use super::http::Post;
use super::{Failure, Message};
use crate::config::model::observe::HttpEndpoint;

/// Characters of a summary.
const SUMMARY_CHARACTERS_MAX: usize = 1024;
/// Characters of a key of deduplication.
const KEY_CHARACTERS_MAX: usize = 255;
/// Bytes of an event.
const EVENT_BYTES_MAX: usize = 512_000;
/// Links of an event.
const LINKS_MAX: usize = 10;

/// An integration of a service.
pub(super) struct PagerDuty {
    post: Post,
    routing_key: String,
    external_url: String,
    source: String,
}

impl PagerDuty {
    pub(super) fn new(
        endpoint: &HttpEndpoint,
        routing_key: &str,
        external_url: &str,
    ) -> Result<Self, String> {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        Ok(Self {
            post: Post::new(endpoint)?,
            routing_key: routing_key.to_owned(),
            external_url: external_url.to_owned(),
            source: host.unwrap_or_else(|| "plimsoll".to_owned()),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let answer = self.post.json(self.event(message)).await?;
        Ok(answer.words())
    }

    /// What is posted, within its bounds.
    fn event(&self, message: &Message) -> Vec<u8> {
        let mut event = self.document(message);
        let bytes = event.to_string().into_bytes();
        if bytes.len() <= EVENT_BYTES_MAX {
            return bytes;
        }
        event["links"] = json!([]);
        event["payload"]["custom_details"] = json!({
            "error": format!("The details are left out: with them, the event has {} bytes.", bytes.len()),
        });
        event.to_string().into_bytes()
    }

    fn document(&self, message: &Message) -> Value {
        let action = if message.firing() > 0 { "trigger" } else { "resolve" };
        let summary = limited(&message::title(message), SUMMARY_CHARACTERS_MAX);
        let label = |name: &str| {
            let mut values = message.alerts.iter().filter_map(|alert| alert.labels.get(name));
            let first = values.next()?;
            values.all(|value| value == first).then(|| limited(first, SUMMARY_CHARACTERS_MAX))
        };
        let (paragraphs, left_out) = paragraphs(message);
        let list = |fires: bool| {
            let of_kind = paragraphs.iter().filter(|paragraph| paragraph.fires == fires);
            of_kind.map(in_words).collect::<Vec<_>>().join("\n")
        };
        let mut details = json!({
            "firing": list(true),
            "resolved": list(false),
            "num_firing": message.firing().to_string(),
            "num_resolved": (message.alerts.len() - message.firing()).to_string(),
        });
        if left_out > 0 {
            details["left_out"] = json!(left_out.to_string());
        }
        let mut links: Vec<&str> =
            paragraphs.iter().map(|p| p.link.as_str()).filter(|link| !link.is_empty()).collect();
        links.dedup();
        links.truncate(LINKS_MAX);
        let mut event = json!({
            "routing_key": self.routing_key,
            "event_action": action,
            "dedup_key": deduplication_key(&message.group_key),
            "client": "Plimsoll",
            "payload": {
                "summary": summary,
                "source": self.source,
                "severity": severity(message),
                "class": label("alertname"),
                "component": label("service"),
                "custom_details": details,
            },
            "links": links.iter().map(|l| json!({ "href": l, "text": "expression" })).collect::<Vec<_>>(),
        });
        if !self.external_url.is_empty() {
            event["client_url"] = json!(self.external_url);
        }
        event
    }
}

fn in_words(paragraph: &message::Paragraph) -> String {
    let mut text = format!("{} ({})", paragraph.title, paragraph.times);
    for (name, annotation) in &paragraph.annotations {
        text.push_str(&format!("\n  {name}: {annotation}"));
    }
    if !paragraph.labels.is_empty() {
        text.push_str(&format!("\n  {}", paragraph.labels));
    }
    text
}

/// The group's key; one that is too long is cut, and told apart by a hash of the whole.
fn deduplication_key(group_key: &str) -> String {
    if group_key.chars().count() <= KEY_CHARACTERS_MAX {
        return group_key.to_owned();
    }
    let whole = tsdb::labels::Labels::from_pairs([("key", group_key)]);
    let hash = format!("#{:016x}", identity::fingerprint(&whole));
    let beginning: String = group_key.chars().take(KEY_CHARACTERS_MAX - hash.len()).collect();
    beginning + &hash
}

/// The worst of those that fire, in PagerDuty's words; one that does not say is an error.
fn severity(message: &Message) -> &'static str {
    const ORDER: [&str; 4] = ["info", "warning", "error", "critical"];
    let rank = |severity: Option<&str>| match severity.map(str::to_ascii_lowercase).as_deref() {
        Some("critical" | "page" | "emergency" | "fatal" | "disaster") => 3,
        Some("warning" | "warn" | "ticket" | "minor") => 1,
        Some("info" | "information" | "notice" | "none" | "low") => 0,
        _ => 2,
    };
    let firing = message.alerts.iter().filter(|alert| alert.ends_at.is_none());
    let worst = firing.map(|alert| rank(alert.labels.get("severity"))).max();
    // Of what is over, the severity does not matter.
    ORDER[worst.unwrap_or(0)]
}
