//! The names that a plan gives values to, found before anything is converted.
//!
//! A user-defined variable that nothing else writes is a constant: its value is put where its name
//! stands, so that numbers of threads, hosts and ports may be variables and most requests need no
//! rendering. A name that nothing defines stays as text, as in JMeter.

use std::collections::{BTreeMap, HashSet};

use super::text::{self, Part};
use super::tree::{Element, Property, Value};

/// Deepest nesting of references that is followed.
const NESTING: usize = 12;

/// Who writes which name.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Written while the plan runs.
    pub(super) written: HashSet<String>,
    /// Their derived names (`name_1`, `name_g1`, `name_1_g1`, `name_matchNr`) exist, too.
    pub(super) extracted: HashSet<String>,
    /// Constants by name.
    pub(super) constants: BTreeMap<String, String>,
    /// Whether some name is put together while the plan runs.
    pub(super) dynamic: bool,
}

impl Names {
    /// The names that elements write, variables defined by the user left out.
    pub(super) fn collect(elements: &[Element]) -> Self {
        let mut names = Self::default();
        names.visit(elements);
        names
    }

    /// Whether something gives the name a value while the plan runs.
    pub(super) fn is_written(&self, name: &str) -> bool {
        if self.written.contains(name) {
            return true;
        }
        let Some((stem, after)) = name.rsplit_once('_') else { return false };
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if after.strip_prefix('g').is_some_and(|group| group.is_empty() || is_number(group)) {
            let match_of = stem.rsplit_once('_').filter(|(_, number)| is_number(number));
            return self.extracted.contains(stem)
                || match_of.is_some_and(|(stem, _)| self.extracted.contains(stem));
        }
        (is_number(after) || after == "matchNr" || after == "n") && self.extracted.contains(stem)
    }

    fn visit(&mut self, elements: &[Element]) {
        for element in elements {
            self.element(element);
            self.visit(&element.children);
        }
    }

    fn element(&mut self, element: &Element) {
        let name = element.name.trim();
        let counts = ["LoopController", "WhileController", "ForeachController", "ThreadGroup"];
        if counts.contains(&element.class.as_str()) {
            self.written.insert(format!("__jm__{name}__idx"));
        }
        self.properties(&element.properties);
    }

    fn properties(&mut self, properties: &[Property]) {
        for property in properties {
            match (&property.value, property.name.as_str()) {
                (Value::Nested(nested), _) => self.properties(nested),
                (
                    Value::Text(text),
                    "variableNames"
                    | "CounterConfig.name"
                    | "variableName"
                    | "ForeachController.returnVal",
                ) => {
                    self.written.extend(text.split(',').map(|name| name.trim().to_owned()));
                }
                (
                    Value::Text(text),
                    "RegexExtractor.refname"
                    | "BoundaryExtractor.refname"
                    | "JSONPostProcessor.referenceNames",
                ) => {
                    for name in text.split(';').map(str::trim) {
                        self.written.insert(name.to_owned());
                        self.extracted.insert(name.to_owned());
                    }
                }
                (Value::Text(text), _) => self.text(text, NESTING),
            }
        }
    }

    /// Any argument of a function may be the variable that receives the result: a name too many
    /// here costs a constant, one too few would make a wrong plan.
    fn text(&mut self, text: &str, nesting: usize) {
        if nesting == 0 || !text.contains("${") {
            return;
        }
        for part in text::argument(text) {
            match part {
                Part::Call(function, arguments) => {
                    let names_matter = !matches!(function.as_str(), "__P" | "__property" | "__V");
                    self.dynamic |= matches!(function.as_str(), "__V" | "__eval" | "__evalVar");
                    if function == "__split" {
                        self.extracted.extend(arguments.get(1).map(|name| name.trim().to_owned()));
                    }
                    for argument in arguments {
                        self.text(&argument, nesting - 1);
                        if names_matter && is_name(argument.trim()) {
                            self.written.insert(argument.trim().to_owned());
                        }
                    }
                }
                Part::Text(_) | Part::Reference(_) | Part::Unfinished(_) => {}
            }
        }
    }
}

/// Whether a text can be a variable's name, numbers left out.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['$', '{', ' ']) && text.parse::<f64>().is_err()
}
