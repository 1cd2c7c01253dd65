//! Managers in scope of a sampler: headers, cookies, authorisation, cache.

use super::convert::{Converter, Place, append, joined};
use super::scope::{Kind, Scope};
use super::tree::{Element, Property};
use crate::config::bench::model::{Function, Template};
use crate::config::problem::{ConfigError, shorten};
use crate::config::text;

/// Where a request goes, as far as that is known.
pub(super) struct Target<'t> {
    /// The host, where it is constant.
    pub(super) host: Option<&'t str>,
    /// The URL.
    pub(super) url: &'t Template,
}

impl Converter<'_> {
    /// The headers that managers in scope give a request, the inner ones first. An inner manager's
    /// header takes the place of an outer one's of the same name.
    pub(super) fn headers(
        &mut self,
        scope: &Scope<'_>,
        target: &Target<'_>,
    ) -> Vec<(String, Template)> {
        let mut headers: Vec<(String, Template)> = Vec::new();
        let managers = scope.inward_out(Kind::Configuration);
        for manager in managers.iter().filter(|manager| manager.class == "HeaderManager") {
            let inner = headers.len();
            for header in manager.collection("HeaderManager.headers") {
                let place = Place { element: manager, span: &header.span };
                let name = self.template(header.text_of("Header.name").unwrap_or_default(), place);
                let Some(name) = self.constant(&name, place) else { continue };
                let name = name.trim().to_owned();
                let hidden =
                    headers[..inner].iter().any(|(known, _)| known.eq_ignore_ascii_case(&name));
                if name.is_empty() || hidden || self.is_framing(&name, place) {
                    continue;
                }
                let value = header.text_of("Header.value").unwrap_or_default();
                let value = self.template(value, place);
                if self.is_sendable(&name, &value, place) {
                    headers.push((name, value));
                }
            }
        }
        let named = |headers: &[(String, Template)], wanted: &str| {
            headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        if !named(&headers, "authorization")
            && let Some(value) = self.authorization(&managers, target)
        {
            headers.push(("Authorization".to_owned(), value));
        }
        let cookies = self.cookies(&managers, target);
        if let Some(cookies) = cookies {
            headers.push(("Cookie".to_owned(), cookies));
        }
        self.other_managers(&managers);
        headers
    }

    /// Whether a header can be sent, as far as that is known; says why not.
    fn is_sendable(&mut self, name: &str, value: &Template, place: Place<'_>) -> bool {
        let refused = text::header_name(name).and_then(|_| {
            value.constant().map_or(Ok(()), |value| text::header_value(value.trim()).map(drop))
        });
        let Err(refusal) = refused else { return true };
        let message = format!(
            "{} has the header `{}`, which cannot be sent: {}",
            super::report::subject(place.element),
            shorten(name),
            refusal.message
        );
        let error = ConfigError::new("HeaderManager.headers", message);
        let error = error.remedy(refusal.remedy.unwrap_or_else(|| "correct it".to_owned()));
        self.report.error(place.span, error);
        false
    }

    /// Headers that the client sets itself, so that what is sent can be read.
    fn is_framing(&mut self, name: &str, place: Place<'_>) -> bool {
        let framing = ["content-length", "connection", "transfer-encoding"];
        let found = framing.contains(&name.to_ascii_lowercase().as_str());
        if found {
            let message = format!("the header `{name}` is set by Plimsoll itself");
            self.report.warn(place.span, ConfigError::new("", message));
        }
        found
    }

    /// The first matching entry of the innermost manager that has one.
    fn authorization(&mut self, managers: &[&Element], target: &Target<'_>) -> Option<Template> {
        let managers = managers.iter().filter(|manager| manager.class == "AuthManager");
        for manager in managers {
            for entry in manager.collection("AuthManager.auth_list") {
                let place = Place { element: manager, span: &entry.span };
                if self.applies(entry, place, target) {
                    return self.credentials(entry, place);
                }
            }
        }
        None
    }

    /// Whether the entry's URL is a beginning of the request's.
    fn applies(&mut self, entry: &Property, place: Place<'_>, target: &Target<'_>) -> bool {
        let prefix = self.template(entry.text_of("Authorization.url").unwrap_or_default(), place);
        match (prefix.constant(), target.url.0.first()) {
            (Some(prefix), Some(crate::config::bench::model::Piece::Text(start))) => {
                // Where the URL is known only in part, that part decides.
                let shorter = prefix.len().min(start.len());
                let constant = target.url.constant().is_some();
                start.starts_with(prefix)
                    || !constant
                        && prefix.as_bytes().get(..shorter) == start.as_bytes().get(..shorter)
            }
            (Some(""), _) => true,
            _ => prefix == *target.url,
        }
    }

    fn credentials(&mut self, entry: &Property, place: Place<'_>) -> Option<Template> {
        let mechanism = entry.text_of("Authorization.mechanism").unwrap_or_default();
        if !matches!(mechanism, "" | "BASIC" | "BASIC_DIGEST") {
            let what = format!("authorises by {mechanism}");
            self.unsupported(place, &what, "requests are sent without authorisation");
            return None;
        }
        let user =
            self.template(entry.text_of("Authorization.username").unwrap_or_default(), place);
        let word =
            self.template(entry.text_of("Authorization.password").unwrap_or_default(), place);
        let both = joined([user, Template::text(":"), word]);
        let encoded = match both.constant() {
            Some(text) => {
                use base64::Engine;
                Template::text(base64::engine::general_purpose::STANDARD.encode(text))
            }
            None => self.piece(Function::Base64Encode, vec![both], None),
        };
        Some(joined([Template::text("Basic "), encoded]))
    }

    /// The cookies that the innermost cookie manager holds from the start, for this host.
    fn cookies(&mut self, managers: &[&Element], target: &Target<'_>) -> Option<Template> {
        let manager = managers.iter().find(|manager| manager.class == "CookieManager");
        let clears = manager.map(|manager| self.clears_cookies(manager));
        self.connections.cookies.insert(clears);
        let manager = *manager?;
        let mut all = Template::default();
        for cookie in manager.collection("CookieManager.cookies") {
            let place = Place { element: manager, span: &cookie.span };
            let domain = self.template(cookie.text_of("Cookie.domain").unwrap_or_default(), place);
            if !within(domain.constant(), target.host) {
                continue;
            }
            let value = self.template(cookie.text_of("Cookie.value").unwrap_or_default(), place);
            let separator = if all.0.is_empty() { "" } else { "; " };
            append(&mut all, Template::text(format!("{separator}{}=", cookie.name)));
            append(&mut all, value);
        }
        Some(all).filter(|all| !all.0.is_empty())
    }

    /// Whether cookies are forgotten before each iteration.
    fn clears_cookies(&self, manager: &Element) -> bool {
        if manager.flag("CookieManager.controlledByThreadGroup") {
            self.new_user_each_iteration
        } else {
            manager.flag("CookieManager.clearEachIteration")
        }
    }

    fn other_managers(&mut self, managers: &[&Element]) {
        for manager in managers {
            let (what, effect) = match manager.class.as_str() {
                "CacheManager" => (
                    "keeps answers in a cache, which Plimsoll does not",
                    "every request is sent, and none is conditional",
                ),
                "DNSCacheManager" => (
                    "sets how names are resolved, which Plimsoll does its own way",
                    "names are resolved before the run by the system",
                ),
                _ => continue,
            };
            let message = format!("{} {what}", super::report::subject(manager));
            self.report.warn(&manager.span, ConfigError::new("", message).note(effect));
        }
    }
}

/// Whether a host is in a cookie's domain; unknown or empty domains take in all.
fn within(domain: Option<&str>, host: Option<&str>) -> bool {
    let (Some(domain), Some(host)) = (domain, host) else { return true };
    let domain = domain.trim().trim_start_matches('.');
    domain.is_empty()
        || host == domain
        || host.strip_suffix(domain).is_some_and(|before| before.ends_with('.'))
}
