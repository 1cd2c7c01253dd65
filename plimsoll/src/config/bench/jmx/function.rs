//! JMeter's functions to calls of the plan's own, or to the text they are once properties,
//! environment and names are known.
//!
//! Left out, and named where a plan uses them: scripts (`__groovy`, `__BeanShell`), files
//! (`__CSVRead`, `__StringFromFile`), logging, and what sets properties.

use super::condition;
use super::convert::{Converter, LAST_SAMPLE_OK, Place, joined};
use super::text;
use crate::config::bench::model::{Call, Function, Piece, Template};
use crate::config::problem::{ConfigError, nearest};

/// What leaving out a function changes.
const EFFECT: &str = "its text stays as it is where its value should be, which can change what is \
                      asked and how the service answers";

/// How the arguments of a function become those of the plan's.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// At most this many arguments, of which at least so many must be there; the variable that
    /// receives the result may follow.
    Stored { least: usize, most: usize },
    /// Any number of whole numbers and, after them, perhaps a variable.
    Numbers,
    /// Any number of arguments, and no variable.
    Plain { least: usize, most: usize },
}

/// JMeter's name, the plan's, and the arguments.
const FUNCTIONS: &[(&str, Function, Shape)] = &[
    ("__Random", Function::RandomInt, Shape::Stored { least: 2, most: 2 }),
    ("__RandomString", Function::RandomText, Shape::Stored { least: 1, most: 2 }),
    ("__UUID", Function::Uuid, Shape::Plain { least: 0, most: 0 }),
    ("__time", Function::Time, Shape::Stored { least: 0, most: 1 }),
    ("__threadNum", Function::User, Shape::Plain { least: 0, most: 0 }),
    ("__threadGroupName", Function::Group, Shape::Plain { least: 0, most: 0 }),
    ("__iterationNum", Function::Iteration, Shape::Plain { least: 0, most: 0 }),
    ("__intSum", Function::Sum, Shape::Numbers),
    ("__longSum", Function::Sum, Shape::Numbers),
    ("__urlencode", Function::UrlEncode, Shape::Plain { least: 1, most: 1 }),
    ("__urldecode", Function::UrlDecode, Shape::Plain { least: 1, most: 1 }),
    ("__escapeHtml", Function::HtmlEscape, Shape::Plain { least: 1, most: 1 }),
    ("__unescapeHtml", Function::HtmlUnescape, Shape::Plain { least: 1, most: 1 }),
    ("__base64Encode", Function::Base64Encode, Shape::Stored { least: 1, most: 1 }),
    ("__base64Decode", Function::Base64Decode, Shape::Stored { least: 1, most: 1 }),
    ("__uppercase", Function::Upper, Shape::Stored { least: 1, most: 1 }),
    ("__lowercase", Function::Lower, Shape::Stored { least: 1, most: 1 }),
    ("__substring", Function::Substring, Shape::Stored { least: 3, most: 3 }),
    ("__strLen", Function::Length, Shape::Stored { least: 1, most: 1 }),
    ("__V", Function::VariableByName, Shape::Plain { least: 1, most: 2 }),
    ("__char", Function::Char, Shape::Plain { least: 1, most: usize::MAX }),
    ("__eval", Function::Evaluate, Shape::Plain { least: 1, most: 1 }),
    ("__env", Function::Environment, Shape::Plain { least: 1, most: 3 }),
    ("__machineName", Function::Machine, Shape::Stored { least: 0, most: 0 }),
];

/// Names that are handled one by one.
const OTHERS: &[&str] = &[
    "__P",
    "__property",
    "__counter",
    "__timeShift",
    "__changeCase",
    "__evalVar",
    "__split",
    "__isPropDefined",
    "__samplerName",
    "__TestPlanName",
    "__jexl2",
    "__jexl3",
    "__javaScript",
];

/// The names of the functions that are known. `docs/bench-jmeter.md` tells of each.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.iter().map(|(known, ..)| *known).chain(OTHERS.iter().copied())
}

