//! A plan file, raw to resolved: names become slots, texts templates, paths URLs, and what spans
//! several keys is checked.
//!
//! Works on whatever could be read and notes every problem. A conclusion is drawn only from
//! settings that are sound. What is built from a file with problems is thrown away by the caller.

mod check;
mod condition;
mod data;
mod group;
mod request;
mod step;
mod variables;

use std::collections::BTreeSet;
use std::path::Path;

use super::super::kind::{Item, Named};
use super::super::problem::ConfigError;
use super::super::quantity::Refusal;
use super::super::reader::{Reader, Where};
use super::super::table::Setting;
use super::builder::Builder;
use super::load::{Key, Keys, Voice};
use super::model::{
    FeedIndex, Group, HttpSettings, HttpVersion, Part, Pause, Plan, Slot, Template, Threshold, Tls,
};
use super::options::{complete, tls_contradictions};
use super::replay::{Recording, Tell};
use super::template::{self, Uses};
use super::{grammar, settings, threshold, url};

/// What the command line says instead of the file.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// The load.
    pub(super) keys: Keys,
    /// An option of the load, if one was given.
    pub(super) load: Option<&'static str>,
    /// What is replayed, and how much faster.
    pub(super) recording: Option<(Recording, f64)>,
    /// Told how far reading a recording is.
    pub(super) tell: Option<Tell>,
    /// The base URL.
    pub(super) url: Option<String>,
    /// Headers, which win over those of the file.
    pub(super) headers: Vec<(String, String)>,
    /// The pause after each iteration.
    pub(super) think: Option<Pause>,
    /// Which HTTP.
    pub(super) http: Option<HttpVersion>,
    /// Redirects.
    pub(super) redirects: Option<u32>,
    /// Values of variables.
    pub(super) variables: Vec<(String, String)>,
}

/// Something of the command line that does not go with the file.
#[derive(Debug)]
pub(super) struct Refused {
    /// The option.
    pub(super) option: String,
    /// What was typed.
    pub(super) text: Option<String>,
    /// What is wrong.
    pub(super) refusal: Refusal,
}

/// The plan that `top` describes, and what of the command line does not go with it.
pub(super) fn plan(
    top: &grammar::Top,
    file: &Path,
    directory: &Path,
    overrides: Overrides,
    reader: &mut Reader<'_>,
) -> (Plan, Vec<Refused>) {
    let mut resolver = Resolver {
        reader,
        builder: Builder::default(),
        directory,
        overrides,
        base: None,
        base_at: top.url.at.clone(),
        has_base: false,
        headers: Vec::new(),
        common_uses: Uses::default(),
        redirects_max: 0,
        feeds: Vec::new(),
        lists: BTreeSet::new(),
        has_unknown_labels: false,
        refused: Vec::new(),
    };
    resolver.names(top);
    resolver.common(top);
    let groups = resolver.groups(top);
    let thresholds = resolver.thresholds(top);
    let http = resolver.http(top);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let lists = resolver.builder.finish();
    let plan = Plan {
        name: top.name.value.clone().unwrap_or(stem),
        source: file.display().to_string(),
        groups,
        labels: lists.labels,
        variables: lists.variables,
        feeds: lists.feeds,
        http,
        served_by: top.served_by.value.clone(),
        thresholds,
        threads: top.threads.value,
        part: Part::WHOLE,
        seed: top.seed.value,
        left_out: Vec::new(),
    };
    (plan, resolver.refused)
}

/// A plan that grows.
struct Resolver<'a, 'r> {
    reader: &'a mut Reader<'r>,
    builder: Builder,
    /// Where relative paths begin.
    directory: &'a Path,
    overrides: Overrides,
    /// What paths are put below.
    base: Option<Template>,
    /// Where it is in the file.
    base_at: Where,
    /// Whether a base was given, right or wrong.
    has_base: bool,
    /// What base and headers need.
    common_uses: Uses,
    /// Headers of every request.
    headers: Vec<(String, Template)>,
    redirects_max: u32,
    /// The variables that each feed sets.
    feeds: Vec<(FeedIndex, Vec<Slot>)>,
    /// Variables of which all matches are kept.
    lists: BTreeSet<String>,
    /// Whether what some label would be kept for was refused.
    has_unknown_labels: bool,
    refused: Vec<Refused>,
}

impl Resolver<'_, '_> {
    /// Notes what is wrong at a place.
    fn refuse(&mut self, at: &Where, refusal: Refusal) {
        let mut error = ConfigError::new(&at.key, refusal.message);
        error.remedy = refusal.remedy;
        let shown = self.reader.shown(at);
        // A whole table says nothing.
        if !shown.starts_with("[[") {
            error = error.found(shown);
        }
        self.reader.refuse(at, error);
    }

    /// Notes what is wrong with an option of the command line.
    fn refuse_option(&mut self, option: &str, text: Option<String>, refusal: Refusal) {
        self.refused.push(Refused { option: option.to_owned(), text, refusal });
    }

    /// Reads a template.
    fn template(&mut self, text: &str, at: &Where, uses: &mut Uses) -> Option<Template> {
        match template::parse(text, &mut self.builder, uses) {
            Ok(template) => Some(template),
            Err(refusal) => {
                self.refuse(at, refusal);
                None
            }
        }
    }

