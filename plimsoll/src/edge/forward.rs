//! Heads as they leave: what is taken out, what is put in.
//!
//! Whole lines are copied in runs from the head as received; what ends at this hop (RFC 9110
//! §7.6.1) was marked by the parser and is left out, as are the headers that only we may set.
//! Forwarding headers are kept and added to if the peer is a trusted proxy, replaced if not.
//! `Connection` and its kind are made anew for each side. `Via` is not sent.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use http1::{
    BodyFraming, HeadWriter, HeaderName, NameSet, RequestHead, ResponseHead, TargetForm, Unsafe,
    Upgrade, Version,
};

use super::identity;
use super::route;

/// What the client says about where a request came from; only a trusted proxy may.
const FORWARDING: NameSet = NameSet::of(&[
    HeaderName::XForwardedFor,
    HeaderName::XForwardedProto,
    HeaderName::XForwardedHost,
    HeaderName::XForwardedPort,
    HeaderName::XRealIp,
    HeaderName::Forwarded,
    HeaderName::XRequestId,
]);

/// Of these, what is written anew even for a trusted proxy, from its values.
const REWRITTEN: NameSet =
    NameSet::of(&[HeaderName::XForwardedFor, HeaderName::Forwarded, HeaderName::XRequestId]);

/// Of these, what a trusted proxy's value is kept of as it is, if there is one.
const KEPT_IF_TRUSTED: [HeaderName; 3] =
    [HeaderName::XForwardedProto, HeaderName::XForwardedHost, HeaderName::XRealIp];

/// What we set on responses; a server's own are left out.
const RESPONSE_OURS: NameSet = NameSet::of(&[HeaderName::XRequestId]);

/// Header names that CGI-like servers read as ours if written with underscores.
const UNDERSCORED: [&[u8]; 8] = [
    b"x_forwarded_for",
    b"x_forwarded_proto",
    b"x_forwarded_host",
    b"x_forwarded_port",
    b"x_real_ip",
    b"x_request_id",
    b"content_length",
    b"transfer_encoding",
];

/// What a request's head is rewritten by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestRewrite<'a> {
    /// The client connection's peer.
    pub(crate) peer: SocketAddr,
    /// Whether that is a trusted proxy.
    pub(crate) trusted: bool,
    /// The client itself: the peer, or whom trusted proxies name in `X-Forwarded-For`.
    pub(crate) client: IpAddr,
    /// The id that the request goes by.
    pub(crate) request_id: &'a [u8],
    /// The parent id for a trace that starts here.
    pub(crate) span: u64,
    /// Path prefix to remove; `None` forwards the path as it is.
    pub(crate) strip_prefix: Option<&'a str>,
    /// Whether to add `Forwarded`.
    pub(crate) forwarded: bool,
    /// Whether the connection to the server is to be used again.
    pub(crate) keep_alive: bool,
    /// Host to name for a client that named none (HTTP/1.0).
    pub(crate) default_host: &'a str,
}

/// How many times an OPTIONS or TRACE may be forwarded, this time included: `Max-Forwards` (RFC 9110
/// §7.6.2). `None` where the header says nothing that we must heed.
pub(crate) fn forwards_left(head: &RequestHead, buffer: &[u8]) -> Option<u64> {
    if !matches!(head.method, http1::Method::Options | http1::Method::Trace) {
        return None;
    }
    let value = head.headers.find(HeaderName::MaxForwards)?.value().of(buffer);
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit =
        |left: u64, &byte: &u8| left.saturating_mul(10).saturating_add((byte - b'0').into());
    Some(value.iter().fold(0, digit))
}

/// Whether the upgrade that a client asks for is passed on. `h2c` is not: it would open a tunnel in
/// which none of our rules hold; RFC 9110 §7.8 allows ignoring it.
pub(crate) fn passes_upgrade(head: &RequestHead, buffer: &[u8]) -> bool {
    match head.upgrade {
        None => false,
        Some(Upgrade::WebSocket) => true,
        Some(Upgrade::Other) => !head.headers.find_all(HeaderName::Upgrade).any(|header| {
            http1::list_elements(header.value().of(buffer))
                .any(|protocol| protocol.to_ascii_lowercase().starts_with(b"h2"))
        }),
    }
}

