//! Alertmanager's webhook.

use super::super::message;
use super::http::Post;
use super::{Failure, Message};
use crate::config::model::observe::HttpEndpoint;

/// A URL that takes Alertmanager's JSON, version 4.
pub(super) struct Webhook {
    post: Post,
    external_url: String,
}

impl Webhook {
    pub(super) fn new(endpoint: &HttpEndpoint, external_url: &str) -> Result<Self, String> {
        Ok(Self { post: Post::new(endpoint)?, external_url: external_url.to_owned() })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let answer = self.post.json(message::json(message, &self.external_url)).await?;
        Ok(answer.words())
    }
}
