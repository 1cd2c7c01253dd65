//! Whole plans in, messages out. Every refused plan has a fixture with its exact message:
//! `NAME.toml` and `NAME.expected` under `tests/fixtures/bench`. `UPDATE_EXPECT=1` writes what is
//! said now into the expectations; read the difference before committing it.

mod damage;
mod documents;
mod fixtures;
mod plans;

use std::path::{Path, PathBuf};

use super::super::problem::{ConfigErrors, Warning};
use super::file::{self, Read};
use super::model::Plan;
use super::resolve::Overrides;

/// The environment that tests see.
fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("10.0.0.7".to_owned()),
        "RATE" => Some("250".to_owned()),
        _ => None,
    }
}

/// The crate's directory, or one above it.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Resolves `text` as the file `name`; data is beside the fixtures.
fn resolve(name: &str, text: &str) -> Result<(Plan, Vec<Warning>), ConfigErrors> {
    let directory = root("tests/fixtures/bench");
    let read = file::resolve(name, text, &directory, Overrides::default(), &environment)?;
    let Read { plan, errors, further, warnings, refused } = read;
    assert!(refused.is_empty());
    plan.map(|plan| (plan, warnings)).ok_or(ConfigErrors { errors, further })
}
