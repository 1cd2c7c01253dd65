//! x
use std::process::ExitCode;
#[derive(clap::Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &crate::workspace::Workspace, _: Options) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
