//! The chores of this repository, one word each: `cargo xtask demo`, `test`, `ci`, `tidy`,
//! `docs`, `bench`.
//!
//! A chore needs no step before it: what the machine lacks is installed or named. Nothing here
//! is part of the product; the product is called as the program a person would call.

mod bench;
mod ci;
mod command;
mod demo;
mod docs;
mod provision;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build Plimsoll and start its demo; the flags are those of `plimsoll demo`.
    Demo(demo::Options),
    /// Install what the tests need and run every test.
    Test(test::Options),
    /// Everything that must hold before a change lands: fmt, tidy, clippy, docs, test.
    Ci,
    /// Check the rules of the house that the compiler does not know.
    Tidy,
    /// Write the references and schemas in docs/ from what the program says of its files.
    Docs(docs::Options),
    /// Measure Plimsoll beside its peers.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match chore {
        Chore::Demo(options) => demo::run(&workspace, &options),
        Chore::Test(options) => test::run(&workspace, &options),
        Chore::Ci => ci::run(&workspace),
        Chore::Tidy => tidy::run(&workspace),
        Chore::Docs(options) => docs::run(&workspace, options),
        Chore::Bench(options) => bench::run(&workspace, options),
    }
}
