//! Values of a template, and how Go prints them.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use tsdb::promql::number;

use super::OUTPUT_BYTES_MAX;

/// Deepest nesting of what `args` makes.
const DEPTH_MAX: usize = 8;

/// Why an expansion ended.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(pub(super) String);

pub(super) fn failed<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure(message.into()))
}

/// A series and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Rc<BTreeMap<String, String>>,
    pub(super) value: f64,
}

/// What `args` makes.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) values: BTreeMap<String, Value>,
    depth: usize,
}

/// A value. Cloning copies nothing that is large.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Go's missing value.
    Nothing,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Rc<str>),
    Map(Rc<BTreeMap<String, String>>),
    Arguments(Rc<Arguments>),
    Sample(Rc<Sample>),
    Vector(Rc<[Rc<Sample>]>),
    Time(Timestamp),
    /// What the template is expanded with: the dot at its top.
    Data,
}

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// `arg0`, `arg1`…
    pub(super) fn arguments(values: Vec<Value>) -> Result<Self, Failure> {
        let depth = 1 + values.iter().map(Self::depth).max().unwrap_or_default();
        if depth > DEPTH_MAX {
            return failed(format!("args: nested deeper than {DEPTH_MAX} levels"));
        }
        let named = |(index, value)| (format!("arg{index}"), value);
        let values = values.into_iter().enumerate().map(named).collect();
        Ok(Self::Arguments(Rc::new(Arguments { values, depth })))
    }

    fn depth(&self) -> usize {
        if let Self::Arguments(arguments) = self { arguments.depth } else { 0 }
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nothing => "<nil>",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Map(_) => "map[string]string",
            Self::Arguments(_) => "map[string]interface {}",
            Self::Sample(_) => "*template.sample",
            Self::Vector(_) => "template.queryResult",
            Self::Time(_) => "*time.Time",
            Self::Data => "struct",
        }
    }

    /// Whether `if` takes it for true: not zero, and not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(value) => *value,
            Self::Integer(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Arguments(arguments) => !arguments.values.is_empty(),
            Self::Vector(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Time(_) | Self::Data => true,
        }
    }

    /// Adds it as Go's `%v` has it. Ends early once there is more than may be.
    pub(super) fn print(&self, out: &mut String) {
        if out.len() > OUTPUT_BYTES_MAX {
            return;
        }
        match self {
            Self::Nothing => out.push_str("<nil>"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&number::general(*value)),
            Self::Text(text) => out.push_str(text),
            Self::Map(map) => print_map(map, out),
            Self::Arguments(arguments) => {
                out.push_str("map[");
                for (index, (name, value)) in arguments.values.iter().enumerate() {
                    out.push_str(if index > 0 { " " } else { "" });
                    out.push_str(name);
                    out.push(':');
                    value.print(out);
                }
                out.push(']');
            }
            Self::Sample(sample) => print_sample(sample, out),
            Self::Vector(samples) => {
                out.push('[');
                for (index, sample) in samples.iter().enumerate() {
                    if out.len() > OUTPUT_BYTES_MAX {
                        return;
                    }
                    out.push_str(if index > 0 { " " } else { "" });
                    print_sample(sample, out);
                }
                out.push(']');
            }
            Self::Time(time) => out.push_str(&show_time(*time)),
            Self::Data => out.push_str("{}"),
        }
    }

    /// As [`Value::print`].
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        self.print(&mut text);
        text
    }
}

fn print_map(map: &BTreeMap<String, String>, out: &mut String) {
    out.push_str("map[");
    for (index, (name, value)) in map.iter().enumerate() {
        out.push_str(if index > 0 { " " } else { "" });
        out.push_str(name);
        out.push(':');
        out.push_str(value);
    }
    out.push(']');
}

fn print_sample(sample: &Sample, out: &mut String) {
    out.push('{');
    print_map(&sample.labels, out);
    out.push(' ');
    out.push_str(&number::general(sample.value));
    out.push('}');
}

/// As Go's `Time.String` of a time in UTC.
pub(super) fn show_time(time: Timestamp) -> String {
    let whole = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let nanoseconds = time.subsec_nanosecond().unsigned_abs();
    let mut text = whole;
    if nanoseconds > 0 {
        text.push('.');
        text.push_str(format!("{nanoseconds:09}").trim_end_matches('0'));
    }
    text + " +0000 UTC"
}
