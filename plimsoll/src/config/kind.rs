//! Kinds of values: each reads a value of its kind, says what it accepts, and shows a value as the
//! file would write it. The tables of `grammar` are made of them, and the reader, the reference
//! and the JSON Schema all follow from what is declared there.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::problem::{ConfigError, join_or, nearest, one_of};
use super::quantity::{self, Refusal};
use super::reader::{Node, Reader};
use super::table::TableDoc;

mod compound;
mod plain;
pub(super) use compound::{Either, Item, List, Map, Named, OneOf, TableOf, table};
pub(super) use plain::{Json, Plain};

/// What a kind accepts, as data.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// The word `false`.
    False,
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds.
    Integer(RangeInclusive<u64>),
    /// A string of a certain form.
    Text {
        /// What it is, as in "a duration from 1s to 1h, as in \"5s\"".
        what: String,
        /// A regular expression that it matches, for editors.
        pattern: Option<&'static str>,
    },
    /// One of several words, each with its meaning.
    Choice(Vec<(&'static str, &'static str)>),
    /// Text in quotes or a number, `true` or `false`, which are read alike.
    Plain {
        /// What it is.
        what: &'static str,
    },
    /// Any value, which is turned into JSON.
    Json(&'static str),
    /// A list.
    List(Box<Shape>),
    /// A table whose keys are names of the user's choice.
    Map(Box<Shape>),
    /// A table with known keys.
    Table(fn() -> TableDoc),
    /// One of two shapes that differ in their TOML type.
    Either(Box<Shape>, Box<Shape>),
}

impl Shape {
    /// What is allowed, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::False => "`false`".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Integer(bounds) => {
                format!("a whole number from {} to {}", bounds.start(), bounds.end())
            }
            Self::Text { what, .. } => what.clone(),
            Self::Plain { what } | Self::Json(what) => (*what).to_owned(),
            Self::Choice(words) => one_of(words.iter().map(|(word, _)| *word)),
            Self::List(of) => match &**of {
                Self::Table(_) => "a list of tables".to_owned(),
                of => format!("a list, each of it {}", of.describe()),
            },
            Self::Map(of) => match &**of {
                Self::Table(_) => "tables, each under its name".to_owned(),
                of => format!("a table of names, each with {}", of.describe()),
            },
            Self::Table(doc) => {
                let keys: Vec<&str> = doc().fields.iter().map(|field| field.key).collect();
                format!("a table with the keys {}", keys.join(", "))
            }
            Self::Either(..) => self.alternatives().join("; or "),
        }
    }

    fn alternatives(&self) -> Vec<String> {
        match self {
            Self::Either(first, second) => [first.alternatives(), second.alternatives()].concat(),
            other => vec![other.describe()],
        }
    }

    /// The TOML types it is written as, in words.
    fn type_names(&self) -> Vec<String> {
        let name = match self {
            Self::False => "`false`",
            Self::Flag => "`true` or `false`",
            Self::Integer(_) => "a whole number",
            Self::Text { .. } | Self::Choice(_) => "text in quotes",
            Self::Plain { .. } => "text in quotes or a number",
            Self::Json(_) => "a value",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Table(_) => "a table",
            Self::Either(first, second) => {
                return [first.type_names(), second.type_names()].concat();
            }
        };
        vec![name.to_owned()]
    }

    /// Whether `value` has the TOML type of this shape.
    fn fits(&self, value: &DeValue<'_>) -> bool {
        match self {
            Self::False => value.as_bool() == Some(false),
            Self::Flag => value.is_bool(),
            Self::Integer(_) => value.is_integer(),
            Self::Text { .. } | Self::Choice(_) => value.is_str(),
            Self::Plain { .. } => !value.is_array() && !value.is_table() && !value.is_datetime(),
            Self::Json(_) => true,
            Self::List(_) => value.is_array(),
            Self::Map(_) | Self::Table(_) => value.is_table(),
            Self::Either(first, second) => first.fits(value) || second.fits(value),
        }
    }
}

/// A kind of value.
pub(super) trait Kind {
    /// What it is read into.
    type Value: Clone;

