//! The head of a rendered request, as HTTP/2 has it.
//!
//! Fields that belong to a connection of HTTP/1 are not sent (RFC 9113 §8.2.2). A `host` field
//! becomes `:authority` (§8.3.1), so that a plan can ask one server for another's site.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TE};
use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{HeaderValue, Method, Request, Uri};

use crate::load::client::{Outgoing, Scheme, Trouble, fields};

/// Fields of HTTP/1 connections, and those that are the client's to add.
const LEFT_OUT: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// The head of a request.
///
/// # Errors
/// The plan gave what is no request: a method, a field or a target with characters that may not be.
pub(super) fn request(outgoing: &Outgoing) -> Result<Request<()>, Trouble> {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(outgoing.method.as_bytes())
        .map_err(|_| fields::refused(format!("{:?} is no method of HTTP", outgoing.method)))?;
    *request.uri_mut() = uri(outgoing)?;
    fields::append(request.headers_mut(), &outgoing.headers, &LEFT_OUT)?;
    // The one value that HTTP/2 knows.
    let has_trailers =
        request.headers().get_all(TE).iter().any(|value| value.as_bytes() == b"trailers");
    request.headers_mut().remove(TE);
    if has_trailers {
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    }
    // RFC 9110 §8.6: also without a body where the method is about one.
    let is_about_body = matches!(request.method().as_str(), "POST" | "PUT" | "PATCH");
    if is_about_body || !outgoing.body.is_empty() {
        request.headers_mut().insert(CONTENT_LENGTH, outgoing.body.len().into());
    }
    Ok(request)
}

fn uri(outgoing: &Outgoing) -> Result<Uri, Trouble> {
    let host = outgoing.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let authority = host.map_or(&outgoing.origin.authority, |(_, value)| value);
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(match outgoing.origin.scheme {
        Scheme::Http => UriScheme::HTTP,
        Scheme::Https => UriScheme::HTTPS,
    });
    parts.authority = Some(
        Authority::from_maybe_shared(Bytes::copy_from_slice(authority.as_bytes()))
            .map_err(|_| fields::refused(format!("{authority:?} is no host and port")))?,
    );
    parts.path_and_query = Some(
        PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(outgoing.target.as_bytes()))
            .map_err(|error| {
                fields::refused(format!("{:?} is no path and query: {error}", outgoing.target))
            })?,
    );
    Uri::from_parts(parts).map_err(|error| fields::refused(format!("no URL: {error}")))
}
