//! The functions: those of Go's templates and those of Prometheus.

use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use tsdb::promql::number;

use super::super::duration;
use super::run::Runner;
use super::value::{Failure, Sample, Value, failed};
use super::{OUTPUT_BYTES_MAX, compare, format, humanize};

/// Bytes of memory that a regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// Makes the enum, and its names, of one list.
macro_rules! functions {
    ($($variant:ident $name:literal $least:literal $most:expr;)*) => {
        /// A function that templates may call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($variant,)* }

        impl Function {
            /// By its name.
            pub(super) fn of(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// All names.
            pub(super) fn names() -> impl Iterator<Item = &'static str> {
                [$($name,)*].into_iter()
            }

            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How many arguments it takes, at least and at most.
            fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($least, $most),)* }
            }
        }
    };
}

const ANY: usize = usize::MAX;

functions! {
    And "and" 1 ANY;
    Or "or" 1 ANY;
    Not "not" 1 1;
    Eq "eq" 1 ANY;
    Ne "ne" 2 2;
    Lt "lt" 2 2;
    Le "le" 2 2;
    Gt "gt" 2 2;
    Ge "ge" 2 2;
    Len "len" 1 1;
    Index "index" 1 ANY;
    Slice "slice" 1 3;
    Print "print" 0 ANY;
    Println "println" 0 ANY;
    Printf "printf" 1 ANY;
    Html "html" 0 ANY;
    Js "js" 0 ANY;
    Urlquery "urlquery" 0 ANY;
    Query "query" 1 1;
    First "first" 1 1;
    Label "label" 2 2;
    ValueOf "value" 1 1;
    Strvalue "strvalue" 1 1;
    Args "args" 0 ANY;
    ReReplaceAll "reReplaceAll" 3 3;
    Match "match" 2 2;
    SafeHtml "safeHtml" 1 1;
    Title "title" 1 1;
    ToUpper "toUpper" 1 1;
    ToLower "toLower" 1 1;
    GraphLink "graphLink" 1 1;
    TableLink "tableLink" 1 1;
    SortByLabel "sortByLabel" 2 2;
    StripPort "stripPort" 1 1;
    StripDomain "stripDomain" 1 1;
    Humanize "humanize" 1 1;
    Humanize1024 "humanize1024" 1 1;
    HumanizeDuration "humanizeDuration" 1 1;
    HumanizePercentage "humanizePercentage" 1 1;
    HumanizeTimestamp "humanizeTimestamp" 1 1;
    ToTime "toTime" 1 1;
    Now "now" 0 0;
    PathPrefix "pathPrefix" 0 0;
    ExternalUrl "externalURL" 0 0;
    ParseDuration "parseDuration" 1 1;
    UrlQueryEscape "urlQueryEscape" 1 1;
}

impl Function {
    /// Refuses a wrong number of arguments.
    pub(super) fn check(self, count: usize) -> Result<(), Failure> {
        let (least, most) = self.arity();
        if (least..=most).contains(&count) {
            return Ok(());
        }
        let name = self.name();
        let wanted = match (least, most) {
            (least, most) if least == most => least.to_string(),
            (least, ANY) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        failed(format!("{name} wants {wanted} arguments and got {count}"))
    }
}

/// A function's name and its arguments, as many as it takes.
struct Given {
    name: &'static str,
    values: Vec<Value>,
}

impl Given {
    fn at(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Nothing)
    }

    fn text(&self, index: usize) -> Result<&str, Failure> {
        match self.at(index) {
            Value::Text(text) => Ok(text),
            other => failed(format!("{} wants a string and got {}", self.name, other.type_name())),
        }
    }

    fn float(&self, index: usize) -> Result<f64, Failure> {
        let name = self.name;
        match self.at(index) {
            Value::Float(value) => Ok(*value),
            Value::Integer(value) => Ok(*value as f64),
            Value::Text(text) => number::parse(text)
                .map_or_else(|| failed(format!("{name}: {text:?} is not a number")), Ok),
            other => failed(format!("{name} wants a number and got {}", other.type_name())),
        }
    }

    fn sample(&self, index: usize) -> Result<&Sample, Failure> {
        match self.at(index) {
            Value::Sample(sample) => Ok(sample),
            other => failed(format!("{} wants a sample and got {}", self.name, other.type_name())),
        }
    }

    fn vector(&self, index: usize) -> Result<&[Rc<Sample>], Failure> {
        match self.at(index) {
            Value::Vector(samples) => Ok(samples),
            other => failed(format!(
                "{} wants a query's result and got {}",
                self.name,
                other.type_name()
            )),
        }
    }
}

/// Calls a function other than `and` and `or`, which do not look at all of their arguments.
pub(super) fn call(
    runner: &mut Runner<'_>,
    function: Function,
    arguments: Vec<Value>,
) -> Result<Value, Failure> {
    function.check(arguments.len())?;
    let given = Given { name: function.name(), values: arguments };
    let value = match of_go(function, &given)? {
        Some(value) => value,
        None => match of_queries(runner, function, &given)? {
            Some(value) => value,
            None => of_texts(function, &given)?,
        },
    };
    if let Value::Text(text) = &value
        && text.len() > OUTPUT_BYTES_MAX
    {
        let name = given.name;
        return failed(format!("{name}: more than {OUTPUT_BYTES_MAX} bytes come of it"));
    }
    Ok(value)
}

