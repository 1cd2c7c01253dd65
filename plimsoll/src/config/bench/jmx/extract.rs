//! Extractors: by regular expression, by JSON path, by what lies around.

use serde_json_path::JsonPath;

use super::convert::{Converter, Place};
use super::pattern;
use super::scope::{Kind, Scope};
use super::tree::Element;
use crate::config::bench::model::{
    AllMatches, Extraction, Finder, GroupPart, Pattern, Piece, Source, Step, Template,
};
use crate::config::problem::ConfigError;

/// What leaving out an extractor changes.
const EFFECT: &str = "what it would set stays unset, which can change what is asked";

impl Converter<'_> {
    /// What the extractors in scope take from an answer.
    pub(super) fn extractors(&mut self, scope: &Scope<'_>) -> Vec<Extraction> {
        let mut extractions = Vec::new();
        for element in scope.outward_in(Kind::Extractor) {
            if self.looks_elsewhere(element) {
                continue;
            }
            match element.class.as_str() {
                "RegexExtractor" => extractions.extend(self.regex_extractor(element)),
                "BoundaryExtractor" => extractions.extend(self.boundary_extractor(element)),
                _ => extractions.extend(self.json_extractor(element)),
            }
        }
        extractions
    }

    /// Whether the element looks at variables or at requests within requests.
    pub(super) fn looks_elsewhere(&mut self, element: &Element) -> bool {
        let names = ["Sample.scope", "Assertion.scope", "Scope"];
        let Some(name) = names.into_iter().find(|name| element.text(name).is_some()) else {
            return false;
        };
        match element.trimmed(name) {
            // Requests have no others within them here.
            "" | "parent" | "all" => false,
            other => {
                let what = match other {
                    "variable" => "looks at a variable".to_owned(),
                    _ => format!("looks at `{other}`"),
                };
                let effect =
                    "it is left out: what it sets stays unset, what it checks counts as good";
                self.unsupported(Place::of(element, name), &what, effect);
                true
            }
        }
    }

    fn regex_extractor(&mut self, element: &Element) -> Option<Extraction> {
        let source = self.source(element, "RegexExtractor.useHeaders")?;
        let property = "RegexExtractor.regex";
        let text = self.setting(element, property);
        let pattern = self.pattern(&text, Place::of(element, property), EFFECT)?;
        let template = self.fixed(element, "RegexExtractor.template")?;
        let finder = Finder::Regex(pattern, template);
        self.extraction(element, "RegexExtractor", source, finder)
    }

    fn boundary_extractor(&mut self, element: &Element) -> Option<Extraction> {
        let source = self.source(element, "BoundaryExtractor.useHeaders")?;
        let left = self.fixed(element, "BoundaryExtractor.lboundary")?;
        let right = self.fixed(element, "BoundaryExtractor.rboundary")?;
        self.extraction(element, "BoundaryExtractor", source, Finder::Between(left, right))
    }

    /// A regular expression, which must be constant.
    pub(super) fn pattern(
        &mut self,
        text: &Template,
        place: Place<'_>,
        effect: &str,
    ) -> Option<Pattern> {
        let Some(text) = text.constant() else {
            let what = "has a regular expression that changes while the plan runs";
            self.unsupported(place, what, effect);
            return None;
        };
        match pattern::compile(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                let what = format!("has a regular expression that cannot be used: {reason}");
                self.unsupported(place, &what, effect);
                None
            }
        }
    }

    /// Which part of the answer is looked at.
    fn source(&mut self, element: &Element, property: &str) -> Option<Source> {
        match element.trimmed(property) {
            "" | "false" => Some(Source::Body),
            "true" => Some(Source::Headers),
            "URL" => Some(Source::Url),
            "code" => Some(Source::Status),
            "message" => Some(Source::Reason),
            other => {
                let what = match other {
                    "request_headers" => "looks at the headers of the request".to_owned(),
                    "as_document" => "looks at the body as a document".to_owned(),
                    "unescaped" => "looks at the body without its HTML escapes".to_owned(),
                    _ => format!("looks at `{other}`"),
                };
                self.unsupported(Place::of(element, property), &what, EFFECT);
                None
            }
        }
    }

    fn extraction(
        &mut self,
        element: &Element,
        prefix: &str,
        from: Source,
        what: Finder,
    ) -> Option<Extraction> {
        let name = self.fixed(element, &format!("{prefix}.refname"))?;
        let number = self.number(element, &format!("{prefix}.match_number")).unwrap_or(0.0);
        let property = format!("{prefix}.default");
        let default = self.setting(element, &property);
        let empty = element.flag(&format!("{prefix}.default_empty_value"));
        let into = self.builder.slot(name.trim());
        let default = match (default.0.is_empty(), empty) {
            // Without a default the variable stays what it was.
            (true, false) => unchanged(into, name.trim()),
            _ => default,
        };
        Some(taken(into, from, what, number as i32, default))
    }

    /// `JSONPostProcessor`: several at once, parted by `;`.
    fn json_extractor(&mut self, element: &Element) -> Vec<Extraction> {
        let mut lists = Vec::new();
        for name in [
            "JSONPostProcessor.referenceNames",
            "JSONPostProcessor.jsonPathExprs",
            "JSONPostProcessor.match_numbers",
            "JSONPostProcessor.defaultValues",
        ] {
            let raw = element.text(name).unwrap_or_default();
            let place = Place::of(element, name);
            // A `;` within a path parts it, too: so it is in JMeter.
            let parts = raw.split(';').map(|part| self.template(part.trim(), place));
            lists.push(parts.collect::<Vec<_>>());
        }
        let [names, paths, numbers, defaults] = &lists[..] else { return Vec::new() };
        if names.len() != paths.len() {
            let message = format!(
                "{} has {} names for {} paths",
                super::report::subject(element),
                names.len(),
                paths.len()
            );
            let span = element.place("JSONPostProcessor.jsonPathExprs");
            self.report.error(span, ConfigError::new("", message));
            return Vec::new();
        }
        if element.flag("JSONPostProcessor.compute_concat") {
            let what = "joins all matches into `…_ALL`";
            let place = Place::of(element, "JSONPostProcessor.compute_concat");
            self.unsupported(place, what, "that variable stays unset");
        }
        let place = Place::of(element, "JSONPostProcessor.jsonPathExprs");
        let mut extractions = Vec::new();
        for (index, (name, path)) in names.iter().zip(paths).enumerate() {
            let Some(name) = self.constant(name, place) else { continue };
            let Some(path) = self.json_path(path, place, EFFECT) else { continue };
            let number = numbers.get(index).and_then(Template::constant).unwrap_or("0");
            let number = number.parse().unwrap_or(0);
            let default = defaults.get(index).cloned().unwrap_or_default();
            let into = self.builder.slot(&name);
            let finder = Finder::Json(path);
            extractions.push(taken(into, Source::Body, finder, number, default));
        }
        extractions
    }

    /// A JSON path, which must be constant.
    pub(super) fn json_path(
        &mut self,
        text: &Template,
        place: Place<'_>,
        effect: &str,
    ) -> Option<JsonPath> {
        let Some(text) = text.constant() else {
            let what = "has a JSON path that changes while the plan runs";
            self.unsupported(place, what, effect);
            return None;
        };
        match JsonPath::parse(&standard_path(text)) {
            Ok(path) => Some(path),
            Err(error) => {
                let shown = crate::config::problem::shorten(text);
                let what = format!("has the JSON path `{shown}`, which cannot be used: {error}");
                self.unsupported(place, &what, effect);
                None
            }
        }
    }

    /// Gives extractions the slots of `name_1`, `name_g1`, `name_1_g1`, `name_matchNr` that the plan uses.
    pub(super) fn derive(&mut self, steps: &mut [Step]) {
        for step in steps {
            match step {
                Step::Request(request) => {
                    for extraction in &mut request.extract {
                        self.derive_names(extraction);
                    }
                }
                Step::Repeat { steps, .. }
                | Step::While { steps, .. }
                | Step::If { steps, .. }
                | Step::Share { steps, .. }
                | Step::Once { steps, .. }
                | Step::Transaction { steps, .. } => self.derive(steps),
                Step::Choose(choices) => {
                    choices.iter_mut().for_each(|choice| self.derive(&mut choice.steps));
                }
                Step::Interleave { of, .. } => of.iter_mut().for_each(|steps| self.derive(steps)),
                Step::Message(_)
                | Step::Pause(_)
                | Step::Pace(_)
                | Step::Set(..)
                | Step::Feed(_) => {}
            }
        }
    }

    fn derive_names(&mut self, extraction: &mut Extraction) {
        let Some(name) = self.builder.names().nth(extraction.into).map(str::to_owned) else {
            return;
        };
        let prefix = format!("{name}_");
        let derived: Vec<String> = self
            .builder
            .names()
            .filter_map(|other| other.strip_prefix(&prefix).map(str::to_owned))
            .collect();
        for suffix in derived {
            let slot = self.builder.slot(&format!("{prefix}{suffix}"));
            if suffix == "matchNr" {
                extraction.all.count = Some(slot);
            } else if let Some(part) = group_part(&suffix) {
                extraction.groups.push((part, slot));
            } else if let Ok(number) = suffix.parse() {
                extraction.all.each.push((number, slot));
            } else if let Some((number, group)) = suffix.split_once('_')
                && let (Ok(number), Some(part)) = (number.parse(), group_part(group))
            {
                extraction.all.groups.push((number, part, slot));
            }
        }
    }
}