/// Appends the head that the server gets.
///
/// # Errors
/// [`Unsafe`] cannot happen for a head that was parsed: target and method were checked.
pub(crate) fn write_request(
    out: &mut Vec<u8>,
    buffer: &[u8],
    head: &RequestHead,
    rewrite: &RequestRewrite<'_>,
) -> Result<(), Unsafe> {
    let method = head.method_text.of(buffer);
    let mut writer = match target(head, buffer, rewrite.strip_prefix) {
        Target::Whole(target) => HeadWriter::request(out, method, target, Version::Http11)?,
        Target::WithSlash(rest) => {
            let target = [b"/", rest].concat();
            HeadWriter::request(out, method, &target, Version::Http11)?
        }
    };
    if !head.headers.has(HeaderName::Host) {
        // HTTP/1.0: the target may name the host nevertheless.
        let named = head.authority.map(|authority| authority.text.of(buffer));
        writer.header("Host", named.unwrap_or(rewrite.default_host.as_bytes()))?;
    }
    let dropped = match rewrite.trusted {
        false => FORWARDING,
        // What it passes on of the client's own `X-Real-IP` must not contradict its list.
        true if head.headers.has(HeaderName::XForwardedFor) => REWRITTEN.with(HeaderName::XRealIp),
        true => REWRITTEN,
    };
    let forwards_left = forwards_left(head, buffer);
    let dropped = match forwards_left {
        Some(_) => dropped.with(HeaderName::MaxForwards),
        None => dropped,
    };
    let has_underscores = head.headers.iter().any(|header| header.has_underscore);
    for run in head.headers.runs(dropped) {
        if has_underscores {
            copy_run(&mut writer, buffer, head, run);
        } else {
            writer.copy(buffer, run);
        }
    }
    write_connection(&mut writer, buffer, head, rewrite.keep_alive)?;
    if head.framing == BodyFraming::Chunked {
        writer.chunked();
    }
    if let Some(left) = forwards_left {
        // Of 0 the exchange has made an answer of ours.
        writer.header("Max-Forwards", left.saturating_sub(1).to_string().as_bytes())?;
    }
    writer.header("X-Request-Id", rewrite.request_id)?;
    if !head.headers.has(HeaderName::Traceparent) {
        write_traceparent(&mut writer, rewrite)?;
    }
    write_forwarding(&mut writer, buffer, head, rewrite, dropped)?;
    writer.end();
    Ok(())
}

enum Target<'a> {
    Whole(&'a [u8]),
    /// What follows a slash that has to be added.
    WithSlash(&'a [u8]),
}

fn target<'a>(head: &RequestHead, buffer: &'a [u8], strip_prefix: Option<&str>) -> Target<'a> {
    let path = head.path_and_query().of(buffer);
    let path = match strip_prefix {
        Some(prefix) if head.target_form != TargetForm::Asterisk => {
            route::without_prefix(prefix, path)
        }
        _ => path,
    };
    if path.is_empty() && head.method == http1::Method::Options {
        return Target::Whole(b"*");
    }
    match path.first() {
        Some(b'/' | b'*') => Target::Whole(path),
        _ => Target::WithSlash(path),
    }
}

/// Copies lines, without those that a CGI-like server would take for headers of ours.
fn copy_run(writer: &mut HeadWriter<'_>, buffer: &[u8], head: &RequestHead, run: http1::Span) {
    let within = |header: &&http1::Header| {
        header.has_underscore && run.start <= header.line().start && header.line().end <= run.end
    };
    let mut start = run.start;
    for header in head.headers.iter().filter(within) {
        let name = header.name_text().of(buffer).to_ascii_lowercase();
        let plain: Vec<u8> =
            name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect();
        if UNDERSCORED.contains(&plain.as_slice()) {
            writer.copy(buffer, http1::Span { start, end: header.line().start });
            start = header.line().end;
        }
    }
    writer.copy(buffer, http1::Span { start, end: run.end });
}

