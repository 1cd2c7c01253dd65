//! HTTP samplers to requests.
//!
//! A sampler's empty settings are filled from the defaults in scope, the inner ones first, and the
//! defaults' parameters follow its own. Left out: embedded resources, proxies, source addresses.

use super::convert::{Converter, Place, append, joined};
use super::manager::Target;
use super::report::subject;
use super::scope::{Kind, Scope};
use super::tree::{Element, Property};
use crate::config::address::explain_host;
use crate::config::bench::model::{LabelKind, Piece, Request, Step, Template};
use crate::config::problem::{ConfigError, shorten};
use crate::config::text;

/// Redirects that JMeter follows, unless `httpsampler.max_redirects` says otherwise.
const REDIRECTS_MAX: u32 = 20;

/// A sampler and the defaults that fill it, the inner ones first.
pub(super) struct Settings<'e> {
    elements: Vec<&'e Element>,
}

impl<'e> Settings<'e> {
    fn new(sampler: &'e Element, scope: &Scope<'e>) -> Self {
        let defaults = scope.inward_out(Kind::Configuration);
        let defaults = defaults.into_iter().filter(|element| element.class == "ConfigTestElement");
        Self { elements: std::iter::once(sampler).chain(defaults).collect() }
    }

    /// The element that has the setting, and the setting; the sampler itself where none has.
    pub(super) fn find(&self, name: &str) -> (&'e Element, &'e str) {
        let text = |element: &&'e Element| {
            let element: &'e Element = element;
            element.text(name).filter(|text| !text.trim().is_empty()).map(|text| (element, text))
        };
        self.elements.iter().find_map(text).unwrap_or((self.elements[0], ""))
    }

    /// Whether the setting is `true`; `None` where there is none.
    fn flag(&self, name: &str) -> Option<bool> {
        let (_, text) = self.find(name);
        Some(text.trim()).filter(|text| !text.is_empty()).map(|text| text == "true")
    }

    /// Whether the setting is `true`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// The sampler's parameters and, after them, the defaults'.
    pub(super) fn arguments(&self) -> Vec<(&'e Element, &'e Property)> {
        let of = |element: &&'e Element| {
            let element: &'e Element = element;
            let members = element.members("HTTPsampler.Arguments", "Arguments.arguments");
            members.iter().map(move |member| (element, member))
        };
        self.elements.iter().flat_map(of).collect()
    }

    /// The files that are sent.
    pub(super) fn files(&self) -> Vec<(&'e Element, &'e Property)> {
        let of = |element: &&'e Element| {
            let element: &'e Element = element;
            let members = element.members("HTTPsampler.Files", "HTTPFileArgs.files");
            members.iter().map(move |member| (element, member))
        };
        self.elements.iter().flat_map(of).collect()
    }
}

