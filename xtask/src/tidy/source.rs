//! A file of the repository, with what the rules ask of it.
//!
//! Positions are lines, from 1, because that is what a finding names. Whether code is a test's
//! is decided here, once: a file under a `tests` folder or named `tests.rs`, or an item under
//! `#[cfg(test)]` or `#[test]`.

use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A file.
pub(super) struct Source {
    /// From the root of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// `None` for what is not Rust.
    pub(super) rust: Option<Rust>,
}

/// What a Rust file holds.
#[derive(Default)]
pub(super) struct Rust {
    pub(super) functions: Vec<Function>,
    pub(super) paths: Vec<UsedPath>,
    /// Lines where the keyword `unsafe` stands.
    pub(super) unsafe_lines: Vec<usize>,
    /// Attributes of the whole file and of everything in it, without blanks: `#[ignore]` is
    /// `ignore`.
    pub(super) attributes: Vec<Attribute>,
    /// Lines of items that are compiled for tests only.
    tests: Vec<RangeInclusive<usize>>,
    /// Lines and names of modules written in this file.
    modules: Vec<(RangeInclusive<usize>, String)>,
}

/// A function with a body.
pub(super) struct Function {
    pub(super) name: String,
    /// From its signature to its closing brace.
    pub(super) lines: RangeInclusive<usize>,
}

/// A path that the code names: in a `use`, an expression, a type or a macro's arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UsedPath {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

/// An attribute.
pub(super) struct Attribute {
    pub(super) line: usize,
    pub(super) text: String,
    /// `#![…]` rather than `#[…]`.
    pub(super) is_inner: bool,
}

impl Source {
    pub(super) fn read(path: String, text: String) -> syn::Result<Self> {
        let rust = if path.ends_with(".rs") { Some(Rust::read(&text)?) } else { None };
        Ok(Self { path, text, rust })
    }

    /// The parts of the path: folders and the file's name without `.rs`.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.path.strip_suffix(".rs").unwrap_or(&self.path).split('/').collect()
    }

    /// Whether the whole file is a test's.
    pub(super) fn is_test_file(&self) -> bool {
        self.parts().iter().any(|part| *part == "tests" || *part == "benches")
    }

    /// The module that a line of this file belongs to, below `crate`; `None` outside `src`.
    pub(super) fn module(&self, line: usize) -> Option<Vec<String>> {
        let (_, below) = self.path.strip_suffix(".rs")?.split_once("/src/")?;
        let mut module: Vec<String> = below.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "main" | "lib")) {
            module.pop();
        }
        let inline = self.rust.iter().flat_map(|rust| &rust.modules);
        module.extend(inline.filter(|(lines, _)| lines.contains(&line)).map(|(_, n)| n.clone()));
        Some(module)
    }
}

impl Rust {
    fn read(text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let mut rust = Self::default();
        rust.visit_file(&file);
        let tokens: TokenStream = text.parse()?;
        rust.scan(tokens);
        rust.paths.sort();
        rust.paths.dedup();
        Ok(rust)
    }

