//! Addresses as a configuration writes them: to listen on, of the admin server, and of servers.
//!
//! Reading and explaining are apart: what reads an address knows nothing of remedies, and a remedy
//! that names an address names one that reads. Nothing here touches the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::model::{Address, DEFAULT_ADMIN_PORT, DEFAULT_PORT, Listen};
use super::quantity::Refusal;

/// Longest path of a Unix socket, in bytes: `sun_path` less its final NUL (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;
/// Longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 253;
/// The port of a server in examples.
const SERVER_PORT: u16 = 8000;
/// The port of a scheme's URL that names none.
const SCHEME_PORTS: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Clients connect to it.
    Listen,
    /// The admin server is bound to it.
    Admin,
    /// Plimsoll connects to it.
    Server,
}

impl Purpose {
    fn reads(self, text: &str) -> bool {
        match self {
            Self::Listen | Self::Admin => read_bind(text).is_some(),
            Self::Server => read_server(text).is_some(),
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Listen => DEFAULT_PORT,
            Self::Admin => DEFAULT_ADMIN_PORT,
            Self::Server => SERVER_PORT,
        }
    }

    /// Who is meant where no host is named: everybody for clients, this machine otherwise.
    fn host(self) -> &'static str {
        if self == Self::Listen { "" } else { "127.0.0.1" }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Listen => {
                "write a port, as in \":9999\", or an IP address and a port, as in \"127.0.0.1:9999\""
            }
            Self::Admin => "write an IP address and a port, as in \"127.0.0.1:9900\"",
            Self::Server => {
                "write a host and a port, as in \"127.0.0.1:8000\" or \"app.internal:80\""
            }
        }
    }
}

/// An address to listen on, with its text as its name.
pub(super) fn listen(text: &str) -> Result<Listen, Refusal> {
    let bind = read_bind(text).ok_or_else(|| refusal(text, Purpose::Listen))?;
    Ok(Listen { bind, name: text.to_owned() })
}

/// The admin server's address.
pub(super) fn admin(text: &str) -> Result<SocketAddr, Refusal> {
    read_bind(text).ok_or_else(|| refusal(text, Purpose::Admin))
}

/// Where a server is: `127.0.0.1:8000`, `[::1]:80`, `host:port` or `unix:/path`.
pub(super) fn server(text: &str) -> Result<Address, Refusal> {
    read_server(text).ok_or_else(|| refusal(text, Purpose::Server))
}

/// The address of a server as the file would write it.
pub(super) fn show(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// An IP address, `localhost` or nothing, and a port.
fn read_bind(text: &str) -> Option<SocketAddr> {
    let (host, port) = host_and_port(text)?;
    let ip = match host {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().ok()?,
    };
    Some(SocketAddr::new(ip, port_number(port)?))
}

fn read_server(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return explain_socket(path).is_none().then(|| Address::Unix(PathBuf::from(path)));
    }
    let (host, port) = host_and_port(text)?;
    let port = port_number(port).filter(|port| *port > 0)?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (!ip.is_unspecified()).then(|| Address::Tcp(SocketAddr::new(ip, port)));
    }
    explain_host(host).is_none().then(|| Address::Host(host.to_ascii_lowercase(), port))
}

/// The parts of `host:port` and `[host]:port`.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':')),
    }
}

fn port_number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What is wrong with a text, and what may have been meant.
struct Explanation {
    message: String,
    /// Likely things first; the first that is an address is named.
    candidates: Vec<String>,
    /// Before the address named.
    lead: &'static str,
    /// After it.
    tail: &'static str,
}

impl Explanation {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), candidates: Vec::new(), lead: "write", tail: "" }
    }

    /// Adds what may have been meant.
    fn or(mut self, candidate: String) -> Self {
        self.candidates.push(candidate);
        self
    }
}

/// Why `text` is no address for `purpose`, and what to write.
fn refusal(text: &str, purpose: Purpose) -> Refusal {
    let Explanation { message, candidates, lead, tail } = explain(text, purpose);
    let meant = candidates.iter().find(|candidate| purpose.reads(candidate));
    Refusal::new(message).remedy(match meant {
        Some(meant) => format!("{lead} \"{meant}\"{tail}"),
        None => purpose.example().to_owned(),
    })
}

