//! URLs of what Plimsoll asks and tells: absolute, `http` or `https`, with user and password apart.
//!
//! A URL may carry a password or be one (as those of webhooks are), so that no message repeats more
//! of it than its scheme, host and port. Nothing is asked of the network.

use super::super::address::explain_host;
use super::super::model::observe::HttpEndpoint;
use super::super::problem::nearest;
use super::super::quantity::Refusal;

/// The schemes, with their ports.
const SCHEMES: [(&str, u16); 2] = [("http", 80), ("https", 443)];
/// Longest URL.
pub(in crate::config) const URL_BYTES: usize = 64 * 1024;
/// Characters besides controls and spaces that cannot stand in a URL (RFC 3986 section 2).
const FORBIDDEN: &str = "\"<>\\^`|";
/// Where metrics are when only host and port are named.
const METRICS_PATH: &str = "/metrics";

/// A URL taken apart, as far as Plimsoll looks at it.
pub(in crate::config) struct Parts<'a> {
    /// In lower case.
    pub(in crate::config) scheme: String,
    /// User and password, decoded.
    pub(in crate::config) login: Option<(String, String)>,
    /// Host and port as they are written; the port may be missing.
    pub(in crate::config) authority: &'a str,
    /// From the path on; may be empty.
    pub(in crate::config) rest: &'a str,
}

impl<'a> Parts<'a> {
    /// Of a URL with one of these schemes.
    pub(in crate::config) fn of(
        text: &'a str,
        schemes: &[&str],
        example: &str,
    ) -> Result<Self, Refusal> {
        characters(text)?;
        if text.len() > URL_BYTES {
            return Err(Refusal::new("this URL is too long").remedy("check that it is one"));
        }
        let Some((scheme, after)) = text.split_once("://") else {
            return Err(without_scheme(text, schemes, example));
        };
        let scheme = scheme.to_ascii_lowercase();
        if !schemes.contains(&scheme.as_str()) {
            let near = nearest(&scheme, schemes.iter().copied()).unwrap_or(schemes[0]);
            return Err(Refusal::new(format!("a URL here does not begin with `{scheme}://`"))
                .remedy(format!("begin it with {near}://, as in \"{example}\"")));
        }
        let (before, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (user, at) = match before.rsplit_once('@') {
            Some((user, at)) => (Some(user), at),
            None => (None, before),
        };
        if let Err(refusal) = authority(at) {
            // A password with a slash in it ends the host too early, and must not be repeated.
            return Err(match rest.contains('@') {
                true => Refusal::new("a character of the user or the password ends the host early")
                    .remedy("percent-encode it, as in %2F for a slash"),
                false => refusal,
            });
        }
        let login = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((user, password)) => Some((decoded(user)?, decoded(password)?)),
            None => None,
        };
        Ok(Self { scheme, login, authority: at, rest })
    }

    /// The URL without user and password.
    fn open(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.rest)
    }
}

/// An endpoint: `http://user:password@host:port/path`.
pub(in crate::config) fn endpoint(text: &str) -> Result<HttpEndpoint, Refusal> {
    let parts = Parts::of(text, &SCHEMES.map(|(name, _)| name), "http://10.0.0.1:9090")?;
    let open = HttpEndpoint::open(parts.open());
    Ok(HttpEndpoint { basic: parts.login, ..open })
}

/// A target of scrapes: a URL, or only host and port, which are asked for `/metrics`.
pub(in crate::config) fn target(text: &str) -> Result<HttpEndpoint, Refusal> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let example = "http://10.0.0.1:9100/metrics";
    if text.trim().is_empty() {
        let remedy = format!("write it as in \"10.0.0.1:9100\" or \"{example}\"");
        return Err(Refusal::new("this target is empty").remedy(remedy));
    }
    let parts = Parts::of(&full, &SCHEMES.map(|(name, _)| name), example)?;
    if full.len() != text.len() && port(parts.authority).is_none() {
        let host = parts.authority;
        return Err(Refusal::new("the port is missing")
            .remedy(format!("write \"{host}:9100\", or \"http://{host}/metrics\"")));
    }
    let mut open = HttpEndpoint::open(parts.open());
    if parts.rest.is_empty() {
        open.url.push_str(METRICS_PATH);
    }
    Ok(HttpEndpoint { basic: parts.login, ..open })
}

/// A URL that people follow: it goes into messages, so nothing secret may be in it.
pub(in crate::config) fn link(text: &str) -> Result<String, Refusal> {
    let example = "https://plimsoll.example.com";
    let parts = Parts::of(text, &SCHEMES.map(|(name, _)| name), example)?;
    if parts.login.is_some() {
        return Err(Refusal::new("a link that is sent to people carries no user and password")
            .remedy("remove them"));
    }
    Ok(parts.open())
}

/// Host and port of a URL, with the port of its scheme if none is written.
pub(in crate::config) fn host_and_port(url: &str) -> String {
    let (scheme, after) = url.split_once("://").unwrap_or(("", url));
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let authority = after[..end].rsplit('@').next().unwrap_or_default();
    match (port(authority), SCHEMES.iter().find(|(name, _)| *name == scheme)) {
        (None, Some((_, port))) => format!("{authority}:{port}"),
        _ => authority.to_owned(),
    }
}

/// The port in `host:port` or `[host]:port`.
pub(in crate::config) fn port(authority: &str) -> Option<&str> {
    let after = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.1,
        None => authority,
    };
    after.split_once(':').map(|(_, port)| port)
}

