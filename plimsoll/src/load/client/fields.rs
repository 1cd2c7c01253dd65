//! Header fields between a plan's texts and the http crate, for HTTP/2 and WebSockets.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Trouble;
use crate::load::tally::Failure;

/// Appends the fields that a plan gives, but for those whose names (in small letters) are left out.
///
/// # Errors
/// A name or a value with characters that may not be.
pub(super) fn append(
    headers: &mut HeaderMap,
    given: &[(String, String)],
    left_out: &[&str],
) -> Result<(), Trouble> {
    for (name, value) in given {
        let known = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| refused(format!("{name:?} is no name of a header field")))?;
        if left_out.contains(&known.as_str()) {
            continue;
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| refused(format!("{value:?} is no value of the header field {name}")))?;
        headers.append(known, value);
    }
    Ok(())
}

/// The fields of an answer. Bytes that are not UTF-8 are replaced.
pub(super) fn of_answer(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

/// The plan gave what is no request.
pub(super) fn refused(detail: String) -> Trouble {
    Trouble { failure: Failure::Plan, detail, before_sending: true }
}
