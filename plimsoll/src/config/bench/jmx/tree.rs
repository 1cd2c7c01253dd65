//! Nodes of XML to the elements of a JMeter plan.
//!
//! JMeter saves an element and, as its next sibling, a `hashTree` with what lies below it. Disabled
//! elements are dropped here together with all that lies below them, so nothing else needs to know
//! of them.

use super::xml::Node;
use crate::config::problem::{ConfigError, ConfigErrors, Source, Span};

/// An element of the plan: a sampler, a controller, a timer…
#[derive(Debug)]
pub(super) struct Element {
    /// Its kind: `ThreadGroup`, `HTTPSamplerProxy`… Packages in front are kept.
    pub(super) class: String,
    /// The dialog that it was made with, which tells kinds apart that share a class.
    pub(super) dialog: String,
    /// What the author calls it.
    pub(super) name: String,
    /// Its settings.
    pub(super) properties: Vec<Property>,
    /// What lies below.
    pub(super) children: Vec<Element>,
    /// Its start tag.
    pub(super) span: Span,
}

/// A setting.
#[derive(Debug)]
pub(super) struct Property {
    /// `HTTPSampler.domain`…
    pub(super) name: String,
    /// What it is set to.
    pub(super) value: Value,
    /// Its start tag.
    pub(super) span: Span,
}

/// What a setting is set to.
#[derive(Debug)]
pub(super) enum Value {
    /// A text, number or truth.
    Text(String),
    /// Settings within.
    Nested(Vec<Property>),
}

impl Property {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Nested(_) => None,
        }
    }

    /// The settings within.
    pub(super) fn nested(&self) -> &[Property] {
        match &self.value {
            Value::Text(_) => &[],
            Value::Nested(properties) => properties,
        }
    }

    /// The text of a setting within.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        find(self.nested(), name).and_then(Property::text)
    }
}

/// The setting of that name.
pub(super) fn find<'a>(properties: &'a [Property], name: &str) -> Option<&'a Property> {
    properties.iter().find(|property| property.name == name)
}

impl Element {
    /// The setting of that name.
    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        find(&self.properties, name)
    }

    /// The text of the setting of that name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.property(name).and_then(Property::text)
    }

    /// The text of the setting of that name, blanks around it cut off; empty where there is none.
    pub(super) fn trimmed(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default().trim()
    }

    /// Whether the setting of that name is `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.trimmed(name) == "true"
    }

    /// Where the setting of that name is, or else the element.
    pub(super) fn place(&self, name: &str) -> &Span {
        self.property(name).map_or(&self.span, |property| &property.span)
    }

    /// The members of a collection within an element within: `HTTPsampler.Arguments`,
    /// `Arguments.arguments`.
    pub(super) fn members(&self, element: &str, collection: &str) -> &[Property] {
        self.property(element)
            .and_then(|within| find(within.nested(), collection))
            .map_or(&[], Property::nested)
    }

    /// The members of a collection.
    pub(super) fn collection(&self, name: &str) -> &[Property] {
        self.property(name).map_or(&[], Property::nested)
    }
}

/// The plan's outermost elements: mostly the one `TestPlan`.
///
/// # Errors
/// The text is XML, but no JMeter plan.
pub(super) fn elements(source: &Source, root: Node) -> Result<Vec<Element>, ConfigErrors> {
    if root.tag != "jmeterTestPlan" {
        let message = "this is XML, but no JMeter plan";
        return Err(ConfigError::new("", message)
            .found(format!("<{}>", root.tag))
            .allowed("<jmeterTestPlan>, as JMeter saves plans")
            .at(Some(source.place(&root.span)))
            .into());
    }
    let mut elements = Vec::new();
    for node in root.children {
        if node.tag == "hashTree" {
            elements.extend(hash_tree(node));
        }
    }
    Ok(elements)
}

/// The enabled elements of a `hashTree`.
fn hash_tree(tree: Node) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut last_enabled = true;
    for node in tree.children {
        if node.tag != "hashTree" {
            last_enabled = node.attribute("enabled") != Some("false");
            if last_enabled {
                elements.push(element(node));
            }
        } else if last_enabled && let Some(parent) = elements.last_mut() {
            parent.children.extend(hash_tree(node));
        }
    }
    elements
}

fn element(node: Node) -> Element {
    let dialog = node.attribute("guiclass").unwrap_or_default().to_owned();
    let name = node.attribute("testname").unwrap_or_default().to_owned();
    let properties = node.children.into_iter().filter_map(property).collect();
    Element { class: node.tag, dialog, name, properties, children: Vec::new(), span: node.span }
}

/// A setting; `None` for what is not one, as the saved columns of a listener.
fn property(node: Node) -> Option<Property> {
    let named = node.attribute("name").map(str::to_owned);
    match node.tag.as_str() {
        "stringProp" | "boolProp" | "intProp" | "longProp" | "floatProp" | "doubleProp"
        | "FloatProperty" | "DoubleProperty" => {
            // Numbers with a fraction hold their name and value in elements of their own.
            if let (None, Some(name), Some(value)) =
                (&named, node.child("name"), node.child("value"))
            {
                let value = Value::Text(value.text.clone());
                return Some(Property {
                    name: name.text.trim().to_owned(),
                    value,
                    span: node.span,
                });
            }
            Some(Property { name: named?, value: Value::Text(node.text), span: node.span })
        }
        "elementProp" | "collectionProp" => {
            let value = Value::Nested(node.children.into_iter().filter_map(property).collect());
            Some(Property { name: named?, value, span: node.span })
        }
        _ => None,
    }
}