fn without_scheme(text: &str, schemes: &[&str], example: &str) -> Refusal {
    let refusal = Refusal::new("the URL does not begin with its scheme");
    let scheme = schemes[0];
    match text {
        "" => Refusal::new("the URL is empty").remedy(format!("write it as in \"{example}\"")),
        text if text.starts_with('/') => refusal.remedy(format!("write it as in \"{example}\"")),
        // A password or a token may be in it.
        text if text.contains(['@', '/', '?']) => {
            let scheme = schemes[schemes.len() - 1];
            refusal.remedy(format!("begin it with {scheme}://"))
        }
        text if text.starts_with(':') => {
            refusal.remedy(format!("write \"{scheme}://127.0.0.1{text}\""))
        }
        text => refusal.remedy(format!("write \"{scheme}://{text}\"")),
    }
}

/// Refuses characters that cannot stand in a URL.
pub(in crate::config) fn characters(text: &str) -> Result<(), Refusal> {
    let wrong = |c: &char| !c.is_ascii_graphic() || FORBIDDEN.contains(*c);
    match text.chars().find(|c| *c == '#' || wrong(c)) {
        Some('#') => {
            Err(Refusal::new("a fragment is never sent").remedy("remove `#` and what follows"))
        }
        Some(character) => {
            let mut buffer = [0; 4];
            let encoded: String = character
                .encode_utf8(&mut buffer)
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect();
            Err(Refusal::new(format!("{character:?} cannot stand in a URL"))
                .remedy(format!("write {encoded} for it")))
        }
        None => Ok(()),
    }
}

/// Checks host and port.
pub(in crate::config) fn authority(text: &str) -> Result<(), Refusal> {
    let example = "write it as in \"http://127.0.0.1:9999/\"";
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => {
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(Refusal::new(format!("`{host}` is not an IPv6 address"))
                    .remedy("write it as in \"http://[::1]:9999/\""));
            }
            if !after.is_empty() && !after.starts_with(':') {
                return Err(Refusal::new(format!("`{after}` is no port")).remedy(example));
            }
            (None, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    if let Some(port) = port {
        let is_number = port.parse::<u16>().is_ok_and(|port| port > 0);
        if !is_number || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::new(format!("`{port}` is not a port number"))
                .remedy(format!("write a port from 1 to 65535; {example}")));
        }
    }
    match host {
        Some("") => Err(Refusal::new("the host is missing").remedy(example)),
        Some(host) if host.parse::<std::net::Ipv4Addr>().is_ok() => Ok(()),
        Some(host) => match explain_host(host.strip_suffix('.').unwrap_or(host)) {
            Some(message) => Err(Refusal::new(message).remedy(example)),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// `%2F` and the like as the characters they stand for.
fn decoded(text: &str) -> Result<String, Refusal> {
    let wrong = || {
        Refusal::new("`%` in user and password begins the code of a character")
            .remedy("write %25 for the character itself")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(wrong()) };
        // Two digits of 16 fit a byte.
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_split_out() {
        let read = endpoint("HTTPS://me:a%2Fb%40c@Example.com:8443/x?y=1").unwrap();
        assert_eq!(read.url, "https://Example.com:8443/x?y=1");
        assert_eq!(read.basic, Some(("me".to_owned(), "a/b@c".to_owned())));
        assert_eq!(endpoint("http://x").unwrap(), HttpEndpoint::open("http://x"));
        let alone = endpoint("http://me@x/").unwrap();
        assert_eq!(alone.basic, Some(("me".to_owned(), String::new())));
    }

    #[test]
    fn targets_may_be_short() {
        for (text, url) in [
            ("10.0.0.2:9100", "http://10.0.0.2:9100/metrics"),
            ("[::1]:9100", "http://[::1]:9100/metrics"),
            ("db.internal:9187/probe?x=1", "http://db.internal:9187/probe?x=1"),
            ("https://x", "https://x/metrics"),
            ("https://x/", "https://x/"),
        ] {
            assert_eq!(target(text).unwrap().url, url);
        }
        let short = target("db.internal").unwrap_err();
        assert!(short.remedy.unwrap().contains("\"db.internal:9100\""));
        assert!(target("").is_err());
    }

    #[test]
    fn no_message_repeats_a_password() {
        for text in [
            "me:hunter2@host:80",
            "ftp://me:hunter2@host/",
            "http://me:hunter2@/x",
            "http://me:hunter2/x@host/",
            "http://me:hunter2@host:x/",
            "http://me:hunter2%@host/",
            "http://me:hun ter2@host/",
        ] {
            for refusal in
                [endpoint(text).unwrap_err(), target(text).err().unwrap_or(Refusal::new(""))]
            {
                let said = format!("{} {}", refusal.message, refusal.remedy.unwrap_or_default());
                assert!(!said.contains("hunter2") && !said.contains("ter2"), "{text}: {said}");
            }
        }
    }

    #[test]
    fn hosts_have_the_port_of_their_scheme() {
        for (url, host) in [
            ("http://a/x", "a:80"),
            ("https://u:p@a?x", "a:443"),
            ("http://[::1]/", "[::1]:80"),
            ("http://[::1]:90/", "[::1]:90"),
        ] {
            assert_eq!(host_and_port(url), host);
        }
        assert!(link("https://u:p@a/").is_err());
    }
}
