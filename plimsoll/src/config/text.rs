//! Values that are written as text of a certain form: hosts, paths, header names. Addresses have
//! a file of their own; URLs, labels, mail and objectives have theirs below.
//!
//! Each function reads one form and says what is wrong with a text that has not got it. Nothing
//! here touches the network or the disk.

pub(super) mod database;
pub(super) mod label;
pub(super) mod mail;
pub(super) mod objective;
pub(super) mod url;

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use regex::Regex;

use super::address;
use super::model::LogTarget;
use super::quantity::Refusal;

/// Longest name of a service, in bytes.
const SERVICE_NAME_BYTES: usize = 63;
/// Longest name of a server, in bytes.
const SERVER_NAME_BYTES: usize = 255;
/// Largest compiled regular expression, in bytes.
const REGEX_BYTES: usize = 1 << 20;
/// A shorter token can be guessed.
const TOKEN_BYTES: usize = 16;

/// The host of a route: exact, or `*.suffix`; lower-cased.
pub(super) fn host_pattern(text: &str) -> Result<String, Refusal> {
    let host = text.to_ascii_lowercase();
    if let Some((_, rest)) = host.split_once("://") {
        let rest = rest.split(['/', ':']).next().unwrap_or_default();
        return Err(Refusal::new("a host has no scheme").remedy(format!("write \"{rest}\"")));
    }
    if host == "*" {
        return Err(Refusal::new("`*` alone matches any host").remedy("remove the key"));
    }
    let plain = host.trim_matches(['[', ']']);
    if plain.parse::<IpAddr>().is_ok() {
        return Ok(host);
    }
    if let Some((name, after)) = host.split_once(':') {
        let message = if after.contains(':') { "this is not a host" } else { "a host has no port" };
        return Err(Refusal::new(message).remedy(format!("write \"{name}\"")));
    }
    if let Some((name, path)) = host.split_once('/') {
        return Err(Refusal::new("a host has no path")
            .remedy(format!("write host = \"{name}\", path = \"/{path}\"")));
    }
    let suffix = host.strip_prefix("*.").unwrap_or(&host);
    if suffix.contains('*') {
        return Err(Refusal::new("`*` may only be the whole first label")
            .remedy("write it as in \"*.example.com\""));
    }
    match address::explain_host(suffix) {
        Some(message) => Err(Refusal::new(message).remedy("correct the host name")),
        None => Ok(host),
    }
}

/// Refuses characters that cannot stand in a request target (RFC 3986 section 3.3).
fn path_characters(text: &str) -> Result<(), Refusal> {
    if !text.starts_with('/') {
        return Err(
            Refusal::new("a path begins with `/`").remedy(format!("write \"/{}\"", text.trim()))
        );
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(*c)) {
        Some('#') => {
            Err(Refusal::new("a fragment is never sent").remedy("remove `#` and what follows"))
        }
        Some(character) => {
            let message = format!("{character:?} cannot stand in a path");
            Err(Refusal::new(message).remedy("percent-encode it, as in %20 for a space"))
        }
        None => Ok(()),
    }
}

/// The path prefix of a route.
pub(super) fn route_path(text: &str) -> Result<String, Refusal> {
    path_characters(text)?;
    if text.contains('?') {
        return Err(Refusal::new("a route looks at the path only, not at the query")
            .remedy("remove `?` and what follows"));
    }
    if let Some(prefix) = text.strip_suffix('*') {
        return Err(Refusal::new("a path matches all that is below it; it needs no `*`")
            .remedy(format!("write \"{prefix}\"")));
    }
    Ok(text.to_owned())
}

/// The path and query of a health check.
pub(super) fn check_path(text: &str) -> Result<String, Refusal> {
    path_characters(text)?;
    Ok(text.to_owned())
}

/// A header's name (RFC 9110 section 5.1), with its case kept.
pub(super) fn header_name(text: &str) -> Result<String, Refusal> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(token) {
        return Err(Refusal::new(format!("`{text}` is not a header name"))
            .remedy("use letters, digits and `-`, without a colon"));
    }
    Ok(text.to_owned())
}

