//! JMeter's plans (`.jmx`), as JMeter 2.3 to 5.6 save them, to bench plans.
//!
//! Text → nodes of XML (`xml`) → elements (`tree`) → steps (`convert` and a file for each family of
//! elements). Who applies to whom is in `scope`, what a name means in `names`, what a text means in
//! `text` and `function`. What cannot be done is named by element and line and refused, or left out
//! if the user says so: nothing is passed over in silence that would change what is measured.
//! Listeners are passed over, since Plimsoll reports on its own.
//!
//! What differs from JMeter by nature: HTTP/1.1 alone is spoken; a timeout is for the whole answer
//! rather than for each read; requests within transactions keep their own figures; user-defined
//! variables with functions are worked out for each user.
//!
//! Reading touches the plan and the files that it names, nothing else.

mod assertion;
mod body;
mod condition;
mod controller;
mod convert;
mod data;
mod extract;
mod function;
mod group;
mod http;
mod manager;
mod names;
mod pattern;
mod plan;
mod property;
mod report;
mod scope;
#[cfg(test)]
mod tests;
mod text;
mod timer;
mod tree;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::model::Plan;
use crate::config::problem::{ConfigError, ConfigErrors, Source, Warning};

/// How a JMeter plan is to be read.
#[derive(Debug, Clone, Default)]
pub struct JmxOptions {
    /// Whether what cannot be done is left out, with a warning, rather than refused.
    pub skip_unsupported: bool,
    /// What `${__P(name)}` and `${__property(name)}` return: JMeter's `-Jname=value`.
    pub properties: BTreeMap<String, String>,
}

/// A JMeter plan that can be run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is to be done.
    pub plan: Plan,
    /// What was left out or is done otherwise than JMeter does it, in the order of the file.
    pub warnings: Vec<Warning>,
    /// The properties that it asks for; `None` where their names are made up while it runs.
    asked: Option<BTreeSet<String>>,
}

impl Loaded {
    /// Refuses values for properties that the plan never asks for.
    ///
    /// # Errors
    /// Each of them, with the name that was likely meant.
    pub fn verify_properties(&self, options: &JmxOptions) -> Result<(), ConfigErrors> {
        property::verify(self.asked.as_ref(), &options.properties)
    }
}

/// Reads a JMeter plan. Names of files within begin at its directory.
///
/// # Errors
/// The file cannot be read, is no JMeter plan, is wrong, or asks for what cannot be done.
pub fn load(path: &Path, options: &JmxOptions) -> Result<Loaded, ConfigErrors> {
    let name = path.display().to_string();
    let cannot = |message: String| ConfigErrors::from(ConfigError::new("", message));
    let mut bytes = Vec::new();
    let most = xml::FILE_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| ConfigErrors::from(unreadable(&name, &error)))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| cannot(format!("{name} is not UTF-8; open it in JMeter and save it again")))?;
    let base = path.parent().map(Path::to_owned).unwrap_or_default();
    parse(&name, &text, &base, options)
}

/// Why a file cannot be read, and what to do.
fn unreadable(name: &str, error: &std::io::Error) -> ConfigError {
    use std::io::ErrorKind;
    let (message, remedy) = match error.kind() {
        ErrorKind::NotFound => (format!("{name} does not exist"), "correct the path"),
        ErrorKind::IsADirectory => (format!("{name} is a directory"), "name a plan in it"),
        ErrorKind::PermissionDenied => {
            (format!("{name} cannot be read: permission denied"), "allow it with chmod u+r")
        }
        _ => (format!("{name} cannot be read: {error}"), "check the path"),
    };
    ConfigError::new("", message).remedy(remedy)
}

/// Reads the text of a JMeter plan. `name` stands in messages; names of files within begin at
/// `base`.
///
/// # Errors
/// The text is no JMeter plan, is wrong, or asks for what cannot be done.
pub fn parse(
    name: &str,
    text: &str,
    base: &Path,
    options: &JmxOptions,
) -> Result<Loaded, ConfigErrors> {
    let source = Source::new(name, text);
    let root = xml::read(&source)?;
    let elements = tree::elements(&source, root)?;
    plan::convert(&source, &elements, base, options)
}
