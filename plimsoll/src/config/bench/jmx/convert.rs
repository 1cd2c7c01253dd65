//! The state of a conversion, and what every part of it needs: texts to templates, numbers that
//! must be known at the start, and ways to tell what is wrong.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use super::JmxOptions;
use super::names::Names;
use super::report::Report;
use super::text::{self, Part};
use super::tree::Element;
use crate::config::bench::builder::Builder;
use crate::config::bench::model::{Piece, Slot, Template};
use crate::config::problem::{ConfigError, Span};

/// The name under which JMeter says whether the last request succeeded.
pub(super) const LAST_SAMPLE_OK: &str = "JMeterThread.last_sample_ok";
/// Deepest nesting of references within arguments.
pub(super) const NESTING: usize = 12;

/// Most bytes of constants that a plan's texts are filled with: values made of values double.
const FILLED_IN_BYTES: usize = 256 << 20;

/// A setting that is being converted: where it stands and what it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'e> {
    /// The element.
    pub(super) element: &'e Element,
    /// The setting's start tag.
    pub(super) span: &'e Span,
}

impl<'e> Place<'e> {
    /// A setting of an element by its name.
    pub(super) fn of(element: &'e Element, property: &str) -> Self {
        Self { element, span: element.place(property) }
    }
}

/// A conversion under way.
pub(super) struct Converter<'a> {
    pub(super) options: &'a JmxOptions,
    /// Where relative names of files begin.
    pub(super) base: &'a Path,
    pub(super) report: Report<'a>,
    pub(super) builder: Builder,
    pub(super) names: Names,
    /// The plan's file, without its directory.
    pub(super) file_name: String,
    /// Templates with counters, by their place and text.
    pub(super) counting: HashMap<(usize, String), Template>,
    /// The sampler that is being converted.
    pub(super) sampler: Option<String>,
    /// Whether a user of the group that is being converted is another in each iteration.
    pub(super) new_user_each_iteration: bool,
    /// The group that is being converted.
    pub(super) group: usize,
    /// Feeds and paces by the place of their element and, unless all groups share it, the group.
    pub(super) feeds: HashMap<(usize, Option<usize>), usize>,
    pub(super) paces: HashMap<(usize, Option<usize>), usize>,
    /// Bytes of constants that were put in the place of their names so far.
    pub(super) filled_in: usize,
    /// A value that a variable is known to have at some time.
    pub(super) samples: HashMap<Slot, String>,
    /// Counters by the place of their element and the group.
    pub(super) counters: HashMap<(usize, Option<usize>), Template>,
    /// What requests say about connections; a plan has one answer for all.
    pub(super) connections: Connections,
}

/// What requests say about connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// Whether connections are used again, as different samplers have it.
    pub(super) keep_alive: BTreeSet<bool>,
    /// Connect timeouts, in milliseconds; 0 for none.
    pub(super) connect_timeouts: BTreeSet<u64>,
    /// Whether samplers of the current group have a cookie manager, and which clear it.
    pub(super) cookies: BTreeSet<Option<bool>>,
}

