//! Kinds of text that several keys share, and the words that keys choose from.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use regex::Regex;

use super::super::address;
use super::super::kind::{Choice, Parsed, Treatment};
use super::super::model::{
    AccessLogFormat, Address, Balance, BelowMinHealthy, InstanceAddress, Listen, LogTarget,
};
use super::super::text;

pub(in crate::config) const LISTEN: Parsed<Listen> = Parsed {
    what: "an address to listen on, as in \":9999\", \"127.0.0.1:8000\" or \"[::1]:80\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: address::listen,
    show: |listen| listen.name.clone(),
};
pub(in crate::config) const BIND: Parsed<SocketAddr> = Parsed {
    what: "an address to listen on, as in \"127.0.0.1:9900\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: address::admin,
    show: SocketAddr::to_string,
};
pub(in crate::config) const ADDRESS: Parsed<Address> = Parsed {
    what: "an address, as in \"127.0.0.1:8000\", \"[::1]:80\", \"app.internal:80\" or \"unix:/run/app.sock\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: address::server,
    show: address::show,
};
pub(in crate::config) const TOKEN: Parsed<String> = Parsed {
    what: "a token of at least 16 letters, digits and `-._~+/=`",
    pattern: None,
    treatment: Treatment::Secret,
    parse: text::token,
    show: String::clone,
};
pub(in crate::config) const LOG_TARGET: Parsed<LogTarget> = Parsed {
    what: "\"stdout\", \"stderr\" or the path of a file",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::log_target,
    show: text::show_log_target,
};
pub(in crate::config) const PATH: Parsed<PathBuf> = Parsed {
    what: "a path; a relative one begins at the config file's directory",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::file_path,
    show: |path| path.display().to_string(),
};
pub(in crate::config) const NETWORK: Parsed<IpNet> = Parsed {
    what: "an IP address or network, as in \"10.0.0.0/8\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::network,
    show: IpNet::to_string,
};
pub(in crate::config) const SERVER_NAME: Parsed<String> = Parsed {
    what: "a name of visible ASCII characters",
    pattern: Some("^[!#-~]+$"),
    treatment: Treatment::Replaced,
    parse: text::server_name,
    show: String::clone,
};
/// A command is left to the shell, or to the instance's own variables: `${NAME}` stays as it is.
pub(in crate::config) const COMMAND: Parsed<String> = Parsed {
    what: "a command line",
    pattern: None,
    treatment: Treatment::Verbatim,
    parse: text::not_empty,
    show: String::clone,
};
pub(in crate::config) const WORD: Parsed<String> = Parsed {
    what: "a word of a command line",
    pattern: None,
    treatment: Treatment::Verbatim,
    parse: text::any,
    show: String::clone,
};
pub(in crate::config) const ANY_TEXT: Parsed<String> = Parsed {
    what: "text in quotes",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::any,
    show: String::clone,
};
pub(in crate::config) const NAME_TEXT: Parsed<String> = Parsed {
    what: "a name",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::not_empty,
    show: String::clone,
};
pub(in crate::config) const CHECK_PATH: Parsed<String> = Parsed {
    what: "a path, as in \"/health/\"",
    pattern: Some("^/"),
    treatment: Treatment::Replaced,
    parse: text::check_path,
    show: String::clone,
};
pub(in crate::config) const ROUTE_PATH: Parsed<String> = Parsed {
    what: "a path prefix, as in \"/api/\"",
    pattern: Some("^/"),
    treatment: Treatment::Replaced,
    parse: text::route_path,
    show: String::clone,
};
pub(in crate::config) const HOST_PATTERN: Parsed<String> = Parsed {
    what: "a host name, as in \"example.com\" or \"*.example.com\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::host_pattern,
    show: String::clone,
};
pub(in crate::config) const HEADER_VALUE: Parsed<String> = Parsed {
    what: "a header value",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::header_value,
    show: String::clone,
};
pub(in crate::config) const STATUS_RANGE: Parsed<(u16, u16)> = Parsed {
    what: "a range of statuses, as in \"200-299\"",
    pattern: Some("^[1-5][0-9]{2}-[1-5][0-9]{2}$"),
    treatment: Treatment::Replaced,
    parse: text::status_range,
    show: |(low, high)| format!("{low}-{high}"),
};
pub(in crate::config) const REGEX: Parsed<Regex> = Parsed {
    what: "a regular expression",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::regex,
    show: |regex| regex.as_str().to_owned(),
};

pub(in crate::config) const LOG_FORMAT: Choice<AccessLogFormat> = Choice(&[
    (
        "combined",
        AccessLogFormat::Combined,
        "the NCSA combined format, then service, server, seconds and request id; it has no place for what went wrong",
    ),
    (
        "json",
        AccessLogFormat::Json,
        "one JSON object a line; `detail` says what went wrong with a request",
    ),
]);
pub(in crate::config) const CONNECT: Choice<InstanceAddress> = Choice(&[
    ("port", InstanceAddress::Port, "127.0.0.1 and the instance's `$PORT`"),
    ("socket", InstanceAddress::Socket, "the Unix socket `$SOCKET`, which is faster"),
]);
pub(in crate::config) const BELOW: Choice<BelowMinHealthy> = Choice(&[
    ("fail", BelowMinHealthy::Fail, "503 at once, so that the few are not overrun"),
    ("spread", BelowMinHealthy::Spread, "traffic to all servers, healthy or not"),
]);
/// Balancing policies that need nothing but their name.
pub(in crate::config) const BALANCE: Choice<Balance> = Choice(&[
    ("round-robin", Balance::RoundRobin, "one after the other, by weight"),
    ("least-conn", Balance::LeastConn, "the one with the fewest requests in flight, by weight"),
    ("random", Balance::Random, "at random, by weight"),
    ("power-of-two", Balance::PowerOfTwo, "the less loaded of two random ones"),
    ("peak-ewma", Balance::PeakEwma, "the one that answers fastest for the load it has"),
    ("ip-hash", Balance::IpHash, "the same one for the same client address"),
]);

/// What a consistent hash is taken of, before its name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum HashOf {
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// Path and query.
    Uri,
}
pub(in crate::config) const HASH_OF: Choice<HashOf> = Choice(&[
    ("header", HashOf::Header, "the value of the header `name`"),
    ("cookie", HashOf::Cookie, "the value of the cookie `name`"),
    ("uri", HashOf::Uri, "path and query"),
]);

/// Failures that a retry may follow, besides statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum RetryOn {
    /// No connection.
    Connect,
    /// No response head in time.
    Timeout,
    /// A response head that is none.
    InvalidHeader,
}
pub(in crate::config) const RETRY_ON: Choice<RetryOn> = Choice(&[
    ("connect", RetryOn::Connect, "no connection, or closed before a response began"),
    ("timeout", RetryOn::Timeout, "no response head in time"),
    ("invalid-header", RetryOn::InvalidHeader, "a response head that cannot be understood"),
]);