impl Converter<'_> {
    /// A sampler as steps: waits, then the request.
    pub(super) fn http_sampler<'e>(
        &mut self,
        sampler: &'e Element,
        scope: &Scope<'e>,
    ) -> Vec<Step> {
        let scope = scope.within(&sampler.children);
        let label = self.label(sampler, LabelKind::Request);
        self.sampler = Some(self.builder.labels()[label].name.clone());
        let mut steps = self.timers(&scope);
        let settings = Settings::new(sampler, &scope);
        self.refuse(&settings);
        self.note_connections(&settings);
        let method = self.method(&settings);
        let Some((host, url)) = self.url(sampler, &settings) else { return steps };
        let mut headers = self.headers(&scope, &Target { host: host.as_deref(), url: &url });
        let (query, body) = self.payload(&settings, &method, &mut headers);
        let url = with_query(url, query);
        let follows = ["HTTPSampler.follow_redirects", "HTTPSampler.auto_redirects"];
        let follows = follows.iter().any(|name| settings.is(name));
        let (timeout_of, _) = settings.find("HTTPSampler.response_timeout");
        let timeout = self.milliseconds(timeout_of, "HTTPSampler.response_timeout");
        let extract = self.extractors(&scope);
        let checks = self.assertions(&scope);
        steps.push(Step::Request(Box::new(Request {
            label,
            method,
            url,
            headers,
            body,
            timeout,
            redirects_max: if follows { REDIRECTS_MAX } else { 0 },
            extract,
            checks,
        })));
        self.sampler = None;
        steps
    }

    /// The label that an element's figures are kept under: its name, as far as it is known.
    pub(super) fn label(&mut self, element: &Element, kind: LabelKind) -> usize {
        let place = Place { element, span: &element.span };
        let name = self.template(&element.name, place);
        let name = match name.constant() {
            Some(name) => name.to_owned(),
            None => {
                let message = format!(
                    "the name of {} changes while the plan runs; its figures are kept as one",
                    subject(element)
                );
                self.report.warn(&element.span, ConfigError::new("", message));
                element.name.clone()
            }
        };
        let name = if name.trim().is_empty() { element.class.clone() } else { name };
        self.builder.label(&name, kind)
    }

    /// What a sampler may ask for that cannot be done.
    fn refuse(&mut self, settings: &Settings<'_>) {
        let given = |name: &str| !settings.find(name).1.trim().is_empty();
        let place = |name: &str| {
            let (element, _) = settings.find(name);
            Place::of(element, name)
        };
        if settings.is("HTTPSampler.image_parser") {
            let effect = "images, scripts and styles of a page are not asked for, so there are \
                          fewer requests and a page seems faster";
            let place = place("HTTPSampler.image_parser");
            self.unsupported(place, "retrieves embedded resources", effect);
        }
        if given("HTTPSampler.proxyHost") {
            let place = place("HTTPSampler.proxyHost");
            self.unsupported(place, "goes through a proxy", "requests go straight to the server");
        }
        if given("HTTPSampler.ipSource") {
            let effect = "requests come from the address that the system picks";
            let place = place("HTTPSampler.ipSource");
            self.unsupported(place, "sets its own address", effect);
        }
        let encoding = settings.find("HTTPSampler.contentEncoding").1.trim().to_ascii_lowercase();
        if !matches!(encoding.as_str(), "" | "utf-8" | "utf8" | "us-ascii") {
            let place = place("HTTPSampler.contentEncoding");
            let what = format!("encodes its content as {encoding}");
            self.unsupported(place, &what, "its content is sent as UTF-8");
        }
    }

    fn note_connections(&mut self, settings: &Settings<'_>) {
        let keep_alive = settings.flag("HTTPSampler.use_keepalive").unwrap_or(true);
        self.connections.keep_alive.insert(keep_alive);
        let (element, _) = settings.find("HTTPSampler.connect_timeout");
        let timeout = self.whole(element, "HTTPSampler.connect_timeout");
        self.connections.connect_timeouts.insert(timeout);
    }

    fn method(&mut self, settings: &Settings<'_>) -> Template {
        let (element, raw) = settings.find("HTTPSampler.method");
        let method = self.template(raw.trim(), Place::of(element, "HTTPSampler.method"));
        match method.constant() {
            Some("") => Template::text("GET"),
            Some(method) if text::header_name(method).is_err() => {
                let message = format!("{} has a method that cannot be sent", subject(element));
                let error = ConfigError::new("HTTPSampler.method", message)
                    .found(shorten(method))
                    .remedy("write one word, as in GET");
                self.report.error(element.place("HTTPSampler.method"), error);
                Template::text("GET")
            }
            Some(method) => Template::text(method.to_ascii_uppercase()),
            None => method,
        }
    }

    /// The host, if it is constant, and the URL without its parameters.
    fn url(
        &mut self,
        sampler: &Element,
        settings: &Settings<'_>,
    ) -> Option<(Option<String>, Template)> {
        let mut part = |name: &str| {
            let (element, raw) = settings.find(name);
            self.template(raw.trim(), Place::of(element, name))
        };
        let path = part("HTTPSampler.path");
        let domain = part("HTTPSampler.domain");
        let port = part("HTTPSampler.port");
        let protocol = part("HTTPSampler.protocol");
        let path = spaces_encoded(path);
        if let Some(Piece::Text(start)) = path.0.first() {
            let lower = start.to_ascii_lowercase();
            if lower.starts_with("http://") || lower.starts_with("https://") {
                let host = start.split('/').nth(2).filter(|_| path.0.len() == 1);
                let host = host.map(|host| host.split(':').next().unwrap_or(host).to_owned());
                return Some((host, path));
            }
        }
        if domain.0.is_empty() {
            return self.without_domain(sampler, path);
        }
        let (_, raw) = settings.find("HTTPSampler.protocol");
        let protocol = match protocol.constant().map(str::to_ascii_lowercase).as_deref() {
            Some("") => Template::text("http"),
            Some(known @ ("http" | "https")) => Template::text(known),
            Some(other) => {
                let message = format!("{} has an unknown protocol", subject(sampler));
                let error = ConfigError::new("HTTPSampler.protocol", message)
                    .found(if raw.contains("${") { other } else { raw })
                    .allowed("`http` or `https`");
                let (element, _) = settings.find("HTTPSampler.protocol");
                self.report.error(element.place("HTTPSampler.protocol"), error);
                return None;
            }
            None => protocol,
        };
        let usual = match protocol.constant() {
            Some("https") => "443",
            Some(_) => "80",
            None => "",
        };
        let port = match port.constant() {
            Some("" | "0") => Template::default(),
            Some(port) if port == usual => Template::default(),
            Some(number) if number.parse::<u16>().is_err() => {
                let message = format!("{} has no usable port", subject(sampler));
                let error = ConfigError::new("HTTPSampler.port", message)
                    .found(number)
                    .allowed("a number from 1 to 65535");
                let (element, _) = settings.find("HTTPSampler.port");
                self.report.error(element.place("HTTPSampler.port"), error);
                return None;
            }
            _ => joined([Template::text(":"), port]),
        };
        self.verify_host(&domain, settings)?;
        let slash = if self.has_slash(sampler, &path) { "" } else { "/" };
        let host = domain.constant().map(str::to_owned);
        let url = [protocol, Template::text("://"), domain, port, Template::text(slash), path];
        Some((host, joined(url)))
    }

    /// Refuses a server name that is known and can be none; people write a URL there.
    fn verify_host(&mut self, domain: &Template, settings: &Settings<'_>) -> Option<()> {
        let Some(host) = domain.constant() else { return Some(()) };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare.parse::<std::net::IpAddr>().is_ok();
        let message = match is_address {
            true => None,
            false => explain_host(host.strip_suffix('.').unwrap_or(host)),
        };
        let Some(message) = message else { return Some(()) };
        let (element, _) = settings.find("HTTPSampler.domain");
        let remedy = match host.contains("://") {
            true => "write the name alone; protocol, port and path have fields of their own",
            false => "correct the server name",
        };
        let error =
            ConfigError::new("HTTPSampler.domain", message).found(shorten(host)).remedy(remedy);
        self.report.error(element.place("HTTPSampler.domain"), error);
        None
    }

    /// A path may still be a whole URL that is known only while the plan runs.
    fn without_domain(
        &mut self,
        sampler: &Element,
        path: Template,
    ) -> Option<(Option<String>, Template)> {
        if matches!(path.0.first(), Some(Piece::Variable(..) | Piece::Call(_))) {
            return Some((None, path));
        }
        let message = format!("{} has no server name", subject(sampler));
        let error = ConfigError::new("HTTPSampler.domain", message)
            .remedy("name the server in the request or in HTTP Request Defaults");
        self.report.error(sampler.place("HTTPSampler.domain"), error);
        None
    }

    /// Whether a path begins with a slash. One that begins with a variable is judged by a value
    /// that the variable is known to have.
    fn has_slash(&mut self, sampler: &Element, path: &Template) -> bool {
        match path.0.first() {
            None => false,
            Some(Piece::Text(text)) => text.starts_with('/'),
            Some(Piece::Variable(slot, shown)) => {
                let sample = self.samples.get(slot).cloned();
                if sample.is_none() {
                    let message = format!(
                        "the path of {} begins with `{shown}`, whose value must begin with `/`",
                        subject(sampler)
                    );
                    let span = sampler.place("HTTPSampler.path");
                    self.report.warn(span, ConfigError::new("", message));
                }
                sample.is_none_or(|sample| sample.starts_with('/'))
            }
            Some(Piece::Call(_)) => false,
        }
    }
}

/// Blanks in the constant parts of a path as URLs have them.
fn spaces_encoded(path: Template) -> Template {
    let encoded = path.0.into_iter().map(|piece| match piece {
        Piece::Text(text) => Piece::Text(text.replace(' ', "%20")),
        other => other,
    });
    Template(encoded.collect())
}

fn with_query(mut url: Template, query: Template) -> Template {
    if query.0.is_empty() {
        return url;
    }
    let has_query =
        url.0.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('?')));
    append(&mut url, Template::text(if has_query { "&" } else { "?" }));
    append(&mut url, query);
    url
}
