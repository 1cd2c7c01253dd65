//! E-mail by SMTP.
//!
//! All messages of a group refer to one made-up message, so that mail programs show them as one
//! thread. Nothing that comes from alarms can add a header: the subject has no control characters,
//! and the library encodes it.
//!
//! Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 5322 §3.6.4 (References), RFC 3834 §5
//! (Auto-Submitted).

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Response;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::super::message::{self, Paragraph, limited, paragraphs};
use super::super::plan::identity;
use super::{Failure, Message};
use crate::config::model::observe::{MailSecurity, Means};

/// One command of the conversation takes at most this.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// A whole attempt takes at most this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
/// Characters of a subject.
const SUBJECT_CHARACTERS_MAX: usize = 200;

/// A mail server with sender and addressees.
pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    external_url: String,
}

impl Email {
    /// `means` are [`Means::Email`].
    pub(super) fn new(means: &Means, external_url: &str) -> Result<Self, String> {
        let Means::Email { to, from, server: (host, port), security, login, ca } = means else {
            return Err("it is not for e-mail".to_owned());
        };
        let tls = |wrap: fn(TlsParameters) -> Tls| parameters(host, ca.as_deref()).map(wrap);
        let tls = match security {
            MailSecurity::StartTls => tls(Tls::Required)?,
            MailSecurity::Tls => tls(Tls::Wrapper)?,
            MailSecurity::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(*port)
            .tls(tls)
            .timeout(Some(STEP_TIMEOUT));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self {
            transport: builder.build(),
            from: mailbox(from)?,
            to: to.iter().map(|address| mailbox(address)).collect::<Result<_, _>>()?,
            external_url: external_url.to_owned(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let mail = self
            .mail(message)
            .map_err(|error| Failure::lasting(format!("no mail can be made of it: {error}")))?;
        match tokio::time::timeout(ATTEMPT_TIMEOUT, self.transport.send(mail)).await {
            Ok(Ok(response)) => Ok(answer(&response)),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::passing("the mail server took too long")),
        }
    }

    fn mail(&self, message: &Message) -> Result<lettre::Message, lettre::error::Error> {
        let thread = self.thread(&message.group_key);
        let subject = limited(&message::title(message), SUBJECT_CHARACTERS_MAX);
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .references(thread.clone())
            .in_reply_to(thread)
            .message_id(Some(self.message_id()))
            .date_now()
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let (text, html) = (self.text(message), self.html(message));
        builder.multipart(MultiPart::alternative_plain_html(text, html))
    }

    /// The message that none has ever sent, and all of the group refer to.
    fn thread(&self, group_key: &str) -> String {
        let whole = tsdb::labels::Labels::from_pairs([("key", group_key)]);
        format!("<group-{:016x}@{}>", identity::fingerprint(&whole), self.from.email.domain())
    }

    fn message_id(&self) -> String {
        format!("<{:032x}@{}>", fastrand::u128(..), self.from.email.domain())
    }

    fn text(&self, message: &Message) -> String {
        let (paragraphs, left_out) = paragraphs(message);
        let mut text = format!("{}\n({})\n", message::title(message), message.why);
        for paragraph in &paragraphs {
            text.push_str(&format!("\n{}: {}\n", state(paragraph), paragraph.title));
            for (name, annotation) in &paragraph.annotations {
                text.push_str(&format!("  {name}: {annotation}\n"));
            }
            if !paragraph.labels.is_empty() {
                text.push_str(&format!("  {}\n", paragraph.labels));
            }
            text.push_str(&format!("  {}\n", paragraph.times));
            if !paragraph.link.is_empty() {
                text.push_str(&format!("  {}\n", paragraph.link));
            }
        }
        if left_out > 0 {
            text.push_str(&format!("\n… and {left_out} more\n"));
        }
        if !self.external_url.is_empty() {
            text.push_str(&format!("\n-- \nPlimsoll, {}\n", self.external_url));
        }
        text
    }

    fn html(&self, message: &Message) -> String {
        let (paragraphs, left_out) = paragraphs(message);
        let title = escaped(&message::title(message));
        let why = escaped(&message.why.to_string());
        let mut html = format!(
            "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>{title}</title></head>\
             <body style=\"font-family:sans-serif\"><h2>{title}</h2><p>{why}</p>\n"
        );
        for paragraph in &paragraphs {
            let colour = if paragraph.fires { "#b00020" } else { "#1b7f3b" };
            html.push_str(&format!(
                "<div style=\"border-left:4px solid {colour};padding-left:8px;margin-bottom:16px\">\
                 <b>{}: {}</b><br>\n",
                state(paragraph),
                escaped(&paragraph.title)
            ));
            for (name, annotation) in &paragraph.annotations {
                html.push_str(&format!("<i>{}:</i> {}<br>\n", escaped(name), escaped(annotation)));
            }
            html.push_str(&format!(
                "<code>{}</code><br>\n{}",
                escaped(&paragraph.labels),
                escaped(&paragraph.times)
            ));
            if is_web_link(&paragraph.link) {
                html.push_str(&format!(" <a href=\"{}\">expression</a>", escaped(&paragraph.link)));
            }
            html.push_str("</div>\n");
        }
        if left_out > 0 {
            html.push_str(&format!("<p>… and {left_out} more</p>\n"));
        }
        if is_web_link(&self.external_url) {
            let url = escaped(&self.external_url);
            html.push_str(&format!("<p><a href=\"{url}\">Plimsoll</a></p>\n"));
        }
        html + "</body></html>\n"
    }
}

fn state(paragraph: &Paragraph) -> &'static str {
    if paragraph.fires { "Firing" } else { "Resolved" }
}

/// No other scheme runs anything in a mail program.
fn is_web_link(link: &str) -> bool {
    link.starts_with("http://") || link.starts_with("https://")
}

fn parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let wrong = |what: &dyn std::fmt::Display| {
            format!("cannot use the certificates of {}: {what}", path.display())
        };
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(&innermost(&error)))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| format!("TLS cannot be used: {}", innermost(&error)))
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    address.parse().map_err(|error| {
        format!("{address:?} is no address: {error}; write it as name@example.com or Name <name@example.com>")
    })
}

fn answer(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    message::on_one_line(&format!("SMTP {}: {}", response.code(), lines.join(" ")))
}

fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    let words = message::on_one_line(&innermost(error));
    match error.status() {
        Some(code) => Failure {
            words: format!("SMTP {code}: {words}"),
            passes: error.is_transient(),
            wait: None,
        },
        // A server that offers neither TLS nor a way to log in offers it no sooner next time.
        None => Failure { words, passes: !error.is_client(), wait: None },
    }
}

/// The innermost cause says it best.
fn innermost(error: &lettre::transport::smtp::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