/// A header's value (RFC 9110 section 5.5).
pub(super) fn header_value(text: &str) -> Result<String, Refusal> {
    if text.bytes().any(|byte| byte != b'\t' && (byte < 0x20 || byte == 0x7f)) {
        return Err(Refusal::new("a header value has no line breaks or control characters")
            .remedy("remove them"));
    }
    if text.trim() != text {
        return Err(Refusal::new("a header value has no space around it")
            .remedy(format!("write \"{}\"", text.trim())));
    }
    Ok(text.to_owned())
}

/// A cookie's name (RFC 6265 section 4.1.1).
pub(super) fn cookie_name(text: &str) -> Result<String, Refusal> {
    header_name(text).map_err(|_| {
        Refusal::new(format!("`{text}` is not a cookie name"))
            .remedy("use the cookie's name alone, without `=`")
    })
}

/// A range of statuses: `200-299`.
pub(super) fn status_range(text: &str) -> Result<(u16, u16), Refusal> {
    let status = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
    let refusal = || {
        Refusal::new("this is not a range of statuses").remedy("write it as in \"200-299\" or 204")
    };
    let (low, high) = text.split_once('-').ok_or_else(refusal)?;
    let (low, high) = status(low).and_then(|low| Some((low, status(high)?))).ok_or_else(refusal)?;
    if low > high {
        return Err(Refusal::new("the range ends before it begins")
            .remedy(format!("write \"{high}-{low}\"")));
    }
    Ok((low, high))
}

/// A regular expression.
pub(super) fn regex(text: &str) -> Result<Regex, Refusal> {
    regex::RegexBuilder::new(text).size_limit(REGEX_BYTES).build().map_err(|error| match error {
        regex::Error::Syntax(text) => {
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            Refusal::new(format!("this is not a regular expression: {reason}"))
                .remedy("correct it; a TOML text in 'single quotes' keeps its backslashes")
        }
        _ => Refusal::new("this regular expression is too large").remedy("simplify it"),
    })
}

/// An IP network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Refusal> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(ip));
    }
    let network: IpNet = text.parse().map_err(|_| {
        Refusal::new(format!("`{text}` is not an IP network"))
            .remedy("write it as in \"10.0.0.0/8\" or \"192.0.2.7\"")
    })?;
    if network != network.trunc() {
        return Err(Refusal::new("this network has bits set beyond its prefix")
            .remedy(format!("write \"{}\"", network.trunc())));
    }
    Ok(network)
}

/// The name of a service: it also names instances and log files.
pub(super) fn service_name(text: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || text.len() > SERVICE_NAME_BYTES || !text.bytes().all(allowed) {
        return Err(Refusal::new(format!("`{text}` is not a name for a service"))
            .remedy(format!("use 1 to {SERVICE_NAME_BYTES} letters, digits, `-` and `_`")));
    }
    Ok(())
}

/// The name of a server.
pub(super) fn server_name(text: &str) -> Result<String, Refusal> {
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if text.is_empty() || text.len() > SERVER_NAME_BYTES || !graphic {
        return Err(Refusal::new(format!("`{text}` is not a name for a server"))
            .remedy("use visible ASCII characters without spaces or quotes"));
    }
    Ok(text.to_owned())
}

/// The admin token (RFC 6750 section 2.1).
pub(super) fn token(text: &str) -> Result<String, Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !text.bytes().all(allowed) {
        return Err(Refusal::new("a token consists of letters, digits and `-._~+/=`")
            .remedy("make one with: openssl rand -hex 32"));
    }
    if text.len() < TOKEN_BYTES {
        let message = format!("a token of fewer than {TOKEN_BYTES} characters can be guessed");
        return Err(Refusal::new(message).remedy("make one with: openssl rand -hex 32"));
    }
    Ok(text.to_owned())
}

/// Where log lines go.
pub(super) fn log_target(text: &str) -> Result<LogTarget, Refusal> {
    match text {
        "stdout" | "-" => Ok(LogTarget::Stdout),
        "stderr" => Ok(LogTarget::Stderr),
        path => file_path(path).map(LogTarget::File),
    }
}

/// A log target as the file would write it.
pub(super) fn show_log_target(target: &LogTarget) -> String {
    match target {
        LogTarget::Stdout => "stdout".to_owned(),
        LogTarget::Stderr => "stderr".to_owned(),
        LogTarget::File(path) => path.display().to_string(),
    }
}

