//! `cargo xtask ci`: what must hold before a change lands, the quick checks first.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::workspace::Workspace;
use crate::{command, docs, test, tidy};

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    require_component("fmt", "rustfmt")?;
    require_component("clippy", "clippy")?;
    command::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    if tidy::run(workspace)? != ExitCode::SUCCESS {
        bail!("the tree is not tidy");
    }
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    command::run(workspace.cargo().args(clippy))?;
    if docs::run(workspace, docs::Options { check: true })? != ExitCode::SUCCESS {
        bail!("the documents are out of date: run `cargo xtask docs` and commit what it writes");
    }
    // Last, so that the output ends with the test runner's own closing lines.
    test::run(workspace, &test::Options::default())
}

/// Cargo's own words for a missing component do not say how to get it.
fn require_component(subcommand: &str, component: &str) -> anyhow::Result<()> {
    let asked = Command::new(command::cargo()).args([subcommand, "--version"]).output();
    if asked.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    bail!("`cargo {subcommand}` is missing; install it with `rustup component add {component}`");
}
