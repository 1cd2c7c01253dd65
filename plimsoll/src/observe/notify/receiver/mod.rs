//! The ways of telling people. Each makes one attempt to bring one message, and says in words what
//! came of it; when to try again is decided elsewhere.
//!
//! Words of failures go into the log and to operators: they never hold a URL of a webhook, a key or
//! a password, even if the peer's answer does.

mod command;
mod email;
mod http;
mod pagerduty;
mod slack;
mod webhook;

use std::time::Duration;

use thiserror::Error;

use super::plan::Message;
use crate::config::model::observe::{Means, Receiver};

/// What stands for what must not be told.
const HIDDEN: &str = "(hidden)";
/// Shorter texts are no secrets, and would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;

/// One attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened.
    pub(super) words: String,
    /// Whether another attempt may succeed.
    pub(super) passes: bool,
    /// The peer wants to be left alone for so long.
    pub(super) wait: Option<Duration>,
}

impl Failure {
    /// Another attempt may succeed.
    fn passing(words: impl Into<String>) -> Self {
        Self { words: words.into(), passes: true, wait: None }
    }

    /// Another attempt of the same fails as well.
    fn lasting(words: impl Into<String>) -> Self {
        Self { words: words.into(), passes: false, wait: None }
    }
}

/// A receiver that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("receiver `{name}` cannot be used: {reason}")]
pub struct ReceiverError {
    /// The receiver.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// A receiver, ready for use.
pub(super) struct Sender {
    way: Way,
    /// Must not be told.
    secrets: Vec<String>,
}

enum Way {
    Webhook(webhook::Webhook),
    Slack(slack::Slack),
    Email(Box<email::Email>),
    PagerDuty(pagerduty::PagerDuty),
    Command(command::Command),
}

impl Sender {
    /// # Errors
    /// A file of certificates or an address that cannot be used.
    pub(super) fn new(
        name: &str,
        receiver: &Receiver,
        external_url: &str,
    ) -> Result<Self, ReceiverError> {
        let way = match &receiver.means {
            Means::Webhook(endpoint) => {
                webhook::Webhook::new(endpoint, external_url).map(Way::Webhook)
            }
            Means::Slack { endpoint, channel } => {
                slack::Slack::new(endpoint, channel.as_deref(), external_url).map(Way::Slack)
            }
            Means::Email { .. } => email::Email::new(&receiver.means, external_url)
                .map(|email| Way::Email(Box::new(email))),
            Means::PagerDuty { routing_key, endpoint } => {
                pagerduty::PagerDuty::new(endpoint, routing_key, external_url).map(Way::PagerDuty)
            }
            Means::Command { words, timeout } => {
                command::Command::new(words, *timeout, external_url).map(Way::Command)
            }
        };
        let refused = |reason| ReceiverError { name: name.to_owned(), reason };
        let secrets = secrets(&receiver.means);
        Ok(Self { way: way.map_err(refused)?, secrets })
    }

    /// One attempt; yields what the receiver answered.
    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let answer = match &self.way {
            Way::Webhook(webhook) => webhook.send(message).await,
            Way::Slack(slack) => slack.send(message).await,
            Way::Email(email) => email.send(message).await,
            Way::PagerDuty(pagerduty) => pagerduty.send(message).await,
            Way::Command(command) => command.send(message).await,
        };
        match answer {
            Ok(words) => Ok(self.without_secrets(&words)),
            Err(failure) => Err(Failure { words: self.without_secrets(&failure.words), ..failure }),
        }
    }

    /// Of what kind it is.
    pub(super) fn kind(&self) -> &'static str {
        match &self.way {
            Way::Webhook(_) => "webhook",
            Way::Slack(_) => "Slack",
            Way::Email(_) => "e-mail",
            Way::PagerDuty(_) => "PagerDuty",
            Way::Command(_) => "command",
        }
    }

    /// What to do when it fails.
    pub(super) fn remedy(&self) -> &'static str {
        match &self.way {
            Way::Webhook(_) => "check its URL, and that what listens there is well",
            Way::Slack(_) => {
                "check that the incoming webhook still exists and its channel is not archived"
            }
            Way::Email(_) => {
                "check the mail server, its login and that it takes mail from this sender"
            }
            Way::PagerDuty(_) => "check the routing key and https://status.pagerduty.com",
            Way::Command(_) => "run the command by hand with the message on its standard input",
        }
    }

    fn without_secrets(&self, words: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), HIDDEN);
        self.secrets.iter().fold(words.to_owned(), hide)
    }
}

/// Longest first, so that none is cut by a part of it.
fn secrets(means: &Means) -> Vec<String> {
    let mut all = Vec::new();
    match means {
        Means::Webhook(endpoint) | Means::Slack { endpoint, .. } => {
            all.extend(http::secrets(endpoint));
        }
        Means::PagerDuty { routing_key, endpoint } => {
            all.push(routing_key.clone());
            all.extend(http::secrets(endpoint));
        }
        Means::Email { login, .. } => all.extend(login.iter().map(|(_, word)| word.clone())),
        Means::Command { .. } => {}
    }
    all.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    all
}