    /// Reads `node`; notes the problem and returns `None` if it is not of this kind.
    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value>;

    /// What it accepts.
    fn shape(&self) -> Shape;

    /// The value as the file would write it.
    fn show(&self, value: &Self::Value) -> String;
}

/// Notes that `node` has the wrong TOML type.
fn refuse_type(shape: &Shape, node: &Node<'_>, reader: &mut Reader<'_>) {
    let found = match node.value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let mut names = shape.type_names();
    names.dedup();
    let found = match node.value {
        DeValue::Boolean(value) => format!("`{value}`"),
        _ => found.to_owned(),
    };
    let message = format!("expected {}, found {found}", join_or(&names));
    let mut error = ConfigError::new(&node.at.key, message).allowed(shape.describe());
    let shown = reader.shown(&node.at);
    if !node.value.is_table() {
        error = error.found(&shown);
    }
    let singular = node.at.key.strip_suffix('s').filter(|_| shown.starts_with("[["));
    if let Some(section) = singular.filter(|name| reader.vocabulary().has_list(name)) {
        error = error.remedy(format!("did you mean [[{section}]]?"));
        reader.refuse(&node.at, error);
        return;
    }
    reader.refuse(&node.at, remedy_for_type(error, shape, node, &shown));
}

fn remedy_for_type(error: ConfigError, shape: &Shape, node: &Node<'_>, shown: &str) -> ConfigError {
    match (shape, node.value) {
        (Shape::Integer(_) | Shape::Flag, DeValue::String(text)) => {
            let bare = text.trim();
            let number = matches!(shape, Shape::Integer(_)) && bare.parse::<u64>().is_ok();
            let flag = matches!(shape, Shape::Flag) && matches!(bare, "true" | "false");
            if number || flag {
                return error.remedy(format!("write {bare} without quotes"));
            }
            error
        }
        (Shape::Text { what, .. }, DeValue::Integer(number)) => {
            let unit = if what.starts_with("a duration") {
                "s"
            } else if what.starts_with("a size") {
                "B"
            } else if what.starts_with("a percentage") {
                "%"
            } else {
                return error.remedy(format!("write \"{number}\" in quotes"));
            };
            error.remedy(format!("write \"{number}{unit}\", in quotes and with the unit"))
        }
        (Shape::List(_), DeValue::String(_)) => error.remedy(format!("write [{shown}]")),
        _ => error,
    }
}

