//! Walks the tree of a template.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use tsdb::labels::Labels;

use super::call::{self, Function};
use super::tree::{Branch, Command, Node, Operand, OperandKind, Pipeline, Tree};
use super::value::{Failure, Sample, Value, failed, show_time};
use super::{Answer, Data, OUTPUT_BYTES_MAX, STEPS_MAX};

/// Deepest nesting of what is being run: blocks, parentheses and templates together.
const DEPTH_MAX: usize = 64;
/// Most series of one query's answer.
const SERIES_MAX: usize = 10_000;

/// Whether the rest of a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// An expansion under way.
pub(super) struct Runner<'a> {
    tree: &'a Tree,
    pub(super) data: &'a Data,
    query: &'a mut dyn FnMut(&str) -> Answer,
    labels: Rc<BTreeMap<String, String>>,
    external_labels: Rc<BTreeMap<String, String>>,
    variables: Vec<(&'a str, Value)>,
    out: String,
    steps: usize,
    depth: usize,
}

pub(super) fn run(
    tree: &Tree,
    data: &Data,
    query: &mut dyn FnMut(&str) -> Answer,
) -> Result<String, Failure> {
    let labels = Rc::new(owned(&data.labels));
    let external_labels = Rc::new(data.external_labels.clone());
    let variables = vec![
        ("$", Value::Data),
        ("$labels", Value::Map(Rc::clone(&labels))),
        ("$externalLabels", Value::Map(Rc::clone(&external_labels))),
        ("$externalURL", Value::text(data.external_url.as_str())),
        ("$value", Value::Float(data.value)),
    ];
    let (out, steps, depth) = (String::new(), 0, 0);
    let mut runner =
        Runner { tree, data, query, labels, external_labels, variables, out, steps, depth };
    runner.list(&tree.main, &Value::Data)?;
    Ok(runner.out)
}