fn explain(text: &str, purpose: Purpose) -> Explanation {
    let default = purpose.port();
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Explanation::new("the address is empty");
    }
    if trimmed != text {
        return Explanation::new("there is space around the address").or(trimmed.to_owned());
    }
    if text.starts_with("unix:") || text.starts_with('/') {
        return explain_unix(text, purpose);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.split('/').next().unwrap_or_default();
        let port = rest.rsplit_once(':').map(|(_, port)| port.to_owned());
        let port = port.unwrap_or_else(|| named_port(scheme).unwrap_or(default).to_string());
        return Explanation::new(format!("an address has no scheme such as `{scheme}://`"))
            .or(rest.to_owned())
            .or(format!("{rest}:{port}"))
            .or(format!("{}:{port}", purpose.host()));
    }
    if let Some((address, _)) = text.split_once('/') {
        return Explanation::new("an address has no path")
            .or(address.to_owned())
            .or(format!("{address}:{default}"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        return explain_brackets(rest, purpose);
    }
    match text.rsplit_once(':') {
        None => explain_alone(text, purpose),
        Some((host, port)) if host.contains(':') => {
            let (whole, parts) = (format!("[{text}]:{default}"), format!("[{host}]:{port}"));
            let message = match purpose.reads(&whole) || purpose.reads(&parts) {
                true => "an IPv6 address needs brackets and a port".to_owned(),
                false => format!("`{text}` has more than one colon"),
            };
            Explanation::new(message).or(whole).or(parts)
        }
        Some((host, port)) => explain_parts(host, port, purpose),
    }
}

/// The port of a scheme.
fn named_port(scheme: &str) -> Option<u16> {
    SCHEME_PORTS.iter().find(|(known, _)| *known == scheme).map(|(_, port)| *port)
}

/// A text that begins with a bracket, which is left out.
fn explain_brackets(rest: &str, purpose: Purpose) -> Explanation {
    let default = purpose.port();
    match rest.split_once(']') {
        None => {
            let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
            Explanation::new("`[` has no closing `]`")
                .or(format!("[{host}]:{port}"))
                .or(format!("[{rest}]:{default}"))
        }
        Some((host, "")) => {
            Explanation::new("the port is missing").or(format!("[{host}]:{default}"))
        }
        Some((host, after)) => match after.strip_prefix(':') {
            Some(port) => explain_parts(host, port, purpose),
            None => Explanation::new("there is no colon before the port")
                .or(format!("[{host}]:{after}"))
                .or(format!("[{host}]:{default}")),
        },
    }
}

/// A text without a colon: a port, or a host.
fn explain_alone(text: &str, purpose: Purpose) -> Explanation {
    let default = purpose.port();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = match port_number(text) {
            Some(_) => "this is a port without its colon".to_owned(),
            None => format!("`{text}` is not a port number; the highest is 65535"),
        };
        return Explanation::new(message).or(format!("{}:{text}", purpose.host()));
    }
    if text == "*" && purpose != Purpose::Server {
        return explain_parts(text, &default.to_string(), purpose);
    }
    let complete = format!("{text}:{default}");
    let message = match purpose.reads(&complete) {
        true => "the port is missing".to_owned(),
        false if purpose == Purpose::Server => format!("`{text}` is not an address"),
        false => format!("`{text}` is neither a port nor an IP address of this machine"),
    };
    Explanation::new(message).or(complete)
}

/// A host and a port, one of which is wrong.
fn explain_parts(host: &str, port: &str, purpose: Purpose) -> Explanation {
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port_number(port).is_none() {
        let message = match port {
            "" => "the port is missing".to_owned(),
            _ => format!("`{port}` is not a port number"),
        };
        let port = named_port(port).unwrap_or(purpose.port());
        let lead = "write a port up to 65535 after the colon, as in";
        return Explanation { lead, ..Explanation::new(message) }.or(format!("{bracketed}:{port}"));
    }
    let this_machine = |message: String| {
        let tail = " for this machine";
        Explanation { tail, ..Explanation::new(message) }.or(format!("127.0.0.1:{port}"))
    };
    match (purpose, host, host.parse::<IpAddr>()) {
        (Purpose::Server, _, _) if port_number(port) == Some(0) => {
            Explanation::new("no server listens on port 0")
        }
        (Purpose::Server, "", _) => this_machine("the host is missing".to_owned()),
        (Purpose::Server, _, Ok(ip)) => {
            this_machine(format!("`{ip}` is an address to listen on, not to connect to"))
        }
        (Purpose::Server, ..) => Explanation::new(explain_host(host).unwrap_or_default()),
        (_, "*", _) => Explanation::new("`*` is not an address; an empty host means all of them")
            .or(format!(":{port}")),
        (Purpose::Admin, ..) => {
            this_machine(format!("`{host}` is not an IP address of this machine"))
        }
        (Purpose::Listen, ..) => {
            let tail = " for all addresses, or the IP address itself";
            let message = format!("`{host}` is not an IP address of this machine");
            Explanation { tail, ..Explanation::new(message) }.or(format!(":{port}"))
        }
    }
}

fn explain_unix(text: &str, purpose: Purpose) -> Explanation {
    if purpose != Purpose::Server {
        return Explanation::new("Plimsoll listens on TCP ports, not on Unix sockets");
    }
    let Some(path) = text.strip_prefix("unix:") else {
        return Explanation::new("a Unix socket is written with `unix:`")
            .or(format!("unix:{text}"));
    };
    let example = "unix:/run/app.sock".to_owned();
    let message = explain_socket(path.strip_prefix("//").unwrap_or(path)).unwrap_or_default();
    Explanation { lead: "write it as in", ..Explanation::new(message) }.or(example)
}

/// Why this is no path of a Unix socket.
fn explain_socket(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some("the path of a Unix socket begins with `/`".to_owned());
    }
    if path.len() > SOCKET_PATH_BYTES {
        return Some(format!("the path of a Unix socket has at most {SOCKET_PATH_BYTES} bytes"));
    }
    // The path names the server in headers, logs and metrics.
    let visible = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (!visible).then(|| {
        "the path of a Unix socket consists of visible ASCII characters without quotes".to_owned()
    })
}

/// Why this is no host name (RFC 1123 section 2.1; `_` is let pass as resolvers do).
pub(super) fn explain_host(host: &str) -> Option<String> {
    if host.len() > HOST_BYTES {
        return Some(format!("a host name has at most {HOST_BYTES} bytes"));
    }
    // Four numbers are meant as an IPv4 address; no top-level domain is a number.
    if host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Some(format!("`{host}` is not an IP address"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label =
        |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed);
    (!host.split('.').all(is_label)).then(|| format!("`{host}` is not a host name"))
}

#[cfg(test)]
mod tests;