/// `true` or `false`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<bool> {
        if let Some(flag) = node.value.as_bool() {
            return Some(flag);
        }
        match replaced(node, reader)?.as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                refuse_type(&self.shape(), node, reader);
                None
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::Flag
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// The text of a string that an environment variable filled in: it may stand for a number or a
/// flag. The outer `None` means that a problem was noted.
fn replaced(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Option<String>> {
    if !node.value.is_str() {
        return Some(None);
    }
    let text = reader.text(node)?;
    Some(text.replaced.then_some(text.text))
}

/// The word `false`.
#[derive(Debug, Clone, Copy)]
pub(super) struct False;

impl Kind for False {
    type Value = ();

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<()> {
        if node.value.as_bool() == Some(false) {
            return Some(());
        }
        refuse_type(&self.shape(), node, reader);
        None
    }

    fn shape(&self) -> Shape {
        Shape::False
    }

    fn show(&self, (): &()) -> String {
        "false".to_owned()
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone)]
pub(super) struct Integer<T> {
    minimum: u64,
    maximum: u64,
    result: PhantomData<T>,
}

/// A whole number from `minimum` to `maximum`, which must fit `T`.
pub(super) const fn integer<T>(minimum: u64, maximum: u64) -> Integer<T> {
    Integer { minimum, maximum, result: PhantomData }
}

impl<T: Clone + TryFrom<u64> + ToString> Kind for Integer<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let number = match node.value {
            // More digits than fit mean a number beyond any bound.
            DeValue::Integer(integer) => {
                let digits = integer.as_str();
                i128::from_str_radix(digits, integer.radix())
                    .unwrap_or(if digits.starts_with('-') { i128::MIN } else { i128::MAX })
            }
            _ => match replaced(node, reader)? {
                Some(text) => match text.trim().parse() {
                    Ok(number) => number,
                    Err(_) => {
                        let refusal = Refusal::new("this is not a whole number");
                        refuse_text(refusal, Some(&text), &self.shape(), node, reader);
                        return None;
                    }
                },
                None => {
                    refuse_type(&self.shape(), node, reader);
                    return None;
                }
            },
        };
        let bounds = i128::from(self.minimum)..=i128::from(self.maximum);
        let value = bounds.contains(&number).then(|| T::try_from(number as u64).ok()).flatten();
        if value.is_none() {
            let (small, bound) = (number < *bounds.start(), &bounds);
            let nearest = if small { bound.start() } else { bound.end() };
            let message =
                if small { "this number is too small" } else { "this number is too large" };
            let error = ConfigError::new(&node.at.key, message)
                .found(reader.shown(&node.at))
                .allowed(self.shape().describe())
                .remedy(format!("write {nearest} or {}", if small { "more" } else { "less" }));
            reader.refuse(&node.at, error);
        }
        value
    }

    fn shape(&self) -> Shape {
        Shape::Integer(self.minimum..=self.maximum)
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A quantity with its unit, within bounds.
#[derive(Debug, Clone)]
pub(super) struct Quantity<T> {
    what: &'static str,
    minimum: T,
    maximum: T,
    example: &'static str,
    pattern: &'static str,
    parse: fn(&str) -> Result<T, Refusal>,
    show: fn(T) -> String,
}

/// A duration from `minimum` to `maximum` milliseconds.
pub(super) const fn duration(minimum: u64, maximum: u64) -> Quantity<Duration> {
    Quantity {
        what: "a duration",
        minimum: Duration::from_millis(minimum),
        maximum: Duration::from_millis(maximum),
        example: if minimum > 5000 { "30d" } else { "5s" },
        pattern: r"^([0-9]+(\.[0-9]+)?(us|µs|μs|ms|s|m|h|d|w)|([0-9]+(us|µs|μs|ms|s|m|h|d|w))+)$",
        parse: quantity::duration,
        show: quantity::show_duration,
    }
}

/// A size from `minimum` to `maximum` bytes.
pub(super) const fn size(minimum: u64, maximum: u64) -> Quantity<u64> {
    Quantity {
        what: "a size",
        minimum,
        maximum,
        example: if minimum > 64 << 10 { "512MiB" } else { "64KiB" },
        pattern: r"^[0-9]+(\.[0-9]+)?(B|[KMGT]iB|[kMG]B)$",
        parse: quantity::size,
        show: quantity::show_size,
    }
}

/// A percentage from 0 to `maximum`.
pub(super) const fn percent(maximum: u32) -> Quantity<u32> {
    Quantity {
        what: "a percentage",
        minimum: 0,
        maximum,
        example: if maximum < 66 { "10%" } else { "66%" },
        pattern: r"^[0-9]+%$",
        parse: quantity::percent,
        show: |percent| format!("{percent}%"),
    }
}

impl<T: Copy + PartialOrd> Kind for Quantity<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let text = read_text(&self.shape(), node, reader)?;
        let refusal = match (self.parse)(&text) {
            Ok(value) if value < self.minimum => Refusal::new(format!("{text} is too little"))
                .remedy(format!("write \"{}\" or more", (self.show)(self.minimum))),
            Ok(value) if value > self.maximum => Refusal::new(format!("{text} is too much"))
                .remedy(format!("write \"{}\" or less", (self.show)(self.maximum))),
            Ok(value) => return Some(value),
            Err(refusal) => refusal,
        };
        refuse_text(refusal, Some(&text), &self.shape(), node, reader);
        None
    }

    fn shape(&self) -> Shape {
        let (minimum, maximum) = ((self.show)(self.minimum), (self.show)(self.maximum));
        let example = self.example;
        let what = format!("{} from {minimum} to {maximum}, as in \"{example}\"", self.what);
        Shape::Text { what, pattern: Some(self.pattern) }
    }

    fn show(&self, value: &T) -> String {
        format!("\"{}\"", (self.show)(*value))
    }
}

