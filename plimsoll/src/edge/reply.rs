//! Replies of our own: small, honest, and with the request id.
//!
//! The client gets a status and a sentence about what happened; addresses, names of servers and
//! errors of the system go to the log only. The form follows `Accept`: HTML for those who ask for
//! it, JSON likewise, else one line of text.

use http1::{HeadWriter, HeaderName, Method, Reject, RejectReason, RequestHead, Unsafe, Version};

use super::balance::NoServer;

/// Seconds that a client is asked to wait after a 503.
const RETRY_AFTER_SECONDS: &[u8] = b"1";

/// An answer that is given instead of a server's.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: u16,
    /// For the client: a sentence.
    pub(crate) sentence: Sentence,
    /// For metrics: a word.
    pub(crate) reason: &'static str,
    /// For the access log: what happened exactly; may be empty.
    pub(crate) detail: String,
}

/// A sentence for the client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sentence {
    /// Always the same.
    Fixed(&'static str),
    /// What is wrong with the request.
    Rejected(RejectReason),
}

impl Refusal {
    /// An answer with a fixed sentence.
    pub(crate) fn new(
        status: u16,
        reason: &'static str,
        sentence: &'static str,
        detail: String,
    ) -> Self {
        Self { status, reason, sentence: Sentence::Fixed(sentence), detail }
    }

    /// The request breaks the rules of HTTP, or ours.
    pub(crate) fn rejected(reject: Reject) -> Self {
        let (sentence, detail) = (Sentence::Rejected(reject.reason), reject.to_string());
        Self { status: reject.status, reason: "malformed", sentence, detail }
    }

    /// The head did not arrive in time.
    pub(crate) fn head_timeout() -> Self {
        let sentence = "The request did not arrive in time.";
        Self::new(408, "head_timeout", sentence, String::new())
    }

    /// The body did not arrive in time.
    pub(crate) fn body_timeout() -> Self {
        let sentence = "The request body did not arrive in time.";
        Self::new(408, "body_timeout", sentence, String::new())
    }

    /// The body is larger than allowed.
    pub(crate) fn body_too_large(bound: u64) -> Self {
        let sentence = "The request body is larger than this server accepts.";
        Self::new(413, "body_too_large", sentence, format!("the bound is {bound} bytes"))
    }

    /// Nothing is served under this host and path.
    pub(crate) fn no_route() -> Self {
        let sentence = "Nothing is served under this host and path.";
        Self::new(404, "no_route", sentence, String::new())
    }

    /// A method that a reverse proxy does not carry out.
    pub(crate) fn connect_method() -> Self {
        let sentence = "CONNECT is not offered here.";
        Self::new(405, "connect_method", sentence, String::new())
    }

    /// An OPTIONS or TRACE that asks for the answer of whoever it has come to. We have no TRACE: it
    /// would show a client what was added to its request.
    pub(crate) fn no_forwards_left(method: Method) -> Self {
        let status = if method == Method::Options { 200 } else { 405 };
        let sentence = "This proxy is as far as Max-Forwards lets the request go.";
        Self::new(status, "max_forwards", sentence, String::new())
    }

    /// No server can take the request.
    pub(crate) fn no_server(why: NoServer) -> Self {
        let sentence = "No server is available for this request at the moment.";
        Self::new(503, "no_server", sentence, why.to_string())
    }

    /// No server that was tried took a connection: nobody is there, as when checks have said so
    /// already, and the client may as well come again soon.
    pub(crate) fn unreachable(detail: String) -> Self {
        let sentence = "No server could be reached for this request at the moment.";
        Self::new(503, "unreachable", sentence, detail)
    }

    /// We cannot open a connection for lack of something of our own.
    pub(crate) fn exhausted(detail: String) -> Self {
        let sentence = "The proxy has no resources left for this request at the moment.";
        Self::new(503, "exhausted", sentence, detail)
    }

    /// The server is Plimsoll itself, where the request would take the same way again (RFC 5842
    /// §7.2).
    pub(crate) fn circle(detail: String) -> Self {
        let sentence = "This request leads back to the proxy itself, again and again.";
        Self::new(508, "loop", sentence, detail)
    }

    /// The server did not answer properly.
    pub(crate) fn bad_gateway(sentence: &'static str, detail: String) -> Self {
        Self::new(502, "bad_gateway", sentence, detail)
    }

