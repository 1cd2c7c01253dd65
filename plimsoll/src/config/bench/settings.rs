//! Settings of a plan that are a text of a certain form: methods, header lines, statuses, who
//! answered, parts, and which HTTP.

use std::num::NonZeroU32;

use serde_json_path::JsonPath;

use super::super::problem::nearest;
use super::super::quantity::Refusal;
use super::super::text;
use super::load::Voice;
use super::model::{Check, Finder, HttpVersion, Part, ServedBy, Source, Test};

/// Most time from sending to the end of the answer unless said otherwise.
pub(in crate::config) const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Most time to connect unless said otherwise.
pub(in crate::config) const CONNECT_TIMEOUT: std::time::Duration =
    std::time::Duration::from_secs(5);
/// Requests at once on an HTTP/2 connection unless said otherwise, as h2load has it: connections
/// mean the same then as with HTTP/1.1.
pub(in crate::config) const STREAMS: usize = 1;
/// Most requests at once on an HTTP/2 connection.
pub(in crate::config) const STREAMS_MAX: usize = 1000;
/// Most redirects that can be followed.
pub(in crate::config) const REDIRECTS_MAX: u32 = 50;
/// Most event loops.
pub(in crate::config) const THREADS_MAX: usize = 256;
/// The header that names the instance unless said otherwise: the one that Plimsoll's proxy sets.
pub(in crate::config) const SERVED_BY: &str = "X-Served-By";
/// Most processes that share a plan.
const PARTS_MAX: u32 = 10_000;

/// Methods of RFC 9110 section 9 and RFC 5789, to find what was mistyped.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];

/// What is wrong with several requests at once on connections that may not speak HTTP/2: how many
/// connections there are would depend on what the server chooses.
pub(in crate::config) fn lone_streams(
    version: HttpVersion,
    streams: usize,
    voice: Voice,
) -> Option<Refusal> {
    if streams == 1 || version == HttpVersion::Http2 {
        return None;
    }
    let refusal = Refusal::new("only HTTP/2 has several requests at once on a connection");
    Some(match voice {
        Voice::Options => refusal.remedy("add --http 2, or remove --streams"),
        Voice::File => refusal.remedy("add http = 2, or remove `streams`"),
    })
}

/// A method, in capitals.
pub(in crate::config) fn method(text: &str) -> Result<String, Refusal> {
    let method = text.trim().to_uppercase();
    if text::header_name(&method).is_err() {
        return Err(Refusal::new(format!("`{text}` is not a method")).remedy("write GET or POST"));
    }
    if METHODS.contains(&method.as_str()) {
        return Ok(method);
    }
    // Methods of other specifications (PROPFIND, PURGE) are let pass; a typo is not.
    match nearest(&method, METHODS) {
        Some(near) if method.len().abs_diff(near.len()) <= 1 => {
            Err(Refusal::new(format!("`{text}` is not a method"))
                .remedy(format!("did you mean {near}?")))
        }
        _ => Ok(method),
    }
}

/// A header line: its name and its value, which is empty for a header that is not to be sent.
pub(in crate::config) fn header_line(line: &str) -> Result<(String, String), Refusal> {
    let Some((name, value)) = line.split_once(':') else {
        return Err(Refusal::new("there is no colon between name and value")
            .remedy("write it as in \"Accept: text/html\""));
    };
    let name = text::header_name(name.trim())?;
    managed(&name)?;
    let value = value.trim();
    text::header_value(value)?;
    Ok((name, value.to_owned()))
}

/// Refuses headers that follow from how a request is sent.
pub(in crate::config) fn managed(name: &str) -> Result<(), Refusal> {
    const MANAGED: [(&str, &str); 5] = [
        ("content-length", "remove it: the length of the body is sent by itself"),
        ("transfer-encoding", "remove it: bodies are sent with their length"),
        ("connection", "remove it: say whether connections are kept with keep_alive"),
        ("upgrade", "remove it: a ws:// URL upgrades by itself"),
        ("expect", "remove it: requests are sent whole"),
    ];
    match MANAGED.iter().find(|(managed, _)| name.eq_ignore_ascii_case(managed)) {
        Some((_, remedy)) => Err(Refusal::new(format!("`{name}` cannot be set")).remedy(*remedy)),
        None => Ok(()),
    }
}

