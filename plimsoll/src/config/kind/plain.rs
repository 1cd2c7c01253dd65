//! Kinds that are open as to how a value is written: a number with or without quotes, and any value
//! that has a form in JSON.

use serde_json::Value;
use toml::de::DeValue;

use super::super::quantity::Refusal;
use super::super::reader::{Node, Reader, Where};
use super::{Kind, Shape, refuse_text, refuse_type};

/// Text in quotes, a number, `true` or `false`, of which `parse` understands the text.
#[derive(Debug, Clone)]
pub(in crate::config) struct Plain<T> {
    /// What it is, as in "a rate, as in 500 or \"100/min\"".
    pub(in crate::config) what: &'static str,
    /// Reads it.
    pub(in crate::config) parse: fn(&str) -> Result<T, Refusal>,
    /// Shows it, without quotes.
    pub(in crate::config) show: fn(&T) -> String,
}

/// A value that is no list and no table as text. The outer `None` means that a problem was noted.
fn text_of(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Option<String>> {
    Some(match node.value {
        DeValue::String(_) => Some(reader.text(node)?.text),
        DeValue::Integer(integer) => {
            let number = i128::from_str_radix(integer.as_str(), integer.radix());
            Some(number.map_or(integer.as_str().to_owned(), |number| number.to_string()))
        }
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    })
}

impl<T: Clone> Kind for Plain<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let Some(text) = text_of(node, reader)? else {
            refuse_type(&self.shape(), node, reader);
            return None;
        };
        match (self.parse)(&text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let shown = node.value.is_str().then_some(text.as_str());
                refuse_text(refusal, shown, &self.shape(), node, reader);
                None
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::Plain { what: self.what }
    }

    fn show(&self, value: &T) -> String {
        let text = (self.show)(value);
        if text.parse::<f64>().is_ok() { text } else { format!("\"{text}\"") }
    }
}

/// Any value, as JSON. A text at the top stands for itself; within a list or a table it becomes a
/// JSON string.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Json(pub(in crate::config) &'static str);

impl Kind for Json {
    type Value = String;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        match node.value {
            DeValue::String(_) => reader.text(node).map(|text| text.text),
            _ => json(node, reader).map(|value| value.to_string()),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Json(self.0)
    }

    fn show(&self, value: &String) -> String {
        format!("{value:?}")
    }
}

/// The JSON form of a value; `None` if a problem was noted.
fn json(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Value> {
    let below = |key: String, value: &toml::Spanned<DeValue<'_>>| Where { key, span: value.span() };
    match node.value {
        DeValue::String(_) => reader.text(node).map(|text| Value::String(text.text)),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Datetime(time) => Some(Value::String(time.to_string())),
        DeValue::Integer(_) | DeValue::Float(_) => {
            let text = text_of(node, reader)??;
            let number = serde_json::from_str::<serde_json::Number>(text.trim_start_matches('+'));
            if let Ok(number) = number {
                return Some(Value::Number(number));
            }
            let refusal = Refusal::new("JSON has no such number").remedy("write it in quotes");
            refuse_text(refusal, None, &Shape::Json("a number that JSON has"), node, reader);
            None
        }
        DeValue::Array(array) => {
            let mut items = Vec::with_capacity(array.len());
            for (index, value) in array.iter().enumerate() {
                let at = below(format!("{}[{index}]", node.at.key), value);
                items.push(json(&Node { value: value.get_ref(), at }, reader)?);
            }
            Some(Value::Array(items))
        }
        DeValue::Table(table) => {
            let mut members = serde_json::Map::new();
            for (name, value) in table {
                let at = below(node.at.child(name.get_ref()), value);
                let value = json(&Node { value: value.get_ref(), at }, reader)?;
                members.insert(name.get_ref().to_string(), value);
            }
            Some(Value::Object(members))
        }
    }
}
