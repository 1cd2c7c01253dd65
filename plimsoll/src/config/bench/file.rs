//! A plan file, from its path to the plan.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::super::file::{self, Expected};
use super::super::kind::{self, Kind};
use super::super::problem::{ConfigError, ConfigErrors, Source, Warning};
use super::super::reader::{Environment, Node, Reader, Where};
use super::super::syntax;
use super::grammar;
use super::model::Plan;
use super::resolve::{self, Overrides, Refused};

/// What a plan file is called where there is none.
const PLAN: Expected = Expected {
    otherwise: "correct the path, or name a URL: plimsoll bench http://127.0.0.1:9999/",
    example: "plan.toml",
};
/// What is said where `-c` is meant as other tools mean it.
const NUMBER: Expected = Expected {
    otherwise: "-c names a plan; for that many connections write --connections, as in \
                --connections 64",
    ..PLAN
};
/// What a first plan can look like.
const SMALLEST: &str = "url = \"http://127.0.0.1:9999\", rate = 100 and for = \"30s\"";

/// A plan file that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// The plan; `None` if the text has mistakes.
    pub(super) plan: Option<Plan>,
    /// The mistakes of the text.
    pub(super) errors: Vec<ConfigError>,
    /// How many more there are.
    pub(super) further: usize,
    /// What of the command line does not go with it.
    pub(super) refused: Vec<Refused>,
    /// What is likely not meant.
    pub(super) warnings: Vec<Warning>,
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read or is not TOML.
pub(super) fn load(path: &Path, overrides: Overrides) -> Result<Read, ConfigErrors> {
    let name = path.display().to_string();
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let text = file::read(path, &name, if is_number { NUMBER } else { PLAN })?;
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    resolve(&name, &text, &directory, overrides, &|variable| std::env::var(variable).ok())
}

/// Resolves a text with the environment passed in. `name` is the file's name in messages; relative
/// paths begin at `directory`.
///
/// # Errors
/// When it is not TOML.
pub(super) fn resolve(
    name: &str,
    text: &str,
    directory: &Path,
    overrides: Overrides,
    environment: Environment<'_>,
) -> Result<Read, ConfigErrors> {
    let source = Source::new(name, text);
    if text.trim().is_empty() {
        let error = ConfigError::new("", format!("{name} is empty"))
            .remedy(format!("begin with {SMALLEST}"));
        return Err(error.into());
    }
    let table = match DeTable::parse(text) {
        Ok(table) => DeValue::Table(table.into_inner()),
        Err(_) => return Err(syntax::errors(&source, "[[request]]")),
    };
    let mut reader = Reader::new(source, environment, &grammar::VOCABULARY);
    let root = Node { value: &table, at: Where { key: String::new(), span: 0..0 } };
    let read = Kind::read(&kind::table::<grammar::Top>(), &root, &mut reader)
        .map(|top| resolve::plan(&top, Path::new(name), directory, overrides, &mut reader));
    let (plan, refused) = read.map_or((None, Vec::new()), |(plan, refused)| (Some(plan), refused));
    Ok(match reader.finish() {
        Ok((warnings, _)) => Read { plan, errors: Vec::new(), further: 0, refused, warnings },
        Err(ConfigErrors { errors, further }) => {
            Read { plan: None, errors, further, refused, warnings: Vec::new() }
        }
    })
}