/// A file or directory.
pub(super) fn file_path(text: &str) -> Result<PathBuf, Refusal> {
    if text.is_empty() || text.contains('\0') {
        return Err(Refusal::new("this is not a path").remedy("name a file or directory"));
    }
    if text.starts_with("~/") {
        return Err(Refusal::new("`~` is not replaced here")
            .remedy(format!("write \"${{HOME}}{}\"", &text[1..])));
    }
    Ok(PathBuf::from(text))
}

/// The paths of rule files: `*` and `?` stand for any in the last part.
pub(super) fn file_pattern(text: &str) -> Result<String, Refusal> {
    file_path(text)?;
    let is_pattern = |part: &str| part.contains(['*', '?']);
    let (folder, last) = text.rsplit_once('/').unwrap_or(("", text));
    if is_pattern(folder) {
        return Err(Refusal::new("`*` and `?` stand for any only in the last part of a path")
            .remedy("name each folder: [\"a/*.yml\", \"b/*.yml\"]"));
    }
    if last.is_empty() {
        let folder = text.trim_end_matches('/');
        return Err(Refusal::new("this is a folder").remedy(format!("write \"{folder}/*.yml\"")));
    }
    Ok(text.to_owned())
}

/// User and password of basic authentication (RFC 7617): no colon in the user.
pub(super) fn user_and_password(text: &str) -> Result<(String, String), Refusal> {
    let example = "write \"USER:PASSWORD\", or { user = \"…\", password = \"…\" }";
    let Some((user, password)) = text.split_once(':') else {
        return Err(Refusal::new("there is no colon between user and password").remedy(example));
    };
    if user.is_empty() || text.contains(|c: char| c.is_control()) {
        return Err(Refusal::new("this is not a user and a password").remedy(example));
    }
    Ok((user.to_owned(), password.to_owned()))
}

/// A token that is sent in a header.
pub(super) fn bearer(text: &str) -> Result<String, Refusal> {
    let word = text.split_once(' ').filter(|(word, _)| word.eq_ignore_ascii_case("bearer"));
    if word.is_some() {
        return Err(Refusal::new("the word Bearer is put before the token by itself")
            .remedy("write the token alone"));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::new("a token consists of visible ASCII characters without spaces")
            .remedy("write it as it was given to you, or as \"${NAME}\" from a variable"));
    }
    Ok(text.to_owned())
}

/// A text that is not empty.
pub(super) fn not_empty(text: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() || text.contains('\0') {
        return Err(Refusal::new("this text is empty").remedy("fill it in, or remove the key"));
    }
    Ok(text.to_owned())
}

/// Any text but NUL.
pub(super) fn any(text: &str) -> Result<String, Refusal> {
    if text.contains('\0') {
        return Err(Refusal::new("a text cannot contain a NUL character").remedy("remove it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns() {
        for text in ["example.com", "*.example.com", "10.0.0.1", "[::1]", "localhost"] {
            assert_eq!(host_pattern(text).unwrap(), text);
        }
        assert_eq!(host_pattern("Example.COM").unwrap(), "example.com");
        let bad = [
            "",
            "*",
            "a.*.com",
            "*a.com",
            "example.com:80",
            "http://example.com",
            "example.com/x",
            "a b",
            "-.",
            "é.com",
        ];
        for text in bad {
            assert!(host_pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_and_headers() {
        assert!(route_path("/api/").is_ok());
        for text in ["", "api", "/a b", "/a?b", "/a#b", "/api/*", "/é"] {
            assert!(route_path(text).is_err(), "{text}");
        }
        assert!(check_path("/health/?deep=1").is_ok());
        assert!(header_name("X-User").is_ok());
        for text in ["", "X User", "X:", "é"] {
            assert!(header_name(text).is_err(), "{text}");
        }
        assert!(header_value("a\r\nb").is_err());
        assert_eq!(status_range("200-299"), Ok((200, 299)));
        for text in ["200", "299-200", "0-1", "200-600", "a-b"] {
            assert!(status_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks() {
        for text in ["10.0.0.0/8", "192.0.2.7", "::1", "fd00::/8"] {
            assert!(network(text).is_ok(), "{text}");
        }
        for text in ["10.0.0.1/8", "10.0.0.0/33", "x", ""] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