impl Converter<'_> {
    /// A setting's text as a template.
    pub(super) fn template(&mut self, raw: &str, place: Place<'_>) -> Template {
        if !raw.contains("__counter") {
            return self.pieces(text::parts(raw), place, NESTING);
        }
        // An inherited setting is converted for each sampler, and yet counts as one.
        let key = (place.span.start, raw.to_owned());
        if let Some(template) = self.counting.get(&key) {
            return template.clone();
        }
        let template = self.pieces(text::parts(raw), place, NESTING);
        self.counting.insert(key, template.clone());
        template
    }

    /// The setting of that name as a template; empty where there is none.
    pub(super) fn setting(&mut self, element: &Element, name: &str) -> Template {
        let raw = element.text(name).unwrap_or_default();
        self.template(raw, Place::of(element, name))
    }

    /// Parts as a template, constants filled in and texts joined.
    pub(super) fn pieces(
        &mut self,
        parts: Vec<Part>,
        place: Place<'_>,
        nesting: usize,
    ) -> Template {
        let mut template = Template::default();
        for part in parts {
            let pieces = self.part(part, place, nesting);
            append(&mut template, pieces);
        }
        template
    }

    fn part(&mut self, part: Part, place: Place<'_>, nesting: usize) -> Template {
        match part {
            Part::Text(text) => Template::text(text),
            Part::Unfinished(text) => {
                let message = format!("`{text}` has no end and stays as it is");
                self.report.warn(place.span, ConfigError::new("", message));
                Template::text(text)
            }
            Part::Reference(name) if name.starts_with("__") && !self.is_variable(&name) => {
                self.call(&name, &[], place, nesting)
            }
            Part::Reference(name) => self.variable(&name, place),
            Part::Call(name, arguments) => self.call(&name, &arguments, place, nesting),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        self.names.is_written(name) || self.names.constants.contains_key(name)
    }

    /// The value of a variable; its name as text where nothing defines it.
    pub(super) fn variable(&mut self, name: &str, place: Place<'_>) -> Template {
        if let Some(constant) = self.names.constants.get(name) {
            self.filled_in += constant.len();
            if self.filled_in <= FILLED_IN_BYTES {
                return Template::text(constant.clone());
            }
            let message = "the values of variables make this plan too large";
            let error = ConfigError::new("", message)
                .allowed(format!("{} MiB of them in all", FILLED_IN_BYTES >> 20))
                .remedy("shorten the values, or read them from a CSV file");
            self.report.error(place.span, error);
            return Template::default();
        }
        let shown = format!("${{{name}}}");
        if name == LAST_SAMPLE_OK || self.names.is_written(name) || self.is_initial(name) {
            return Template(vec![Piece::Variable(self.builder.slot(name), shown)]);
        }
        let message = format!("nothing defines `{shown}`, which stays as it is");
        let warning = ConfigError::new("", message)
            .remedy("define the variable in the plan, or correct its name");
        self.report.warn(place.span, warning);
        Template::text(shown)
    }

    fn is_initial(&self, name: &str) -> bool {
        self.builder.known_slot(name).is_some()
    }

    /// The value of a template that must be known at the start.
    pub(super) fn constant(&mut self, template: &Template, place: Place<'_>) -> Option<String> {
        if let Some(text) = template.constant() {
            return Some(text.to_owned());
        }
        let message = format!(
            "{} has a setting that is known only while the plan runs",
            super::report::subject(place.element)
        );
        let error = ConfigError::new("", message)
            .remedy("use a value, a user-defined variable that nothing else sets, or ${__P(name)}");
        self.report.error(place.span, error);
        None
    }

    /// The setting of that name as text that is known at the start; empty where there is none.
    pub(super) fn fixed(&mut self, element: &Element, name: &str) -> Option<String> {
        let template = self.setting(element, name);
        self.constant(&template, Place::of(element, name))
    }

    /// The setting of that name as a number; `None` where it is empty or was reported.
    pub(super) fn number(&mut self, element: &Element, name: &str) -> Option<f64> {
        let text = self.fixed(element, name)?;
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            let subject = super::report::subject(element);
            let error = ConfigError::new(name, format!("{subject} needs a number"))
                .found(crate::config::problem::shorten(text));
            self.report.error(element.place(name), error);
        }
        number
    }

    /// The setting of that name as a whole number from 0; what is below 0 or missing counts as 0.
    pub(super) fn whole(&mut self, element: &Element, name: &str) -> u64 {
        // Saturates; a plan with that many of anything fails elsewhere.
        self.number(element, name).map_or(0, |number| number.max(0.0) as u64)
    }

    /// The setting of that name in milliseconds; `None` for none.
    pub(super) fn milliseconds(&mut self, element: &Element, name: &str) -> Option<Duration> {
        Some(self.whole(element, name)).filter(|number| *number > 0).map(Duration::from_millis)
    }

    /// Tells of something that cannot be done.
    pub(super) fn unsupported(&mut self, place: Place<'_>, what: &str, effect: &str) {
        self.report.unsupported(place.element, place.span, what, effect);
    }
}

/// Adds a template to another, texts joined.
pub(super) fn append(template: &mut Template, more: Template) {
    for piece in more.0 {
        match (template.0.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
            (_, Piece::Text(text)) if text.is_empty() => {}
            (_, piece) => template.0.push(piece),
        }
    }
}

/// Templates one after the other.
pub(super) fn joined(templates: impl IntoIterator<Item = Template>) -> Template {
    let mut whole = Template::default();
    for template in templates {
        append(&mut whole, template);
    }
    whole
}
