//! Templates in the labels and annotations of alerts, as Prometheus expands them: Go's
//! `text/template` with Prometheus' functions.
//!
//! `lex` makes tokens of a text, `parse` makes a tree of them (and so finds what is wrong when rules
//! are loaded), `run` walks the tree, `call` has the functions, `format` is Go's `printf`.
//!
//! Invariants: no text makes it panic or run long. Nesting, steps, and bytes of what comes of it
//! are bounded: see [`NESTING_MAX`], [`STEPS_MAX`], [`OUTPUT_BYTES_MAX`]. Time and queries are
//! given.
//!
//! Left out, and refused: `block`, `call`, complex numbers, and methods other than those of times.
//! A value is what it is in Go: `{{ gt $value 10 }}` fails there and here, because `$value` is a
//! float64 and 10 an int; `10.0` is meant.
//!
//! Sources: <https://pkg.go.dev/text/template>,
//! <https://prometheus.io/docs/prometheus/latest/configuration/template_reference/>.

mod call;
mod compare;
mod format;
mod humanize;
mod lex;
mod parse;
mod run;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod value;

use std::collections::BTreeMap;

use tsdb::labels::Labels;

/// Deepest nesting of a template's blocks and parentheses.
pub const NESTING_MAX: usize = 32;
/// Most commands that one expansion runs.
pub const STEPS_MAX: usize = 100_000;
/// Most bytes that come of one expansion, and of any text on the way.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a template.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a template is expanded with.
#[derive(Debug, Clone)]
pub struct Data {
    /// `$labels`: those of the expression's answer, `__name__` included if it has one.
    pub labels: Labels,
    /// `$value`.
    pub value: f64,
    /// `$externalLabels`.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL`; its path is `pathPrefix`.
    pub external_url: String,
    /// When the rule is evaluated, milliseconds since 1970.
    pub now: i64,
}

/// What `query` in a template answers with.
pub type Answer = Result<Vec<(Labels, f64)>, String>;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes from its start.
    pub position: usize,
    /// What.
    pub message: String,
    /// What to do about it, if that can be said.
    pub remedy: Option<String>,
}

impl Fault {
    fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into(), remedy: None }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Whether a text can be expanded: its syntax, and the names in it.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(text: &str) -> Result<(), Fault> {
    parse::parse(text).map(|_| ())
}

/// Expands a text. `query` is asked for what the template's `query` wants.
///
/// # Errors
/// What is wrong with the template, or went wrong in it.
pub fn expand(
    text: &str,
    data: &Data,
    query: &mut dyn FnMut(&str) -> Answer,
) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let tree = parse::parse(text).map_err(|fault| fault.message)?;
    run::run(&tree, data, query).map_err(|error| error.to_string())
}
