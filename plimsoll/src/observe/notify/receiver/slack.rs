//! A Slack incoming webhook. Mattermost, Rocket.Chat and others take the same messages.
//!
//! Labels and annotations come from what is watched, so they are escaped: no value can call a
//! channel together (`<!channel>`) or hide where a link goes.
//!
//! Source: <https://api.slack.com/messaging/webhooks>, <https://api.slack.com/reference/surfaces/formatting#escaping>.

use serde_json::{Value, json};

use super::super::message::{self, limited, paragraphs};
use super::http::Post;
use super::{Failure, Message};
use crate::config::model::observe::HttpEndpoint;

/// Characters of a title, as Alertmanager bounds it.
const TITLE_CHARACTERS_MAX: usize = 1024;
/// Characters of a text; Slack folds longer ones away.
const TEXT_CHARACTERS_MAX: usize = 8000;

/// A webhook of a workspace.
pub(super) struct Slack {
    post: Post,
    channel: Option<String>,
    external_url: String,
}

impl Slack {
    pub(super) fn new(
        endpoint: &HttpEndpoint,
        channel: Option<&str>,
        external_url: &str,
    ) -> Result<Self, String> {
        Ok(Self {
            post: Post::new(endpoint)?,
            channel: channel.map(str::to_owned),
            external_url: external_url.to_owned(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let body = document(message, self.channel.as_deref(), &self.external_url);
        let answer = self.post.json(body.to_string().into_bytes()).await?;
        // Some of its kin answer 200 and say in JSON that it was nothing.
        let refused = serde_json::from_str::<Value>(&answer.body)
            .is_ok_and(|json| json.get("ok") == Some(&Value::Bool(false)));
        if refused { Err(Failure::lasting(answer.words())) } else { Ok(answer.words()) }
    }
}

/// What is posted.
fn document(message: &Message, channel: Option<&str>, external_url: &str) -> Value {
    let title = limited(&message::title(message), TITLE_CHARACTERS_MAX);
    let mut attachment = json!({
        "color": colour(message),
        "fallback": escaped(&title),
        "title": escaped(&title),
        "text": text(message),
        "mrkdwn_in": ["text"],
        "ts": message.at / 1000,
        "footer": "Plimsoll",
    });
    if !external_url.is_empty() {
        attachment["title_link"] = json!(external_url);
    }
    let mut document = json!({ "attachments": [attachment] });
    if let Some(channel) = channel {
        document["channel"] = json!(channel);
    }
    document
}

/// Green when all is over, red for what is urgent, yellow for the rest.
fn colour(message: &Message) -> &'static str {
    let is_mild = |severity: &str| matches!(severity, "warning" | "info" | "none");
    let mut firing = message.alerts.iter().filter(|alert| alert.ends_at.is_none()).peekable();
    if firing.peek().is_none() {
        return "good";
    }
    let all_mild = firing.all(|alert| alert.labels.get("severity").is_some_and(is_mild));
    if all_mild { "warning" } else { "danger" }
}

fn text(message: &Message) -> String {
    let (paragraphs, mut left_out) = paragraphs(message);
    let mut text = String::new();
    let mut length = 0;
    for (place, paragraph) in paragraphs.iter().enumerate() {
        let state = if paragraph.fires { "Firing" } else { "Resolved" };
        let mut piece = format!("*{state}:* {}\n", escaped(&paragraph.title));
        for (_, annotation) in &paragraph.annotations {
            piece.push_str(&format!("{}\n", escaped(annotation)));
        }
        if !paragraph.labels.is_empty() {
            piece.push_str(&format!("{}\n", escaped(&paragraph.labels)));
        }
        piece.push_str(&format!("_{}_\n", paragraph.times));
        length += piece.chars().count();
        if length > TEXT_CHARACTERS_MAX && place > 0 {
            left_out += paragraphs.len() - place;
            break;
        }
        text.push_str(&piece);
    }
    if left_out > 0 {
        text.push_str(&format!("… and {left_out} more"));
    }
    limited(&text, TEXT_CHARACTERS_MAX)
}

/// The three characters that mean something in Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
