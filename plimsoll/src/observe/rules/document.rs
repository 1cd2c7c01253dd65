//! YAML as a tree that knows where in the file everything stands.
//!
//! Built from the parser's events, not from a loader's tree: a loader copies what an alias names
//! and descends as deep as the text is nested, and so a small file can take all memory or the
//! stack. Here an alias shares its anchor's node, and four bounds hold before anything reads the
//! tree: [`BYTES_MAX`], [`DEPTH_MAX`], [`NODES_MAX`] (counted as if all aliases were written out),
//! and one document a file.
//!
//! As YAML has it for Prometheus: keys are texts, occur once, and `<<` merges mappings.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::config::problem::Span;

/// Most bytes of a file.
pub(super) const BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of mappings and sequences; rules need six.
pub(super) const DEPTH_MAX: usize = 32;
/// Most nodes of a file, aliases written out.
pub(super) const NODES_MAX: usize = 500_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Bytes of the file.
    pub(super) span: Span,
    pub(super) content: Rc<Content>,
    /// Nodes in it, itself included, aliases written out.
    size: usize,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// Keys occur once, and are scalars.
    Mapping(Vec<(Node, Node)>),
}

/// A text.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: ScalarStyle,
    /// Whether it stands for nothing: `~`, `null` or no text at all, without quotes.
    pub(super) is_null: bool,
}

/// Why a text is no document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

impl Node {
    /// The scalar's text; `None` for what is none or stands for nothing.
    pub(super) fn text(&self) -> Option<&str> {
        match &*self.content {
            Content::Scalar(scalar) if !scalar.is_null => Some(&scalar.text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&*self.content, Content::Scalar(scalar) if scalar.is_null)
    }

    /// What it is, in words.
    pub(super) fn describe(&self) -> &'static str {
        match &*self.content {
            Content::Scalar(scalar) if scalar.is_null => "nothing",
            Content::Scalar(_) => "a text",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }
}

/// The only document of a text; `None` if it is empty.
pub(super) fn read(text: &str) -> Result<Option<Node>, Fault> {
    if text.len() > BYTES_MAX {
        return Err(Fault {
            span: 0..0,
            message: format!("the file is larger than {BYTES_MAX} bytes"),
            remedy: "split it",
        });
    }
    let offsets = Offsets::new(text);
    // The parser is foreign and the text may be hostile: a fault there costs one file, not more.
    catch_unwind(AssertUnwindSafe(|| Builder::new(&offsets).build(text))).unwrap_or_else(|_| {
        Err(Fault {
            span: 0..0,
            message: "the YAML parser failed at this file".to_owned(),
            remedy: "write it more plainly",
        })
    })
}

/// From the parser's places, which count characters, to bytes.
struct Offsets {
    /// Of each character, unless all of them are ASCII.
    starts: Option<Vec<u32>>,
    bytes: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        // Within u32: the text has at most BYTES_MAX bytes.
        let starts =
            (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at as u32).collect());
        Self { starts, bytes: text.len() }
    }

    fn of(&self, marker: Marker) -> usize {
        let index = marker.index();
        match &self.starts {
            Some(starts) => starts.get(index).map_or(self.bytes, |start| *start as usize),
            None => index.min(self.bytes),
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.of(span.start);
        start..self.of(span.end).max(start)
    }
}

/// A mapping or sequence whose end is still to come.
struct Open {
    span: Span,
    anchor: usize,
    size: usize,
    items: Vec<Node>,
    is_mapping: bool,
}

struct Builder<'a> {
    offsets: &'a Offsets,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
}

impl<'a> Builder<'a> {
    fn new(offsets: &'a Offsets) -> Self {
        Self { offsets, open: Vec::new(), anchors: HashMap::new(), root: None, documents: 0 }
    }

    fn build(mut self, text: &str) -> Result<Option<Node>, Fault> {
        // Each event takes at least a character or ends what one began: the text bounds the loop.
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let at = self.offsets.of(*error.marker());
                Fault {
                    span: at..at,
                    message: format!("this is not YAML: {}", error.info()),
                    remedy: "look at the indentation, and put texts with `: `, ` #`, `{` or `%` in \
                             quotes",
                }
            })?;
            let span = self.offsets.span(span);
            self.take(event, span)?;
        }
        Ok(self.root)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault {
                        span,
                        message: "a second YAML document begins here".to_owned(),
                        remedy: "put it in a file of its own, or its groups under the first \
                                 `groups`",
                    });
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let scalar = Scalar { text: text.into_owned(), style, is_null };
                let content = Rc::new(Content::Scalar(scalar));
                self.add(Node { span, content, size: 1 }, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.add(node.clone(), 0),
                None => Err(Fault {
                    span,
                    message: "this alias is within its own anchor".to_owned(),
                    remedy: "write the value out",
                }),
            },
            Event::SequenceStart(anchor, _) => self.begin(span, anchor, false),
            Event::MappingStart(anchor, _) => self.begin(span, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, span: Span, anchor: usize, is_mapping: bool) -> Result<(), Fault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Fault {
                span,
                message: format!("this is nested deeper than {DEPTH_MAX} levels"),
                remedy: "rules need six levels; write it flatter",
            });
        }
        self.open.push(Open { span, anchor, size: 1, items: Vec::new(), is_mapping });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let whole = open.span.start..span.end.max(open.span.end);
        let content = match open.is_mapping {
            true => Content::Mapping(entries(open.items)?),
            false => Content::Sequence(open.items),
        };
        self.add(Node { span: whole, content: Rc::new(content), size: open.size }, open.anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        open.size = open.size.saturating_add(node.size);
        if open.size > NODES_MAX {
            return Err(Fault {
                span: node.span,
                message: format!(
                    "the file has more than {NODES_MAX} values, each alias counted as what it \
                     stands for"
                ),
                remedy: "split it",
            });
        }
        open.items.push(node);
        Ok(())
    }
}

/// Pairs of keys and values from what alternates, with merged mappings in the place of `<<`.
fn entries(items: Vec<Node>) -> Result<Vec<(Node, Node)>, Fault> {
    let mut own: Vec<(Node, Node)> = Vec::with_capacity(items.len() / 2);
    let (mut seen, mut merged) = (BTreeSet::new(), Vec::new());
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let Content::Scalar(Scalar { text, style, .. }) = &*key.content else {
            return Err(Fault {
                span: key.span,
                message: "a key is a text".to_owned(),
                remedy: "if this is a template or an expression, put it in quotes",
            });
        };
        if text == "<<" && *style == ScalarStyle::Plain {
            merged.push(value);
            continue;
        }
        if !seen.insert(text.clone()) {
            return Err(Fault {
                span: key.span.clone(),
                message: format!("the key `{text}` occurs twice in this mapping"),
                remedy: "remove one of them",
            });
        }
        own.push((key, value));
    }
    for value in merged {
        let sources = match &*value.content {
            Content::Sequence(nodes) => nodes.clone(),
            _ => vec![value],
        };
        for source in sources {
            let Content::Mapping(pairs) = &*source.content else {
                return Err(Fault {
                    span: source.span.clone(),
                    message: format!("`<<` merges mappings, and this is {}", source.describe()),
                    remedy: "name an anchor that stands at a mapping",
                });
            };
            for (key, value) in pairs {
                if seen.insert(key.text().unwrap_or_default().to_owned()) {
                    own.push((key.clone(), value.clone()));
                }
            }
        }
    }
    Ok(own)
}
