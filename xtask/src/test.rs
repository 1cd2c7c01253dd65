//! `cargo xtask test`: installs what the tests need, then runs every test.
//!
//! What the tests talk to is found by `PATH` and by `PLIMSOLL_TEST_ENV`, a folder that holds a
//! Python environment (`python/bin/python`) and Node packages (`node/node_modules`).

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use clap::Args;

use crate::workspace::Workspace;
use crate::{command, provision};

/// The variable by which tests find the folder of their peers.
const ENVIRONMENT_VARIABLE: &str = "PLIMSOLL_TEST_ENV";

/// Options of `cargo xtask test`.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Install what the tests need and stop.
    #[arg(long)]
    prepare: bool,
    /// Further arguments of `cargo test`, e.g. a test's name or `--package http1`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    provision::for_tests(workspace)?;
    if options.prepare {
        return Ok(ExitCode::SUCCESS);
    }
    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--locked"])
        .args(&options.arguments)
        .env("PATH", command::search_path())
        .env(ENVIRONMENT_VARIABLE, workspace.test_environment());
    Ok(exit_code(command::status(&mut cargo)?))
}

/// The exit status of a child as one's own; death by a signal is a failure.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