/// Statuses: `200`, `200-299`, or several with commas between them.
pub(in crate::config) fn statuses(text: &str) -> Result<Vec<(u64, u64)>, Refusal> {
    text.split(',').map(|part| status(part.trim())).collect()
}

fn status(text: &str) -> Result<(u64, u64), Refusal> {
    if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
        let low = u64::from(class - b'0') * 100;
        return Ok((low, low + 99));
    }
    let range = if text.contains('-') { text.to_owned() } else { format!("{text}-{text}") };
    let (low, high) = text::status_range(&range).map_err(|_| {
        Refusal::new(format!("`{text}` is not a status"))
            .remedy("write 200, \"200-299\" or \"2xx\"")
    })?;
    Ok((low.into(), high.into()))
}

/// Statuses as they are written.
pub(in crate::config) fn show_statuses(ranges: &[(u64, u64)]) -> String {
    let show = |(low, high): &(u64, u64)| match low == high {
        true => low.to_string(),
        false => format!("{low}-{high}"),
    };
    ranges.iter().map(show).collect::<Vec<_>>().join(",")
}

/// The check that the status is one of these.
pub(in crate::config) fn status_check(ranges: Vec<(u64, u64)>) -> Check {
    Check {
        name: format!("status {}", show_statuses(&ranges)),
        of: Source::Status,
        what: Finder::Whole,
        test: Test::Within(ranges),
        not: false,
    }
}

/// The check that holds unless statuses are named: nothing at or above 400.
pub(in crate::config) fn no_error_status() -> Check {
    let test = Test::Within(vec![(100, 399)]);
    let name = "status below 400".to_owned();
    Check { name, of: Source::Status, what: Finder::Whole, test, not: false }
}

/// A JSON path (RFC 9535).
pub(in crate::config) fn json_path(text: &str) -> Result<JsonPath, Refusal> {
    let text = text.trim();
    JsonPath::parse(text).map_err(|error| {
        if !text.starts_with('$') {
            return Refusal::new("a JSON path begins with `$`")
                .remedy(format!("write \"$.{}\"", text.trim_start_matches('.')));
        }
        let before: String = text.chars().take(error.position()).collect();
        Refusal::new(format!("this is a JSON path up to `{before}` only"))
            .remedy("write it as in \"$.items[0].id\"")
    })
}

/// What tells which instance answered: `X-Served-By`, `json:$.instance` or `none`.
pub(in crate::config) fn served_by(text: &str) -> Result<Option<ServedBy>, Refusal> {
    let text = text.trim();
    if matches!(text, "none" | "off" | "false") {
        return Ok(None);
    }
    match text.strip_prefix("json:") {
        Some(path) => json_path(path).map(|path| Some(ServedBy::Json(path))),
        None if text.starts_with('$') => {
            Err(Refusal::new(format!("`{text}` is not a header name"))
                .remedy(format!("for a JSON field write \"json:{text}\"")))
        }
        None => text::header_name(text).map(|name| Some(ServedBy::Header(name))),
    }
}

/// What tells which instance answered, as it is written.
pub(in crate::config) fn show_served_by(served_by: &Option<ServedBy>) -> String {
    match served_by {
        None => "none".to_owned(),
        Some(ServedBy::Header(name)) => name.clone(),
        Some(ServedBy::Json(path)) => format!("json:{path}"),
    }
}

/// A part of the load: `0/8` is the first of eight processes, as Kubernetes counts them.
pub(in crate::config) fn part(text: &str) -> Result<Part, Refusal> {
    let refusal = || {
        Refusal::new(format!("`{text}` is not a part")).remedy("write 0/8 for the first of eight")
    };
    let (number, of) = text.trim().split_once('/').ok_or_else(refusal)?;
    let number: u32 = number.trim().parse().map_err(|_| refusal())?;
    let of: NonZeroU32 = of.trim().parse().map_err(|_| refusal())?;
    if of.get() > PARTS_MAX {
        return Err(
            Refusal::new("these are too many parts").remedy(format!("write {PARTS_MAX} or less"))
        );
    }
    if number >= of.get() {
        let last = of.get() - 1;
        return Err(Refusal::new(format!("parts of {of} are counted from 0 to {last}"))
            .remedy(format!("write {last}/{of} for the last")));
    }
    Ok(Part { index: number, of })
}

