//! `cargo xtask docs`: the references of the config file and of bench plans, printed by the program
//! itself.
//!
//! These documents and their schemas are generated from the types that the files are read into, so
//! they cannot drift from the program; `--check` proves that they have not.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::Args;

use crate::command;
use crate::workspace::{Profile, Workspace};

/// What is written, and the words after `plimsoll config` that print it.
const DOCUMENTS: [(&str, &str); 4] = [
    ("docs/config.md", "reference"),
    ("docs/config.schema.json", "schema"),
    ("docs/bench-plan.md", "plan-reference"),
    ("docs/bench-plan.schema.json", "plan-schema"),
];

/// Options of `cargo xtask docs`.
#[derive(Args, Clone, Copy)]
pub(crate) struct Options {
    /// Write nothing; fail if a document differs from what the program prints.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(workspace: &Workspace, options: Options) -> anyhow::Result<ExitCode> {
    let program = workspace.build(Profile::Development)?;
    let mut stale = Vec::new();
    for (document, word) in DOCUMENTS {
        let printed = command::output(Command::new(&program).args(["config", word]))?;
        if printed.trim().is_empty() {
            bail!("`plimsoll config {word}` printed nothing");
        }
        let file = workspace.root.join(document);
        let current = fs::read_to_string(&file).unwrap_or_default();
        if current == printed {
            println!("{document} is up to date");
        } else if options.check {
            stale.push((document, first_difference(&current, &printed)));
        } else {
            write(&file, &printed)?;
            println!("{document} written");
        }
    }
    for (document, line) in &stale {
        println!("{document}:{line}: differs from what the program says; run `cargo xtask docs`");
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(file: &PathBuf, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The number of the first line that differs, from 1.
fn first_difference(current: &str, wanted: &str) -> usize {
    current.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count() + 1
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("", "a\n"), 1);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), 2);
        assert_eq!(first_difference("a\n", "a\nb\n"), 2);
    }
}
