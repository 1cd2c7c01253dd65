//! Whole files in, messages out. Every refused configuration has a fixture with its exact message:
//! `NAME.toml` and `NAME.expected` under `tests/fixtures/config`. `UPDATE_EXPECT=1` writes what is
//! said now into the expectations; read the difference before committing it.

mod environment;
mod examples;
mod files;
pub(in crate::config) mod fixtures;
mod many;
mod observe;
mod reload;
mod values;
pub(in crate::config) mod words;

use std::path::{Path, PathBuf};

use super::file::Loaded;
use super::problem::ConfigErrors;

/// The environment that tests see.
fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("10.0.0.7".to_owned()),
        "COUNT" => Some("3".to_owned()),
        "SECRET" => Some("hunter2".to_owned()),
        "BAD" => Some("many".to_owned()),
        _ => None,
    }
}

/// Resolves `text` as the file `plimsoll.toml`.
fn resolve(text: &str) -> Result<Loaded, ConfigErrors> {
    super::file::resolve("plimsoll.toml", text, Path::new(""), &environment)
}

/// The crate's directory, or one above it.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
