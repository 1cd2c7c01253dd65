//! An answer as extractions and checks look at it.
//!
//! Invariants: the body is made a text, and parsed as JSON, once at most however many ask.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

use super::url::scheme_name;
use crate::config::bench::model::Source;
use crate::load::client::{Origin, Reply};

/// An answer, and what was asked.
pub(super) struct Answer<'a> {
    pub(super) reply: &'a Reply,
    origin: &'a Origin,
    target: &'a str,
    text: OnceCell<Cow<'a, str>>,
    json: OnceCell<Option<Value>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(origin: &'a Origin, target: &'a str, reply: &'a Reply) -> Self {
        Self { reply, origin, target, text: OnceCell::new(), json: OnceCell::new() }
    }

    /// From sending to the last byte.
    pub(super) fn elapsed(&self) -> Duration {
        self.reply.timings.done.saturating_duration_since(self.reply.timings.sent)
    }

    /// The body as a text.
    pub(super) fn text(&self) -> &str {
        self.text.get_or_init(|| decode(&self.reply.body, header(self.reply, "content-type")))
    }

    /// The body as JSON, if it is.
    pub(super) fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(&self.reply.body).ok()).as_ref()
    }

    /// A part of the answer as texts: one for each field of a header, else one.
    pub(super) fn part(&self, source: &Source) -> Vec<Cow<'_, str>> {
        let one = match source {
            Source::Body => Cow::Borrowed(self.text()),
            Source::Header(name) => {
                let fields = self.reply.headers.iter();
                let fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
                return fields.map(|(_, value)| Cow::Borrowed(value.as_str())).collect();
            }
            Source::Headers => {
                let mut lines = String::new();
                for (name, value) in &self.reply.headers {
                    lines.extend([name, ": ", value, "\n"]);
                }
                Cow::Owned(lines)
            }
            Source::Status => Cow::Owned(self.reply.status.to_string()),
            Source::Reason => Cow::Borrowed(self.reply.reason.as_str()),
            Source::Url => {
                let scheme = scheme_name(self.origin.scheme);
                Cow::Owned(format!("{scheme}://{}{}", self.origin.authority, self.target))
            }
        };
        vec![one]
    }
}

/// The first field of a name.
pub(super) fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let mut fields = reply.headers.iter();
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A body as a text: Latin-1 where it says so, else UTF-8, odd bytes replaced.
fn decode<'b>(body: &'b [u8], content_type: Option<&str>) -> Cow<'b, str> {
    let is_latin = content_type.is_some_and(|content_type| {
        let content_type = content_type.to_ascii_lowercase();
        ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| content_type.contains(name))
    });
    if is_latin && !body.is_ascii() {
        return body.iter().map(|byte| char::from(*byte)).collect::<String>().into();
    }
    String::from_utf8_lossy(body)
}