    /// Reads the template that stands under a name.
    fn value_template(&mut self, named: &Named<String>, uses: &mut Uses) -> Option<Template> {
        let at = self.reader.value_of(&named.at);
        self.template(&named.value, &at, uses)
    }

    /// Reads the template of a key, if it is there.
    fn optional(&mut self, setting: &Setting<Option<String>>, uses: &mut Uses) -> Option<Template> {
        let text = setting.value.as_deref()?;
        self.template(text, &setting.at, uses)
    }

    /// Reads a header's name and value.
    fn header(&mut self, named: &Named<String>, uses: &mut Uses) -> Option<(String, Template)> {
        let name = super::super::text::header_name(&named.name);
        match name.and_then(|name| settings::managed(&name).map(|()| name)) {
            Ok(name) => Some((name, self.value_template(named, uses)?)),
            Err(refusal) => {
                self.refuse(&named.at, refusal);
                None
            }
        }
    }

    /// What every request shares: the base, headers, redirects.
    fn common(&mut self, top: &grammar::Top) {
        self.has_base = top.url.is_present() || self.overrides.url.is_some();
        let mut uses = Uses::default();
        self.base = match self.overrides.url.clone() {
            Some(text) => {
                let read = template::parse(&text, &mut self.builder, &mut uses);
                match read.and_then(url::absolute) {
                    Ok(base) => Some(base),
                    Err(refusal) => {
                        self.refuse_option("URL", Some(text), refusal);
                        None
                    }
                }
            }
            None => {
                let base = self.optional(&top.url, &mut uses);
                base.and_then(|base| self.checked(url::absolute(base), &top.url.at))
            }
        };
        self.redirects_max = self.overrides.redirects.unwrap_or(top.redirects.value);
        for named in &top.headers.value {
            let header = self.header(named, &mut uses);
            self.headers.extend(header);
        }
        for (name, value) in std::mem::take(&mut self.overrides.headers) {
            match template::parse(&value, &mut self.builder, &mut uses) {
                Ok(value) => {
                    self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
                    self.headers.push((name, value));
                }
                Err(refusal) => {
                    self.refuse_option("--header", Some(format!("{name}: {value}")), refusal);
                }
            }
        }
        self.common_uses = uses;
    }

    /// The value, or nothing with the problem noted.
    fn checked<T>(&mut self, value: Result<T, Refusal>, at: &Where) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(at, refusal);
                None
            }
        }
    }

    fn thresholds(&mut self, top: &grammar::Top) -> Vec<Threshold> {
        // Labels are missing that would be there without other mistakes.
        let are_known = top.request.is_sound()
            && top.scenario.is_sound()
            && top.group.is_sound()
            && !self.has_unknown_labels
            && (self.base.is_some() || !self.has_base);
        let mut thresholds = Vec::new();
        for Item { at, value } in &top.thresholds.value {
            let read = threshold::labelled(value.clone(), self.builder.labels());
            match read {
                Ok(threshold) => thresholds.push(threshold),
                Err(refusal) if are_known => self.refuse(at, refusal),
                Err(_) => {}
            }
        }
        thresholds
    }

    fn http(&mut self, top: &grammar::Top) -> HttpSettings {
        let raw = &top.tls.value;
        let path = |setting: &Setting<Option<std::path::PathBuf>>| {
            setting.value.as_ref().map(|path| self.directory.join(path))
        };
        let tls = Tls {
            insecure: raw.insecure.value,
            ca: path(&raw.ca),
            certificate: path(&raw.cert),
            key: path(&raw.key),
            server_name: raw.server_name.value.clone(),
        };
        let unix = path(&top.unix);
        for (key, refusal) in tls_contradictions(&tls) {
            let at = match key {
                "ca" => &raw.ca.at,
                "cert" => &raw.cert.at,
                _ => &raw.key.at,
            };
            self.refuse(&at.clone(), refusal);
        }
        let version = self.overrides.http.unwrap_or(top.http.value);
        // That of the command line is checked with its other options.
        let is_own = self.overrides.http.is_none() && top.http.is_sound();
        let refusal = settings::lone_streams(version, top.streams.value, Voice::File);
        if let Some(refusal) = refusal.filter(|_| is_own) {
            self.refuse(&top.streams.at.clone(), refusal);
        }
        HttpSettings {
            version,
            keep_alive: top.keep_alive.value,
            streams: top.streams.value,
            connect_timeout: top.connect_timeout.value,
            timeout: top.timeout.value,
            unix,
            tls,
        }
    }

    /// The headers of a request: those of the top, then its own in their place.
    fn all_headers(
        &self,
        own: Vec<(String, Template)>,
        content_type: Option<&str>,
    ) -> Vec<(String, Template)> {
        let is_own = |name: &str| own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut headers: Vec<_> =
            self.headers.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
        headers.extend(own);
        complete(&mut headers, content_type);
        headers
    }
}

/// The place of a name of the load.
fn place_of<'a>(key: Key, places: &[(Key, &'a Where)], otherwise: &'a Where) -> &'a Where {
    places.iter().find(|(known, _)| *known == key).map_or(otherwise, |(_, at)| at)
}

/// Groups of a plan, when it has been read.
type Groups = Vec<Group>;