/// Functions of Go's templates; `None` for others.
fn of_go(function: Function, given: &Given) -> Result<Option<Value>, Failure> {
    let (first, second) = (given.at(0), given.at(1));
    let values = given.values.as_slice();
    Ok(Some(match function {
        Function::Not => Value::Bool(!first.is_true()),
        Function::Eq => Value::Bool(compare::equal(first, &values[1..])?),
        Function::Ne => Value::Bool(!compare::equal(first, &values[1..])?),
        Function::Lt => Value::Bool(compare::less(first, second)?),
        Function::Le => Value::Bool(compare::at_most(first, second)?),
        // As Go has it, so that a NaN is greater than everything.
        Function::Gt => Value::Bool(!compare::at_most(first, second)?),
        Function::Ge => Value::Bool(!compare::less(first, second)?),
        Function::Len => length(first)?,
        Function::Index => index(values)?,
        Function::Slice => slice(values)?,
        Function::Print => Value::text(print(values)),
        Function::Println => Value::text(println(values)),
        Function::Printf => Value::text(format::format(given.text(0)?, &values[1..])?),
        Function::Html => Value::text(escape_html(&print(values))),
        Function::Js => Value::text(escape_script(&print(values))),
        Function::Urlquery => Value::text(escape_query(&print(values))),
        _ => return Ok(None),
    }))
}

/// Functions of Prometheus about queries and where a template is expanded; `None` for others.
fn of_queries(
    runner: &mut Runner<'_>,
    function: Function,
    given: &Given,
) -> Result<Option<Value>, Failure> {
    Ok(Some(match function {
        Function::Query => Value::Vector(runner.query(given.text(0)?)?),
        Function::First => match given.vector(0)?.first() {
            Some(sample) => Value::Sample(Rc::clone(sample)),
            None => return failed("first() called on vector with no elements"),
        },
        Function::Label => label(given.sample(1)?, given.text(0)?),
        Function::Strvalue => label(given.sample(0)?, "__value__"),
        Function::ValueOf => Value::Float(given.sample(0)?.value),
        Function::SortByLabel => sorted(given.vector(1)?, given.text(0)?),
        Function::Args => Value::arguments(given.values.clone())?,
        Function::Now => Value::Float(runner.data.now as f64 / 1000.0),
        Function::PathPrefix => Value::text(path(&runner.data.external_url)),
        Function::ExternalUrl => Value::text(runner.data.external_url.as_str()),
        _ => return Ok(None),
    }))
}

/// Functions of Prometheus that make texts of texts and numbers.
fn of_texts(function: Function, given: &Given) -> Result<Value, Failure> {
    Ok(Value::text(match function {
        Function::UrlQueryEscape => escape_query(given.text(0)?),
        Function::ReReplaceAll => {
            replaced(&regex(given.text(0)?)?, given.text(2)?, given.text(1)?)?
        }
        Function::Match => return Ok(Value::Bool(regex(given.text(0)?)?.is_match(given.text(1)?))),
        Function::SafeHtml => given.text(0)?.to_owned(),
        Function::Title => title(given.text(0)?),
        Function::ToUpper => given.text(0)?.to_uppercase(),
        Function::ToLower => given.text(0)?.to_lowercase(),
        Function::GraphLink => link(given.text(0)?, 0),
        Function::TableLink => link(given.text(0)?, 1),
        Function::StripPort => {
            let text = given.text(0)?;
            split_port(text).map_or(text, |(host, _)| host).to_owned()
        }
        Function::StripDomain => strip_domain(given.text(0)?),
        Function::Humanize => humanize::humanize(given.float(0)?),
        Function::Humanize1024 => humanize::humanize_1024(given.float(0)?),
        Function::HumanizeDuration => humanize::duration(given.float(0)?),
        Function::HumanizePercentage => humanize::percentage(given.float(0)?),
        Function::HumanizeTimestamp => humanize::timestamp(given.float(0)?)?,
        Function::ToTime => return Ok(Value::Time(humanize::time(given.float(0)?)?)),
        Function::ParseDuration => match duration::parse(given.text(0)?) {
            Ok(duration) => return Ok(Value::Float(duration.as_secs_f64())),
            Err(message) => return failed(format!("parseDuration: {message}")),
        },
        other => return failed(format!("{} cannot be called here", other.name())),
    }))
}

fn label(sample: &Sample, name: &str) -> Value {
    Value::text(sample.labels.get(name).map_or("", String::as_str))
}

fn sorted(samples: &[Rc<Sample>], label: &str) -> Value {
    let mut samples = samples.to_vec();
    samples.sort_by(|a, b| {
        let of = |sample: &Sample| sample.labels.get(label).cloned().unwrap_or_default();
        of(a).cmp(&of(b))
    });
    Value::Vector(samples.into())
}