/// Which HTTP: `1`, `1.1`, `2` or `auto`.
pub(in crate::config) fn http_version(text: &str) -> Result<HttpVersion, Refusal> {
    let text = text.trim();
    match text.to_lowercase().trim_start_matches("http/") {
        "1" | "1.1" => Ok(HttpVersion::Http1),
        "2" | "2.0" | "h2" => Ok(HttpVersion::Http2),
        "auto" => Ok(HttpVersion::Auto),
        "3" | "h3" => Err(Refusal::new("HTTP/3 is not spoken").remedy("write 1 or 2")),
        _ => {
            Err(Refusal::new(format!("`{text}` is not a version of HTTP"))
                .remedy("write 1, 2 or auto"))
        }
    }
}

/// The version as it is written.
pub(in crate::config) fn show_http_version(version: &HttpVersion) -> String {
    match version {
        HttpVersion::Auto => "auto",
        HttpVersion::Http1 => "1",
        HttpVersion::Http2 => "2",
    }
    .to_owned()
}

/// What a text body is, if no header says it: JSON, or form data as curl has it.
pub(in crate::config) fn content_type(body: &str) -> &'static str {
    match body.trim_start().starts_with(['{', '[']) {
        true => "application/json",
        false => "application/x-www-form-urlencoded",
    }
}

/// What requests call themselves.
pub(in crate::config) fn user_agent() -> String {
    format!("plimsoll/{}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_put_in_capitals() {
        assert_eq!(method("get").as_deref(), Ok("GET"));
        assert_eq!(method("PROPFIND").as_deref(), Ok("PROPFIND"));
        assert_eq!(method("PSOT").unwrap_err().remedy.as_deref(), Some("did you mean POST?"));
        for text in ["", "G T", "GE\r\nT", "é"] {
            assert!(method(text).is_err(), "{text}");
        }
    }

    #[test]
    fn header_lines() {
        let read = header_line("Accept:  text/html ").unwrap();
        assert_eq!(read, ("Accept".to_owned(), "text/html".to_owned()));
        assert_eq!(header_line("User-Agent:").unwrap().1, "");
        for line in ["Accept", ": x", "A B: c", "X: a\r\nY: b", "Content-Length: 5"] {
            assert!(header_line(line).is_err(), "{line}");
        }
    }

    #[test]
    fn statuses_are_ranges() {
        assert_eq!(statuses("200, 300-302,4xx"), Ok(vec![(200, 200), (300, 302), (400, 499)]));
        assert_eq!(show_statuses(&[(200, 200), (300, 302)]), "200,300-302");
        for text in ["", "99", "600", "2xxx", "300-200", "a"] {
            assert!(statuses(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_are_counted_from_zero() {
        let of = NonZeroU32::new(8).unwrap();
        assert_eq!(part("7/8"), Ok(Part { index: 7, of }));
        for text in ["8/8", "9/8", "0/0", "1", "a/b", "1/99999", "-1/8"] {
            assert!(part(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_answered_is_told_by_a_header_or_a_field() {
        assert!(matches!(served_by("X-Pod"), Ok(Some(ServedBy::Header(name))) if name == "X-Pod"));
        assert!(matches!(served_by("json:$.a"), Ok(Some(ServedBy::Json(_)))));
        assert!(matches!(served_by("none"), Ok(None)));
        for text in ["", "X Y", "$.a", "json:", "json:a.b"] {
            assert!(served_by(text).is_err(), "{text}");
        }
        assert_eq!(json_path("a.b").unwrap_err().remedy.as_deref(), Some("write \"$.a.b\""));
    }

    #[test]
    fn versions_of_http() {
        assert_eq!(http_version("1.1"), Ok(HttpVersion::Http1));
        assert_eq!(http_version("HTTP/2"), Ok(HttpVersion::Http2));
        assert!(http_version("3").is_err() && http_version("x").is_err());
    }
}
