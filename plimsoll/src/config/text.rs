//! Values that are written as text of a certain form: addresses, hosts, paths, header names.
//!
//! Each function reads one form and says what is wrong with a text that has not got it. Nothing
//! here touches the network or the disk.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use regex::Regex;

use super::model::{Address, Listen, LogTarget};
use super::quantity::Refusal;

/// Longest name of a service, in bytes.
const SERVICE_NAME_BYTES: usize = 63;
/// Longest name of a server, in bytes.
const SERVER_NAME_BYTES: usize = 255;
/// Longest path of a Unix socket, in bytes: `sun_path` less its final NUL (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;
/// Longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 253;
/// Largest compiled regular expression, in bytes.
const REGEX_BYTES: usize = 1 << 20;
/// A shorter token can be guessed.
const TOKEN_BYTES: usize = 16;

/// A port number; 0 only where `zero` allows it.
fn port(text: &str, zero: bool) -> Result<u16, Refusal> {
    let refusal = || {
        let lowest = u8::from(!zero);
        let message = match text {
            "" => "the port is missing".to_owned(),
            _ => format!("`{text}` is not a port number"),
        };
        Refusal::new(message).remedy(format!("write a port from {lowest} to 65535 after the colon"))
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal());
    }
    match text.parse() {
        Ok(0) if !zero => Err(refusal()),
        Ok(port) => Ok(port),
        Err(_) => Err(refusal()),
    }
}

/// Host and port text; the host of `[::1]:80` is without its brackets.
fn split_host_port<'a>(text: &'a str, default: &str) -> Result<(&'a str, &'a str), Refusal> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.split('/').next().unwrap_or_default();
        let with_port = if rest.contains(':') { rest.to_owned() } else { format!("{rest}:80") };
        return Err(Refusal::new(format!("an address has no scheme such as `{scheme}://`"))
            .remedy(format!("write \"{with_port}\"")));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err(
                Refusal::new("`[` has no closing `]`").remedy("write it as in \"[::1]:80\"")
            );
        };
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None => {
                Err(Refusal::new("the port is missing")
                    .remedy(format!("write \"[{host}]:{default}\"")))
            }
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Refusal::new("an IPv6 address needs brackets and a port")
            .remedy(format!("write \"[{text}]:{default}\"")));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            Refusal::new("this is a port without its colon").remedy(format!("write \":{text}\""))
        );
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Ok((host, port)),
        None if text.is_empty() => Err(Refusal::new("the address is empty")
            .remedy(format!("write a host and a port, as in \"127.0.0.1:{default}\""))),
        None => {
            Err(Refusal::new("the port is missing").remedy(format!("write \"{text}:{default}\"")))
        }
    }
}

/// An address to listen on: an IP address, `localhost` or nothing, and a port.
pub(super) fn bind(text: &str) -> Result<SocketAddr, Refusal> {
    if text.starts_with("unix:") {
        return Err(Refusal::new("Plimsoll listens on TCP ports, not on Unix sockets")
            .remedy("write an address, as in \":9999\""));
    }
    let (host, port_text) = split_host_port(text, "9999")?;
    let port = port(port_text, true)?;
    let ip = match host {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "*" => {
            return Err(Refusal::new("`*` is not an address; an empty host means all of them")
                .remedy(format!("write \":{port}\"")));
        }
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| {
            Refusal::new(format!("`{host}` is not an IP address of this machine"))
                .remedy(format!("write \":{port}\" for all addresses, or the IP address itself"))
        })?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// An address to listen on, with its text as its name.
pub(super) fn listen(text: &str) -> Result<Listen, Refusal> {
    Ok(Listen { bind: bind(text)?, name: text.to_owned() })
}

/// Where a server is: `127.0.0.1:8000`, `[::1]:80`, `host:port` or `unix:/path`.
pub(super) fn address(text: &str) -> Result<Address, Refusal> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return unix(path);
    }
    if text.starts_with('/') {
        return Err(Refusal::new("a Unix socket is written with `unix:`")
            .remedy(format!("write \"unix:{text}\"")));
    }
    let (host, port_text) = split_host_port(text, "8000")?;
    let port = port(port_text, false)?;
    if host.is_empty() {
        return Err(Refusal::new("the host is missing")
            .remedy(format!("write \"127.0.0.1:{port}\" for this machine")));
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        if ip.is_unspecified() {
            return Err(Refusal::new(format!(
                "`{ip}` is an address to listen on, not to connect to"
            ))
            .remedy(format!("write \"127.0.0.1:{port}\" for this machine")));
        }
        return Ok(Address::Tcp(SocketAddr::new(ip, port)));
    }
    host_name(host)?;
    Ok(Address::Host(host.to_ascii_lowercase(), port))
}

fn unix(path: &str) -> Result<Address, Refusal> {
    if !path.starts_with('/') {
        return Err(Refusal::new("the path of a Unix socket begins with `/`")
            .remedy("write it as in \"unix:/run/app.sock\""));
    }
    if path.len() > SOCKET_PATH_BYTES {
        let message = format!("the path of a Unix socket has at most {SOCKET_PATH_BYTES} bytes");
        return Err(Refusal::new(message).remedy("use a shorter directory"));
    }
    // The path names the server in headers, logs and metrics.
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
        return Err(Refusal::new("the path of a Unix socket has a character that cannot be shown")
            .remedy("use visible ASCII characters without spaces or quotes"));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

/// An address as the file would write it.
pub(super) fn show_address(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Refuses what is no host name (RFC 1123 section 2.1; `_` is let pass as resolvers do).
fn host_name(host: &str) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new(why).remedy("correct the host name"));
    if host.len() > HOST_BYTES {
        return refuse(format!("a host name has at most {HOST_BYTES} bytes"));
    }
    // Four numbers are meant as an IPv4 address; no top-level domain is a number.
    if host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return refuse(format!("`{host}` is not an IP address"));
    }
    for label in host.split('.') {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if label.is_empty() || label.len() > 63 || !label.bytes().all(allowed) {
            return refuse(format!("`{host}` is not a host name"));
        }
    }
    Ok(())
}

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
    host_name(suffix)?;
    Ok(host)
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
    fn addresses_to_listen_on() {
        let cases = [
            (":9999", "[::]:9999"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("localhost:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ];
        for (text, shown) in cases {
            assert_eq!(bind(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "9999", "*:80", "example.com:80", "::1", "[::1]", "1.2.3.4", ":65536"] {
            assert!(bind(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_servers() {
        let good =
            ["127.0.0.1:8000", "[::1]:80", "app.internal:80", "web_1:80", "unix:/run/app.sock"];
        for text in good {
            assert_eq!(show_address(&address(text).unwrap()), text);
        }
        let bad = [
            "",
            ":80",
            "0.0.0.0:80",
            "app",
            "app:0",
            "app:x",
            "http://app:80",
            "/run/x",
            "unix:x",
            "unix:/run/a b.sock",
            "unix:/run/a\r\nX: y",
            "unix:/run/\"",
            "unix:/run/\u{fc}",
            "a b:80",
            "1.2.3:80",
            "256.1.1.1:80",
            "a..b:80",
            "::1:80:",
        ];
        for text in bad {
            assert!(address(text).is_err(), "{text}");
        }
    }

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