    /// Whether this line is compiled for tests only.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// Finds `a::b::c` and `unsafe` wherever they stand, macros included. Groups of a `use` are
    /// completed by the visitor.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if name == "unsafe" {
                        self.unsafe_lines.push(ident.span().start().line);
                    }
                    if colons != 2 || path.is_empty() {
                        self.end_path(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(name);
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end_path(&mut path, line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.end_path(&mut path, line);
    }

    fn end_path(&mut self, path: &mut Vec<String>, line: usize) {
        let segments = std::mem::take(path);
        if segments.len() > 1 {
            self.paths.push(UsedPath { line, segments });
        }
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let mut segments = before.to_vec();
        match tree {
            syn::UseTree::Path(path) => {
                segments.push(path.ident.to_string());
                self.import(&path.tree, &segments);
                return;
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
                return;
            }
            syn::UseTree::Name(name) => segments.push(name.ident.to_string()),
            syn::UseTree::Rename(rename) => segments.push(rename.ident.to_string()),
            syn::UseTree::Glob(_) => segments.push("*".into()),
        }
        self.paths.push(UsedPath { line: tree.span().start().line, segments });
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let start = signature.span().start().line;
        let lines = start..=block.span().end().line;
        self.functions.push(Function { name: signature.ident.to_string(), lines });
    }
}

impl<'ast> Visit<'ast> for Rust {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if attributes(item).iter().any(is_for_tests) {
            self.tests.push(lines(item));
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_some() {
            self.modules.push((lines(module), module.ident.to_string()));
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.attrs.iter().any(is_for_tests) {
            self.tests.push(lines(item));
        }
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.attributes.push(Attribute {
            line: attribute.span().start().line,
            text: meta_text(&attribute.meta),
            is_inner: matches!(attribute.style, syn::AttrStyle::Inner(_)),
        });
    }
}

fn lines(item: &impl Spanned) -> RangeInclusive<usize> {
    let span = item.span();
    span.start().line..=span.end().line
}

/// An attribute's inside without blanks.
fn meta_text(meta: &syn::Meta) -> String {
    let path = meta.path();
    let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    let rest = match meta {
        syn::Meta::List(list) => format!("({})", list.tokens),
        _ => String::new(),
    };
    let text = format!("{}{rest}", names.join("::"));
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let text = meta_text(&attribute.meta);
    let is_test_function = text == "test" || text.ends_with("::test");
    let is_for_tests = ["cfg(test)", "cfg(all(test,", "cfg(any(test,"];
    is_test_function || is_for_tests.iter().any(|start| text.starts_with(start))
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn source(path: &str, text: &str) -> Source {
        Source::read(path.to_owned(), text.to_owned()).unwrap()
    }

    fn paths(text: &str) -> Vec<String> {
        let source = source("plimsoll/src/edge/part.rs", text);
        source.rust.unwrap().paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_imports_expressions_types_and_macros() {
        assert_eq!(
            paths("use crate::{edge::{A, b::*}, fleet as f};\n")
                .iter()
                .filter(|path| path.starts_with("crate::"))
                .collect::<Vec<_>>(),
            ["crate::edge::A", "crate::edge::b::*", "crate::fleet"]
        );
        let found = paths("fn f(x: a::B) -> Vec<c::D> {\n    e::f(); format!(\"{}\", g::h()) }\n");
        assert_eq!(found, ["a::B", "c::D", "e::f", "g::h"]);
    }

    #[test]
    fn a_field_with_a_type_is_not_a_path() {
        assert!(paths("struct S { field: Kind, other: u8 }\n").is_empty());
    }

    #[test]
    fn test_code_is_known_by_attribute_and_by_file() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n#[tokio::test]\n\
                    async fn h() {}\n#[cfg(not(test))]\nfn i() {}\n";
        let source = source("plimsoll/src/edge/part.rs", text);
        let rust = source.rust.as_ref().unwrap();
        let expected = [false, true, true, true, true, true, true, false, false];
        for (index, expected) in expected.into_iter().enumerate() {
            assert_eq!(rust.is_test(index + 1), expected, "line {}", index + 1);
        }
        assert!(!source.is_test_file());
        for path in ["plimsoll/tests/demo.rs", "plimsoll/src/edge/part/tests.rs"] {
            assert!(Source::read(path.into(), String::new()).unwrap().is_test_file());
        }
    }

    #[test]
    fn a_line_knows_its_module() {
        let text = "fn f() {}\nmod inner {\n    fn g() {}\n}\n";
        assert_eq!(source("plimsoll/src/edge/mod.rs", text).module(1).unwrap(), ["edge"]);
        let part = source("plimsoll/src/edge/part.rs", text);
        assert_eq!(part.module(1).unwrap(), ["edge", "part"]);
        assert_eq!(part.module(3).unwrap(), ["edge", "part", "inner"]);
        assert!(source("plimsoll/src/main.rs", text).module(1).unwrap().is_empty());
        assert_eq!(source("plimsoll/tests/demo.rs", text).module(1), None);
    }
}
