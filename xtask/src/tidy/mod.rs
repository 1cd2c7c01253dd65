//! `cargo xtask tidy`: the rules of the house that the compiler and clippy do not know.
//!
//! Each rule is a function from a file to findings, in a file of its own; the tables that a rule
//! goes by stand at the top of that file. A finding names the file, the line, what is wrong and
//! what to do. Rules read text and syntax only: nothing is compiled, so a tree that does not
//! build can still be checked.

mod layout;
mod names;
mod planners;
mod sizes;
mod source;
mod unsafety;
mod wording;

use std::fmt;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::command;
use crate::workspace::Workspace;
use source::Source;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    message: String,
}

impl Finding {
    fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Rule = fn(&Source) -> Vec<Finding>;

const RULES: [Rule; 6] =
    [layout::check, names::check, planners::check, sizes::check, unsafety::check, wording::check];

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let mut count = 0_usize;
    for path in tracked_files(workspace)? {
        let file = workspace.root.join(&path);
        // A file that was removed but not yet committed as removed, or one that is not text.
        let Some(text) = std::fs::read(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        else {
            continue;
        };
        count += 1;
        findings.extend(check(path, text));
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {count} files, nothing to say");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {count} files, {} findings; the rules are in STYLE.md", findings.len());
    Ok(ExitCode::FAILURE)
}

/// All findings about one file.
fn check(path: String, text: String) -> Vec<Finding> {
    match Source::read(path.clone(), text) {
        Ok(source) => RULES.iter().flat_map(|rule| rule(&source)).collect(),
        Err(error) => {
            let line = error.span().start().line;
            let message = format!("this is not Rust: {error}");
            vec![Finding { path, line, message }]
        }
    }
}

/// What git knows or would add, by path from the root.
fn tracked_files(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = command::output(&mut git).context("the files of the repository are not known")?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// The messages about one file with this text: for the tests of the rules.
#[cfg(test)]
fn messages(path: &str, text: &str) -> Vec<String> {
    check(path.to_owned(), text.to_owned()).iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::messages;

    #[test]
    fn a_clean_file_has_no_findings() {
        let text = "//! A part.\n\nuse crate::config::Config;\n\npub fn f(_: &Config) {}\n";
        assert!(messages("plimsoll/src/edge/part.rs", text).is_empty());
    }

    #[test]
    fn what_does_not_parse_is_one_finding_with_its_line() {
        let found = messages("plimsoll/src/edge/part.rs", "//! A part.\n\nfn f( {}\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("plimsoll/src/edge/part.rs:"), "{found:?}");
        assert!(found[0].contains("this is not Rust"), "{found:?}");
    }
}