/// A call while it is converted.
struct Arguments<'c> {
    name: &'c str,
    raw: &'c [String],
    templates: Vec<Template>,
}

impl Arguments<'_> {
    /// The argument, if it is there and not empty.
    fn given(&self, index: usize) -> Option<&Template> {
        self.templates.get(index).filter(|template| !template.0.is_empty())
    }

    /// The argument as text, blanks around it cut off; empty where it is missing or not constant.
    fn text(&self, index: usize) -> &str {
        self.templates.get(index).and_then(Template::constant).unwrap_or_default().trim()
    }
}

impl Converter<'_> {
    /// A call of a JMeter function.
    pub(super) fn call(
        &mut self,
        name: &str,
        raw: &[String],
        place: Place<'_>,
        nesting: usize,
    ) -> Template {
        let name = name.trim();
        let original = || match raw {
            [] => Template::text(format!("${{{name}}}")),
            _ => Template::text(format!("${{{name}({})}}", raw.join(","))),
        };
        let Some(nesting) = nesting.checked_sub(1) else {
            self.unsupported(place, "has functions nested too deeply", EFFECT);
            return original();
        };
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        if known.is_none() && !OTHERS.contains(&name) {
            self.unknown(name, place);
            return original();
        }
        let templates = match name {
            // Their argument is a condition, whose variables are looked at below.
            "__jexl2" | "__jexl3" | "__javaScript" => Vec::new(),
            _ => raw
                .iter()
                .map(|argument| self.pieces(text::argument(argument), place, nesting))
                .collect(),
        };
        let arguments = Arguments { name, raw, templates };
        let converted = match known {
            Some((_, function, shape)) => self.tabled(*function, *shape, &arguments, place),
            None => self.other(&arguments, place, nesting),
        };
        converted.unwrap_or_else(|problem| {
            self.unsupported(place, &format!("calls `{name}` {problem}"), EFFECT);
            original()
        })
    }

    fn unknown(&mut self, name: &str, place: Place<'_>) {
        let what = match (name, nearest(name, names())) {
            ("__groovy" | "__BeanShell" | "__beanshell", _) | (_, None) => {
                format!("calls `{name}`, which is not supported")
            }
            (_, Some(near)) => {
                format!("calls `{name}`, which is not supported (did you mean `{near}`?)")
            }
        };
        self.unsupported(place, &what, EFFECT);
    }

    fn tabled(
        &mut self,
        function: Function,
        shape: Shape,
        arguments: &Arguments<'_>,
        place: Place<'_>,
    ) -> Result<Template, String> {
        let mut templates = arguments.templates.clone();
        let mut store = None;
        match shape {
            Shape::Stored { least, most } => {
                if templates.len() > most {
                    store = name_of(&templates, most);
                    templates.truncate(most);
                }
                check(templates.len(), least)?;
            }
            Shape::Plain { least, most } => {
                check(templates.len(), least)?;
                templates.truncate(most);
            }
            Shape::Numbers => {
                let last = templates.last().and_then(Template::constant).unwrap_or("0").trim();
                if last.parse::<i64>().is_err() {
                    store = Some(last.to_owned()).filter(|name| !name.is_empty());
                    templates.pop();
                }
                check(templates.len(), 2)?;
            }
        }
        // An empty argument at the end is one that is missing.
        while templates.last().is_some_and(|last| last.0.is_empty()) && !takes_empty(function) {
            templates.pop();
        }
        match function {
            Function::Environment => {
                store = name_of(&templates, 1);
                let default = templates.get(2).cloned();
                templates.truncate(1);
                templates.extend(default);
            }
            Function::Evaluate | Function::VariableByName => self.names.dynamic = true,
            Function::Uuid | Function::Time | Function::RandomInt | Function::RandomText => {
                self.warn_if_initial(arguments.name, place);
            }
            _ => {}
        }
        Ok(self.piece(function, templates, store.as_deref()))
    }

    /// JMeter works out user-defined variables once for a run, Plimsoll for each user.
    fn warn_if_initial(&mut self, name: &str, place: Place<'_>) {
        if matches!(place.element.class.as_str(), "Arguments" | "TestPlan") {
            let message = format!(
                "a user-defined variable calls `{name}`, which JMeter does once for the whole run \
                 and Plimsoll once for each user"
            );
            self.report.warn(place.span, ConfigError::new("", message));
        }
    }

    fn other(
        &mut self,
        arguments: &Arguments<'_>,
        place: Place<'_>,
        nesting: usize,
    ) -> Result<Template, String> {
        match arguments.name {
            "__P" | "__property" | "__isPropDefined" => self.property(arguments),
            "__counter" => {
                check(arguments.templates.len(), 1)?;
                let per_user = arguments.text(0).eq_ignore_ascii_case("true");
                let templates = if per_user { vec![Template::text("TRUE")] } else { Vec::new() };
                let store = name_of(&arguments.templates, 1);
                Ok(self.piece(Function::Counter, templates, store.as_deref()))
            }
            "__timeShift" => self.time_shift(arguments),
            "__changeCase" => {
                let function = match arguments.text(1).to_ascii_uppercase().as_str() {
                    "" | "UPPER" => Function::Upper,
                    "LOWER" => Function::Lower,
                    "CAPITALIZE" => Function::Capitalize,
                    other => return Err(format!("with the unknown mode `{other}`")),
                };
                check(arguments.templates.len(), 1)?;
                let templates = arguments.templates[..1].to_vec();
                let store = name_of(&arguments.templates, 2);
                Ok(self.piece(function, templates, store.as_deref()))
            }
            "__evalVar" => {
                check(arguments.templates.len(), 1)?;
                self.names.dynamic = true;
                let name = arguments.templates[..1].to_vec();
                let value = self.piece(Function::VariableByName, name, None);
                Ok(self.piece(Function::Evaluate, vec![value], None))
            }
            "__split" => self.split(arguments),
            "__samplerName" => Ok(Template::text(self.sampler.clone().unwrap_or_default())),
            "__TestPlanName" => Ok(Template::text(self.file_name.clone())),
            _ => self.condition_as_text(arguments, place, nesting),
        }
    }

    fn property(&mut self, arguments: &Arguments<'_>) -> Result<Template, String> {
        check(arguments.templates.len(), 1)?;
        let name = arguments.templates[0]
            .constant()
            .ok_or("with a name that is known only while the plan runs")?
            .trim()
            .to_owned();
        let value = self.options.properties.get(&name).cloned();
        let (default, store, without) = match arguments.name {
            "__isPropDefined" => return Ok(Template::text(value.is_some().to_string())),
            "__P" => (arguments.templates.get(1), None, "1"),
            _ => (arguments.given(2), name_of(&arguments.templates, 1), name.as_str()),
        };
        let value = match (value, default) {
            (Some(value), _) => Template::text(value),
            (None, Some(default)) => default.clone(),
            (None, None) => Template::text(without),
        };
        match store {
            // Evaluating the text once more changes nothing, and stores it.
            Some(store) => Ok(self.piece(Function::Evaluate, vec![value], Some(&store))),
            None => Ok(value),
        }
    }

    fn time_shift(&mut self, arguments: &Arguments<'_>) -> Result<Template, String> {
        if arguments.templates.len() > 4 && arguments.given(3).is_some() {
            let locale = arguments.text(3);
            if !locale.starts_with("en") && !locale.is_empty() {
                return Err(format!("with the locale `{locale}`"));
            }
        }
        let mut templates = arguments.templates.clone();
        // Format, date, shift, locale, variable; older versions had no locale.
        let store = name_of(&templates, templates.len().saturating_sub(1).max(3));
        templates.truncate(3);
        Ok(self.piece(Function::TimeShift, templates, store.as_deref()))
    }

    fn split(&mut self, arguments: &Arguments<'_>) -> Result<Template, String> {
        check(arguments.templates.len(), 2)?;
        let name = name_of(&arguments.templates, 1).ok_or("without a constant name")?;
        let mut templates = arguments.templates.clone();
        templates.truncate(3);
        templates[1] = Template::text(name.clone());
        self.builder.slot(&name);
        Ok(self.piece(Function::Split, templates, None))
    }

    /// `${__jexl3(…)}` outside a condition, which becomes `true` or `false`.
    fn condition_as_text(
        &mut self,
        arguments: &Arguments<'_>,
        place: Place<'_>,
        nesting: usize,
    ) -> Result<Template, String> {
        let raw = arguments.raw.first().ok_or("without an expression")?;
        let template = self.pieces(text::argument(raw), place, nesting);
        condition::parse(self, &template)
            .map_err(|problem| format!("with more than a comparison: {problem}"))?;
        if self.builder.known_slot(LAST_SAMPLE_OK).is_some_and(|slot| mentions(&template, slot)) {
            return Err(format!("with `{LAST_SAMPLE_OK}` outside a condition"));
        }
        let store = arguments.raw.get(1).map(|name| name.trim().to_owned());
        let store = store.filter(|name| !name.is_empty());
        Ok(self.piece(Function::Holds, vec![template], store.as_deref()))
    }

    /// A call as a template of its own.
    pub(super) fn piece(
        &mut self,
        function: Function,
        arguments: Vec<Template>,
        store: Option<&str>,
    ) -> Template {
        let store = store.map(|name| self.builder.slot(name));
        let id = self.builder.call();
        Template(vec![Piece::Call(Box::new(Call { function, arguments, store, id }))])
    }

    /// The sum of two templates: worked out now if both are numbers.
    pub(super) fn sum(&mut self, left: &Template, right: &Template) -> Template {
        let number = |template: &Template| {
            let text = template.constant()?.trim();
            if text.is_empty() { Some(0.0) } else { text.parse::<f64>().ok() }
        };
        match (number(left), number(right)) {
            (Some(left), Some(right)) => Template::text(format!("{}", (left + right).round())),
            (Some(0.0), None) => right.clone(),
            (None, Some(0.0)) => left.clone(),
            _ => self.piece(Function::Sum, vec![left.clone(), right.clone()], None),
        }
    }

    /// The text as form data has it: worked out now if it is constant.
    pub(super) fn url_encoded(&mut self, template: Template) -> Template {
        let pieces = template.0.into_iter().map(|piece| match piece {
            Piece::Text(text) => Template::text(form_encoded(&text)),
            other => self.piece(Function::UrlEncode, vec![Template(vec![other])], None),
        });
        joined(pieces.collect::<Vec<_>>())
    }
}

