//! `cargo xtask demo`: builds Plimsoll and becomes `plimsoll demo`.
//!
//! This process is replaced by the program, so Ctrl-C and every other signal reach it directly
//! and its exit status is the chore's.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

use crate::workspace::{Profile, Workspace};

/// Options of `cargo xtask demo`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Flags of `plimsoll demo`: --traffic, --chaos, --instances N, --help…
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let program = workspace.build(Profile::Development)?;
    let error = Command::new(&program).arg("demo").args(&options.flags).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