fn length(value: &Value) -> Result<Value, Failure> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Map(map) => map.len(),
        Value::Arguments(arguments) => arguments.values.len(),
        Value::Vector(samples) => samples.len(),
        other => return failed(format!("len of type {}", other.type_name())),
    };
    // No text or vector is as long as an i64 counts.
    Ok(Value::Integer(length as i64))
}

fn index(arguments: &[Value]) -> Result<Value, Failure> {
    let mut value = arguments[0].clone();
    for key in &arguments[1..] {
        value = match (&value, key) {
            (Value::Map(map), Value::Text(key)) => {
                Value::text(map.get(&**key).map_or("", String::as_str))
            }
            (Value::Arguments(arguments), Value::Text(key)) => {
                arguments.values.get(&**key).cloned().unwrap_or(Value::Nothing)
            }
            (Value::Vector(samples), Value::Integer(place)) => {
                let found = usize::try_from(*place).ok().and_then(|place| samples.get(place));
                match found {
                    Some(sample) => Value::Sample(Rc::clone(sample)),
                    None => return failed(format!("index out of range: {place}")),
                }
            }
            (Value::Text(text), Value::Integer(place)) => {
                let found =
                    usize::try_from(*place).ok().and_then(|place| text.as_bytes().get(place));
                match found {
                    Some(byte) => Value::Integer(i64::from(*byte)),
                    None => return failed(format!("index out of range: {place}")),
                }
            }
            (value, key) => {
                let (value, key) = (value.type_name(), key.type_name());
                return failed(format!("a value of type {value} has no index of type {key}"));
            }
        };
    }
    Ok(value)
}

fn slice(arguments: &[Value]) -> Result<Value, Failure> {
    let bound = |index: usize, usual: usize| match arguments.get(index) {
        None => Ok(usual),
        Some(Value::Integer(bound)) => {
            usize::try_from(*bound).or_else(|_| failed(format!("index out of range: {bound}")))
        }
        Some(other) => failed(format!("cannot index slice with type {}", other.type_name())),
    };
    match &arguments[0] {
        Value::Text(text) => {
            let (from, to) = (bound(1, 0)?, bound(2, text.len())?);
            match text.as_bytes().get(from..to) {
                Some(bytes) => Ok(Value::text(String::from_utf8_lossy(bytes))),
                None => failed(format!("index out of range: {from}:{to}")),
            }
        }
        Value::Vector(samples) => {
            let (from, to) = (bound(1, 0)?, bound(2, samples.len())?);
            match samples.get(from..to) {
                Some(samples) => Ok(Value::Vector(samples.into())),
                None => failed(format!("index out of range: {from}:{to}")),
            }
        }
        other => failed(format!("can't slice item of type {}", other.type_name())),
    }
}

/// Values one after the other, with a space between two that are no texts.
fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    for (place, value) in arguments.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if place > 0 && !is_text(value) && !is_text(&arguments[place - 1]) {
            out.push(' ');
        }
        value.print(&mut out);
    }
    out
}

fn println(arguments: &[Value]) -> String {
    let mut out = String::new();
    for (place, value) in arguments.iter().enumerate() {
        out.push_str(if place > 0 { " " } else { "" });
        value.print(&mut out);
    }
    out.push('\n');
    out
}

fn regex(pattern: &str) -> Result<Regex, Failure> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
    built.or_else(|error| failed(format!("the regex {pattern:?} cannot be used: {error}")))
}

/// As `replace_all`, but no longer than may be.
fn replaced(regex: &Regex, text: &str, replacement: &str) -> Result<String, Failure> {
    let (mut out, mut after) = (String::new(), 0);
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[after..whole.start()]);
        captures.expand(replacement, &mut out);
        after = whole.end();
        if out.len() > OUTPUT_BYTES_MAX {
            return failed(format!("reReplaceAll: more than {OUTPUT_BYTES_MAX} bytes come of it"));
        }
    }
    out.push_str(&text[after..]);
    Ok(out)
}

/// The first letter of each word in upper case, the others as they are.
fn title(text: &str) -> String {
    let mut in_word = false;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let belongs = character.is_alphanumeric() || matches!(character, '_' | '\'' | '\u{2019}');
        if belongs && !in_word {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
        in_word = belongs;
    }
    out
}

fn link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", escape_query(expression))
}

/// The path of a URL.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

/// Host and port of `host:port` or `[host]:port`, as Go's `net.SplitHostPort`.
fn split_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        return (!port.contains([':', '[', ']']) && !host.contains('[')).then_some((host, port));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_port(text).unwrap_or((text, ""));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let first = host.split('.').next().unwrap_or_default();
    match (port, first.contains(':')) {
        ("", _) => first.to_owned(),
        (port, true) => format!("[{first}]:{port}"),
        (port, false) => format!("{first}:{port}"),
    }
}

/// As Go's `url.QueryEscape`.
fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

fn escape_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(character))),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            other => out.push(other),
        }
    }
    out
}
