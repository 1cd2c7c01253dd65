//! Rules: what is recorded and what raises alarms. Texts in, [`Group`]s out; nothing is evaluated
//! here.
//!
//! There are three origins, and one way: files in Prometheus' format, the built-in alerts
//! (`built_in`) and what services promise (`objectives`). The latter two are written as text in the
//! same format, so that people can print and copy them, and read like any file.
//!
//! Invariants: a group that leaves here is sound, its expressions parsed, its templates verified.
//! A text with any mistake yields no group at all, but every mistake. Of files only what the
//! patterns name is read; sizes, nesting and counts are bounded.

mod built_in;
mod changes;
mod document;
mod duration;
mod error;
mod files;
mod grammar;
mod model;
mod objectives;
mod outside;
mod place;
pub mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use built_in::text as built_in_text;
pub use changes::Contents;
pub use error::RuleErrors;
pub use model::{Alerting, Group, Rule, RuleKind};
pub use objectives::text as objectives_text;
pub use outside::unseen_records;

use crate::config::model::Service;
use crate::config::model::observe::RuleSettings;
use files::Read;

/// The `file` of groups of built-in alerts.
pub const BUILT_IN: &str = "built-in";
/// The `file` of groups of what services promise.
pub const OBJECTIVES: &str = "objectives";

/// All rules of a configuration.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Files in the order of their patterns, then the built-in alerts, then objectives.
    pub groups: Vec<Group>,
    /// What is likely not meant, one line each.
    pub warnings: Vec<String>,
}

/// Reads the rules of a configuration: its files, the built-in alerts, and what services promise.
///
/// # Errors
/// Everything that is wrong, of all files at once.
pub fn load(
    settings: &RuleSettings,
    services: &BTreeMap<String, Arc<Service>>,
) -> Result<Loaded, RuleErrors> {
    let mut read = Read::default();
    read.patterns(&settings.files, settings.every);
    if settings.built_in {
        read.errors.extend(built_in::refuse_unknown(&settings.without));
        let text = built_in::text(&settings.without, services);
        read.text(BUILT_IN, &text, settings.every);
    }
    read.text(OBJECTIVES, &objectives::text(services), settings.every);
    finish(read)
}

/// Reads one rule file; answers with how many rules it has.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(path: &Path) -> Result<(usize, Vec<String>), RuleErrors> {
    let mut read = Read::default();
    // The interval of a group that has none does not matter here.
    read.file(path, std::time::Duration::from_secs(60));
    let loaded = finish(read)?;
    Ok((loaded.groups.iter().map(|group| group.rules.len()).sum(), loaded.warnings))
}

fn finish(read: Read) -> Result<Loaded, RuleErrors> {
    let Read { groups, errors, further, warnings } = read;
    if errors.is_empty() {
        return Ok(Loaded { groups, warnings });
    }
    Err(RuleErrors::new(errors, further))
}