    /// The server did not answer in time.
    pub(crate) fn gateway_timeout(sentence: &'static str, detail: String) -> Self {
        Self::new(504, "gateway_timeout", sentence, detail)
    }

    fn sentence(&self) -> String {
        match self.sentence {
            Sentence::Fixed(text) => text.to_owned(),
            Sentence::Rejected(reason) => format!("The request was refused: {reason}."),
        }
    }
}

/// What a reply depends on besides the refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyContext<'a> {
    /// The request as far as it is known, with the bytes it was parsed from.
    pub(crate) request: Option<(&'a RequestHead, &'a [u8])>,
    /// Its id.
    pub(crate) request_id: &'a [u8],
    /// The time, as `Date` has it.
    pub(crate) date: &'a [u8],
    /// Whether the connection stays open.
    pub(crate) keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
    Text,
}

/// Appends the reply, head and body; returns the number of body bytes.
///
/// # Errors
/// [`Unsafe`] cannot happen: ids and texts are checked before.
pub(crate) fn write(
    out: &mut Vec<u8>,
    refusal: &Refusal,
    context: &ReplyContext<'_>,
) -> Result<usize, Unsafe> {
    let title = title(refusal.status);
    let (media_type, body) = body(refusal, title, context);
    let mut writer = HeadWriter::response(out, Version::Http11, refusal.status, title.as_bytes())?;
    writer.header("Content-Type", media_type.as_bytes())?;
    writer.content_length(body.len() as u64);
    if !context.keep_alive {
        writer.header("Connection", b"close")?;
    } else if context.request.is_some_and(|(head, _)| head.version == Version::Http10) {
        writer.header("Connection", b"keep-alive")?;
    }
    if refusal.status == 503 {
        writer.header("Retry-After", RETRY_AFTER_SECONDS)?;
    }
    if matches!(refusal.status, 200 | 405) {
        writer.header("Allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")?;
    }
    writer.header("Cache-Control", b"no-store")?;
    writer.header("Date", context.date)?;
    writer.header("X-Request-Id", context.request_id)?;
    writer.end();
    let is_head = context.request.is_some_and(|(head, _)| head.method == Method::Head);
    if is_head {
        return Ok(0);
    }
    out.extend_from_slice(body.as_bytes());
    Ok(body.len())
}

fn body(refusal: &Refusal, title: &str, context: &ReplyContext<'_>) -> (&'static str, String) {
    let status = refusal.status;
    let sentence = refusal.sentence();
    let id = String::from_utf8_lossy(context.request_id);
    match context.request.map_or(Form::Text, |(head, buffer)| form(head, buffer)) {
        Form::Html => {
            // Sentences and ids have no character that HTML would need escaped but quotes.
            let html = format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                 <meta name=\"viewport\" content=\"width=device-width\">\n\
                 <title>{status} {title}</title>\n\
                 <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;\
                 padding:0 1rem;color:#1b2733}}small{{color:#667}}</style>\n\
                 <h1>{status} {title}</h1>\n<p>{sentence}</p>\n<p><small>Request {id}</small></p>\n"
            );
            ("text/html; charset=utf-8", html)
        }
        Form::Json => {
            let json = serde_json::json!({
                "status": status, "title": title, "detail": sentence, "request_id": id,
            });
            ("application/json", format!("{json}\n"))
        }
        Form::Text => {
            let text = format!("{status} {title}: {sentence} Request {id}\n");
            ("text/plain; charset=utf-8", text)
        }
    }
}

/// The first of the forms that the client names wins; weights are not looked at.
fn form(head: &RequestHead, buffer: &[u8]) -> Form {
    for header in head.headers.find_all(HeaderName::Accept) {
        for range in http1::list_elements(header.value().of(buffer)) {
            let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
            match media_type.trim_ascii().to_ascii_lowercase().as_slice() {
                b"text/html" | b"application/xhtml+xml" => return Form::Html,
                b"application/json" | b"application/problem+json" | b"application/*" => {
                    return Form::Json;
                }
                b"text/plain" | b"*/*" | b"text/*" => return Form::Text,
                _ => {}
            }
        }
    }
    Form::Text
}

/// The reason phrase of a status that we give (RFC 9110 §15).
fn title(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "Error",
    }
}