/// Whether the template holds the variable directly.
fn mentions(template: &Template, slot: usize) -> bool {
    template.0.iter().any(|piece| matches!(piece, Piece::Variable(found, _) if *found == slot))
}

/// Functions for which an empty last argument is something else than none.
fn takes_empty(function: Function) -> bool {
    matches!(
        function,
        Function::VariableByName
            | Function::Environment
            | Function::UrlEncode
            | Function::UrlDecode
            | Function::HtmlEscape
            | Function::HtmlUnescape
            | Function::Base64Encode
            | Function::Base64Decode
            | Function::Upper
            | Function::Lower
            | Function::Length
            | Function::Evaluate
    )
}

/// The name of a variable in an argument, if there is one.
fn name_of(templates: &[Template], index: usize) -> Option<String> {
    let name = templates.get(index)?.constant()?.trim();
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

fn check(found: usize, least: usize) -> Result<(), String> {
    if found < least { Err(format!("with {found} of at least {least} arguments")) } else { Ok(()) }
}

/// A text as `application/x-www-form-urlencoded` has it, with the letters that Java's encoder
/// keeps.
pub(super) fn form_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            // Writing to a string cannot fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

/// The text that [`form_encoded`] made, or the text itself where it is not encoded rightly.
pub(super) fn form_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (value, *first) {
            (Some(value), _) => {
                bytes.push(value);
                rest = &after[2..];
            }
            (None, byte) => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
