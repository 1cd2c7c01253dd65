//! XML text to a tree of nodes that know their place.
//!
//! Only what JMeter writes is understood: elements, attributes, text, the five predefined entities
//! and character references. Document types are refused, so nothing outside the text is ever read
//! and nothing expands. Size, depth and number of nodes are bounded.

use quick_xml::errors::Error as XmlError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::config::problem::{ConfigError, ConfigErrors, Source, Span};

/// Largest plan, in bytes.
pub(super) const FILE_BYTES: usize = 32 << 20;
/// Deepest nesting of tags. JMeter adds two for each level of its tree.
const DEPTH: usize = 200;
/// Most tags of a plan.
const NODES: usize = 500_000;
/// What can be done about a text that is not XML.
const REMEDY: &str = "open the plan in JMeter and save it again";

/// An element of XML.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its name.
    pub(super) tag: String,
    /// Names and values, unescaped.
    pub(super) attributes: Vec<(String, String)>,
    /// The text directly within, unescaped.
    pub(super) text: String,
    /// The elements directly within.
    pub(super) children: Vec<Node>,
    /// The start tag.
    pub(super) span: Span,
}

impl Node {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first child of that name.
    pub(super) fn child(&self, tag: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.tag == tag)
    }
}

/// Reads the whole text; the result is its outermost element.
///
/// # Errors
/// What is not XML, or beyond the bounds.
pub(super) fn read(source: &Source) -> Result<Node, ConfigErrors> {
    let at = |span: Span, message: String| {
        let error = ConfigError::new("", message).remedy(REMEDY);
        ConfigErrors::from(error.at(Some(source.place(&span))))
    };
    if source.text.len() > FILE_BYTES {
        let message = format!("the plan is larger than {} MiB", FILE_BYTES >> 20);
        return Err(at(0..0, message));
    }
    let mut reader = Reader::from_str(&source.text);
    let mut open = vec![Node::default()];
    let mut nodes = 0;
    loop {
        let start = position(reader.buffer_position());
        let event = reader.read_event();
        let span = start..position(reader.buffer_position());
        let event = event.map_err(|error| {
            let place = position(reader.error_position());
            at(place..place + 1, format!("the plan is not XML: {error}"))
        })?;
        let done = step(event, &span, &mut open).map_err(|message| at(span.clone(), message))?;
        nodes += usize::from(done == Step::Element);
        if nodes > NODES {
            return Err(at(span, format!("the plan has more than {NODES} tags")));
        }
        if done == Step::End {
            break;
        }
    }
    let end = source.text.len();
    match (open.pop(), open.pop()) {
        (Some(mut document), None) => {
            document.children.pop().ok_or_else(|| at(0..0, nothing(&source.text).to_owned()))
        }
        (Some(unclosed), _) => {
            Err(at(end..end, format!("the plan ends within <{}>", unclosed.tag)))
        }
        (None, _) => Err(at(0..0, nothing(&source.text).to_owned())),
    }
}

/// What a text without any tag is.
fn nothing(text: &str) -> &'static str {
    match text.trim().is_empty() {
        true => "the plan is empty",
        false => "the plan is not XML: there is no tag in it",
    }
}

/// A place in a text that fits into memory.
fn position(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX - 1)
}

#[derive(PartialEq)]
enum Step {
    Element,
    Other,
    End,
}

/// Adds an event to the innermost open node.
fn step(event: Event<'_>, span: &Span, open: &mut Vec<Node>) -> Result<Step, String> {
    match event {
        Event::Start(start) => {
            if open.len() > DEPTH {
                return Err(format!("the plan is nested deeper than {DEPTH} tags"));
            }
            open.push(node(&start, span)?);
            return Ok(Step::Element);
        }
        Event::Empty(start) => {
            let node = node(&start, span)?;
            if let Some(parent) = open.last_mut() {
                parent.children.push(node);
            }
            return Ok(Step::Element);
        }
        Event::End(_) => close(open),
        Event::Text(text) => append(open, &text.xml10_content()),
        Event::CData(data) => append(open, &data.xml10_content()),
        Event::GeneralRef(reference) => append(open, resolve(&reference)?.as_ref()),
        Event::DocType(_) => {
            return Err("the plan has a document type, which JMeter does not write".to_owned());
        }
        Event::Eof => return Ok(Step::End),
        Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
    }
    Ok(Step::Other)
}

/// Moves the innermost open node into the one around it.
fn close(open: &mut Vec<Node>) {
    if let Some(node) = open.pop() {
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => open.push(node),
        }
    }
}

fn append(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

fn node(start: &BytesStart<'_>, span: &Span) -> Result<Node, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("the plan is not XML: {error}"))?;
        let value = quick_xml::escape::unescape(&attribute.value)
            .map_err(|error| format!("the plan is not XML: {error}"))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    let tag = start.name().as_ref().to_owned();
    Ok(Node { tag, attributes, span: span.clone(), ..Node::default() })
}

/// The text that a reference stands for.
fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    let character = reference.resolve_char_ref().map_err(|error: XmlError| error.to_string())?;
    if let Some(character) = character {
        return Ok(character.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(reference)
        .map(str::to_owned)
        .ok_or_else(|| format!("the plan uses an unknown entity, `&{};`", &**reference))
}