fn write_connection(
    writer: &mut HeadWriter<'_>,
    buffer: &[u8],
    head: &RequestHead,
    keep_alive: bool,
) -> Result<(), Unsafe> {
    if passes_upgrade(head, buffer) {
        for header in head.headers.find_all(HeaderName::Upgrade) {
            writer.copy(buffer, header.line());
        }
        writer.header("Connection", b"upgrade")?;
    } else if head.accepts_trailers {
        writer.header("TE", b"trailers")?;
        writer.header("Connection", if keep_alive { b"TE" } else { b"TE, close" })?;
    } else if !keep_alive {
        writer.header("Connection", b"close")?;
    }
    Ok(())
}

fn write_traceparent(
    writer: &mut HeadWriter<'_>,
    rewrite: &RequestRewrite<'_>,
) -> Result<(), Unsafe> {
    // W3C Trace Context §3.2: version, trace id, parent id, flags (sampled).
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    let id = rewrite.request_id;
    if id.len() == identity::ID_BYTES
        && id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        value[3..35].copy_from_slice(id);
    } else {
        let hash = super::hash::of_bytes(id);
        value[3..19].copy_from_slice(&identity::hexadecimal(hash));
        value[19..35].copy_from_slice(&identity::hexadecimal(rewrite.span ^ hash));
    }
    // An id of zeros is invalid, so the lowest bit is always set.
    value[36..52].copy_from_slice(&identity::hexadecimal(rewrite.span | 1));
    writer.header("Traceparent", &value)
}

fn write_forwarding(
    writer: &mut HeadWriter<'_>,
    buffer: &[u8],
    head: &RequestHead,
    rewrite: &RequestRewrite<'_>,
    dropped: NameSet,
) -> Result<(), Unsafe> {
    let address = AddressText::new(rewrite.peer.ip());
    let peer = address.as_bytes();
    let host = head.authority.map(|authority| authority.text.of(buffer));
    let has = |name| rewrite.trusted && head.headers.has(name);
    if has(HeaderName::XForwardedFor) {
        let mut list = Vec::new();
        for header in head.headers.find_all(HeaderName::XForwardedFor) {
            if !header.value().is_empty() {
                list.extend_from_slice(header.value().of(buffer));
                list.extend_from_slice(b", ");
            }
        }
        writer.header_parts("X-Forwarded-For", &[&list, peer])?;
    } else {
        writer.header("X-Forwarded-For", peer)?;
    }
    for name in KEPT_IF_TRUSTED {
        if has(name) && !dropped.contains(name) {
            continue;
        }
        match (name, host) {
            (HeaderName::XForwardedHost, Some(host)) => writer.header("X-Forwarded-Host", host)?,
            (HeaderName::XForwardedHost, None) => {}
            (HeaderName::XRealIp, _) => {
                writer.header("X-Real-IP", AddressText::new(rewrite.client).as_bytes())?;
            }
            _ => writer.header("X-Forwarded-Proto", b"http")?,
        }
    }
    if rewrite.forwarded || has(HeaderName::Forwarded) {
        write_forwarded(writer, buffer, head, rewrite)?;
    }
    Ok(())
}

/// `Forwarded` (RFC 7239): what a trusted proxy says, then, if wanted, what we know.
fn write_forwarded(
    writer: &mut HeadWriter<'_>,
    buffer: &[u8],
    head: &RequestHead,
    rewrite: &RequestRewrite<'_>,
) -> Result<(), Unsafe> {
    let mut value = Vec::new();
    if rewrite.trusted {
        for header in head.headers.find_all(HeaderName::Forwarded) {
            if !value.is_empty() {
                value.extend_from_slice(b", ");
            }
            value.extend_from_slice(header.value().of(buffer));
        }
    }
    if rewrite.forwarded {
        if !value.is_empty() {
            value.extend_from_slice(b", ");
        }
        // Writing to a vector cannot fail. A node that is an IPv6 address is quoted (§6).
        let _ = match rewrite.peer.ip() {
            IpAddr::V4(address) => write!(value, "for={address}"),
            IpAddr::V6(address) => write!(value, "for=\"[{address}]\""),
        };
        if let Some(authority) = head.authority {
            value.extend_from_slice(b";host=\"");
            value.extend_from_slice(authority.text.of(buffer));
            value.push(b'"');
        }
        value.extend_from_slice(b";proto=http");
    }
    writer.header("Forwarded", &value)
}