/// The string of `node`, or a noted problem.
fn read_text(shape: &Shape, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
    if !node.value.is_str() {
        refuse_type(shape, node, reader);
        return None;
    }
    reader.text(node).map(|text| text.text)
}

/// Notes why a string was refused. `text` is what it says; `None` keeps it secret.
fn refuse_text(
    refusal: Refusal,
    text: Option<&str>,
    shape: &Shape,
    node: &Node<'_>,
    reader: &mut Reader<'_>,
) {
    let mut error = ConfigError::new(&node.at.key, refusal.message).allowed(shape.describe());
    if let Some(text) = text {
        let written = reader.shown(&node.at);
        // What a variable stands for is not to be seen in the file.
        let replaced = node.value.as_str() != Some(text);
        let shown = if replaced { format!("{written}, which is {text:?}") } else { written };
        error = error.found(shown);
    }
    reader.refuse(&node.at, ConfigError { remedy: refusal.remedy, ..error });
}

/// How the text of a value is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// `${NAME}` is replaced.
    Replaced,
    /// `${NAME}` is left alone.
    Verbatim,
    /// `${NAME}` is replaced, and messages do not repeat the value.
    Secret,
    /// `${NAME}` is replaced, and messages repeat what the file says, not what it stands for: a
    /// password may be in it.
    Concealed,
}

/// A string that `parse` understands.
#[derive(Debug, Clone)]
pub(super) struct Parsed<T> {
    /// What it is, as in "an address, as in \"127.0.0.1:8000\"".
    pub(super) what: &'static str,
    /// A regular expression for editors, where a simple one exists.
    pub(super) pattern: Option<&'static str>,
    /// How its text is treated.
    pub(super) treatment: Treatment,
    /// Reads it.
    pub(super) parse: fn(&str) -> Result<T, Refusal>,
    /// Shows it, without quotes.
    pub(super) show: fn(&T) -> String,
}

impl<T: Clone> Kind for Parsed<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let shape = self.shape();
        let text = match node.value.as_str() {
            Some(text) if self.treatment == Treatment::Verbatim => text.to_owned(),
            _ => read_text(&shape, node, reader)?,
        };
        match (self.parse)(&text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let text = match self.treatment {
                    Treatment::Secret => None,
                    Treatment::Concealed => node.value.as_str(),
                    Treatment::Replaced | Treatment::Verbatim => Some(text.as_str()),
                };
                refuse_text(refusal, text, &shape, node, reader);
                None
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text { what: self.what.to_owned(), pattern: self.pattern }
    }

    fn show(&self, value: &T) -> String {
        format!("\"{}\"", (self.show)(value))
    }
}

/// One of several words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<T: 'static>(
    /// The word, its value, its meaning.
    pub(super) &'static [(&'static str, T, &'static str)],
);

impl<T: Clone + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let text = read_text(&self.shape(), node, reader)?;
        if let Some((_, value, _)) = self.0.iter().find(|(word, _, _)| *word == text) {
            return Some(value.clone());
        }
        let words = self.0.iter().map(|(word, _, _)| *word);
        let mut refusal = Refusal::new("this word is not known here");
        if let Some(near) = nearest(&text, words) {
            refusal = refusal.remedy(format!("did you mean \"{near}\"?"));
        }
        if refusal.remedy.is_none() {
            refusal = refusal.remedy(format!("write one of them, as in \"{}\"", self.0[0].0));
        }
        refuse_text(refusal, Some(&text), &self.shape(), node, reader);
        None
    }

    fn shape(&self) -> Shape {
        Shape::Choice(self.0.iter().map(|(word, _, meaning)| (*word, *meaning)).collect())
    }

    fn show(&self, value: &T) -> String {
        let word = self.0.iter().find(|(_, known, _)| known == value);
        format!("\"{}\"", word.map_or("", |(word, _, _)| word))
    }
}
