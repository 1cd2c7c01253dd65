//! The cookies of one user (RFC 6265): what servers set, and what goes back to them.
//!
//! Invariants: at most [`COOKIES_MAX`] cookies of at most [`COOKIE_BYTES_MAX`] bytes; a cookie goes
//! only where its domain, path and `Secure` allow.
//! Left out: the list of public suffixes (a domain without a dot is refused as one), `HttpOnly` and
//! `SameSite`, which are about scripts and pages.

use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::load::client::{Origin, Scheme};

/// Most cookies of a user; the oldest makes room (RFC 6265 §6.1 asks for 50 a domain at least).
const COOKIES_MAX: usize = 300;
/// Most bytes of a cookie's name and value (RFC 6265 §6.1 asks for 4096 at least).
const COOKIE_BYTES_MAX: usize = 8192;

/// The cookies of one user, in the order in which they were first set.
#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    /// `None` until the user ends.
    expires: Option<Timestamp>,
}

impl Jar {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the value of a `Set-Cookie` field (RFC 6265 §5.2, §5.3). What is none is passed over.
    pub(super) fn store(&mut self, field: &str, origin: &Origin, target: &str, now: Timestamp) {
        let Some(mut cookie) = parse(field, origin, target, now) else { return };
        let old = self.0.iter().position(|old| {
            (&old.name, &old.domain, &old.path) == (&cookie.name, &cookie.domain, &cookie.path)
        });
        let is_over = cookie.expires.is_some_and(|expires| expires <= now);
        match old {
            Some(old) if is_over => {
                self.0.remove(old);
            }
            Some(old) => std::mem::swap(&mut self.0[old], &mut cookie),
            None if is_over => {}
            None => {
                if self.0.len() >= COOKIES_MAX {
                    self.0.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
                }
                if self.0.len() >= COOKIES_MAX {
                    self.0.remove(0);
                }
                self.0.push(cookie);
            }
        }
    }

    /// The value of the `Cookie` field for a request, if there is any (RFC 6265 §5.4).
    pub(super) fn field(&self, origin: &Origin, target: &str, now: Timestamp) -> Option<String> {
        let path = path_of(target);
        let goes = |cookie: &&Cookie| {
            (origin.scheme == Scheme::Https || !cookie.secure)
                && cookie.expires.is_none_or(|expires| expires > now)
                && (if cookie.host_only {
                    cookie.domain == origin.host
                } else {
                    domain_matches(&origin.host, &cookie.domain)
                })
                && path_matches(path, &cookie.path)
        };
        let mut cookies: Vec<&Cookie> = self.0.iter().filter(goes).collect();
        // Longer paths first; among equals, in the order of their creation.
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut field = String::new();
        for cookie in cookies {
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.push_str(&cookie.name);
            field.push('=');
            field.push_str(&cookie.value);
        }
        Some(field).filter(|field| !field.is_empty())
    }
}

fn parse(field: &str, origin: &Origin, target: &str, now: Timestamp) -> Option<Cookie> {
    let mut attributes = field.split(';');
    let (name, value) = attributes.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_whole = |text: &str| text.bytes().all(|byte| byte >= b' ' && byte != 0x7f);
    if name.is_empty() || name.len() + value.len() > COOKIE_BYTES_MAX {
        return None;
    }
    // A control character would end the field that it is sent in.
    if !is_whole(name) || !is_whole(value) {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: origin.host.clone(),
        host_only: true,
        path: default_path(target).to_owned(),
        secure: false,
        expires: None,
    };
    let mut max_age = None;
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "expires" => cookie.expires = date(value).or(cookie.expires),
            "max-age" => max_age = age(value).or(max_age),
            "domain" => {
                let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                if !domain.is_empty() {
                    cookie.domain = domain;
                    cookie.host_only = false;
                }
            }
            "path" if value.starts_with('/') => cookie.path = value.to_owned(),
            "path" => cookie.path = default_path(target).to_owned(),
            "secure" => cookie.secure = true,
            _ => {}
        }
    }
    // `Max-Age` stands above `Expires`.
    if let Some(age) = max_age {
        cookie.expires = Some(now.checked_add(age).unwrap_or(Timestamp::MAX));
    }
    if !cookie.host_only {
        if cookie.domain == origin.host {
            // Of an address, or a name without a dot: nothing lies below it.
            cookie.host_only = !cookie.domain.contains('.') || is_address(&cookie.domain);
        } else if !cookie.domain.contains('.') || !domain_matches(&origin.host, &cookie.domain) {
            return None;
        }
    }
    Some(cookie)
}

/// `Max-Age` (RFC 6265 §5.2.2); zero and less are over at once.
fn age(value: &str) -> Option<SignedDuration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = if digits.len() < value.len() { 0 } else { digits.parse().unwrap_or(i64::MAX) };
    Some(SignedDuration::from_secs(seconds))
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// RFC 6265 §5.1.3.
fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain
        || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')) && !is_address(host)
}

/// RFC 6265 §5.1.4.
fn path_matches(path: &str, of: &str) -> bool {
    path.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

/// The folder of the target (RFC 6265 §5.1.4).
fn default_path(target: &str) -> &str {
    let path = path_of(target);
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

/// A date in any of the forms that servers write (RFC 6265 §5.1.1).
fn date(text: &str) -> Option<Timestamp> {
    const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let is_delimiter =
        |letter: char| letter.is_ascii() && !letter.is_ascii_alphanumeric() && letter != ':';
    for token in text.split(is_delimiter) {
        let digits = token.bytes().take_while(u8::is_ascii_digit).count();
        let number = token[..digits].parse::<i16>().ok();
        let name = token.get(..3).map(str::to_ascii_lowercase);
        let name = name.and_then(|name| MONTHS.find(&name)).filter(|place| place % 3 == 0);
        if time.is_none() && token.contains(':') {
            time = clock(token);
        } else if day.is_none() && (1..=2).contains(&digits) {
            day = number;
        } else if let (None, Some(place)) = (month, name) {
            month = i8::try_from(place / 3 + 1).ok();
        } else if year.is_none() && (2..=4).contains(&digits) {
            year = number;
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let (hour, minute, second) = time?;
    let date = DateTime::new(year, month?, i8::try_from(day?).ok()?, hour, minute, second, 0);
    date.ok().filter(|_| year >= 1601)?.to_zoned(TimeZone::UTC).ok().map(|date| date.timestamp())
}

/// `hours:minutes:seconds`, and anything behind the last digit.
fn clock(token: &str) -> Option<(i8, i8, i8)> {
    let mut parts = token.splitn(3, ':').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part[..digits].parse().ok()
    });
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests;