/// `g`, `g0`, `g1`…
fn group_part(text: &str) -> Option<GroupPart> {
    match text.strip_prefix('g')? {
        "" => Some(GroupPart::Count),
        number => number.parse().ok().map(GroupPart::Text),
    }
}

/// An extraction whose derived names are found later.
fn taken(into: usize, from: Source, what: Finder, number: i32, default: Template) -> Extraction {
    Extraction {
        into,
        from,
        what,
        number: number.max(-1),
        default: Some(default),
        groups: Vec::new(),
        all: AllMatches::default(),
    }
}

/// The variable's own value, so that setting it changes nothing.
fn unchanged(slot: usize, name: &str) -> Template {
    Template(vec![Piece::Variable(slot, format!("${{{name}}}"))])
}

/// A path as RFC 9535 has it: JMeter's library lets the `$` be left out, and lets names after a dot
/// hold dashes.
fn standard_path(text: &str) -> String {
    let text = text.trim();
    let after_root = text.strip_prefix('$').unwrap_or(text);
    let dot =
        if after_root.len() == text.len() && !text.starts_with(['[', '.']) { "." } else { "" };
    let whole = format!("{dot}{after_root}");
    let mut path = "$".to_owned();
    let mut rest = whole.as_str();
    let mut depth = 0_usize;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        rest = after;
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if character != '.' || depth > 0 {
            path.push(character);
            continue;
        }
        let end = after.find(['.', '[']).unwrap_or(after.len());
        let name = &after[..end];
        let odd = name.contains(['-', ' ', ':', '@', '/']) && !name.contains(['\'', '(', ')']);
        if !odd {
            path.push('.');
            continue;
        }
        // `..odd-name` keeps the dots that came before.
        if path.ends_with('.') {
            path.push('.');
        }
        path.push_str(&format!("['{name}']"));
        rest = &after[end..];
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_standard() {
        for (given, expected) in [
            ("$.a.b[0]", "$.a.b[0]"),
            ("a.b", "$.a.b"),
            ("user-id", "$['user-id']"),
            ("[0].a", "$[0].a"),
            ("$.user-id.x", "$['user-id'].x"),
            ("$..user-id", "$..['user-id']"),
            ("$.a[?(@.b-c == 1)]", "$.a[?(@.b-c == 1)]"),
            ("$['a.b']", "$['a.b']"),
            ("$[*].name", "$[*].name"),
        ] {
            assert_eq!(standard_path(given), expected, "{given}");
        }
    }
}