/// The address in an element of `X-Forwarded-For`. Some load balancers add the port, and with it
/// the brackets of an IPv6 address.
pub(crate) fn address_of(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

/// An IP address as text, without allocation.
#[derive(Debug)]
pub(crate) struct AddressText {
    bytes: [u8; 48],
    length: usize,
}

impl AddressText {
    /// The text of `address`; an IPv4-mapped one as IPv4.
    pub(crate) fn new(address: IpAddr) -> Self {
        let mut bytes = [0; 48];
        let mut length = 0;
        match address.to_canonical() {
            IpAddr::V4(address) => {
                for (place, octet) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        bytes[length] = b'.';
                        length += 1;
                    }
                    for (least, divisor) in [(100, 100), (10, 10), (0, 1)] {
                        if octet >= least {
                            bytes[length] = b'0' + octet / divisor % 10;
                            length += 1;
                        }
                    }
                }
            }
            IpAddr::V6(address) => {
                let mut rest = &mut bytes[..];
                // The longest text has 45 bytes.
                let _ = write!(rest, "{address}");
                length = 48 - rest.len();
            }
        }
        Self { bytes, length }
    }

    /// The text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What a response's head is rewritten by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseRewrite<'a> {
    /// The client's version; decides how a body without length ends.
    pub(crate) client: Version,
    /// Whether the client connection is to be used again.
    pub(crate) keep_alive: bool,
    /// The id that the request goes by.
    pub(crate) request_id: &'a [u8],
    /// Name of the instance for `X-Served-By`; `None` leaves the server's own.
    pub(crate) served_by: Option<&'a [u8]>,
    /// The time for a response that has no `Date` (RFC 9110 §6.6.1); empty if it has one.
    pub(crate) date: &'a [u8],
    /// Whether the body, if any, is sent in chunks.
    pub(crate) chunked: bool,
}

/// Appends the head that the client gets.
///
/// # Errors
/// [`Unsafe`] cannot happen for a head that was parsed.
pub(crate) fn write_response(
    out: &mut Vec<u8>,
    buffer: &[u8],
    head: &ResponseHead,
    rewrite: &ResponseRewrite<'_>,
) -> Result<(), Unsafe> {
    let reason = head.reason.of(buffer);
    let mut writer = HeadWriter::response(out, Version::Http11, head.status, reason)?;
    let dropped = match rewrite.served_by {
        Some(_) => RESPONSE_OURS.with(HeaderName::XServedBy),
        None => RESPONSE_OURS,
    };
    for run in head.headers.runs(dropped) {
        writer.copy(buffer, run);
    }
    if head.tunnel {
        for header in head.headers.find_all(HeaderName::Upgrade) {
            writer.copy(buffer, header.line());
        }
        writer.header("Connection", b"upgrade")?;
    } else if !rewrite.keep_alive {
        writer.header("Connection", b"close")?;
    } else if rewrite.client == Version::Http10 {
        writer.header("Connection", b"keep-alive")?;
    }
    if rewrite.chunked {
        writer.chunked();
    }
    if !rewrite.date.is_empty() {
        writer.header("Date", rewrite.date)?;
    }
    writer.header("X-Request-Id", rewrite.request_id)?;
    if let Some(name) = rewrite.served_by {
        // A name that cannot be a header value is left out, and nothing else.
        let _ = writer.header("X-Served-By", name);
    }
    writer.end();
    Ok(())
}

/// Appends the head of an interim response (RFC 9110 §15.2) as it came.
///
/// # Errors
/// [`Unsafe`] cannot happen for a head that was parsed.
pub(crate) fn write_interim(
    out: &mut Vec<u8>,
    buffer: &[u8],
    head: &ResponseHead,
) -> Result<(), Unsafe> {
    let reason = head.reason.of(buffer);
    let mut writer = HeadWriter::response(out, Version::Http11, head.status, reason)?;
    for run in head.headers.runs(NameSet::EMPTY) {
        writer.copy(buffer, run);
    }
    writer.end();
    Ok(())
}