fn owned(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl<'a> Runner<'a> {
    /// Asks a query.
    pub(super) fn query(&mut self, text: &str) -> Result<Rc<[Rc<Sample>]>, Failure> {
        let answer = (self.query)(text).or_else(|error| failed(format!("query: {error}")))?;
        if answer.len() > SERIES_MAX {
            return failed(format!("query: the answer has more than {SERIES_MAX} series"));
        }
        let sample = |(labels, value): (Labels, f64)| {
            Rc::new(Sample { labels: Rc::new(owned(&labels)), value })
        };
        Ok(answer.into_iter().map(sample).collect())
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return failed(format!("the template takes more than {STEPS_MAX} steps"));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return failed(format!("the template is nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            return failed(format!("more than {OUTPUT_BYTES_MAX} bytes come of the template"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Value) -> Result<Flow, Failure> {
        self.deeper()?;
        let mut flow = Flow::On;
        for node in nodes {
            self.step()?;
            flow = self.node(node, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &'a Node, dot: &Value) -> Result<Flow, Failure> {
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    match value {
                        Value::Nothing => self.write("<no value>")?,
                        value => self.write(&value.shown())?,
                    }
                }
            }
            Node::If(branch) => return self.scoped(|own| own.choose(branch, dot, false)),
            Node::With(branch) => return self.scoped(|own| own.choose(branch, dot, true)),
            Node::Range(branch) => return self.scoped(|own| own.range(branch, dot)),
            Node::Template { name, argument } => {
                let argument = match argument {
                    Some(pipeline) => self.pipeline(pipeline, dot)?,
                    None => Value::Nothing,
                };
                let tree = self.tree;
                // The parser has refused names that are not defined.
                let Some(nodes) = tree.defined.get(name) else { return Ok(Flow::On) };
                let outer = vec![("$", argument.clone())];
                let outer = std::mem::replace(&mut self.variables, outer);
                self.list(nodes, &argument)?;
                self.variables = outer;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    /// Forgets the variables that are declared within.
    fn scoped(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<Flow, Failure>,
    ) -> Result<Flow, Failure> {
        let scope = self.variables.len();
        let flow = body(self)?;
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn choose(&mut self, branch: &'a Branch, dot: &Value, with: bool) -> Result<Flow, Failure> {
        let value = self.pipeline(&branch.pipeline, dot)?;
        match (value.is_true(), with) {
            (true, true) => self.list(&branch.then, &value),
            (true, false) => self.list(&branch.then, dot),
            (false, _) => self.list(&branch.otherwise, dot),
        }
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Result<Flow, Failure> {
        let value = self.pipeline(&branch.pipeline, dot)?;
        let scope = self.variables.len();
        let mut any = false;
        for (key, element) in elements(&value)? {
            any = true;
            self.step()?;
            let targets = &branch.pipeline.variables;
            let (first, second) = match targets.as_slice() {
                [] => (None, None),
                [only] => (None, Some(only)),
                [first, second, ..] => (Some((first, key)), Some(second)),
            };
            if let Some((name, key)) = first {
                self.set(name, key);
            }
            if let Some(name) = second {
                self.set(name, element.clone());
            }
            let flow = self.list(&branch.then, &element)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        if any { Ok(Flow::On) } else { self.list(&branch.otherwise, dot) }
    }

    /// Sets the innermost variable of a name; the parser has seen its declaration.
    fn set(&mut self, name: &str, value: Value) {
        if let Some((_, held)) = self.variables.iter_mut().rev().find(|(held, _)| *held == name) {
            *held = value;
        }
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Failure> {
        let mut last = None;
        for command in &pipeline.commands {
            self.step()?;
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Nothing);
        for name in &pipeline.variables {
            match pipeline.declares {
                true => self.variables.push((name, value.clone())),
                false => self.set(name, value.clone()),
            }
        }
        Ok(value)
    }

    /// Runs a command; `last` is what the one before the pipe has yielded.
    fn command(
        &mut self,
        command: &'a Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let [first, rest @ ..] = command.operands.as_slice() else { return Ok(Value::Nothing) };
        if let OperandKind::Function(function) = first.kind {
            return self.function(function, rest, dot, last);
        }
        if rest.is_empty() && last.is_none() {
            return self.operand(first, dot);
        }
        // Only a method takes arguments, and it is the last of the fields.
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.argument(operand, dot)?);
        }
        arguments.extend(last);
        let Some((method, fields)) = first.fields.split_last() else {
            return failed("can't give argument to non-function");
        };
        let receiver = self.base(first, dot)?;
        let receiver = fields.iter().try_fold(receiver, |value, name| self.field(&value, name))?;
        match &receiver {
            Value::Time(time) => method_of_time(*time, method, &arguments),
            other => failed(format!(
                "{method} has arguments but cannot be invoked as function on {}",
                other.type_name()
            )),
        }
    }

    fn function(
        &mut self,
        function: Function,
        operands: &'a [Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        if let Function::And | Function::Or = function {
            function.check(operands.len() + usize::from(last.is_some()))?;
            let decided = |value: &Value| value.is_true() == (function == Function::Or);
            let mut value = Value::Nothing;
            for operand in operands {
                value = self.argument(operand, dot)?;
                if decided(&value) {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut arguments = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            arguments.push(self.argument(operand, dot)?);
        }
        arguments.extend(last);
        call::call(self, function, arguments)
    }

    fn argument(&mut self, operand: &'a Operand, dot: &Value) -> Result<Value, Failure> {
        self.step()?;
        if let OperandKind::Function(function) = operand.kind {
            return self.function(function, &[], dot, None);
        }
        self.operand(operand, dot)
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Result<Value, Failure> {
        let base = self.base(operand, dot)?;
        operand.fields.iter().try_fold(base, |value, name| self.field(&value, name))
    }

    /// An operand without its fields.
    fn base(&mut self, operand: &'a Operand, dot: &Value) -> Result<Value, Failure> {
        Ok(match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil => Value::Nothing,
            OperandKind::Bool(value) => Value::Bool(*value),
            OperandKind::Integer(value) => Value::Integer(*value),
            OperandKind::Float(value) => Value::Float(*value),
            OperandKind::Text(text) => Value::text(text.as_str()),
            OperandKind::Variable(name) => {
                let held = self.variables.iter().rev().find(|(held, _)| held == name);
                held.map_or(Value::Nothing, |(_, value)| value.clone())
            }
            OperandKind::Pipeline(pipeline) => {
                self.deeper()?;
                let value = self.pipeline(pipeline, dot)?;
                self.depth -= 1;
                value
            }
            OperandKind::Function(function) => self.function(*function, &[], dot, None)?,
        })
    }

    fn field(&self, value: &Value, name: &str) -> Result<Value, Failure> {
        let none = || failed(format!("can't evaluate field {name} in type {}", value.type_name()));
        Ok(match value {
            Value::Data => match name {
                "Labels" => Value::Map(Rc::clone(&self.labels)),
                "ExternalLabels" => Value::Map(Rc::clone(&self.external_labels)),
                "ExternalURL" => Value::text(self.data.external_url.as_str()),
                "Value" => Value::Float(self.data.value),
                _ => {
                    return failed(format!(
                        "there is no .{name}: there are .Labels, .Value, .ExternalLabels and \
                         .ExternalURL"
                    ));
                }
            },
            // A label that is not there is empty.
            Value::Map(map) => Value::text(map.get(name).map_or("", String::as_str)),
            Value::Arguments(arguments) => {
                arguments.values.get(name).cloned().unwrap_or(Value::Nothing)
            }
            Value::Sample(sample) => match name {
                "Labels" => Value::Map(Rc::clone(&sample.labels)),
                "Value" => Value::Float(sample.value),
                _ => return none(),
            },
            Value::Time(time) => return method_of_time(*time, name, &[]),
            _ => return none(),
        })
    }
}

/// Keys and elements, in order.
fn elements(value: &Value) -> Result<Box<dyn Iterator<Item = (Value, Value)> + '_>, Failure> {
    Ok(match value {
        Value::Nothing => Box::new(std::iter::empty()),
        Value::Integer(count) => Box::new(
            (0..(*count).max(0)).map(|number| (Value::Integer(number), Value::Integer(number))),
        ),
        Value::Map(map) => Box::new(
            map.iter().map(|(name, text)| (Value::text(name.as_str()), Value::text(text.as_str()))),
        ),
        Value::Arguments(arguments) => Box::new(
            arguments
                .values
                .iter()
                .map(|(name, value)| (Value::text(name.as_str()), value.clone())),
        ),
        Value::Vector(samples) => Box::new(samples.iter().enumerate().map(|(place, sample)| {
            (Value::Integer(place as i64), Value::Sample(Rc::clone(sample)))
        })),
        other => return failed(format!("range can't iterate over {}", other.type_name())),
    })
}

/// Methods of Go's `time.Time` that a text can come of.
fn method_of_time(time: Timestamp, method: &str, arguments: &[Value]) -> Result<Value, Failure> {
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC);
    Ok(match (method, arguments) {
        ("Format", [Value::Text(layout)]) => Value::text(format_time(&zoned, layout)),
        ("String", []) => Value::text(show_time(time)),
        ("UTC", []) => Value::Time(time),
        ("Unix", []) => Value::Integer(time.as_second()),
        ("UnixMilli", []) => Value::Integer(time.as_millisecond()),
        ("Year", []) => Value::Integer(zoned.year().into()),
        ("Month", []) => Value::text(zoned.strftime("%B").to_string()),
        ("Day", []) => Value::Integer(zoned.day().into()),
        ("YearDay", []) => Value::Integer(zoned.day_of_year().into()),
        ("Hour", []) => Value::Integer(zoned.hour().into()),
        ("Minute", []) => Value::Integer(zoned.minute().into()),
        ("Second", []) => Value::Integer(zoned.second().into()),
        ("Weekday", []) => Value::text(zoned.strftime("%A").to_string()),
        _ => return failed(format!("a time has no method {method} for these arguments")),
    })
}

/// Parts of Go's layouts, the longer before those that they begin with, with those of `strftime`.
const LAYOUT: [(&str, &str); 30] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00", "Z"),
    ("Z0700", "Z"),
    (".000000000", ".%9f"),
    (".000000", ".%6f"),
    (".000", ".%3f"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("_2", "%e"),
    ("2", "%-d"),
    ("1", "%-m"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    ("pm", "%P"),
];

/// A time in Go's layout; what is no part of a layout stands for itself.
fn format_time(time: &jiff::Zoned, layout: &str) -> String {
    let (mut out, mut rest) = (String::new(), layout);
    while let Some(first) = rest.chars().next() {
        let part = LAYOUT.iter().find(|(part, _)| rest.starts_with(part));
        match part {
            Some((part, format)) => {
                out.push_str(&time.strftime(format).to_string());
                rest = &rest[part.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}
