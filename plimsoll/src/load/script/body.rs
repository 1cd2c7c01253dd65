//! What requests carry: texts, files, forms and multipart forms, as bytes.

use bytes::Bytes;

use super::functions::encode::form_encode;
use super::run::Shared;
use super::template;
use super::user::User;
use crate::config::bench::model::{MultipartContent, MultipartField, RequestBody};

/// A body, and the `Content-Type` that it needs.
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) kind: Kind,
}

/// What a body says of its type.
pub(super) enum Kind {
    /// Nothing; the plan's headers do.
    Plain,
    /// `application/x-www-form-urlencoded`, unless the plan's headers say otherwise.
    Form,
    /// This, whatever the plan's headers say: they cannot know the boundary.
    Multipart(String),
}

/// Renders a body.
pub(super) fn render(
    body: &RequestBody,
    user: &mut User,
    shared: &Shared,
) -> Result<Content, String> {
    let (bytes, kind) = match body {
        RequestBody::None => (Bytes::new(), Kind::Plain),
        RequestBody::Text(text) => (template::render(text, user, shared)?.into(), Kind::Plain),
        RequestBody::File(file) => (Bytes::from_owner(file.clone()), Kind::Plain),
        RequestBody::Form(fields) => {
            let mut out = String::new();
            for (name, value) in fields {
                if !out.is_empty() {
                    out.push('&');
                }
                form_encode(&template::text(name, user, shared)?, &mut out);
                out.push('=');
                form_encode(&template::text(value, user, shared)?, &mut out);
            }
            (out.into(), Kind::Form)
        }
        RequestBody::Multipart(fields) => multipart(fields, user, shared)?,
    };
    Ok(Content { bytes, kind })
}

/// `multipart/form-data` (RFC 7578).
fn multipart(
    fields: &[MultipartField],
    user: &mut User,
    shared: &Shared,
) -> Result<(Bytes, Kind), String> {
    // 128 random bits: nothing that is sent holds them by chance.
    let boundary = format!("plimsoll-{:032x}", user.random.u128(..));
    let mut out = Vec::new();
    for field in fields {
        let name = template::text(&field.name, user, shared)?;
        let mut head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&name));
        if let MultipartContent::File(name, _) = &field.content {
            head.push_str(&format!("; filename=\"{}\"", quoted(name)));
        }
        if let Some(content_type) = &field.content_type {
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        match &field.content {
            MultipartContent::Text(text) => {
                out.extend_from_slice(template::text(text, user, shared)?.as_bytes());
            }
            MultipartContent::File(_, bytes) => out.extend_from_slice(bytes),
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out.into(), Kind::Multipart(format!("multipart/form-data; boundary={boundary}"))))
}

/// A name between quotes, encoded as browsers do (the HTML standard's multipart/form-data encoding).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
