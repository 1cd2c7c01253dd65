//! The JSON Schema of the configuration file, made from the tables of `grammar`, for editors that
//! complete and check TOML.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::grammar;
use super::kind::Shape;
use super::table::{DefaultDoc, FieldDoc, RawTable, TableDoc};

/// `docs/config.schema.json` (JSON Schema 2020-12).
pub fn schema() -> Value {
    of_table(&grammar::Top::doc(), "Plimsoll configuration")
}

/// The schema of a kind of file whose top level is `top`.
pub(super) fn of_table(top: &TableDoc, title: &str) -> Value {
    let mut tables = Tables::default();
    let mut schema = tables.table(top);
    if let Value::Object(schema) = &mut schema {
        if !tables.again.is_empty() {
            let definitions: Map<String, Value> = std::mem::take(&mut tables.again)
                .into_values()
                .map(|doc| (doc.path.to_owned(), Tables::default().table(&doc)))
                .collect();
            schema.insert("$defs".to_owned(), json!(definitions));
        }
        let version = "https://json-schema.org/draft/2020-12/schema";
        schema.insert("$schema".to_owned(), json!(version));
        schema.insert("title".to_owned(), json!(title));
    }
    schema
}

/// Tables while they are written: each where it stands, but for those that stand within themselves.
#[derive(Default)]
struct Tables {
    /// The paths of those around the place that is being written.
    around: Vec<&'static str>,
    /// Those that were met within themselves, by their path.
    again: BTreeMap<&'static str, TableDoc>,
}

impl Tables {
    fn table(&mut self, doc: &TableDoc) -> Value {
        self.around.push(doc.path);
        let properties: Map<String, Value> =
            doc.fields.iter().map(|field| (field.key.to_owned(), self.property(field))).collect();
        self.around.pop();
        let required: Vec<&str> = doc
            .fields
            .iter()
            .filter(|field| matches!(field.default, DefaultDoc::Required))
            .map(|field| field.key)
            .collect();
        let mut table = json!({
            "type": "object",
            "description": doc.doc,
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            table["required"] = json!(required);
        }
        table
    }

    fn property(&mut self, field: &FieldDoc) -> Value {
        let mut property = self.shape(&field.shape);
        let default = match &field.default {
            DefaultDoc::Value(value) => format!(" Default: {value}."),
            DefaultDoc::Words(words) => format!(" Default: {words}."),
            DefaultDoc::Section | DefaultDoc::Required => String::new(),
        };
        property["description"] = json!(format!("{}{default}", field.doc));
        property
    }

    fn shape(&mut self, of: &Shape) -> Value {
        match of {
            Shape::False => json!({ "const": false }),
            Shape::Flag => or_variable(json!({ "type": "boolean" })),
            Shape::Integer(bounds) => or_variable(
                json!({ "type": "integer", "minimum": bounds.start(), "maximum": bounds.end() }),
            ),
            Shape::Text { pattern: Some(pattern), .. } => {
                json!({ "type": "string", "pattern": format!("{pattern}|\\$\\{{") })
            }
            Shape::Text { pattern: None, .. } => json!({ "type": "string" }),
            Shape::Choice(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                json!({ "enum": words })
            }
            Shape::Plain { .. } => json!({ "type": ["string", "number", "boolean"] }),
            Shape::Json(_) => json!({ "type": ["string", "number", "boolean", "array", "object"] }),
            Shape::List(of) => json!({ "type": "array", "items": self.shape(of) }),
            Shape::Map(of) => json!({ "type": "object", "additionalProperties": self.shape(of) }),
            Shape::Table(doc) => {
                let doc = doc();
                if !self.around.contains(&doc.path) {
                    return self.table(&doc);
                }
                let reference = json!({ "$ref": format!("#/$defs/{}", doc.path) });
                self.again.insert(doc.path, doc);
                reference
            }
            Shape::Either(first, second) => {
                json!({ "anyOf": [self.shape(first), self.shape(second)] })
            }
        }
    }
}

/// Numbers and flags may come from a variable: `"${NAME}"`.
fn or_variable(plain: Value) -> Value {
    json!({ "anyOf": [plain, { "type": "string", "pattern": "\\$\\{" }] })
}
